//! What an operator does to an activity that has not closed, in each of its phases.

mod support;

use expect_test::{Expect, expect};
use refrain_engine::activity::{OptionsPatch, RetryPatch};
use refrain_engine::call::{ActivityOptions, DEFAULT_FAIRNESS_WEIGHT, Fairness};
use refrain_engine::retry::RetryPolicy;

use support::START;
use support::attempts::{Story, play, secs};

fn attempts(maximum_attempts: u32) -> RetryPolicy {
    RetryPolicy { maximum_attempts, ..RetryPolicy::default() }
}

fn one_minute(retry: RetryPolicy) -> ActivityOptions {
    ActivityOptions { start_to_close: Some(secs(60)), retry, ..ActivityOptions::default() }
}

fn check(options: ActivityOptions, script: &str, expected: &Expect) {
    expected.assert_eq(&play(options, script));
}

// ---- pause and unpause

#[test]
fn a_paused_activity_does_not_start_until_it_is_unpaused() {
    let options = ActivityOptions { schedule_to_start: Some(secs(5)), ..one_minute(attempts(0)) };
    check(
        options,
        "1 pause\n 2 start\n 3 pause\n 100 unpause\n 101 start\n 102 complete",
        &expect![[r#"
        1 pause -> attempt 1 held, paused at 1
        2 start -> not now
        3 pause -> attempt 1 held, paused at 1
        100 unpause -> attempt 1 from 100
        101 start -> attempt 1, start 1
        102 complete -> completed in attempt 1
    "#]],
    );
}

#[test]
fn a_pause_in_backoff_holds_the_next_attempt_and_an_unpause_lets_it_begin_at_once() {
    let options = one_minute(attempts(0));
    check(
        options.clone(),
        "0 start\n 1 fail Busy after 30\n 2 pause\n 40 start\n 41 unpause\n 41 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 fail Busy after 30 -> attempt 2 from 31
            2 pause -> attempt 2 held, paused at 2
            40 start -> not now
            41 unpause -> attempt 2 from 41
            41 start -> attempt 2, start 2
        "#]],
    );
    check(
        options,
        "0 start\n 1 fail Busy after 30\n 2 pause\n 3 unpause\n 3 start",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy after 30 -> attempt 2 from 31
        2 pause -> attempt 2 held, paused at 2
        3 unpause -> attempt 2 from 3
        3 start -> attempt 2, start 2
    "#]],
    );
}

#[test]
fn an_attempt_that_stops_because_of_a_pause_does_not_count() {
    check(
        one_minute(attempts(1)),
        "0 start\n 1 pause\n 2 stop\n 9 unpause\n 9 start\n 10 pause\n 11 unpause\n 12 stop\n 12 start\n 13 stop",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 pause -> attempt 1 runs, paused at 1
            2 stop -> attempt 1 held, paused at 1
            9 unpause -> attempt 1 from 9
            9 start -> attempt 1, start 2
            10 pause -> attempt 1 runs, paused at 10
            11 unpause -> attempt 1 runs
            12 stop -> attempt 1 from 12
            12 start -> attempt 1, start 3
            13 stop -> closed: canceled Canceled: it was told to
        "#]],
    );
}

#[test]
fn an_attempt_that_runs_while_it_is_paused_goes_on_and_its_result_counts() {
    let options = one_minute(attempts(2));
    check(
        options.clone(),
        "0 start\n 1 pause\n 2 report 1\n 3 complete",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pause -> attempt 1 runs, paused at 1
        2 report 1 -> taken
        3 complete -> completed in attempt 1
    "#]],
    );
    check(
        options.clone(),
        "0 start\n 1 pause\n 2 fail Busy\n 3 start\n 9 unpause\n 9 start\n 10 fail Busy",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 pause -> attempt 1 runs, paused at 1
            2 fail Busy -> attempt 2 held, paused at 1
            3 start -> not now
            9 unpause -> attempt 2 from 9
            9 start -> attempt 2, start 2
            10 fail Busy -> closed: application Busy: the bank is closed
        "#]],
    );
    check(
        options.clone(),
        "0 start\n 1 pause\n 2 fail Busy for-good",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pause -> attempt 1 runs, paused at 1
        2 fail Busy for-good -> closed: application Busy: the bank is closed
    "#]],
    );
    check(
        options,
        "0 start\n 1 pause\n 2 unpause\n 3 start\n 4 complete",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pause -> attempt 1 runs, paused at 1
        2 unpause -> attempt 1 runs
        3 start -> not now
        4 complete -> completed in attempt 1
    "#]],
    );
}

#[test]
fn of_the_timeouts_only_schedule_to_start_stands_still_while_it_is_paused() {
    let options = ActivityOptions {
        schedule_to_start: Some(secs(5)),
        heartbeat: Some(secs(10)),
        schedule_to_close: Some(secs(100)),
        ..one_minute(attempts(0))
    };
    check(
        options.clone(),
        "1 pause\n 100",
        &expect![[r#"
        1 pause -> attempt 1 held, paused at 1
        100 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 100s passed in attempt 1
        100
    "#]],
    );
    check(
        options.clone(),
        "0 start\n 1 pause\n 20 start\n 30 unpause\n 36",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pause -> attempt 1 runs, paused at 1
        10 heartbeat timeout passes -> attempt 2 held, paused at 1
        20 start -> not now
        30 unpause -> attempt 2 from 30
        35 schedule-to-start timeout passes -> closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 2: activity pay: the heartbeat timeout of 10s passed in attempt 1
        36
    "#]],
    );
    check(
        options,
        "0 start\n 1 pause\n 2 beat 7\n 20\n 100",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pause -> attempt 1 runs, paused at 1
        2 beat 7 -> attempt 1 runs, paused at 1
        12 heartbeat timeout passes -> attempt 2 held, paused at 1
        20
        100 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 100s passed in attempt 2: activity pay: the heartbeat timeout of 10s passed in attempt 1, details 7
        100
    "#]],
    );
    check(
        one_minute(attempts(1)),
        "0 start\n 1 pause\n 100",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 pause -> attempt 1 runs, paused at 1
        60 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 60s passed in attempt 1
        100
    "#]],
    );
}

#[test]
fn the_host_may_restart_while_it_is_paused() {
    check(
        one_minute(attempts(0)),
        "0 start\n 1 pause\n 2 restart\n 3 start\n 4 unpause\n 4 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 pause -> attempt 1 runs, paused at 1
            2 restart -> attempt 2 held, paused at 1
            3 start -> not now
            4 unpause -> attempt 2 from 4
            4 start -> attempt 2, start 2
        "#]],
    );
}

#[test]
fn an_unpause_may_begin_anew() {
    let options = one_minute(attempts(3));
    let story = |how: &str| {
        format!(
            "0 start\n 1 beat 7\n 2 fail Busy\n 3 start\n 4 fail Busy\n 5 pause\n 9 unpause{how}\n 9 start"
        )
    };
    check(
        options.clone(),
        &story(""),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 beat 7 -> attempt 1 runs
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2 with 7
        4 fail Busy -> attempt 3 from 6
        5 pause -> attempt 3 held, paused at 5
        9 unpause -> attempt 3 from 9
        9 start -> attempt 3, start 3 with 7
    "#]],
    );
    check(
        options.clone(),
        &story(" attempts"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 beat 7 -> attempt 1 runs
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2 with 7
        4 fail Busy -> attempt 3 from 6
        5 pause -> attempt 3 held, paused at 5
        9 unpause attempts -> attempt 1 from 9
        9 start -> attempt 1, start 3 with 7
    "#]],
    );
    check(
        options.clone(),
        &story(" heartbeat"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 beat 7 -> attempt 1 runs
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2 with 7
        4 fail Busy -> attempt 3 from 6
        5 pause -> attempt 3 held, paused at 5
        9 unpause heartbeat -> attempt 3 from 9
        9 start -> attempt 3, start 3
    "#]],
    );
    check(
        options.clone(),
        &story(" attempts heartbeat"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 beat 7 -> attempt 1 runs
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2 with 7
        4 fail Busy -> attempt 3 from 6
        5 pause -> attempt 3 held, paused at 5
        9 unpause attempts heartbeat -> attempt 1 from 9
        9 start -> attempt 1, start 3
    "#]],
    );
    check(
        options,
        "0 start\n 1 fail Busy\n 2 start\n 3 beat 7\n 4 pause\n 5 unpause attempts heartbeat\n 6 fail Busy\n 6 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 fail Busy -> attempt 2 from 2
            2 start -> attempt 2, start 2
            3 beat 7 -> attempt 2 runs
            4 pause -> attempt 2 runs, paused at 4
            5 unpause attempts heartbeat -> attempt 2 runs, the next is 1
            6 fail Busy -> attempt 1 from 6
            6 start -> attempt 1, start 3
        "#]],
    );
}

#[test]
fn an_unpause_leaves_the_attempt_that_runs_its_details() {
    check(
        one_minute(attempts(3)),
        "0 start\n 1 beat 7\n 2 pause\n 3 unpause heartbeat\n 4 fail Busy\n 5 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 beat 7 -> attempt 1 runs
            2 pause -> attempt 1 runs, paused at 2
            3 unpause heartbeat -> attempt 1 runs
            4 fail Busy -> attempt 2 from 5
            5 start -> attempt 2, start 2 with 7
        "#]],
    );
}

#[test]
fn an_unpause_of_what_is_not_paused_changes_nothing() {
    let mut story = Story::new(one_minute(attempts(0)));
    story.play("0 start\n 1 beat 7\n 2 fail Busy after 30");
    let before = story.activity.clone();
    story.play("3 unpause attempts heartbeat");
    assert_eq!(story.activity, before);
}

// ---- reset

#[test]
fn a_reset_begins_with_attempt_1_at_once() {
    let options = one_minute(attempts(3));
    let story = |how: &str| {
        format!("0 start\n 1 beat 7\n 2 fail Busy\n 3 start\n 4 fail Busy after 30\n 5 reset{how}\n 5 start")
    };
    check(
        options.clone(),
        &story(""),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 beat 7 -> attempt 1 runs
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2 with 7
        4 fail Busy after 30 -> attempt 3 from 34
        5 reset -> attempt 1 from 5
        5 start -> attempt 1, start 3 with 7
    "#]],
    );
    check(
        options.clone(),
        &story(" heartbeat"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 beat 7 -> attempt 1 runs
        2 fail Busy -> attempt 2 from 3
        3 start -> attempt 2, start 2 with 7
        4 fail Busy after 30 -> attempt 3 from 34
        5 reset heartbeat -> attempt 1 from 5
        5 start -> attempt 1, start 3
    "#]],
    );
    check(
        options,
        "2 reset\n 2 start",
        &expect![[r#"
        2 reset -> attempt 1 from 2
        2 start -> attempt 1, start 1
    "#]],
    );
}

#[test]
fn a_reset_while_an_attempt_runs_waits_for_its_end() {
    let options = ActivityOptions { heartbeat: Some(secs(10)), ..one_minute(attempts(2)) };
    let running = "0 start\n 1 fail Busy\n 2 start\n 3 beat 7";
    let story = |rest: &str| format!("{running}\n {rest}");
    // The attempt is the last one of the policy, and fails in one way or another.
    check(
        options.clone(),
        &story("4 reset\n 5 fail Busy\n 5 start\n 6 fail Busy\n 7 start\n 8 fail Busy"),
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 fail Busy -> attempt 2 from 2
            2 start -> attempt 2, start 2
            3 beat 7 -> attempt 2 runs
            4 reset -> attempt 2 runs, the next is 1
            5 fail Busy -> attempt 1 from 5
            5 start -> attempt 1, start 3 with 7
            6 fail Busy -> attempt 2 from 7
            7 start -> attempt 2, start 4 with 7
            8 fail Busy -> closed: application Busy: the bank is closed
        "#]],
    );
    check(
        options.clone(),
        &story("4 reset heartbeat\n 5 fail Busy for-good\n 5 start"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        3 beat 7 -> attempt 2 runs
        4 reset heartbeat -> attempt 2 runs, the next is 1
        5 fail Busy for-good -> attempt 1 from 5
        5 start -> attempt 1, start 3
    "#]],
    );
    check(
        options.clone(),
        &story("4 reset\n 5 fail Busy after 30\n 5 start"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        3 beat 7 -> attempt 2 runs
        4 reset -> attempt 2 runs, the next is 1
        5 fail Busy after 30 -> attempt 1 from 5
        5 start -> attempt 1, start 3 with 7
    "#]],
    );
    check(
        options.clone(),
        &story("4 reset heartbeat\n 5 beat 8\n 15 start"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        3 beat 7 -> attempt 2 runs
        4 reset heartbeat -> attempt 2 runs, the next is 1
        5 beat 8 -> attempt 2 runs, the next is 1
        15 heartbeat timeout passes -> attempt 1 from 15
        15 start -> attempt 1, start 3
    "#]],
    );
    check(
        options.clone(),
        &story("4 reset\n 5 reset heartbeat\n 6 reset\n 7 restart\n 7 start"),
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 fail Busy -> attempt 2 from 2
            2 start -> attempt 2, start 2
            3 beat 7 -> attempt 2 runs
            4 reset -> attempt 2 runs, the next is 1
            5 reset heartbeat -> attempt 2 runs, the next is 1
            6 reset -> attempt 2 runs, the next is 1
            7 restart -> attempt 1 from 7
            7 start -> attempt 1, start 3
        "#]],
    );
    check(
        options,
        &story("4 reset\n 5 complete"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        3 beat 7 -> attempt 2 runs
        4 reset -> attempt 2 runs, the next is 1
        5 complete -> completed in attempt 2
    "#]],
    );
}

#[test]
fn a_reset_does_not_reach_past_schedule_to_close() {
    let options = ActivityOptions { schedule_to_close: Some(secs(10)), ..ActivityOptions::default() };
    check(
        options,
        "0 start\n 5 reset\n 10",
        &expect![[r#"
        0 start -> attempt 1, start 1
        5 reset -> attempt 1 runs, the next is 1
        10 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 10s passed in attempt 1
        10
    "#]],
    );
}

#[test]
fn a_reset_unpauses_unless_it_is_to_stay_paused() {
    let options = one_minute(attempts(0));
    let story =
        |how: &str| format!("0 start\n 1 fail Busy\n 2 pause\n 3 reset{how}\n 3 start\n 4 unpause\n 4 start");
    check(
        options.clone(),
        &story(""),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 pause -> attempt 2 held, paused at 2
        3 reset -> attempt 1 from 3
        3 start -> attempt 1, start 2
        4 unpause -> attempt 1 runs
        4 start -> not now
    "#]],
    );
    check(
        options.clone(),
        &story(" keep-paused"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 pause -> attempt 2 held, paused at 2
        3 reset keep-paused -> attempt 1 held, paused at 2
        3 start -> not now
        4 unpause -> attempt 1 from 4
        4 start -> attempt 1, start 2
    "#]],
    );
    check(
        options,
        "0 start\n 1 pause\n 2 reset keep-paused\n 3 fail Busy for-good\n 4 unpause\n 4 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 pause -> attempt 1 runs, paused at 1
            2 reset keep-paused -> attempt 1 runs, paused at 1, the next is 1
            3 fail Busy for-good -> attempt 1 held, paused at 1
            4 unpause -> attempt 1 from 4
            4 start -> attempt 1, start 2
        "#]],
    );
}

// ---- other options

#[test]
fn shortened_timeouts_are_in_force_at_once() {
    let options = ActivityOptions { schedule_to_close: Some(secs(1000)), ..one_minute(attempts(1)) };
    check(
        options.clone(),
        "0 start\n 10 update start-to-close=20\n 30",
        &expect![[r#"
        0 start -> attempt 1, start 1
        10 update start-to-close=20 -> attempt 1 runs
        20 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 20s passed in attempt 1
        30
    "#]],
    );
    check(
        options.clone(),
        "0 start\n 30 update start-to-close=20\n 31",
        &expect![[r#"
        0 start -> attempt 1, start 1
        30 update start-to-close=20 -> attempt 1 runs
        30 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 20s passed in attempt 1
        31
    "#]],
    );
    check(
        options.clone(),
        "0 start\n 10 update heartbeat=20\n 11 beat 7\n 40",
        &expect![[r#"
        0 start -> attempt 1, start 1
        10 update heartbeat=20 -> attempt 1 runs
        11 beat 7 -> attempt 1 runs
        31 heartbeat timeout passes -> closed: timeout heartbeat: activity pay: the heartbeat timeout of 20s passed in attempt 1, details 7
        40
    "#]],
    );
    check(
        options.clone(),
        "0 start\n 10 update schedule-to-close=20\n 30",
        &expect![[r#"
        0 start -> attempt 1, start 1
        10 update schedule-to-close=20 -> attempt 1 runs
        20 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 20s passed in attempt 1
        30
    "#]],
    );
    check(
        options.clone(),
        "10 update schedule-to-start=20\n 30",
        &expect![[r#"
        10 update schedule-to-start=20 -> attempt 1 from 0
        20 schedule-to-start timeout passes -> closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 20s passed in attempt 1
        30
    "#]],
    );
    let retries = ActivityOptions { retry: attempts(0), ..options };
    check(
        retries.clone(),
        "0 start\n 1 fail Busy after 100\n 2 update schedule-to-close=50\n 60",
        &expect![[r#"
            0 start -> attempt 1, start 1
            1 fail Busy after 100 -> attempt 2 from 101
            2 update schedule-to-close=50 -> attempt 2 from 101
            50 schedule-to-close timeout passes -> closed: timeout schedule-to-close: activity pay: the schedule-to-close timeout of 50s passed in attempt 2: the bank is closed
            60
        "#]],
    );
    check(
        retries,
        "0 start\n 1 fail Busy after 10\n 2 update schedule-to-start=5\n 20",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy after 10 -> attempt 2 from 11
        2 update schedule-to-start=5 -> attempt 2 from 11
        16 schedule-to-start timeout passes -> closed: timeout schedule-to-start: activity pay: the schedule-to-start timeout of 5s passed in attempt 2: the bank is closed
        20
    "#]],
    );
}

#[test]
fn lengthened_and_removed_timeouts_are_in_force_at_once() {
    let options = ActivityOptions {
        heartbeat: Some(secs(10)),
        schedule_to_close: Some(secs(100)),
        ..one_minute(attempts(1))
    };
    check(
        options,
        "0 start\n 5 update heartbeat=none start-to-close=300 schedule-to-close=none\n 299\n 300",
        &expect![[r#"
            0 start -> attempt 1, start 1
            5 update heartbeat=none start-to-close=300 schedule-to-close=none -> attempt 1 runs
            299
            300 start-to-close timeout passes -> closed: timeout start-to-close: activity pay: the start-to-close timeout of 300s passed in attempt 1
            300
        "#]],
    );
}

#[test]
fn a_backoff_follows_from_the_new_policy() {
    let options = one_minute(attempts(0));
    let failed = "0 start\n 1 fail Busy\n 2 start\n 10 fail Busy";
    let story = |rest: &str| format!("{failed}\n {rest}");
    check(
        options.clone(),
        &story("11 update initial-interval=10\n 29 start\n 30 start"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        10 fail Busy -> attempt 3 from 12
        11 update initial-interval=10 -> attempt 3 from 30
        29 start -> not before 30
        30 start -> attempt 3, start 3
    "#]],
    );
    check(
        options.clone(),
        &story("11 update initial-interval=10 maximum-interval=15"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        10 fail Busy -> attempt 3 from 12
        11 update initial-interval=10 maximum-interval=15 -> attempt 3 from 25
    "#]],
    );
    // What would have been over is over now.
    let soon = ActivityOptions { schedule_to_start: Some(secs(5)), ..options.clone() };
    check(
        soon,
        "0 start\n 0 update initial-interval=100\n 1 fail Busy\n 50 update initial-interval=1\n 50 start",
        &expect![[r#"
            0 start -> attempt 1, start 1
            0 update initial-interval=100 -> attempt 1 runs
            1 fail Busy -> attempt 2 from 101
            50 update initial-interval=1 -> attempt 2 from 50
            50 start -> attempt 2, start 2
        "#]],
    );
    // What the policy did not decide stays, and so does a backoff when something else is changed.
    check(
        options.clone(),
        "0 start\n 1 fail Busy after 30\n 2 update initial-interval=1",
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy after 30 -> attempt 2 from 31
        2 update initial-interval=1 -> attempt 2 from 31
    "#]],
    );
    check(
        options.clone(),
        "0 full 5\n 1 update initial-interval=60",
        &expect![[r#"
        0 full 5 -> attempt 1 from 5
        1 update initial-interval=60 -> attempt 1 from 5
    "#]],
    );
    check(
        options.clone(),
        &story("11 update priority=1 task-queue=gpu"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        10 fail Busy -> attempt 3 from 12
        11 update priority=1 task-queue=gpu -> attempt 3 from 12
    "#]],
    );
    // The attempt that is due is made, and is the last.
    check(
        options,
        &story("11 update maximum-attempts=2\n 12 start\n 13 fail Busy"),
        &expect![[r#"
        0 start -> attempt 1, start 1
        1 fail Busy -> attempt 2 from 2
        2 start -> attempt 2, start 2
        10 fail Busy -> attempt 3 from 12
        11 update maximum-attempts=2 -> attempt 3 from 12
        12 start -> attempt 3, start 3
        13 fail Busy -> closed: application Busy: the bank is closed
    "#]],
    );
}

#[test]
fn options_that_are_not_good_are_refused_and_change_nothing() {
    let mut story = Story::new(one_minute(attempts(0)));
    let before = story.activity.clone();
    expect![[r#"
        0 update start-to-close=none -> refused: activity pay: it has neither start-to-close-timeout nor schedule-to-close-timeout: give one of them
        0 update priority=6 -> refused: activity pay: priority is 6: give 1 (first) to 5 (last)
        0 update heartbeat=0 -> refused: activity pay: heartbeat-timeout is zero: give a length of time above zero, or none
        0 update coefficient=0.5 -> refused: activity pay: retry.backoff-coefficient is 0.5: give a finite number of at least 1.0
        0 update jitter=1.5 -> refused: activity pay: retry.jitter is 1.5: give a share from 0.0 (none) to 1.0
        0 update task-queue= -> refused: activity pay: task-queue is empty: give it at least one character
        0 update maximum-interval=0.1 -> refused: activity pay: retry.maximum-interval is 100ms, below the initial interval of 1s: give at least that
    "#]].assert_eq(&story.play(
        "0 update start-to-close=none\n 0 update priority=6\n 0 update heartbeat=0\n 0 update coefficient=0.5\n 0 update jitter=1.5\n 0 update task-queue=\n 0 update maximum-interval=0.1",
    ));
    assert_eq!(story.activity, before);
}

#[test]
fn an_update_changes_what_it_names_and_keeps_the_rest_and_what_the_run_asked_for() {
    let asked = ActivityOptions {
        task_queue: Some("cpu".to_owned()),
        fairness: Some(Fairness { key: "acme".to_owned(), weight: DEFAULT_FAIRNESS_WEIGHT }),
        summary: Some("pays".to_owned()),
        ..one_minute(attempts(3))
    };
    let mut story = Story::new(asked.clone());
    assert_eq!(story.activity.queue("default"), "cpu");
    let retry = RetryPatch {
        non_retryable_error_types: Some(vec!["BadCard".to_owned()]),
        jitter: Some(0.25),
        ..RetryPatch::default()
    };
    let patch =
        OptionsPatch { task_queue: Some("gpu".to_owned()), retry: Some(retry), ..OptionsPatch::default() };
    story.activity.update_options(patch, START).expect("it is good");
    let patch = OptionsPatch { priority: Some(2), ..OptionsPatch::default() };
    story.activity.update_options(patch, START).expect("it is good");
    let retry =
        RetryPolicy { non_retryable_error_types: vec!["BadCard".to_owned()], jitter: 0.25, ..attempts(3) };
    let expected =
        ActivityOptions { task_queue: Some("gpu".to_owned()), priority: Some(2), retry, ..asked.clone() };
    assert_eq!(story.activity.options(), &expected);
    assert_eq!(story.activity.command.options, asked);
    assert_eq!(story.activity.queue("default"), "gpu");
}
