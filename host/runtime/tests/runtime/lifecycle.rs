//! The lifecycle of executions: which starts may follow or replace which runs, timeouts, retries, delays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::expect;
use refrain_engine::call::{Completion, Interest, NextRun, Read, Reply};
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::mailbox::Event;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::scripted::ScriptHost;
use refrain_runtime::{
    Error, IdConflictPolicy, IdReusePolicy, ListFilter, RunResult, RunStatus, StartSignal, StartWorkflow,
};
use refrain_store::{CommitError, Fault, FaultyStore};
use tokio::task::JoinSet;

use crate::world::*;

/// Waits for signals, and answers them when one of them is `stop`.
pub(crate) fn listener(world: &World) {
    world.workflow("listener", |host, _| async move {
        let mut got = Vec::new();
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { name, .. } if name == "stop" => {
                        return completed(format!("{got:?}"));
                    }
                    Event::Signal { name, .. } => got.push(name),
                    Event::CancelRequested { .. } => return Ok(Completion::Canceled(None)),
                    other => panic!("{other:?}"),
                }
            }
        }
    });
}

/// Fails with its attempt's number while that is below its input, then answers it.
pub(crate) fn nth_time_lucky(world: &World) {
    world.workflow("lucky", |host, input| async move {
        let (attempt, last) = (attempt(&host), last_failure(&host));
        let told = (attempt > 1).then(|| format!("no {}", attempt - 1));
        assert_eq!(last, told, "an attempt knows why the one before it failed");
        if u64::from(attempt) < text(&input).parse().unwrap() {
            return Ok(Completion::Failed(failure(&format!("no {attempt}"))));
        }
        completed(attempt)
    });
}

pub(crate) fn attempt(host: &ScriptHost) -> u32 {
    match host.read(Read::Info) {
        Ok(Reply::Info(info)) => info.attempt,
        other => panic!("info, and not {other:?}"),
    }
}

fn last_failure(host: &ScriptHost) -> Option<String> {
    match host.read(Read::Info) {
        Ok(Reply::Info(info)) => info.last_failure.map(|failure| failure.message),
        other => panic!("info, and not {other:?}"),
    }
}

fn failure(message: &str) -> Failure {
    Failure::new(FailureKind::Application, "Busy", message)
}

pub(crate) fn retries(maximum_attempts: u32) -> Option<RetryPolicy> {
    Some(RetryPolicy { maximum_attempts, initial_interval: secs(10), ..RetryPolicy::default() })
}

pub(crate) fn hello(name: &str) -> Option<StartSignal> {
    Some(StartSignal { name: name.to_owned(), input: json(1) })
}

async fn open_runs(host: &Host) -> usize {
    let filter = ListFilter { status: Some(RunStatus::Running), workflow: None };
    host.runtime.list(&host.namespace, &filter, 1_000, None).unwrap().items.len()
}

#[test]
fn a_start_may_follow_a_run_that_has_ended_as_its_reuse_policy_says() {
    use IdReusePolicy::{AllowDuplicate, AllowDuplicateFailedOnly, RejectDuplicate};
    let world = World::new();
    world.workflow("ends", |_, input| async move {
        match text(&input).as_str() {
            "1" => completed(1),
            "2" => Ok(Completion::Canceled(None)),
            _ => Ok(Completion::Failed(failure("no"))),
        }
    });
    listener(&world);
    world.live(async |host| {
        for (input, status, reusable) in [
            ("1", RunStatus::Completed, false),
            ("2", RunStatus::Canceled, true),
            ("3", RunStatus::Failed, true),
        ] {
            let id = format!("id {input}");
            let start = async |policy| {
                let change = |start: &mut StartWorkflow| {
                    (start.input, start.id_reuse_policy) = (json(input), policy);
                };
                let started = host.start_with("ends", &id, change).await;
                host.settle().await;
                started
            };
            assert!(start(RejectDuplicate).await.unwrap().created, "no run has had the id");
            let refused = start(RejectDuplicate).await.unwrap_err();
            assert!(
                matches!(&refused, Error::AlreadyRan { status: ended, .. } if *ended == status),
                "{refused}"
            );
            assert!(refused.hint().contains("id_reuse_policy"), "{}", refused.hint());
            assert_eq!(start(AllowDuplicateFailedOnly).await.is_ok(), reusable, "{status:?}");
            assert!(start(AllowDuplicate).await.unwrap().created);
        }
        host.start("listener", "terminated").await;
        host.terminate("terminated").await.unwrap();
        let failed_only = |start: &mut StartWorkflow| start.id_reuse_policy = AllowDuplicateFailedOnly;
        assert!(host.start_with("listener", "terminated", failed_only).await.unwrap().created);
        host.signal("terminated", "stop", "1", None).await.unwrap();
        host.value("terminated").await;
    });
    world.check_rest();
}

