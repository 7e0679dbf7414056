//! Requests whose clients go away, and requests that meet a change of runs.

use std::sync::Arc;

use refrain_engine::call::{Completion, Interest, NextRun};
use refrain_engine::ids::Digest;
use refrain_engine::mailbox::Event;
use refrain_runtime::{NewComponent, OnTrap};
use refrain_store::{Fault, FaultyStore};

use crate::world::{World, activity, as_outcome, completed, definition, json, run, secs, text};

/// The writes before a test's own: the boot, and the component.
const WRITTEN: u64 = 2;

#[test]
fn a_start_whose_client_went_away_begins_all_the_same() {
    let world = World::new();
    world.workflow("hello", |host, _| async move { as_outcome(run(&host, activity("echo", 1)).await?) });
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(WRITTEN + 1)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let start = tokio::time::timeout(secs(5), host.try_start("hello", "h", "1")).await;
            assert!(start.is_err(), "the start was answered before it was durable");
            held.release();
            host.settle().await;
            assert_eq!(host.value("h").await, "1", "nobody but the host itself began the run");
        })
        .expect("the store is sound");
    world.check_rest();
}

#[test]
fn an_upload_whose_client_went_away_is_there_and_can_be_followed_by_another() {
    let world = World::new();
    world.workflow("hello", |_, _| async move { completed("1") });
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(WRITTEN + 1)));
    let held = Arc::clone(&store);
    let upload = |byte: u8| NewComponent {
        digest: Digest([byte; 32]),
        uploaded_bytes: 1,
        sdk: String::new(),
        imports: Vec::new(),
        workflows: vec![definition("other", OnTrap::Park)],
    };
    world
        .live_on(store, async |host| {
            let register = |byte| host.runtime.register_component(&host.namespace, "other", upload(byte));
            assert!(tokio::time::timeout(secs(5), register(7)).await.is_err());
            held.release();
            host.settle().await;
            let again = register(7).await.expect("the same upload");
            assert_eq!((again.version, again.created), (1, false));
            let next = register(8).await.expect("the next upload");
            assert_eq!((next.version, next.created), (2, true));
        })
        .expect("the store is sound");
}

#[test]
fn a_signal_to_an_execution_reaches_the_run_that_follows() {
    let world = World::new();
    world.workflow("relay", |host, input| async move {
        let events = host.wait(Interest::Everything).await?;
        let Some(Event::Signal { name, .. }) = events.first() else { panic!("a signal, and not {events:?}") };
        if text(&input) == "1" {
            return completed(format!("\"{name}\""));
        }
        let next = NextRun::with_input(json(1));
        Ok(Completion::ContinueAsNew(next))
    });
    // The start, the first step; the step that continues as new is held.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(WRITTEN + 3)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.try_start("relay", "r", "0").await.expect("a start");
            host.settle().await;
            let (first, second, ()) = tokio::join!(
                host.signal("r", "first", "1", None),
                async {
                    host.pass(secs(1)).await;
                    host.signal("r", "second", "1", None).await
                },
                async {
                    host.pass(secs(2)).await;
                    assert_eq!(held.held(), 1, "the run is about to continue as new");
                    held.release();
                }
            );
            assert_eq!((first, second), (Ok(()), Ok(())));
            assert_eq!(host.value("r").await, "\"second\"");
        })
        .expect("the store is sound");
    world.check_rest();
}
