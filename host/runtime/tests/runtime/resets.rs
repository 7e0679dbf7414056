//! Resets: an execution goes on as a new run, from an earlier step of one of its runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use refrain_engine::call::{Completion, Interest, NextRun, Read, Reply};
use refrain_engine::failure::Outcome;
use refrain_engine::ids::{Op, RunId, WorkflowId};
use refrain_engine::journal::ExecutionRef;
use refrain_engine::mailbox::Event;
use refrain_engine::scripted::{ScriptHost, Stopped, trap};
use refrain_runtime::{
    Error, ForkedRun, ListFilter, ResetWorkflow, RunResult, RunStatus, StartWorkflow, Target, WaitStage,
};
use tokio::task::JoinSet;

use crate::large::{LimitedBatches, OPEN_ACTIVITIES, opens_more_than_a_batch};
use crate::lifecycle::listener;
use crate::updates::{send, told};
use crate::world::*;

/// A reset to the end of the step of this event.
pub(crate) fn to(event: u64) -> ResetWorkflow {
    ResetWorkflow { event, ..ResetWorkflow::default() }
}

impl Host {
    pub(crate) async fn reset(&self, id: &str, request: ResetWorkflow) -> Result<ForkedRun, Error> {
        self.runtime.reset(&self.namespace, &target(id), request).await
    }

    pub(crate) async fn reset_run(
        &self,
        id: &str,
        run: RunId,
        request: ResetWorkflow,
    ) -> Result<ForkedRun, Error> {
        let of = Target { run_id: Some(run), ..target(id) };
        self.runtime.reset(&self.namespace, &of, request).await
    }

    pub(crate) async fn result_of(&self, id: &str, run: RunId) -> RunResult {
        let of = Target { run_id: Some(run), ..target(id) };
        self.runtime.result(&self.namespace, &of, secs(0)).await.expect("a result")
    }

    pub(crate) fn open_runs(&self) -> usize {
        let filter = ListFilter { status: Some(RunStatus::Running), workflow: None };
        self.runtime.list(&self.namespace, &filter, 1_000, None).unwrap().items.len()
    }
}

/// The failure of a reset that refuses a value: the field and the message.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Invalid { field, message }) => (field, message),
        other => panic!("it was not refused: {other:?}"),
    }
}

pub(crate) fn uuid(host: &ScriptHost) -> Result<String, Stopped> {
    match host.read(Read::Uuid)? {
        Reply::Uuid(uuid) => Ok(uuid.to_string()),
        other => panic!("a uuid, and not {other:?}"),
    }
}

pub(crate) fn run_id(host: &ScriptHost) -> Result<String, Stopped> {
    match host.read(Read::Info)? {
        Reply::Info(info) => Ok(info.run_id.to_string()),
        other => panic!("info, and not {other:?}"),
    }
}

/// Answers a uuid of its beginning and one for each of three signals.
pub(crate) fn uuids(world: &World) {
    world.workflow("uuids", |host, _| async move {
        let mut all = vec![uuid(&host)?];
        while all.len() < 4 {
            for _ in host.wait(Interest::Everything).await? {
                all.push(uuid(&host)?);
            }
        }
        completed(format!("{all:?}"))
    });
}

pub(crate) fn listed(value: &str) -> Vec<String> {
    value.trim_matches(['[', ']']).split(", ").map(str::to_owned).collect()
}

