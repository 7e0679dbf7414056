//! Where a journal is cut for another run: what the steps that are kept leave open. A reset and a fork begin
//! there.
//!
//! All of it is read from the records that are kept, so that it does not matter what became of the run since.
//! What is open is begun once more for the new run, with these exceptions:
//!
//! * An op whose cancel is among the kept calls has ended, unless it is one whose outcome the cancel waits for.
//! * A detached op is nobody's: who gave it up would not hear whether it was done a second time.
//! * A child exists once. It stays with the old run, or the new run takes it over.

use std::collections::BTreeMap;

use crate::call::{ActivityCommand, Command};
use crate::child::ChildCancellation;
use crate::failure::{Failure, FailureKind, Outcome};
use crate::ids::Op;
use crate::journal::{Code, End, Entry, ExecutionRef, Record, Step};
use crate::mailbox::Item;
use crate::ops::end_of_child;
use crate::payload::Payload;
use crate::run::JournalSize;
use crate::time::Timestamp;

/// The type of the failure of a child that stays with the run that started it.
pub const NOT_ADOPTED: &str = "not-adopted";

/// Where a journal is cut. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct ForkPoint {
    /// The number of the first step that is not kept.
    pub step: u64,
    /// The length of what is kept.
    pub size: JournalSize,
    /// The code that someone has moved the run to; `None`: that with which it started.
    pub moved_to: Option<Code>,
    /// The highest number of an arrival that was delivered.
    pub last_arrival: u64,
    /// A request to cancel the run was delivered.
    pub cancel_requested: bool,
    /// Activities without an outcome.
    pub activities: BTreeMap<Op, ActivityCommand>,
    /// Timers that have not fired, with deadline and summary.
    pub timers: BTreeMap<Op, (Timestamp, Option<String>)>,
    /// What was sent to other executions and is not known to have reached them.
    pub sendings: BTreeMap<Op, Sending>,
    /// Children that are not known to have ended, by the op of their end.
    pub children: BTreeMap<Op, OpenChild>,
    /// Ops that the run has canceled and has not heard of yet, with the reason.
    pub canceled: BTreeMap<Op, String>,
    last_op: Op,
    ended: bool,
}

/// What was sent to another execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Sending {
    /// A signal.
    Signal {
        /// Whose.
        target: ExecutionRef,
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    },
    /// A request to cancel itself.
    RequestCancel {
        /// Whose.
        target: ExecutionRef,
        /// Why.
        reason: String,
    },
}

/// A child that is not known to have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenChild {
    /// The op of its start.
    pub started: Op,
    /// The run waits to hear of its start.
    pub start_wanted: bool,
    /// The run waits to hear of its end.
    pub end_wanted: bool,
    cancellation: ChildCancellation,
}

