//! Many of everything.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::call::{Interest, Read, Reply};
use refrain_engine::guest::{Guest, Guests, OpenError, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::limits::Profile;
use refrain_engine::run::Run;
use refrain_engine::scripted::{ScriptHost, ScriptedGuests};
use refrain_engine::time::Timestamp;
use refrain_runtime::RunStatus;
use refrain_store::{FaultyStore, Store};
use tokio::task::JoinSet;

use crate::world::*;

/// Guests that are counted while they live.
struct Counting {
    guests: ScriptedGuests,
    alive: Arc<Alive>,
}

#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
    opened: AtomicUsize,
}

struct Counted(Box<dyn Guest>, Arc<Alive>);

impl Guests for Counting {
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let (opening, alive) = (self.guests.open(digest, profile), Arc::clone(&self.alive));
        async move {
            let guest = opening.await?;
            let now = alive.now.fetch_add(1, Ordering::Relaxed) + 1;
            alive.most.fetch_max(now, Ordering::Relaxed);
            alive.opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Counted(guest, alive)) as Box<dyn Guest>)
        }
        .boxed()
    }
}

impl Guest for Counted {
    fn run(&mut self, run: Box<Run>) -> BoxFuture<'_, (Box<Run>, Stop)> {
        self.0.run(run)
    }

    fn resident_bytes(&self) -> usize {
        self.0.resident_bytes()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::Relaxed);
    }
}

fn now(host: &ScriptHost) -> Timestamp {
    match host.read(Read::Now) {
        Ok(Reply::Time(time)) => time,
        other => panic!("a time, and not {other:?}"),
    }
}

#[test]
fn five_thousand_runs_sleep_in_the_memory_of_a_hundred() {
    let mut world = World::new();
    world.options.resident_instances = 100;
    world.options.loading_slots = 20;
    let late = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&late);
    world.workflow("sleeper", move |host, _| {
        let seen = Arc::clone(&seen);
        async move {
            let deadline = now(&host).after(secs(3_600));
            let op = host.timer(secs(3_600))?;
            outcome(&host, op).await?;
            seen.lock().unwrap().push((deadline, now(&host)));
            completed("null")
        }
    });
    let alive = Arc::new(Alive::default());
    let guests = Counting { guests: world.guests.clone(), alive: Arc::clone(&alive) };
    world
        .live_with(Arc::clone(&world.store) as Arc<dyn Store>, Arc::new(guests), async |host| {
            for n in 0..5_000 {
                host.start("sleeper", &format!("s{n}")).await;
            }
            host.settle().await;
            assert!(alive.now.load(Ordering::Relaxed) <= 100);
            host.pass(secs(60)).await;
            assert_eq!(alive.now.load(Ordering::Relaxed), 0, "a sleeping run is not in memory");
            alive.most.store(0, Ordering::Relaxed);
            host.pass(secs(3_600)).await;
            for n in 0..5_000 {
                assert_eq!(host.status(&format!("s{n}")).await, RunStatus::Completed);
            }
            assert_eq!(alive.now.load(Ordering::Relaxed), 0);
            let most = alive.most.load(Ordering::Relaxed);
            assert!(most <= 100 + 20, "{most} at once: the waiting ones and those that load");
        })
        .unwrap();
    let late = std::mem::take(&mut *late.lock().unwrap());
    assert_eq!(late.len(), 5_000);
    assert!(late.iter().all(|(deadline, now)| now >= deadline));
    world.check_rest();
}

#[test]
fn timers_come_in_pieces_and_in_the_order_of_their_deadlines() {
    let world = World::new();
    let fired = Arc::new(Mutex::new(Vec::new()));
    let order = Arc::clone(&fired);
    world.workflow("timers", move |host, _| {
        let order = Arc::clone(&order);
        async move {
            // More than two pieces, spread over a while.
            for n in 0..15_000_u64 {
                host.timer(Duration::from_millis(n * 7_919 % 15_000))?;
            }
            let mut left = 15_000;
            while left > 0 {
                for event in host.wait(Interest::Everything).await? {
                    let refrain_engine::mailbox::Event::Finished { op, .. } = event else {
                        panic!("a timer")
                    };
                    left -= 1;
                    order.lock().unwrap().push((op - 1) * 7_919 % 15_000);
                }
            }
            completed("null")
        }
    });
    world.live(async |host| {
        host.start("timers", "t").await;
        host.settle().await;
    });
    // Half of them are overdue when the next host comes.
    world.skip(Duration::from_millis(7_500));
    fired.lock().unwrap().clear();
    world.live(async |host| {
        host.value("t").await;
    });
    let fired = std::mem::take(&mut *fired.lock().unwrap());
    assert_eq!(fired.len(), 15_000);
    assert!(fired.is_sorted(), "by deadline");
    world.check_rest();
}

#[test]
fn a_boot_wakes_only_what_has_something_to_do() {
    let world = World::new();
    world.workflow("sleeps", |host, _| async move {
        let op = host.timer(secs(1_000_000))?;
        outcome(&host, op).await?;
        completed("null")
    });
    world.workflow("works", |host, _| async move { as_outcome(run(&host, activity("gate", 1)).await?) });
    world.live(async |host| {
        for n in 0..300 {
            host.start("sleeps", &format!("s{n}")).await;
        }
        for n in 0..3 {
            host.start("works", &format!("w{n}")).await;
        }
        host.settle().await;
    });
    let alive = Arc::new(Alive::default());
    let guests = Counting { guests: world.guests.clone(), alive: Arc::clone(&alive) };
    world
        .live_with(Arc::clone(&world.store) as Arc<dyn Store>, Arc::new(guests), async |host| {
            world.gate.add_permits(3);
            for n in 0..3 {
                host.value(&format!("w{n}")).await;
            }
            assert_eq!(alive.opened.load(Ordering::Relaxed), 3);
        })
        .unwrap();
}

#[test]
fn ten_thousand_activities_in_one_run() {
    let world = World::new();
    world.workflow("wide", |host, _| async move {
        for n in 0..10_000 {
            host.activity(activity("echo", n))?;
        }
        let mut count = 0;
        while count < 10_000 {
            count += host.wait(Interest::Everything).await?.len();
        }
        completed(count)
    });
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world.live_on(store, async |host| assert_eq!(host.execute("wide").await, "10000")).unwrap();
    assert_eq!(world.attempts(), 10_000);
    let writes = counted.writes();
    assert!(writes < 2_000, "{writes} commits: what comes at once is committed together");
    world.check_rest();
}

#[test]
fn a_list_is_complete_and_newest_first_in_pages() {
    let world = World::new();
    world.workflow("waits", |host, _| async move { completed(host.wait(Interest::Everything).await?.len()) });
    world.live(async |host| {
        let mut starts = JoinSet::new();
        for n in 0..1_200 {
            let host = host.clone();
            starts.spawn(async move {
                host.pass(Duration::from_millis(n)).await;
                host.start("waits", &format!("{n:04}")).await;
            });
        }
        starts.join_all().await;
        for n in [5, 700] {
            host.terminate(&format!("{n:04}")).await.unwrap();
        }
        for (status, count) in
            [(None, 1_200), (Some(RunStatus::Running), 1_198), (Some(RunStatus::Terminated), 2)]
        {
            let filter = refrain_runtime::ListFilter { status, workflow: None };
            let (mut ids, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = host.runtime.list(&host.namespace, &filter, 70, cursor.as_deref()).unwrap();
                ids.extend(page.items.into_iter().map(|item| item.workflow_id.to_string()));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(ids.len(), count);
            assert!(ids.is_sorted_by(|newer, older| newer > older));
        }
    });
}
