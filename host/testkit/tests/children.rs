//! Children that a test answers in place of their code, with scripts in place of components.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use refrain_engine::call::{Completion, Interest};
use refrain_engine::child::{ChildCancellation, ChildCommand, ChildOptions};
use refrain_engine::export::Exported;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, Op, WorkflowId};
use refrain_engine::journal::ExecutionRef;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::scripted::{ScriptHost, ScriptedGuests, Stopped, trap};
use refrain_runtime::RunStatus;
use refrain_testkit::{
    Child, ChildAnswer, ChildRun, Code, Life, TestError, TestHost, crash_everywhere, transcript,
};

const CODE: Digest = Digest([7; 32]);
const DAY: Duration = Duration::from_secs(86_400);

/// Parents of a child `ship`, most of which end as that does. The component has a `ship`, too, which is executed where
/// the test says so and nowhere else.
fn code() -> Code {
    let guests = ScriptedGuests::new();
    guests.add(CODE, "order", |host, input| async move {
        let (_, ended) = host.child(ship(input, ChildOptions::default()))?;
        end(&host, ended).await
    });
    guests.add(CODE, "stubborn", |host, input| async move {
        let retry = RetryPolicy { maximum_attempts: 3, ..RetryPolicy::default() };
        let (_, ended) = host.child(ship(input, ChildOptions { retry: Some(retry), ..options() }))?;
        end(&host, ended).await
    });
    guests.add(CODE, "impatient", |host, input| async move {
        let cancellation = ChildCancellation::WaitForCancellation;
        let (_, ended) = host.child(ship(input, ChildOptions { cancellation, ..options() }))?;
        let timer = host.timer(DAY)?;
        outcome(&host, timer).await?;
        let target = ExecutionRef { workflow_id: id(), run_id: None };
        let sent = host.signal(target, "hurry", Payload::null())?;
        outcome(&host, sent).await?;
        host.cancel(ended, "too late")?;
        end(&host, ended).await
    });
    guests.add(CODE, "careless", |host, input| async move {
        let (started, _) = host.child(ship(input, options()))?;
        outcome(&host, started).await?;
        Ok(Completion::Completed(Payload::null()))
    });
    guests.add(CODE, "elsewhere", |host, input| async move {
        let component = Some("warehouse".to_owned());
        let (_, ended) = host.child(ship(input, ChildOptions { component, ..options() }))?;
        end(&host, ended).await
    });
    guests.add(CODE, "invoices", |host, input| async move {
        let command =
            ChildCommand { workflow: "invoice".to_owned(), input, options: ChildOptions::default() };
        let (_, ended) = host.child(command)?;
        end(&host, ended).await
    });
    guests.add(CODE, "ship", |_, input| async move {
        match &input.data[..] {
            b"\"by hand\"" => Ok(Completion::Completed(Payload::json("\"shipped\""))),
            _ => Err(trap("the test was to answer")),
        }
    });
    let workflows = ["order", "stubborn", "impatient", "careless", "elsewhere", "invoices", "ship"];
    Code::scripted(Arc::new(guests), CODE, &workflows)
}

fn ship(input: Payload, options: ChildOptions) -> ChildCommand {
    ChildCommand { workflow: "ship".to_owned(), input, options }
}

fn id() -> WorkflowId {
    WorkflowId::new("the-parcel").expect("an id")
}

fn options() -> ChildOptions {
    ChildOptions { workflow_id: Some(id()), ..ChildOptions::default() }
}

async fn outcome(host: &ScriptHost, op: Op) -> Result<Outcome, Stopped> {
    match host.wait(Interest::Ops(vec![op])).await?.pop() {
        Some(Event::Finished { outcome, .. }) => Ok(outcome),
        other => Err(trap(format!("a wait for one op delivered {other:?}"))),
    }
}

