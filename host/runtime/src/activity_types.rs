//! What callers give to the runtime about activities, and get from it: the tasks of workers, reports of their
//! ends, controls, and what can be told of task queues.

use std::time::Duration;

pub use refrain_engine::activity::{OptionsPatch, ResetRequest, RetryPatch, Unpause};
use refrain_engine::failure::Failure;
use refrain_engine::ids::{Namespace, Op, RunId, WorkflowId};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;

use crate::types::Target;

/// A worker's wish for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollTask {
    /// The task queue.
    pub queue: String,
    /// The worker's name, for people.
    pub worker: String,
    /// The poll's own id: the same poll gets the same task again while that attempt runs.
    pub poll_id: String,
    /// The activity types that the worker has; empty: any.
    pub activities: Vec<String>,
    /// How long to wait for a task.
    pub wait: Duration,
}

/// An attempt for a worker. It is durably started.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityTask {
    /// Names the attempt. Opaque.
    pub task_token: String,
    /// The activity's type.
    pub activity: String,
    /// Its argument.
    pub input: Payload,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The namespace of the run.
    pub namespace: Namespace,
    /// The execution that wants it.
    pub workflow_id: WorkflowId,
    /// Its run.
    pub run_id: RunId,
    /// The activity's id in its run.
    pub op: Op,
    /// The type of the workflow.
    pub workflow: String,
    /// The task queue.
    pub queue: String,
    /// The same for all attempts of the activity.
    pub idempotency_key: String,
    /// When the activity was scheduled.
    pub scheduled_at: Timestamp,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When the attempt is not wanted any more.
    pub deadline: Option<Timestamp>,
    /// The longest silence.
    pub heartbeat_timeout: Option<Duration>,
    /// How far an earlier attempt had come.
    pub last_heartbeat: Option<Payload>,
    /// 1 (first) to 5.
    pub priority: u8,
}

/// Which activity is meant, by whom it is ended or heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActivityRef {
    /// The attempt that this task token names.
    Token(String),
    /// The activity, whichever attempt it is at.
    Id {
        /// The run.
        target: Target,
        /// The activity's id in it.
        op: Op,
    },
}

/// How an attempt ended, or an activity by hand.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// With a result.
    Completed(Payload),
    /// With a failure; the retry policy says what follows.
    Failed {
        /// What happened.
        failure: Failure,
        /// Takes the place of the retry policy's interval.
        next_retry_delay: Option<Duration>,
        /// Expected in normal operation: not logged as a problem.
        benign: bool,
    },
    /// It stopped because it was asked to.
    Canceled {
        /// What it had done.
        details: Option<Payload>,
    },
    /// Not yet: whoever has the task token, or the ids, will say how.
    Pending,
}

/// What the host answers to a heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The run wants the activity's end: stop.
    pub cancel_requested: bool,
    /// An operator paused the activity: the attempt may stop and will be made again later.
    pub paused: bool,
    /// An operator reset the activity: the attempt may stop, and another one begins from the start.
    pub reset: bool,
}

/// What an operator does to an activity that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// No further attempt until it is unpaused.
    Pause {
        /// Why, for people.
        reason: String,
    },
    /// Attempts go on, the next one at once.
    Unpause(Unpause),
    /// Back to attempt 1.
    Reset(ResetRequest),
    /// Other options from now on.
    UpdateOptions(Box<OptionsPatch>),
}

/// How far a running attempt has come: its newest durable heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityProgress {
    /// The activity's id in its run.
    pub op: Op,
    /// Its type.
    pub activity: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// When the heartbeat came.
    pub at: Timestamp,
    /// What it said.
    pub details: Option<Payload>,
}

/// How many attempts there may be at once, and how many may begin in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateLimits {
    /// Attempts at once. `None`: no limit.
    pub concurrency: Option<u32>,
    /// Attempts that begin in a second, on average; may be below 1. `None`: no limit.
    pub rate: Option<f64>,
    /// Attempts that may begin at once after a pause. `None`: the rate, rounded up, at least 1.
    pub burst: Option<u32>,
}

/// What is configured about a task queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueLimits {
    /// How many, how fast.
    pub limits: RateLimits,
    /// Whether this host's own plugins serve the queue, and not workers alone.
    pub in_process: bool,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { limits: RateLimits::default(), in_process: true }
    }
}

/// What can be told of a task queue.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskQueueInfo {
    /// Its name.
    pub name: String,
    /// Tasks that wait.
    pub backlog: u64,
    /// Since when the oldest of them waits.
    pub oldest_since: Option<Timestamp>,
    /// Attempts that run.
    pub running: u64,
    /// Polls that wait for a task.
    pub waiting_pollers: u64,
    /// The workers that polled in the last five minutes.
    pub pollers: Vec<PollerInfo>,
    /// The backlog by priority, from 1 to 5.
    pub by_priority: [u64; 5],
    /// By activity type.
    pub by_activity: Vec<QueuedActivity>,
    /// What is configured.
    pub limits: QueueLimits,
}

/// A worker that polls a task queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollerInfo {
    /// Its name.
    pub worker: String,
    /// When it polled last.
    pub last_seen: Timestamp,
    /// The activity types that it takes; empty: any.
    pub activities: Vec<String>,
}

/// An activity type in a task queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedActivity {
    /// The type.
    pub activity: String,
    /// Tasks that wait.
    pub backlog: u64,
    /// Attempts that run.
    pub running: u64,
}
