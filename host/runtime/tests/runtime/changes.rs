//! Who watches all runs hears of each that begins, goes on or ends.

use std::time::Duration;

use refrain_engine::call::Interest;
use refrain_runtime::{Changed, Changes, RunStatus, SendSignal};

use refrain_engine::payload::Payload;

use crate::world::{World, completed, target};

fn patient() -> World {
    let world = World::new();
    world.workflow("patient", |host, _| async move {
        host.wait(Interest::Everything).await?;
        completed("null")
    });
    world.workflow("broken", |_, _| async move {
        Err(refrain_engine::scripted::Stopped::Trap("a bug".to_owned()))
    });
    world
}

/// What is told until a run stands so.
async fn until(changes: &mut Changes, id: &str, status: RunStatus) -> Vec<RunStatus> {
    let mut told = Vec::new();
    while told.last() != Some(&status) {
        let Changed::Runs(runs) = changes.next().await.expect("news") else { panic!("some were missed") };
        told.extend(runs.iter().filter(|run| run.workflow_id.as_str() == id).map(|run| run.status));
    }
    told
}

#[test]
fn a_run_is_told_of_when_it_begins_and_when_it_ends_or_is_parked() {
    patient().live(async |host| {
        let mut changes = host.runtime.changes(&host.namespace).expect("the namespace exists");
        host.start("patient", "a").await;
        assert_eq!(until(&mut changes, "a", RunStatus::Running).await, [RunStatus::Running]);
        let signal = SendSignal { name: "go".to_owned(), input: Payload::null(), request_id: None };
        host.runtime.signal(&host.namespace, &target("a"), signal).await.expect("a signal");
        until(&mut changes, "a", RunStatus::Completed).await;
        host.start("broken", "b").await;
        until(&mut changes, "b", RunStatus::Parked).await;
    });
}

#[test]
fn a_run_whose_start_is_delayed_is_told_of_at_once() {
    patient().live(async |host| {
        let mut changes = host.runtime.changes(&host.namespace).expect("the namespace exists");
        let delay =
            |request: &mut refrain_runtime::StartWorkflow| request.start_delay = Duration::from_secs(3_600);
        host.start_with("patient", "later", delay).await.expect("a start");
        assert_eq!(until(&mut changes, "later", RunStatus::Running).await, [RunStatus::Running]);
    });
}

#[test]
fn who_falls_far_behind_is_told_to_look_at_the_list() {
    const MORE_THAN_ARE_REMEMBERED: usize = 5_000;
    patient().live(async |host| {
        let mut changes = host.runtime.changes(&host.namespace).expect("the namespace exists");
        for n in 0..MORE_THAN_ARE_REMEMBERED {
            host.start("patient", &n.to_string()).await;
        }
        // Each start is told of, and the wait that the run comes to.
        host.runtime.shutdown().await;
        assert_eq!(changes.next().await.expect("news"), Changed::Missed);
        assert!(
            matches!(changes.next().await.expect("news"), Changed::Runs(_)),
            "and hears of what followed"
        );
    });
}
