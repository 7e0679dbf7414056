//! Executions and their runs on the wire.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::lifecycle::{IdConflictPolicy, IdReusePolicy, RetryPolicy};
use super::payload::{EncodedPayload, Failure, Json, present};
use super::update::{PendingUpdate, StartUpdate, UpdateResult};

/// The name of the events in a stream of runs that tell of one: [`RunSummary`].
pub const RUN: &str = "run";
/// The name of the events in a stream of runs that say that some changes are not told.
pub const MISSED: &str = "missed";

/// What its owner keeps with a run, by name.
pub type Memo = BTreeMap<String, Json>;

/// Starts an execution.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// The workflow type.
    #[schema(example = "hello")]
    pub workflow: String,
    /// The execution's id, which no other running execution has; the host makes one when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "order/42")]
    pub id: Option<String>,
    /// The workflow's argument, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// The workflow's argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// The component that defines the type; needed only if two do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The component's version; its current one when absent. Needs `component`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The code, instead of a version: the digest of an upload. The newest version that has it is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Makes the request safe to repeat: a start with the same request id is answered with the run that the first
    /// one made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The task queue of the run's activities, unless they name their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// Notes to keep with the run: any JSON, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub memo: Memo,
    /// Whether the id may be that of runs that have ended; `allow` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_reuse_policy: Option<IdReusePolicy>,
    /// What a run of the id that has not ended means; `fail` by default, and with a signal or an update
    /// `use-existing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_conflict_policy: Option<IdConflictPolicy>,
    /// How long the execution may take, with all runs of its chain, start delay and backoffs included; no limit when
    /// it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "24h")]
    pub execution_timeout: Option<String>,
    /// How long each run may take, from when it may begin; no limit when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1h")]
    pub run_timeout: Option<String>,
    /// A run that failed or timed out is followed by another attempt; by none when this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// The run makes no step before this time has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "10m")]
    pub start_delay: Option<String>,
    /// Signal-with-start: the run gets this signal with its start; or the run of the id that has not ended gets it,
    /// and does not wait for the end of its start delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The signal's argument, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub signal_input: Option<Json>,
    /// The signal's argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_input_payload: Option<EncodedPayload>,
    /// Update-with-start: the same with an update, and the answer waits for what becomes of it. Not together with a
    /// signal. Where the run's chain has an update of this id, that is the one that is meant, and nothing is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<StartUpdate>,
}

/// The answer to a start.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StartedRun {
    /// The execution's id.
    pub id: String,
    /// The run's id.
    pub run_id: String,
    /// `false` when the run was there before: made by a start with the same request id, or one that the id conflict
    /// policy uses.
    pub created: bool,
    /// How far the update of an update-with-start has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateResult>,
}

/// Sends a signal to a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// The signal's argument, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// The signal's argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// Makes the request safe to repeat: the run gets one signal for one request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Asks a run to end early, in its own way.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why, for people and for the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Ends a run at once, without asking it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminateRequest {
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Lets a parked run try its step again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It runs, or waits for something.
    Running,
    /// It could not go on and waits for someone to do something about it.
    Parked,
    /// It ended with a result.
    Completed,
    /// It ended with a failure.
    Failed,
    /// It was asked to end early and did.
    Canceled,
    /// It was ended from outside.
    Terminated,
    /// It ended, and a new run of the same execution goes on.
    ContinuedAsNew,
    /// It was ended by a timeout.
    TimedOut,
    /// It makes no step until an operator lets it.
    Paused,
}

