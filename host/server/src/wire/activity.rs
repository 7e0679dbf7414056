//! Activities on the wire: how their attempts are reported by those who make them, and what operators do to them.
//!
//! An attempt is named by its task token. An activity is named by its run and its id, whichever attempt it is at; the
//! bodies of those requests are the same but for `run_id` in the place of `task_token`.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::payload::{EncodedPayload, Json, present};

/// It is done, and durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {}

/// An attempt has a result.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteTask {
    /// The task's token.
    pub task_token: String,
    /// The result, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Json>,
    /// The result, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_payload: Option<EncodedPayload>,
}

/// An attempt failed. The activity's retry policy says what follows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailTask {
    /// The task's token.
    pub task_token: String,
    /// Why.
    pub failure: ActivityFailure,
    /// When the next attempt may begin, counted from now, in place of what the retry policy says; such as `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5s")]
    pub next_retry_delay: Option<String>,
    /// Expected in normal operation: not logged as a problem.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub benign: bool,
}

/// An attempt stopped because it was asked to. One that nobody asked has failed, and is retried under its policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelTask {
    /// The task's token.
    pub task_token: String,
    /// What it had done, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// What it had done, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
}

/// Whoever has the token, or knows the ids, will say later how the attempt ended. Its timeouts go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PendingTask {
    /// The task's token.
    pub task_token: String,
}

/// An attempt is alive, and has come so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatTask {
    /// The task's token.
    pub task_token: String,
    /// How far it has come, as JSON. The next attempt gets the last of them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// How far it has come, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
}

/// What the host wants of an attempt that is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// The run wants the activity's end: stop, and report the attempt as canceled.
    pub cancel_requested: bool,
    /// An operator paused the activity: the attempt may stop, and report itself as canceled. It is then made again after
    /// the pause, with the same number.
    #[serde(default)]
    pub paused: bool,
    /// An operator reset the activity: the attempt may stop, and another one begins from the start.
    #[serde(default)]
    pub reset: bool,
}

/// Why an attempt failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivityFailure {
    /// What kind of error, for code and for retry policies.
    #[serde(rename = "type")]
    #[schema(example = "CardDeclined")]
    pub error_type: String,
    /// What happened, for people.
    pub message: String,
    /// No retry policy retries this failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub non_retryable: bool,
    /// More about it, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// More about it, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
    /// The language's own stack trace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stack: String,
    /// Why, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<ActivityCause>,
}

/// One link of a failure's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivityCause {
    /// What kind of error, for code.
    #[serde(rename = "type")]
    pub error_type: String,
    /// What happened, for people.
    pub message: String,
}

/// Ends an activity by hand, with a result.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteActivity {
    /// The result, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Json>,
    /// The result, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_payload: Option<EncodedPayload>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Ends an attempt by hand, with a failure; the activity's retry policy says what follows. An activity of which no attempt
/// runs ends for good.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailActivity {
    /// Why.
    pub failure: ActivityFailure,
    /// When the next attempt may begin, counted from now, in place of what the retry policy says; such as `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5s")]
    pub next_retry_delay: Option<String>,
    /// Expected in normal operation: not logged as a problem.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub benign: bool,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Ends an activity by hand, as canceled.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelActivity {
    /// What it had done, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// What it had done, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// The running attempt of an activity is alive, and has come so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatActivity {
    /// How far it has come, as JSON. The next attempt gets the last of them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// How far it has come, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Lets no further attempt begin until the activity is unpaused. One that runs is told that it may stop; if it goes on, it
/// counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseActivity {
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Lets attempts begin again, the next one at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnpauseActivity {
    /// The next attempt is number 1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset_attempts: bool,
    /// The next attempt gets no details of an earlier heartbeat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset_heartbeat: bool,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Takes an activity back to attempt 1, at once. An attempt that runs goes on, and is told by its heartbeat's answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetActivity {
    /// The next attempt gets no details of an earlier heartbeat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset_heartbeat: bool,
    /// A paused activity stays paused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_paused: bool,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Gives an activity other options, in force at once. A field that is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateActivityOptions {
    /// The task queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// The longest time of all attempts and the waits between them, such as `1h`; `null` for none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1h")]
    pub schedule_to_close_timeout: Option<Option<String>>,
    /// The longest wait of an attempt for its start, such as `1m`; `null` for none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "1m")]
    pub schedule_to_start_timeout: Option<Option<String>>,
    /// The longest time of one attempt, such as `10m`; `null` for none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "10m")]
    pub start_to_close_timeout: Option<Option<String>>,
    /// The longest silence of a running attempt, such as `30s`; `null` for none.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "30s")]
    pub heartbeat_timeout: Option<Option<String>>,
    /// 1 (first) to 5 (last).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 5)]
    pub priority: Option<u8>,
    /// The retry policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryUpdate>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Changes of a retry policy. A field that is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryUpdate {
    /// The wait after the first attempt, such as `1s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1s")]
    pub initial_interval: Option<String>,
    /// Each wait is this many times the one before; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_coefficient: Option<f64>,
    /// The longest wait, such as `5m`; `null` for 100 times the first.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "5m")]
    pub maximum_interval: Option<Option<String>>,
    /// How many attempts at most, the first one included; 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_attempts: Option<u32>,
    /// Failures of these types are not retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_retryable_error_types: Option<Vec<String>>,
    /// Each wait is shortened by a random part of at most this share of it; 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub jitter: Option<f64>,
}

/// How far a running attempt has come, in the event stream of its run's history. It is no part of the history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ActivityHeartbeat {
    /// `heartbeat`, which tells it from the events of the history.
    #[serde(rename = "type")]
    #[schema(example = "heartbeat")]
    pub event_type: String,
    /// The activity's id in its run.
    pub activity_id: String,
    /// Its type.
    pub activity: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the heartbeat came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What it said, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// What it said, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
}

/// Reads a field that is there: `null` takes the value away, while the field's absence leaves it as it is.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
