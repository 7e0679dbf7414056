//! The journal as people read it: events with one running number.

use std::collections::BTreeMap;

use crate::call::{Command, Completion, Interest, Level, Note};
use crate::failure::{Failure, Outcome};
use crate::ids::{Digest, Op};
use crate::journal::{
    Code, End, Entry, ExecutionRef, FailedByHost, Fork, Moved, Position, Record, Started, Step, Terminated,
};
use crate::mailbox::{Item, MailboxEntry};
use crate::ops::end_of_child;
use crate::payload::Payload;
use crate::time::Timestamp;
use crate::updates::{UpdateError, Updates, not_handled};

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
    /// The run started a child.
    ChildInitiated "child-initiated" {
        /// The op of its end.
        op: Op,
        /// Its type.
        name: String,
        /// Its argument.
        input: Payload,
        /// One line for people.
        summary: Option<String>,
    }
    /// A child exists, and the run was told.
    ChildStarted "child-started" {
        /// The op of its end.
        op: Op,
        /// Its type.
        name: String,
        /// Its execution.
        child: ExecutionRef,
    }
    /// A child could not be started, and the run was told.
    ChildStartFailed "child-start-failed" {
        /// The op of its end.
        op: Op,
        /// Its type.
        name: String,
        /// Why.
        failure: Failure,
    }
    /// A child completed, and the run was told.
    ChildCompleted "child-completed" {
        /// The op of its end.
        op: Op,
        /// Its type.
        name: String,
        /// Its result.
        result: Payload,
    }
    /// A child did not complete, and the run was told.
    ChildFailed "child-failed" {
        /// The op of its end.
        op: Op,
        /// Its type.
        name: String,
        /// Why.
        failure: Failure,
    }
    /// The run sent a signal to another execution.
    SignalSent "signal-sent" {
        /// Its op.
        op: Op,
        /// Whose.
        target: ExecutionRef,
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    }
    /// The run asked another execution to cancel itself.
    CancelSent "cancel-sent" {
        /// Its op.
        op: Op,
        /// Which.
        target: ExecutionRef,
        /// Why.
        reason: String,
    }
    /// What the run sent has reached the other execution, and the run was told.
    SendingCompleted "sending-completed" {
        /// Its op.
        op: Op,
    }
    /// What the run sent cannot reach the other execution, and the run was told.
    SendingFailed "sending-failed" {
        /// Its op.
        op: Op,
        /// Why.
        failure: Failure,
    }
    /// An update was delivered.
    UpdateReceived "update-received" {
        /// The caller's own id of it.
        update_id: String,
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    }
    /// The run let an update in.
    UpdateAccepted "update-accepted" {
        /// The caller's own id of it.
        update_id: String,
    }
    /// The run turned an update down, or took no notice of it.
    UpdateRejected "update-rejected" {
        /// The caller's own id of it.
        update_id: String,
        /// Why.
        failure: Failure,
    }
    /// The run answered an update.
    UpdateCompleted "update-completed" {
        /// The caller's own id of it.
        update_id: String,
        /// The answer.
        result: Payload,
    }
    /// The run answered an update by a failure.
    UpdateFailed "update-failed" {
        /// The caller's own id of it.
        update_id: String,
        /// The answer.
        failure: Failure,
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
    /// Up to here the journal is that of another run, which this one was made from by a reset or a fork.
    WorkflowForked "workflow-forked" {
        /// That run.
        of: ExecutionRef,
    }
    /// Someone moved the run to other code.
    WorkflowMoved "workflow-moved" {
        /// The component's name.
        component: String,
        /// The version of that name.
        version: u32,
        /// The code.
        digest: Digest,
        /// Why.
        reason: String,
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
    /// The run ended as the answer to a cancel request, or the host ended it for one that it could not hear.
    WorkflowCanceled "workflow-canceled" {
        /// Its result.
        result: Option<Payload>,
        /// Why the host ended it; `None`: it ended by its own word.
        reason: Option<String>,
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
    updates: Updates,
    /// Where the journal stops to be that of another run.
    forks: Vec<Fork>,
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
            updates: Updates::default(),
            forks: started.forks.clone(),
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
        // Of a copy the first steps were made when the other run made them.
        history.event(0, started.identity(0).at, kind);
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
            Record::Canceled(Terminated { time, boot, reason }) => {
                self.boot = *boot;
                let kind = HistoryKind::WorkflowCanceled { result: None, reason: Some(reason.clone()) };
                self.event(self.step, *time, kind);
            }
            Record::Failed(FailedByHost { time, boot, failure }) => {
                self.boot = *boot;
                self.event(self.step, *time, HistoryKind::WorkflowFailed { failure: failure.clone() });
            }
            Record::Moved(Moved { time, boot, code, reason }) => {
                self.boot = *boot;
                let Code { component, version, digest } = code.clone();
                let kind = HistoryKind::WorkflowMoved { component, version, digest, reason: reason.clone() };
                self.event(self.step, *time, kind);
            }
            Record::TimedOut(FailedByHost { time, boot, failure }) => {
                self.boot = *boot;
                self.event(self.step, *time, HistoryKind::WorkflowTimedOut { failure: failure.clone() });
            }
        }
    }

    /// Takes the next record as far as a call of it, that one included. Answers the number of the call's event; of a call
    /// that is no event, such as a read or a wait, that of the latest event before it.
    pub fn number_at(mut self, step: &Step, position: Position) -> u64 {
        self.begin(step);
        step.entries.iter().take(position.index + 1).for_each(|entry| self.entry(step, entry));
        if position.index >= step.entries.len() {
            self.end(step);
        }
        self.last_number()
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
        self.begin(step);
        step.entries.iter().for_each(|entry| self.entry(step, entry));
        self.end(step);
    }

    /// What came before the step's calls.
    fn begin(&mut self, step: &Step) {
        self.step = step.number;
        if let Some(Fork { of, .. }) = self.forks.iter().find(|fork| fork.step == step.number).cloned() {
            let of = ExecutionRef { workflow_id: of.workflow_id, run_id: Some(of.run_id) };
            self.event(step.number, step.time, HistoryKind::WorkflowForked { of });
            self.boot = step.boot;
        }
        if step.number == 0 && !self.forks.is_empty() {
            // It was made in another run, and perhaps by another boot than the one that has copied it.
            self.boot = step.boot;
        }
        if step.boot != self.boot {
            let previous = std::mem::replace(&mut self.boot, step.boot);
            self.event(step.number, step.time, HistoryKind::HostRestarted { previous });
        }
        step.delivered.iter().for_each(|entry| self.delivered(step.number, entry));
    }

    /// What its end says.
    fn end(&mut self, step: &Step) {
        for (_, update_id) in self.updates.end_step() {
            let kind = HistoryKind::UpdateRejected { update_id, failure: not_handled() };
            self.event(step.number, step.time, kind);
        }
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
            Item::ChildStarted { op, workflow_id, run_id } => {
                let child = ExecutionRef { workflow_id: workflow_id.clone(), run_id: Some(*run_id) };
                let (op, name) = self.child(*op);
                HistoryKind::ChildStarted { op, name, child }
            }
            Item::ChildNotStarted { op, failure } => {
                let (op, name) = self.child(*op);
                HistoryKind::ChildStartFailed { op, name, failure: failure.clone() }
            }
            Item::ChildClosed { op, outcome } => {
                let (op, name) = (*op, self.names.remove(op).unwrap_or_default());
                match outcome.clone() {
                    Outcome::Completed(result) => HistoryKind::ChildCompleted { op, name, result },
                    Outcome::Failed(failure) => HistoryKind::ChildFailed { op, name, failure },
                }
            }
            Item::Sent { op, outcome: Outcome::Completed(_) } => HistoryKind::SendingCompleted { op: *op },
            Item::Sent { op, outcome: Outcome::Failed(failure) } => {
                HistoryKind::SendingFailed { op: *op, failure: failure.clone() }
            }
            Item::Update { update_id, name, input } => {
                self.updates.deliver(entry.number, update_id);
                HistoryKind::UpdateReceived {
                    update_id: update_id.clone(),
                    name: name.clone(),
                    input: input.clone(),
                }
            }
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
            Entry::Command(Command::StartChild(child)) => {
                // The op of its start, and that of its end, by which people know it.
                self.last_op += 2;
                self.names.insert(self.last_op, child.workflow.clone());
                HistoryKind::ChildInitiated {
                    op: self.last_op,
                    name: child.workflow.clone(),
                    input: child.input.clone(),
                    summary: child.options.summary.clone(),
                }
            }
            Entry::Command(Command::Signal { target, name, input }) => {
                self.last_op += 1;
                HistoryKind::SignalSent {
                    op: self.last_op,
                    target: target.clone(),
                    name: name.clone(),
                    input: input.clone(),
                }
            }
            Entry::Command(Command::RequestCancel { target, reason }) => {
                self.last_op += 1;
                let (op, target) = (self.last_op, target.clone());
                HistoryKind::CancelSent { op, target, reason: reason.clone() }
            }
            Entry::Command(Command::AcceptUpdate { request }) => {
                HistoryKind::UpdateAccepted { update_id: known(self.updates.accept(*request)) }
            }
            Entry::Command(Command::RejectUpdate { request, reason }) => {
                let update_id = known(self.updates.reject(*request));
                HistoryKind::UpdateRejected { update_id, failure: reason.clone() }
            }
            Entry::Command(Command::CompleteUpdate { request, outcome }) => {
                let update_id = known(self.updates.complete(*request));
                match outcome.clone() {
                    Outcome::Completed(result) => HistoryKind::UpdateCompleted { update_id, result },
                    Outcome::Failed(failure) => HistoryKind::UpdateFailed { update_id, failure },
                }
            }
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

    /// The child whose start has this op: the op of its end, and its type.
    fn child(&self, started: Op) -> (Op, String) {
        let op = end_of_child(started);
        (op, self.names.get(&op).cloned().unwrap_or_default())
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

/// The caller's id of an update that a recorded call names. A journal that lacks it is damaged, and shown all the same.
fn known(update_id: Result<String, UpdateError>) -> String {
    update_id.unwrap_or_default()
}

fn completed(completion: &Completion) -> HistoryKind {
    match completion.clone() {
        Completion::Completed(result) => HistoryKind::WorkflowCompleted { result },
        Completion::Failed(failure) => HistoryKind::WorkflowFailed { failure },
        Completion::Canceled(result) => HistoryKind::WorkflowCanceled { result, reason: None },
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
