//! What operators do to activities that have not ended.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use refrain_engine::call::ActivityOptions;
use refrain_engine::failure::{Failure, FailureKind};
use refrain_plugin::CancelReason;
use refrain_runtime::{
    Control, Error, OptionsPatch, QueueLimits, RateLimits, Report, ResetRequest, RetryPatch, Unpause,
};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

fn update(patch: OptionsPatch) -> Control {
    Control::UpdateOptions(Box::new(patch))
}

fn retry(patch: RetryPatch) -> Control {
    update(OptionsPatch { retry: Some(patch), ..OptionsPatch::default() })
}

/// A host with the activity of `w` waiting for a worker, and with nobody who would take it.
fn waiting() -> World {
    let world = World::new();
    one(&world, REMOTE, |options| options.schedule_to_start = Some(secs(1_000)));
    world.live(async |host| {
        host.start("one", "w").await;
        host.settle().await;
    });
    world
}

#[test]
fn a_paused_activity_is_not_handed_out_until_it_is_unpaused() {
    let world = waiting();
    world.live(async |host| {
        host.control("w", pause()).await.unwrap();
        host.control("w", Control::Pause { reason: "another one".to_owned() }).await.unwrap();
    });
    world.live(async |host| {
        host.no_task("rita-1").await;
        assert_eq!(host.stands("w").await, "paused, attempt 1");
        let (_, reason) = host.pending("w").await.paused.expect("a pause");
        assert_eq!(reason, "the bank is closed");
        // Longer than the time to its start, which does not pass meanwhile.
        host.pass(secs(2_000)).await;
        assert!(!host.describe("w").await.resident);
        let poller = host.clone();
        let poll = tokio::spawn(async move { poller.task("rita-2").await });
        host.settle().await;
        host.control("w", unpause()).await.unwrap();
        host.settle().await;
        assert!(poll.is_finished(), "at once");
        let task = poll.await.unwrap();
        assert_eq!((task.attempt, host.pending("w").await.paused), (1, None));
        host.complete(&task, 1).await.unwrap();
        host.value("w").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn an_unpause_is_durable_too() {
    let world = waiting();
    world.live(async |host| host.control("w", pause()).await.unwrap());
    world.live(async |host| host.control("w", unpause()).await.unwrap());
    world.live(async |host| {
        let task = host.task("rita-1").await;
        host.complete(&task, 1).await.unwrap();
        host.value("w").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_running_attempt_of_a_paused_activity_goes_on_and_its_result_counts() {
    let world = waiting();
    let task = world.live(async |host| {
        let task = host.task("rita-1").await;
        host.control("w", pause()).await.unwrap();
        let answer = host.beat(&token(&task), 1).await.unwrap();
        assert!(answer.paused && !answer.cancel_requested && !answer.reset);
        assert_eq!(host.stands("w").await, "running by worker, attempt 1");
        task
    });
    world.live(async |host| {
        assert!(host.beat(&token(&task), 1).await.unwrap().paused, "after a crash");
        host.control("w", unpause()).await.unwrap();
        assert!(!host.beat(&token(&task), 1).await.unwrap().paused);
        host.control("w", pause()).await.unwrap();
        host.complete(&task, 8).await.unwrap();
        assert_eq!(host.value("w").await, "8");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn an_attempt_that_fails_while_its_activity_is_paused_is_made_again_at_once_when_it_is_unpaused() {
    let world = waiting();
    world.live(async |host| {
        let task = host.task("rita-1").await;
        host.beat(&token(&task), 5).await.unwrap();
        host.control("w", pause()).await.unwrap();
        host.report(&token(&task), failed("Busy")).await.unwrap();
        host.pass(secs(5_000)).await;
        assert_eq!(host.stands("w").await, "paused, attempt 2");
        host.control("w", unpause()).await.unwrap();
        let began = Instant::now();
        let again = host.task("rita-2").await;
        assert_eq!((began.elapsed(), again.attempt), (Duration::ZERO, 2));
        assert_eq!(again.last_heartbeat, Some(json(5)));
        host.complete(&again, 1).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_backoff_is_held_back_by_a_pause_and_an_unpause_may_begin_anew() {
    let reset_attempts = Unpause { reset_attempts: true, reset_heartbeat: false };
    let reset_all = Unpause { reset_attempts: true, reset_heartbeat: true };
    let reset_heartbeat = Unpause { reset_attempts: false, reset_heartbeat: true };
    for (how, attempt, heartbeat) in [
        (Unpause::default(), 2, Some(json(5))),
        (reset_attempts, 1, Some(json(5))),
        (reset_all, 1, None),
        (reset_heartbeat, 2, None),
    ] {
        let world = waiting();
        world.live(async |host| {
            let task = host.task("rita-1").await;
            host.beat(&token(&task), 5).await.unwrap();
            host.report(&token(&task), failed("Busy")).await.unwrap();
            host.control("w", pause()).await.unwrap();
        });
        world.live(async |host| {
            host.pass(secs(10)).await;
            assert_eq!(host.stands("w").await, "paused, attempt 2");
            host.control("w", Control::Unpause(how)).await.unwrap();
        });
        world.live(async |host| {
            let task = host.task("rita-2").await;
            assert_eq!((task.attempt, task.last_heartbeat.clone()), (attempt, heartbeat), "{how:?}");
            host.complete(&task, 1).await.unwrap();
            host.value("w").await;
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn an_attempt_in_the_host_hears_of_a_pause_and_of_a_reset_at_once() {
    for (control, reason, stand) in [
        (pause(), CancelReason::Paused, "paused, attempt 1"),
        (reset(), CancelReason::Reset, "running by host, attempt 1"),
    ] {
        let world = World::new();
        let reasons = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&reasons);
        world.activity("listens", move |context, _| {
            let heard = Arc::clone(&heard);
            async move {
                let reason = context.cancelled().await;
                heard.lock().unwrap().push(reason);
                Err(refrain_plugin::ActivityError::cancelled(reason))
            }
        });
        // To stop because of a pause is no attempt.
        one(&world, "listens", |options| options.retry.maximum_attempts = 1);
        world.live(async |host| {
            host.start("one", "w").await;
            host.settle().await;
            host.control("w", control.clone()).await.unwrap();
            host.settle().await;
            assert_eq!(*reasons.lock().unwrap(), [reason]);
            assert_eq!(host.stands("w").await, stand);
            host.report(&by_id("w"), done(1)).await.unwrap();
            assert_eq!(host.value("w").await, "1");
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn a_reset_begins_the_attempts_anew_with_or_without_what_was_reached() {
    for reset_heartbeat in [false, true] {
        for runs in [false, true] {
            let world = waiting();
            let request = Control::Reset(ResetRequest { reset_heartbeat, keep_paused: false });
            let lost = world.live(async |host| {
                let first = host.task("rita-1").await;
                host.report(&token(&first), failed("Busy")).await.unwrap();
                let second = host.task("rita-2").await;
                host.beat(&token(&second), 5).await.unwrap();
                if !runs {
                    host.report(&token(&second), failed("Busy")).await.unwrap();
                    assert_eq!(host.stands("w").await, "backoff, attempt 3");
                }
                host.control("w", request).await.unwrap();
                second
            });
            world.live(async |host| {
                host.settle().await;
                if runs {
                    assert!(host.beat(&token(&lost), 6).await.unwrap().reset, "after a crash");
                    assert_eq!(host.stands("w").await, "running by worker, attempt 2");
                    let failure = Failure::new(FailureKind::Application, "Stopped", "as asked");
                    let failure = Failure { non_retryable: true, ..failure };
                    let last = Report::Failed { failure, next_retry_delay: None, benign: true };
                    host.report(&token(&lost), last).await.unwrap();
                }
                let began = Instant::now();
                let anew = host.task("rita-3").await;
                let reached = if runs { json(6) } else { json(5) };
                assert_eq!((anew.attempt, began.elapsed()), (1, Duration::ZERO));
                assert_eq!(anew.last_heartbeat, (!reset_heartbeat).then_some(reached));
                host.complete(&anew, 1).await.unwrap();
                host.value("w").await;
                host.check_quiet().await;
            });
            world.check_rest();
        }
    }
}

#[test]
fn a_reset_ends_a_pause_unless_it_is_to_be_kept() {
    for keep_paused in [false, true] {
        let world = waiting();
        world.live(async |host| {
            let task = host.task("rita-1").await;
            host.control("w", pause()).await.unwrap();
            let request = ResetRequest { reset_heartbeat: false, keep_paused };
            host.control("w", Control::Reset(request)).await.unwrap();
            let answer = host.beat(&token(&task), 1).await.unwrap();
            assert_eq!((answer.paused, answer.reset), (keep_paused, true));
            host.report(&token(&task), failed("Busy")).await.unwrap();
            host.settle().await;
            if keep_paused {
                assert_eq!(host.stands("w").await, "paused, attempt 1");
                host.control("w", unpause()).await.unwrap();
            }
            let task = host.task("rita-2").await;
            assert_eq!(task.attempt, 1);
            assert!(!host.beat(&token(&task), 1).await.unwrap().reset);
            host.complete(&task, 1).await.unwrap();
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn an_activity_that_waits_goes_to_the_queue_that_an_operator_names() {
    let world = waiting();
    world.live(async |host| {
        let elsewhere = OptionsPatch { task_queue: Some("other".to_owned()), ..OptionsPatch::default() };
        host.control("w", update(elsewhere)).await.unwrap();
        host.no_task("rita-1").await;
    });
    world.live(async |host| {
        host.no_task("rita-1").await;
        assert_eq!(host.pending("w").await.queue, "other");
        let task = host.poll_for("other", &[], "sue-1", secs(1)).await.unwrap().expect("a task");
        assert_eq!(task.queue, "other");
        host.complete(&task, 1).await.unwrap();
        host.value("w").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn timeouts_are_in_force_as_soon_as_they_are_changed() {
    let minute = Some(Some(secs(60)));
    let start_to_close = OptionsPatch { start_to_close: minute, ..OptionsPatch::default() };
    let heartbeat = OptionsPatch { heartbeat: minute, ..OptionsPatch::default() };
    let schedule_to_close = OptionsPatch { schedule_to_close: minute, ..OptionsPatch::default() };
    for (patch, expected) in [
        (
            start_to_close,
            "timeout start-to-close: activity charge: the start-to-close timeout of 60s passed in attempt 1",
        ),
        (heartbeat, "timeout heartbeat: activity charge: the heartbeat timeout of 60s passed in attempt 1"),
        (
            schedule_to_close,
            "timeout schedule-to-close: activity charge: the schedule-to-close timeout of 60s passed in attempt 1",
        ),
    ] {
        let world = World::new();
        one(&world, REMOTE, |options| options.retry.maximum_attempts = 1);
        world.live(async |host| {
            host.start("one", "w").await;
            let began = Instant::now();
            host.task("rita-1").await;
            // Nobody is there any more who would look at a clock.
            host.pass(secs(30)).await;
            assert!(!host.describe("w").await.resident);
            host.control("w", update(patch)).await.unwrap();
            assert_eq!(told(host.result("w").await), expected);
            assert_eq!(began.elapsed().as_secs(), 60);
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn a_timeout_can_be_taken_away() {
    let world = waiting();
    world.live(async |host| {
        let without = OptionsPatch { schedule_to_start: Some(None), ..OptionsPatch::default() };
        host.control("w", update(without)).await.unwrap();
    });
    world.live(async |host| {
        host.pass(secs(5_000)).await;
        let task = host.task("rita-1").await;
        host.complete(&task, 1).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_backoff_follows_from_the_policy_that_an_operator_gives() {
    let world = World::new();
    one(&world, REMOTE, |options| {
        options.retry.initial_interval = secs(1_000);
        options.retry.maximum_interval = Some(secs(1_000));
    });
    world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        host.report(&token(&task), failed("Busy")).await.unwrap();
        let began = Instant::now();
        host.pass(secs(30)).await;
        let sooner = RetryPatch { initial_interval: Some(secs(100)), ..RetryPatch::default() };
        host.control("w", retry(sooner)).await.unwrap();
        let task = host.task("rita-2").await;
        assert_eq!((task.attempt, began.elapsed().as_secs()), (2, 100));
        let no_more = RetryPatch { maximum_attempts: Some(2), ..RetryPatch::default() };
        host.control("w", retry(no_more)).await.unwrap();
        host.report(&token(&task), failed("Busy")).await.unwrap();
        assert_eq!(told(host.result("w").await), "application Busy: no");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn options_that_are_not_good_are_refused_by_name_and_change_nothing() {
    let world = waiting();
    world.live(async |host| {
        let zero = Some(Some(Duration::ZERO));
        let cases = [
            (update(OptionsPatch { priority: Some(9), ..OptionsPatch::default() }), "priority is 9"),
            (
                update(OptionsPatch { heartbeat: zero, ..OptionsPatch::default() }),
                "heartbeat-timeout is zero",
            ),
            (
                update(OptionsPatch { task_queue: Some(String::new()), ..OptionsPatch::default() }),
                "task-queue",
            ),
            (
                update(OptionsPatch { start_to_close: Some(None), ..OptionsPatch::default() }),
                "neither start-to-close-timeout nor schedule-to-close-timeout",
            ),
            (
                retry(RetryPatch { backoff_coefficient: Some(0.5), ..RetryPatch::default() }),
                "retry.backoff-coefficient is 0.5",
            ),
        ];
        for (control, expected) in cases {
            match host.control("w", control).await {
                Err(Error::Invalid { field, message }) => {
                    assert_eq!(field, "options");
                    assert!(message.contains(expected), "{message}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
        let long = Control::Pause { reason: "x".repeat(5_000) };
        assert_eq!(
            host.control("w", long).await,
            Err(Error::TooLarge { what: "reason", bytes: 5_000, limit: 4_096 })
        );
        assert_eq!(host.stands("w").await, "scheduled, attempt 1");
        let task = host.task("rita-1").await;
        host.complete(&task, 1).await.unwrap();
        host.value("w").await;
        for control in [pause(), unpause(), reset(), update(OptionsPatch::default())] {
            assert!(stale(host.control("w", control).await).starts_with("workflow \"w\" has ended"));
        }
        let nobody = Err(Error::NotFound { what: "workflow", id: "nobody".to_owned() });
        assert_eq!(host.control("nobody", pause()).await, nobody);
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn an_activity_that_does_not_run_is_ended_by_hand() {
    for (stand, ends) in [
        ("scheduled, attempt 1", done("\"paid\"")),
        ("backoff, attempt 2", done("\"paid\"")),
        ("paused, attempt 1", done("\"paid\"")),
        ("scheduled, attempt 1", failed("NotPaid")),
        ("backoff, attempt 2", failed("NotPaid")),
        ("scheduled, attempt 1", Report::Canceled { details: None }),
    ] {
        let world = waiting();
        world.live(async |host| {
            match stand.split(',').next() {
                Some("backoff") => {
                    let task = host.task("rita-1").await;
                    host.beat(&token(&task), 1).await.unwrap();
                    host.report(&token(&task), failed("Busy")).await.unwrap();
                }
                Some("paused") => host.control("w", pause()).await.unwrap(),
                _ => {}
            }
            assert_eq!(host.stands("w").await, stand);
        });
        world.live(async |host| {
            assert_eq!(stale(host.report(&by_id("w"), Report::Pending).await), "no attempt of it runs");
            host.report(&by_id("w"), ends.clone()).await.unwrap();
        });
        world.live(async |host| {
            let expected = match &ends {
                Report::Completed(value) => text(value),
                Report::Failed { .. } => "application NotPaid: no".to_owned(),
                _ => "canceled Canceled: the activity stopped as it was asked to".to_owned(),
            };
            assert_eq!(told(host.result("w").await), expected, "{stand}");
            host.no_task("rita-9").await;
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn an_attempt_in_the_host_that_is_ended_by_hand_is_told() {
    let world = World::new();
    one(&world, "hang", |_: &mut ActivityOptions| {});
    world.live(async |host| {
        host.start("one", "w").await;
        host.settle().await;
        host.report(&by_id("w"), done(3)).await.unwrap();
        assert_eq!(host.value("w").await, "3");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn an_unpaused_local_activity_runs_in_the_host_wherever_its_queue_is_served() {
    let mut world = World::new();
    let workers_alone = QueueLimits { limits: RateLimits::default(), in_process: false };
    world.options.task_queues.insert("default".to_owned(), workers_alone);
    one(&world, "flaky", |options| {
        options.local = true;
        options.retry.initial_interval = secs(100);
    });
    world.live(async |host| {
        host.try_start("one", "w", "2").await.unwrap();
        host.pass(secs(1)).await;
        host.control("w", pause()).await.unwrap();
        host.pass(secs(1_000)).await;
        assert_eq!(host.stands("w").await, "paused, attempt 2");
        host.control("w", unpause()).await.unwrap();
        host.settle().await;
        assert_eq!(host.stands("w").await, "backoff, attempt 3");
        host.control("w", reset()).await.unwrap();
    });
    world.live(async |host| {
        assert_eq!(host.value("w").await, "3");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn an_attempt_that_stops_for_a_pause_that_is_over_by_then_is_not_used_up() {
    let world = World::new();
    world.activity("listens", |context, input| async move {
        // The attempt after the pause hears nothing for a minute.
        tokio::select! {
            reason = context.cancelled() => {
                tokio::time::sleep(secs(2)).await;
                Err(refrain_plugin::ActivityError::cancelled(reason))
            }
            () = tokio::time::sleep(secs(60)) => Ok(input),
        }
    });
    one(&world, "listens", |options| options.retry.maximum_attempts = 1);
    world.live(async |host| {
        host.start("one", "w").await;
        host.settle().await;
        host.control("w", pause()).await.unwrap();
        host.pass(secs(1)).await;
        host.control("w", unpause()).await.unwrap();
        assert_eq!(host.stands("w").await, "running by host, attempt 1");
        assert_eq!(host.value("w").await, "null");
        host.check_quiet().await;
    });
    let attempts: Vec<u32> = world.executions.lock().unwrap().iter().map(|(_, attempt)| *attempt).collect();
    assert_eq!(attempts, [1, 1]);
    world.check_rest();
}
