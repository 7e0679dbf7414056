//! Queries: instances that are made to answer one.

use std::time::Duration;

use bytes::Bytes;
use refrain_engine::failure::Outcome;
use refrain_engine::guest::Stop;
use refrain_engine::payload::Payload;
use refrain_engine::run::{Query, Run};
use refrain_sandbox::SandboxOptions;

use crate::owner::{Owner, started};
use crate::text_guest::guest;

/// Waits for everything; the events' number comes to lie at 0x404.
const WAIT: &str = "(call $next (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x400))";

/// Answers query 0 with the payload of the completion, which is `null`: its four words are copied behind the zeros
/// that stand for the query's number and for an answer that is no failure.
const ANSWER: &str =
    "(memory.copy (i32.const 0x50c) (i32.const 0x308) (i32.const 16)) (call $answer (i32.const 0x500))";

const TIMER: &str =
    "(drop (call $timer (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))";

/// Completes with nothing: a cancelation without details is the shortest to write.
const FINISH: &str = "(call $finish (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0))";

/// Lets a run of this code come to its first wait or its end, and asks it there by another instance.
async fn ask(owner: &Owner, code: &str) -> Stop {
    let digest = owner.push(guest(&format!("(func $main {code})"))).await.unwrap().digest;
    let run = Box::new(Run::new(started(digest), 1));
    let (mut run, stop) = owner.open(digest).await.run(run).await;
    assert!(matches!(stop, Stop::Wait | Stop::Finished), "{stop:?}");
    let records: Vec<Bytes> = run.close_step().into_iter().map(|step| step.record).collect();
    let query = Query { name: "status".to_owned(), input: Payload::json("7") };
    let asked = Run::query(started(digest), records, digest, 1, query).unwrap();
    owner.open(digest).await.run(Box::new(asked)).await.1
}

fn failure(stop: Stop) -> String {
    match stop {
        Stop::Answered(outcome) => match *outcome {
            Outcome::Failed(failure) => failure.error_type,
            Outcome::Completed(answer) => panic!("it answered {answer:?}"),
        },
        other => panic!("the query stopped as {other:?}"),
    }
}

fn answered_with_null(stop: &Stop) -> bool {
    matches!(stop, Stop::Answered(outcome) if **outcome == Outcome::Completed(Payload::null()))
}

#[tokio::test]
async fn an_instance_is_replayed_asked_and_stopped_at_its_next_wait() {
    let owner = Owner::small();
    let stop = ask(&owner, &format!("{TIMER} {WAIT} {ANSWER} {WAIT} unreachable")).await;
    assert!(answered_with_null(&stop), "{stop:?}");
    assert_eq!(owner.sandbox.resident_instances(), 0, "nothing of it is left");
}

#[tokio::test]
async fn a_run_that_has_ended_goes_on_for_a_query_unless_it_returns() {
    let owner = Owner::small();
    let stop = ask(&owner, &format!("{FINISH} {WAIT} {ANSWER} {WAIT} unreachable")).await;
    assert!(answered_with_null(&stop), "{stop:?}");
    assert_eq!(failure(ask(&owner, FINISH).await), "not-served", "it finished, and returned after that");
    assert_eq!(failure(ask(&owner, "").await), "not-served", "it returned");
}

#[tokio::test]
async fn what_a_query_may_not_do_ends_it_by_name() {
    let owner = Owner::small();
    for (code, error_type) in [
        (format!("{WAIT} {TIMER}"), "query-tried-to-change"),
        (format!("{WAIT} {ANSWER} {TIMER}"), "query-tried-to-change"),
        (format!("{WAIT} {FINISH}"), "query-tried-to-change"),
        (WAIT.to_owned(), "query-tried-to-change"),
        (format!("{WAIT} {WAIT}"), "not-handled"),
    ] {
        assert_eq!(failure(ask(&owner, &code).await), error_type, "{code}");
    }
    let twice = ask(&owner, &format!("{WAIT} {ANSWER} {ANSWER}")).await;
    assert!(
        matches!(&twice, Stop::Trap(trap) if trap.message.contains("answer each query once")),
        "{twice:?}"
    );
    let trapped = ask(&owner, &format!("{WAIT} unreachable")).await;
    assert!(matches!(&trapped, Stop::Trap(trap) if trap.message.contains("unreachable")), "{trapped:?}");
}

#[tokio::test]
async fn a_query_has_the_budget_of_a_step() {
    let owner = Owner::new(SandboxOptions {
        max_instances: Some(16),
        step_budget: Some(Duration::from_millis(50)),
        ..SandboxOptions::default()
    });
    let stop = ask(&owner, &format!("{WAIT} (loop $again (br $again))")).await;
    assert!(matches!(stop, Stop::Budget), "{stop:?}");
}
