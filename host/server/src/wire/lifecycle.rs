//! The lifecycle of executions on the wire: policies of starts, retries, pauses, deletion.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a start may use the id of runs that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum IdReusePolicy {
    /// It may.
    Allow,
    /// Only if the latest run failed, was canceled or terminated, or timed out.
    AllowFailedOnly,
    /// It may not.
    Reject,
}

/// What a start does that finds a run of its id that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum IdConflictPolicy {
    /// It is refused.
    Fail,
    /// It is answered with that run.
    UseExisting,
    /// It takes the run's place: that one is terminated and the new one begins, both or neither.
    TerminateExisting,
}

/// Whether and when something that failed is tried again. A field that is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// The wait after the first attempt; `1s` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1s")]
    pub initial_interval: Option<String>,
    /// Each wait is this many times the one before; at least 1, by default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_coefficient: Option<f64>,
    /// The longest wait; 100 times the first by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "5m")]
    pub maximum_interval: Option<String>,
    /// How many attempts at most, the first one included; 0, the default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_attempts: Option<u32>,
    /// Failures of these types are not tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_retryable_error_types: Vec<String>,
    /// Each wait is shortened by a random part of at most this share of it; 0 to 1, by default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub jitter: Option<f64>,
}

/// Lets a run make no step until it is unpaused. What is under way goes on, and what arrives waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Lets a paused run go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnpauseRequest {
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// What was deleted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// How many runs.
    pub runs: u64,
}
