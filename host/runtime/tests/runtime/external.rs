//! Signals and cancel requests from one execution to another.

use std::sync::Arc;

use refrain_engine::call::{Completion, Interest, NextRun};
use refrain_engine::failure::Outcome;
use refrain_engine::ids::{RunId, WorkflowId};
use refrain_engine::journal::ExecutionRef;
use refrain_engine::mailbox::Event;
use refrain_engine::scripted::{ScriptHost, Stopped};
use refrain_runtime::RunStatus;
use refrain_store::{Fault, FaultyStore};

use crate::children::{family, named};
use crate::lifecycle::listener;
use crate::world::*;

/// The current run of an execution.
pub(crate) fn current(id: &str) -> ExecutionRef {
    ExecutionRef { workflow_id: WorkflowId::new(id).unwrap(), run_id: None }
}

fn brief(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed(value) => text(value),
        Outcome::Failed(failure) => format!("{} {}: {failure}", failure.kind.as_str(), failure.error_type),
    }
}

async fn signal(host: &ScriptHost, to: ExecutionRef, name: &str) -> Result<String, Stopped> {
    let op = host.signal(to, name, json(1))?;
    Ok(brief(&outcome(host, op).await?))
}

#[test]
fn a_signal_reaches_another_execution_and_the_sender_hears_of_it() {
    let world = World::new();
    listener(&world);
    world.workflow("sender", |host, _| async move {
        let mut told = Vec::new();
        for name in ["one", "two", "stop"] {
            told.push(signal(&host, current("l"), name).await?);
        }
        completed(format!("{told:?}").replace('"', ""))
    });
    world.live(async |host| {
        host.start("listener", "l").await;
        assert_eq!(host.execute("sender").await, "[null, null, null]");
        assert_eq!(host.value("l").await, r#"["one", "two"]"#);
    });
    world.check_rest();
}

#[test]
fn what_one_run_sends_to_one_execution_comes_in_its_order_behind_the_start_of_that() {
    let world = World::new();
    listener(&world);
    world.workflow("sender", |host, _| async move {
        let (_, finished) = host.child(named("listener", 1, "l"))?;
        for n in 0..300 {
            host.signal(current("l"), &format!("{n}"), json(1))?;
        }
        host.signal(current("l"), "stop", json(1))?;
        let Outcome::Completed(heard) = outcome(&host, finished).await? else { panic!("a result") };
        Ok(Completion::Completed(heard))
    });
    world.live(async |host| {
        let expected: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        assert_eq!(host.execute("sender").await, format!("{expected:?}"));
    });
    world.check_rest();
}

#[test]
fn a_sender_hears_that_there_is_no_target_or_that_it_has_ended() {
    let world = World::new();
    family(&world);
    listener(&world);
    world.workflow("sender", |host, input| async move {
        let id: RunId = text(&input).trim_matches('"').parse().unwrap();
        let of = |workflow: &str| ExecutionRef { run_id: Some(id), ..current(workflow) };
        let mut told = Vec::new();
        for target in [current("nobody"), current("ended"), of("ended"), of("open"), current("open")] {
            told.push(signal(&host, target.clone(), "hello").await?);
            let asked = host.request_cancel(target, "enough")?;
            told.push(brief(&outcome(&host, asked).await?));
        }
        completed(format!("{told:#?}"))
    });
    world.live(async |host| {
        let ended = host.start_with("mirror", "ended", |_| {}).await.unwrap().run_id;
        host.start("listener", "open").await;
        host.value("ended").await;
        host.try_start("sender", "sender", &format!("{:?}", ended.to_string())).await.unwrap();
        let told = host.value("sender").await.replace(&ended.to_string(), "RUN");
        expect_test::expect![[r#"
            [
                "host not-found: there is no workflow \"nobody\"; check the spelling and the namespace, or list what there is",
                "host not-found: there is no workflow \"nobody\"; check the spelling and the namespace, or list what there is",
                "host closed: workflow \"ended\" has ended: run RUN is completed; start the workflow again under this id, or address another run",
                "host closed: workflow \"ended\" has ended: run RUN is completed; start the workflow again under this id, or address another run",
                "host closed: workflow \"ended\" has ended: run RUN is completed; start the workflow again under this id, or address another run",
                "host closed: workflow \"ended\" has ended: run RUN is completed; start the workflow again under this id, or address another run",
                "host not-found: there is no run of this workflow \"RUN\"; check the spelling and the namespace, or list what there is",
                "host not-found: there is no run of this workflow \"RUN\"; check the spelling and the namespace, or list what there is",
                "null",
                "null",
            ]"#]]
        .assert_eq(&told);
        host.settle().await;
        assert_eq!(host.status("open").await, RunStatus::Canceled);
    });
    world.check_rest();
}

#[test]
fn a_run_may_signal_and_cancel_itself() {
    let world = World::new();
    world.workflow("alone", |host, _| async move {
        host.signal(current("alone"), "hello", json(1))?;
        host.request_cancel(current("alone"), "enough")?;
        let mut told = Vec::new();
        while told.len() < 4 {
            for event in host.wait(Interest::Everything).await? {
                told.push(match event {
                    Event::Finished { op, .. } => format!("sent {op}"),
                    Event::Signal { name, .. } => name,
                    Event::CancelRequested { reason } => reason,
                    other => panic!("{other:?}"),
                });
            }
        }
        completed(format!("{told:?}"))
    });
    world.live(async |host| {
        assert_eq!(host.execute("alone").await, r#"["hello", "sent 1", "enough", "sent 2"]"#);
    });
    world.check_rest();
}

#[test]
fn a_signal_follows_an_execution_to_its_next_run_and_waits_for_room_in_its_mailbox() {
    let mut world = World::new();
    world.options.mailbox_messages = 2;
    world.workflow("busy", |host, input| async move {
        let pause = host.timer(secs(50))?;
        outcome(&host, pause).await?;
        if text(&input) == "1" {
            let (input, newest_version) = (json(2), false);
            let next = NextRun { newest_version, ..NextRun::with_input(input) };
            return Ok(Completion::ContinueAsNew(next));
        }
        let mut heard = Vec::new();
        while heard.len() < 5 {
            for event in host.wait(Interest::Everything).await? {
                let Event::Signal { name, .. } = event else { panic!("a signal, and not {event:?}") };
                heard.push(name);
            }
        }
        completed(format!("{heard:?}"))
    });
    world.workflow("sender", |host, _| async move {
        for n in 0..5 {
            host.signal(current("busy"), &format!("{n}"), json(1))?;
        }
        for op in 1..=5 {
            assert_eq!(brief(&outcome(&host, op).await?), "null");
        }
        completed(1)
    });
    world.live(async |host| {
        host.try_start("busy", "busy", "1").await.unwrap();
        assert_eq!(host.execute("sender").await, "1");
        assert_eq!(host.value("busy").await, r#"["0", "1", "2", "3", "4"]"#);
    });
    world.check_rest();
}

#[test]
fn what_a_run_sends_in_its_last_step_is_sent() {
    let world = World::new();
    family(&world);
    listener(&world);
    world.workflow("sender", |host, _| async move {
        let mut command = named("sleeper", 1, "child");
        command.options.parent_close = refrain_engine::child::ParentClosePolicy::Abandon;
        let (started, finished) = host.child(command)?;
        outcome(&host, started).await?;
        host.signal(current("l"), "one", json(1))?;
        host.signal(current("l"), "stop", json(1))?;
        host.request_cancel(current("s"), "enough")?;
        host.cancel(finished, "enough")?;
        completed(1)
    });
    world.live(async |host| {
        host.start("listener", "l").await;
        host.try_start("sleeper", "s", "1").await.unwrap();
        assert_eq!(host.execute("sender").await, "1");
        assert_eq!(host.value("l").await, r#"["one"]"#);
        host.settle().await;
        assert_eq!(host.status("s").await, RunStatus::Canceled);
        assert_eq!(host.status("child").await, RunStatus::Canceled);
    });
    world.check_rest();
}

#[test]
fn nothing_is_sent_before_its_cause_is_durable() {
    let world = World::new();
    listener(&world);
    world.workflow("sender", |host, _| async move {
        signal(&host, current("l"), "stop").await?;
        completed(1)
    });
    // The boot, the component, the listener's start and its step, the sender's start; its step is held.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(6)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("listener", "l").await;
            host.settle().await;
            host.start("sender", "s").await;
            host.pass(secs(5)).await;
            assert_eq!(held.held(), 1);
            assert_eq!(host.describe("l").await.mailbox_waiting, 0);
            held.release();
            assert_eq!(host.value("s").await, "1");
            assert_eq!(host.value("l").await, "[]");
        })
        .unwrap();
    world.check_rest();
}
