//! Programs with an ordinary HTTP client: a request is an activity, its response that activity's outcome.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use refrain_engine::call::{Command, Completion};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::guest::Stop;
use refrain_engine::ids::{Digest, Op};
use refrain_engine::journal::{Entry, Record};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::Run;
use refrain_engine::time::Timestamp;
use refrain_sandbox::SandboxOptions;

use crate::owner::{Owner, started};
use crate::text_guest::{COMPLETION, http_guest};

/// Sends requests, and takes responses.
///
/// | function | does |
/// |---|---|
/// | `$make` | makes the request `GET http://svc/a` |
/// | `$send` | hands it over without a body; answers the future |
/// | `$wait`, `$wait-until` | until the future is ready; at most for so long, and answers whether it is |
/// | `$get` | completes the run with the response's body, or with the number of the error code |
const CLIENT: &str = r#"
  (data (i32.const 0x3000) "svc")
  (data (i32.const 0x3010) "/a")
  (func $make (result i32)
    (local $request i32)
    (local.set $request (call $outgoing-request.new (call $fields.new)))
    (call $must (call $outgoing-request.set-scheme
      (local.get $request) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
    (call $must (call $outgoing-request.set-authority
      (local.get $request) (i32.const 1) (i32.const 0x3000) (i32.const 3)))
    (call $must (call $outgoing-request.set-path-with-query
      (local.get $request) (i32.const 1) (i32.const 0x3010) (i32.const 2)))
    (local.get $request))
  (func $must (param $failed i32) (if (local.get $failed) (then unreachable)))
  (func $must-at (param $at i32) (call $must (i32.load8_u (local.get $at))))
  (func $send (param $request i32) (result i32)
    (call $outgoing-handler.handle (local.get $request) (i32.const 0) (i32.const 0) (i32.const 0x3100))
    (call $must-at (i32.const 0x3100))
    (i32.load (i32.const 0x3108)))
  (func $wait (param $future i32)
    (call $pollable.block (call $future-incoming-response.subscribe (local.get $future))))
  (func $wait-until (param $future i32) (param $nanos i64) (result i32)
    (i32.store (i32.const 0x3200) (call $future-incoming-response.subscribe (local.get $future)))
    (i32.store (i32.const 0x3204) (call $monotonic-clock.subscribe-duration (local.get $nanos)))
    (call $poll.poll (i32.const 0x3200) (i32.const 2) (i32.const 0x3210))
    ;; The first of those that are ready: 0 is the future.
    (i32.eqz (i32.load (i32.load (i32.const 0x3210)))))
  (func $complete (param $at i32) (param $len i32)
    (i32.store (i32.const {DATA}) (local.get $at))
    (i32.store (i32.const {LEN}) (local.get $len)))
  (func $get (param $future i32)
    (local $response i32) (local $body i32)
    (call $future-incoming-response.get (local.get $future) (i32.const 0x3300))
    (if (i32.eqz (i32.load8_u (i32.const 0x3300))) (then unreachable))
    (call $must-at (i32.const 0x3308))
    (if (i32.load8_u (i32.const 0x3310)) (then
      (call $complete (i32.const 0x3318) (i32.const 1))
      return))
    (local.set $response (i32.load (i32.const 0x3318)))
    (if (i32.ne (call $incoming-response.status (local.get $response)) (i32.const 201)) (then unreachable))
    (call $incoming-response.consume (local.get $response) (i32.const 0x3400))
    (call $must-at (i32.const 0x3400))
    (local.set $body (i32.load (i32.const 0x3404)))
    (call $incoming-body.stream (local.get $body) (i32.const 0x3400))
    (call $must-at (i32.const 0x3400))
    (call $input-stream.blocking-read (i32.load (i32.const 0x3404)) (i64.const 100) (i32.const 0x3500))
    (call $must-at (i32.const 0x3500))
    (call $complete (i32.load (i32.const 0x3504)) (i32.load (i32.const 0x3508))))
"#;

fn client(main: &str) -> Bytes {
    let helpers = CLIENT
        .replace("{DATA}", &(COMPLETION + 16).to_string())
        .replace("{LEN}", &(COMPLETION + 20).to_string());
    http_guest(&format!("{helpers} {main}"))
}

fn owner() -> Owner {
    Owner::new(SandboxOptions { max_instances: Some(16), http: true, ..SandboxOptions::default() })
}

/// What comes while the run waits, wait by wait.
type Arrivals<'a> = &'a [Vec<Item>];

fn closed(op: Op, outcome: Outcome) -> Item {
    Item::ActivityClosed { op, outcome, attempt: 1, started_at: None }
}

/// The end of a request with this response, or with a failure.
fn response(op: Op, text: &str) -> Item {
    closed(op, Outcome::Completed(Payload::json(text.to_owned())))
}

fn failure(op: Op, kind: FailureKind, error_type: &str) -> Item {
    closed(op, Outcome::Failed(Failure::new(kind, error_type, "no")))
}

/// When runs start.
const START: Timestamp = Timestamp(1_000_000_000_000_000);

/// The base64 is `hello`.
const HELLO: &str = r#"{"status":201,"headers":[["a","b"]],"body_base64":"aGVsbG8="}"#;

struct Driven {
    records: Vec<Bytes>,
    stop: Stop,
}

/// Executes a run from these steps of its journal. Each arrival comes a second after the one before.
async fn drive(owner: &Owner, digest: Digest, records: Vec<Bytes>, arrivals: Arrivals<'_>) -> Driven {
    let mut guest = owner.open(digest).await;
    let mut arrivals = arrivals[records.len().saturating_sub(1).min(arrivals.len())..].iter();
    let mut number = records.len() as u64;
    let mut records = records;
    let mut run = Box::new(Run::replay(started(digest), records.clone(), digest, 1).unwrap());
    loop {
        let (back, stop) = guest.run(run).await;
        run = back;
        if matches!(stop, Stop::Wait | Stop::Finished)
            && let Some(step) = run.close_step()
        {
            records.push(step.record);
        }
        if !matches!(stop, Stop::Wait) {
            return Driven { records, stop };
        }
        for item in arrivals.next().expect("something ends each wait") {
            number += 1;
            run.push(MailboxEntry { number, at: run.time(), item: item.clone() });
        }
        run.resume(START.after(Duration::from_secs(number)));
    }
}

fn journal(records: &[Bytes]) -> String {
    let mut text = String::new();
    for record in records {
        let Record::Step(step) = codec::decode("record", record).unwrap() else { panic!("no step") };
        for entry in step.entries {
            let line = match entry {
                Entry::Command(Command::StartActivity(activity)) => {
                    let attempts = activity.options.retry.maximum_attempts;
                    format!("{} {:?}, attempts {attempts}", activity.name, activity.input)
                }
                Entry::Command(Command::StartTimer { delay, .. }) => format!("timer {delay:?}"),
                other => format!("{other:?}"),
            };
            writeln!(text, "{} {line}", step.number).unwrap();
        }
        let end = match step.end.command() {
            Command::Finish(Completion::Completed(result)) => {
                let data = String::from_utf8_lossy(&result.data).into_owned();
                format!("finish {data:?}")
            }
            other => format!("{other:?}"),
        };
        writeln!(text, "{} {end}", step.number).unwrap();
    }
    text
}

/// Executes to the end, compares the journal, and replays it from each of its steps.
async fn check(main: &str, arrivals: Arrivals<'_>, expected: Expect) {
    let owner = owner();
    let digest = owner.push(client(main)).await.unwrap().digest;
    let recorded = drive(&owner, digest, Vec::new(), arrivals).await;
    assert!(matches!(recorded.stop, Stop::Finished), "{:?}", recorded.stop);
    expected.assert_eq(&journal(&recorded.records));
    for steps in 0..=recorded.records.len() {
        let replayed = drive(&owner, digest, recorded.records[..steps].to_vec(), arrivals).await;
        assert!(matches!(replayed.stop, Stop::Finished), "after {steps} steps: {:?}", replayed.stop);
        assert_eq!(journal(&replayed.records), journal(&recorded.records), "after {steps} recorded steps");
    }
}

/// Makes a request without a body and takes the response.
const ONE_REQUEST: &str = r#"
  (func $main (local $future i32)
    (local.set $future (call $send (call $make)))
    (call $wait (local.get $future))
    (call $get (local.get $future)))
"#;

#[tokio::test]
async fn a_request_is_an_activity_and_its_outcome_the_response() {
    check(
        ONE_REQUEST,
        &[vec![response(1, HELLO)]],
        expect![[r#"
            0 http.request {"method":"GET","url":"http://svc/a","timeout":"300000ms","raw":true}, attempts 0
            0 Wait(Ops([1]))
            1 finish "hello"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_request_with_a_body_leaves_when_both_are_there() {
    // It is handed over first, then its body is written and finished.
    let main = r#"
      (data (i32.const 0x3600) "some body")
      (func $main (local $request i32) (local $body i32) (local $stream i32) (local $future i32)
        (local.set $request (call $make))
        (call $must (call $outgoing-request.set-method
          (local.get $request) (i32.const 2) (i32.const 0) (i32.const 0)))
        (call $outgoing-request.body (local.get $request) (i32.const 0x3700))
        (call $must-at (i32.const 0x3700))
        (local.set $body (i32.load (i32.const 0x3704)))
        (local.set $future (call $send (local.get $request)))
        (call $outgoing-body.write (local.get $body) (i32.const 0x3700))
        (call $must-at (i32.const 0x3700))
        (local.set $stream (i32.load (i32.const 0x3704)))
        (call $output-stream.blocking-write-and-flush
          (local.get $stream) (i32.const 0x3600) (i32.const 9) (i32.const 0x3700))
        (call $must-at (i32.const 0x3700))
        (call $output-stream.drop (local.get $stream))
        (call $outgoing-body.finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 0x3800))
        (call $must-at (i32.const 0x3800))
        (call $wait (local.get $future))
        (call $get (local.get $future)))"#;
    check(main, &[vec![response(1, HELLO)]], expect![[r#"
        0 http.request {"method":"POST","url":"http://svc/a","body_base64":"c29tZSBib2R5","timeout":"300000ms","raw":true}, attempts 1
        0 Wait(Ops([1]))
        1 finish "hello"
    "#]]).await;
}

#[tokio::test]
async fn a_timer_that_lost_is_detached_and_one_that_won_leaves_the_request_be() {
    let main = r#"
      (func $main (local $future i32)
        (local.set $future (call $send (call $make)))
        (if (i32.eqz (call $wait-until (local.get $future) (i64.const 5000000000)))
          (then (call $wait (local.get $future))))
        (call $get (local.get $future)))"#;
    check(
        main,
        &[vec![response(1, HELLO)]],
        expect![[r#"
            0 http.request {"method":"GET","url":"http://svc/a","timeout":"300000ms","raw":true}, attempts 0
            0 timer 5s
            0 Wait(Ops([1, 2]))
            1 Command(Detach { op: 2 })
            1 finish "hello"
        "#]],
    )
    .await;
    let timer = |op| Item::TimerFired { op, deadline: START.after(Duration::from_secs(5)) };
    check(
        main,
        &[vec![timer(2)], vec![response(1, HELLO)]],
        expect![[r#"
            0 http.request {"method":"GET","url":"http://svc/a","timeout":"300000ms","raw":true}, attempts 0
            0 timer 5s
            0 Wait(Ops([1, 2]))
            1 Wait(Ops([1]))
            2 finish "hello"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_response_that_nobody_wants_any_more_is_taken_and_dropped() {
    // The wait is for the second response; the first one comes before it.
    let main = r#"
      (func $main (local $future i32)
        (call $future-incoming-response.drop (call $send (call $make)))
        (local.set $future (call $send (call $make)))
        (drop (call $wait-until (local.get $future) (i64.const 5000000000)))
        (call $get (local.get $future)))"#;
    check(
        main,
        &[vec![response(1, HELLO)], vec![response(2, HELLO)]],
        expect![[r#"
            0 http.request {"method":"GET","url":"http://svc/a","timeout":"300000ms","raw":true}, attempts 0
            0 http.request {"method":"GET","url":"http://svc/a","timeout":"300000ms","raw":true}, attempts 0
            0 timer 5s
            0 Wait(Ops([1, 2, 3]))
            1 Wait(Ops([2, 3]))
            2 Command(Detach { op: 3 })
            2 finish "hello"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn failures_are_error_codes() {
    let owner = owner();
    let digest = owner.push(client(ONE_REQUEST)).await.unwrap().digest;
    for (item, expected) in [
        (failure(1, FailureKind::Application, "HttpForbidden"), 15),
        (failure(1, FailureKind::Application, "HttpConnection"), 7),
        (failure(1, FailureKind::Timeout, "start-to-close"), 33),
        (failure(1, FailureKind::Host, "host-restarted"), 7),
        (failure(1, FailureKind::Canceled, "canceled"), 38),
        (response(1, "null"), 38),
    ] {
        let driven = drive(&owner, digest, Vec::new(), &[vec![item.clone()]]).await;
        let Record::Step(step) = codec::decode("record", driven.records.last().unwrap()).unwrap() else {
            panic!("no step")
        };
        let Command::Finish(Completion::Completed(result)) = step.end.command() else { panic!("no end") };
        assert_eq!(result.data.as_ref(), [expected], "{item:?}");
    }
}

#[tokio::test]
async fn what_cannot_come_to_an_end_traps() {
    for (main, expected) in [
        (
            r#"(func $main (local $request i32)
                 (local.set $request (call $make))
                 (call $outgoing-request.body (local.get $request) (i32.const 0x3700))
                 (call $wait (call $send (local.get $request))))"#,
            "finish the body first",
        ),
        (
            "(func $main (drop (call $outgoing-response.new (call $fields.new))))",
            "wasi:http/types.[constructor]outgoing-response: workflows serve no requests",
        ),
    ] {
        let Stop::Trap(trap) = owner().try_out(client(main)).await.stop else { panic!("no trap") };
        assert!(trap.message.contains(expected), "{trap}");
    }
}

#[tokio::test]
async fn a_client_is_let_in_where_there_is_a_network_and_a_server_nowhere() {
    let refusal = Owner::small().push(client(ONE_REQUEST)).await.unwrap_err().to_string();
    assert!(refusal.contains("plugins.http.allowed_hosts"), "{refusal}");
    let server = r#"(component (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))"#;
    let refusal = owner().push(wat::parse_str(server).unwrap().into()).await.unwrap_err().to_string();
    assert!(
        refusal.contains("wasi:http/incoming-handler@0.2.0, and workflows serve no requests"),
        "{refusal}"
    );
}
