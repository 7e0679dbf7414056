//! An op ends once: its guest is given one outcome, one is recorded, and no attempt begins after that.

use std::collections::BTreeMap;

use refrain_engine::mailbox::Item;

use crate::evidence::{Evidence, arrivals};
use crate::trace::Event;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, run) in &evidence.runs {
        let mut given = BTreeMap::new();
        for entry in run.delivered() {
            let Some(op) = entry.item.op() else { continue };
            if let Some(first) = given.insert(op, entry.number) {
                wrong.push(format!("run {id}: op {op} ended with arrival {first} and with {}", entry.number));
            }
        }
    }
    // Where an arrival lies first in the mailbox and then in a step, it is the same one by its number.
    let mut closed: BTreeMap<String, u64> = BTreeMap::new();
    for entry in &evidence.trace {
        match &entry.event {
            Event::Durable(changes) => {
                for (run, arrival) in arrivals(changes) {
                    let Item::ActivityClosed { op, .. } = arrival.item else { continue };
                    let first = closed.entry(format!("{run}/{op}")).or_insert(arrival.number);
                    if *first != arrival.number {
                        let number = arrival.number;
                        wrong.push(format!("run {run}: activity {op} ended with arrivals {first} and {number}"));
                    }
                }
            }
            Event::Attempt { key, attempt, .. } if closed.contains_key(key) => {
                wrong.push(format!("attempt {attempt} of {key} began after its outcome was recorded"));
            }
            _ => {}
        }
    }
    wrong
}
