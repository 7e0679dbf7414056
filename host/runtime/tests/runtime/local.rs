//! Local activities: run at once in the host, before the step that starts them is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use refrain_engine::call::{ActivityCommand, ActivityOptions, Interest};
use refrain_engine::failure::{FailureKind, Outcome};
use refrain_engine::mailbox::Event;
use refrain_plugin::ActivityError;
use refrain_runtime::{QueueLimits, RateLimits, RunStatus};
use refrain_store::schema::Prefix;
use refrain_store::{CommitError, Fault, FaultyStore, Table};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

/// A local activity with an hour for each attempt.
fn local(name: &str, input: impl std::fmt::Display) -> ActivityCommand {
    with(name, input, |options| options.local = true)
}

/// A chain of ten activities.
fn chain(world: &World, is_local: bool) {
    world.workflow("chain", move |host, _| async move {
        let mut sum = 0;
        for n in 1..=10_u32 {
            let command = with("echo", n, |options| options.local = is_local);
            let value = run(&host, command).await?.expect("a result");
            sum += text(&value).parse::<u32>().expect("a number");
        }
        completed(sum)
    });
}

/// How many commits a workflow takes from its start to its end.
fn commits(world: &World, workflow: &str) -> u64 {
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let before = counted.writes();
            assert_eq!(host.execute(workflow).await, "55");
            counted.writes() - before
        })
        .unwrap()
}

#[test]
fn a_chain_of_local_activities_costs_one_commit_beside_its_start() {
    let (ordinary, quick) = (World::new(), World::new());
    chain(&ordinary, false);
    chain(&quick, true);
    assert_eq!(commits(&ordinary, "chain"), 12, "the start, ten steps and the end");
    assert_eq!(commits(&quick, "chain"), 2);
    for world in [ordinary, quick] {
        assert_eq!(world.attempts(), 10);
        assert!(world.recorded().values().all(|count| *count == 1));
        world.check_rest();
    }
}

