//! An op ends once: its guest is given one outcome, one is recorded, and no attempt begins after that.

use std::collections::BTreeMap;

use refrain_engine::activity::{Activity, Phase};
use refrain_engine::codec;
use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::time::Timestamp;
use refrain_store::schema::Prefix;
use refrain_store::{Change, Table};

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
    let mut ends: BTreeMap<(RunId, Op), MailboxEntry> = BTreeMap::new();
    let mut closed: BTreeMap<String, Timestamp> = BTreeMap::new();
    // An attempt that was durably started may still be heard of after the end that came in the same moment; so may a local
    // one, of which nothing need be durable.
    let mut begun: BTreeMap<String, u32> = BTreeMap::new();
    for entry in &evidence.trace {
        match &entry.event {
            Event::Durable(changes) => {
                begun.extend(running(changes));
                for (run, arrival) in arrivals(changes) {
                    let Some(op) = arrival.item.op() else { continue };
                    let first = ends.entry((run, op)).or_insert_with(|| arrival.clone());
                    if first.number != arrival.number {
                        wrong.push(format!("run {run}: op {op} ended as {first:?} and as {arrival:?}"));
                    }
                    if matches!(arrival.item, Item::ActivityClosed { .. }) {
                        closed.entry(format!("{run}/{op}")).or_insert(entry.at);
                    }
                }
            }
            Event::Attempt { key, attempt, local }
                if closed.get(key).is_some_and(|end| !local || *end != entry.at)
                    && begun.get(key).is_none_or(|begun| attempt > begun) =>
            {
                wrong.push(format!("attempt {attempt} of {key} began after its outcome was recorded"));
            }
            _ => {}
        }
    }
    wrong
}

/// The attempts that a durable batch starts, by idempotency key.
fn running(changes: &[Change]) -> Vec<(String, u32)> {
    let namespace = Namespace::default();
    let mut running = Vec::new();
    for change in changes {
        let (Table::Activities, key, Some(row)) = change.parts() else { continue };
        let activity: Activity = codec::decode("activity", row).expect("an activity");
        if let (Phase::Running { .. }, Some(run)) = (activity.phase, Prefix::run_of(&namespace, key)) {
            running.push((format!("{run}/{}", activity.op), activity.attempt));
        }
    }
    running
}
