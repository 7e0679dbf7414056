//! What callers give to the runtime and get from it.

use std::time::Duration;

pub use refrain_engine::child::IdReusePolicy;
pub use refrain_engine::definition::{MessageDefinition, OnTrap, WorkflowDefinition};
use refrain_engine::failure::Failure;
use refrain_engine::history::HistoryEvent;
use refrain_engine::ids::{Digest, Op, RunId, WorkflowId};
use refrain_engine::journal::ExecutionRef;
use refrain_engine::lifecycle::Lifecycle;
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::time::Timestamp;
pub use refrain_store::schema::{ComponentVersion, Parked, RunStatus, StoredMismatch};

use crate::updates::{PendingUpdate, SendUpdate};

/// Which run is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The execution.
    pub workflow_id: WorkflowId,
    /// The run; `None`: the current one.
    pub run_id: Option<RunId>,
}

/// A component that was inspected and stored.
#[derive(Clone, Debug)]
pub struct NewComponent {
    /// The SHA-256 of the uploaded bytes.
    pub digest: Digest,
    /// Their number.
    pub uploaded_bytes: u64,
    /// Name and version of the SDK.
    pub sdk: String,
    /// What the component imports.
    pub imports: Vec<String>,
    /// What it defines.
    pub workflows: Vec<WorkflowDefinition>,
}

/// The answer to an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The version that the name has now.
    pub version: u32,
    /// False when that version had this digest already.
    pub created: bool,
}

/// A component's name in a list.
#[derive(Clone, Debug)]
pub struct ComponentSummary {
    /// The name.
    pub name: String,
    /// The version that new runs get.
    pub current: u32,
    /// Its digest.
    pub digest: Digest,
    /// When it was uploaded.
    pub updated_at: Timestamp,
    /// The workflow types that it defines.
    pub workflows: Vec<String>,
}

/// A start.
#[derive(Clone, Debug)]
pub struct StartWorkflow {
    /// The workflow's type.
    pub workflow: String,
    /// The execution's id; `None`: the host makes one.
    pub id: Option<WorkflowId>,
    /// The workflow's argument.
    pub input: Payload,
    /// The component; `None`: the one that defines the type.
    pub component: Option<String>,
    /// The version of the component; `None`: the current one.
    pub version: Option<u32>,
    /// The code, instead of a version: the newest version that has it.
    pub digest: Option<Digest>,
    /// A repeated start with the same key is the same start.
    pub request_id: Option<String>,
    /// Where activities go that name no queue; `None`: `default`.
    pub task_queue: Option<String>,
    /// Named values for people.
    pub memo: Vec<(String, Payload)>,
    /// Whether a run of the id that has ended may be followed by this one.
    pub id_reuse_policy: IdReusePolicy,
    /// What a run of the id that has not ended means; `None`: `UseExisting` with a signal or an update,
    /// else `Fail`.
    pub id_conflict_policy: Option<IdConflictPolicy>,
    /// How long the execution may take: all runs of the chain, delay and backoffs included.
    pub execution_timeout: Option<Duration>,
    /// How long each run may take, from when it may begin.
    pub run_timeout: Option<Duration>,
    /// Whether and when a run that failed or timed out is followed by another attempt; `None`: never.
    pub retry: Option<RetryPolicy>,
    /// The run makes no step before this time has passed.
    pub start_delay: Duration,
    /// A signal that the run gets with its start, or that the run gets that has not ended: signal-with-start.
    pub signal: Option<StartSignal>,
    /// The same with an update: update-with-start.
    pub update: Option<SendUpdate>,
}

/// The signal of a signal-with-start.
#[derive(Clone, Debug, PartialEq)]
pub struct StartSignal {
    /// Its name.
    pub name: String,
    /// Its argument.
    pub input: Payload,
}

/// What a start does that finds a run of its id that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdConflictPolicy {
    /// It is refused.
    #[default]
    Fail,
    /// It is answered with that run.
    UseExisting,
    /// It takes the run's place: that one is terminated and the new one begins, both or neither.
    TerminateExisting,
}

impl StartWorkflow {
    /// A start with defaults.
    pub fn new(workflow: impl Into<String>, input: Payload) -> Self {
        Self {
            workflow: workflow.into(),
            id: None,
            input,
            component: None,
            version: None,
            digest: None,
            request_id: None,
            task_queue: None,
            memo: Vec::new(),
            id_reuse_policy: IdReusePolicy::default(),
            id_conflict_policy: None,
            execution_timeout: None,
            run_timeout: None,
            retry: None,
            start_delay: Duration::ZERO,
            signal: None,
            update: None,
        }
    }
}

/// The answer to a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedWorkflow {
    /// The execution.
    pub workflow_id: WorkflowId,
    /// Its run.
    pub run_id: RunId,
    /// False when it was there before: by the same request, or by an id conflict policy that uses it.
    pub created: bool,
}

/// A signal.
#[derive(Clone, Debug)]
pub struct SendSignal {
    /// Its name.
    pub name: String,
    /// Its argument.
    pub input: Payload,
    /// A repeated signal with the same key is the same signal.
    pub request_id: Option<String>,
}

/// A question to a run.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    /// Which.
    pub name: String,
    /// Its argument.
    pub input: Payload,
    /// What the run must have taken before it is asked.
    pub consistency: Consistency,
    /// Asks the run as it was at the end of the step of the history's event with this number; `None`: as it is.
    pub at: Option<u64>,
}

/// What a run must have taken before it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// What had arrived when the query did, as far as the run waits for it.
    #[default]
    Latest,
    /// What its journal has.
    Stale,
}

