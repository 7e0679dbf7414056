//! Task queues: their limits, their order, and what a boot puts into them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use refrain_engine::call::{ActivityOptions, Fairness};
use refrain_engine::failure::Outcome;
use refrain_engine::guest::{Guest, Guests, OpenError};
use refrain_engine::ids::Digest;
use refrain_engine::limits::Profile;
use refrain_engine::scripted::ScriptedGuests;
use refrain_runtime::{Error, QueueLimits, RateLimits};
use refrain_store::{Fault, FaultyStore};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

#[test]
fn a_full_queue_refuses_starts_and_lets_activities_wait_without_using_up_attempts() {
    let mut world = World::new();
    world.options.queued_tasks = 2;
    world.workflow("many", |host, _| async move {
        let mut open = Vec::new();
        for n in 0..4 {
            let once = with(REMOTE, n, |options| options.retry.maximum_attempts = 1);
            open.push(host.activity(once)?);
        }
        for op in open {
            let Outcome::Completed(_) = outcome(&host, op).await? else { panic!("a result") };
        }
        completed("null")
    });
    let check = async |host: &Host| {
        let pending = host.describe("m").await.pending_activities;
        let stand: Vec<_> = pending.iter().map(|activity| (activity.state, activity.attempt)).collect();
        assert_eq!(stand, [("scheduled", 1), ("scheduled", 1), ("backoff", 1), ("backoff", 1)]);
        let why = pending[3].last_failure.as_ref().expect("a reason");
        assert_eq!(
            (why.error_type.as_str(), why.message.as_str()),
            ("queue-full", "task queue \"default\" has 2 tasks waiting, which is all that it holds")
        );
    };
    world.live(async |host| {
        host.start("many", "m").await;
        host.settle().await;
        let full = Err(Error::QueueFull { queue: "default".to_owned(), waiting: 2 });
        assert_eq!(host.try_start("many", "other", "null").await, full);
        let repeated = host.try_start("many", "m", "null").await.expect("a start that has been made");
        assert!(!repeated.created);
        check(&host).await;
        host.pass(secs(60)).await;
        check(&host).await;
    });
    world.live(async |host| {
        host.settle().await;
        check(&host).await;
        for n in 0..4 {
            let task = host.task(&format!("rita-{n}")).await;
            assert_eq!(task.attempt, 1);
            host.complete(&task, "null").await.unwrap();
        }
        host.value("m").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn as_many_attempts_as_allowed_run_at_once_also_after_a_crash() {
    let by_queue = |world: &mut World| {
        let limits = RateLimits { concurrency: Some(2), ..RateLimits::default() };
        world.options.task_queues.insert("default".to_owned(), QueueLimits { limits, in_process: true });
    };
    let by_type = |world: &mut World| {
        let limits = RateLimits { concurrency: Some(2), ..RateLimits::default() };
        world.options.activities.insert(REMOTE.to_owned(), limits);
    };
    for limit in [by_queue as fn(&mut World), by_type] {
        let mut world = World::new();
        limit(&mut world);
        many(&world, 4);
        let (a, b) = world.live(async |host| {
            host.start("many", "m").await;
            let two = (host.task("rita-1").await, host.task("rita-2").await);
            host.no_task("rita-3").await;
            two
        });
        world.live(async |host| {
            host.no_task("rita-4").await;
            host.complete(&a, 1).await.unwrap();
            let c = host.task("rita-5").await;
            host.no_task("rita-6").await;
            host.complete(&b, 1).await.unwrap();
            let d = host.task("rita-7").await;
            for task in [c, d] {
                host.complete(&task, 1).await.unwrap();
            }
            host.value("m").await;
            host.check_quiet().await;
        });
        world.check_rest();
    }
}

#[test]
fn attempts_begin_no_faster_than_allowed_also_after_a_crash() {
    let mut world = World::new();
    let limits = RateLimits { rate: Some(0.5), ..RateLimits::default() };
    world.options.task_queues.insert("default".to_owned(), QueueLimits { limits, in_process: true });
    many(&world, 6);
    let next = async |host: &Host, n: u32| {
        let task = host.task(&format!("rita-{n}")).await;
        host.complete(&task, 1).await.unwrap();
    };
    world.live(async |host| {
        let began = Instant::now();
        host.start("many", "m").await;
        for n in 0..3 {
            next(&host, n).await;
        }
        assert_eq!(began.elapsed().as_secs(), 4);
    });
    world.live(async |host| {
        let began = Instant::now();
        for n in 3..6 {
            next(&host, n).await;
        }
        assert_eq!(began.elapsed().as_secs(), 4);
        host.value("m").await;
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn a_tenant_with_many_tasks_does_not_starve_another_with_few() {
    let world = World::new();
    world.workflow("tenant", |host, input| async move {
        let input = text(&input);
        let (key, count) = input.trim_matches('"').split_once(' ').expect("a key and a count");
        let fair = Fairness { key: key.to_owned(), weight: 1.0 };
        let options = |options: &mut ActivityOptions| options.fairness = Some(fair.clone());
        let mut open = Vec::new();
        for n in 0..count.parse().expect("a count") {
            open.push(host.activity(with(REMOTE, n, options))?);
        }
        for op in open {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.live(async |host| {
        host.try_start("tenant", "large", "\"large 300\"").await.unwrap();
        host.settle().await;
        host.try_start("tenant", "small", "\"small 5\"").await.unwrap();
        host.settle().await;
        let mut served = BTreeMap::<String, u32>::new();
        let mut small_done_after = 0;
        for n in 1..=305 {
            let task = host.task(&format!("rita-{n}")).await;
            let served = served.entry(task.workflow_id.to_string()).or_default();
            *served += 1;
            if *served == 5 && task.workflow_id.as_str() == "small" {
                small_done_after = n;
            }
            host.complete(&task, 0).await.unwrap();
        }
        assert!(small_done_after <= 11, "the small tenant had to wait for {small_done_after} tasks");
        host.check_quiet().await;
    });
    world.check_rest();
}

#[test]
fn attempts_of_workers_count_before_a_boot_lets_anything_begin() {
    let mut world = World::new();
    let limits = RateLimits { concurrency: Some(1), ..RateLimits::default() };
    world.options.task_queues.insert("default".to_owned(), QueueLimits { limits, in_process: true });
    remote(&world);
    world.workflow("later", |host, _| async move {
        let timer = host.timer(secs(5))?;
        outcome(&host, timer).await?;
        as_outcome(run(&host, activity("slow", 1)).await?)
    });
    let task = world.live(async |host| {
        // A boot comes to the older run first.
        host.start("later", "older").await;
        host.pass(secs(1)).await;
        host.start("one", "newer").await;
        let task = host.task("rita-1").await;
        host.pass(secs(10)).await;
        task
    });
    world.live(async |host| {
        host.pass(secs(5)).await;
        assert_eq!(host.stands("newer").await, "running by worker, attempt 1");
        assert_eq!(host.stands("older").await, "scheduled, attempt 1");
        host.complete(&task, 1).await.unwrap();
        assert_eq!(host.value("older").await, "1");
        host.check_quiet().await;
    });
    world.check_rest();
}

/// Guests whose code takes a minute to be compiled.
struct Compiles(ScriptedGuests);

impl Guests for Compiles {
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let opening = self.0.open(digest, profile);
        Box::pin(async move {
            tokio::time::sleep(secs(60)).await;
            opening.await
        })
    }
}

#[test]
fn workers_of_a_host_that_comes_back_wait_for_no_code_to_be_compiled() {
    let world = World::new();
    remote(&world);
    world.workflow("both", |host, _| async move {
        host.activity(activity("gate", 1))?;
        outcome(&host, 1).await?;
        completed("null")
    });
    world.live(async |host| {
        host.start("both", "b").await;
        host.start("one", "w").await;
        host.settle().await;
        // Something to do for its guest, and an attempt that ends with the host.
        host.signal("b", "n", "1", None).await.unwrap();
    });
    world.gate.add_permits(1);
    world
        .live_with(Arc::clone(&world.store) as _, Arc::new(Compiles(world.guests.clone())), async |host| {
            let task = host.poll("rita-1", secs(1)).await.unwrap().expect("a task");
            host.complete(&task, 1).await.unwrap();
            for id in ["b", "w"] {
                host.value(id).await;
            }
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn an_attempt_counts_and_may_beat_until_its_end_is_durable() {
    for report in [done(1), failed("Busy")] {
        let mut world = World::new();
        let limits = RateLimits { concurrency: Some(1), ..RateLimits::default() };
        world.options.task_queues.insert("default".to_owned(), QueueLimits { limits, in_process: true });
        one(&world, REMOTE, |options| options.retry.maximum_attempts = 1);
        // The boot, the component, two starts, their steps and the attempt come before its end.
        let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(8)));
        let held = Arc::clone(&store);
        world
            .live_on(store, async |host| {
                host.start("one", "first").await;
                let first = host.task("rita-1").await;
                host.start("one", "second").await;
                host.settle().await;
                assert_eq!((held.writes(), held.held()), (7, 0));
                let (worker, ended) = (host.clone(), token(&first));
                let ending = tokio::spawn(async move { worker.report(&ended, report).await });
                host.settle().await;
                assert_eq!(held.held(), 1);
                host.beat(&token(&first), 2).await.expect("nobody knows of its end");
                host.no_task("sue-1").await;
                let queue = host.runtime.task_queue(&host.namespace, "default").unwrap();
                assert_eq!((queue.running, queue.backlog, held.held()), (1, 1, 1));
                held.release();
                ending.await.unwrap().unwrap();
                assert!(stale(host.beat(&token(&first), 3).await).contains("ended"));
                let second = host.task("sue-2").await;
                host.complete(&second, 1).await.unwrap();
                host.check_quiet().await;
            })
            .unwrap();
        world.check_rest();
    }
}
