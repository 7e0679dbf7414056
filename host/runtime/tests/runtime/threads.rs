//! Many clients of a host on several threads, at the machine's own time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use refrain_engine::call::Interest;
use refrain_engine::failure::Outcome;
use refrain_engine::mailbox::Event;
use refrain_runtime::{Error, RateLimits, RunResult, SystemClock};
use refrain_store::Store;
use tokio::task::JoinSet;

use crate::basics::sequence;
use crate::children::child;
use crate::clients::*;
use crate::external::current;
use crate::world::*;

#[test]
fn many_clients_on_several_threads_lose_nothing() {
    let mut world = World::new();
    // So few that runs come and go, with their owners, all the time.
    world.options.resident_instances = 4;
    world.options.idle_timeout = Duration::from_millis(1);
    world.options.activity_slots = 3;
    sequence(&world);
    world.workflow("counts", |host, _| async move {
        let mut count = 0;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { name, .. } if name == "end" => return completed(count),
                    _ => count += 1,
                }
            }
        }
    });
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    tokio.block_on(async {
        let host = world.boot(store, Arc::new(world.guests.clone()), Arc::new(SystemClock)).await.unwrap();
        let mut clients = JoinSet::new();
        for n in 0..64 {
            let host = host.clone();
            clients.spawn(async move {
                for round in 0..4 {
                    let id = format!("sequence-{n}-{round}");
                    host.start("sequence", &id).await;
                    assert_eq!(host.value(&id).await, "10");
                }
                let id = format!("counts-{}", n / 2);
                match host.try_start("counts", &id, "null").await {
                    Ok(_) | Err(Error::AlreadyRunning { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                for _ in 0..20 {
                    host.signal(&id, "one", "1", None).await.unwrap();
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        for n in 0..32 {
            let id = format!("counts-{n}");
            host.signal(&id, "end", "1", None).await.unwrap();
            let RunResult::Closed { outcome, .. } = host.result(&id).await else { panic!("{id} hangs") };
            assert_eq!(outcome, Ok(json(40)));
        }
        host.runtime.shutdown().await;
    });
    assert_eq!(world.attempts(), 64 * 4 * 10);
    world.check_rest();
}

#[test]
fn many_workers_on_several_threads_do_each_task_once() {
    const RUNS: u32 = 60;
    const TASKS: u32 = 6;
    let mut world = World::new();
    world.options.resident_instances = 4;
    world.options.idle_timeout = Duration::from_millis(1);
    let limits = RateLimits { concurrency: Some(5), ..RateLimits::default() };
    world.options.activities.insert(REMOTE.to_owned(), limits);
    world.workflow("asks", |host, _| async move {
        let mut open = Vec::new();
        for n in 0..TASKS {
            let command = with(REMOTE, n, |options| {
                options.retry.initial_interval = Duration::from_millis(1);
                options.heartbeat = Some(secs(60));
            });
            open.push(host.activity(command)?);
        }
        for op in open {
            let Outcome::Completed(_) = outcome(&host, op).await? else { panic!("a result") };
        }
        completed(TASKS)
    });
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let (at_once, attempts) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    tokio.block_on(async {
        let host = world.boot(store, Arc::new(world.guests.clone()), Arc::new(SystemClock)).await.unwrap();
        let mut workers = JoinSet::new();
        for n in 0..16 {
            let (host, at_once, attempts) = (host.clone(), Arc::clone(&at_once), Arc::clone(&attempts));
            workers.spawn(async move {
                let mut poll = 0;
                loop {
                    poll += 1;
                    let poll_id = format!("worker{n}-{poll}");
                    // Most polls are given up and asked again, as over a line that breaks.
                    let asked = loop {
                        let wait = host.poll(&poll_id, secs(10));
                        if let Ok(asked) = tokio::time::timeout(Duration::from_millis(2), wait).await {
                            break asked;
                        }
                    };
                    let Ok(Some(task)) = asked else { return };
                    assert!(at_once.fetch_add(1, Ordering::SeqCst) < 5, "more at once than allowed");
                    attempts.fetch_add(1, Ordering::SeqCst);
                    host.beat(&token(&task), 1).await.unwrap();
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    let fails = task.attempt == 1 && task.op % 3 == 0;
                    let report = if fails { failed("Busy") } else { done(1) };
                    host.report(&token(&task), report.clone()).await.unwrap();
                    match host.report(&token(&task), report).await {
                        Err(Error::Stale { .. } | Error::ShuttingDown) => {}
                        other => panic!("a report that was repeated: {other:?}"),
                    }
                }
            });
        }
        for n in 0..RUNS {
            host.start("asks", &format!("asks-{n}")).await;
        }
        for n in 0..RUNS {
            let id = format!("asks-{n}");
            let RunResult::Closed { outcome, .. } = host.result(&id).await else { panic!("{id} hangs") };
            assert_eq!(outcome, Ok(json(TASKS)));
        }
        host.runtime.shutdown().await;
        while let Some(worker) = workers.join_next().await {
            worker.unwrap();
        }
    });
    assert_eq!(attempts.load(Ordering::SeqCst), RUNS * (TASKS + TASKS / 3));
    world.check_rest();
}

#[test]
fn trees_of_children_on_several_threads_lose_no_result_and_no_signal() {
    const ROOTS: usize = 12;
    const NODES: usize = 1 + 3 + 9 + 27;
    let mut world = World::new();
    world.options.resident_instances = 4;
    world.options.idle_timeout = Duration::from_millis(1);
    world.workflow("tree", |host, input| async move {
        let depth: u32 = text(&input).parse().expect("a depth");
        let mut open = Vec::new();
        for _ in 0..if depth == 0 { 0 } else { 3 } {
            open.push(host.child(child("tree", depth - 1, |_| {}))?.1);
        }
        open.push(host.signal(current("counter"), "node", json(1))?);
        let mut nodes = 1;
        for op in open {
            let Outcome::Completed(value) = outcome(&host, op).await? else { panic!("a result") };
            nodes += text(&value).parse::<usize>().unwrap_or_default();
        }
        completed(nodes)
    });
    world.workflow("counter", |host, _| async move {
        let mut count = 0;
        while count < ROOTS * NODES {
            count += host.wait(Interest::Everything).await?.len();
        }
        completed(count)
    });
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    tokio.block_on(async {
        let host = world.boot(store, Arc::new(world.guests.clone()), Arc::new(SystemClock)).await.unwrap();
        host.start("counter", "counter").await;
        let mut roots = JoinSet::new();
        for n in 0..ROOTS {
            let host = host.clone();
            roots.spawn(async move {
                let id = format!("root {n}");
                host.try_start("tree", &id, "3").await.unwrap();
                assert_eq!(host.value(&id).await, NODES.to_string());
            });
        }
        roots.join_all().await;
        assert_eq!(host.value("counter").await, (ROOTS * NODES).to_string());
        host.runtime.shutdown().await;
    });
    // What the shutdown has left in outboxes is known by now, and goes with the next host.
    world.live(async |host| host.settle().await);
    world.check_rest();
}
