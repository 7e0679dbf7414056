//! The machine of an activity: which ends are retried and when, which timeout passes next, what a cancel does.

mod support;

use std::time::Duration;

use expect_test::{Expect, expect};
use refrain_engine::activity::{Activity, CancelNext, Next, Phase, Timeout};
use refrain_engine::call::{ActivityCommand, ActivityOptions, Cancellation};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::time::Timestamp;

use support::{START, activity, since_start};

const BOOT: u64 = 1;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Timestamp {
    START.after(secs(seconds))
}

fn pay(options: ActivityOptions) -> Activity {
    Activity::new(1, ActivityCommand { options, ..activity("pay") }, START)
}

fn attempts(maximum_attempts: u32) -> RetryPolicy {
    RetryPolicy { maximum_attempts, ..RetryPolicy::default() }
}

/// What happens to an activity.
enum Do {
    /// An attempt starts, this many seconds from the beginning.
    Start(u64),
    /// It fails with an error of this type.
    Fail(&'static str, u64),
    /// ... and asks for a delay of its own.
    FailWithDelay(u64, u64),
    /// ... and is not to be retried.
    FailForGood(u64),
    Beat(&'static str),
    TimeOut(Timeout, u64),
    Restart(u64),
}
use Do::{Beat, Fail, FailForGood, FailWithDelay, Restart, Start, TimeOut};

fn busy(error_type: &str) -> Failure {
    Failure::new(FailureKind::Application, error_type, "the bank is closed")
}

/// Does it all, and shows what followed each end of an attempt.
fn check(options: ActivityOptions, todo: &[Do], expected: &Expect) {
    let mut activity = pay(options);
    let mut shown = String::new();
    for what in todo {
        let next = match what {
            Start(seconds) => {
                activity.start(BOOT, at(*seconds));
                continue;
            }
            Beat(details) => {
                activity.heartbeat = Some(Payload::json(*details));
                continue;
            }
            Fail(error_type, seconds) => activity.fail(busy(error_type), None, at(*seconds)),
            FailWithDelay(delay, seconds) => activity.fail(busy("Busy"), Some(secs(*delay)), at(*seconds)),
            FailForGood(seconds) => {
                activity.fail(Failure { non_retryable: true, ..busy("Busy") }, None, at(*seconds))
            }
            TimeOut(timeout, seconds) => activity.time_out(*timeout, at(*seconds)),
            Restart(seconds) => activity.restarted(at(*seconds)),
        };
        shown.push_str(&match next {
            Next::Retry(until) => {
                assert_eq!(activity.phase, Phase::Backoff { until });
                format!("attempt {} from {}\n", activity.attempt, since_start(until))
            }
            Next::Close(Outcome::Failed(failure)) => {
                let details = failure
                    .details
                    .as_ref()
                    .map_or(String::new(), |details| format!(", details {details:?}"));
                format!("closed: {} {}: {failure}{details}\n", failure.kind.as_str(), failure.error_type)
            }
            Next::Close(Outcome::Completed(_)) => panic!("a failure cannot complete"),
        });
    }
    expected.assert_eq(&shown);
}

fn one_minute(retry: RetryPolicy) -> ActivityOptions {
    ActivityOptions { start_to_close: Some(secs(60)), retry, ..ActivityOptions::default() }
}

#[test]
fn failures_are_retried_until_the_attempts_are_used_up() {
    let story = [Start(0), Fail("Busy", 5), Start(6), Fail("Busy", 10), Start(12), Fail("Busy", 20)];
    check(
        one_minute(attempts(3)),
        &story,
        &expect![[r#"
        attempt 2 from +6s
        attempt 3 from +12s
        closed: application Busy: the bank is closed
    "#]],
    );
    check(
        one_minute(attempts(1)),
        &story[..2],
        &expect![[r#"
        closed: application Busy: the bank is closed
    "#]],
    );
}

#[test]
fn some_failures_are_never_retried() {
    let refuses = RetryPolicy { non_retryable_error_types: vec!["BadCard".to_owned()], ..attempts(3) };
    check(
        one_minute(refuses.clone()),
        &[Start(0), Fail("Busy", 1), Start(2), Fail("BadCard", 3)],
        &expect![[r#"
        attempt 2 from +2s
        closed: application BadCard: the bank is closed
    "#]],
    );
    check(
        one_minute(refuses),
        &[Start(0), FailForGood(1)],
        &expect![[r#"
        closed: application Busy: the bank is closed
    "#]],
    );
}

#[test]
fn a_failure_may_say_when_to_try_again() {
    check(
        one_minute(attempts(0)),
        &[Start(0), FailWithDelay(30, 1), Start(31), Fail("Busy", 32)],
        &expect![[r#"
        attempt 2 from +31s
        attempt 3 from +34s
    "#]],
    );
}

#[test]
fn a_retry_that_does_not_fit_before_schedule_to_close_is_not_made() {
    let options = ActivityOptions { schedule_to_close: Some(secs(10)), ..ActivityOptions::default() };
    check(
        options,
        &[Start(0), Fail("Busy", 4), Start(5), Fail("Busy", 8)],
        &expect![[r#"
        attempt 2 from +5s
        closed: timeout schedule-to-close: activity pay: after attempt 2 no retry fits before the schedule-to-close timeout of 10s: the bank is closed
    "#]],
    );
}

#[test]
fn start_to_close_and_heartbeat_are_retried_with_the_last_details() {
    let options = ActivityOptions { heartbeat: Some(secs(5)), ..one_minute(attempts(3)) };
    let story = [
        Start(0),
        TimeOut(Timeout::StartToClose, 60),
        Start(61),
        Beat("\"half\""),
        TimeOut(Timeout::Heartbeat, 70),
        Start(72),
        TimeOut(Timeout::Heartbeat, 77),
    ];
    check(
        options,
        &story,
        &expect![[r#"
        attempt 2 from +61s
        attempt 3 from +72s
        closed: timeout heartbeat: activity pay: the heartbeat timeout of 5s passed in attempt 3, details "half"
    "#]],
    );
}

#[test]
fn the_next_attempt_knows_the_last_details_and_the_last_failure() {
    let mut activity = pay(one_minute(attempts(0)));
    activity.start(BOOT, at(0));
    activity.heartbeat = Some(Payload::json("7"));
    activity.fail(busy("Busy"), None, at(1));
    activity.start(BOOT, at(2));
    assert_eq!(activity.heartbeat, Some(Payload::json("7")));
    assert_eq!(activity.last_failure, Some(busy("Busy")));
}

#[test]
fn schedule_timeouts_are_not_retried_and_tell_why_the_last_attempt_failed() {
    let options = ActivityOptions {
        schedule_to_start: Some(secs(5)),
        schedule_to_close: Some(secs(100)),
        ..one_minute(attempts(0))
    };
    check(
        options.clone(),
        &[TimeOut(Timeout::ScheduleToStart, 5)],
        &expect![[r#"
        closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 1
    "#]],
    );
    let late = [Start(0), Fail("Busy", 1), TimeOut(Timeout::ScheduleToStart, 7)];
    check(
        options.clone(),
        &late,
        &expect![[r#"
        attempt 2 from +2s
        closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 2: the bank is closed
    "#]],
    );
    let long = [Start(0), Fail("Busy", 1), Start(2), TimeOut(Timeout::ScheduleToClose, 100)];
    check(
        options,
        &long,
        &expect![[r#"
        attempt 2 from +2s
        closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 100s passed in attempt 2: the bank is closed
    "#]],
    );
}

#[test]
fn a_restart_of_the_host_counts_as_an_attempt_and_retries_at_once() {
    check(
        one_minute(attempts(1)),
        &[Start(0), Restart(5)],
        &expect![[r#"
        closed: host host-restarted: the host restarted while attempt 1 of activity pay ran
    "#]],
    );
    check(
        one_minute(attempts(3)),
        &[Start(0), Restart(5), Start(5), Restart(6), Start(6), Restart(7)],
        &expect![[r#"
        attempt 2 from +5s
        attempt 3 from +6s
        closed: host host-restarted: the host restarted while attempt 3 of activity pay ran
    "#]],
    );
}

#[test]
fn each_cancellation_type_in_each_phase() {
    use Cancellation::{Abandon, TryCancel, WaitForCancellation};
    let scheduled = Phase::Scheduled { since: at(0) };
    let running = Phase::Running { boot: BOOT, started_at: at(1) };
    let backoff = Phase::Backoff { until: at(9) };
    let table = [
        (TryCancel, scheduled, CancelNext::Close),
        (TryCancel, running, CancelNext::Close),
        (TryCancel, backoff, CancelNext::Close),
        (WaitForCancellation, scheduled, CancelNext::Close),
        (WaitForCancellation, running, CancelNext::Tell),
        (WaitForCancellation, backoff, CancelNext::Close),
        (Abandon, scheduled, CancelNext::Abandon),
        (Abandon, running, CancelNext::Abandon),
        (Abandon, backoff, CancelNext::Abandon),
    ];
    for (cancellation, phase, expected) in table {
        let mut activity = pay(ActivityOptions { cancellation, ..one_minute(attempts(0)) });
        activity.phase = phase;
        assert_eq!(activity.cancel("enough"), expected, "{cancellation:?} in {phase:?}");
        assert_eq!(activity.wanted, expected != CancelNext::Abandon, "{cancellation:?} in {phase:?}");
        assert_eq!(
            activity.cancel_reason.is_some(),
            expected == CancelNext::Tell,
            "{cancellation:?} in {phase:?}"
        );
    }
}

#[test]
fn a_failure_after_a_cancel_that_is_waited_for_is_not_retried() {
    let options =
        ActivityOptions { cancellation: Cancellation::WaitForCancellation, ..one_minute(attempts(0)) };
    let mut activity = pay(options);
    activity.start(BOOT, at(0));
    activity.cancel("enough");
    assert_eq!(activity.fail(busy("Busy"), None, at(1)), Next::Close(Outcome::Failed(busy("Busy"))));
}

#[test]
fn the_earliest_timeout_passes_next() {
    let options = ActivityOptions {
        schedule_to_start: Some(secs(5)),
        start_to_close: Some(secs(20)),
        heartbeat: Some(secs(3)),
        schedule_to_close: Some(secs(30)),
        ..ActivityOptions::default()
    };
    let next = |phase, heard: Option<u64>| {
        let mut activity = pay(options.clone());
        activity.phase = phase;
        activity.next_timeout(heard.map(at)).map(|(time, timeout)| (time.since(START).as_secs(), timeout))
    };
    let running = |started| Phase::Running { boot: BOOT, started_at: at(started) };
    assert_eq!(next(Phase::Scheduled { since: at(0) }, None), Some((5, Timeout::ScheduleToStart)));
    assert_eq!(next(Phase::Scheduled { since: at(27) }, None), Some((30, Timeout::ScheduleToClose)));
    assert_eq!(next(running(1), None), Some((4, Timeout::Heartbeat)));
    assert_eq!(next(running(1), Some(10)), Some((13, Timeout::Heartbeat)));
    assert_eq!(
        next(running(4), Some(1)),
        Some((7, Timeout::Heartbeat)),
        "a beat of an earlier attempt does not count"
    );
    assert_eq!(next(running(1), Some(20)), Some((21, Timeout::StartToClose)));
    assert_eq!(next(running(15), Some(29)), Some((30, Timeout::ScheduleToClose)));
    let backoff = |until| Phase::Backoff { until: at(until) };
    assert_eq!(
        next(backoff(9), None),
        Some((14, Timeout::ScheduleToStart)),
        "each attempt has to start in time"
    );
    assert_eq!(next(backoff(26), None), Some((30, Timeout::ScheduleToClose)));
    assert_eq!(pay(ActivityOptions::default()).next_timeout(None), None);
}