#[test]
fn a_start_meets_a_run_that_has_not_ended_as_its_conflict_policy_says() {
    let world = World::new();
    listener(&world);
    world.live(async |host| {
        let first = host.start_with("listener", "l", |_| {}).await.unwrap().run_id;
        let refused = host.start_with("listener", "l", |_| {}).await.unwrap_err();
        assert!(matches!(refused, Error::AlreadyRunning { run_id, .. } if run_id == first), "{refused}");

        let policy = |policy: IdConflictPolicy, request_id: &str| {
            let request_id = Some(request_id.to_owned());
            move |start: &mut StartWorkflow| {
                (start.id_conflict_policy, start.request_id) = (Some(policy), request_id);
            }
        };
        let joins = policy(IdConflictPolicy::UseExisting, "a");
        let joined = host.start_with("listener", "l", joins.clone()).await.unwrap();
        assert_eq!((joined.run_id, joined.created), (first, false));

        let replaces = policy(IdConflictPolicy::TerminateExisting, "b");
        let second = host.start_with("listener", "l", replaces.clone()).await.unwrap();
        assert!(second.created && second.run_id != first);
        let of_first = refrain_runtime::Target { run_id: Some(first), ..target("l") };
        let RunResult::Closed { status, outcome: Err(why), .. } =
            host.runtime.result(&host.namespace, &of_first, secs(0)).await.unwrap()
        else {
            panic!("the first run has ended")
        };
        assert_eq!(status, RunStatus::Terminated);
        assert!(why.message.contains("took its place"), "{why}");
        let again = host.start_with("listener", "l", replaces).await.unwrap();
        assert_eq!((again.run_id, again.created), (second.run_id, false), "the same request");

        let joins = policy(IdConflictPolicy::UseExisting, "c");
        host.start_with("listener", "l", joins.clone()).await.unwrap();
        host.signal("l", "stop", "1", None).await.unwrap();
        host.value("l").await;
        let repeated = host.start_with("listener", "l", joins).await.unwrap();
        let told = (repeated.run_id, repeated.created);
        assert_eq!(told, (second.run_id, false), "repeated after the end it is the same request still");
    });
    world.check_rest();
}

#[test]
fn a_hundred_starts_of_one_id_leave_one_open_run_under_each_conflict_policy() {
    for policy in [IdConflictPolicy::UseExisting, IdConflictPolicy::TerminateExisting] {
        let world = World::new();
        listener(&world);
        world.live(async |host| {
            let mut starts = JoinSet::new();
            for _ in 0..100 {
                let host = host.clone();
                starts.spawn(async move {
                    let change = |start: &mut StartWorkflow| start.id_conflict_policy = Some(policy);
                    host.start_with("listener", "one", change).await.expect("a start")
                });
            }
            let started = starts.join_all().await;
            let created = started.iter().filter(|started| started.created).count();
            match policy {
                IdConflictPolicy::TerminateExisting => assert_eq!(created, 100),
                _ => assert_eq!(created, 1),
            }
            assert_eq!(open_runs(&host).await, 1, "{policy:?}");
            host.signal("one", "stop", "1", None).await.unwrap();
            let RunResult::Closed { run_id, .. } = host.result("one").await else { panic!("an end") };
            assert!(started.iter().any(|started| started.run_id == run_id));
        });
        world.check_rest();
    }
}

