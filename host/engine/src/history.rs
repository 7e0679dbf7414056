//! The journal as people read it: events with one running number.

use std::collections::BTreeMap;

use crate::call::{Command, Completion, Interest, Level, Note};
use crate::failure::{Failure, Outcome};
use crate::ids::Op;
use crate::journal::{End, Entry, FailedByHost, Record, Started, Step, Terminated};
use crate::mailbox::{Item, MailboxEntry};
use crate::payload::Payload;
use crate::time::Timestamp;

/// One event of a run's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEvent {
    /// From 1, without gaps. With calls shown the numbers stay the same: calls have number 0.
    pub number: u64,
    /// The step that it belongs to.
    pub step: u64,
    /// When: for deliveries their arrival, for calls their step's time.
    pub time: Timestamp,
    /// The boot of the host that recorded it.
    pub boot: u64,
    /// What happened.
    pub kind: HistoryKind,
}

macro_rules! history_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        /// What happened in a run.
        #[derive(Clone, Debug, PartialEq)]
        pub enum HistoryKind {
            $($(#[$doc])* $kind { $($(#[$fdoc])* $field: $type),* },)*
        }

        impl HistoryKind {
            /// The name in APIs, such as `activity-scheduled`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind { .. } => $name,)*
                }
            }

            /// All names, for documentation.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }
    };
}

history_kinds! {
    /// The run began.
    WorkflowStarted "workflow-started" {
        /// The workflow's type.
        workflow: String,
        /// Its argument.
        input: Payload,
        /// The component's name.
        component: String,
        /// The version of that name.
        version: u32,
    }
    /// The run's first step waits for a start delay, or for the backoff after an attempt that failed.
    WorkflowDelayed "workflow-delayed" {
        /// Until when.
        until: Timestamp,
        /// Counts the attempts of the run's retry policy.
        attempt: u32,
        /// Why the attempt before failed.
        last_failure: Option<Failure>,
    }
    /// The run scheduled an activity.
    ActivityScheduled "activity-scheduled" {
        /// Its op.
        op: Op,
        /// Its type.
        name: String,
        /// Its argument.
        input: Payload,
        /// One line for people.
        summary: Option<String>,
    }
    /// An activity completed, and the run was told.
    ActivityCompleted "activity-completed" {
        /// Its op.
        op: Op,
        /// Its type.
        name: String,
        /// The number of the attempt that did it.
        attempt: u32,
        /// When that attempt began.
        started_at: Option<Timestamp>,
        /// Its result.
        result: Payload,
    }
    /// An activity failed, and the run was told.
    ActivityFailed "activity-failed" {
        /// Its op.
        op: Op,
        /// Its type.
        name: String,
        /// The number of the last attempt; 0 when none was made.
        attempt: u32,
        /// When that attempt began.
        started_at: Option<Timestamp>,
        /// Why.
        failure: Failure,
    }
    /// The run started a timer.
    TimerStarted "timer-started" {
        /// Its op.
        op: Op,
        /// When it fires.
        deadline: Timestamp,
        /// One line for people.
        summary: Option<String>,
    }
    /// A timer fired, and the run was told.
    TimerFired "timer-fired" {
        /// Its op.
        op: Op,
    }
    /// The run asked for an op's end.
    OpCancelRequested "op-cancel-requested" {
        /// Which.
        op: Op,
        /// Why.
        reason: String,
    }
    /// An op ended because the run canceled it, and the run was told.
    OpCanceled "op-canceled" {
        /// Which.
        op: Op,
        /// Why.
        reason: String,
    }
    /// The run gave up interest in an op.
    OpDetached "op-detached" {
        /// Which.
        op: Op,
    }
    /// A signal was delivered.
    SignalReceived "signal-received" {
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    }
    /// A request to cancel the run was delivered.
    CancelRequested "cancel-requested" {
        /// Why.
        reason: String,
    }
    /// The host was started anew between this step and the one before.
    HostRestarted "host-restarted" {
        /// The boot before.
        previous: u64,
    }
    /// A line of the run's log.
    Logged "logged" {
        /// How bad.
        level: Level,
        /// The line.
        message: String,
        /// Structured additions.
        fields: Vec<(String, String)>,
    }
    /// The run follows a version of a change from here.
    MarkerRecorded "marker-recorded" {
        /// The change.
        id: String,
        /// The version; 1 for `patched`.
        version: u32,
    }
    /// The guest read something. Shown with calls only.
    Read "read" {
        /// The import.
        import: &'static str,
        /// How often in a row.
        count: u64,
    }
    /// The guest waited. Shown with calls only.
    Waited "waited" {
        /// For what.
        interest: String,
    }
    /// The run completed.
    WorkflowCompleted "workflow-completed" {
        /// Its result.
        result: Payload,
    }
    /// The run failed.
    WorkflowFailed "workflow-failed" {
        /// Why.
        failure: Failure,
    }
    /// The run ended as the answer to a cancel request.
    WorkflowCanceled "workflow-canceled" {
        /// Its result.
        result: Option<Payload>,
    }
    /// The run continued as a new one.
    WorkflowContinuedAsNew "workflow-continued-as-new" {
        /// The next run's argument.
        input: Payload,
    }
    /// A timeout of the run or of its execution passed.
    WorkflowTimedOut "workflow-timed-out" {
        /// Which.
        failure: Failure,
    }
    /// Someone ended the run.
    WorkflowTerminated "workflow-terminated" {
        /// Why.
        reason: String,
    }
}

