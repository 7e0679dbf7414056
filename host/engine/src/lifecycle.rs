//! What bounds a run and the chain of runs that it belongs to: timeouts, the workflow's own retry policy, and
//! the time before which a run does not begin. Times come in as arguments, and what follows goes out as data.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::export::form;
use crate::failure::{Failure, FailureKind};
use crate::ids::Op;
use crate::retry::RetryPolicy;
use crate::time::Timestamp;

/// Stands for the run itself where a timer has an op: the deadlines of the run are timers of the host's own.
/// No op of a guest has this number.
pub const RUN_ITSELF: Op = 0;

/// What a start agreed on for all runs of its chain, and what the run before left to this one.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// When the whole chain must have ended: its start and the execution timeout.
    #[n(0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_deadline: Option<Timestamp>,
    /// How long each run may take, from when it may begin.
    #[n(1)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Duration>,
    /// Whether and when a run that failed or timed out is followed by another attempt.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// The run makes no step before this time: a start delay, or the backoff after a failed attempt.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// Why the attempt before this one failed.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
}

/// Which timeout ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// That of each run.
    Run,
    /// That of the chain.
    Execution,
}

impl Lifecycle {
    /// When a run that started then is ended, and by which timeout. The run timeout counts from the end of the
    /// delay or backoff; the execution timeout counts from the first start, and includes all of them.
    pub fn deadline(&self, started_at: Timestamp) -> Option<(Timestamp, Timeout)> {
        let begins_at = self.begins_at.map_or(started_at, |at| at.max(started_at));
        let run = self.run_timeout.map(|timeout| (begins_at.after(timeout), Timeout::Run));
        let execution = self.execution_deadline.map(|at| (at, Timeout::Execution));
        match (run, execution) {
            (Some(run), Some(execution)) => Some(if run.0 < execution.0 { run } else { execution }),
            (run, execution) => run.or(execution),
        }
    }

    /// The failure of a run that this timeout ended.
    pub fn timed_out(&self, timeout: Timeout) -> Failure {
        let (error_type, message) = match timeout {
            Timeout::Run => {
                let length = self.run_timeout.unwrap_or_default();
                ("run", format!("the run did not end within its run timeout of {length:?}"))
            }
            Timeout::Execution => {
                ("execution", "the workflow did not end within its execution timeout".to_owned())
            }
        };
        Failure::new(FailureKind::Timeout, error_type, message)
    }

    /// When the attempt after number `attempt`, which started then and ends now with this failure, begins; `None`
    /// when there is none. An attempt that could not begin before the execution's deadline is not made.
    pub fn next_attempt(
        &self,
        attempt: u32,
        started_at: Timestamp,
        failure: &Failure,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let retry = self.retry.as_ref()?;
        // Who asked for the end of a run did not ask for another one.
        if matches!(failure.kind, FailureKind::Canceled | FailureKind::Terminated)
            || retry.refuses(attempt, failure).is_some()
        {
            return None;
        }
        let begins_at = now.after(retry.backoff(RUN_ITSELF, started_at, attempt));
        self.execution_deadline.is_none_or(|deadline| begins_at < deadline).then_some(begins_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn the_earlier_of_the_two_timeouts_ends_a_run() {
        let check = |run: Option<u64>, execution: Option<u64>, delay: Option<u64>, expected| {
            let lifecycle = Lifecycle {
                execution_deadline: execution.map(at),
                run_timeout: run.map(Duration::from_secs),
                begins_at: delay.map(at),
                ..Lifecycle::default()
            };
            assert_eq!(lifecycle.deadline(START), expected, "{lifecycle:?}");
        };
        check(None, None, Some(5), None);
        check(Some(10), None, None, Some((at(10), Timeout::Run)));
        check(Some(10), None, Some(5), Some((at(15), Timeout::Run)));
        check(None, Some(10), Some(5), Some((at(10), Timeout::Execution)));
        check(Some(10), Some(12), None, Some((at(10), Timeout::Run)));
        check(Some(10), Some(12), Some(5), Some((at(12), Timeout::Execution)));
        check(Some(10), Some(10), None, Some((at(10), Timeout::Execution)));
    }

    #[test]
    fn an_attempt_follows_as_the_policy_says_and_the_deadline_allows() {
        let retry = RetryPolicy { maximum_attempts: 3, ..RetryPolicy::default() };
        let policy = Lifecycle { retry: Some(retry), ..Lifecycle::default() };
        let until = |deadline| Lifecycle { execution_deadline: Some(at(deadline)), ..policy.clone() };
        let failure = |kind| Failure::new(kind, "Busy", "no");
        let check = |lifecycle: &Lifecycle, attempt, kind, expected: Option<u64>| {
            let next = lifecycle.next_attempt(attempt, START, &failure(kind), at(10));
            assert_eq!(next, expected.map(at), "attempt {attempt}, {kind:?}, {lifecycle:?}");
        };
        let application = FailureKind::Application;
        check(&Lifecycle::default(), 1, application, None);
        check(&policy, 1, application, Some(11));
        check(&policy, 2, application, Some(12));
        check(&policy, 3, application, None);
        check(&policy, 1, FailureKind::Timeout, Some(11));
        check(&policy, 1, FailureKind::Host, Some(11));
        check(&policy, 1, FailureKind::Canceled, None);
        check(&policy, 1, FailureKind::Terminated, None);
        check(&until(12), 1, application, Some(11));
        check(&until(11), 1, application, None);
        check(&until(10), 1, FailureKind::Timeout, None);
    }

    #[test]
    fn a_timeout_says_which() {
        let lifecycle = Lifecycle { run_timeout: Some(Duration::from_secs(90)), ..Lifecycle::default() };
        let run = lifecycle.timed_out(Timeout::Run);
        assert_eq!((run.kind, run.error_type.as_str()), (FailureKind::Timeout, "run"));
        assert!(run.message.contains("90s"), "{run}");
        assert_eq!(lifecycle.timed_out(Timeout::Execution).error_type, "execution");
    }
}