#[test]
fn a_reset_run_keeps_its_steps_and_draws_anew_after_them() {
    let world = World::new();
    uuids(&world);
    world.live(async |host| {
        let first = host.start("uuids", "u").await;
        for _ in 0..2 {
            host.signal("u", "go", "1", None).await.unwrap();
            host.settle().await;
        }
        // 1 started, 2 and 3 signals.
        let excluding = ResetWorkflow { exclude_signals: true, reason: "a bug".to_owned(), ..to(2) };
        let reset = host.reset("u", excluding).await.unwrap();
        assert_eq!((reset.step, reset.workflow_id.as_str()), (Some(1), "u"));
        assert_ne!(reset.run_id, first);
        assert_eq!(host.open_runs(), 1);
        let RunResult::Closed { status, outcome: Err(why), .. } = host.result_of("u", first).await else {
            panic!("the first run has ended")
        };
        assert_eq!(status, RunStatus::Terminated);
        assert_eq!(why.message, format!("reset to event 2: run {} goes on: a bug", reset.run_id));
        for _ in 0..2 {
            host.signal("u", "go", "1", None).await.unwrap();
            host.settle().await;
        }
        let value = host.value("u").await;
        let described = host.describe("u").await;
        assert_eq!(described.summary.run_id, reset.run_id);
        assert_eq!(described.continued_run_id, Some(first));
        let of = ExecutionRef { workflow_id: WorkflowId::new("u").unwrap(), run_id: Some(first) };
        assert_eq!((described.forked_from, described.reset_to), (Some((of, 1)), None));
        let of_first = Target { run_id: Some(first), ..target("u") };
        let described = host.runtime.describe(&host.namespace, &of_first).await.unwrap();
        assert_eq!((described.reset_to, described.continued_to), (Some(reset.run_id), Some(reset.run_id)));
        // The same steps as another run: two of its uuids are its own.
        let again = host.reset("u", to(0)).await.unwrap();
        assert_eq!(again.step, None);
        let anew = listed(&host.value("u").await);
        assert_eq!(anew.len(), 4, "all signals came again");
        let value = listed(&value);
        let all: BTreeSet<&String> = value.iter().chain(&anew).collect();
        assert_eq!(all.len(), 8, "no two runs draw the same: {value:?} {anew:?}");
    });
    world.check_rest();
}

#[test]
fn an_activity_that_is_open_there_runs_again_under_the_new_runs_key() {
    let world = World::new();
    world.workflow("works", |host, _| async move {
        let done = run(&host, activity("echo", 1)).await?.expect("a result");
        let detached = host.activity(activity("hang", 2))?;
        host.detach(detached)?;
        let canceled = host.activity(activity("hang", 3))?;
        host.cancel(canceled, "enough")?;
        let open = host.activity(activity("gate", 4))?;
        assert!(matches!(outcome(&host, canceled).await?, Outcome::Failed(_)));
        let Outcome::Completed(open) = outcome(&host, open).await? else { panic!("it completes") };
        completed(format!("{:?}", (run_id(&host)?, text(&done), text(&open))))
    });
    world.live(async |host| {
        let first = host.start("works", "w").await;
        host.settle().await;
        assert_eq!(world.attempts(), 3, "that which is canceled at once is never begun");
        let story = host.story("w").await;
        let scheduled = story.lines().filter(|line| line.contains("activity-scheduled")).count();
        assert_eq!(scheduled, 4, "{story}");
        // 1 started, 2 scheduled, 3 completed, 4 scheduled.
        let reset = host.reset("w", to(4)).await.unwrap();
        host.settle().await;
        let next = reset.run_id;
        let keys: Vec<String> = world.executions.lock().unwrap().iter().map(|(key, _)| key.clone()).collect();
        let expected = [(first, 1), (first, 2), (first, 4), (next, 4)];
        assert_eq!(keys, expected.map(|(run, op)| format!("{run}/{op}")));
        assert_eq!(host.describe("w").await.pending_activities.len(), 1);
        // One is for the attempt of the first run, which never hears that nobody waits for it.
        world.gate.add_permits(2);
        assert_eq!(host.value("w").await, format!("{:?}", (next.to_string(), "1", "4")));
    });
    world.check_rest();
}

#[test]
fn timers_keep_their_deadlines_and_those_that_have_passed_fire_at_once() {
    let world = World::new();
    world.workflow("sleeps", |host, _| async move {
        let (short, long) = (host.timer(secs(100))?, host.timer(secs(200))?);
        outcome(&host, short).await?;
        outcome(&host, long).await?;
        completed(1)
    });
    world.live(async |host| {
        let first = host.start("sleeps", "s").await;
        host.pass(secs(150)).await;
        // 1 started, 2 and 3 timers, 4 fired.
        let second = host.reset("s", to(3)).await.unwrap().run_id;
        host.settle().await;
        let pending: Vec<Op> = host.describe("s").await.pending_timers.iter().map(|timer| timer.op).collect();
        assert_eq!(pending, [2], "the first has fired at once");
        host.value("s").await;
        let story = host.story("s").await;
        assert!(story.contains("at 200 s: timer-fired"), "{story}");
        let third = host.reset_run("s", first, to(3)).await.unwrap().run_id;
        host.settle().await;
        assert!(matches!(
            host.result_of("s", third).await,
            RunResult::Closed { status: RunStatus::Completed, .. }
        ));
        assert_eq!(host.describe("s").await.summary.run_id, third);
        assert_ne!(second, third);
    });
    world.check_rest();
}

