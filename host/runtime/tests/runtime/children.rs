//! Children: how they begin and end, who hears of it, and what becomes of them when their parent ends or cancels them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;
use refrain_engine::call::{Completion, Interest, NextRun, Read, Reply};
use refrain_engine::child::{
    ChildCancellation, ChildCommand, ChildOptions, IdReusePolicy, ParentClosePolicy,
};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, Op, WorkflowId};
use refrain_engine::journal::ExecutionRef;
use refrain_engine::mailbox::Event;
use refrain_engine::run::RunInfo;
use refrain_engine::scripted::{ScriptHost, Stopped};
use refrain_runtime::{Error, NewComponent, OnTrap, RunStatus, StartWorkflow};
use refrain_store::{
    Batch, Commit, Fault, FaultyStore, MemoryStore, Order, Row, Store, StoreError, Table, Wrapper,
};

use crate::lifecycle::{nth_time_lucky, retries};
use crate::world::*;

/// A child with options.
pub(crate) fn child(
    workflow: &str,
    input: impl std::fmt::Display,
    change: impl FnOnce(&mut ChildOptions),
) -> ChildCommand {
    let mut options = ChildOptions::default();
    change(&mut options);
    ChildCommand { workflow: workflow.to_owned(), input: json(input), options }
}

/// A child with this id.
pub(crate) fn named(workflow: &str, input: impl std::fmt::Display, id: &str) -> ChildCommand {
    child(workflow, input, |options| options.workflow_id = Some(WorkflowId::new(id).unwrap()))
}

pub(crate) fn with_policy(workflow: &str, id: &str, policy: ParentClosePolicy) -> ChildCommand {
    let mut command = named(workflow, 1, id);
    command.options.parent_close = policy;
    command
}

/// Runs a child; answers how it ended.
pub(crate) async fn run_child(host: &ScriptHost, command: ChildCommand) -> Result<Outcome, Stopped> {
    let (_, finished) = host.child(command)?;
    outcome(host, finished).await
}

/// Waits for each op in turn; answers how they ended, in a line each.
pub(crate) async fn ends(host: &ScriptHost, ops: &[Op]) -> Result<String, Stopped> {
    let mut told = String::new();
    for op in ops {
        told += &format!("{op}: {}\n", brief(&outcome(host, *op).await?));
    }
    Ok(told)
}

fn brief(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed(value) => text(value),
        Outcome::Failed(failure) => {
            format!("{} {}: {failure}", failure.kind.as_str(), failure.error_type)
        }
    }
}

/// Answers a text as a workflow does.
pub(crate) fn said(text: &str) -> Result<Completion, Stopped> {
    completed(format!("{text:?}"))
}

fn info(host: &ScriptHost) -> RunInfo {
    match host.read(Read::Info) {
        Ok(Reply::Info(info)) => *info,
        other => panic!("info, and not {other:?}"),
    }
}

fn next_run(input: impl std::fmt::Display) -> Result<Completion, Stopped> {
    let (input, newest_version) = (json(input), false);
    Ok(Completion::ContinueAsNew(NextRun { newest_version, ..NextRun::with_input(input) }))
}

/// Workflows to be children. `mirror` answers its input. `sleeper` sleeps for a hundred seconds, after it has continued
/// as new as often as its input says, and ends as canceled when it is asked to.
pub(crate) fn family(world: &World) {
    world.workflow("mirror", |_, input| async move { Ok(Completion::Completed(input)) });
    world.workflow("sleeper", |host, input| async move {
        let left: u32 = text(&input).parse().unwrap();
        if left > 1 {
            return next_run(left - 1);
        }
        let timer = host.timer(secs(100))?;
        match host.wait(Interest::OpsAndMessages(vec![timer])).await?.remove(0) {
            Event::CancelRequested { .. } => Ok(Completion::Canceled(None)),
            _ => completed(100),
        }
    });
}

