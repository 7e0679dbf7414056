//! The machine of an activity: which ends are retried and when, which timeout passes next, what a cancel does,
//! which reports are refused. What operators do is in `activity_control.rs`.

mod support;

use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use refrain_engine::activity::{Activity, CancelNext, Delay, Phase, Runner, Timeout};
use refrain_engine::call::{ActivityCommand, ActivityOptions, Cancellation};
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::retry::RetryPolicy;
use refrain_engine::time::Timestamp;

use support::attempts::{play, secs};
use support::{START, activity};

const BOOT: u64 = 1;

fn at(seconds: u64) -> Timestamp {
    START.after(secs(seconds))
}

fn pay(options: ActivityOptions) -> Activity {
    Activity::new(1, ActivityCommand { options, ..activity("pay") }, START)
}

fn attempts(maximum_attempts: u32) -> RetryPolicy {
    RetryPolicy { maximum_attempts, ..RetryPolicy::default() }
}

fn one_minute(retry: RetryPolicy) -> ActivityOptions {
    ActivityOptions { start_to_close: Some(secs(60)), retry, ..ActivityOptions::default() }
}

fn check(options: ActivityOptions, script: &str, expected: &Expect) {
    expected.assert_eq(&play(options, script));
}

// ---- retries

#[test]
fn failures_are_retried_until_the_attempts_are_used_up() {
    check(
        one_minute(attempts(3)),
        "0 start\n 5 fail Busy\n 6 start\n 10 fail Busy\n 11 start\n 12 start\n 20 fail Busy",
        &expect![[r#"
            0 start -> attempt 1, start 1
            5 fail Busy -> attempt 2 from 6
            6 start -> attempt 2, start 2
            10 fail Busy -> attempt 3 from 12
            11 start -> not before 12
            12 start -> attempt 3, start 3
            20 fail Busy -> closed: application Busy: the bank is closed
        "#]],
    );
    check(
        one_minute(attempts(1)),
        "0 start\n 5 fail Busy",
        &expect![[r#"
        0 start -> attempt 1, start 1
        5 fail Busy -> closed: application Busy: the bank is closed
    "#]],
    );
}

#[test]
fn some_failures_are_never_retried() {
    let refuses = RetryPolicy { non_retryable_error_types: vec!["BadCard".to_owned()], ..attempts(3) };
    check(
        one_minute(refuses.clone()),
        "0 start\n 1 fail Busy\n 2 start\n 3 fail BadCard",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        3 fail BadCard -> closed: application BadCard: the bank is closed
    "#]],
    );
    check(
        one_minute(refuses),
        "0 start\n 1 fail Busy for-good",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy for-good -> closed: application Busy: the bank is closed
    "#]],
    );
}

#[test]
fn a_failure_may_say_when_to_try_again() {
    check(
        one_minute(attempts(0)),
        "0 start\n 1 fail Busy after 30\n 31 start\n 32 fail Busy",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy after 30 -> attempt 2 from 31
        31 start -> attempt 2, start 2
        32 fail Busy -> attempt 3 from 34
    "#]],
    );
}

#[test]
fn a_retry_that_does_not_fit_before_schedule_to_close_is_not_made() {
    let options = ActivityOptions { schedule_to_close: Some(secs(10)), ..ActivityOptions::default() };
    check(
        options.clone(),
        "0 start\n 4 fail Busy\n 5 start\n 8 fail Busy",
        &expect![[r#"
        0 start -> attempt 1, start 1
        4 fail Busy -> attempt 2 from 5
        5 start -> attempt 2, start 2
        8 fail Busy -> closed: timeout schedule-to-close: activity pay: after attempt 2 no retry fits before the schedule-to-close timeout of 10s: the bank is closed
    "#]],
    );
    check(
        options,
        "0 start\n 4 fail Busy after 7",
        &expect![[r#"
        0 start -> attempt 1, start 1
        4 fail Busy after 7 -> closed: timeout schedule-to-close: activity pay: after attempt 1 no retry fits before the schedule-to-close timeout of 10s: the bank is closed
    "#]],
    );
}

#[test]
fn the_next_attempt_gets_the_last_details() {
    check(
        one_minute(attempts(0)),
        "0 start\n 1 beat 7\n 2 fail Busy\n 3 start\n 4 fail Busy\n 6 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 beat 7 -> attempt 1 runs
            2 fail Busy -> attempt 2 from 3
            3 start -> attempt 2, start 2 with 7
            4 fail Busy -> attempt 3 from 6
            6 start -> attempt 3, start 3 with 7
        "#]],
    );
}

#[test]
fn jitter_spreads_the_retries_of_activities_that_failed_together() {
    let policy = RetryPolicy { jitter: 0.5, ..RetryPolicy::default() };
    let waits: Vec<_> = (1..=1000).map(|op| policy.backoff(op, START, 1).as_millis()).collect();
    for decile in (500..1000).step_by(50) {
        let within = waits.iter().filter(|wait| (decile..decile + 50).contains(*wait)).count();
        assert!((60..=140).contains(&within), "{within} of 1000 wait {decile} to {} ms", decile + 50);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn jitter_shortens_an_interval_by_its_share_at_most(
        op: u64, scheduled_at: u64, attempt: u32, jitter in 0.0..=1.0f64, initial in 1..u64::MAX, maximum: u64,
    ) {
        let initial_interval = Duration::from_nanos(initial);
        let policy = RetryPolicy {
            initial_interval,
            maximum_interval: Some(initial_interval.saturating_add(Duration::from_nanos(maximum))),
            jitter,
            ..RetryPolicy::default()
        };
        let wait = policy.backoff(op, Timestamp(scheduled_at), attempt);
        let interval = policy.interval(attempt);
        prop_assert!(wait <= interval);
        prop_assert!(wait >= interval.mul_f64(1.0 - jitter).min(interval), "{wait:?} of {interval:?}");
        prop_assert_eq!(wait, policy.backoff(op, Timestamp(scheduled_at), attempt));
        let steady = RetryPolicy { jitter: 0.0, ..policy };
        prop_assert_eq!(steady.backoff(op, Timestamp(scheduled_at), attempt), interval);
    }
}

// ---- timeouts

#[test]
fn start_to_close_is_retried() {
    check(
        one_minute(attempts(2)),
        "0 start\n 61 start\n 122",
        &expect![[r#"
        0 start -> attempt 1, start 1
        60 start-to-close timeout passes -> attempt 2 from 61
        61 start -> attempt 2, start 2
        121 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 60s passed in attempt 2: activity pay: the start-to-close timeout of 60s passed in attempt 1
        122
    "#]],
    );
}

#[test]
fn silence_after_three_heartbeats_is_retried_with_the_last_details() {
    let options = ActivityOptions { heartbeat: Some(secs(5)), ..one_minute(attempts(2)) };
    check(
        options,
        "0 start\n 4 beat 1\n 8 beat 2\n 12 beat 3\n 18 start\n 30",
        &expect![[r#"
        0 start -> attempt 1, start 1
        4 beat 1 -> attempt 1 runs
        8 beat 2 -> attempt 1 runs
        12 beat 3 -> attempt 1 runs
        17 heartbeat timeout passes -> attempt 2 from 18
        18 start -> attempt 2, start 2 with 3
        23 heartbeat timeout passes -> closed: timeout heartbeat: activity pay: the heartbeat timeout of 5s passed in attempt 2: activity pay: the heartbeat timeout of 5s passed in attempt 1, details 3
        30
    "#]],
    );
}

#[test]
fn schedule_to_start_passes_where_no_worker_comes_and_is_not_retried() {
    let options = ActivityOptions { schedule_to_start: Some(secs(5)), ..one_minute(attempts(0)) };
    check(
        options.clone(),
        "5",
        &expect![[r#"
        5 schedule-to-start timeout passes -> closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 1
        5
    "#]],
    );
    check(
        options,
        "1 start\n 2 fail Busy\n 8",
        &expect![[r#"
        1 start -> attempt 1, start 1
        2 fail Busy -> attempt 2 from 3
        8 schedule-to-start timeout passes -> closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 2: the bank is closed
        8
    "#]],
    );
}

#[test]
fn schedule_to_close_passes_in_the_middle_of_an_attempt_and_between_two() {
    let options = ActivityOptions { schedule_to_close: Some(secs(20)), ..one_minute(attempts(0)) };
    check(
        options.clone(),
        "0 start\n 1 fail Busy\n 2 start\n 3 fail Busy\n 5 start\n 6 beat 7\n 30",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 fail Busy -> attempt 2 from 2
            2 start -> attempt 2, start 2
            3 fail Busy -> attempt 3 from 5
            5 start -> attempt 3, start 3
            6 beat 7 -> attempt 3 runs
            20 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 20s passed in attempt 3: the bank is closed, details 7
            30
        "#]],
    );
    check(
        options.clone(),
        "0 start\n 1 fail Busy after 18\n 30",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy after 18 -> attempt 2 from 19
        20 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 20s passed in attempt 2: the bank is closed
        30
    "#]],
    );
    check(
        options,
        "30",
        &expect![[r#"
        20 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 20s passed in attempt 1
        30
    "#]],
    );
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
    let next = |phase, heard: Option<u64>, kept: Option<u64>| {
        let activity = Activity { phase, heartbeat_at: kept.map(at), ..pay(options.clone()) };
        activity.next_timeout(heard.map(at)).map(|(time, timeout)| (time.since(START).as_secs(), timeout))
    };
    let scheduled = |since| Phase::Scheduled { since: at(since) };
    let running = |since| Phase::Running { boot: BOOT, started_at: at(since), runner: Runner::Host };
    let backoff = |until| Phase::Backoff { until: at(until), since: at(0), delay: Delay::Policy };
    let postponed = |until| Phase::Backoff { until: at(until), since: at(0), delay: Delay::QueueFull };
    let table = [
        (scheduled(0), None, None, (5, Timeout::ScheduleToStart)),
        (scheduled(27), None, None, (30, Timeout::ScheduleToClose)),
        (running(1), None, None, (4, Timeout::Heartbeat)),
        (running(1), Some(10), None, (13, Timeout::Heartbeat)),
        (running(1), None, Some(10), (13, Timeout::Heartbeat)),
        (running(1), Some(12), Some(10), (15, Timeout::Heartbeat)),
        // Heartbeats of an earlier attempt do not count.
        (running(4), Some(1), Some(2), (7, Timeout::Heartbeat)),
        (running(1), Some(20), None, (21, Timeout::StartToClose)),
        (running(15), Some(29), None, (30, Timeout::ScheduleToClose)),
        // Each attempt has to start in time, counted from the end of the backoff ...
        (backoff(9), None, None, (14, Timeout::ScheduleToStart)),
        (backoff(26), None, None, (30, Timeout::ScheduleToClose)),
        // ... but a full queue is a part of the wait.
        (postponed(9), None, None, (5, Timeout::ScheduleToStart)),
    ];
    for (phase, heard, kept, expected) in table {
        assert_eq!(
            next(phase.clone(), heard, kept),
            Some(expected),
            "{phase:?}, heard {heard:?}, kept {kept:?}"
        );
    }
    assert_eq!(pay(ActivityOptions::default()).next_timeout(None), None);
}

#[test]
fn a_full_queue_uses_up_no_attempt_and_is_a_part_of_the_wait() {
    check(
        one_minute(attempts(1)),
        "0 full 1\n 1 full 2\n 2 start\n 3 start\n 4 fail Busy",
        &expect![[r#"
        0 full 1 -> attempt 1 from 1
        1 full 2 -> attempt 1 from 3
        2 start -> not before 3
        3 start -> attempt 1, start 1
        4 fail Busy -> closed: application Busy: the bank is closed
    "#]],
    );
    let options = ActivityOptions { schedule_to_start: Some(secs(5)), ..one_minute(attempts(0)) };
    check(
        options,
        "0 full 2\n 2 full 2\n 4 full 2\n 6",
        &expect![[r#"
        0 full 2 -> attempt 1 from 2
        2 full 2 -> attempt 1 from 4
        4 full 2 -> attempt 1 from 6
        5 schedule-to-start timeout passes -> closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 1: the queue is full
        6
    "#]],
    );
}

#[test]
fn what_waited_for_a_full_queue_goes_on_waiting_from_when_it_began() {
    let mut activity = pay(one_minute(attempts(0)));
    let full = || Failure::new(FailureKind::Host, "queue-full", "the queue is full");
    activity.postpone(at(2), full(), at(1));
    activity.postpone(at(4), full(), at(2));
    activity.schedule(at(4));
    assert_eq!(activity.phase, Phase::Scheduled { since: at(0) });
    activity.start(Runner::Host, BOOT, at(5));
    activity.fail(full(), None, at(6));
    activity.schedule(at(7));
    assert_eq!(activity.phase, Phase::Scheduled { since: at(7) });
}

// ---- the host goes away

#[test]
fn a_restart_of_the_host_counts_as_an_attempt_and_retries_at_once() {
    check(
        one_minute(attempts(1)),
        "0 start\n 5 restart",
        &expect![[r#"
        0 start -> attempt 1, start 1
        5 restart -> closed: host host-restarted: the host restarted while attempt 1 of activity pay ran
    "#]],
    );
    check(
        one_minute(attempts(3)),
        "0 start\n 5 restart\n 5 start\n 6 restart\n 6 start\n 7 restart",
        &expect![[r#"
            0 start -> attempt 1, start 1
            5 restart -> attempt 2 from 5
            5 start -> attempt 2, start 2
            6 restart -> attempt 3 from 6
            6 start -> attempt 3, start 3
            7 restart -> closed: host host-restarted: the host restarted while attempt 3 of activity pay ran
        "#]],
    );
}

#[test]
fn what_runs_elsewhere_outlives_the_host() {
    check(
        one_minute(attempts(1)),
        "0 start worker\n 1 restart\n 2 report 1\n 3 pending\n 4 restart\n 5 report 1\n 6 complete",
        &expect![[r#"
            0 start worker -> attempt 1, start 1
            1 restart -> nothing is lost
            2 report 1 -> taken
            3 pending -> attempt 1 runs
            4 restart -> nothing is lost
            5 report 1 -> taken
            6 complete -> completed in attempt 1
        "#]],
    );
    check(
        one_minute(attempts(1)),
        "0 start\n 1 pending\n 2 restart\n 61",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pending -> attempt 1 runs
        2 restart -> nothing is lost
        60 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 60s passed in attempt 1
        61
    "#]],
    );
    check(
        one_minute(attempts(1)),
        "0 restart\n 1 start",
        &expect![[r#"
        0 restart -> nothing is lost
        1 start -> attempt 1, start 1
    "#]],
    );
}

// ---- late reports

#[test]
fn a_report_of_another_attempt_is_refused() {
    check(
        one_minute(attempts(0)),
        "0 report 0\n 0 start worker\n 1 report 1\n 1 report 2\n 60 report 1\n 61 start worker\n 62 report 1\n 62 report 2",
        &expect![[r#"
            0 report 0 -> refused: the attempt has ended, and no other one of the activity runs
            0 start worker -> attempt 1, start 1
            1 report 1 -> taken
            1 report 2 -> refused: the attempt has ended: the activity's start number 1 runs now
            60 start-to-close timeout passes -> attempt 2 from 61
            60 report 1 -> refused: the attempt has ended, and no other one of the activity runs
            61 start worker -> attempt 2, start 2
            62 report 1 -> refused: the attempt has ended: the activity's start number 2 runs now
            62 report 2 -> taken
        "#]],
    );
}

#[test]
fn attempts_that_a_reset_gave_the_same_number_are_not_confused() {
    check(
        one_minute(attempts(0)),
        "0 start worker\n 1 reset\n 2 report 1\n 60 report 1\n 60 start worker\n 61 report 1\n 61 report 2",
        &expect![[r#"
            0 start worker -> attempt 1, start 1
            1 reset -> attempt 1 runs, the next is 1
            2 report 1 -> taken
            60 start-to-close timeout passes -> attempt 1 from 60
            60 report 1 -> refused: the attempt has ended, and no other one of the activity runs
            60 start worker -> attempt 1, start 2
            61 report 1 -> refused: the attempt has ended: the activity's start number 2 runs now
            61 report 2 -> taken
        "#]],
    );
}

// ---- cancellation

#[test]
fn each_cancellation_type_in_each_phase() {
    use Cancellation::{Abandon, TryCancel, WaitForCancellation};
    let scheduled = || Phase::Scheduled { since: at(0) };
    let running = || Phase::Running { boot: BOOT, started_at: at(1), runner: Runner::Outside };
    let backoff = || Phase::Backoff { until: at(9), since: at(8), delay: Delay::Policy };
    let table = [
        (TryCancel, scheduled(), CancelNext::Close),
        (TryCancel, running(), CancelNext::Close),
        (TryCancel, backoff(), CancelNext::Close),
        (WaitForCancellation, scheduled(), CancelNext::Close),
        (WaitForCancellation, running(), CancelNext::Tell),
        (WaitForCancellation, backoff(), CancelNext::Close),
        (Abandon, scheduled(), CancelNext::Abandon),
        (Abandon, running(), CancelNext::Abandon),
        (Abandon, backoff(), CancelNext::Abandon),
    ];
    for (cancellation, phase, expected) in table {
        for paused in [false, true] {
            let mut activity = pay(ActivityOptions { cancellation, ..one_minute(attempts(0)) });
            activity.phase = phase.clone();
            if paused {
                activity.pause("busy".to_owned(), at(2));
            }
            let what = format!("{cancellation:?} in {phase:?}, paused: {paused}");
            assert_eq!(activity.cancel("enough"), expected, "{what}");
            assert_eq!(activity.wanted, expected != CancelNext::Abandon, "{what}");
            assert_eq!(activity.cancel_reason.is_some(), expected == CancelNext::Tell, "{what}");
        }
    }
}

#[test]
fn what_was_canceled_before_it_started_never_runs() {
    for cancellation in [Cancellation::TryCancel, Cancellation::WaitForCancellation] {
        let options = ActivityOptions { cancellation, ..one_minute(attempts(0)) };
        check(
            options,
            "0 cancel\n 1 start",
            &expect![[r#"
            0 cancel -> Close
            1 start -> it is over
        "#]],
        );
    }
}

#[test]
fn a_failure_after_a_cancel_that_is_waited_for_is_not_retried() {
    let options =
        ActivityOptions { cancellation: Cancellation::WaitForCancellation, ..one_minute(attempts(0)) };
    check(
        options.clone(),
        "0 start\n 1 cancel\n 2 fail Busy",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 cancel -> Tell
        2 fail Busy -> closed: application Busy: the bank is closed
    "#]],
    );
    check(
        options.clone(),
        "0 start\n 1 cancel\n 2 reset\n 3 fail Busy",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 cancel -> Tell
        2 reset -> attempt 1 runs, the next is 1
        3 fail Busy -> closed: application Busy: the bank is closed
    "#]],
    );
    check(
        options,
        "0 start\n 1 cancel\n 60",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 cancel -> Tell
        60 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 60s passed in attempt 1
        60
    "#]],
    );
}

#[test]
fn an_abandoned_activity_goes_on() {
    let options = ActivityOptions { cancellation: Cancellation::Abandon, ..one_minute(attempts(0)) };
    check(
        options,
        "0 start\n 1 cancel\n 2 fail Busy\n 3 start\n 4 complete",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 cancel -> Abandon
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2
        4 complete -> completed in attempt 2
    "#]],
    );
}
