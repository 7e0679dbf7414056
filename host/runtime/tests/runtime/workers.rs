//! Attempts of workers out of process: polls, reports, and what outlives a host.

use std::sync::Arc;
use std::time::Duration;

use refrain_engine::activity::{Phase, Runner};
use refrain_engine::call::Cancellation;
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::ids::Namespace;
use refrain_runtime::{ActivityRef, ActivityTask, Control, Error, Report, ResetRequest};
use refrain_store::{Fault, FaultyStore, MemoryStore, Store};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

#[test]
fn a_task_is_durably_started_before_its_poll_is_answered() {
    let world = World::new();
    one(&world, REMOTE, |options| options.heartbeat = Some(secs(30)));
    world.live(async |host| {
        let run_id = host.try_start("one", "w", "7").await.unwrap().run_id;
        let task = host.task("rita-1").await;
        let stored = world.stored(&task);
        let Phase::Running { runner, started_at, .. } = &stored.phase else { panic!("{stored:?}") };
        assert_eq!(*runner, Runner::Worker { identity: "rita".to_owned(), poll_id: "rita-1".to_owned() });
        assert_eq!((task.started_at, task.scheduled_at), (*started_at, stored.scheduled_at));
        assert_eq!((task.activity.as_str(), text(&task.input).as_str(), task.attempt), (REMOTE, "7", 1));
        assert_eq!((task.workflow_id.as_str(), task.run_id, task.op), ("w", run_id, 1));
        assert_eq!((task.workflow.as_str(), task.queue.as_str(), task.priority), ("one", "default", 3));
        assert_eq!(task.idempotency_key, format!("{run_id}/1"));
        assert_eq!((task.heartbeat_timeout, task.last_heartbeat.clone()), (Some(secs(30)), None));
        assert_eq!(task.deadline, Some(task.started_at.after(secs(3_600))));
        assert_eq!(host.stands("w").await, "running by worker, attempt 1");
        assert_eq!(host.pending("w").await.worker.as_deref(), Some("rita"));
        host.complete(&task, 8).await.unwrap();
        assert_eq!(host.value("w").await, "8");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn the_same_poll_gets_the_same_task_while_its_attempt_runs() {
    let world = World::new();
    remote(&world);
    let first = world.live(async |host| {
        host.start("one", "w").await;
        let first = host.task("rita-1").await;
        assert_eq!(host.task("rita-1").await, first);
        host.no_task("rita-2").await;
        first
    });
    world.live(async |host| {
        assert_eq!(host.task("rita-1").await, first, "after a crash");
        host.no_task("rita-2").await;
        host.complete(&first, 1).await.unwrap();
        host.no_task("rita-1").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_poll_that_is_repeated_before_a_boot_knows_its_attempts_is_not_told_that_there_is_nothing() {
    let world = World::new();
    remote(&world);
    let first = world.live(async |host| {
        host.start("one", "w").await;
        host.task("rita-1").await
    });
    world.live(async |host| {
        // Nobody has had time to place the attempt, and the worker asks once, without waiting.
        assert_eq!(host.poll("rita-1", Duration::ZERO).await.unwrap().as_ref(), Some(&first));
        host.complete(&first, 1).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_poll_whose_client_goes_while_its_task_is_made_durable_gets_it_when_it_asks_again() {
    let world = World::new();
    remote(&world);
    // The boot, the component and the start come before the step, whose batch starts the attempt too.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(4)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let poller = host.clone();
            let poll = tokio::spawn(async move { poller.task("rita-1").await });
            host.settle().await;
            host.start("one", "w").await;
            host.settle().await;
            assert_eq!(held.held(), 1);
            poll.abort();
            host.settle().await;
            held.release();
            host.settle().await;
            assert_eq!(host.stands("w").await, "running by worker, attempt 1");
            host.no_task("rita-2").await;
            let task = host.task("rita-1").await;
            assert_eq!((task.attempt, world.stored(&task).starts), (1, 1));
            host.complete(&task, 1).await.unwrap();
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_poll_that_is_repeated_while_its_task_is_made_durable_gets_it_in_place_of_the_first() {
    let world = World::new();
    remote(&world);
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(4)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let poll = |host: &Host| {
                let poller = host.clone();
                tokio::spawn(async move { poller.poll("rita-1", A_DAY).await.unwrap() })
            };
            let first = poll(&host);
            host.settle().await;
            host.start("one", "w").await;
            host.settle().await;
            let second = poll(&host);
            host.settle().await;
            held.release();
            assert_eq!(first.await.unwrap(), None, "the later request has taken its place");
            let task = second.await.unwrap().expect("the task");
            host.complete(&task, 1).await.unwrap();
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn two_pollers_share_the_tasks_and_each_task_is_handed_out_once() {
    let world = World::new();
    many(&world, 40);
    world.live(async |host| {
        host.start("many", "m").await;
        let worker = async |name: &str| {
            let mut ops = Vec::new();
            let mut poll = 0;
            while let Some(task) = {
                poll += 1;
                host.poll(&format!("{name}-{poll}"), secs(2)).await.unwrap()
            } {
                host.pass(secs(1)).await;
                host.complete(&task, "null").await.unwrap();
                ops.push(task.op);
            }
            ops
        };
        let (mut ops, others) = tokio::join!(worker("rita"), worker("sue"));
        assert_eq!((ops.len(), others.len()), (20, 20));
        ops.extend(others);
        ops.sort_unstable();
        assert_eq!(ops, (1..=40).collect::<Vec<_>>());
        assert_eq!(host.value("m").await, "40");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_poll_gets_only_the_types_that_it_names() {
    let world = World::new();
    world.workflow("two", |host, _| async move {
        let (a, b) = (host.activity(activity("charge", 1))?, host.activity(activity("ship", 2))?);
        for op in [a, b] {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.live(async |host| {
        host.start("two", "t").await;
        let wait = secs(1);
        assert_eq!(host.poll_for("default", &["pack"], "p-1", wait).await, Ok(None));
        assert_eq!(host.poll_for("other", &[], "o-1", wait).await, Ok(None));
        let ship = host.poll_for("default", &["pack", "ship"], "s-1", wait).await.unwrap().expect("a task");
        assert_eq!(ship.activity, "ship");
        let charge = host.task("any-1").await;
        assert_eq!(charge.activity, "charge");
        for task in [ship, charge] {
            host.complete(&task, 0).await.unwrap();
        }
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_long_poll_ends_when_a_task_comes_or_its_time_is_over() {
    let world = World::new();
    remote(&world);
    world.live(async |host| {
        let began = Instant::now();
        assert_eq!(host.poll("rita-1", secs(30)).await, Ok(None));
        assert_eq!(began.elapsed().as_secs(), 30);
        let (task, ()) = tokio::join!(host.task("rita-2"), async {
            host.pass(secs(5)).await;
            host.start("one", "w").await;
        });
        assert_eq!(began.elapsed().as_secs(), 35);
        host.complete(&task, 1).await.unwrap();
        host.start("one", "now").await;
        host.settle().await;
        let task = host.poll("rita-3", Duration::ZERO).await.unwrap().expect("what waits needs no waiting");
        host.complete(&task, 1).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn what_a_poll_says_is_checked_by_field() {
    let world = World::new();
    world.live(async |host| {
        let long = "x".repeat(300);
        let types: Vec<&str> = std::iter::repeat_n("a", 1_001).collect();
        for (queue, types, poll_id, field) in [
            ("", vec![], "p", "task_queue"),
            ("default", vec![], "", "worker"),
            ("default", vec![], "-", "worker"),
            ("default", vec![long.as_str()], "p", "activities"),
            ("default", types, "p", "activities"),
        ] {
            match host.poll_for(queue, &types, poll_id, secs(1)).await {
                Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    });
}

#[test]
fn an_attempt_that_fails_is_made_again_by_whoever_polls_next() {
    let world = World::new();
    one(&world, REMOTE, |options| options.retry.non_retryable_error_types = vec!["Fraud".to_owned()]);
    world.live(async |host| {
        host.start("one", "w").await;
        let first = host.task("rita-1").await;
        host.report(&token(&first), failed("Busy")).await.unwrap();
        assert_eq!(host.stands("w").await, "backoff, attempt 2");
        let began = Instant::now();
        let second = host.task("sue-1").await;
        assert_eq!((second.attempt, began.elapsed().as_secs()), (2, 1));
        assert_ne!(second.task_token, first.task_token);
        let failure = Failure::new(FailureKind::Application, "Busy", "the bank says when");
        let report = Report::Failed { failure, next_retry_delay: Some(secs(40)), benign: true };
        host.report(&token(&second), report).await.unwrap();
        let third = host.task("rita-2").await;
        assert_eq!((third.attempt, began.elapsed().as_secs()), (3, 41));
        host.report(&token(&third), failed("Fraud")).await.unwrap();
        assert_eq!(told(host.result("w").await), "application Fraud: no");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_worker_that_dies_gives_its_task_back_when_its_time_is_over() {
    let world = World::new();
    one(&world, REMOTE, |options| options.start_to_close = Some(secs(10)));
    world.live(async |host| {
        host.start("one", "w").await;
        let lost = host.task("rita-1").await;
        let began = Instant::now();
        let second = host.task("sue-1").await;
        assert_eq!((second.attempt, began.elapsed().as_secs()), (2, 11));
        host.no_task("rita-1").await;
        assert_eq!(
            stale(host.complete(&lost, 1).await),
            "the attempt has ended: the activity's start number 2 runs now"
        );
        host.complete(&second, 2).await.unwrap();
        assert_eq!(host.value("w").await, "2");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_worker_that_falls_silent_gives_its_task_back_with_its_last_words() {
    let world = World::new();
    one(&world, REMOTE, |options| options.heartbeat = Some(secs(10)));
    world.live(async |host| {
        host.start("one", "w").await;
        let lost = host.task("rita-1").await;
        let began = Instant::now();
        for n in 1..=3 {
            host.pass(secs(8)).await;
            host.beat(&token(&lost), n).await.unwrap();
        }
        let second = host.task("sue-1").await;
        assert_eq!((second.attempt, began.elapsed().as_secs()), (2, 35));
        assert_eq!(second.last_heartbeat, Some(json(3)));
        stale(host.beat(&token(&lost), 4).await);
        host.complete(&second, 2).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn what_comes_too_late_is_refused_with_the_reason() {
    let world = World::new();
    remote(&world);
    world.live(async |host| {
        let run_id = host.start("one", "w").await;
        let first = host.task("rita-1").await;
        host.report(&token(&first), failed("Busy")).await.unwrap();
        let none_runs = "the attempt has ended, and no other one of the activity runs";
        assert_eq!(stale(host.complete(&first, 1).await), none_runs);
        assert_eq!(stale(host.report(&token(&first), Report::Pending).await), none_runs);
        assert_eq!(stale(host.beat(&token(&first), 1).await), none_runs);
        assert_eq!(stale(host.beat(&by_id("w"), 1).await), "no attempt of it runs");

        let second = host.task("rita-2").await;
        host.control("w", reset()).await.unwrap();
        host.report(&token(&second), failed("Busy")).await.unwrap();
        let third = host.task("rita-3").await;
        assert_eq!(third.attempt, 1, "attempts begin anew, and their tokens do not");
        let another = "the attempt has ended: the activity's start number 3 runs now";
        for task in [&first, &second] {
            assert_eq!(stale(host.complete(task, 1).await), another);
            assert_eq!(stale(host.beat(&token(task), 1).await), another);
        }
        host.complete(&third, 3).await.unwrap();
        let answered_twice = stale(host.complete(&third, 4).await);
        let closed = format!("workflow \"w\" has ended: run {run_id} is completed");
        assert!(
            [closed.as_str(), "the activity has ended, or there never was one of this id"]
                .contains(&answered_twice.as_str())
        );
        assert_eq!(host.value("w").await, "3");
        assert_eq!(stale(host.complete(&third, 4).await), closed);
        assert_eq!(stale(host.beat(&token(&third), 4).await), closed);
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn the_task_of_an_activity_that_has_ended_in_a_run_that_goes_on_is_stale() {
    let world = World::new();
    world.workflow("goes on", |host, _| async move {
        run(&host, activity(REMOTE, 1)).await?.expect("a result");
        let timer = host.timer(secs(60))?;
        outcome(&host, timer).await?;
        completed("null")
    });
    world.live(async |host| {
        host.start("goes on", "w").await;
        let task = host.task("rita-1").await;
        host.complete(&task, 1).await.unwrap();
        let ended = "the activity has ended, or there never was one of this id";
        assert_eq!(stale(host.complete(&task, 1).await), ended);
        assert_eq!(stale(host.beat(&token(&task), 1).await), ended);
        host.value("w").await;
    });
    world.check_rest();
}

#[test]
fn a_completion_is_durable_once_it_is_acknowledged_and_not_before() {
    for (fault, lasts) in
        [(None, true), (Some(Fault::StopAfter(5)), true), (Some(Fault::StopBefore(5)), false)]
    {
        let world = World::new();
        remote(&world);
        // The boot, the component, the start, the step with the attempt's start; then the completion.
        let store: Arc<dyn Store> = match fault.clone() {
            None => Arc::clone(&world.store) as _,
            Some(fault) => Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), fault)),
        };
        let task = world
            .live_on(store, async |host| {
                let poller = host.clone();
                let poll = tokio::spawn(async move { poller.task("rita-1").await });
                host.settle().await;
                host.start("one", "w").await;
                let task = poll.await.unwrap();
                let answer = host.complete(&task, 8).await;
                assert_eq!(answer.is_ok(), fault.is_none(), "{fault:?}: {answer:?}");
                task
            })
            .unwrap();
        world.live(async |host| {
            if !lasts {
                host.settle().await;
                assert_eq!(host.stands("w").await, "running by worker, attempt 1");
                host.complete(&task, 8).await.unwrap();
            }
            assert_eq!(host.value("w").await, "8", "{fault:?}");
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn a_cancel_that_is_waited_for_reaches_a_worker_by_its_heartbeat() {
    let world = World::new();
    one_canceled(&world, REMOTE, |options| options.cancellation = Cancellation::WaitForCancellation);
    let task = world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        assert!(!host.beat(&token(&task), 1).await.unwrap().cancel_requested);
        host.pass(secs(6)).await;
        assert!(host.beat(&token(&task), 2).await.unwrap().cancel_requested);
        task
    });
    world.live(async |host| {
        let answer = host.beat(&token(&task), 3).await.unwrap();
        assert!(answer.cancel_requested, "after a crash");
        let canceled = Report::Canceled { details: Some(json("\"half of it\"")) };
        host.report(&token(&task), canceled).await.unwrap();
        let failure = host.failure("w").await;
        assert_eq!((failure.kind, failure.details), (FailureKind::Canceled, Some(json("\"half of it\""))));
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_cancel_that_nobody_waits_for_makes_the_task_stale() {
    let world = World::new();
    one_canceled(&world, REMOTE, |_| {});
    world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        assert_eq!(host.failure("w").await.kind, FailureKind::Canceled);
        stale(host.beat(&token(&task), 1).await);
        stale(host.report(&token(&task), Report::Canceled { details: None }).await);
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_task_that_no_worker_takes_in_time_fails_without_an_owner_in_memory() {
    let world = World::new();
    one(&world, REMOTE, |options| options.schedule_to_start = Some(secs(100)));
    world.live(async |host| {
        host.start("one", "w").await;
        host.pass(secs(50)).await;
        assert!(!host.describe("w").await.resident);
        let began = Instant::now();
        assert_eq!(
            told(host.result("w").await),
            "timeout schedule-to-start: activity charge: the schedule-to-start timeout of 100s passed in attempt 1"
        );
        assert_eq!(began.elapsed().as_secs(), 50);
        host.no_task("rita-1").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn an_attempt_needs_no_owner_and_no_host_while_it_runs() {
    let world = World::new();
    one(&world, REMOTE, |options| options.start_to_close = Some(secs(300)));
    let (kept, lost) = world.live(async |host| {
        host.start("one", "kept").await;
        host.start("one", "lost").await;
        let tasks = (host.task("rita-1").await, host.task("rita-2").await);
        host.pass(secs(30)).await;
        for id in ["kept", "lost"] {
            assert!(!host.describe(id).await.resident, "{id}");
        }
        let queue = host.runtime.task_queue(&host.namespace, "default").unwrap();
        assert_eq!((queue.backlog, queue.running), (0, 2));
        tasks
    });
    world.skip(secs(60));
    world.live(async |host| {
        host.settle().await;
        let queue = host.runtime.task_queue(&host.namespace, "default").unwrap();
        assert_eq!((queue.backlog, queue.running), (0, 2), "they still count");
        host.complete(&kept, 1).await.unwrap();
        assert_eq!(host.value("kept").await, "1");
        let began = Instant::now();
        let again = host.task("sue-1").await;
        assert_eq!((again.workflow_id, again.attempt), (lost.workflow_id, 2));
        // 300 s and the pause of 1 s, less the 90 s that have passed.
        assert_eq!(began.elapsed().as_secs(), 210);
        host.report(&by_id("lost"), done(2)).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn silence_counts_from_the_return_of_a_host_that_nobody_could_reach() {
    for (beats, attempt) in [(true, 1), (false, 2)] {
        let world = World::new();
        one(&world, REMOTE, |options| options.heartbeat = Some(secs(10)));
        let task = world.live(async |host| {
            host.start("one", "w").await;
            let task = host.task("rita-1").await;
            host.beat(&token(&task), 1).await.unwrap();
            task
        });
        world.skip(secs(500));
        world.live(async |host| {
            host.pass(secs(5)).await;
            if beats {
                host.beat(&token(&task), 2).await.unwrap();
            }
            host.pass(secs(7)).await;
            let current = if beats { task } else { host.task("sue-1").await };
            assert_eq!(current.attempt, attempt);
            host.complete(&current, 1).await.unwrap();
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn a_shutdown_loses_no_task_and_waits_for_no_worker() {
    let world = World::new();
    many(&world, 3);
    let running = world.live(async |host| {
        host.start("many", "m").await;
        let running = host.task("rita-1").await;
        let poller = host.clone();
        let waiting = tokio::spawn(async move { poller.poll_for("empty", &[], "rita-2", A_DAY).await });
        host.settle().await;
        let began = Instant::now();
        host.runtime.shutdown().await;
        assert!(began.elapsed() < secs(1), "{:?}", began.elapsed());
        assert_eq!(waiting.await.unwrap(), Ok(None));
        assert_eq!(host.poll("rita-3", secs(1)).await, Err(Error::ShuttingDown));
        assert_eq!(host.complete(&running, 1).await, Err(Error::ShuttingDown));
        assert_eq!(host.beat(&token(&running), 1).await, Err(Error::ShuttingDown));
        running
    });
    world.live(async |host| {
        host.complete(&running, 1).await.unwrap();
        for n in 4..6 {
            let task = host.task(&format!("rita-{n}")).await;
            assert_eq!(task.attempt, 1);
            host.complete(&task, 1).await.unwrap();
        }
        host.value("m").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

/// Lets an owner be busy with a commit while a worker is found for its task and while somebody does something
/// else, so that both come to it together. Answers what the worker gets.
async fn meets_its_beginning(
    host: &Host,
    held: &FaultyStore<MemoryStore>,
    other: impl Future<Output = Result<(), Error>> + Send + 'static,
) -> ActivityTask {
    host.start("one", "w").await;
    host.settle().await;
    let (signaller, poller) = (host.clone(), host.clone());
    let signal = tokio::spawn(async move { signaller.signal("w", "n", "1", None).await });
    host.settle().await;
    assert_eq!(held.held(), 1, "the signal is on its way");
    let poll = tokio::spawn(async move { poller.task("rita-1").await });
    host.settle().await;
    let other = tokio::spawn(other);
    host.settle().await;
    held.release();
    for done in [signal, other] {
        done.await.unwrap().unwrap();
    }
    poll.await.unwrap()
}

/// A store that holds the first write after the boot, the component, the start and the step.
fn holding(world: &World) -> Arc<FaultyStore<MemoryStore>> {
    Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(5)))
}

#[test]
fn a_task_that_is_failed_by_hand_as_it_begins_goes_on_with_its_next_attempt() {
    let world = World::new();
    remote(&world);
    let store = holding(&world);
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let operator = host.clone();
            let other = async move { operator.report(&by_id("w"), failed("Busy")).await };
            let task = meets_its_beginning(&host, &held, other).await;
            assert_eq!((task.attempt, world.stored(&task).starts), (2, 2));
            host.complete(&task, 1).await.unwrap();
            assert_eq!(host.value("w").await, "1");
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_task_that_is_paused_and_reset_as_it_begins_hears_of_it() {
    let world = World::new();
    remote(&world);
    let store = holding(&world);
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let operator = host.clone();
            let other = async move {
                let keep_paused = ResetRequest { reset_heartbeat: false, keep_paused: true };
                let controls =
                    (operator.control("w", pause()), operator.control("w", Control::Reset(keep_paused)));
                let (paused, reset) = tokio::join!(controls.0, controls.1);
                paused.and(reset)
            };
            let task = meets_its_beginning(&host, &held, other).await;
            let answer = host.beat(&token(&task), 1).await.unwrap();
            assert!(answer.paused && answer.reset, "{answer:?}");
            host.complete(&task, 1).await.unwrap();
            assert_eq!(host.value("w").await, "1");
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_worker_of_a_run_that_was_deleted_is_told_to_stop() {
    let world = World::new();
    remote(&world);
    world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        host.terminate("w").await.unwrap();
        host.runtime.delete(&host.namespace, &target("w")).await.unwrap();
        for answer in [host.complete(&task, 1).await, host.beat(&token(&task), 1).await.map(drop)] {
            assert!(matches!(answer, Err(Error::Stale { .. })), "{answer:?}");
        }
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn tokens_that_name_nothing_here_are_refused() {
    let mut world = World::new();
    let other = Namespace::new("other").unwrap();
    world.options.namespaces.push(other.clone());
    remote(&world);
    let elsewhere = World::new();
    remote(&elsewhere);
    let foreign = elsewhere.live(async |host| {
        host.start("one", "w").await;
        host.task("rita-1").await
    });
    world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        for malformed in ["", "?", &task.task_token[2..], &"A".repeat(100_000)] {
            let malformed = ActivityRef::Token(malformed.to_owned());
            for answer in [host.report(&malformed, done(1)).await, host.beat(&malformed, 1).await.map(drop)] {
                match answer {
                    Err(Error::Invalid { field, .. }) => assert_eq!(field, "task_token"),
                    other => panic!("{other:?}"),
                }
            }
        }
        let reason = format!("there is no run {} any more", foreign.run_id);
        let unknown = Error::Stale { activity: foreign.op, reason };
        assert_eq!(host.complete(&foreign, 1).await, Err(unknown.clone()));
        assert_eq!(host.beat(&token(&foreign), 1).await, Err(unknown));
        match host.runtime.report_activity(&other, &token(&task), done(1)).await {
            Err(Error::Invalid { field, message }) => {
                assert_eq!(
                    (field.as_str(), message.as_str()),
                    ("task_token", "is of namespace \"default\": address that one")
                );
            }
            other => panic!("{other:?}"),
        }
        host.complete(&task, 1).await.unwrap();
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_workers_attempt_is_known_to_a_host_that_comes_back_whatever_else_its_run_has_lost() {
    // The boot is the first to look at the run, or a timer that is due is.
    for later in [secs(0), secs(60)] {
        let world = World::new();
        world.workflow("both", |host, _| async move {
            // That its attempt was lost is more than waits for the rows of the others.
            let large = format!("\"{}\"", "x".repeat(1 << 20));
            let here = host.activity(activity("gate", large))?;
            for op in [host.timer(secs(30))?, here, host.activity(activity(REMOTE, 2))?] {
                outcome(&host, op).await?;
            }
            completed("null")
        });
        let task = world.live(async |host| {
            host.start("both", "b").await;
            host.task("rita-1").await
        });
        world.skip(later);
        // After the boot comes what the run's owner makes of the lost attempt.
        let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(2)));
        let held = Arc::clone(&store);
        world
            .live_on(store, async |host| {
                let same = token(&task);
                let (answer, again, ()) = tokio::join!(host.beat(&same, 1), host.task("rita-1"), async {
                    host.settle().await;
                    assert_eq!(held.held(), 1);
                    held.release();
                });
                answer.expect("the attempt runs");
                assert_eq!(again.task_token, task.task_token);
                world.gate.add_permits(1);
                host.complete(&task, 1).await.unwrap();
                host.value("b").await;
                host.check_quiet().await;
            })
            .unwrap();
        world.check_rest();
    }
}
