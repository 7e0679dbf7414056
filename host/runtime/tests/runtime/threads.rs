//! Many clients of a host on several threads, at the machine's own time.

use std::sync::Arc;
use std::time::Duration;

use refrain_engine::call::Interest;
use refrain_engine::mailbox::Event;
use refrain_runtime::{Error, RunResult, SystemClock};
use refrain_store::Store;
use tokio::task::JoinSet;

use crate::basics::sequence;
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