/// Makes the history of one run from its journal, record by record.
#[derive(Debug)]
pub struct History {
    calls: bool,
    next: u64,
    last_op: Op,
    names: BTreeMap<Op, String>,
    /// Of the latest step.
    step: u64,
    boot: u64,
    events: Vec<HistoryEvent>,
}

impl History {
    /// The history of a run that began so. With `calls`, reads and waits are shown too.
    pub fn new(started: &Started, calls: bool) -> Self {
        let mut history = Self {
            calls,
            next: 1,
            last_op: 0,
            names: BTreeMap::new(),
            step: 0,
            boot: started.boot,
            events: Vec::new(),
        };
        let kind = HistoryKind::WorkflowStarted {
            workflow: started.workflow.clone(),
            input: started.input.clone(),
            component: started.component.clone(),
            version: started.version,
        };
        history.event(0, started.at, kind);
        if let Some(until) = started.lifecycle.begins_at {
            let (attempt, last_failure) = (started.attempt, started.lifecycle.last_failure.clone());
            let kind = HistoryKind::WorkflowDelayed { until, attempt, last_failure };
            history.event(0, started.at, kind);
        }
        history
    }

    /// Takes the next record of the journal.
    pub fn record(&mut self, record: &Record) {
        match record {
            Record::Step(step) => self.step(step),
            Record::Terminated(Terminated { time, boot, reason }) => {
                self.boot = *boot;
                self.event(self.step, *time, HistoryKind::WorkflowTerminated { reason: reason.clone() });
            }
            Record::Failed(FailedByHost { time, boot, failure }) => {
                self.boot = *boot;
                self.event(self.step, *time, HistoryKind::WorkflowFailed { failure: failure.clone() });
            }
            Record::TimedOut(FailedByHost { time, boot, failure }) => {
                self.boot = *boot;
                self.event(self.step, *time, HistoryKind::WorkflowTimedOut { failure: failure.clone() });
            }
        }
    }

    /// The events so far.
    pub fn events(self) -> Vec<HistoryEvent> {
        self.events
    }

    /// The events since the last time, for a history that is read in pieces.
    pub fn take_events(&mut self) -> Vec<HistoryEvent> {
        std::mem::take(&mut self.events)
    }

    /// The number of the latest event, taken or not.
    pub fn last_number(&self) -> u64 {
        self.next - 1
    }

    /// Whether reads and waits are shown too.
    pub fn shows_calls(&self) -> bool {
        self.calls
    }

    fn step(&mut self, step: &Step) {
        self.step = step.number;
        if step.boot != self.boot {
            let previous = std::mem::replace(&mut self.boot, step.boot);
            self.event(step.number, step.time, HistoryKind::HostRestarted { previous });
        }
        step.delivered.iter().for_each(|entry| self.delivered(step.number, entry));
        step.entries.iter().for_each(|entry| self.entry(step, entry));
        match &step.end {
            End::Wait(interest) => {
                let interest = describe_interest(interest);
                self.call(step, HistoryKind::Waited { interest });
            }
            End::Finish(completion) => self.event(step.number, step.time, completed(completion)),
        }
    }