#[test]
fn a_signal_with_start_starts_with_its_signal_or_signals() {
    let world = World::new();
    listener(&world);
    world.live(async |host| {
        let greets = |name: &str| {
            let (signal, request_id) = (hello(name), Some(format!("request {name}")));
            move |start: &mut StartWorkflow| (start.signal, start.request_id) = (signal, request_id)
        };
        let first = host.start_with("listener", "l", greets("one")).await.unwrap();
        let second = host.start_with("listener", "l", greets("two")).await.unwrap();
        assert_eq!((first.created, second.created), (true, false));
        for name in ["one", "two"] {
            let again = host.start_with("listener", "l", greets(name)).await.unwrap();
            assert_eq!((again.created, again.run_id), (false, first.run_id), "the same request");
        }
        let refuses = |start: &mut StartWorkflow| {
            (start.signal, start.id_conflict_policy) = (hello("no"), Some(IdConflictPolicy::Fail));
        };
        host.start_with("listener", "l", refuses).await.unwrap_err();
        host.signal("l", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("l").await, r#"["one", "two"]"#);
        let stops = |start: &mut StartWorkflow| start.signal = hello("stop");
        assert!(host.start_with("listener", "l", stops).await.unwrap().created, "after the end: a new run");
        assert_eq!(host.value("l").await, "[]");
    });
    world.check_rest();
}

#[test]
fn a_delayed_run_makes_no_step_before_its_time_and_needs_no_host_until_then() {
    let world = World::new();
    listener(&world);
    let delayed = |start: &mut StartWorkflow| start.start_delay = secs(3_600);
    world.live(async |host| {
        host.start_with("listener", "d", delayed).await.unwrap();
        host.signal("d", "early", "1", None).await.unwrap();
        host.pass(secs(1_000)).await;
        let description = host.describe("d").await;
        assert_eq!((description.journal_steps, description.mailbox_waiting), (0, 1));
        assert!(!description.resident && description.delayed_until.is_some());
    });
    world.live(async |host| {
        host.pass(secs(2_500)).await;
        assert_eq!(host.describe("d").await.journal_steps, 0, "a boot does not begin it");
        host.pass(secs(200)).await;
        let description = host.describe("d").await;
        assert_eq!(description.delayed_until, None);
        assert!(description.journal_steps > 0);
        host.signal("d", "stop", "1", None).await.unwrap();
        assert_eq!(host.value("d").await, r#"["early"]"#);

        // A signal with a start ends the delay, and a signal alone does not.
        host.start_with("listener", "s", delayed).await.unwrap();
        let signals = |start: &mut StartWorkflow| start.signal = hello("now");
        assert!(!host.start_with("listener", "s", signals).await.unwrap().created);
        host.settle().await;
        assert!(host.describe("s").await.journal_steps > 0);
        host.terminate("s").await.unwrap();

        host.start_with("listener", "t", delayed).await.unwrap();
        host.terminate("t").await.unwrap();
        let bad = |start: &mut StartWorkflow| {
            (start.start_delay, start.execution_timeout) = (secs(10), Some(secs(10)));
        };
        let Error::Invalid { field, .. } = host.start_with("listener", "b", bad).await.unwrap_err() else {
            panic!("a refusal")
        };
        assert_eq!(field, "start_delay");
    });
    world.check_rest();
}

#[test]
fn a_failed_run_is_followed_by_another_attempt_after_the_backoff() {
    let world = World::new();
    nth_time_lucky(&world);
    world.live(async |host| {
        let change = |start: &mut StartWorkflow| (start.input, start.retry) = (json(3), retries(0));
        let first = host.start_with("lucky", "l", change).await.unwrap().run_id;
        host.pass(secs(5)).await;
        let second = host.describe("l").await;
        assert_eq!((second.attempt, second.continued_run_id), (2, Some(first)));
        assert_eq!(second.lifecycle.last_failure.unwrap().message, "no 1");
        assert!(second.delayed_until.is_some() && second.journal_steps == 0);
        assert_eq!(host.value("l").await, "3", "results follow attempts");
        let third = host.describe("l").await;
        assert_eq!((third.attempt, third.continued_run_id), (3, Some(second.summary.run_id)));
        expect![[r#"
            1 step 0 boot 1 at 10 s: workflow-started workflow: "lucky", input: 3, component: "test", version: 1
            2 step 0 boot 1 at 10 s: workflow-delayed until: 1767225630.000000000, attempt: 3, last_failure: Some(Failure { kind: Application, error_type: "Busy", message: "no 2", stack: "", details: None, non_retryable: false, causes: [] })
            3 step 0 boot 1 at 30 s: workflow-completed result: 3
        "#]].assert_eq(&host.story("l").await);

        let change = |start: &mut StartWorkflow| (start.input, start.retry) = (json(5), retries(2));
        host.start_with("lucky", "gives up", change).await.unwrap();
        assert_eq!(host.failure("gives up").await.message, "no 2");
        let change = |start: &mut StartWorkflow| {
            let retry = RetryPolicy { non_retryable_error_types: vec!["Busy".to_owned()], ..RetryPolicy::default() };
            (start.input, start.retry) = (json(5), Some(retry));
        };
        host.start_with("lucky", "not this one", change).await.unwrap();
        assert_eq!(host.failure("not this one").await.message, "no 1");
        let change = |start: &mut StartWorkflow| {
            (start.input, start.retry, start.execution_timeout) = (json(9), retries(0), Some(secs(25)));
        };
        host.start_with("lucky", "no time", change).await.unwrap();
        assert_eq!(host.failure("no time").await.message, "no 2", "the third would begin too late");
    });
    world.check_rest();
}

#[test]
fn a_run_that_takes_too_long_is_timed_out_and_tried_again_within_the_execution_timeout() {
    let world = World::new();
    let begun = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&begun);
    world.workflow("stuck", move |host, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            host.activity(activity("hang", 1))?;
            host.timer(secs(100_000))?;
            outcome(&host, 2).await?;
            completed(1)
        }
    });
    world.live(async |host| {
        host.start_with("stuck", "run", |start| start.run_timeout = Some(secs(60))).await.unwrap();
        let failure = host.failure("run").await;
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Timeout, "run"));
        assert_eq!(host.status("run").await, RunStatus::TimedOut);
        let story = host.story("run").await;
        assert!(story.contains("at 60 s: workflow-timed-out"), "{story}");

        begun.store(0, Ordering::Relaxed);
        let change = |start: &mut StartWorkflow| {
            (start.run_timeout, start.execution_timeout) = (Some(secs(60)), Some(secs(200)));
            start.retry = retries(0);
        };
        host.start_with("stuck", "execution", change).await.unwrap();
        let failure = host.failure("execution").await;
        // 60 + 10, 60 + 20, and 50 that are left.
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Timeout, "execution"));
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        assert_eq!(host.describe("execution").await.attempt, 3);
    });
    world.check_rest();
}

