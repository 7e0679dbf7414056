//! What a journal leaves open, read without a guest: for lists of what a run waits for, and for ending a run
//! that is not loaded.

use std::collections::BTreeMap;

use crate::call::{Command, Interest};
use crate::ids::Op;
use crate::journal::{End, Entry, Record, Started, Step};
use crate::mailbox::{Item, MailboxEntry};
use crate::time::Timestamp;

/// The state that a run's records add up to.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Timers that were started and neither canceled nor delivered, with deadline and summary.
    pub timers: BTreeMap<Op, (Timestamp, Option<String>)>,
    /// Updates that were accepted and not completed, by request.
    pub updates: BTreeMap<u64, OpenUpdate>,
    /// The interest of the wait that the journal ends with.
    pub waiting: Option<Interest>,
    last_op: Op,
    /// Of the step that is read: what it may accept.
    delivered: BTreeMap<u64, OpenUpdate>,
    /// The first step that no other run has made.
    own_from: u64,
}

/// An update that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpdate {
    /// The caller's own id of it.
    pub update_id: String,
    /// Which.
    pub name: String,
    /// When it arrived.
    pub at: Timestamp,
}

impl OpenUpdate {
    /// The update that this arrival is, if it is one.
    pub fn of(entry: &MailboxEntry) -> Option<Self> {
        match &entry.item {
            Item::Update { update_id, name, .. } => {
                Some(Self { update_id: update_id.clone(), name: name.clone(), at: entry.at })
            }
            Item::ActivityClosed { .. }
            | Item::TimerFired { .. }
            | Item::Canceled { .. }
            | Item::Signal { .. }
            | Item::CancelRequest { .. }
            | Item::ChildStarted { .. }
            | Item::ChildNotStarted { .. }
            | Item::ChildClosed { .. }
            | Item::Sent { .. } => None,
        }
    }
}

impl Outline {
    /// Of a run that began so. The steps that a fork shares with another run leave no updates open: they were that
    /// run's, which has answered them.
    pub fn of(started: &Started) -> Self {
        let own_from = started.forks.iter().map(|fork| fork.step).max().unwrap_or_default();
        Self { own_from, ..Self::default() }
    }

    /// Takes the next record.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Step(step) => self.step(step),
            Record::Moved(_) => {}
            Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) | Record::Canceled(_) => {
                self.waiting = None;
            }
        }
    }

    fn step(&mut self, step: &Step) {
        for entry in &step.delivered {
            if let Some(op) = entry.item.op() {
                self.timers.remove(&op);
            }
            self.delivered.extend(OpenUpdate::of(entry).map(|update| (entry.number, update)));
        }
        for entry in &step.entries {
            self.entry(step.time, entry);
        }
        // What the step has ignored was rejected at its end.
        self.delivered.clear();
        if step.number < self.own_from {
            self.updates.clear();
        }
        self.waiting = match &step.end {
            End::Wait(interest) => Some(interest.clone()),
            End::Finish(_) => None,
        };
    }

    fn entry(&mut self, time: Timestamp, entry: &Entry) {
        match entry {
            Entry::Command(
                Command::StartActivity(_) | Command::Signal { .. } | Command::RequestCancel { .. },
            ) => self.last_op += 1,
            // The op of its start, and that of its end.
            Entry::Command(Command::StartChild(_)) => self.last_op += 2,
            Entry::Command(Command::AcceptUpdate { request }) => {
                self.updates.extend(self.delivered.remove(request).map(|update| (*request, update)));
            }
            Entry::Command(Command::CompleteUpdate { request, .. }) => {
                self.updates.remove(request);
            }
            Entry::Command(Command::StartTimer { delay, summary }) => {
                self.last_op += 1;
                self.timers.insert(self.last_op, (time.after(*delay), summary.clone()));
            }
            Entry::Command(Command::Cancel { op, .. } | Command::Detach { op }) => {
                self.timers.remove(op);
            }
            Entry::Command(Command::RejectUpdate { .. } | Command::Wait(_) | Command::Finish(_))
            | Entry::Read { .. }
            | Entry::Note(_)
            | Entry::Marker { .. } => {}
        }
    }
}
