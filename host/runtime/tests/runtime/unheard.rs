//! Programs that know only their language's own sleep take no messages. A cancel request ends them after a grace.

use expect_test::expect;
use refrain_engine::call::{Completion, Interest};
use refrain_engine::failure::FailureKind;
use refrain_runtime::RunStatus;

use crate::world::*;

/// Sleeps for an hour, twice, and hears nothing meanwhile.
fn sleeper() -> World {
    let world = World::new();
    world.workflow("sleeper", |host, _| async move {
        for _ in 0..2 {
            let timer = host.timer(secs(3_600))?;
            outcome(&host, timer).await?;
        }
        completed("slept")
    });
    world
}

/// Somebody asks it to end while it sleeps.
async fn asked_to_end(host: &Host) {
    host.start("sleeper", "s").await;
    host.settle().await;
    host.cancel("s").await.unwrap();
    host.settle().await;
}

/// From when its grace has begun.
async fn ends_after_the_grace(host: &Host) {
    host.pass(secs(9)).await;
    assert_eq!(host.status("s").await, RunStatus::Running);
    host.pass(secs(2)).await;
    assert_eq!(host.status("s").await, RunStatus::Canceled);
}

#[test]
fn a_run_that_never_listens_says_so_and_is_canceled_after_a_grace() {
    let world = sleeper();
    world.live(async |host| {
        host.start("sleeper", "s").await;
        host.settle().await;
        assert_eq!(host.describe("s").await.listening, Some(false));
        host.pass(secs(100)).await;
        host.cancel("s").await.unwrap();
        host.cancel("s").await.unwrap();
        ends_after_the_grace(&host).await;
        assert_eq!(host.failure("s").await.kind, FailureKind::Canceled);
        expect![[r#"
            1 step 0 boot 1 at 0 s: workflow-started workflow: "sleeper", input: null, component: "test", version: 1
            2 step 0 boot 1 at 0 s: timer-started op: 1, deadline: 1767229200.000000000, summary: None
            3 step 0 boot 1 at 110 s: workflow-canceled result: None, reason: Some("it was asked to cancel itself and takes no messages; the grace of 10s has passed")
        "#]].assert_eq(&host.story("s").await);
    });
    world.check_rest();
}

#[test]
fn the_grace_outlives_the_host() {
    let world = sleeper();
    world.live(async |host| asked_to_end(&host).await);
    world.skip(secs(60));
    world.live(async |host| {
        host.settle().await;
        assert_eq!(host.status("s").await, RunStatus::Canceled);
    });
    world.check_rest();
}

#[test]
fn a_run_that_ends_within_the_grace_has_ended_by_itself() {
    let world = sleeper();
    world.live(async |host| {
        host.start("sleeper", "s").await;
        host.pass(secs(7_195)).await;
        host.cancel("s").await.unwrap();
        host.pass(secs(6)).await;
        assert_eq!(host.value("s").await, "slept");
    });
    world.check_rest();
}

#[test]
fn terminating_does_not_wait_for_the_grace() {
    let world = sleeper();
    world.live(async |host| {
        asked_to_end(&host).await;
        host.terminate("s").await.unwrap();
        assert_eq!(host.status("s").await, RunStatus::Terminated);
    });
    world.check_rest();
}

#[test]
fn who_has_listened_before_is_waited_for() {
    let world = World::new();
    world.workflow("busy", |host, _| async move {
        host.wait(Interest::Everything).await?;
        let timer = host.timer(secs(3_600))?;
        outcome(&host, timer).await?;
        host.wait(Interest::Everything).await?;
        Ok(Completion::Canceled(None))
    });
    world.live(async |host| {
        host.start("busy", "b").await;
        host.signal("b", "go", "1", None).await.unwrap();
        host.settle().await;
        host.cancel("b").await.unwrap();
        host.pass(secs(3_599)).await;
        assert_eq!(host.status("b").await, RunStatus::Running);
        host.pass(secs(2)).await;
        assert_eq!(host.status("b").await, RunStatus::Canceled);
    });
    world.check_rest();
}

#[test]
fn a_paused_run_is_not_ended_under_its_operators_hands() {
    let world = sleeper();
    world.live(async |host| {
        asked_to_end(&host).await;
        host.pause("s").await.unwrap();
        host.pass(secs(60)).await;
        assert_eq!(host.status("s").await, RunStatus::Paused);
        host.unpause("s").await.unwrap();
        ends_after_the_grace(&host).await;
    });
    world.check_rest();
}
