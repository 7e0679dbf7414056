//! No timer fires early, neither by its run's time nor by the clock; and each that fired was started.

use std::collections::BTreeMap;

use refrain_engine::call::Command;
use refrain_engine::mailbox::Item;
use refrain_engine::time::Timestamp;

use crate::evidence::{Evidence, arrivals};
use crate::trace::Event;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, run) in &evidence.runs {
        let mut deadlines: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for (step, op, command) in run.commands() {
            if let (Command::StartTimer { delay, .. }, Some(op)) = (command, op) {
                deadlines.insert(op, step.time.after(*delay));
            }
        }
        for step in run.steps() {
            for arrival in &step.delivered {
                let Item::TimerFired { op, .. } = arrival.item else { continue };
                match deadlines.get(&op) {
                    None => wrong.push(format!("run {id}: op {op} fired and is no timer")),
                    Some(due) if *due > step.time => wrong.push(format!(
                        "run {id}: timer {op} was given {:?} before its time",
                        due.since(step.time)
                    )),
                    Some(_) => {}
                }
            }
        }
    }
    // The clock may be set back between two lives; what it has shown once has come.
    let mut latest = Timestamp(0);
    for entry in &evidence.trace {
        latest = latest.max(entry.at);
        let Event::Durable(changes) = &entry.event else { continue };
        for (run, arrival) in arrivals(changes) {
            let Item::TimerFired { op, deadline } = arrival.item else { continue };
            if deadline > latest {
                let early = deadline.since(latest);
                wrong.push(format!("run {run}: timer {op} fired {early:?} before the clock showed its time"));
            }
        }
    }
    wrong
}