/// The answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryAnswer {
    /// The run that was asked.
    pub run_id: RunId,
    /// The step at whose end it was asked.
    pub step: u64,
    /// What it answered.
    pub result: Payload,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Its execution.
    pub workflow_id: WorkflowId,
    /// The run.
    pub run_id: RunId,
    /// Its type.
    pub workflow: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

/// All that can be told of a run without its guest.
#[derive(Clone, Debug)]
pub struct Description {
    /// As in a list.
    pub summary: RunSummary,
    /// Where activities go that name no queue.
    pub task_queue: String,
    /// Counts the attempts of the run's own retry policy, from 1.
    pub attempt: u32,
    /// The name of the component that executes the run now; for a run that has ended, that did last.
    pub component: String,
    /// The version of that name.
    pub version: u32,
    /// The code.
    pub digest: Digest,
    /// The version that the run started with.
    pub started_version: u32,
    /// The workflow's argument.
    pub input: Payload,
    /// The run that started this one as its child.
    pub parent: Option<ExecutionRef>,
    /// The top of the tree of parents.
    pub root: Option<ExecutionRef>,
    /// The run that this one continues.
    pub continued_run_id: Option<RunId>,
    /// The run that continues this one.
    pub continued_to: Option<RunId>,
    /// The run that the latest reset made of it.
    pub reset_to: Option<RunId>,
    /// The run whose steps its journal begins with, and the last of those.
    pub forked_from: Option<(ExecutionRef, u64)>,
    /// What bounds the run and its chain.
    pub lifecycle: Lifecycle,
    /// When the run is ended by a timeout.
    pub deadline: Option<Timestamp>,
    /// The run makes no step before this time.
    pub delayed_until: Option<Timestamp>,
    /// Since when an operator has the run paused, and why.
    pub paused: Option<(Timestamp, String)>,
    /// Why the run is parked.
    pub parked: Option<Parked>,
    /// What the run waits for, in words.
    pub waiting: Option<String>,
    /// Whether that wait takes messages; `None` when the run does not wait.
    pub listening: Option<bool>,
    /// Activities that have not closed.
    pub pending_activities: Vec<PendingActivity>,
    /// Timers that have not fired.
    pub pending_timers: Vec<PendingTimer>,
    /// Children that have not ended.
    pub pending_children: Vec<PendingChild>,
    /// Updates that have no answer.
    pub pending_updates: Vec<PendingUpdate>,
    /// Arrivals that lie in the mailbox.
    pub mailbox_waiting: u64,
    /// Someone asked the run to cancel itself.
    pub cancel_requested: bool,
    /// Records of the journal.
    pub journal_steps: u64,
    /// Calls and deliveries in it.
    pub journal_entries: u64,
    /// Its bytes.
    pub journal_bytes: u64,
    /// Whether the run is in memory.
    pub resident: bool,
    /// Named values for people.
    pub memo: Vec<(String, Payload)>,
}

/// An activity that has not closed.
#[derive(Clone, Debug)]
pub struct PendingActivity {
    /// Its op.
    pub op: Op,
    /// Its type.
    pub name: String,
    /// The number of the current attempt, or of the next one.
    pub attempt: u32,
    /// `scheduled`, `running`, `backoff` or `paused` (which only says that no attempt runs and none begins).
    pub state: &'static str,
    /// The task queue that it waits in, or came from.
    pub queue: String,
    /// Who makes the current attempt: `host`, `worker` or `outside`.
    pub runner: Option<&'static str>,
    /// The worker that makes it.
    pub worker: Option<String>,
    /// Since when an operator has it paused, and why.
    pub paused: Option<(Timestamp, String)>,
    /// When it was scheduled.
    pub scheduled_at: Timestamp,
    /// When the current attempt began.
    pub started_at: Option<Timestamp>,
    /// When the next attempt begins.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the attempt before failed.
    pub last_failure: Option<Failure>,
    /// The details of the last heartbeat that was kept.
    pub last_heartbeat: Option<Payload>,
    /// When it came.
    pub last_heartbeat_at: Option<Timestamp>,
    /// 0: no limit.
    pub maximum_attempts: u32,
}

/// A child that has not ended.
#[derive(Clone, Debug)]
pub struct PendingChild {
    /// The op of its end.
    pub op: Op,
    /// Its type.
    pub workflow: String,
    /// Its execution.
    pub workflow_id: WorkflowId,
    /// Its first run.
    pub run_id: RunId,
    /// `starting` or `started`.
    pub state: &'static str,
    /// What becomes of it when this run ends: `terminate`, `request-cancel` or `abandon`.
    pub parent_close_policy: &'static str,
}

/// A timer that has not fired.
#[derive(Clone, Debug)]
pub struct PendingTimer {
    /// Its op.
    pub op: Op,
    /// When it fires.
    pub deadline: Timestamp,
    /// One line for people.
    pub summary: Option<String>,
}

/// How a run stands for who waits for its result.
#[derive(Clone, Debug, PartialEq)]
pub enum RunResult {
    /// It has not ended.
    Running {
        /// Running or parked.
        status: RunStatus,
        /// The run.
        run_id: RunId,
    },
    /// It has ended.
    Closed {
        /// The run.
        run_id: RunId,
        /// How.
        status: RunStatus,
        /// With what.
        outcome: Result<Payload, Failure>,
    },
}

/// A part of a run's history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The run.
    pub run_id: RunId,
    /// The events.
    pub events: Vec<HistoryEvent>,
    /// Whether the run has ended, so that no event follows.
    pub closed: bool,
}

/// Which runs are listed.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Those with this status.
    pub status: Option<RunStatus>,
    /// Those of this type.
    pub workflow: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub next_cursor: Option<String>,
}
