//! Attempts that answer *pending*: whoever has the task token, or the ids, ends them.

use std::sync::{Arc, Mutex};

use refrain_engine::call::Cancellation;
use refrain_engine::failure::FailureKind;
use refrain_plugin::{ActivityError, CancelReason};
use refrain_runtime::{ActivityRef, Error, Report};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

/// The task tokens that attempts of `ask` got, in order.
type Tokens = Arc<Mutex<Vec<String>>>;

/// An activity of the host that hands its token on and answers *pending*.
fn ask(world: &World) -> Tokens {
    let tokens = Tokens::default();
    let handed = Arc::clone(&tokens);
    world.activity("ask", move |context, _| {
        handed.lock().unwrap().push(context.task_token().to_owned());
        async { Err(ActivityError::pending()) }
    });
    tokens
}

fn last(tokens: &Tokens) -> ActivityRef {
    ActivityRef::Token(tokens.lock().unwrap().last().expect("an attempt").clone())
}

#[test]
fn a_pending_attempt_takes_no_slot_and_outlives_its_host() {
    let mut world = World::new();
    world.options.activity_slots = 1;
    let tokens = ask(&world);
    one(&world, "ask", |_| {});
    world.workflow("echo", |host, _| async move { as_outcome(run(&host, activity("echo", 5)).await?) });
    world.live(async |host| {
        host.start("one", "a").await;
        host.settle().await;
        assert_eq!(host.stands("a").await, "running by outside, attempt 1");
        assert_eq!(host.execute("echo").await, "5");
        host.pass(secs(60)).await;
        assert!(!host.describe("a").await.resident);
        host.check_quiet().await;
    });
    world.live(async |host| {
        host.settle().await;
        assert_eq!(host.stands("a").await, "running by outside, attempt 1");
        host.report(&last(&tokens), done(9)).await.unwrap();
        assert_eq!(host.value("a").await, "9");
        stale(host.report(&last(&tokens), done(9)).await);
        stale(host.beat(&last(&tokens), 1).await);
        stale(host.report(&by_id("a"), done(9)).await);
    });
    assert_eq!(world.attempts(), 2);
    world.check_rest();
}