#[test]
fn a_step_does_not_wait_for_a_slow_local_activity() {
    let world = World::new();
    world.activity("takes", |_, input| async move {
        tokio::time::sleep(Duration::from_millis(input.parse()?)).await;
        Ok(input)
    });
    world.workflow("slow", |host, _| async move {
        let (quick, slow) = (host.activity(local("takes", 2))?, host.activity(local("takes", 500))?);
        outcome(&host, quick).await?;
        as_outcome(match outcome(&host, slow).await? {
            Outcome::Completed(value) => Ok(value),
            Outcome::Failed(failure) => Err(failure),
        })
    });
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("slow", "s").await;
            let before = counted.writes();
            host.pass(Duration::from_millis(4)).await;
            assert_eq!((counted.writes(), host.describe("s").await.journal_steps), (before, 0));
            host.pass(Duration::from_millis(6)).await;
            assert_eq!((counted.writes(), host.describe("s").await.journal_steps), (before + 1, 2));
            assert_eq!(host.stands("s").await, "running by host, attempt 1");
            assert_eq!(host.pending("s").await.op, 2);
            assert_eq!(host.value("s").await, "500");
            assert_eq!(counted.writes(), before + 2);
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_local_activity_is_tried_again_after_a_durable_pause() {
    let world = World::new();
    world.workflow("one", |host, _| async move { as_outcome(run(&host, local("flaky", 2)).await?) });
    world.live(async |host| {
        host.start("one", "w").await;
        host.settle().await;
        assert_eq!(host.stands("w").await, "backoff, attempt 2");
    });
    assert_eq!(world.attempts(), 1);
    world.skip(secs(10));
    world.live(async |host| {
        let began = Instant::now();
        assert_eq!(host.value("w").await, "3");
        assert_eq!(began.elapsed().as_secs(), 2, "the first pause has passed");
        host.check_quiet().await;
    });
    assert_eq!(world.attempts(), 3);
    world.check_rest();
}

#[test]
fn attempts_that_follow_at_once_are_made_before_the_step_is_committed() {
    let world = World::new();
    world.workflow("one", |host, _| async move {
        let command = with("flaky", 3, |options| {
            options.local = true;
            options.retry.initial_interval = Duration::from_millis(1);
            options.retry.backoff_coefficient = 1.0;
        });
        assert_eq!(run(&host, command).await?, Ok(json(4)));
        completed(55)
    });
    assert_eq!(commits(&world, "one"), 2);
    assert_eq!(world.attempts(), 4);
    world.check_rest();
}

#[test]
fn the_last_attempt_is_the_last_and_time_runs_out_as_for_others() {
    let exhausted = |options: &mut ActivityOptions| options.retry.maximum_attempts = 1;
    let slow = |options: &mut ActivityOptions| {
        options.start_to_close = Some(secs(2));
        options.retry.maximum_attempts = 1;
    };
    for (name, change, expected) in [
        ("flaky", exhausted as fn(&mut ActivityOptions), "application Flaky: no 1"),
        (
            "slow",
            slow,
            "timeout start-to-close: activity slow: the start-to-close timeout of 2s passed in attempt 1",
        ),
        ("panics", exhausted, "application Panicked: the activity panicked: a bug in a plugin"),
    ] {
        let world = World::new();
        world.workflow("one", move |host, _| async move {
            let command = with(name, 100, |options| {
                options.local = true;
                change(options);
            });
            as_outcome(run(&host, command).await?)
        });
        world.live(async |host| {
            host.start("one", "w").await;
            assert_eq!(told(host.result("w").await), expected);
        });
        assert_eq!(world.attempts(), 1);
        world.check_rest();
    }
}

#[test]
fn a_crash_before_the_commit_runs_it_again_and_one_after_it_does_not() {
    // The boot, the component and the start are the first three.
    for (fault, attempts) in [(Fault::StopBefore(4), 20), (Fault::StopAfter(4), 10)] {
        let world = World::new();
        chain(&world, true);
        let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), fault));
        world
            .live_on(store, async |host| {
                host.start("chain", "c").await;
                host.settle().await;
            })
            .unwrap();
        world.live(async |host| assert_eq!(host.value("c").await, "55"));
        assert_eq!(world.attempts(), attempts);
        world.check_rest();
    }
}

#[test]
fn an_attempt_that_a_crash_cut_off_counts_once_its_step_is_durable() {
    for (maximum, expected) in
        [(1, "host host-restarted: the host restarted while attempt 1 of activity gate ran"), (2, "6")]
    {
        let world = World::new();
        world.workflow("one", move |host, _| async move {
            let command = with("gate", 6, |options| {
                options.local = true;
                options.retry.maximum_attempts = maximum;
            });
            as_outcome(run(&host, command).await?)
        });
        world.live(async |host| {
            host.start("one", "w").await;
            host.settle().await;
        });
        world.gate.add_permits(1);
        world.live(async |host| {
            assert_eq!(told(host.result("w").await), expected);
            host.check_quiet().await;
        });
        assert_eq!(world.attempts(), maximum as usize);
        world.check_rest();
    }
}