#[test]
fn timeouts_end_runs_that_are_parked_or_whose_host_was_away() {
    let world = World::new();
    world.workflow("traps", |_, _| async { panic!("a bug") });
    listener(&world);
    world.live(async |host| {
        host.start_with("listener", "away", |start| start.run_timeout = Some(secs(60))).await.unwrap();
        host.start_with("listener", "also", |start| start.execution_timeout = Some(secs(60))).await.unwrap();
    });
    world.skip(secs(1_000));
    world.live(async |host| {
        for (id, kind) in [("away", "run"), ("also", "execution")] {
            assert_eq!(host.failure(id).await.error_type, kind);
        }
        host.start_with("traps", "parked", |start| start.run_timeout = Some(secs(60))).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("parked").await, RunStatus::Parked);
        assert_eq!(host.failure("parked").await.error_type, "run");
        let change = |start: &mut StartWorkflow| {
            (start.run_timeout, start.id_reuse_policy) =
                (Some(secs(9)), IdReusePolicy::AllowDuplicateFailedOnly);
        };
        assert!(host.start_with("listener", "away", change).await.unwrap().created, "it had not completed");
        host.terminate("away").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn a_deadline_whose_commit_was_refused_comes_again() {
    type Options = fn(&mut StartWorkflow);
    let cases: [(u64, Options, RunStatus); 2] = [
        // Boot, component, start; then the end of the delay, or the first step and the timeout.
        (4, |start| start.start_delay = secs(60), RunStatus::Running),
        (5, |start| start.run_timeout = Some(secs(60)), RunStatus::TimedOut),
    ];
    for (write, options, status) in cases {
        let world = World::new();
        listener(&world);
        let refused = Fault::Fail(write, CommitError::Full { free: 0, reserve: 1 });
        let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), refused));
        world
            .live_on(store, async |host| {
                host.start_with("listener", "l", options).await.unwrap();
                host.pass(secs(90)).await;
                let run = host.describe("l").await;
                assert_eq!(run.summary.status, status);
                assert!(run.journal_steps > 0 && run.delayed_until.is_none(), "{run:?}");
                if status == RunStatus::Running {
                    host.terminate("l").await.unwrap();
                }
            })
            .unwrap();
        world.check_rest();
    }
}