#[test]
fn signals_that_a_run_had_not_taken_at_its_end_come_to_the_run_that_it_is_reset_to() {
    let world = World::new();
    world.workflow("deaf at first", |host, _| async move {
        let gate = host.activity(activity("gate", 1))?;
        outcome(&host, gate).await?;
        let later = host.activity(activity("gate", 2))?;
        outcome(&host, later).await?;
        match host.wait(Interest::Everything).await?.remove(0) {
            Event::Signal { name, .. } => completed(format!("{name:?}")),
            other => panic!("{other:?}"),
        }
    });
    world.live(async |host| {
        host.start("deaf at first", "d").await;
        host.signal("d", "heard late", "1", None).await.unwrap();
        host.terminate("d").await.unwrap();
    });
    // The signal was acknowledged, and a crash and the end between it and the reset change nothing.
    world.live(async |host| {
        host.reset("d", to(1)).await.unwrap();
        world.gate.add_permits(2);
        assert_eq!(host.value("d").await, r#""heard late""#);
        host.delete("d").await.unwrap();
    });
    world.check_empty();
}

#[test]
fn signals_that_came_later_come_again_in_order_unless_they_are_excluded() {
    let world = World::new();
    world.workflow("picky", |host, _| async move {
        let mut got = Vec::new();
        let gate = host.activity(activity("gate", 1))?;
        outcome(&host, gate).await?;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { name, .. } if name == "stop" => return completed(format!("{got:?}")),
                    Event::Signal { name, .. } if name == "trap" => return Err(trap("a bug")),
                    Event::Signal { name, .. } => got.push(name),
                    Event::CancelRequested { .. } => got.push("canceled".to_owned()),
                    other => panic!("{other:?}"),
                }
            }
        }
    });
    world.live(async |host| {
        host.start("picky", "p").await;
        host.signal("p", "one", "1", None).await.unwrap();
        host.settle().await;
        world.gate.add_permits(1);
        host.settle().await;
        host.signal("p", "two", "1", None).await.unwrap();
        host.cancel("p").await.unwrap();
        host.settle().await;
        host.pause("p").await.unwrap();
        host.signal("p", "three", "1", Some("three")).await.unwrap();
        // 1 started, 2 scheduled: "one" came before that step's end, and was delivered later.
        let first = host.reset("p", to(2)).await.unwrap().run_id;
        host.settle().await;
        let described = host.describe("p").await;
        assert_eq!((described.mailbox_waiting, described.cancel_requested), (3, false));
        host.runtime.unpause(&host.namespace, &target("p")).await.unwrap();
        host.signal("p", "three", "1", Some("three")).await.unwrap();
        world.gate.add_permits(1);
        host.signal("p", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("p").await, r#"["one", "two", "three"]"#);

        world.gate.add_permits(1);
        let excluding = ResetWorkflow { exclude_signals: true, ..to(2) };
        host.reset_run("p", first, excluding).await.unwrap();
        host.settle().await;
        host.signal("p", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("p").await, "[]");
    });
    world.check_rest();
}

#[test]
fn a_cancel_request_that_was_delivered_is_kept_with_its_step() {
    let world = World::new();
    world.workflow("stubborn", |host, _| async move {
        let mut all = 0;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { .. } => return completed(all),
                    _ => all += 1,
                }
            }
        }
    });
    world.live(async |host| {
        host.start("stubborn", "s").await;
        host.cancel("s").await.unwrap();
        host.settle().await;
        host.reset("s", to(2)).await.unwrap();
        assert!(host.describe("s").await.cancel_requested);
        host.cancel("s").await.unwrap();
        host.signal("s", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("s").await, "1", "a run takes one request");
    });
    world.check_rest();
}