impl ForkPoint {
    /// Takes the next record that is kept, with the size of its stored form.
    pub fn record(&mut self, record: &Record, bytes: usize) {
        match record {
            Record::Step(step) => self.take_step(step, bytes),
            Record::Moved(moved) => self.moved_to = Some(moved.code.clone()),
            Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) | Record::Canceled(_) => {
                self.ended = true;
            }
        }
    }

    /// Whether the run has ended here, so that no run can go on from it.
    pub fn is_end(&self) -> bool {
        self.ended
    }

    /// The end of an op is there: what is open does not hold it any more.
    pub fn settle(&mut self, item: &Item) {
        match item {
            Item::ActivityClosed { op, .. } | Item::TimerFired { op, .. } | Item::Sent { op, .. } => {
                self.close(*op);
            }
            Item::Canceled { op, .. } => {
                self.close(*op);
                if let Some(child) = self.children.get_mut(op) {
                    child.end_wanted = false;
                }
            }
            Item::ChildStarted { op, .. } | Item::ChildNotStarted { op, .. } => {
                if let Some(child) = self.children.get_mut(&end_of_child(*op)) {
                    child.start_wanted = false;
                }
            }
            Item::ChildClosed { op, .. } => {
                self.close(*op);
                self.children.remove(op);
            }
            Item::CancelRequest { .. } => self.cancel_requested = true,
            Item::Signal { .. } | Item::Update { .. } => {}
        }
    }

    /// What the new run finds in its mailbox of what it had canceled.
    pub fn canceled_items(&self) -> impl Iterator<Item = Item> {
        self.canceled.iter().map(|(op, reason)| Item::Canceled { op: *op, reason: reason.clone() })
    }

    /// What the new run is told of a child that it does not take over, or of which nothing is known any more.
    pub fn lost_child(&self, op: Op) -> Vec<Item> {
        let Some(child) = self.children.get(&op) else { return Vec::new() };
        let start =
            child.start_wanted.then(|| Item::ChildNotStarted { op: child.started, failure: not_adopted() });
        let end = child.end_wanted.then(|| Item::ChildClosed { op, outcome: Outcome::Failed(not_adopted()) });
        start.into_iter().chain(end).collect()
    }

    fn take_step(&mut self, step: &Step, bytes: usize) {
        self.step = step.number.saturating_add(1);
        self.size.entries += (step.delivered.len() + step.entries.len() + 1) as u64;
        self.size.bytes += bytes as u64;
        for entry in &step.delivered {
            self.last_arrival = self.last_arrival.max(entry.number);
            self.settle(&entry.item);
        }
        step.entries.iter().for_each(|entry| self.take_entry(step.time, entry));
        self.ended = matches!(step.end, End::Finish(_));
    }

    fn take_entry(&mut self, time: Timestamp, entry: &Entry) {
        match entry {
            Entry::Command(command) => self.take_command(time, command),
            Entry::Read { .. } | Entry::Note(_) | Entry::Marker { .. } => {}
        }
    }

    fn take_command(&mut self, time: Timestamp, command: &Command) {
        match command {
            Command::StartActivity(activity) => {
                let op = self.next_op();
                self.activities.insert(op, activity.clone());
            }
            Command::StartTimer { delay, summary } => {
                let op = self.next_op();
                self.timers.insert(op, (time.after(*delay), summary.clone()));
            }
            Command::StartChild(child) => {
                let (started, finished) = (self.next_op(), self.next_op());
                let cancellation = child.options.cancellation;
                let child = OpenChild { started, start_wanted: true, end_wanted: true, cancellation };
                self.children.insert(finished, child);
            }
            Command::Signal { target, name, input } => {
                let op = self.next_op();
                let (target, name, input) = (target.clone(), name.clone(), input.clone());
                self.sendings.insert(op, Sending::Signal { target, name, input });
            }
            Command::RequestCancel { target, reason } => {
                let op = self.next_op();
                let (target, reason) = (target.clone(), reason.clone());
                self.sendings.insert(op, Sending::RequestCancel { target, reason });
            }
            Command::Cancel { op, reason } => self.cancel(*op, reason),
            Command::Detach { op } => self.detach(*op),
            Command::AcceptUpdate { .. }
            | Command::RejectUpdate { .. }
            | Command::CompleteUpdate { .. }
            | Command::Wait(_)
            | Command::Finish(_) => {}
        }
    }

    fn next_op(&mut self) -> Op {
        self.last_op += 1;
        self.last_op
    }

    fn cancel(&mut self, op: Op, reason: &str) {
        let child_ends = self.children.get_mut(&op).is_some_and(|child| match child.cancellation {
            ChildCancellation::TryCancel | ChildCancellation::Abandon => {
                std::mem::take(&mut child.end_wanted)
            }
            ChildCancellation::WaitForCancellation => false,
        });
        // An activity whose cancellation is waited for has not begun for the new run, and ends at once.
        if self.activities.remove(&op).is_some() || self.timers.remove(&op).is_some() || child_ends {
            self.canceled.insert(op, reason.to_owned());
        }
    }

    fn detach(&mut self, op: Op) {
        self.close(op);
        if let Some(child) = self.children.get_mut(&op) {
            child.end_wanted = false;
        }
        if let Some(child) = self.children.get_mut(&end_of_child(op)).filter(|child| child.started == op) {
            child.start_wanted = false;
        }
    }

    fn close(&mut self, op: Op) {
        self.activities.remove(&op);
        self.timers.remove(&op);
        self.sendings.remove(&op);
        self.canceled.remove(&op);
    }
}

fn not_adopted() -> Failure {
    let message = "the child stays with the run that this one was made from: a reset takes children over with \
                   `children` adopt";
    Failure::new(FailureKind::Host, NOT_ADOPTED, message)
}
