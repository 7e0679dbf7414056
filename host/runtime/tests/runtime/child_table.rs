//! A child's machine, which is spread over two runs and what is carried between them: worlds in which it stands in each of
//! its states, and all that can happen to it there.

use std::sync::Arc;

use refrain_engine::call::Interest;
use refrain_engine::child::{ChildCancellation, ParentClosePolicy};
use refrain_engine::codec;
use refrain_engine::mailbox::Event;
use refrain_runtime::RunStatus;
use refrain_store::schema::{ChildRow, RunKey};
use refrain_store::{Batch, Fault, FaultyStore, Store};
use refrain_tables::{hold, seen};

use crate::children::{CANCELED_AT_ONCE, as_completion, cancel, ends, family, named, said, with_policy};
use crate::world::*;

/// Ends the parent of a child that has begun or has not. Answers how that stands in the end, if it has begun.
fn end_parent(policy: ParentClosePolicy, state: &str) -> Option<RunStatus> {
    let world = World::new();
    family(&world);
    world.workflow("parent", move |host, _| async move {
        let (_, finished) = host.child(with_policy("sleeper", "c", policy))?;
        as_completion(outcome(&host, finished).await?)
    });
    // The boot, the component, the start and the parent's step are written; then the child begins.
    let written = if state == "Starting" { 4 } else { u64::MAX };
    let parent = begin(&world, written);
    assert_eq!(child_state(&world, &parent), state);
    world.live(async |host| {
        host.terminate("p").await.unwrap();
        host.pass(secs(1_000)).await;
    });
    world.check_rest();
    let child = world.live(async |host| host.runtime.describe(&host.namespace, &target("c")).await.ok());
    child.map(|child| child.summary.status)
}

/// Starts the workflow `parent`, in a host that lives for a second and for so many writes at most.
fn begin(world: &World, writes: u64) -> RunKey {
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::StopAfter(writes)));
    let parent = world.live_on(store, async |host| {
        let parent = host.start("parent", "p").await;
        host.pass(secs(1)).await;
        parent
    });
    RunKey::new(Default::default(), parent.unwrap())
}

/// The state of the only child of this run, as its row says it.
fn child_state(world: &World, parent: &RunKey) -> &'static str {
    let row = world.under(&parent.children()).pop();
    match row.map(|(_, row)| codec::decode::<ChildRow>("child", &row).unwrap().started) {
        Some(true) => "Open",
        Some(false) => "Starting",
        None => "gone",
    }
}

/// Lets a child end whose parent has heard that it began, or has not. Answers what the parent hears of then.
fn grow_up(state: &str) -> &'static str {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        let (started, finished) = host.child(named("sleeper", 1, "c"))?;
        let mut told = Vec::new();
        while told.len() < 2 {
            for event in host.wait(Interest::Everything).await? {
                let Event::Finished { op, .. } = event else { panic!("an end, and not {event:?}") };
                told.push(op);
            }
        }
        assert_eq!(told, [started, finished]);
        completed(1)
    });
    // The boot, the component, the start, the parent's step; then the child has begun, and the host stops.
    let written = if state == "Starting" { 5 } else { u64::MAX };
    let parent = begin(&world, written);
    if state == "Starting" {
        // The news of the start is lost altogether, and that of the end is not.
        let row = parent.outbox(2);
        assert_eq!(world.under(&parent.outboxes()).len(), 1);
        let gone = Batch::new().delete(row.table, row.bytes);
        world.store.commit(gone).wait().unwrap();
    }
    assert_eq!(child_state(&world, &parent), state);
    let has_heard = world.live(async |host| {
        let has_heard = host.story("p").await.contains("child-started");
        assert_eq!(host.value("p").await, "1");
        has_heard
    });
    world.check_rest();
    if has_heard { "finished ends" } else { "both ops end" }
}

#[test]
fn a_parent_hears_of_a_start_before_it_hears_of_the_end() {
    assert_eq!(grow_up("Starting"), "both ops end");
}

#[test]
fn the_table_has_all_that_can_become_of_a_child() {
    let became = |status| match status {
        None => "never begins",
        Some(RunStatus::Canceled) => "is asked",
        Some(RunStatus::Terminated) => "terminated",
        Some(RunStatus::Completed) => "goes on",
        Some(other) => panic!("a child is {other:?}"),
    };
    let mut transitions = Vec::new();
    for state in ["Starting", "Open"] {
        for (event, cancellation) in [
            ("cancel, try", ChildCancellation::TryCancel),
            ("cancel, wait", ChildCancellation::WaitForCancellation),
            ("cancel, abandon", ChildCancellation::Abandon),
        ] {
            let (_, finished, status) = cancel(cancellation, state == "Open");
            let at_once = if finished == CANCELED_AT_ONCE { "canceled, " } else { "" };
            transitions.push(seen(event, state, format!("{at_once}{}", became(status))));
        }
        for (event, policy) in [
            ("parent ends, terminate", ParentClosePolicy::Terminate),
            ("parent ends, request cancel", ParentClosePolicy::RequestCancel),
            ("parent ends, abandon", ParentClosePolicy::Abandon),
        ] {
            transitions.push(seen(event, state, became(end_parent(policy, state))));
        }
        transitions.push(seen("it ends", state, grow_up(state)));
    }
    for (event, id) in [("it begins", "another"), ("it cannot begin", "p")] {
        let world = World::new();
        family(&world);
        world.workflow("parent", move |host, _| async move {
            let (started, finished) = host.child(named("sleeper", 1, id))?;
            said(&ends(&host, &[started, finished]).await?)
        });
        let parent = begin(&world, 4);
        assert_eq!(child_state(&world, &parent), "Starting");
        let state = world.live(async |host| {
            host.settle().await;
            let state = child_state(&world, &parent);
            let told = host.value("p").await;
            let refusals = told.matches("is running already").count();
            assert_eq!(refusals, if state == "gone" { 2 } else { 0 }, "{told}");
            state
        });
        transitions.push(seen(event, "Starting", if state == "gone" { "both ops end" } else { state }));
    }
    hold(include_str!("../../../engine/src/child.rs"), "event", transitions);
}
