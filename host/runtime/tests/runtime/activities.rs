//! Attempts, retries, timeouts, cancellation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use expect_test::expect;
use refrain_engine::call::{ActivityOptions, Cancellation, Completion, Interest};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_plugin::ActivityError;
use refrain_runtime::RunStatus;
use refrain_store::{CommitError, Fault, FaultyStore};
use tokio::time::Instant;

use crate::world::*;

/// A workflow of one activity: how it ended, after how many seconds and attempts.
fn check(name: &str, input: &str, options: fn(&mut ActivityOptions), expected: &expect_test::Expect) {
    check_in(&World::new(), name, input, options, expected);
}

fn check_in(
    world: &World,
    name: &str,
    input: &str,
    options: fn(&mut ActivityOptions),
    expected: &expect_test::Expect,
) {
    let name = name.to_owned();
    world.workflow("one", move |host, input| {
        let name = name.clone();
        async move { as_outcome(run(&host, with(&name, text(&input), options)).await?) }
    });
    let told = world.live(async |host| {
        let began = Instant::now();
        host.try_start("one", "one", input).await.unwrap();
        let told = match host.result("one").await {
            refrain_runtime::RunResult::Closed { outcome: Ok(value), .. } => text(&value),
            refrain_runtime::RunResult::Closed { outcome: Err(failure), .. } => brief(&failure),
            running => panic!("{running:?}"),
        };
        let after = began.elapsed().as_secs_f64();
        // Late results come in now, and are ignored.
        host.pass(secs(100)).await;
        format!("after {after:.1} s: {told}")
    });
    let attempts = world.attempts();
    expected.assert_eq(&format!("{told}; {attempts} attempts"));
    world.check_rest();
}

fn brief(failure: &Failure) -> String {
    let details =
        failure.details.as_ref().map_or(String::new(), |details| format!(" with {}", text(details)));
    format!("{} {}: {failure}{details}", failure.kind.as_str(), failure.error_type)
}

#[test]
fn attempts_are_made_again_with_growing_pauses() {
    check("flaky", "3", |_| {}, &expect!["after 7.0 s: 4; 4 attempts"]);
}

#[test]
fn the_last_of_the_attempts_is_the_last() {
    check(
        "flaky",
        "9",
        |options| options.retry.maximum_attempts = 3,
        &expect!["after 3.0 s: application Flaky: no 3; 3 attempts"],
    );
}

#[test]
fn a_type_that_the_policy_names_is_not_retried() {
    let options = |options: &mut ActivityOptions| {
        options.retry.non_retryable_error_types = vec!["Flaky".to_owned()];
    };
    check("flaky", "9", options, &expect!["after 0.0 s: application Flaky: no 1; 1 attempts"]);
}

#[test]
fn an_attempt_may_say_when_the_next_one_is_to_begin() {
    let world = World::new();
    world.activity("busy", |context, input| async move {
        match context.attempt() {
            1 => Err(ActivityError::new("Busy", "later").with_next_retry_delay(secs(77))),
            _ => Ok(input),
        }
    });
    check_in(&world, "busy", "1", |_| {}, &expect!["after 77.0 s: 1; 2 attempts"]);
}

#[test]
fn an_attempt_that_takes_too_long_is_made_again_and_its_late_result_is_ignored() {
    let options = |options: &mut ActivityOptions| {
        options.start_to_close = Some(secs(10));
        options.retry.maximum_attempts = 2;
    };
    check(
        "slow",
        "15",
        options,
        &expect![
            "after 21.0 s: timeout start-to-close: activity slow: the start-to-close timeout of 10s passed in attempt 2: activity slow: the start-to-close timeout of 10s passed in attempt 1; 2 attempts"
        ],
    );
}

#[test]
fn all_attempts_together_have_a_limit() {
    let options = |options: &mut ActivityOptions| options.schedule_to_close = Some(secs(5));
    check(
        "flaky",
        "9",
        options,
        &expect![
            "after 3.0 s: timeout schedule-to-close: activity flaky: after attempt 3 no retry fits before the schedule-to-close timeout of 5s: no 3; 3 attempts"
        ],
    );
    check(
        "slow",
        "50",
        options,
        &expect![
            "after 5.0 s: timeout schedule-to-close: activity slow: the schedule-to-close timeout of 5s passed in attempt 1; 1 attempts"
        ],
    );
}

