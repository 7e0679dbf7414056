//! Activities as the input asks for them: the workflow of tests whose subject is activities.

use std::time::Duration;

use refrain_sdk::{
    Activity, Cancellation, Failure, FailureKind, Retry, RunningActivity, Signal, activity, join_all,
    local_activity, millis, mins, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The limit of attempts that the input does not limit: longer than any test.
const ATTEMPT: Duration = mins(60);

/// Lets a run that was asked to wait come to its end.
const GO: Signal<()> = Signal::new("go").doc("Lets the run end.");

#[derive(Deserialize, JsonSchema)]
pub struct Calls {
    /// All are started at once.
    calls: Vec<Call>,
    /// Whether to wait for the signal `go` when they have ended.
    #[serde(default)]
    until_signal: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    activity: String,
    input: Value,
    task_queue: Option<String>,
    start_to_close_ms: Option<u64>,
    schedule_to_close_ms: Option<u64>,
    schedule_to_start_ms: Option<u64>,
    heartbeat_ms: Option<u64>,
    maximum_attempts: u32,
    /// The wait before each retry.
    interval_ms: Option<u64>,
    cancellation: Option<Stop>,
    /// Whether a cancel request of the run reaches the activity.
    cancel_with_run: bool,
    priority: Option<u8>,
    fairness: Option<String>,
    fairness_weight: Option<f64>,
    local: bool,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Stop {
    TryCancel,
    WaitForCancellation,
    Abandon,
}

/// How an activity ended: one of the two fields.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    pub kind: String,
    #[serde(rename = "type")]
    pub error_type: String,
    /// The messages of the chain, outermost first.
    pub messages: Vec<String>,
    pub details: Option<Value>,
}

/// Makes the calls, all at once, and tells how each ended. It fails for none of them.
#[workflow(signals(GO))]
pub async fn calls(input: Calls) -> Result<Vec<Outcome>, Failure> {
    let ended = join_all(input.calls.into_iter().map(Call::start)).await;
    if input.until_signal {
        GO.recv().await;
    }
    Ok(ended.into_iter().map(Outcome::from).collect())
}

impl Call {
    fn start(self) -> RunningActivity<Value> {
        let call = if self.local {
            local_activity(self.activity, &self.input)
        } else {
            activity(self.activity, &self.input)
        };
        let mut call: Activity<Value> =
            call.start_to_close(self.start_to_close_ms.map_or(ATTEMPT, millis)).retry(
                self.interval_ms.map_or_else(Retry::default, every).maximum_attempts(self.maximum_attempts),
            );
        if let Some(limit) = self.schedule_to_close_ms {
            call = call.schedule_to_close(millis(limit));
        }
        if let Some(limit) = self.schedule_to_start_ms {
            call = call.schedule_to_start(millis(limit));
        }
        if let Some(limit) = self.heartbeat_ms {
            call = call.heartbeat(millis(limit));
        }
        if let Some(queue) = self.task_queue {
            call = call.task_queue(queue);
        }
        if let Some(priority) = self.priority {
            call = call.priority(priority);
        }
        if let Some(key) = self.fairness {
            call = call.fairness(key);
        }
        if let Some(weight) = self.fairness_weight {
            call = call.fairness_weight(weight);
        }
        if let Some(stop) = self.cancellation {
            call = call.cancellation(stop.into());
        }
        if self.cancel_with_run { call.cancel_with_run().start() } else { call.start() }
    }
}

fn every(interval: u64) -> Retry {
    Retry::default().initial_interval(millis(interval)).backoff_coefficient(1.0)
}

impl From<Stop> for Cancellation {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::TryCancel => Self::TryCancel,
            Stop::WaitForCancellation => Self::WaitForCancellation,
            Stop::Abandon => Self::Abandon,
        }
    }
}

impl From<Result<Value, Failure>> for Outcome {
    fn from(ended: Result<Value, Failure>) -> Self {
        match ended {
            Ok(result) => Self { result: Some(result), failure: None },
            Err(failure) => Self { result: None, failure: Some(Failed::from(&failure)) },
        }
    }
}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        let kind = match failure.kind() {
            FailureKind::Application => "application",
            FailureKind::Canceled => "canceled",
            FailureKind::Timeout => "timeout",
            FailureKind::Terminated => "terminated",
            FailureKind::Host => "host",
            FailureKind::Other => "other",
        };
        Self {
            kind: kind.to_owned(),
            error_type: failure.error_type().to_owned(),
            messages: failure.chain().map(str::to_owned).collect(),
            details: failure.details(),
        }
    }
}
