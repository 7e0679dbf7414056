//! Resets of runs that have children, and of runs that are some.

use refrain_engine::call::Interest;
use refrain_engine::child::{ChildCommand, ChildOptions};
use refrain_engine::failure::Outcome;
use refrain_engine::ids::WorkflowId;
use refrain_engine::mailbox::Event;
use refrain_runtime::{Error, ResetChildren, ResetWorkflow, RunStatus, Target};

use crate::lifecycle::listener;
use crate::resets::to;
use crate::world::*;

/// Starts a child, which grows up when it is told to, and waits for its start and its end.
fn parent(world: &World) {
    listener(world);
    world.workflow("parent", |host, _| async move {
        let options = ChildOptions {
            workflow_id: Some(WorkflowId::new("the child").unwrap()),
            ..ChildOptions::default()
        };
        let child = ChildCommand { workflow: "listener".to_owned(), input: json(1), options };
        let (started, finished) = host.child(child)?;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            for event in host.wait(Interest::Everything).await? {
                let Event::Finished { op, outcome } = event else { panic!("an end, and not {event:?}") };
                assert!([started, finished].contains(&op));
                heard.push(match outcome {
                    Outcome::Failed(failure) => failure.error_type,
                    Outcome::Completed(_) if op == started => "started".to_owned(),
                    Outcome::Completed(value) => text(&value),
                });
            }
        }
        completed(format!("{heard:?}"))
    });
}

#[test]
fn children_stay_with_the_old_run_and_the_new_one_is_told() {
    let world = World::new();
    parent(&world);
    world.live(async |host| {
        host.start("parent", "p").await;
        host.settle().await;
        host.reset("p", to(2)).await.unwrap();
        assert_eq!(host.value("p").await, r#"["not-adopted", "not-adopted"]"#);
        host.pass(secs(1)).await;
        assert_eq!(host.status("the child").await, RunStatus::Running, "no policy is applied");
        host.signal("the child", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("the child").await, "[]", "and nobody hears of its end");
    });
    world.check_rest();
}

#[test]
fn children_are_taken_over_where_that_is_asked_for() {
    let world = World::new();
    parent(&world);
    world.live(async |host| {
        host.start("parent", "p").await;
        host.settle().await;
        let adopting = || ResetWorkflow { children: ResetChildren::Adopt, ..to(2) };
        host.reset("p", adopting()).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("p").await, RunStatus::Running, "it waits for the child");
        let story = host.story("p").await;
        assert!(story.contains("child-started"), "its start is told again: {story}");
        // Once more: what the child has to say is led on over both runs.
        host.reset("p", adopting()).await.unwrap();
        host.signal("the child", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("p").await, r#"["started", "[]"]"#);
    });
    world.check_rest();
}

#[test]
fn a_child_that_was_taken_over_ends_with_the_run_that_has_it() {
    let world = World::new();
    parent(&world);
    world.live(async |host| {
        host.start("parent", "p").await;
        host.settle().await;
        host.reset("p", ResetWorkflow { children: ResetChildren::Adopt, ..to(2) }).await.unwrap();
        host.settle().await;
        host.terminate("p").await.unwrap();
        host.pass(secs(1)).await;
        assert_eq!(host.status("the child").await, RunStatus::Terminated);
    });
    world.check_rest();
}

#[test]
fn a_parent_hears_of_the_end_of_the_run_that_a_reset_has_made_of_its_child() {
    let world = World::new();
    parent(&world);
    world.live(async |host| {
        host.start("parent", "p").await;
        host.settle().await;
        host.signal("the child", "one", "1", None).await.unwrap();
        host.settle().await;
        host.reset("the child", to(1)).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("p").await, RunStatus::Running, "a reset is no end of the child");
        host.signal("the child", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("p").await, r#"["started", "[\"one\"]"]"#);
    });
    world.check_rest();
}

#[test]
fn a_run_whose_children_were_taken_over_is_not_deleted_before_them() {
    let world = World::new();
    parent(&world);
    world.live(async |host| {
        let first = host.start("parent", "p").await;
        host.settle().await;
        host.reset("p", ResetWorkflow { children: ResetChildren::Adopt, ..to(2) }).await.unwrap();
        let old = Target { run_id: Some(first), ..target("p") };
        let refused = host.runtime.delete(&host.namespace, &old).await;
        assert!(matches!(refused, Err(Error::NotClosed { .. })), "{refused:?}");
        host.signal("the child", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("p").await, r#"["started", "[]"]"#);
        host.runtime.delete(&host.namespace, &old).await.unwrap();
    });
    world.check_rest();
}