    fn delivered(&mut self, step: u64, entry: &MailboxEntry) {
        let kind = match &entry.item {
            Item::ActivityClosed { op, outcome, attempt, started_at } => {
                let name = self.names.remove(op).unwrap_or_default();
                let (op, attempt, started_at) = (*op, *attempt, *started_at);
                match outcome.clone() {
                    Outcome::Completed(result) => {
                        HistoryKind::ActivityCompleted { op, name, attempt, started_at, result }
                    }
                    Outcome::Failed(failure) => {
                        HistoryKind::ActivityFailed { op, name, attempt, started_at, failure }
                    }
                }
            }
            Item::TimerFired { op, .. } => HistoryKind::TimerFired { op: *op },
            Item::Canceled { op, reason } => HistoryKind::OpCanceled { op: *op, reason: reason.clone() },
            Item::Signal { name, input } => {
                HistoryKind::SignalReceived { name: name.clone(), input: input.clone() }
            }
            Item::CancelRequest { reason } => HistoryKind::CancelRequested { reason: reason.clone() },
        };
        self.event(step, entry.at, kind);
    }

    fn entry(&mut self, step: &Step, entry: &Entry) {
        let kind = match entry {
            Entry::Command(Command::StartActivity(activity)) => {
                self.last_op += 1;
                self.names.insert(self.last_op, activity.name.clone());
                HistoryKind::ActivityScheduled {
                    op: self.last_op,
                    name: activity.name.clone(),
                    input: activity.input.clone(),
                    summary: activity.options.summary.clone(),
                }
            }
            Entry::Command(Command::StartTimer { delay, summary }) => {
                self.last_op += 1;
                HistoryKind::TimerStarted {
                    op: self.last_op,
                    deadline: step.time.after(*delay),
                    summary: summary.clone(),
                }
            }
            Entry::Command(Command::Cancel { op, reason }) => {
                HistoryKind::OpCancelRequested { op: *op, reason: reason.clone() }
            }
            Entry::Command(Command::Detach { op }) => HistoryKind::OpDetached { op: *op },
            Entry::Command(Command::Wait(_) | Command::Finish(_)) => {
                unreachable!("waits and finishes end steps and are no entries of them")
            }
            Entry::Read { read, count } => {
                return self.call(step, HistoryKind::Read { import: read.import(), count: *count });
            }
            Entry::Note(Note::Log { level, message, fields }) => {
                HistoryKind::Logged { level: *level, message: message.clone(), fields: fields.clone() }
            }
            Entry::Note(Note::LogTruncated) => HistoryKind::Logged {
                level: Level::Warn,
                message:
                    "the rest of this step's log was dropped: it is past the limit on log bytes in a step"
                        .to_owned(),
                fields: Vec::new(),
            },
            Entry::Marker { id, version } => {
                HistoryKind::MarkerRecorded { id: id.clone(), version: *version }
            }
        };
        self.event(step.number, step.time, kind);
    }

    fn event(&mut self, step: u64, time: Timestamp, kind: HistoryKind) {
        self.events.push(HistoryEvent { number: self.next, step, time, boot: self.boot, kind });
        self.next += 1;
    }

    fn call(&mut self, step: &Step, kind: HistoryKind) {
        if self.calls {
            self.events.push(HistoryEvent {
                number: 0,
                step: step.number,
                time: step.time,
                boot: self.boot,
                kind,
            });
        }
    }
}

fn completed(completion: &Completion) -> HistoryKind {
    match completion.clone() {
        Completion::Completed(result) => HistoryKind::WorkflowCompleted { result },
        Completion::Failed(failure) => HistoryKind::WorkflowFailed { failure },
        Completion::Canceled(result) => HistoryKind::WorkflowCanceled { result },
        Completion::ContinueAsNew(next) => HistoryKind::WorkflowContinuedAsNew { input: next.input },
    }
}

/// An interest in a few words.
pub fn describe_interest(interest: &Interest) -> String {
    let list = |ops: &[Op]| match ops {
        [] => "no ops".to_owned(),
        [op] => format!("op {op}"),
        [first, .., last] => format!("{} ops from {first} to {last}", ops.len()),
    };
    match interest {
        Interest::Everything => "everything".to_owned(),
        Interest::Ops(ops) => list(ops),
        Interest::OpsAndMessages(ops) => format!("{} and messages", list(ops)),
    }
}
