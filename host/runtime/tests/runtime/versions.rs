//! Versions of a component: what starts get, which runs need them, and deleting those that none needs.

use std::sync::Arc;

use refrain_engine::call::{Completion, Interest, NextRun};
use refrain_engine::ids::Digest;
use refrain_engine::mailbox::Event;
use refrain_runtime::{Error, MoveTo, NewComponent, OnTrap, StartWorkflow};
use refrain_store::{Fault, FaultyStore};

use crate::world::*;

/// The digest of other scripts.
pub(crate) const OTHER: Digest = Digest([8; 32]);

/// Makes this code the next version of `test`.
pub(crate) async fn push(host: &Host, digest: Digest, workflows: &[&str]) -> u32 {
    try_push(host, digest, workflows).await.expect("a version")
}

pub(crate) async fn try_push(host: &Host, digest: Digest, workflows: &[&str]) -> Result<u32, Error> {
    let component = NewComponent {
        digest,
        uploaded_bytes: 0,
        sdk: "scripts".to_owned(),
        imports: Vec::new(),
        workflows: workflows.iter().map(|name| definition(name, OnTrap::Park)).collect(),
    };
    Ok(host.runtime.register_component(&host.namespace, "test", component).await?.version)
}

/// Waits for signals until one is `stop`, and answers how many there were.
pub(crate) fn waits(world: &World, digest: Digest) {
    world.guests.add(digest, "waits", |host, _| async move {
        let mut count = 0;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { name, .. } if name == "stop" => return completed(count),
                    Event::Signal { .. } => count += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    world.define("waits", OnTrap::Park);
}

async fn delete(host: &Host, version: u32) -> Result<Digest, Error> {
    host.runtime.delete_component_version(&host.namespace, "test", version).await
}

async fn open_runs(host: &Host) -> Vec<(u32, u64)> {
    let counted = host.runtime.open_runs(&host.namespace, "test").await.expect("a component");
    counted.into_iter().collect()
}

fn current(host: &Host) -> u32 {
    host.runtime.component(&host.namespace, "test", None).expect("a current version").version
}

fn version(number: u32) -> impl FnOnce(&mut StartWorkflow) {
    move |start| (start.component, start.version) = (Some("test".to_owned()), Some(number))
}

#[test]
fn each_version_has_the_runs_that_it_executes_until_they_end() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    world.live(async |host| {
        host.start("waits", "a").await;
        host.start("waits", "b").await;
        assert_eq!(push(&host, OTHER, &["waits"]).await, 2);
        host.start("waits", "c").await;
        host.start_with("waits", "d", version(1)).await.unwrap();
        host.settle().await;
        assert_eq!(open_runs(&host).await, [(1, 3), (2, 1)]);
        host.signal("a", "stop", "0", None).await.unwrap();
        host.terminate("d").await.unwrap();
        host.settle().await;
        assert_eq!(open_runs(&host).await, [(1, 1), (2, 1)]);
        host.runtime
            .move_run(&host.namespace, &target("b"), MoveTo::Version(2), String::new())
            .await
            .unwrap();
        assert_eq!(open_runs(&host).await, [(1, 0), (2, 2)]);
    });
    world.live(async |host| {
        assert_eq!(open_runs(&host).await, [(1, 0), (2, 2)]);
        for id in ["b", "c"] {
            host.terminate(id).await.unwrap();
        }
    });
    world.check_rest();
}

#[test]
fn a_start_gets_the_current_version_or_the_one_that_it_names() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    world.live(async |host| {
        push(&host, OTHER, &["waits"]).await;
        let digest = |digest| move |start: &mut StartWorkflow| start.digest = Some(digest);
        host.start_with("waits", "by number", version(1)).await.unwrap();
        host.start_with("waits", "by digest", digest(CODE)).await.unwrap();
        host.start_with("waits", "current", |_| {}).await.unwrap();
        for (id, expected) in [("by number", 1), ("by digest", 1), ("current", 2)] {
            assert_eq!(host.describe(id).await.version, expected, "{id}");
        }
        host.runtime.activate_component_version(&host.namespace, "test", 1).await.unwrap();
        host.start_with("waits", "rolled back", |_| {}).await.unwrap();
        assert_eq!((host.describe("rolled back").await.version, current(&host)), (1, 1));
        let both = |start: &mut StartWorkflow| (start.version, start.digest) = (Some(1), Some(CODE));
        let refused = host.start_with("waits", "both", both).await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == "digest"));
        let unknown = host.start_with("waits", "unknown", digest(Digest([9; 32]))).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
        let unknown = host.runtime.activate_component_version(&host.namespace, "test", 7).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
    });
    world.live(async |host| assert_eq!(current(&host), 1, "the next boot knows it"));
}

#[test]
fn a_version_that_open_runs_need_is_not_deleted_and_a_deleted_number_is_not_given_again() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    world.live(async |host| {
        host.start("waits", "a").await;
        host.start("waits", "b").await;
        push(&host, OTHER, &["waits"]).await;
        let current = Error::CurrentVersion { component: "test".to_owned(), version: 2 };
        assert_eq!(delete(&host, 2).await, Err(current));
        let in_use = |runs| Error::VersionInUse { component: "test".to_owned(), version: 1, runs };
        assert_eq!(delete(&host, 1).await, Err(in_use(2)));
        host.terminate("a").await.unwrap();
        assert_eq!(delete(&host, 1).await, Err(in_use(1)));
        assert!(
            host.start_with("waits", "c", version(1)).await.is_ok(),
            "a refused deletion changes nothing"
        );
        for id in ["b", "c"] {
            host.terminate(id).await.unwrap();
        }
        assert_eq!(delete(&host, 1).await, Ok(CODE));
        assert!(!host.runtime.has_code(CODE) && host.runtime.has_code(OTHER));
        let gone = host.start_with("waits", "d", version(1)).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        assert!(matches!(delete(&host, 1).await, Err(Error::NotFound { .. })));
        // The newest of all goes too, and its number with it.
        assert_eq!(push(&host, CODE, &["waits"]).await, 3);
        host.runtime.activate_component_version(&host.namespace, "test", 2).await.unwrap();
        assert_eq!(delete(&host, 3).await, Ok(CODE));
    });
    world.live(async |host| {
        // A boot of this world uploads its scripts.
        let versions = host.runtime.component_versions(&host.namespace, "test").unwrap();
        let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
        assert_eq!(numbers, [2, 4]);
    });
    world.check_rest();
}