async fn end(host: &ScriptHost, op: Op) -> Result<Completion, Stopped> {
    Ok(match outcome(host, op).await? {
        Outcome::Completed(result) => Completion::Completed(result),
        Outcome::Failed(failure) => Completion::Failed(failure),
    })
}

fn after(after: Duration, outcome: Outcome) -> Option<ChildAnswer> {
    Some(ChildAnswer { after, outcome })
}

fn completed(json: &str) -> Outcome {
    Outcome::Completed(Payload::json(json.to_owned()))
}

/// How an execution ends, and the histories of all that there is then.
async fn observe(host: Life, workflow: &str, input: &str) -> Result<String, TestError> {
    host.start(workflow, "w", &input).await?;
    host.result("w").await?;
    let mut text = String::new();
    for run in host.runs().await? {
        let history = host.history(run.workflow_id.as_str(), Some(run.run_id)).await?;
        text.push_str(&transcript(&history));
    }
    Ok(text)
}

fn observed(mut host: TestHost, workflow: &str, input: &str) -> String {
    host.live(async |life| observe(life, workflow, input).await).expect("an end")
}

#[test]
fn a_child_is_answered_although_its_parents_component_has_it() {
    let host = TestHost::new(&code()).child("ship", |what: String| Ok(format!("{what} is on its way")));
    expect![[r#"
        +0s          workflow-started       order "a book"
        +0s          child-initiated        #2 ship "a book"
        +0s          child-completed        #2 ship → "a book is on its way"
        +0s          workflow-completed     → "a book is on its way"
        +0s          workflow-started       ship "a book"
        +0s          workflow-completed     → "a book is on its way"
    "#]]
    .assert_eq(&observed(host, "order", "a book"));
}

#[test]
fn a_child_that_no_component_of_the_test_has_is_answered_where_its_parent_looks_for_it() {
    let host = || TestHost::new(&code());
    let ends = |mut host: TestHost, workflow: &str| {
        let ended = host.live(async |life| {
            life.start(workflow, "w", &"7").await?;
            life.result("w").await?.result::<String>()
        });
        ended.map_err(|error| error.to_string())
    };
    let ship = || {
        Child::raw("ship", |child: &ChildRun<'_>| after(DAY, completed(&format!("{:?}", child.component))))
    };
    assert_eq!(
        ends(host().answers_children(ship().in_component("warehouse")), "elsewhere").as_deref(),
        Ok("warehouse")
    );
    assert_eq!(ends(host().answers_children(ship()), "order").as_deref(), Ok("scripts"));
    assert_eq!(ends(host().child("invoice", |n: String| Ok(n + "!")), "invoices").as_deref(), Ok("7!"));
    let nobody = ends(host(), "invoices").expect_err("nobody has it");
    assert!(nobody.contains("no component defines workflow type \"invoice\""), "{nobody}");
}

#[test]
fn a_child_may_be_left_to_its_component() {
    let answered = Child::raw("ship", |child| match &child.input.data[..] {
        b"\"by hand\"" => None,
        _ => after(Duration::ZERO, completed("\"answered\"")),
    });
    for (input, result) in [("by hand", "shipped"), ("a book", "answered")] {
        let ended = TestHost::new(&code()).answers_children(answered.clone()).live(async |life| {
            life.start("order", "w", &input).await?;
            life.result("w").await?.result::<String>()
        });
        assert_eq!(ended.as_deref(), Ok(result));
    }
}

/// Two attempts fail, the third completes; each takes a day.
fn reluctant() -> Child {
    Child::raw("ship", |child| match child.attempt {
        1 | 2 => after(DAY, Outcome::Failed(Failure::new(FailureKind::Application, "Busy", "come again"))),
        attempt => after(DAY, completed(&attempt.to_string())),
    })
}

#[test]
fn a_child_is_retried_by_its_policy_and_answers_by_its_attempt() {
    let host = TestHost::new(&code()).answers_children(reluctant());
    expect![[r#"
        +0s          workflow-started       stubborn "a book"
        +0s          child-initiated        #2 ship "a book"
        +3d 3s       child-completed        #2 ship → 3
        +3d 3s       workflow-completed     → 3
        +0s          workflow-started       ship "a book"
        +0s          timer-started          #1 until +1d
        +1d          timer-fired            #1 timer
        +1d          workflow-failed        ✗ Busy: come again
        +0s          workflow-started       ship "a book"
        +0s          workflow-delayed       until +1s, attempt 2
        +1s          timer-started          #1 until +1d 1s
        +1d 1s       timer-fired            #1 timer
        +1d 1s       workflow-failed        ✗ Busy: come again
        +0s          workflow-started       ship "a book"
        +0s          workflow-delayed       until +2s, attempt 3
        +2s          timer-started          #1 until +1d 2s
        +1d 2s       timer-fired            #1 timer
        +1d 2s       workflow-completed     → 3
    "#]]
    .assert_eq(&observed(host, "stubborn", "a book"));
}

/// Nobody who is in a hurry waits for its end.
fn slow() -> Child {
    Child::raw("ship", |_| after(2 * DAY, completed("0")))
}

#[test]
fn a_child_is_canceled_and_does_not_mind_signals() {
    let host = TestHost::new(&code()).answers_children(slow());
    expect![[r#"
        +0s          workflow-started       impatient "a book"
        +0s          child-initiated        #2 ship "a book"
        +0s          timer-started          #3 until +1d
        +1d          timer-fired            #3 timer
        +1d          signal-sent            #4 hurry null to the-parcel
        +1d          sending-completed      #4 signal hurry
        +1d          op-cancel-requested    #2 ship too late
        +1d          child-failed           #2 ship ✗ canceled: child workflow "ship" (id "the-parcel") was canceled
        +1d          workflow-failed        ✗ canceled: child workflow "ship" (id "the-parcel") was canceled
        +0s          workflow-started       ship "a book"
        +0s          timer-started          #1 until +2d
        +1d          signal-received        hurry null
        +1d          cancel-requested       too late
        +1d          workflow-canceled
    "#]].assert_eq(&observed(host, "impatient", "a book"));
}

#[test]
fn a_child_ends_with_its_parent_as_any_does() {
    let mut host = TestHost::new(&code()).answers_children(slow());
    let status = host.live(async |life| {
        life.start("careless", "w", &"a book").await?;
        life.result("w").await?;
        Ok(life.result("the-parcel").await?.status)
    });
    assert_eq!(status, Ok(RunStatus::Terminated));
}

#[test]
fn a_child_answers_the_same_whatever_happens_to_its_host() {
    let host = || TestHost::new(&code()).answers_children(reluctant());
    for workflow in ["stubborn", "impatient", "careless"] {
        let swept = crash_everywhere(host, async |life| {
            life.start(workflow, "w", &"a book").await?;
            Ok(life.result("w").await?.outcome)
        });
        let swept = swept.expect("a sweep");
        assert!(swept.crashes > 10, "{workflow} was killed {} times", swept.crashes);
        assert_eq!(swept.differs, [], "{workflow}");
    }
}

#[test]
fn the_journal_of_a_child_that_was_answered_replays() {
    let mut host = TestHost::new(&code()).answers_children(reluctant());
    let journals = host.live(async |life| {
        observe(life.clone(), "stubborn", "a book").await?;
        let mut journals = Vec::new();
        for run in life.runs().await? {
            journals.push(life.export(run.workflow_id.as_str(), Some(run.run_id)).await?);
        }
        Ok(journals)
    });
    let journals = journals.expect("journals");
    assert_eq!(journals.len(), 4, "one of the parent, and three attempts");
    for journal in journals {
        let debugger = host.code().debugger(Exported::read(&journal[..]).expect("a history"));
        let calls = futures::executor::block_on(debugger.expect("it replays").calls()).expect("calls");
        assert!(!calls.differs, "{calls:?}");
    }
}