#[test]
fn a_parent_starts_a_child_and_gets_its_result() {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        let (started, finished) = host.child(named("mirror", 7, "the child"))?;
        let Outcome::Completed(_) = outcome(&host, started).await? else { panic!("it starts") };
        let told = ends(&host, &[finished]).await?;
        said(&told)
    });
    world.live(async |host| {
        let parent = host.start("parent", "p").await;
        assert_eq!(host.value("p").await, r#""2: 7\n""#);
        let child = host.describe("the child").await;
        let of = ExecutionRef { workflow_id: WorkflowId::new("p").unwrap(), run_id: Some(parent) };
        assert_eq!(child.parent, Some(of));
        let run = child.summary.run_id.to_string();
        let story = host.story("p").await.replace(&run, "RUN");
        expect![[r#"
            1 step 0 boot 1 at 0 s: workflow-started workflow: "parent", input: null, component: "test", version: 1
            2 step 0 boot 1 at 0 s: child-initiated op: 2, name: "mirror", input: 7, summary: None
            3 step 1 boot 1 at 0 s: child-started op: 2, name: "mirror", child: ExecutionRef { workflow_id: WorkflowId("the child"), run_id: Some(RUN)
            4 step 2 boot 1 at 0 s: child-completed op: 2, name: "mirror", result: 7
            5 step 2 boot 1 at 0 s: workflow-completed result: "2: 7\n"
        "#]]
        .assert_eq(&story);
    });
    world.check_rest();
}

#[test]
fn a_child_has_its_parents_queue_and_version_and_knows_its_parent_and_its_root() {
    let world = World::new();
    let code = |world: &World, digest: Digest| {
        world.guests.add(digest, "leaf", |host, _| async move {
            let info = info(&host);
            let id = |of: Option<ExecutionRef>| of.map(|of| of.workflow_id.to_string());
            said(&format!(
                "{} of {:?} below {:?} in {}",
                info.workflow_id,
                id(info.parent),
                id(info.root),
                info.task_queue
            ))
        });
    };
    world.workflow("leaf", |_, _| async { completed(1) });
    code(&world, CODE);
    world.workflow("middle", |host, _| async move {
        let mut leaf = named("leaf", 1, "leaf");
        leaf.options.memo = vec![("who".to_owned(), json(1))];
        as_completion(run_child(&host, leaf).await?)
    });
    world.workflow("top", |host, _| async move {
        let mut newest = named("leaf", 1, "newest leaf");
        newest.options.component = Some("test".to_owned());
        newest.options.task_queue = Some("other".to_owned());
        let (_, newest) = host.child(newest)?;
        let (_, middle) = host.child(named("middle", 1, "middle"))?;
        let waits = host.timer(secs(1))?;
        outcome(&host, waits).await?;
        outcome(&host, newest).await?;
        as_completion(outcome(&host, middle).await?)
    });
    let newer = Digest([8; 32]);
    code(&world, newer);
    world.live(async |host| {
        let request = StartWorkflow {
            id: Some(WorkflowId::new("top").unwrap()),
            task_queue: Some("slow".to_owned()),
            ..StartWorkflow::new("top", json(1))
        };
        // The first version is the parent's; another one comes before its step is made.
        host.runtime.start_workflow(&host.namespace, request).await.unwrap();
        let workflows = ["leaf", "middle", "top"].map(|name| definition(name, OnTrap::Park)).to_vec();
        let component = NewComponent {
            digest: newer,
            uploaded_bytes: 0,
            sdk: "scripts".to_owned(),
            imports: Vec::new(),
            workflows,
        };
        host.runtime.register_component(&host.namespace, "test", component).await.unwrap();
        let expected = r#""leaf of Some(\"middle\") below Some(\"top\") in slow""#;
        assert_eq!(host.value("top").await, expected);
        assert_eq!(host.describe("leaf").await.version, 1);
        assert_eq!(host.describe("leaf").await.memo, [("who".to_owned(), json(1))]);
        assert_eq!(host.describe("newest leaf").await.task_queue, "other");
    });
}

pub(crate) fn as_completion(outcome: Outcome) -> Result<Completion, Stopped> {
    Ok(match outcome {
        Outcome::Completed(value) => Completion::Completed(value),
        Outcome::Failed(failure) => Completion::Failed(failure),
    })
}

#[test]
fn a_child_without_an_id_is_named_by_its_run() {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        let (started, finished) = host.child(child("mirror", 1, |_| {}))?;
        let Outcome::Completed(value) = outcome(&host, started).await? else { panic!("it starts") };
        outcome(&host, finished).await?;
        said(&text(&value))
    });
    world.live(async |host| {
        let told: String = serde_json_string(&host.execute("parent").await);
        let (id, run) = told.split_once(r#"","run_id":""#).expect("two ids");
        assert_eq!(id.trim_start_matches(r#"{"workflow_id":""#), run.trim_end_matches("\"}"));
        host.value(run.trim_end_matches("\"}")).await;
    });
    world.check_rest();
}

/// The text that a workflow has said.
fn serde_json_string(value: &str) -> String {
    value[1..value.len() - 1].replace("\\\"", "\"")
}

#[test]
fn a_child_of_an_unknown_type_ends_at_once_with_both_of_its_ops() {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        let (started, finished) = host.child(child("mirrror", 1, |_| {}))?;
        let mut nowhere = child("mirror", 1, |_| {});
        nowhere.options.component = Some("nowhere".to_owned());
        let (_, other) = host.child(nowhere)?;
        said(&ends(&host, &[started, finished, other]).await?)
    });
    world.live(async |host| {
        let told = host.execute("parent").await.replace("\\n", "\n");
        let lines: Vec<&str> = told.trim_matches('"').lines().collect();
        assert!(lines[0].starts_with("1: host not-found: child workflow"), "{told}");
        assert!(lines[0].contains("mirrror") && lines[0].contains("check the spelling"), "{told}");
        assert_eq!(lines[0][2..], lines[1][2..]);
        assert!(lines[2].starts_with("4: host not-found: ") && lines[2].contains("nowhere"), "{told}");
    });
    world.check_rest();
}

#[test]
fn an_id_in_use_is_refused_and_one_that_was_used_as_the_reuse_policy_says() {
    use IdReusePolicy::{AllowDuplicate, AllowDuplicateFailedOnly, RejectDuplicate};
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, input| async move {
        let mut command = named("mirror", 7, "taken");
        command.options.id_reuse = match text(&input).as_str() {
            "1" => AllowDuplicate,
            "2" => AllowDuplicateFailedOnly,
            _ => RejectDuplicate,
        };
        let (started, finished) = host.child(command)?;
        let told = [outcome(&host, started).await?, outcome(&host, finished).await?];
        said(&match &told[0] {
            Outcome::Failed(failure) if told[0] == told[1] => {
                format!("{} {}: {failure}", failure.kind.as_str(), failure.error_type)
            }
            _ => brief(&told[1]),
        })
    });
    world.live(async |host| {
        let mut n = 0;
        let mut tries = async |policy: u32| {
            n += 1;
            let id = format!("p{n}");
            host.try_start("parent", &id, &policy.to_string()).await.unwrap();
            serde_json_string(&host.value(&id).await)
        };
        let refused = "host already-exists: child workflow";
        host.try_start("sleeper", "taken", "1").await.unwrap();
        for policy in [1, 2, 3] {
            let told = tries(policy).await;
            assert!(told.starts_with(refused) && told.contains("is running already"), "{told}");
        }
        host.cancel("taken").await.unwrap();
        host.settle().await;
        assert_eq!(tries(1).await, "7");
        for (policy, allowed) in [(2, false), (3, false), (1, true)] {
            let told = tries(policy).await;
            assert_eq!(told == "7", allowed, "{policy}: {told}");
            assert!(allowed || told.starts_with(refused) && told.contains("has run already"), "{told}");
        }
        host.start_with("sleeper", "taken", |start| start.input = json(1)).await.unwrap();
        host.cancel("taken").await.unwrap();
        host.settle().await;
        assert_eq!(tries(2).await, "7", "it did not complete");
    });
    world.check_rest();
}

#[test]
fn a_childs_failure_says_how_it_ended_and_has_its_whole_chain_as_causes() {
    let world = World::new();
    family(&world);
    world.workflow("fails", |_, input| async move {
        let root = Failure::new(FailureKind::Application, "Refused", "connection refused");
        let failure =
            Failure::new(FailureKind::Application, "Stop", format!("stop container {}", text(&input)));
        Ok(Completion::Failed(failure.caused_by(root)))
    });
    world.workflow("middle", |host, input| async move {
        as_completion(run_child(&host, named("fails", text(&input), "bottom")).await?)
    });
    world.workflow("parent", |host, _| async move {
        let short = |options: &mut ChildOptions| {
            options.workflow_id = Some(WorkflowId::new("late").unwrap());
            options.run_timeout = Some(secs(10));
        };
        let ops = [
            host.child(named("middle", 3, "middle"))?.1,
            host.child(named("sleeper", 1, "ended"))?.1,
            host.child(named("sleeper", 1, "canceled"))?.1,
            host.child(child("sleeper", 1, short))?.1,
        ];
        said(&ends(&host, &ops).await?)
    });
    world.live(async |host| {
        host.start("parent", "parent").await;
        host.pass(secs(1)).await;
        host.terminate("ended").await.unwrap();
        host.cancel("canceled").await.unwrap();
        let told = serde_json_string(&host.value("parent").await).replace("\\n", "\n").replace("\\\\\"", "'").replace("\\", "");
        expect![[r#"
            2: application Stop: child workflow "middle" (id "middle") failed: child workflow "fails" (id "bottom") failed: stop container 3: connection refused
            4: terminated terminated: child workflow "sleeper" (id "ended") was terminated: enough
            6: canceled canceled: child workflow "sleeper" (id "canceled") was canceled: the workflow was canceled
            8: timeout run: child workflow "sleeper" (id "late") timed out: the run did not end within its run timeout of 10s
        "#]]
        .assert_eq(&told);
    });
    world.check_rest();
}

#[test]
fn a_parent_hears_of_the_last_attempt_and_of_the_last_run_of_a_child_alone() {
    let world = World::new();
    family(&world);
    nth_time_lucky(&world);
    world.workflow("parent", |host, _| async move {
        let mut lucky = named("lucky", 3, "lucky");
        lucky.options.retry = retries(0);
        let mut unlucky = named("lucky", 9, "unlucky");
        unlucky.options.retry = retries(2);
        let ops =
            [host.child(lucky)?.1, host.child(unlucky)?.1, host.child(named("sleeper", 4, "sleeper"))?.1];
        said(&ends(&host, &ops).await?)
    });
    world.live(async |host| {
        let told = host.execute("parent").await;
        assert!(told.starts_with(r#""2: 3\n4: application Busy: "#), "{told}");
        assert!(told.ends_with(r#"failed: no 2\n6: 100\n""#), "{told}");
        assert_eq!(host.describe("unlucky").await.attempt, 2);
    });
    world.check_rest();
}

/// A parent with a child of each policy: ends when it is signaled, as its input says.
fn parent_of_three(world: &World) {
    use ParentClosePolicy::{Abandon, RequestCancel, Terminate};
    world.workflow("parent", |host, input| async move {
        if text(&input) == "3" {
            return completed("null");
        }
        for (id, policy) in [("t", Terminate), ("c", RequestCancel), ("a", Abandon)] {
            let mut command = with_policy("sleeper", id, policy);
            // Twice as new: it is the last run that is ended.
            command.input = json(3);
            let (started, _) = host.child(command)?;
            outcome(&host, started).await?;
        }
        host.wait(Interest::Everything).await?;
        match text(&input).as_str() {
            "1" => completed(1),
            "2" => Ok(Completion::Failed(Failure::new(FailureKind::Application, "No", "no"))),
            "4" => next_run(3),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn children_do_as_they_were_started_to_do_however_their_parent_ends() {
    // Completed, failed, terminated, continued as new, tried again.
    for (how, input) in [("ends", 1), ("ends", 2), ("is terminated", 1), ("goes on", 4), ("tries again", 2)] {
        let world = World::new();
        family(&world);
        parent_of_three(&world);
        world.live(async |host| {
            let change = |start: &mut StartWorkflow| {
                start.input = json(input);
                start.retry = (how == "tries again").then(|| retries(2)).flatten();
            };
            host.start_with("parent", "p", change).await.unwrap();
            host.pass(secs(10)).await;
            assert_eq!(host.describe("p").await.pending_children.len(), 3);
            if how == "is terminated" {
                host.terminate("p").await.unwrap();
            } else {
                host.signal("p", "end", "1", None).await.unwrap();
            }
            host.settle().await;
            let statuses = ["t", "c", "a"].map(|id| host.status(id));
            let statuses = futures::future::join_all(statuses).await;
            assert_eq!(
                statuses,
                [RunStatus::Terminated, RunStatus::Canceled, RunStatus::Running],
                "a parent that {how}"
            );
            let why = host.failure("t").await.to_string();
            assert!(why.contains("parent close policy") && why.contains("\"p\""), "{why}");
            assert_eq!(host.value("a").await, "100");
            host.pass(secs(200)).await;
        });
        world.check_rest();
    }
}

#[test]
fn of_the_children_of_a_last_step_those_begin_that_are_let_go() {
    use ParentClosePolicy::{Abandon, RequestCancel, Terminate};
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        for (id, policy) in [("t", Terminate), ("c", RequestCancel), ("a", Abandon)] {
            host.child(with_policy("sleeper", id, policy))?;
        }
        host.child(with_policy("unknown", "u", Abandon))?;
        completed(1)
    });
    world.live(async |host| {
        assert_eq!(host.execute("parent").await, "1");
        assert_eq!(host.value("a").await, "100");
        for id in ["t", "c", "u"] {
            let missing = host.runtime.describe(&host.namespace, &target(id)).await;
            assert!(matches!(missing, Err(Error::NotFound { .. })), "{id}: {missing:?}");
        }
    });
    world.check_rest();
}

/// Cancels a child that has begun, or in the step that starts it. Answers what its two ops told their parent, and how
/// it stands in the end, if it has begun.
pub(crate) fn cancel(
    cancellation: ChildCancellation,
    has_begun: bool,
) -> (String, String, Option<RunStatus>) {
    let world = World::new();
    family(&world);
    world.workflow("parent", move |host, _| async move {
        let mut command = named("sleeper", 1, "c");
        command.options.cancellation = cancellation;
        let (started, finished) = host.child(command)?;
        let mut told = String::new();
        if has_begun {
            told += &brief(&outcome(&host, started).await?);
            told += "; ";
        }
        host.cancel(finished, "enough")?;
        host.cancel(finished, "more than enough")?;
        let ended = brief(&outcome(&host, finished).await?);
        if !has_begun {
            told += &brief(&outcome(&host, started).await?);
            told += "; ";
        }
        let long = host.timer(secs(1_000))?;
        outcome(&host, long).await?;
        said(&(told + &ended))
    });
    let (told, child) = world.live(async |host| {
        let told = serde_json_string(&host.execute("parent").await).replace('\\', "").replace('"', "'");
        (told, host.runtime.describe(&host.namespace, &target("c")).await.ok())
    });
    world.check_rest();
    let run = child.as_ref().map(|child| child.summary.run_id.to_string()).unwrap_or_default();
    let told = if run.is_empty() { told } else { told.replace(&run, "RUN") };
    let (started, finished) = told.split_once("; ").expect("two ends");
    (started.to_owned(), finished.to_owned(), child.map(|child| child.summary.status))
}

/// What is told of a child whose op ends with the cancel.
pub(crate) const CANCELED_AT_ONCE: &str = "canceled canceled: enough";

#[test]
fn a_cancel_does_to_a_child_what_it_was_started_with() {
    use ChildCancellation::{Abandon, TryCancel, WaitForCancellation};
    let never = "canceled canceled: the child (id 'c') was canceled before it was started: enough";
    let by_itself =
        "canceled canceled: child workflow 'sleeper' (id 'c') was canceled: the workflow was canceled";
    let exists = r"{'workflow_id':'c','run_id':'RUN'}";
    for (cancellation, has_begun, started, finished, status) in [
        (TryCancel, true, exists, CANCELED_AT_ONCE, Some(RunStatus::Canceled)),
        (WaitForCancellation, true, exists, by_itself, Some(RunStatus::Canceled)),
        (Abandon, true, exists, CANCELED_AT_ONCE, Some(RunStatus::Completed)),
        (TryCancel, false, never, CANCELED_AT_ONCE, None),
        (WaitForCancellation, false, never, never, None),
        (Abandon, false, exists, CANCELED_AT_ONCE, Some(RunStatus::Completed)),
    ] {
        let told = cancel(cancellation, has_begun);
        let expected = (started.to_owned(), finished.to_owned(), status);
        assert_eq!(told, expected, "{cancellation:?}, begun: {has_begun}");
    }
}

#[test]
fn nobody_hears_of_a_child_that_is_detached_and_it_still_ends_with_its_parent() {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        let ops = [host.child(named("mirror", 1, "short"))?, host.child(named("sleeper", 1, "long"))?];
        for (started, finished) in ops {
            host.detach(started)?;
            host.detach(finished)?;
        }
        let pause = host.timer(secs(10))?;
        let events = host.wait(Interest::Everything).await?;
        assert!(matches!(events[..], [Event::Finished { op, .. }] if op == pause), "{events:?}");
        completed(1)
    });
    world.live(async |host| {
        assert_eq!(host.execute("parent").await, "1");
        assert_eq!(host.value("short").await, "1");
        assert_eq!(host.failure("long").await.kind, FailureKind::Terminated);
    });
    world.check_rest();
}

#[test]
fn no_child_begins_before_its_cause_is_durable() {
    // The boot, the component and the start are written; the first step is held, or what follows it.
    for hold in [4, 5] {
        let world = World::new();
        family(&world);
        world.workflow("parent", |host, _| async move {
            as_completion(run_child(&host, named("mirror", 7, "c")).await?)
        });
        let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(hold)));
        let held = Arc::clone(&store);
        let id = format!("p{hold}");
        world
            .live_on(store, async |host| {
                host.start("parent", &id).await;
                host.pass(secs(5)).await;
                assert_eq!(held.held(), 1);
                assert!(host.runtime.describe(&host.namespace, &target("c")).await.is_err());
                held.release();
                assert_eq!(host.value(&id).await, "7");
            })
            .unwrap();
        world.check_rest();
    }
}

#[test]
fn a_childs_times_count_from_when_it_begins() {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        let command = child("sleeper", 1, |options| {
            (options.run_timeout, options.execution_timeout) = (Some(secs(200)), Some(secs(300)));
        });
        as_completion(run_child(&host, command).await?)
    });
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::StopAfter(4)));
    let stopped = world.live_on(store, async |host| {
        host.start("parent", "p").await;
        host.pass(secs(1)).await;
        host.is_sound()
    });
    assert_eq!(stopped, Ok(false));
    world.skip(secs(10_000));
    world.live(async |host| assert_eq!(host.value("p").await, "100"));
    world.check_rest();
}

#[test]
fn a_child_that_takes_no_messages_ends_with_its_parent_all_the_same() {
    let mut world = World::new();
    world.options.mailbox_messages = 1;
    world.workflow("deaf", |host, _| async move {
        let pause = host.timer(secs(1_000_000))?;
        outcome(&host, pause).await?;
        completed(1)
    });
    world.workflow("parent", |host, _| async move {
        let (_, finished) = host.child(named("deaf", 1, "deaf"))?;
        for _ in 0..1_200 {
            let to = ExecutionRef { workflow_id: WorkflowId::new("deaf").unwrap(), run_id: None };
            host.signal(to, "hello", json(1))?;
        }
        as_completion(outcome(&host, finished).await?)
    });
    world.live(async |host| {
        host.start("parent", "p").await;
        host.pass(secs(100)).await;
        assert_eq!(host.describe("deaf").await.mailbox_waiting, 1);
    });
    // The next host finds more that waits than it takes up at once, and goes on with the others.
    world.live(async |host| {
        host.pass(secs(1)).await;
        host.terminate("p").await.unwrap();
        assert_eq!(host.failure("deaf").await.kind, FailureKind::Terminated);
        host.pass(secs(20)).await;
    });
    world.check_rest();
}

#[test]
fn a_child_waits_until_the_disk_has_room_for_it() {
    let world = World::new();
    family(&world);
    world.workflow("parent", |host, _| async move {
        as_completion(run_child(&host, named("mirror", 7, "c")).await?)
    });
    // The boot, the component, the start and the parent's step; then nothing new is let in.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Full(5)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("parent", "p").await;
            host.pass(secs(100)).await;
            assert_eq!(host.describe("p").await.pending_children[0].state, "starting");
            assert!(host.runtime.describe(&host.namespace, &target("c")).await.is_err());
            let writes = counted.writes();
            assert!((10..30).contains(&writes), "{writes}: it is tried less and less often");
        })
        .unwrap();
    world.live(async |host| assert_eq!(host.value("p").await, "7"));
    world.check_rest();
}

