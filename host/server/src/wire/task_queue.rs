//! Task queues on the wire: a worker's poll, the task that it gets, and what can be told of a queue.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payload::{EncodedPayload, Json, present};

/// Waits for a task of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PollRequest {
    /// The worker's name, for people.
    #[schema(example = "host-7:4711")]
    pub worker: String,
    /// The poll's own id, such as a fresh UUID. When an answer is lost, a poll with the same id gets the same task
    /// again while that attempt runs, and takes the place of the one that still waits.
    #[schema(example = "0b1f4a1e-7d5c-4a8e-9c59-5f0d2f6f6b1a")]
    pub poll_id: String,
    /// The activity types that the worker has; any when it is absent or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["charge"]))]
    pub activities: Vec<String>,
    /// How long to wait for a task, at most 60 s; 30 s when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30s")]
    pub wait: Option<String>,
}

/// An attempt for a worker to make. It has durably begun.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActivityTask {
    /// Names the attempt in reports and heartbeats. Opaque.
    pub task_token: String,
    /// The activity's type.
    #[schema(example = "charge")]
    pub activity: String,
    /// Its argument, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// Its argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The execution that wants it.
    pub workflow_id: String,
    /// Its run.
    pub run_id: String,
    /// The activity's id in that run.
    pub activity_id: String,
    /// The workflow type.
    pub workflow: String,
    /// The task queue.
    pub task_queue: String,
    /// The namespace.
    pub namespace: String,
    /// The same for all attempts of the activity: hand it to services that know such keys.
    pub idempotency_key: String,
    /// When the activity was scheduled.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled_at: Timestamp,
    /// When this attempt began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When this attempt is not wanted any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// The longest silence that is taken for life, in seconds such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "10s")]
    pub heartbeat_timeout: Option<String>,
    /// How far an earlier attempt had come, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub last_heartbeat: Option<Json>,
    /// How far an earlier attempt had come, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_payload: Option<EncodedPayload>,
    /// 1 (first) to 5 (last).
    pub priority: u8,
}

/// The task queues that have tasks or workers, or are configured.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskQueueList {
    /// The task queues, by name.
    pub task_queues: Vec<TaskQueueInfo>,
}

/// What can be told of a task queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaskQueueInfo {
    /// Its name.
    pub name: String,
    /// Tasks that wait.
    pub backlog: u64,
    /// How long the oldest of them has waited, in seconds such as `12s`; absent when none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "12s")]
    pub oldest_task_age: Option<String>,
    /// Attempts that run.
    pub running: u64,
    /// Polls that wait for a task.
    pub waiting_pollers: u64,
    /// The workers that polled in the last five minutes.
    pub pollers: Vec<Poller>,
    /// Tasks that wait, by priority from 1 to 5.
    pub by_priority: BTreeMap<String, u64>,
    /// Tasks that wait and attempts that run, by activity type.
    pub by_activity: Vec<QueuedActivity>,
    /// What is configured.
    pub limits: QueueLimits,
}

impl TaskQueueInfo {
    /// Whether somebody takes tasks of this activity type: a plugin of the host, or a worker that polled lately.
    pub fn is_served(&self, activity: &str) -> bool {
        self.pollers.iter().any(|poller| poller.offers(activity)) || self.has_in_process(activity)
    }

    /// Whether a plugin of the host takes tasks of this activity type.
    pub fn has_in_process(&self, activity: &str) -> bool {
        self.by_activity.iter().any(|queued| queued.in_process && queued.activity == activity)
    }
}

/// A worker that polls a task queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Poller {
    /// Its name.
    pub worker: String,
    /// When it polled last.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// The activity types that it takes; empty: any.
    #[serde(default)]
    pub activities: Vec<String>,
}

impl Poller {
    /// Whether it takes tasks of this activity type.
    pub fn offers(&self, activity: &str) -> bool {
        self.activities.is_empty() || self.activities.iter().any(|taken| taken == activity)
    }
}

/// An activity type in a task queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuedActivity {
    /// The type.
    pub activity: String,
    /// Tasks that wait.
    pub backlog: u64,
    /// Attempts that run.
    pub running: u64,
    /// A plugin of this host takes them, so that they need no worker.
    #[serde(default)]
    pub in_process: bool,
}

/// What is configured about a task queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueLimits {
    /// Attempts at once; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Attempts that begin in a second, on average; no limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Attempts that may begin at once after a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Whether this host's own plugins serve the queue, and not workers alone.
    pub in_process: bool,
}
