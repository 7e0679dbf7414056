//! How attempts end on the wire.

use std::time::Duration;

use refrain_plugin::{Activity, ActivityError, CancelReason, Context, Payload, ResultExt};
use serde_json::{Value, json};

use crate::host::{Host, Running, task, task_with, worker};

#[derive(serde::Deserialize)]
struct Numbers {
    numbers: Vec<i64>,
}

#[tokio::test]
async fn each_end_has_its_report() {
    let refused = || {
        ActivityError::non_retryable("Refused", "no")
            .with_details(&json!({"code": 7}))
            .with_next_retry_delay(Duration::from_millis(2500))
            .with_benign()
            .context("asking the bank")
    };
    let cases = [
        (
            Activity::blocking("sum", |_, input: Numbers| Ok(input.numbers.iter().sum::<i64>())),
            "complete",
            json!({"result": 3}),
        ),
        (Activity::new("nothing", |_, _: Value| async { Ok(()) }), "complete", json!({"result": null})),
        (
            Activity::raw("image", |_, _| async {
                Ok(Payload { content_type: "image/png".to_owned(), data: vec![0, 159].into() })
            }),
            "complete",
            json!({"result_payload": {"content_type": "image/png", "data_base64": "AJ8="}}),
        ),
        (
            Activity::new("refuse", move |_, _: Value| async move { Err::<(), _>(refused()) }),
            "fail",
            json!({
                "failure": {
                    "type": "Refused", "message": "asking the bank", "non_retryable": true, "details": {"code": 7},
                    "causes": [{"type": "Refused", "message": "no"}],
                },
                "next_retry_delay": "2500ms", "benign": true,
            }),
        ),
        (
            Activity::blocking("parse", |_, _: Value| "x".parse::<i64>().context(|| "reading the total")),
            "fail",
            json!({"failure": {
                "type": "Error", "message": "reading the total",
                "causes": [{"type": "Error", "message": "invalid digit found in string"}],
            }}),
        ),
        (
            Activity::new("bad-input", |_, _: String| async { Ok(()) }),
            "fail",
            json!({"failure": {
                "type": "InvalidInput", "non_retryable": true,
                "message": "input of activity `bad-input`: invalid type: map, expected a string at line 1 column 0",
            }}),
        ),
        (
            Activity::new("panic", |_, _: Value| async {
                if true { panic!("at the {}", "disco") } else { Ok(()) }
            }),
            "fail",
            json!({"failure": {"type": "Panicked", "message": "the activity panicked: at the disco"}}),
        ),
        (
            Activity::blocking("panic-blocking", |_, _: Value| if true { panic!("too") } else { Ok(()) }),
            "fail",
            json!({"failure": {"type": "Panicked", "message": "the activity panicked: too"}}),
        ),
        (
            Activity::new("pending", |_, _: Value| async { Err::<(), _>(ActivityError::pending()) }),
            "pending",
            json!({}),
        ),
        (
            // Nobody asked it to stop, so it is no answer to a cancellation.
            Activity::new("gives-up", |_, _: Value| async {
                Err::<(), _>(ActivityError::cancelled(CancelReason::Requested))
            }),
            "fail",
            json!({
                "failure": {"type": "Canceled", "message": "stopped before the end: cancellation was requested"},
                "benign": true,
            }),
        ),
    ];
    let mut host = Host::start().await;
    let activities = cases.iter().map(|(activity, _, _)| activity.clone()).collect();
    let _running = Running::start(worker(&host, activities));
    for (activity, verb, mut expected) in cases {
        host.poll().await.ok(&task("t1", activity.name(), &json!({"numbers": [1, 2]})));
        let report = host.next().await;
        assert_eq!(report.path, format!("/v1/activities/{verb}"), "{}: {}", activity.name(), report.body);
        expected["task_token"] = json!("t1");
        assert_eq!(report.body, expected, "{}", activity.name());
        report.ok(&json!({}));
    }
}