/// What a start of version 1 and its deletion come to when the first of the two writes is held until the other wants
/// to write as well.
fn race(start_first: bool) -> (Result<(), Error>, Result<Digest, Error>) {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    world.live(async |host| push(&host, OTHER, &["waits"]).await);
    // Boot, then the first of the two.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(2)));
    let held = Arc::clone(&store);
    let ends = world.live_on(store, async |host| {
        let (starting, deleting) = (host.clone(), host.clone());
        let start = async move { starting.start_with("waits", "a", version(1)).await.map(drop) };
        let delete = async move { delete(&deleting, 1).await };
        let (start, delete) = if start_first {
            let start = tokio::spawn(start);
            host.settle().await;
            (start, tokio::spawn(delete))
        } else {
            let delete = tokio::spawn(delete);
            host.settle().await;
            (tokio::spawn(start), delete)
        };
        host.settle().await;
        assert_eq!(held.held(), 2);
        held.release();
        let ends = (start.await.unwrap(), delete.await.unwrap());
        if ends.0.is_ok() {
            host.signal("a", "stop", "0", None).await.unwrap();
            assert_eq!(host.value("a").await, "0", "its code is there");
        }
        ends
    });
    world.check_rest();
    ends.unwrap()
}

#[test]
fn the_last_version_of_a_name_can_go_and_its_number_does_not_come_again() {
    let world = World::new();
    waits(&world, CODE);
    world.live(async |host| {
        host.start("waits", "a").await;
        assert!(matches!(delete(&host, 1).await, Err(Error::VersionInUse { runs: 1, .. })));
        host.signal("a", "stop", "0", None).await.unwrap();
        host.value("a").await;
        delete(&host, 1).await.unwrap();
        let gone = host.runtime.component(&host.namespace, "test", None);
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
    });
    world.live(async |host| {
        assert_eq!(push(&host, CODE, &["waits"]).await, 2, "also after a boot");
    });
}

#[test]
fn a_start_and_a_deletion_of_its_version_never_both_succeed() {
    let (started, deleted) = race(true);
    assert_eq!(started, Ok(()));
    assert_eq!(deleted, Err(Error::VersionInUse { component: "test".to_owned(), version: 1, runs: 1 }));
    let (started, deleted) = race(false);
    assert!(matches!(started, Err(Error::NotFound { .. })), "{started:?}");
    assert_eq!(deleted, Ok(CODE));
}

#[test]
fn a_deletion_that_a_crash_interrupts_has_happened_or_has_not() {
    let mut left = [0, 0];
    for write in 1.. {
        let mut came = false;
        for fault in [Fault::StopBefore(write), Fault::StopAfter(write)] {
            let world = World::new();
            waits(&world, CODE);
            waits(&world, OTHER);
            world.live(async |host| push(&host, OTHER, &["waits"]).await);
            let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), fault));
            let faulty = Arc::clone(&store);
            let deleted = world.live_on(store, async |host| delete(&host, 1).await);
            came |= faulty.has_stopped();
            let acknowledged = matches!(deleted, Ok(Ok(_)));
            world.live_without_upload(async |host| {
                let started = host.start_with("waits", "a", version(1)).await;
                assert!(!(acknowledged && started.is_ok()), "what was deleted stays so");
                left[usize::from(started.is_ok())] += 1;
                if started.is_ok() {
                    host.terminate("a").await.unwrap();
                }
                match delete(&host, 1).await {
                    Ok(_) => assert!(started.is_ok()),
                    Err(error) => assert!(matches!(error, Error::NotFound { .. }), "{error}"),
                }
            });
            world.check_rest();
        }
        if !came {
            break;
        }
    }
    assert!(left.iter().all(|count| *count > 0), "both were seen: {left:?}");
}

#[test]
fn a_run_that_continues_as_new_keeps_the_code_that_it_was_moved_to() {
    let world = World::new();
    for digest in [CODE, OTHER] {
        world.guests.add(digest, "continues", |host, input| async move {
            host.wait(Interest::Everything).await?;
            if text(&input) == "1" {
                return completed(1);
            }
            Ok(Completion::ContinueAsNew(NextRun::with_input(json(1))))
        });
    }
    world.define("continues", OnTrap::Park);
    world.live(async |host| {
        host.start("continues", "c").await;
        push(&host, OTHER, &["continues"]).await;
        push(&host, Digest([9; 32]), &["continues"]).await;
        host.settle().await;
        host.runtime
            .move_run(&host.namespace, &target("c"), MoveTo::Version(2), String::new())
            .await
            .unwrap();
        host.signal("c", "on", "0", None).await.unwrap();
        host.settle().await;
        assert_eq!(host.describe("c").await.version, 2);
        assert_eq!(open_runs(&host).await, [(1, 0), (2, 1), (3, 0)]);
        host.signal("c", "on", "0", None).await.unwrap();
        assert_eq!(host.value("c").await, "1");
    });
    world.check_rest();
}
