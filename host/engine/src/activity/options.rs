//! What options of an activity are good, and how an operator changes some of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::call::{ActivityCommand, ActivityOptions, Fairness};
use crate::ids::check_name;
use crate::limits::Profile;
use crate::retry::RetryPolicy;

/// The weights of fairness keys, a millionfold apart: far more than tenants differ, and small enough for sums
/// of them to stay exact.
const FAIRNESS_WEIGHTS: RangeInclusive<f64> = 0.001..=1000.0;

/// Which options an operator changes, and to what: `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionsPatch {
    /// Where the next attempts wait for a worker.
    pub task_queue: Option<String>,
    /// All attempts and the waits between them. `Some(None)` removes the timeout, here as in the next ones.
    pub schedule_to_close: Option<Option<Duration>>,
    /// From an attempt's scheduling to its start.
    pub schedule_to_start: Option<Option<Duration>>,
    /// From an attempt's start to its end.
    pub start_to_close: Option<Option<Duration>>,
    /// The longest silence of a running attempt.
    pub heartbeat: Option<Option<Duration>>,
    /// 1 (first) to 5.
    pub priority: Option<u8>,
    /// When and how often to try again.
    pub retry: Option<RetryPatch>,
}

/// Which parts of a retry policy an operator changes, and to what: `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryPatch {
    /// Before the second attempt.
    pub initial_interval: Option<Duration>,
    /// Each interval is this times the one before.
    pub backoff_coefficient: Option<f64>,
    /// No interval is longer. `Some(None)`: 100 times the initial interval.
    pub maximum_interval: Option<Option<Duration>>,
    /// The first attempt counts. 0: no limit.
    pub maximum_attempts: Option<u32>,
    /// Failures of these types are not retried.
    pub non_retryable_error_types: Option<Vec<String>>,
    /// The largest share of an interval that is left out at random.
    pub jitter: Option<f64>,
}

impl OptionsPatch {
    pub(super) fn apply(self, options: &mut ActivityOptions) {
        let Self {
            task_queue,
            schedule_to_close,
            schedule_to_start,
            start_to_close,
            heartbeat,
            priority,
            retry,
        } = self;
        options.task_queue = task_queue.or(options.task_queue.take());
        options.priority = priority.or(options.priority);
        set(&mut options.schedule_to_close, schedule_to_close);
        set(&mut options.schedule_to_start, schedule_to_start);
        set(&mut options.start_to_close, start_to_close);
        set(&mut options.heartbeat, heartbeat);
        if let Some(patch) = retry {
            patch.apply(&mut options.retry);
        }
    }
}

impl RetryPatch {
    fn apply(self, policy: &mut RetryPolicy) {
        let Self {
            initial_interval,
            backoff_coefficient,
            maximum_interval,
            maximum_attempts,
            non_retryable_error_types,
            jitter,
        } = self;
        set(&mut policy.initial_interval, initial_interval);
        set(&mut policy.backoff_coefficient, backoff_coefficient);
        set(&mut policy.maximum_interval, maximum_interval);
        set(&mut policy.maximum_attempts, maximum_attempts);
        set(&mut policy.non_retryable_error_types, non_retryable_error_types);
        set(&mut policy.jitter, jitter);
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Checks what an activity is started with.
///
/// # Errors
/// Names the field, its value and the remedy.
pub fn check_command(command: &ActivityCommand, profile: &Profile) -> Result<(), String> {
    check_name("name", &command.name).map_err(|error| error.to_string())?;
    let name = &command.name;
    check_size("input", command.input.size(), profile)
        .map_err(|error| format!("activity {name}: {error}"))?;
    check_options(&command.options).map_err(|error| format!("activity {name}: {error}"))
}

/// Checks how an activity is to be run.
pub(super) fn check_options(options: &ActivityOptions) -> Result<(), String> {
    if options.start_to_close.is_none() && options.schedule_to_close.is_none() {
        return Err("it has neither start-to-close-timeout nor schedule-to-close-timeout: give one of them"
            .to_owned());
    }
    let timeouts = [
        ("schedule-to-close-timeout", options.schedule_to_close),
        ("schedule-to-start-timeout", options.schedule_to_start),
        ("start-to-close-timeout", options.start_to_close),
        ("heartbeat-timeout", options.heartbeat),
    ];
    if let Some((field, _)) = timeouts.iter().find(|(_, limit)| limit.is_some_and(|limit| limit.is_zero())) {
        return Err(format!("{field} is zero: give a length of time above zero, or none"));
    }
    if let Some(queue) = &options.task_queue {
        check_name("task-queue", queue).map_err(|error| error.to_string())?;
    }
    if let Some(priority) = options.priority.filter(|priority| !(1..=5).contains(priority)) {
        return Err(format!("priority is {priority}: give 1 (first) to 5 (last)"));
    }
    if let Some(Fairness { key, weight }) = &options.fairness {
        check_name("fairness-key", key).map_err(|error| error.to_string())?;
        if !FAIRNESS_WEIGHTS.contains(weight) {
            let (least, most) = FAIRNESS_WEIGHTS.into_inner();
            return Err(format!("fairness-weight is {weight}: give {least} to {most}"));
        }
    }
    options.retry.check()
}

/// Checks a payload's or a failure's size.
///
/// # Errors
/// Names the field, its size and the remedy.
pub fn check_size(field: &str, bytes: usize, profile: &Profile) -> Result<(), String> {
    let maximum = profile.payload_bytes;
    if bytes <= maximum {
        return Ok(());
    }
    Err(format!(
        "{field} has {bytes} bytes, and the limit is {maximum}: keep large values in a file or an object store and pass a reference"
    ))
}