#[test]
fn a_pending_attempt_is_ended_in_every_way_by_token_and_by_ids() {
    let canceled = || Report::Canceled { details: None };
    type Ends = (fn() -> Report, &'static str);
    let ends: [Ends; 3] = [
        (|| done("\"yes\""), "\"yes\""),
        (|| failed("Refused"), "application Refused: no"),
        (canceled, "canceled Canceled: the activity stopped as it was asked to"),
    ];
    for (report, expected) in ends {
        for by_token in [true, false] {
            let world = World::new();
            let tokens = ask(&world);
            one(&world, "ask", |options| options.retry.maximum_attempts = 1);
            world.live(async |host| {
                host.start("one", "a").await;
                host.settle().await;
                let activity = if by_token { last(&tokens) } else { by_id("a") };
                host.report(&activity, report()).await.unwrap();
                assert_eq!(told(host.result("a").await), expected);
            });
            assert_eq!(world.attempts(), 1);
            world.check_rest();
        }
    }
}

#[test]
fn a_pending_attempt_that_fails_is_made_again_and_its_token_is_stale() {
    let world = World::new();
    let tokens = ask(&world);
    one(&world, "ask", |_| {});
    world.live(async |host| {
        host.start("one", "a").await;
        host.settle().await;
        let first = last(&tokens);
        let began = Instant::now();
        host.report(&first, failed("Later")).await.unwrap();
        assert_eq!(host.stands("a").await, "backoff, attempt 2");
        host.pass(secs(2)).await;
        assert_eq!(host.stands("a").await, "running by outside, attempt 2");
        let another = "the attempt has ended: the activity's start number 2 runs now";
        assert_eq!(stale(host.report(&first, done(1)).await), another);
        assert_eq!(stale(host.report(&first, Report::Pending).await), another);
        host.report(&last(&tokens), done(2)).await.unwrap();
        assert_eq!(host.value("a").await, "2");
        assert_eq!(began.elapsed().as_secs(), 2);
    });
    world.check_rest();
}

#[test]
fn heartbeats_from_outside_keep_a_pending_attempt_alive_and_reach_the_next() {
    let world = World::new();
    let tokens = ask(&world);
    one(&world, "ask", |options| options.heartbeat = Some(secs(10)));
    world.live(async |host| {
        host.start("one", "a").await;
        host.settle().await;
        for n in 1..=4 {
            host.pass(secs(6)).await;
            let by = if n % 2 == 0 { last(&tokens) } else { by_id("a") };
            host.beat(&by, n).await.unwrap();
        }
        host.pass(secs(2)).await;
        assert_eq!(host.stands("a").await, "running by outside, attempt 1");
        assert_eq!(host.pending("a").await.last_heartbeat, Some(json(4)));
    });
    world.live(async |host| {
        host.pass(secs(9)).await;
        assert_eq!(host.stands("a").await, "running by outside, attempt 1", "nobody could reach the host");
        host.pass(secs(3)).await;
        let pending = host.pending("a").await;
        assert_eq!((pending.attempt, pending.last_heartbeat), (2, Some(json(4))));
        host.report(&last(&tokens), done(1)).await.unwrap();
        host.value("a").await;
    });
    world.check_rest();
}

#[test]
fn a_pending_attempt_hears_of_a_cancel_by_its_heartbeat() {
    let world = World::new();
    let tokens = ask(&world);
    one_canceled(&world, "ask", |options| options.cancellation = Cancellation::WaitForCancellation);
    world.live(async |host| {
        host.start("one", "a").await;
        host.pass(secs(4)).await;
        assert!(!host.beat(&last(&tokens), 1).await.unwrap().cancel_requested);
        host.pass(secs(2)).await;
        assert!(host.beat(&last(&tokens), 2).await.unwrap().cancel_requested);
        host.report(&last(&tokens), Report::Canceled { details: Some(json(2)) }).await.unwrap();
        let failure = host.failure("a").await;
        assert_eq!((failure.kind, failure.details), (FailureKind::Canceled, Some(json(2))));
    });
    world.check_rest();
}

#[test]
fn what_an_attempt_was_told_before_it_answered_pending_is_told_to_who_goes_on_with_it() {
    let world = World::new();
    world.activity("hands over", |context, _| async move {
        assert_eq!(context.cancelled().await, CancelReason::Requested);
        Err(ActivityError::pending())
    });
    one_canceled(&world, "hands over", |options| options.cancellation = Cancellation::WaitForCancellation);
    world.live(async |host| {
        host.start("one", "a").await;
        host.pass(secs(6)).await;
        assert_eq!(host.stands("a").await, "running by outside, attempt 1");
        assert!(host.beat(&by_id("a"), 1).await.unwrap().cancel_requested);
        host.report(&by_id("a"), done(7)).await.unwrap();
        assert_eq!(host.value("a").await, "7");
    });
    world.check_rest();
}

#[test]
fn an_attempt_that_is_ended_by_its_token_before_it_answers_pending_has_ended() {
    let world = World::new();
    let tokens = Tokens::default();
    let (handed, gate) = (Arc::clone(&tokens), Arc::clone(&world.gate));
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&reasons);
    world.activity("asks slowly", move |context, _| {
        handed.lock().unwrap().push(context.task_token().to_owned());
        let (gate, heard) = (Arc::clone(&gate), Arc::clone(&heard));
        async move {
            gate.acquire().await.expect("the gate stays").forget();
            heard.lock().unwrap().extend(context.cancel_reason());
            Err(ActivityError::pending())
        }
    });
    world.workflow("goes on", |host, _| async move {
        assert_eq!(run(&host, activity("asks slowly", 1)).await?, Ok(json(4)));
        let timer = host.timer(secs(60))?;
        outcome(&host, timer).await?;
        completed(5)
    });
    world.live(async |host| {
        host.start("goes on", "a").await;
        host.settle().await;
        host.report(&last(&tokens), done(4)).await.unwrap();
        world.gate.add_permits(1);
        host.settle().await;
        assert_eq!(*reasons.lock().unwrap(), [CancelReason::Stale], "its answer is not wanted any more");
        assert!(host.describe("a").await.pending_activities.is_empty());
        assert_eq!(host.value("a").await, "5");
        host.check_quiet().await;
    });
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn a_worker_hands_its_attempt_over_and_is_free_for_another() {
    let mut world = World::new();
    let limits = refrain_runtime::RateLimits { concurrency: Some(1), ..Default::default() };
    world
        .options
        .task_queues
        .insert("default".to_owned(), refrain_runtime::QueueLimits { limits, in_process: true });
    one(&world, REMOTE, |options| options.start_to_close = Some(secs(100)));
    world.live(async |host| {
        host.start("one", "a").await;
        let task = host.task("rita-1").await;
        host.beat(&token(&task), 1).await.unwrap();
        host.start("one", "b").await;
        host.no_task("rita-2").await;
        host.report(&token(&task), Report::Pending).await.unwrap();
        host.report(&token(&task), Report::Pending).await.expect("its answer may have been lost");
        let other = host.task("rita-1").await;
        assert_eq!(other.workflow_id.as_str(), "b", "the poll's attempt runs no more");
        host.complete(&other, 0).await.unwrap();
        assert_eq!(host.stands("a").await, "running by outside, attempt 1");
        assert_eq!(host.pending("a").await.last_heartbeat, Some(json(1)));
        // Nobody ends it in time.
        let again = host.task("rita-3").await;
        assert_eq!((again.attempt, again.last_heartbeat.clone()), (2, Some(json(1))));
        host.complete(&again, 3).await.unwrap();
        assert_eq!(host.value("a").await, "3");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn ids_that_name_nothing_are_refused() {
    let world = World::new();
    ask(&world);
    one(&world, "ask", |_| {});
    world.live(async |host| {
        host.start("one", "a").await;
        host.settle().await;
        let unknown = ActivityRef::Id { target: target("a"), op: 77 };
        for answer in [host.report(&unknown, done(1)).await, host.beat(&unknown, 1).await.map(drop)] {
            match answer {
                Err(Error::Stale { activity: 77, reason }) => {
                    assert_eq!(reason, "the activity has ended, or there never was one of this id");
                }
                other => panic!("{other:?}"),
            }
        }
        let nobody = Error::NotFound { what: "workflow", id: "b".to_owned() };
        assert_eq!(host.report(&by_id("b"), done(1)).await, Err(nobody));
        host.report(&by_id("a"), done(1)).await.unwrap();
        host.value("a").await;
    });
    world.check_rest();
}