#[test]
fn a_run_that_continues_as_new_keeps_the_chains_bounds_and_may_change_its_run_timeout() {
    let world = World::new();
    world.workflow("continues", |host, input| async move {
        if text(&input) == "null" {
            let pause = host.timer(secs(30))?;
            outcome(&host, pause).await?;
            let next = NextRun { run_timeout: Some(secs(20)), ..NextRun::with_input(json(1)) };
            return Ok(Completion::ContinueAsNew(next));
        }
        host.wait(Interest::Everything).await?;
        completed(1)
    });
    world.live(async |host| {
        host.start_with("continues", "c", |start| start.run_timeout = Some(secs(60))).await.unwrap();
        let failure = host.failure("c").await;
        assert!(failure.message.contains("20s"), "{failure}");
        let change = |start: &mut StartWorkflow| start.execution_timeout = Some(secs(40));
        host.start_with("continues", "e", change).await.unwrap();
        assert_eq!(host.failure("e").await.error_type, "execution");
        let story = host.story("e").await;
        assert!(story.contains("workflow-timed-out"), "{story}");
    });
    world.check_rest();
}

#[test]
fn what_a_run_was_not_given_goes_to_its_next_attempt() {
    let world = World::new();
    world.workflow("deaf once", |host, _| async move {
        if attempt(&host) == 1 {
            let pause = host.timer(secs(1_000_000))?;
            outcome(&host, pause).await?;
        }
        let events = host.wait(Interest::Everything).await?;
        completed(events.len())
    });
    world.live(async |host| {
        let change = |start: &mut StartWorkflow| {
            (start.run_timeout, start.retry) = (Some(secs(60)), retries(0));
        };
        host.start_with("deaf once", "d", change).await.unwrap();
        host.signal("d", "one", "1", Some("one")).await.unwrap();
        host.pass(secs(65)).await;
        assert_eq!(host.describe("d").await.attempt, 2);
        host.signal("d", "one", "1", Some("one")).await.unwrap();
        host.signal("d", "two", "2", None).await.unwrap();
        assert_eq!(host.value("d").await, "2", "and a repeated one is known to the chain");
    });
    world.check_rest();
}

#[test]
fn a_run_that_is_paused_while_it_is_brought_back_makes_no_step() {
    let world = World::new();
    world.workflow("slow to come back", |host, _| async move {
        // A replay computes again, which takes its time.
        tokio::time::sleep(secs(1)).await;
        host.timer(secs(100_000))?;
        let mut signals = 0;
        while signals < 1 {
            let events = host.wait(Interest::Everything).await?;
            signals += events.iter().filter(|event| !matches!(event, Event::Finished { .. })).count();
        }
        completed(signals)
    });
    world.live(async |host| {
        host.start("slow to come back", "s").await;
        host.pass(secs(100)).await;
        let asleep = host.describe("s").await;
        assert!(!asleep.resident);
        host.signal("s", "go", "1", None).await.unwrap();
        // The replay has begun, and is far from its end.
        host.settle().await;
        host.pause("s").await.unwrap();
        host.pass(secs(100)).await;
        let paused = host.describe("s").await;
        assert_eq!((paused.summary.status, paused.journal_steps), (RunStatus::Paused, asleep.journal_steps));
        host.unpause("s").await.unwrap();
        assert_eq!(host.value("s").await, "1");
    });
    world.check_rest();
}