impl Status {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Running,
        Self::Parked,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
        Self::ContinuedAsNew,
        Self::TimedOut,
        Self::Paused,
    ];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Terminated => "terminated",
            Self::ContinuedAsNew => "continued-as-new",
            Self::TimedOut => "timed-out",
            Self::Paused => "paused",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the run is over.
    pub fn is_closed(self) -> bool {
        !matches!(self, Self::Running | Self::Parked | Self::Paused)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One page of runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WorkflowList {
    /// The runs, newest first.
    pub workflows: Vec<RunSummary>,
    /// Asks for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A run in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunSummary {
    /// The execution's id.
    pub id: String,
    /// The run's id.
    pub run_id: String,
    /// The workflow type.
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended; absent while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
}

/// How a run ended, or that it has not. Exactly one of `result`, `result_payload` and `failure` is there when the run
/// is over.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunResult {
    /// The execution's id.
    pub id: String,
    /// The run that this is about: the last one of a chain of runs that were continued as new.
    pub run_id: String,
    /// Where it stands.
    pub status: Status,
    /// What it returned, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Json>,
    /// What it returned, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_payload: Option<EncodedPayload>,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// All that is known of a run, except its history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Description {
    /// The execution's id.
    pub id: String,
    /// The run's id.
    pub run_id: String,
    /// The workflow type.
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended; absent while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// The component that executes it now; that did last, when it has ended.
    pub component: String,
    /// The version of that component.
    pub version: u32,
    /// The digest of that version.
    pub digest: String,
    /// The version that it started with; another one when it was moved.
    #[serde(default)]
    pub started_version: u32,
    /// The task queue of its activities, unless they name their own.
    pub task_queue: String,
    /// Which attempt of the workflow this is, from 1.
    pub attempt: u32,
    /// Its argument, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// Its argument, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// The run that started it as its child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExecutionRef>,
    /// The top of the tree of its parents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<ExecutionRef>,
    /// The run that it continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_run_id: Option<String>,
    /// The run that continues it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_to: Option<String>,
    /// The run that the latest reset made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_to: Option<String>,
    /// The run whose steps its journal begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ExecutionRef>,
    /// The last of those steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_step: Option<u64>,
    /// When its execution must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub execution_deadline: Option<Timestamp>,
    /// How long each run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<String>,
    /// When a timeout ends it, of the run or of the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// Whether and when another attempt follows when it fails or times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// It makes no step before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delayed_until: Option<Timestamp>,
    /// Why the attempt before it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
    /// Since when an operator has it paused, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// What its owner keeps with it, as JSON.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub memo: Memo,
    /// What its owner keeps with it that is not JSON.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub memo_payload: BTreeMap<String, EncodedPayload>,
    /// Why it is parked, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// What it waits for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Whether that wait takes messages. Those to a run that does not listen keep until a later wait takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<bool>,
    /// The activities that have not ended.
    pub pending_activities: Vec<PendingActivity>,
    /// The timers that have not fired.
    pub pending_timers: Vec<PendingTimer>,
    /// The children that have not ended.
    #[serde(default)]
    pub pending_children: Vec<PendingChild>,
    /// The updates that have no answer.
    #[serde(default)]
    pub pending_updates: Vec<PendingUpdate>,
    /// How many mailbox entries it has not taken yet.
    pub mailbox_waiting: u64,
    /// Whether someone asked it to end early.
    pub cancel_requested: bool,
    /// Steps of its journal.
    pub journal_steps: u64,
    /// Entries of its journal.
    pub journal_entries: u64,
    /// Bytes of its journal.
    pub journal_bytes: u64,
    /// Whether an instance of it is in memory.
    pub resident: bool,
}

/// Names an execution, or one run of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionRef {
    /// The execution's id.
    pub id: String,
    /// The run's id; the execution's current run when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Why a run cannot go on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Parked {
    /// `trap`, `mismatch`, `limit`, `budget`, ...
    pub kind: String,
    /// What happened, for people.
    pub message: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The functions that were active, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<String>,
    /// For a mismatch: what the journal has and what the code did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
}

/// The first call of a replay that differs from the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mismatch {
    /// Where in the journal: `step.index`.
    pub position: String,
    /// What the journal has there.
    pub recorded: String,
    /// What the code did instead.
    pub attempted: String,
    /// For calls of the same kind: the fields that differ.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// Why that is likely, most likely first.
    #[serde(default)]
    pub likely_causes: Vec<String>,
}

/// A field in which two calls differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// Its recorded value.
    pub recorded: String,
    /// Its attempted value.
    pub attempted: String,
}

/// An activity that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingActivity {
    /// Its op.
    pub op: u64,
    /// Its name.
    pub name: String,
    /// `scheduled`, `running`, `backoff`, or `paused` when no attempt runs and none begins.
    pub state: String,
    /// The task queue that it waits in, or came from.
    #[serde(default)]
    pub task_queue: String,
    /// Who makes this attempt: `host`, `worker`, or `outside` when whoever has its task token will end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// The worker that makes this attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Since when an operator has it paused, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// How many attempts its retry policy allows; absent when there is no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_attempts: Option<u32>,
    /// When the run scheduled it.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled_at: Timestamp,
    /// When this attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When the next attempt begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
    /// What it last said about its progress, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub last_heartbeat: Option<Json>,
    /// What it last said about its progress, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_payload: Option<EncodedPayload>,
    /// When it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_heartbeat_at: Option<Timestamp>,
}

/// That an operator has paused a run or an activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

/// A child that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingChild {
    /// The op of its end.
    pub op: u64,
    /// Its type.
    pub workflow: String,
    /// Its id.
    pub id: String,
    /// Its first run.
    pub run_id: String,
    /// `starting` or `started`.
    pub state: String,
    /// What becomes of it when this run ends: `terminate`, `request-cancel` or `abandon`.
    pub parent_close_policy: String,
}

/// A timer that has not fired.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingTimer {
    /// Its op.
    pub op: u64,
    /// When it fires.
    #[schema(value_type = String, format = DateTime)]
    pub deadline: Timestamp,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}