#[test]
fn a_parked_run_goes_on_from_before_its_trap_and_a_crash_changes_nothing() {
    let world = World::new();
    world.workflow("traps", |host, _| async move {
        host.wait(Interest::Everything).await?;
        Err(trap("a bug"))
    });
    world.live(async |host| {
        host.start("traps", "t").await;
        host.signal("t", "go", "1", None).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("t").await, RunStatus::Parked);
        let excluding = ResetWorkflow { exclude_signals: true, ..to(1) };
        host.reset("t", excluding).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("t").await, RunStatus::Running);
    });
    world.workflow("traps", |host, _| async move {
        host.wait(Interest::Everything).await?;
        completed(1)
    });
    world.live(async |host| {
        host.settle().await;
        host.signal("t", "go", "1", None).await.unwrap();
        assert_eq!(host.value("t").await, "1");
    });
    world.check_rest();
}

#[test]
fn what_cannot_be_reset_to_is_refused_with_the_remedy() {
    let world = World::new();
    listener(&world);
    world.live(async |host| {
        let first = host.start("listener", "l").await;
        host.signal("l", "one", "1", None).await.unwrap();
        host.settle().await;
        let (field, message) = refused(host.reset("l", to(7)).await);
        assert_eq!(
            (field.as_str(), message.as_str()),
            ("event", "is 7: give the number of an event, from 1 to 2")
        );
        host.signal("l", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("l").await, r#"["one"]"#);
        let (field, message) = refused(host.reset("l", to(4)).await);
        assert_eq!(field, "event");
        assert!(message.contains("the run ended") && message.contains("earlier"), "{message}");
        let second = host.start_with("listener", "l", |_| {}).await.unwrap().run_id;
        let open = host.reset_run("l", first, to(1)).await.unwrap_err();
        assert!(matches!(&open, Error::NotClosed { run_id, .. } if *run_id == second), "{open}");
        assert!(open.hint().contains("terminate it"), "{}", open.hint());
        host.terminate("l").await.unwrap();
        let reset = host.reset_run("l", first, to(1)).await.unwrap();
        host.settle().await;
        let closed = host.result_of("l", reset.run_id).await;
        let RunResult::Closed { outcome: Ok(value), .. } = closed else {
            panic!("stop came again: {closed:?}")
        };
        assert_eq!(text(&value), r#"["one"]"#);
    });
    world.check_rest();
}

#[test]
fn more_signals_than_a_mailbox_holds_are_refused_and_nothing_happens() {
    let mut world = World::new();
    world.options.mailbox_messages = 5;
    listener(&world);
    world.live(async |host| {
        let first = host.start("listener", "l").await;
        for _ in 0..6 {
            host.signal("l", "one", "1", None).await.unwrap();
            host.settle().await;
        }
        let (field, message) = refused(host.reset("l", to(1)).await);
        assert_eq!(field, "exclude_signals");
        assert!(message.contains("6 messages") && message.contains("a later event"), "{message}");
        assert_eq!(host.describe("l").await.summary.run_id, first);
        host.reset("l", to(2)).await.unwrap();
        host.signal("l", "stop", "1", None).await.unwrap();
        assert_eq!(listed(&host.value("l").await).len(), 6);
    });
    world.check_rest();
}

#[test]
fn a_repeated_request_is_answered_with_the_same_run() {
    let world = World::new();
    listener(&world);
    let with = |request_id: &str| ResetWorkflow { request_id: Some(request_id.to_owned()), ..to(1) };
    world.live(async |host| {
        let first = host.start("listener", "l").await;
        host.signal("l", "one", "1", Some("a signal")).await.unwrap();
        host.settle().await;
        let reset = host.reset("l", with("r")).await.unwrap();
        for _ in 0..2 {
            assert_eq!(host.reset("l", with("r")).await, Ok(reset.clone()));
            assert_eq!(host.reset_run("l", first, with("r")).await, Ok(reset.clone()));
            host.settle().await;
        }
        assert_eq!(refused(host.reset("l", with("a signal")).await).0, "request_id");
        host.signal("l", "stop", "1", None).await.unwrap();
        host.value("l").await;
        assert_eq!(host.reset("l", with("r")).await, Ok(reset));
    });
    world.check_rest();
}

#[test]
fn a_reset_run_can_be_reset_again_and_each_history_says_where_it_is_from() {
    let world = World::new();
    uuids(&world);
    world.live(async |host| {
        let first = host.start("uuids", "u").await;
        host.signal("u", "go", "1", None).await.unwrap();
        host.settle().await;
        let second = host.reset("u", to(2)).await.unwrap().run_id;
        host.signal("u", "go", "1", None).await.unwrap();
        host.settle().await;
        let story = host.story("u").await;
        assert!(story.contains("workflow-forked"), "{story}");
        // 1 started, 2 signal, 3 forked, 4 signal.
        let third = host.reset("u", to(4)).await.unwrap().run_id;
        host.signal("u", "go", "1", None).await.unwrap();
        let value = host.value("u").await;
        let forked: Vec<String> =
            host.story("u").await.lines().filter(|line| line.contains("forked")).map(str::to_owned).collect();
        assert_eq!(forked.len(), 2, "{forked:?}");
        assert!(
            forked[0].contains(&first.to_string()) && forked[1].contains(&second.to_string()),
            "{forked:?}"
        );
        assert_eq!(host.describe("u").await.summary.run_id, third);
        assert_eq!(listed(&value).iter().collect::<BTreeSet<_>>().len(), 4);
        // Who asks for the first one's result without a run is led on to the last.
        assert!(
            matches!(host.result_of("u", first).await, RunResult::Closed { run_id, .. } if run_id == first)
        );
        assert_eq!(host.delete("u").await, Ok(3));
    });
    world.check_empty();
}

#[test]
fn resets_starts_and_terminations_at_once_leave_at_most_one_open_run() {
    for round in 0..20_u64 {
        let world = World::new();
        listener(&world);
        world.live(async |host| {
            host.start("listener", "one").await;
            host.signal("one", "hello", "1", None).await.unwrap();
            if round % 2 == 0 {
                host.settle().await;
            }
            let mut racers = JoinSet::new();
            for n in 0..30 {
                let host = host.clone();
                racers.spawn(async move {
                    match (n + round) % 3 {
                        0 => drop(host.reset("one", to(1)).await),
                        1 => drop(host.start_with("listener", "one", |_| {}).await),
                        _ => drop(host.terminate("one").await),
                    }
                });
            }
            racers.join_all().await;
            host.settle().await;
            let open = host.open_runs();
            assert!(open <= 1, "{open} runs are open");
            if open == 1 {
                host.signal("one", "stop", "1", None).await.unwrap();
            }
            host.result("one").await;
        });
        world.check_rest();
    }
}

#[test]
fn updates_that_were_not_delivered_go_on_to_the_new_run_and_accepted_ones_end() {
    let world = World::new();
    world.workflow("deaf", |host, input| async move {
        if let Event::Update { request, .. } = host.wait(Interest::Everything).await?.remove(0) {
            host.accept(request)?;
        }
        let pause = host.timer(secs(100))?;
        outcome(&host, pause).await?;
        while let Event::Update { request, .. } = host.wait(Interest::Everything).await?.remove(0) {
            host.accept(request)?;
            host.complete(request, Outcome::Completed(input.clone()))?;
        }
        completed(1)
    });
    world.live(async |host| {
        host.start("deaf", "d").await;
        for (id, stage) in [("first", WaitStage::Accepted), ("second", WaitStage::Admitted)] {
            host.update("d", send(id, "add", 1)).await.unwrap();
            let progress = host.update_progress("d", id, stage, secs(10)).await.unwrap();
            assert!(progress.reached, "{id}: {}", told(&progress));
        }
        // 1 started, 2 the update, 3 its acceptance, 4 the pause.
        host.reset("d", to(4)).await.unwrap();
        let first = host.answered("d", "first").await;
        assert!(first.contains("run-ended"), "the old run has ended with it: {first}");
        let second = host.answered("d", "second").await;
        assert!(second.contains("null"), "the new run answers it: {second}");
        host.signal("d", "stop", "1", None).await.unwrap();
        host.value("d").await;
    });
    world.check_rest();
}

#[test]
fn a_run_that_continues_a_copied_one_is_itself_from_its_first_step_on() {
    let world = World::new();
    world.workflow("goes on", |host, input| async move {
        let uuid = uuid(&host)?;
        let Ok(Reply::Info(info)) = host.read(Read::Info) else { panic!("info") };
        if text(&input) != "null" {
            return completed(format!("{uuid} {} {}", info.run_id, text(&input)));
        }
        host.wait(Interest::Everything).await?;
        let pause = host.timer(secs(1))?;
        outcome(&host, pause).await?;
        host.wait(Interest::Everything).await?;
        Ok(Completion::ContinueAsNew(NextRun::with_input(json(uuid))))
    });
    world.live(async |host| {
        host.start("goes on", "g").await;
        host.signal("g", "one", "1", None).await.unwrap();
        host.pass(secs(2)).await;
        // Its first step is the old run's.
        host.reset("g", to(2)).await.unwrap();
        host.pass(secs(2)).await;
        host.signal("g", "two", "2", None).await.unwrap();
        let RunResult::Closed { run_id, outcome: Ok(value), .. } = host.result("g").await else {
            panic!("an end")
        };
        let value = text(&value);
        let [anew, told, before] = value.split(' ').collect::<Vec<_>>()[..] else { panic!("{value}") };
        assert_ne!(anew, before, "it draws from a stream of its own");
        assert_eq!(told, run_id.to_string(), "and knows itself");
        assert!(!host.story("g").await.contains("workflow-forked"));
    });
    world.check_rest();
}

#[test]
fn the_new_run_of_one_that_is_paused_is_paused() {
    let world = World::new();
    listener(&world);
    world.live(async |host| {
        host.start("listener", "l").await;
        host.settle().await;
        host.runtime.pause(&host.namespace, &target("l"), "look".to_owned()).await.unwrap();
        host.signal("l", "stop", "1", None).await.unwrap();
        host.reset("l", to(1)).await.unwrap();
        host.pass(secs(1)).await;
        assert_eq!(host.status("l").await, RunStatus::Paused);
        host.runtime.unpause(&host.namespace, &target("l")).await.unwrap();
        assert_eq!(host.value("l").await, "[]");
    });
    world.check_rest();
}

#[test]
fn a_signal_is_not_taken_for_the_reset_that_has_its_request_id() {
    let world = World::new();
    listener(&world);
    world.live(async |host| {
        host.start("listener", "l").await;
        host.settle().await;
        host.reset("l", ResetWorkflow { request_id: Some("r".to_owned()), ..to(1) }).await.unwrap();
        let refused = host.signal("l", "one", "1", Some("r")).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        host.signal("l", "stop", "1", Some("s")).await.unwrap();
        assert_eq!(host.value("l").await, "[]");
    });
    world.check_rest();
}

#[test]
fn what_the_old_run_sent_after_the_cut_is_no_news_to_the_new_one() {
    let world = World::new();
    world.workflow("late listener", |host, _| async move {
        let pause = host.timer(secs(100))?;
        outcome(&host, pause).await?;
        let got = host.wait(Interest::Everything).await?.len();
        completed(got)
    });
    let other = || ExecutionRef { workflow_id: WorkflowId::new("other").unwrap(), run_id: None };
    world.workflow("branches", move |host, _| async move {
        // Which way is decided by the signal: op 1 is a message to another one in the one, and a timer in the other.
        let Event::Signal { name, .. } = host.wait(Interest::Everything).await?.remove(0) else { panic!() };
        if name == "send" {
            for _ in 0..4 {
                host.signal(other(), "hello", json(format!("{:?}", "x".repeat(1_900_000))))?;
            }
            host.wait(Interest::OpsAndMessages(Vec::new())).await?;
            return completed("null");
        }
        for _ in 0..4 {
            host.timer(secs(1_000))?;
        }
        let mut ends = 0;
        while ends < 4 {
            ends += host.wait(Interest::Everything).await?.len();
        }
        completed(ends)
    });
    world.live(async |host| {
        host.start("late listener", "other").await;
        host.start("branches", "b").await;
        host.signal("b", "send", "1", None).await.unwrap();
        host.pass(secs(1)).await;
        host.reset("b", ResetWorkflow { exclude_signals: true, ..to(1) }).await.unwrap();
        host.signal("b", "wait", "1", None).await.unwrap();
        host.value("b").await;
        let run = host.describe("b").await.summary;
        let took = run.closed_at.expect("its end").since(run.started_at);
        assert!(took >= secs(1_000), "the timers have fired, and nothing stood for them: {took:?}");
    });
}

#[test]
fn signals_to_others_that_may_not_have_reached_them_are_sent_again() {
    let world = World::new();
    listener(&world);
    let other = || ExecutionRef { workflow_id: WorkflowId::new("other").unwrap(), run_id: None };
    world.workflow("sends", move |host, _| async move {
        host.signal(other(), "hello", json(1))?;
        host.wait(Interest::Everything).await?;
        completed(1)
    });
    world.live(async |host| {
        host.start("listener", "other").await;
        host.start("sends", "s").await;
        host.value("s").await;
        // Where it is cut, the run did not know yet that the signal had arrived.
        host.reset("s", to(2)).await.unwrap();
        host.value("s").await;
        host.signal("other", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("other").await, r#"["hello", "hello"]"#);
    });
    world.check_rest();
}

#[test]
fn activities_that_are_open_there_may_be_more_than_a_batch_holds() {
    let world = World::new();
    opens_more_than_a_batch(&world, 1);
    let limited = || Arc::new(LimitedBatches::new(Arc::clone(&world.store)));
    world
        .live_on(limited(), async |host| {
            host.start("large", "l").await;
            host.pass(secs(20)).await;
            // 1 started, and then three events for each activity and its pause.
            host.reset("l", to(43)).await.unwrap();
            host.settle().await;
            assert_eq!(host.describe("l").await.pending_activities.len(), OPEN_ACTIVITIES);
        })
        .unwrap();
    world
        .live_on(limited(), async |host| {
            world.gate.add_permits(1_000);
            host.value("l").await;
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn what_cannot_begin_in_one_batch_is_refused_and_nothing_happens() {
    const SIGNALS: usize = 14;
    let world = World::new();
    let other = || ExecutionRef { workflow_id: WorkflowId::new("other").unwrap(), run_id: None };
    world.workflow("late listener", |host, _| async move {
        let pause = host.timer(secs(100))?;
        outcome(&host, pause).await?;
        let mut got = 0;
        while got < SIGNALS {
            got += host.wait(Interest::Everything).await?.len();
        }
        completed(got)
    });
    world.workflow("sends", move |host, _| async move {
        for _ in 0..SIGNALS {
            host.signal(other(), "hello", json(format!("{:?}", "x".repeat(1_400_000))))?;
            let pause = host.timer(secs(1))?;
            outcome(&host, pause).await?;
        }
        while !matches!(host.wait(Interest::Everything).await?.last(), Some(Event::Signal { .. })) {}
        completed(1)
    });
    let limited = Arc::new(LimitedBatches::new(Arc::clone(&world.store)));
    let lived = world.live_on(limited, async |host| {
        host.start("late listener", "other").await;
        let first = host.start("sends", "s").await;
        host.pass(secs(20)).await;
        // 1 started, and then three events for each signal and its pause.
        let refused = host.reset("s", to(43)).await;
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        assert_eq!(host.describe("s").await.summary.run_id, first);
        host.signal("s", "stop", "1", None).await.unwrap();
        host.value("s").await;
        assert_eq!(host.value("other").await, SIGNALS.to_string());
    });
    lived.unwrap();
    world.check_rest();
}

#[test]
fn a_reset_of_a_run_that_is_delayed_begins_at_once() {
    let world = World::new();
    listener(&world);
    world.live(async |host| {
        let late = |start: &mut StartWorkflow| start.start_delay = secs(1_000);
        host.start_with("listener", "l", late).await.unwrap();
        host.signal("l", "one", "1", None).await.unwrap();
        let reset = host.reset("l", to(1)).await.unwrap();
        assert_eq!(reset.step, None);
        host.signal("l", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("l").await, r#"["one"]"#);
        assert!(host.describe("l").await.delayed_until.is_none());
    });
    world.check_rest();
}