#[test]
fn an_attempt_that_finds_no_slot_in_time_is_not_made() {
    let mut world = World::new();
    world.options.activity_slots = 1;
    world.workflow("waits", |host, _| async move {
        let slow = host.activity(activity("slow", 30))?;
        let late = host.activity(with("echo", 1, |options| options.schedule_to_start = Some(secs(10))))?;
        let Outcome::Failed(failure) = outcome(&host, late).await? else { panic!("a timeout") };
        outcome(&host, slow).await?;
        completed(format!("{:?}", brief(&failure)))
    });
    world.live(async |host| {
        expect![[r#""timeout schedule-to-start: activity echo: the schedule-to-start timeout of 10s passed in attempt 1""#]].assert_eq(&host.execute("waits").await);
    });
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn blocking_activities_do_not_take_the_slots_of_the_others() {
    let mut world = World::new();
    world.options.activity_slots = 1;
    world.options.blocking_activity_slots = 1;
    let (send, receive) = std::sync::mpsc::channel();
    let receive = std::sync::Mutex::new(receive);
    world.blocking("block", move |_, _| Ok(receive.lock().unwrap().recv()?));
    world.activity("unblock", move |_, input| {
        let sent = send.send(7);
        async move {
            sent?;
            Ok(input)
        }
    });
    world.workflow("both", |host, _| async move {
        let blocked = host.activity(activity("block", 1))?;
        let other = host.activity(activity("unblock", 2))?;
        outcome(&host, other).await?;
        let Outcome::Completed(value) = outcome(&host, blocked).await? else { panic!("it was unblocked") };
        completed(text(&value))
    });
    world.live(async |host| assert_eq!(host.execute("both").await, "7"));
    world.check_rest();
}

#[test]
fn silence_ends_an_attempt_and_its_last_words_reach_the_next() {
    let world = World::new();
    world.activity("beats", |context, _| async move {
        let from = context.last_heartbeat::<u32>()?.unwrap_or_default();
        for n in from + 1..=from + 3 {
            context.heartbeat(n)?;
            tokio::time::sleep(secs(8)).await;
        }
        if from < 6 {
            std::future::pending::<()>().await;
        }
        Ok(refrain_plugin::Payload::json(&from)?)
    });
    check_in(
        &world,
        "beats",
        "null",
        |options| options.heartbeat = Some(secs(10)),
        &expect!["after 79.0 s: 6; 3 attempts"],
    );
}

#[test]
fn a_panic_in_an_activity_is_a_failure_that_is_retried() {
    check(
        "panics",
        "1",
        |options| options.retry.maximum_attempts = 2,
        &expect!["after 1.0 s: application Panicked: the activity panicked: a bug in a plugin; 2 attempts"],
    );
    let world = World::new();
    world.activity("panics-later", |_, _| async move {
        tokio::time::sleep(secs(1)).await;
        panic!("a bug in {}", "a plugin")
    });
    check_in(
        &world,
        "panics-later",
        "1",
        |options| options.retry.maximum_attempts = 1,
        &expect!["after 1.0 s: application Panicked: the activity panicked: a bug in a plugin; 1 attempts"],
    );
}

#[test]
fn an_unknown_activity_is_a_failure_that_lists_those_that_exist() {
    check(
        "test.ecko",
        "1",
        |_| {},
        &expect![[
            r#"after 0.0 s: host not-found: no plugin of this host has an activity "test.ecko": there are echo, flaky, gate, hang, panics, slow; 0 attempts"#
        ]],
    );
}

#[test]
fn results_and_failures_over_the_limit_are_failures() {
    let world = World::new();
    world.activity("large", |_, _| async move { Ok(refrain_plugin::Payload::json(&"x".repeat(3_000_000))?) });
    check_in(
        &world,
        "large",
        "1",
        |_| {},
        &expect![
            "after 0.0 s: host too-large: activity large: result has 3000018 bytes, and the limit is 2097152: keep large values in a file or an object store and pass a reference; 1 attempts"
        ],
    );
    let world = World::new();
    world.activity("wordy", |_, _| async move { Err(ActivityError::new("Wordy", "x".repeat(3_000_000))) });
    check_in(
        &world,
        "wordy",
        "1",
        |_| {},
        &expect![
            "after 0.0 s: host too-large: activity wordy: failure has 3000005 bytes, and the limit is 2097152: keep large values in a file or an object store and pass a reference; 1 attempts"
        ],
    );
}

#[test]
fn a_blocking_activity_gets_a_thread_and_may_panic_there() {
    let world = World::new();
    world.blocking("blocks", |context, input: u32| {
        assert!(context.attempt() > 1, "the first attempt panics");
        Ok(input + 1)
    });
    check_in(&world, "blocks", "4", |_| {}, &expect!["after 1.0 s: 5; 2 attempts"]);
}

#[test]
fn cancellation_is_of_three_kinds() {
    for (cancellation, expected) in [
        (Cancellation::TryCancel, expect![[r#""canceled canceled: enough", told 1 times"#]]),
        (Cancellation::WaitForCancellation, expect![[r#""'cleaned up'", told 1 times"#]]),
        (Cancellation::Abandon, expect![[r#""canceled canceled: enough", told 0 times"#]]),
    ] {
        let world = World::new();
        let told = Arc::new(AtomicU32::new(0));
        let hears = Arc::clone(&told);
        world.activity("careful", move |context, _| {
            let hears = Arc::clone(&hears);
            async move {
                let canceled = tokio::time::timeout(secs(20), context.cancelled()).await;
                hears.fetch_add(u32::from(canceled.is_ok()), Ordering::Relaxed);
                tokio::time::sleep(secs(2)).await;
                Ok(refrain_plugin::Payload::json("cleaned up")?)
            }
        });
        world.workflow("cancels", move |host, _| async move {
            let op = host.activity(with("careful", 1, |options| options.cancellation = cancellation))?;
            let timer = host.timer(secs(5))?;
            outcome(&host, timer).await?;
            host.cancel(op, "enough")?;
            let told = match outcome(&host, op).await? {
                Outcome::Completed(value) => text(&value).replace('"', "'"),
                Outcome::Failed(failure) => brief(&failure),
            };
            let timer = host.timer(secs(60))?;
            outcome(&host, timer).await?;
            completed(format!("{told:?}"))
        });
        world.live(async |host| {
            let outcome = host.execute("cancels").await;
            expected.assert_eq(&format!("{outcome}, told {} times", told.load(Ordering::Relaxed)));
        });
        assert_eq!(world.attempts(), 1);
        world.check_rest();
    }
}

#[test]
fn an_activity_that_waits_is_canceled_at_once() {
    let mut world = World::new();
    world.options.activity_slots = 1;
    world.workflow("cancels", |host, _| async move {
        let wait = |options: &mut ActivityOptions| options.cancellation = Cancellation::WaitForCancellation;
        let (hang, waits) = (host.activity(activity("hang", 1))?, host.activity(with("echo", 1, wait))?);
        // One that the step itself has just scheduled, and one that is between two attempts.
        host.cancel(waits, "enough")?;
        outcome(&host, waits).await?;
        host.cancel(hang, "enough")?;
        outcome(&host, hang).await?;
        let retried = host.activity(with("flaky", 9, wait))?;
        let timer = host.timer(Duration::from_millis(500))?;
        outcome(&host, timer).await?;
        host.cancel(retried, "enough")?;
        let Outcome::Failed(failure) = outcome(&host, retried).await? else { panic!("canceled") };
        assert_eq!(failure.kind, FailureKind::Canceled);
        completed("null")
    });
    world.live(async |host| {
        let began = Instant::now();
        host.execute("cancels").await;
        assert!(began.elapsed() < secs(1));
    });
    assert_eq!(world.attempts(), 2);
    world.check_rest();
}

#[test]
fn a_detached_activity_goes_on_and_its_outcome_is_dropped() {
    let world = World::new();
    world.workflow("detaches", |host, _| async move {
        let (op, timer) = (host.activity(activity("slow", 10))?, host.timer(secs(60))?);
        host.detach(op)?;
        completed(host.wait(Interest::Everything).await?.len() as u64 + timer)
    });
    world.live(async |host| {
        host.start("detaches", "d").await;
        host.pass(secs(5)).await;
        assert_eq!(host.describe("d").await.pending_activities.len(), 1);
        host.pass(secs(10)).await;
        assert!(host.describe("d").await.pending_activities.is_empty());
        assert_eq!(host.value("d").await, "3");
    });
    world.check_rest();
}

#[test]
fn an_attempt_that_a_crash_cut_off_counts_and_is_made_again_if_one_is_left() {
    for (maximum, expected) in [
        (
            1,
            expect![
                "host host-restarted: the host restarted while attempt 1 of activity gate ran; 1 attempts"
            ],
        ),
        (3, expect!["8; 2 attempts"]),
    ] {
        let world = World::new();
        world.workflow("one", move |host, _| async move {
            let command = with("gate", 8, |options| options.retry.maximum_attempts = maximum);
            as_outcome(run(&host, command).await?)
        });
        world.live(async |host| {
            host.start("one", "one").await;
            host.pass(secs(3)).await;
        });
        world.gate.add_permits(1);
        let told = world.live(async |host| {
            let began = Instant::now();
            let told = match host.result("one").await {
                refrain_runtime::RunResult::Closed { outcome, .. } => {
                    outcome.map_or_else(|failure| brief(&failure), |value| text(&value))
                }
                running => panic!("{running:?}"),
            };
            assert!(began.elapsed() < secs(1), "at once");
            told
        });
        expected.assert_eq(&format!("{told}; {} attempts", world.attempts()));
        world.check_rest();
    }
}

#[test]
fn an_activity_whose_plugin_went_with_a_restart_fails_as_unknown() {
    let world = World::new();
    world.activity("test.old", |_, _| std::future::pending());
    world.workflow("one", |host, _| async move {
        let (a, b) = (host.activity(activity("test.old", 1))?, host.activity(activity("test.old", 2))?);
        outcome(&host, a).await?;
        let Outcome::Failed(failure) = outcome(&host, b).await? else { panic!("a failure") };
        Ok(Completion::Failed(failure))
    });
    world.live(async |host| {
        host.start("one", "one").await;
        host.settle().await;
    });
    world.forget_activities();
    world.live(async |host| {
        let failure = host.failure("one").await;
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Host, "not-found"));
        assert_eq!(host.status("one").await, RunStatus::Failed);
    });
    world.check_rest();
}

#[test]
fn pending_activities_are_described() {
    let mut world = World::new();
    world.options.activity_slots = 2;
    world.workflow("three", |host, _| async move {
        host.activity(activity("flaky", 5))?;
        host.activity(activity("hang", 1))?;
        host.activity(activity("hang", 2))?;
        host.activity(activity("hang", 3))?;
        host.wait(Interest::Ops(vec![4])).await?;
        completed("null")
    });
    world.live(async |host| {
        host.start("three", "t").await;
        host.pass(Duration::from_millis(500)).await;
        let pending = host.describe("t").await.pending_activities;
        let told: Vec<_> = pending
            .iter()
            .map(|a| {
                (a.op, a.attempt, a.state, a.last_failure.as_ref().map(|failure| failure.message.as_str()))
            })
            .collect();
        let expected = [
            (1, 2, "backoff", Some("no 1")),
            (2, 1, "running", None),
            (3, 1, "running", None),
            (4, 1, "scheduled", None),
        ];
        assert_eq!(told, expected);
        host.terminate("t").await.unwrap();
        host.settle().await;
    });
    world.check_rest();
}

#[test]
fn an_attempt_that_ends_while_its_run_has_no_owner_has_not_been_lost() {
    let world = World::new();
    world.workflow("one", |host, _| async move {
        let once = with("gate", 8, |options| options.retry.maximum_attempts = 1);
        as_outcome(run(&host, once).await?)
    });
    // The boot, the component, the start and the step; the owner fails at the signal.
    let full = CommitError::Full { free: 0, reserve: 1 };
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Fail(5, full)));
    world
        .live_on(store, async |host| {
            host.start("one", "one").await;
            host.settle().await;
            assert!(host.signal("one", "n", "1", None).await.is_err());
            world.gate.add_permits(1);
            assert_eq!(host.value("one").await, "8");
        })
        .unwrap();
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}
