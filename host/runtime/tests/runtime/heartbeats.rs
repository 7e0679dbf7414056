//! How far attempts have come: kept once a second, shown, and handed to the next attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use refrain_engine::call::Interest;
use refrain_engine::codec;
use refrain_plugin::{ActivityError, Payload};
use refrain_runtime::{ActivityProgress, Error};
use refrain_store::schema::{HeartbeatRow, Prefix};
use refrain_store::{FaultyStore, Table};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

/// The details of the heartbeat that is durable.
fn kept(world: &World) -> Option<String> {
    let rows = world.under(&Prefix::namespace(Table::Heartbeats, &refrain_engine::ids::Namespace::default()));
    assert!(rows.len() <= 1);
    let row: HeartbeatRow = codec::decode("heartbeat", &rows.first()?.1).expect("a heartbeat");
    row.details.map(|details| text(&details))
}

impl Host {
    /// The heartbeats that are none of these.
    async fn progress(&self, id: &str, seen: &[ActivityProgress], wait: Duration) -> Vec<ActivityProgress> {
        let seen = seen.iter().map(|progress| (progress.op, progress.at)).collect();
        self.runtime.activity_progress(&self.namespace, &target(id), &seen, wait).await.expect("the progress")
    }
}

#[test]
fn an_attempt_that_beats_all_the_time_is_kept_once_a_second() {
    let world = World::new();
    world.activity("beats", |context, input| async move {
        for n in 1..=500 {
            context.heartbeat(n)?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::future::pending::<()>().await;
        Ok(input)
    });
    one(&world, "beats", |options| options.start_to_close = Some(secs(8)));
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("one", "w").await;
            host.pass(Duration::from_millis(5)).await;
            assert_eq!(kept(&world).as_deref(), Some("1"), "the first one at once");
            let writes = counted.writes();
            host.pass(Duration::from_millis(4_000)).await;
            assert_eq!(counted.writes() - writes, 4);
            let newest: u32 = kept(&world).expect("a heartbeat").parse().expect("a number");
            assert!((390..=410).contains(&newest), "{newest}");
            // The last of them comes in the middle of a second.
            host.pass(Duration::from_millis(2_000)).await;
            assert_eq!(kept(&world).as_deref(), Some("500"));
            let writes = counted.writes();
            host.pass(Duration::from_millis(1_500)).await;
            assert_eq!(counted.writes(), writes, "silence is not kept");
            host.terminate("w").await.unwrap();
            assert_eq!(kept(&world), None);
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_workers_heartbeats_are_kept_once_a_second_and_the_newest_wins() {
    let world = World::new();
    one(&world, REMOTE, |_| {});
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("one", "w").await;
            let task = host.task("rita-1").await;
            let writes = counted.writes();
            for n in 1..=7 {
                host.beat(&token(&task), n).await.unwrap();
            }
            host.settle().await;
            assert!(["1", "7"].contains(&kept(&world).expect("a heartbeat").as_str()));
            host.beat(&token(&task), 8).await.unwrap();
            host.pass(Duration::from_millis(1_100)).await;
            assert_eq!(kept(&world).as_deref(), Some("8"));
            assert_eq!(counted.writes() - writes, 2);
            let pending = host.pending("w").await;
            assert_eq!(pending.last_heartbeat, Some(json(8)));
            // One that comes after its owner has gone is kept as well.
            host.pass(secs(60)).await;
            assert!(!host.describe("w").await.resident);
            host.beat(&token(&task), 9).await.unwrap();
            host.settle().await;
            assert_eq!(kept(&world).as_deref(), Some("9"));
            assert!(host.pending("w").await.last_heartbeat_at > pending.last_heartbeat_at);
            host.complete(&task, 1).await.unwrap();
            host.value("w").await;
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_kept_heartbeat_outlives_the_host_and_reaches_the_next_attempt() {
    let world = World::new();
    world.activity("resumes", |context, _| async move {
        match context.last_heartbeat::<u32>()? {
            None => {
                context.heartbeat(41)?;
                std::future::pending().await
            }
            Some(reached) => Ok(Payload::json(&(reached + 1))?),
        }
    });
    one(&world, "resumes", |_| {});
    world.live(async |host| {
        host.start("one", "w").await;
        host.pass(secs(2)).await;
    });
    world.live(async |host| assert_eq!(host.value("w").await, "42"));
    assert_eq!(world.attempts(), 2);
    world.check_rest();
}

#[test]
fn progress_is_waited_for_and_told_once() {
    let world = World::new();
    world.workflow("two", |host, _| async move {
        let open = [host.activity(activity(REMOTE, 1))?, host.activity(activity("ship", 2))?];
        for op in open {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.live(async |host| {
        host.start("two", "w").await;
        let (charge, ship) = (host.task("rita-1").await, host.task("rita-2").await);
        let began = Instant::now();
        assert_eq!(host.progress("w", &[], secs(5)).await, []);
        assert_eq!(began.elapsed().as_secs(), 5);
        let (progress, ()) = tokio::join!(host.progress("w", &[], A_DAY), async {
            host.pass(secs(3)).await;
            host.beat(&token(&ship), "\"packed\"").await.unwrap();
        });
        assert_eq!(began.elapsed().as_secs(), 8);
        let [first] = &progress[..] else { panic!("{progress:?}") };
        assert_eq!((first.op, first.activity.as_str(), first.attempt), (2, "ship", 1));
        assert_eq!(first.details, Some(json("\"packed\"")));
        assert_eq!(host.progress("w", &progress, secs(1)).await, []);
        host.beat(&token(&charge), 1).await.unwrap();
        host.pass(secs(2)).await;
        host.beat(&token(&ship), 2).await.unwrap();
        host.settle().await;
        let all = host.progress("w", &[], Duration::ZERO).await;
        let told: Vec<_> = all.iter().map(|progress| (progress.op, progress.details.clone())).collect();
        assert_eq!(told, [(1, Some(json(1))), (2, Some(json(2)))], "oldest first");
        for task in [charge, ship] {
            host.complete(&task, 0).await.unwrap();
        }
        host.value("w").await;
        assert_eq!(host.progress("w", &[], Duration::ZERO).await, []);
    });
    world.check_rest();
}

#[test]
fn details_over_the_limit_are_refused_from_a_worker_and_dropped_from_a_plugin() {
    let world = World::new();
    world.activity("large", |context, _| async move {
        if let Some(reached) = context.last_heartbeat::<u32>()? {
            return Ok(Payload::json(&reached)?);
        }
        context.heartbeat(7)?;
        for _ in 0..5 {
            tokio::time::sleep(secs(4)).await;
            context.heartbeat("x".repeat(3_000_000))?;
        }
        std::future::pending().await
    });
    one(&world, "large", |options| options.heartbeat = Some(secs(10)));
    world.live(async |host| {
        let began = Instant::now();
        assert_eq!(host.execute("one").await, "7", "what it said before stands");
        assert_eq!(began.elapsed().as_secs(), 31, "but it was alive");
    });
    world.check_rest();

    let world = World::new();
    one(&world, REMOTE, |_| {});
    world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        let large = format!("\"{}\"", "x".repeat(3_000_000));
        let refused = Error::TooLarge { what: "details", bytes: 3_000_018, limit: 2_097_152 };
        assert_eq!(host.beat(&token(&task), large).await, Err(refused));
        host.complete(&task, 1).await.unwrap();
        host.value("w").await;
    });
    world.check_rest();
}

#[test]
fn a_heartbeat_without_details_leaves_those_before() {
    let world = World::new();
    one(&world, REMOTE, |options| options.heartbeat = Some(secs(10)));
    let task = world.live(async |host| {
        host.start("one", "w").await;
        let task = host.task("rita-1").await;
        for details in [Some(json(1)), Some(json(2)), None] {
            host.runtime.heartbeat_activity(&host.namespace, &token(&task), details).await.unwrap();
        }
        host.pass(secs(2)).await;
        host.runtime.heartbeat_activity(&host.namespace, &token(&task), None).await.unwrap();
        host.pass(secs(2)).await;
        assert_eq!(host.pending("w").await.last_heartbeat, Some(json(2)));
        task
    });
    world.live(async |host| {
        host.settle().await;
        host.runtime.heartbeat_activity(&host.namespace, &token(&task), None).await.unwrap();
        let next = host.task("rita-2").await;
        assert_eq!(next.last_heartbeat, Some(json(2)));
        host.complete(&next, 1).await.unwrap();
        host.value("w").await;
    });
    world.check_rest();
}

#[test]
fn what_an_attempt_has_reached_when_it_hears_of_a_shutdown_reaches_the_next() {
    let world = World::new();
    world.activity("resumes", |context, _| async move {
        match context.last_heartbeat::<u32>()? {
            Some(reached) => Ok(Payload::json(&(reached + 1))?),
            None => {
                context.heartbeat(1)?;
                let reason = context.cancelled().await;
                context.heartbeat(41)?;
                Err(ActivityError::cancelled(reason))
            }
        }
    });
    one(&world, "resumes", |_| {});
    world.live(async |host| {
        host.start("one", "w").await;
        // Less than the interval after the first one.
        host.settle().await;
        host.runtime.shutdown().await;
        assert_eq!(kept(&world).as_deref(), Some("41"));
    });
    world.live(async |host| assert_eq!(host.value("w").await, "42"));
    assert_eq!(world.attempts(), 2);
    world.check_rest();
}

#[test]
fn a_workers_heartbeat_shortly_before_a_shutdown_is_durable() {
    // While the run's owner is there, and around the time when it goes.
    for quiet in [0, 9_500, 9_900, 30_000] {
        let world = World::new();
        remote(&world);
        let task = world.live(async |host| {
            host.start("one", "w").await;
            let task = host.task("rita-1").await;
            host.pass(Duration::from_millis(quiet)).await;
            for n in 1..=5 {
                host.beat(&token(&task), n).await.unwrap();
                host.pass(Duration::from_millis(100)).await;
            }
            host.runtime.shutdown().await;
            assert_eq!(kept(&world).as_deref(), Some("5"), "after {quiet} ms");
            task
        });
        world.live(async |host| {
            assert_eq!(host.pending("w").await.last_heartbeat, Some(json(5)));
            host.complete(&task, 1).await.unwrap();
            host.value("w").await;
        });
        world.check_rest();
    }
}

#[test]
fn heartbeats_that_are_kept_in_another_order_than_they_came_are_all_told() {
    let world = World::new();
    world.workflow("two", |host, _| async move {
        let open = [host.activity(activity(REMOTE, 1))?, host.activity(activity("ship", 2))?];
        for op in open {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.live(async |host| {
        host.start("two", "w").await;
        let (charge, ship) = (host.task("rita-1").await, host.task("rita-2").await);
        let mut told = Vec::new();
        let mut seen: Vec<ActivityProgress> = Vec::new();
        // The second one of the first activity waits a second; the other activity's only one does not.
        for (task, n) in [(&charge, 1), (&charge, 2), (&ship, 3)] {
            host.beat(&token(task), n).await.unwrap();
            host.pass(Duration::from_millis(100)).await;
            let news = host.progress("w", &seen, Duration::ZERO).await;
            told.extend(news.iter().map(|progress| progress.details.clone()));
            seen.extend(news);
        }
        let news = host.progress("w", &seen, secs(5)).await;
        told.extend(news.iter().map(|progress| progress.details.clone()));
        assert_eq!(told, [1, 3, 2].map(|n| Some(json(n))));
        assert!(news[0].at < seen[1].at, "{news:?} {seen:?}");
        for task in [charge, ship] {
            host.complete(&task, 0).await.unwrap();
        }
        host.value("w").await;
    });
    world.check_rest();
}

#[test]
fn heartbeats_do_not_keep_an_instance_in_memory() {
    let world = World::new();
    let opened = Arc::new(AtomicU32::new(0));
    let opens = Arc::clone(&opened);
    world.workflow("listens", move |host, _| {
        opens.fetch_add(1, Ordering::Relaxed);
        async move {
            host.activity(activity(REMOTE, 1))?;
            host.wait(Interest::Everything).await?;
            completed("null")
        }
    });
    world.live(async |host| {
        host.start("listens", "w").await;
        let task = host.task("rita-1").await;
        for n in 1..=15 {
            host.pass(secs(1)).await;
            host.beat(&token(&task), n).await.unwrap();
        }
        assert_eq!(opened.load(Ordering::Relaxed), 1);
        host.signal("w", "n", "1", None).await.unwrap();
        host.value("w").await;
        assert_eq!(opened.load(Ordering::Relaxed), 2, "it was dropped, and came back for the signal");
    });
}