#[test]
fn a_paused_run_makes_no_step_and_everything_goes_on_arriving() {
    let world = World::new();
    listener(&world);
    world.workflow("steps", |host, _| async move {
        let (timer, activity) = (host.timer(secs(60))?, host.activity(activity("slow", 30))?);
        let (mut ends, mut signals) = (0, 0);
        while ends < 2 || signals == 0 {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Finished { op, .. } if op == timer || op == activity => ends += 1,
                    _ => signals += 1,
                }
            }
        }
        completed(ends + signals)
    });
    world.live(async |host| {
        host.start("steps", "s").await;
        host.pass(secs(1)).await;
        let steps = host.describe("s").await.journal_steps;
        host.pause("s").await.unwrap();
        host.pause("s").await.unwrap();
        host.signal("s", "go", "1", None).await.unwrap();
        host.pass(secs(100)).await;
        let paused = host.describe("s").await;
        assert_eq!((paused.summary.status, paused.journal_steps), (RunStatus::Paused, steps));
        assert_eq!(paused.mailbox_waiting, 3);
        assert_eq!(paused.paused.expect("a pause").1, "the card is hot");
        let filter = ListFilter { status: Some(RunStatus::Paused), workflow: None };
        assert_eq!(host.runtime.list(&host.namespace, &filter, 10, None).unwrap().items.len(), 1);
    });
    world.live(async |host| {
        host.pass(secs(100)).await;
        assert_eq!(host.status("s").await, RunStatus::Paused, "a boot does not let it go on");
        host.unpause("s").await.unwrap();
        assert_eq!(host.value("s").await, "3");
        assert!(matches!(host.pause("s").await, Err(Error::Closed { .. })));
    });
    world.live(async |host| {
        host.start_with("listener", "t", |start| start.run_timeout = Some(secs(60))).await.unwrap();
        host.start("listener", "u").await;
        for id in ["t", "u"] {
            host.pause(id).await.unwrap();
        }
        assert_eq!(host.failure("t").await.error_type, "run", "its time goes on");
        host.terminate("u").await.unwrap();
        assert_eq!(host.status("u").await, RunStatus::Terminated);
    });
    world.check_rest();
}

#[test]
fn a_parked_run_that_is_paused_needs_both_to_go_on() {
    let world = World::new();
    world.workflow("traps", |_, _| async { panic!("a bug") });
    world.live(async |host| {
        host.start("traps", "p").await;
        host.settle().await;
        host.pause("p").await.unwrap();
        assert_eq!(host.status("p").await, RunStatus::Parked);
        world.workflow("traps", |_, _| async { completed(1) });
        host.resume("p").await.unwrap();
        host.settle().await;
        assert_eq!(host.status("p").await, RunStatus::Paused);
        host.unpause("p").await.unwrap();
        assert_eq!(host.value("p").await, "1");
    });
    world.check_rest();
}

#[test]
fn what_is_deleted_is_gone_and_only_what_has_ended_can_be() {
    let world = World::new();
    nth_time_lucky(&world);
    listener(&world);
    world.live(async |host| {
        let change = |start: &mut StartWorkflow| (start.input, start.retry) = (json(3), retries(0));
        for _ in 0..2 {
            host.start_with("lucky", "l", change).await.unwrap();
            host.value("l").await;
        }
        let last = host.describe("l").await;
        let of_one = refrain_runtime::Target { run_id: last.continued_run_id, ..target("l") };
        assert_eq!(host.runtime.delete(&host.namespace, &of_one).await, Ok(1));
        assert!(matches!(host.runtime.describe(&host.namespace, &of_one).await, Err(Error::NotFound { .. })));
        assert_eq!(host.delete("l").await, Ok(5), "three of each chain, and one was gone");
        for _ in 0..2 {
            assert!(matches!(host.delete("l").await, Err(Error::NotFound { .. })));
        }

        host.start("listener", "open").await;
        let refused = host.delete("open").await.unwrap_err();
        assert!(matches!(refused, Error::NotClosed { .. }), "{refused}");
        assert!(refused.hint().contains("terminate"), "{}", refused.hint());
        host.signal("open", "stop", "1", Some("r")).await.unwrap();
        host.value("open").await;
        assert_eq!(host.delete("open").await, Ok(1));
        host.start("listener", "open").await;
        host.signal("open", "stop", "1", Some("r")).await.unwrap();
        assert_eq!(host.value("open").await, "[]", "its requests are forgotten with it");
        assert_eq!(host.delete("open").await, Ok(1));
        let page = host.runtime.list(&host.namespace, &ListFilter::default(), 10, None).unwrap();
        assert!(page.items.is_empty(), "{:?}", page.items);
    });
    world.check_empty();
}

#[test]
fn a_long_journal_is_deleted_in_pieces() {
    let world = World::new();
    world.workflow("long", |host, _| async move {
        for _ in 0..1_500 {
            let pause = host.timer(secs(1))?;
            outcome(&host, pause).await?;
        }
        completed(1)
    });
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            assert_eq!(host.execute("long").await, "1");
            let before = counted.writes();
            assert_eq!(host.delete("long").await, Ok(1));
            assert_eq!(counted.writes() - before, 4, "out of sight, two pieces of the journal, the run");
        })
        .unwrap();
    world.check_empty();
}