#[test]
fn a_type_that_no_plugin_offers_is_not_found_and_waits_for_no_worker() {
    let world = World::new();
    world.workflow("one", |host, _| async move { as_outcome(run(&host, local(REMOTE, 1)).await?) });
    world.live(async |host| {
        let began = Instant::now();
        host.start("one", "w").await;
        let failure = host.failure("w").await;
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Host, "not-found"));
        assert!(began.elapsed() < secs(1));
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn queues_and_their_limits_do_not_apply() {
    let mut world = World::new();
    let limits = RateLimits { concurrency: Some(1), rate: Some(0.001), burst: Some(1) };
    world.options.task_queues.insert("default".to_owned(), QueueLimits { limits, in_process: false });
    world.options.activities.insert("echo".to_owned(), limits);
    chain(&world, true);
    world.live(async |host| {
        let began = Instant::now();
        assert_eq!(host.execute("chain").await, "55");
        assert!(began.elapsed() < secs(1));
    });
    world.check_rest();
}

#[test]
fn without_a_slot_they_wait_for_one() {
    let mut world = World::new();
    world.options.activity_slots = 2;
    world.workflow("many", |host, _| async move {
        let mut open = Vec::new();
        for _ in 0..7 {
            open.push(host.activity(local("slow", 1))?);
        }
        for op in open {
            let Outcome::Completed(_) = outcome(&host, op).await? else { panic!("a result") };
        }
        completed("null")
    });
    world.live(async |host| {
        let began = Instant::now();
        host.execute("many").await;
        assert_eq!(began.elapsed().as_secs(), 4);
        host.check_quiet().await;
    });
    assert_eq!(world.attempts(), 7);
    world.check_rest();
}

#[test]
fn a_cancel_reaches_a_local_activity() {
    let world = World::new();
    let stopped = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&stopped);
    world.activity("stops", move |context, _| {
        let counts = Arc::clone(&counts);
        async move {
            let reason = context.cancelled().await;
            counts.fetch_add(1, Ordering::Relaxed);
            Err(ActivityError::cancelled(reason))
        }
    });
    world.workflow("cancels", |host, _| async move {
        let (at_once, later) = (host.activity(local("stops", 1))?, host.activity(local("stops", 2))?);
        host.cancel(at_once, "enough")?;
        let timer = host.timer(secs(1))?;
        for op in [at_once, timer] {
            outcome(&host, op).await?;
        }
        host.cancel(later, "enough")?;
        let Outcome::Failed(failure) = outcome(&host, later).await? else { panic!("canceled") };
        assert_eq!(failure.kind, FailureKind::Canceled);
        completed("null")
    });
    world.live(async |host| {
        host.execute("cancels").await;
        host.settle().await;
        assert_eq!(stopped.load(Ordering::Relaxed) as usize, world.attempts(), "none is left that runs");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_message_is_not_held_up_by_a_local_activity() {
    let world = World::new();
    world.workflow("listens", |host, _| async move {
        let op = host.activity(local("slow", 60))?;
        let mut got = 0;
        loop {
            for event in host.wait(Interest::OpsAndMessages(vec![op])).await? {
                match event {
                    Event::Signal { .. } => got += 1,
                    Event::Finished { .. } => return completed(got),
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    world.live(async |host| {
        let began = Instant::now();
        host.start("listens", "l").await;
        for n in 1..=3 {
            host.signal("l", "n", "1", None).await.unwrap();
            assert!(began.elapsed() < Duration::from_millis(20), "{n}: {:?}", began.elapsed());
        }
        host.pass(secs(1)).await;
        host.signal("l", "n", "1", None).await.unwrap();
        assert_eq!(host.value("l").await, "4");
        assert_eq!(began.elapsed().as_secs(), 60);
    });
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn a_run_that_ends_while_its_first_step_is_not_committed_leaves_nothing() {
    let world = World::new();
    world.workflow("hasty", |host, _| async move {
        for command in [activity("hang", 1), activity(REMOTE, 2), local("hang", 3), local("flaky", 4)] {
            host.activity(command)?;
        }
        host.timer(secs(1_000))?;
        let last = host.activity(local("echo", 5))?;
        outcome(&host, last).await?;
        completed(55)
    });
    assert_eq!(commits(&world, "hasty"), 2);
    world.live(async |host| {
        host.pass(secs(2_000)).await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_local_activity_that_has_become_another_is_a_mismatch() {
    let world = World::new();
    world.workflow("one", |host, _| async move {
        run(&host, local("echo", 1)).await?.expect("a result");
        host.wait(Interest::Everything).await?;
        completed("null")
    });
    world.live(async |host| {
        host.start("one", "w").await;
        host.settle().await;
    });
    world.workflow("one", |host, _| async move {
        run(&host, activity("echo", 1)).await?.expect("a result");
        host.wait(Interest::Everything).await?;
        completed("null")
    });
    world.live(async |host| {
        host.signal("w", "n", "1", None).await.unwrap();
        host.settle().await;
        let description = host.describe("w").await;
        assert_eq!(description.summary.status, RunStatus::Parked);
        assert_eq!(description.parked.expect("a reason").kind, "mismatch");
        host.terminate("w").await.unwrap();
    });
}

#[test]
fn a_step_of_local_activities_that_a_shutdown_finds_is_committed() {
    let world = World::new();
    world.workflow("one", |host, _| async move { as_outcome(run(&host, local("slow", 3)).await?) });
    world.live(async |host| {
        host.start("one", "w").await;
        host.runtime.shutdown().await;
    });
    world.live(async |host| assert_eq!(host.value("w").await, "3"));
    assert_eq!(world.attempts(), 1, "its end was waited for");
    world.check_rest();
}

#[test]
fn an_attempt_of_a_step_that_was_never_committed_is_not_taken_for_the_one_that_follows() {
    let world = World::new();
    let started = AtomicU32::new(0);
    world.activity("numbered", move |_, _| {
        let number = started.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(secs(2)).await;
            Ok(refrain_plugin::Payload::json(&number)?)
        }
    });
    world.workflow("one", |host, _| async move { as_outcome(run(&host, local("numbered", 1)).await?) });
    // The boot, the component and the start come before the step, whose owner is another one after a second.
    let full = CommitError::Full { free: 0, reserve: 1 };
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Fail(4, full)));
    world
        .live_on(store, async |host| {
            host.start("one", "w").await;
            assert_eq!(host.value("w").await, "1");
            host.check_quiet().await;
        })
        .unwrap();
    assert_eq!(world.attempts(), 2);
    world.check_rest();
}

#[test]
fn heartbeats_of_local_activities_that_end_before_their_step_is_committed_leave_nothing() {
    for (is_canceled, goes_on) in [(false, false), (false, true), (true, false), (true, true)] {
        let world = World::new();
        world.activity("beats", |context, input| async move {
            context.heartbeat(1)?;
            tokio::time::sleep(Duration::from_millis(1)).await;
            context.heartbeat(2)?;
            Ok(input)
        });
        world.activity("beats-on", |context, _| async move {
            context.heartbeat(1)?;
            let reason = context.cancelled().await;
            context.heartbeat(2)?;
            Err(ActivityError::cancelled(reason))
        });
        world.workflow("one", move |host, _| async move {
            let canceled = if is_canceled { Some(host.activity(local("beats-on", 1))?) } else { None };
            run(&host, local("beats", 2)).await?.expect("a result");
            if let Some(op) = canceled {
                host.cancel(op, "enough")?;
                outcome(&host, op).await?;
            }
            if goes_on {
                host.wait(Interest::Everything).await?;
            }
            completed("null")
        });
        world.live(async |host| {
            host.start("one", "w").await;
            host.pass(secs(2)).await;
            let rows = world.under(&Prefix::namespace(Table::Heartbeats, &host.namespace));
            assert!(rows.is_empty(), "canceled: {is_canceled}, goes on: {goes_on}");
            if goes_on {
                host.signal("w", "n", "1", None).await.unwrap();
            }
            host.value("w").await;
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn a_step_waits_no_longer_than_its_local_activities_run() {
    let world = World::new();
    world.workflow("both", |host, _| async move {
        run(&host, local("echo", 1)).await?.expect("a result");
        as_outcome(run(&host, activity("echo", 2)).await?)
    });
    world.live(async |host| {
        let began = Instant::now();
        assert_eq!(host.execute("both").await, "2");
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
    world.check_rest();
}
