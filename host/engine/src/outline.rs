//! What a journal leaves open, read without a guest: for lists of what a run waits for, and for ending a run
//! that is not loaded.

use std::collections::BTreeMap;

use crate::call::{Command, Interest};
use crate::ids::Op;
use crate::journal::{End, Entry, Record, Step};
use crate::time::Timestamp;

/// The state that a run's records add up to.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Timers that were started and neither canceled nor delivered, with deadline and summary.
    pub timers: BTreeMap<Op, (Timestamp, Option<String>)>,
    /// The interest of the wait that the journal ends with.
    pub waiting: Option<Interest>,
    last_op: Op,
}

impl Outline {
    /// Takes the next record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Step(step) => self.step(step),
            Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) => self.waiting = None,
        }
    }

    fn step(&mut self, step: &Step) {
        for op in step.delivered.iter().filter_map(|entry| entry.item.op()) {
            self.timers.remove(&op);
        }
        for entry in &step.entries {
            self.entry(step.time, entry);
        }
        self.waiting = match &step.end {
            End::Wait(interest) => Some(interest.clone()),
            End::Finish(_) => None,
        };
    }

    fn entry(&mut self, time: Timestamp, entry: &Entry) {
        match entry {
            Entry::Command(Command::StartActivity(_)) => self.last_op += 1,
            Entry::Command(Command::StartTimer { delay, summary }) => {
                self.last_op += 1;
                self.timers.insert(self.last_op, (time.after(*delay), summary.clone()));
            }
            Entry::Command(Command::Cancel { op, .. } | Command::Detach { op }) => {
                self.timers.remove(op);
            }
            Entry::Command(Command::Wait(_) | Command::Finish(_))
            | Entry::Read { .. }
            | Entry::Note(_)
            | Entry::Marker { .. } => {}
        }
    }
}
