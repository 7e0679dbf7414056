//! The end of a host, in good order and otherwise.

use std::sync::Arc;

use refrain_engine::call::{Cancellation, Interest};
use refrain_engine::failure::{FailureKind, Outcome};
use refrain_runtime::{Error, Health, RunResult, RunStatus};
use refrain_store::{CommitError, Fault, FaultyStore, Store};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

#[test]
fn an_attempt_that_ends_within_the_grace_is_recorded() {
    let world = World::new();
    world.workflow("slow", |host, _| async move { as_outcome(run(&host, activity("slow", 5)).await?) });
    world.live(async |host| {
        host.start("slow", "s").await;
        host.pass(secs(1)).await;
        let began = Instant::now();
        host.runtime.shutdown().await;
        assert_eq!(began.elapsed().as_secs(), 4, "no longer than the attempt takes");
        assert_eq!(host.runtime.health(), Health::ShuttingDown);
        for refused in
            [host.try_start("slow", "t", "1").await.map(drop), host.signal("s", "n", "1", None).await]
        {
            assert_eq!(refused, Err(Error::ShuttingDown));
        }
        assert_eq!(host.status("s").await, RunStatus::Running, "it can still be looked at");
    });
    world.live(async |host| assert_eq!(host.value("s").await, "5"));
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn what_does_not_end_within_the_grace_is_left_to_the_next_boot() {
    let world = World::new();
    world.workflow("slow", |host, _| async move { as_outcome(run(&host, activity("gate", 5)).await?) });
    world.live(async |host| {
        host.start("slow", "s").await;
        host.settle().await;
        let began = Instant::now();
        host.runtime.shutdown().await;
        assert_eq!(began.elapsed().as_secs(), 10);
    });
    world.gate.add_permits(1);
    world.live(async |host| assert_eq!(host.value("s").await, "5"));
    assert_eq!(world.attempts(), 2);
    world.check_rest();
}

#[test]
fn a_shutdown_starts_nothing_and_waits_for_nothing_that_does_not_run() {
    let mut world = World::new();
    world.options.activity_slots = 3;
    world.workflow("many", |host, _| async move {
        let mut open = Vec::new();
        // Attempts that stop when they are told, one that fails and would be retried, and some that wait.
        for (name, input) in [("hang", 0), ("flaky", 9), ("slow", 3), ("slow", 1), ("slow", 1), ("echo", 1)] {
            open.push(host.activity(activity(name, input))?);
        }
        for op in open.split_off(2) {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.workflow("sleeps", |host, _| async move {
        for _ in 0..2 {
            let op = host.timer(secs(2))?;
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.live(async |host| {
        host.start("sleeps", "sleeps").await;
        host.start("many", "many").await;
        host.pass(secs(2)).await;
        let attempts = world.attempts();
        let began = Instant::now();
        host.runtime.shutdown().await;
        assert!(began.elapsed() <= secs(2), "{:?}", began.elapsed());
        host.pass(secs(100)).await;
        assert_eq!(world.attempts(), attempts, "nothing is started any more");
        assert_eq!(host.status("sleeps").await, RunStatus::Running);
    });
    world.live(async |host| {
        for id in ["sleeps", "many"] {
            host.value(id).await;
        }
    });
    world.check_rest();
}

#[test]
fn steps_reach_a_wait_before_the_host_goes() {
    let world = World::new();
    world.workflow("computes", |host, _| async move {
        host.wait(Interest::Everything).await?;
        tokio::time::sleep(secs(3)).await;
        as_outcome(run(&host, activity("echo", 1)).await?)
    });
    world.live(async |host| {
        host.start("computes", "c").await;
        host.signal("c", "go", "1", None).await.unwrap();
        host.pass(secs(1)).await;
        host.runtime.shutdown().await;
        let description = host.describe("c").await;
        assert_eq!((description.journal_steps, description.pending_activities.len()), (2, 1));
        assert_eq!(world.attempts(), 0, "the next boot makes the attempt");
    });
    world.live(async |host| assert_eq!(host.value("c").await, "1"));
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn a_store_that_fails_ends_the_host_and_nothing_is_acknowledged() {
    let world = World::new();
    world.workflow("waits", |host, _| async move { completed(host.wait(Interest::Everything).await?.len()) });
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::StopBefore(5)));
    world
        .live_on(store, async |host| {
            host.start("waits", "w").await;
            host.settle().await;
            assert_eq!(host.runtime.health(), Health::Ready);
            let (poll, watcher) = (host.clone(), host.clone());
            let poll = tokio::spawn(async move { poll.result("w").await });
            let watcher = tokio::spawn(async move { watcher.runtime.failed().await });
            let began = Instant::now();
            assert!(matches!(host.signal("w", "n", "1", None).await, Err(Error::Poisoned(_))));
            watcher.await.unwrap();
            assert!(
                matches!(poll.await.unwrap(), RunResult::Running { .. }),
                "who waits is not kept waiting"
            );
            assert!(began.elapsed() < secs(1));
            assert!(matches!(host.runtime.health(), Health::Poisoned(_)));
            assert!(matches!(host.try_start("waits", "x", "1").await, Err(Error::Poisoned(_))));
        })
        .unwrap();
    world.live(async |host| {
        host.signal("w", "n", "1", None).await.unwrap();
        assert_eq!(host.value("w").await, "1", "the refused signal is not there");
    });
    world.check_rest();
}

#[test]
fn a_start_that_meets_a_failed_store_ends_the_host() {
    let world = World::new();
    world.workflow("waits", |host, _| async move { completed(host.wait(Interest::Everything).await?.len()) });
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::StopBefore(3)));
    world
        .live_on(store, async |host| {
            assert!(matches!(host.try_start("waits", "w", "1").await, Err(Error::Poisoned(_))));
            assert!(matches!(host.runtime.health(), Health::Poisoned(_)), "at once");
            host.runtime.failed().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_full_disk_refuses_new_work_and_lets_runs_end() {
    let world = World::new();
    world.workflow("waits", |host, _| async move {
        let op = host.activity(activity("slow", 2))?;
        outcome(&host, op).await?;
        completed("null")
    });
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Full(4)));
    world
        .live_on(store, async |host| {
            host.start("waits", "w").await;
            host.settle().await;
            assert_eq!(host.try_start("waits", "x", "1").await, Err(Error::Full));
            host.value("w").await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_commit_that_is_refused_loses_nothing_that_was_acknowledged() {
    let too_large = CommitError::TooLarge { bytes: 17 << 20, limit: 16 << 20 };
    let world = World::new();
    world.workflow("signals", |host, _| async move {
        let timer = host.timer(secs(5))?;
        let slow = host.activity(activity("slow", 3))?;
        outcome(&host, slow).await?;
        outcome(&host, timer).await?;
        completed(host.wait(Interest::Everything).await?.len())
    });
    // Boot, component, start, first step, the signal, and then the step that takes the outcome.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Fail(6, too_large)));
    world
        .live_on(store, async |host| {
            host.start("signals", "s").await;
            host.settle().await;
            host.signal("s", "n", "1", None).await.unwrap();
            host.pass(secs(4)).await;
            let parked = host.describe("s").await.parked.expect("a step that does not fit parks");
            assert_eq!(parked.kind, "limit");
            host.pass(secs(60)).await;
            host.resume("s").await.unwrap();
            host.pass(secs(60)).await;
        })
        .unwrap();
    // The outcome went with the refused batch: its attempt is made again when the host comes back.
    world.live(async |host| assert_eq!(host.value("s").await, "1"));
    world.check_rest();
}

#[test]
fn a_firing_that_was_refused_comes_again() {
    let too_large = CommitError::TooLarge { bytes: 17 << 20, limit: 16 << 20 };
    let world = World::new();
    world.workflow("timer", |host, _| async move {
        let timer = host.timer(secs(5))?;
        outcome(&host, timer).await?;
        completed("null")
    });
    // Boot, component, start, first step, and then the firing's commit.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Fail(5, too_large)));
    world
        .live_on(store, async |host| {
            host.start("timer", "t").await;
            host.pass(secs(6)).await;
            assert_eq!(host.status("t").await, RunStatus::Parked);
            host.resume("t").await.unwrap();
            host.value("t").await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_runtime_that_was_shut_down_lets_go_of_its_store() {
    let world = World::new();
    world.workflow("waits", |host, _| async move { completed(host.wait(Interest::Everything).await?.len()) });
    let held = Arc::downgrade(&world.store);
    let before = held.strong_count();
    world.live(async |host| {
        host.start("waits", "w").await;
        host.settle().await;
        host.runtime.shutdown().await;
        drop(host);
        tokio::time::sleep(secs(1)).await;
        assert_eq!(held.strong_count(), before, "another host of this process can open it");
    });
    world.live(async |host| {
        host.signal("w", "n", "1", None).await.unwrap();
        assert_eq!(host.value("w").await, "1");
        world.store.close().unwrap();
    });
}

#[test]
fn a_store_that_cannot_be_read_ends_the_host_and_the_next_one_goes_on() {
    let world = World::new();
    world.workflow("sleeps", |host, _| async move {
        let op = host.timer(secs(100))?;
        outcome(&host, op).await?;
        completed("null")
    });
    let store = Arc::new(UnreadableHeads::new(Arc::clone(&world.store)));
    let broken = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("sleeps", "s").await;
            host.pass(secs(50)).await;
            broken.break_now();
            host.pass(secs(100)).await;
            assert!(matches!(host.runtime.health(), Health::Poisoned(_)), "the firing is not just lost");
        })
        .unwrap();
    world.live(async |host| {
        host.value("s").await;
    });
    world.check_rest();
}

#[test]
fn an_attempt_that_the_run_canceled_ends_as_canceled_while_the_host_stops() {
    let world = World::new();
    world.activity("lingers", |context, _| async move {
        let reason = context.cancelled().await;
        tokio::time::sleep(secs(3)).await;
        Err(refrain_plugin::ActivityError::cancelled(reason))
    });
    world.workflow("cancels", |host, _| async move {
        let op = host.activity(with("lingers", 1, |options| {
            options.cancellation = Cancellation::WaitForCancellation;
            options.retry.maximum_attempts = 1;
        }))?;
        let pause = host.timer(secs(1))?;
        outcome(&host, pause).await?;
        host.cancel(op, "enough")?;
        as_outcome(match outcome(&host, op).await? {
            Outcome::Completed(value) => Ok(value),
            Outcome::Failed(failure) => Err(failure),
        })
    });
    world.live(async |host| {
        host.start("cancels", "c").await;
        host.pass(secs(2)).await;
        host.runtime.shutdown().await;
    });
    world.live(async |host| assert_eq!(host.failure("c").await.kind, FailureKind::Canceled));
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn a_report_that_meets_a_stopping_host_is_not_stale_and_the_next_host_takes_it() {
    let world = World::new();
    remote(&world);
    // The boot, the component, the start, the step with its attempt; then the heartbeat is made durable.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(6)));
    let held = Arc::clone(&store);
    let task = world
        .live_on(store, async |host| {
            host.start("one", "w").await;
            let task = host.task("rita-1").await;
            let before = held.writes();
            host.beat(&token(&task), 1).await.unwrap();
            host.settle().await;
            assert_eq!((held.writes(), held.held()), (before + 1, 1), "the owner waits for the store");
            let (worker, late) = (host.clone(), task.clone());
            let report = tokio::spawn(async move { worker.complete(&late, 1).await });
            host.settle().await;
            let stopping = host.clone();
            let stopped = tokio::spawn(async move { stopping.runtime.shutdown().await });
            host.settle().await;
            held.release();
            assert_eq!(report.await.unwrap(), Err(Error::ShuttingDown));
            stopped.await.unwrap();
            task
        })
        .unwrap();
    world.live(async |host| {
        host.complete(&task, 1).await.unwrap();
        assert_eq!(host.value("w").await, "1");
    });
    world.check_rest();
}
