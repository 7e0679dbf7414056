//! What a run does when nothing goes wrong.

use std::time::Duration;

use expect_test::expect;
use refrain_engine::call::{Completion, Interest, NextRun, Read, Reply};
use refrain_engine::failure::{FailureKind, Outcome};
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_runtime::{Error, RunResult, RunStatus, StartWorkflow};
use refrain_store::FaultyStore;
use std::sync::Arc;

use crate::world::*;

#[test]
fn one_activity_and_its_whole_story() {
    let world = World::new();
    world.workflow("hello", |host, input| async move {
        host.log("greeting")?;
        as_outcome(run(&host, activity("echo", text(&input))).await?)
    });
    world.live(async |host| {
        host.try_start("hello", "h", r#""Ann""#).await.unwrap();
        assert_eq!(host.value("h").await, r#""Ann""#);
        expect![[r#"
            1 step 0 boot 1 at 0 s: workflow-started workflow: "hello", input: "Ann", component: "test", version: 1
            2 step 0 boot 1 at 0 s: logged level: Info, message: "greeting", fields: []
            3 step 0 boot 1 at 0 s: activity-scheduled op: 1, name: "echo", input: "Ann", summary: None
            4 step 1 boot 1 at 0 s: activity-completed op: 1, name: "echo", attempt: 1, started_at: Some(1767225600.000000000), result: "Ann"
            5 step 1 boot 1 at 0 s: workflow-completed result: "Ann"
        "#]].assert_eq(&host.story("h").await);
    });
    world.check_rest();
}

#[test]
fn ten_activities_in_a_row_take_twelve_commits() {
    let world = World::new();
    sequence(&world);
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let before = counted.writes();
            assert_eq!(host.execute("sequence").await, "10");
            host.settle().await;
            assert_eq!(counted.writes() - before, 12, "one for the start, one for each of eleven steps");
        })
        .unwrap();
    assert_eq!(world.attempts(), 10);
    world.check_rest();
}

/// Ten activities, one after the other.
pub(crate) fn sequence(world: &World) {
    world.workflow("sequence", |host, _| async move {
        for n in 0..10 {
            assert_eq!(run(&host, activity("echo", n)).await?, Ok(json(n)));
        }
        completed(10)
    });
}

/// A hundred activities at once; answers the sum of their results.
pub(crate) fn fan_out(world: &World) {
    world.workflow("fan-out", |host, _| async move {
        let mut open = Vec::new();
        for n in 0..100 {
            open.push(host.activity(activity("echo", n))?);
        }
        let mut sum = 0;
        while !open.is_empty() {
            for event in host.wait(Interest::Ops(open.clone())).await? {
                let Event::Finished { op, outcome: Outcome::Completed(value) } = event else {
                    panic!("an outcome, and not {event:?}")
                };
                open.retain(|other| *other != op);
                sum += text(&value).parse::<u64>().unwrap();
            }
        }
        completed(sum)
    });
}

#[test]
fn a_fan_out_runs_at_once_as_far_as_there_are_slots() {
    let mut world = World::new();
    world.options.activity_slots = 8;
    fan_out(&world);
    world.workflow("slow", |host, _| async move {
        let mut open = Vec::new();
        for _ in 0..20 {
            open.push(host.activity(activity("slow", 10))?);
        }
        for op in open {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    world.live(async |host| {
        assert_eq!(host.execute("fan-out").await, "4950");
        let began = tokio::time::Instant::now();
        host.execute("slow").await;
        assert_eq!(began.elapsed().as_secs(), 30, "twenty at eight a time, ten seconds each");
    });
    assert_eq!(world.attempts(), 120);
    world.check_rest();
}

#[test]
fn a_timer_fires_at_its_time_and_not_before() {
    let world = World::new();
    world.workflow("timer", |host, _| async move {
        let now = |host: &refrain_engine::scripted::ScriptHost| match host.read(Read::Now) {
            Ok(Reply::Time(time)) => time,
            other => panic!("a time, and not {other:?}"),
        };
        let before = now(&host);
        let op = host.timer(Duration::from_millis(7_200_500))?;
        outcome(&host, op).await?;
        let passed = now(&host).since(before);
        assert!(passed >= Duration::from_millis(7_200_500), "{passed:?}");
        completed(passed.as_secs())
    });
    world.live(async |host| {
        host.start("timer", "t").await;
        host.pass(secs(7_199)).await;
        let description = host.describe("t").await;
        assert_eq!(description.pending_timers.len(), 1);
        assert!(!description.resident, "a sleeping run is not in memory");
        assert_eq!(host.value("t").await, "7200");
    });
    world.check_rest();
}

#[test]
fn signals_end_a_wait_or_its_timeout_does() {
    let world = World::new();
    world.workflow("reminder", |host, _| async move {
        let timer = host.timer(secs(60))?;
        match host.wait(Interest::OpsAndMessages(vec![timer])).await?.remove(0) {
            Event::Signal { name, input } => {
                host.cancel(timer, "signaled")?;
                let Outcome::Failed(canceled) = outcome(&host, timer).await? else {
                    panic!("a canceled timer")
                };
                assert_eq!(canceled.kind, FailureKind::Canceled);
                completed(format!(r#""{name} {}""#, text(&input)))
            }
            Event::Finished { .. } => completed(r#""timeout""#),
            Event::CancelRequested { reason } => Ok(Completion::Canceled(Some(json(format!("{reason:?}"))))),
            Event::Query { name, .. } | Event::Update { name, .. } => panic!("nobody asks for {name}"),
        }
    });
    world.live(async |host| {
        for id in ["signaled", "late", "canceled"] {
            host.start("reminder", id).await;
        }
        host.pass(secs(30)).await;
        host.signal("signaled", "stop", "1", None).await.unwrap();
        host.cancel("canceled").await.unwrap();
        assert_eq!(host.value("signaled").await, r#""stop 1""#);
        assert_eq!(host.value("late").await, r#""timeout""#);
        let RunResult::Closed { status, outcome: Err(failure), .. } = host.result("canceled").await else {
            panic!("a canceled run")
        };
        assert_eq!((status, failure.kind), (RunStatus::Canceled, FailureKind::Canceled));
        assert_eq!(failure.details, Some(json(r#""not needed""#)));
        let closed = host.signal("late", "stop", "1", None).await.unwrap_err();
        assert!(matches!(closed, Error::Closed { status: RunStatus::Completed, .. }), "{closed}");
    });
    world.check_rest();
}

#[test]
fn a_failure_arrives_with_its_causes() {
    let world = World::new();
    world.activity("refuses", |_, _| async {
        Err(refrain_plugin::ActivityError::non_retryable("Refused", "connection refused")
            .context("stop container abc123"))
    });
    world.workflow("fails", |host, _| async move { as_outcome(run(&host, activity("refuses", 1)).await?) });
    world.live(async |host| {
        host.start("fails", "f").await;
        assert_eq!(host.failure("f").await.to_string(), "stop container abc123: connection refused");
        assert_eq!(host.status("f").await, RunStatus::Failed);
    });
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

/// Counts down from its input by continuing as new; the last run answers the signals that were sent to any.
pub(crate) fn countdown(world: &World) {
    world.workflow("countdown", |host, input| async move {
        let left: u32 = text(&input).parse().unwrap();
        let timer = host.timer(secs(10))?;
        outcome(&host, timer).await?;
        if left > 0 {
            let input = json(left - 1);
            let next = NextRun::with_input(input);
            return Ok(Completion::ContinueAsNew(next));
        }
        let mut signals = 0;
        while signals < 2 {
            signals += host.wait(Interest::Everything).await?.len();
        }
        completed(signals)
    });
}

#[test]
fn continuing_as_new_takes_undelivered_signals_along_and_results_follow() {
    let world = World::new();
    countdown(&world);
    world.live(async |host| {
        let first = host.try_start("countdown", "c", "2").await.unwrap().run_id;
        host.signal("c", "one", "1", None).await.unwrap();
        host.pass(secs(15)).await;
        host.signal("c", "two", "2", None).await.unwrap();
        let RunResult::Closed { run_id, outcome, .. } = host.result("c").await else { panic!("an end") };
        assert_eq!(outcome, Ok(json(2)));
        assert_ne!(run_id, first);
        let mut of_first = target("c");
        of_first.run_id = Some(first);
        let RunResult::Closed { status, .. } =
            host.runtime.result(&host.namespace, &of_first, secs(0)).await.unwrap()
        else {
            panic!("an end")
        };
        assert_eq!(status, RunStatus::ContinuedAsNew);
        let again = host.try_start("countdown", "c", "2").await.unwrap();
        assert_eq!((again.created, again.run_id), (false, run_id), "a repeated start is the same start");
    });
    world.check_rest();
}

#[test]
fn what_a_run_leaves_unread_is_the_first_that_the_next_one_gets() {
    let world = World::new();
    world.workflow("hands-on", |host, input| async move {
        if text(&input) == "null" {
            let Event::Signal { name, input } = host.wait(Interest::Everything).await?.remove(0) else {
                panic!("a signal")
            };
            // What comes from here on is not delivered to this run.
            let pause = host.timer(secs(10))?;
            outcome(&host, pause).await?;
            let next = NextRun { unread: vec![(name, input)], ..NextRun::with_input(json(1)) };
            return Ok(Completion::ContinueAsNew(next));
        }
        let mut got = Vec::new();
        while got.len() < 2 {
            got.extend(host.wait(Interest::Everything).await?);
        }
        let names: Vec<&str> = got
            .iter()
            .map(|event| match event {
                Event::Signal { name, .. } => name.as_str(),
                other => panic!("a signal, and not {other:?}"),
            })
            .collect();
        completed(format!("{names:?}").replace('"', ""))
    });
    world.live(async |host| {
        host.start("hands-on", "h").await;
        host.signal("h", "unread", "1", None).await.unwrap();
        host.pass(secs(5)).await;
        host.signal("h", "undelivered", "2", None).await.unwrap();
        let RunResult::Closed { outcome, .. } = host.result("h").await else { panic!("an end") };
        assert_eq!(outcome, Ok(json("[unread, undelivered]")));
    });
    world.check_rest();
}

#[test]
fn a_cancel_that_a_run_took_is_not_its_successors() {
    let world = World::new();
    world.workflow("stubborn", |host, input| async move {
        let Event::CancelRequested { .. } = host.wait(Interest::Everything).await?.remove(0) else {
            panic!("a request")
        };
        if text(&input) == "1" {
            return Ok(Completion::Canceled(None));
        }
        let next = NextRun::with_input(json(1));
        Ok(Completion::ContinueAsNew(next))
    });
    world.live(async |host| {
        host.start("stubborn", "s").await;
        host.cancel("s").await.unwrap();
        host.settle().await;
        assert_eq!(host.status("s").await, RunStatus::Running);
        host.cancel("s").await.unwrap();
        assert!(matches!(host.result("s").await, RunResult::Closed { status: RunStatus::Canceled, .. }));
    });
    world.check_rest();
}

#[test]
fn a_repeated_request_is_the_same_start_with_and_without_an_id() {
    let world = World::new();
    sequence(&world);
    world.live(async |host| {
        let request = |request_id: &str| StartWorkflow {
            request_id: Some(request_id.to_owned()),
            ..StartWorkflow::new("sequence", Payload::null())
        };
        let start = async |id: &str| host.runtime.start_workflow(&host.namespace, request(id)).await.unwrap();
        let (first, again, other) = (start("a").await, start("a").await, start("b").await);
        assert_eq!((first.created, again.created, other.created), (true, false, true));
        assert_eq!(again.run_id, first.run_id);
        assert_ne!(other.workflow_id, first.workflow_id);
        host.value(first.workflow_id.as_str()).await;
        assert_eq!(start("a").await.run_id, first.run_id, "also when it has ended");

        let named = host.start("sequence", "named").await;
        host.value("named").await;
        assert_eq!(host.start("sequence", "named").await, named);
        let anew = StartWorkflow { id: Some(target("named").workflow_id), ..request("other") };
        let anew = host.runtime.start_workflow(&host.namespace, anew).await.unwrap();
        assert!(anew.created, "another request may follow a run that has ended");
        host.value("named").await;
        host.value(other.workflow_id.as_str()).await;
    });
    world.check_rest();
}

#[test]
fn a_follower_sees_each_event_once_and_is_told_the_end() {
    let world = World::new();
    sequence(&world);
    world.live(async |host| {
        host.start("sequence", "s").await;
        let (mut after, mut numbers) = (0, Vec::new());
        loop {
            let page =
                host.runtime.history(&host.namespace, &target("s"), after, secs(60), false).await.unwrap();
            numbers.extend(page.events.iter().map(|event| event.number));
            after = numbers.last().copied().unwrap_or_default();
            if page.closed && page.events.is_empty() {
                break;
            }
        }
        let expected: Vec<u64> = (1..=after).collect();
        assert_eq!(numbers, expected);
        assert_eq!(host.history("s").await.events.len() as u64, after);
    });
}