#[test]
fn a_run_is_deleted_once_what_it_wants_of_others_is_done() {
    let mut world = World::new();
    world.options.mailbox_messages = 1;
    family(&world);
    world.workflow("deaf", |host, _| async move {
        let pause = host.timer(secs(50))?;
        outcome(&host, pause).await?;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            for event in host.wait(Interest::Everything).await? {
                let Event::Signal { name, .. } = event else { panic!("a signal") };
                heard.push(name);
            }
        }
        said(&heard.join(", "))
    });
    world.workflow("sender", |host, _| async move {
        let deaf = ExecutionRef { workflow_id: WorkflowId::new("deaf").unwrap(), run_id: None };
        host.signal(deaf, "second", json(1))?;
        completed(1)
    });
    for crashes in [false, true] {
        let id = format!("sender {crashes}");
        world.live(async |host| {
            host.start_with("deaf", "deaf", |_| {}).await.unwrap();
            host.signal("deaf", "first", "1", None).await.unwrap();
            host.start("sender", &id).await;
            host.value(&id).await;
            assert_eq!(host.delete(&id).await, Ok(1));
            assert!(matches!(host.delete(&id).await, Err(Error::NotFound { .. })));
            if !crashes {
                assert_eq!(host.value("deaf").await, r#""first, second""#);
                host.pass(secs(20)).await;
                assert_eq!(host.delete("deaf").await, Ok(1));
            }
        });
    }
    world.live(async |host| {
        assert_eq!(host.value("deaf").await, r#""first, second""#);
        host.pass(secs(20)).await;
        assert_eq!(host.delete("deaf").await, Ok(1));
    });
    world.check_empty();
}

/// A store that counts what is read from it.
struct Counting {
    store: Arc<MemoryStore>,
    rows: AtomicUsize,
    commits: AtomicUsize,
}

impl Wrapper for Counting {
    fn inner(&self) -> &dyn Store {
        &*self.store
    }

    fn commit(&self, batch: Batch) -> Commit {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.store.commit(batch)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.rows.fetch_add(1, Ordering::Relaxed);
        self.store.get(table, key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = self.store.range(table, from, to, order, limit)?;
        self.rows.fetch_add(rows.len().max(1), Ordering::Relaxed);
        Ok(rows)
    }
}

#[test]
fn each_of_a_thousand_children_costs_what_each_of_a_hundred_does() {
    let cost = |children: usize| {
        let world = World::new();
        family(&world);
        world.workflow("wide", move |host, _| async move {
            let mut open = Vec::new();
            for n in 0..children {
                open.push(host.child(child("mirror", n, |_| {}))?.1);
            }
            let mut sum = 0;
            while !open.is_empty() {
                for event in host.wait(Interest::Everything).await? {
                    let Event::Finished { op, outcome: Outcome::Completed(value) } = event else {
                        panic!("a result, and not {event:?}")
                    };
                    if open.contains(&op) {
                        open.retain(|other| *other != op);
                        sum += text(&value).parse::<usize>().unwrap();
                    }
                }
            }
            completed(sum)
        });
        let store = Arc::new(Counting {
            store: Arc::clone(&world.store),
            rows: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
        });
        let counted = Arc::clone(&store);
        world
            .live_on(store, async |host| {
                assert_eq!(host.execute("wide").await, (children * (children - 1) / 2).to_string());
                host.settle().await;
            })
            .unwrap();
        world.check_rest();
        (counted.rows.load(Ordering::Relaxed), counted.commits.load(Ordering::Relaxed))
    };
    let ((few_rows, few_commits), (many_rows, many_commits)) = (cost(100), cost(1_000));
    assert!(many_rows <= few_rows * 11, "{few_rows} rows were read for 100, {many_rows} for 1,000");
    assert!(many_commits <= few_commits * 11, "{few_commits} commits for 100, {many_commits} for 1,000");
    assert!(
        many_commits <= 5_000,
        "{many_commits} commits: the child's start, its step, and the news of them"
    );
}