#[tokio::test]
async fn an_activity_finds_in_its_context_what_it_would_find_in_the_host() {
    let activity = Activity::new("look", |ctx: Context, (): ()| async move {
        Ok(json!({
            "token": ctx.task_token(), "workflow": ctx.workflow_id(), "run": ctx.run_id(), "attempt": ctx.attempt(),
            "namespace": ctx.namespace(), "activity": ctx.activity(), "key": ctx.idempotency_key(),
            "timeout": ctx.heartbeat_timeout().map(|timeout| timeout.as_secs()),
            "last": ctx.last_heartbeat::<Value>()?,
            "limited": ctx.time_left().is_some_and(|left| left > Duration::from_secs(50) && left <= Duration::from_secs(60)),
        }))
    });
    let mut host = Host::start().await;
    let _running = Running::start(worker(&host, vec![activity]));
    let more = json!({
        "deadline": "2026-01-01T00:01:01Z", "heartbeat_timeout": "10s", "last_heartbeat": {"step": 12},
    });
    host.poll().await.ok(&task_with("t1", "look", &Value::Null, &more));
    let report = host.report("complete").await;
    assert_eq!(
        report.body["result"],
        json!({
            "token": "t1", "workflow": "order-1", "run": "run-1", "attempt": 3, "namespace": "default",
            "activity": "look", "key": "run-1/7", "timeout": 10, "last": {"step": 12}, "limited": true,
        })
    );
}

#[tokio::test]
async fn a_report_is_repeated_until_it_is_acknowledged() {
    let mut host = Host::start().await;
    let activity = Activity::new("one", |_, (): ()| async { Ok(1) });
    let running = Running::start(worker(&host, vec![activity]));
    host.poll().await.ok(&task("t1", "one", &Value::Null));
    let expected = json!({"task_token": "t1", "result": 1});
    for status in [None, Some(500), Some(401)] {
        let report = host.report("complete").await;
        assert_eq!(report.body, expected);
        match status {
            Some(status) => report.problem(status, "not now"),
            None => report.close(),
        }
    }
    let report = host.report("complete").await;
    assert_eq!(report.body, expected);
    report.ok(&json!({}));
    let waiting = host.poll().await;
    running.stop_with(&mut host, waiting).await;
}

#[tokio::test]
async fn a_report_that_is_not_wanted_is_not_repeated() {
    let mut host = Host::start().await;
    let activity = Activity::new("one", |_, (): ()| async { Ok(1) });
    let _running = Running::start(worker(&host, vec![activity]));
    for token in ["t1", "t2"] {
        host.poll().await.ok(&task(token, "one", &Value::Null));
        let report = host.report("complete").await;
        assert_eq!(report.body["task_token"], token);
        report.problem(409, "attempt 4 is the current one");
    }
    host.poll().await.nothing();
}

#[tokio::test]
async fn a_result_that_the_host_does_not_take_becomes_a_failure_that_says_so() {
    for status in [413, 400] {
        let mut host = Host::start().await;
        let activity = Activity::new("large", |_, (): ()| async { Ok("x".repeat(98)) });
        let _running = Running::start(worker(&host, vec![activity]));
        host.poll().await.ok(&task("t1", "large", &Value::Null));
        host.report("complete").await.problem(status, "the result is too large");
        let report = host.report("fail").await;
        let failure = json!({
            "type": "ResultRefused", "non_retryable": true,
            "message": "the activity was done, but the host does not take its result (100 bytes of application/json): \
                the result is too large: a hint",
        });
        assert_eq!(report.body, json!({"task_token": "t1", "failure": failure}));
        report.ok(&json!({}));
        host.poll().await.nothing();
    }
}

#[tokio::test]
async fn a_failure_that_the_host_does_not_take_is_reported_without_what_is_large() {
    let mut host = Host::start().await;
    let activity = Activity::new("fail", |_, (): ()| async {
        let error = ActivityError::non_retryable("Broken", "m".repeat(5000)).with_details(&"d".repeat(5000));
        Err::<(), _>(error)
    });
    let _running = Running::start(worker(&host, vec![activity]));
    host.poll().await.ok(&task("t1", "fail", &Value::Null));
    host.report("fail").await.problem(413, "the failure is too large");
    let report = host.report("fail").await;
    let failure = json!({"type": "Broken", "message": "m".repeat(1000), "non_retryable": true});
    assert_eq!(report.body, json!({"task_token": "t1", "failure": failure}));
    report.problem(413, "still too large");
    // There is nothing less to say: the slot is free again.
    host.poll().await.nothing();
}
