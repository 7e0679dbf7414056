//! Tasks of workers, over the API alone: who gets one, whose answer counts, and what is said to the others.

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host, PATIENCE, call, calls};
use serde_json::{Value, json};
use tokio::time::timeout;

/// A run of one activity on the queue `work`.
async fn start(client: &Client, id: &str, options: Value) -> Result<String> {
    let mut options = options;
    options["task_queue"] = json!("work");
    client.start("calls", id, calls([call("charge", json!({ "cents": 250 }), options)])).await
}

#[tokio::test]
async fn a_task_goes_to_a_worker_and_what_it_answers_is_durable() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let run_id = start(&client, "order/7", json!({ "heartbeat_ms": 90_000, "priority": 2 })).await?;
    let task = client.task("work").await?;
    let op = &task["activity_id"];
    let expected = [
        ("activity", json!("charge")),
        ("input", json!({ "cents": 250 })),
        ("attempt", json!(1)),
        ("workflow_id", json!("order/7")),
        ("run_id", json!(run_id)),
        ("workflow", json!("calls")),
        ("task_queue", json!("work")),
        ("namespace", json!("default")),
        ("idempotency_key", json!(format!("{run_id}/{}", op.as_str().unwrap_or_default()))),
        ("priority", json!(2)),
        ("last_heartbeat", Value::Null),
    ];
    for (field, value) in expected {
        assert_eq!(task[field], value, "{field} of {task}");
    }
    let running = client.activity_once("order/7", |activity| activity["state"] == "running").await?;
    assert_eq!((&running["runner"], &running["worker"]), (&json!("worker"), &json!("the test")), "{running}");

    client.complete(&task, json!({ "receipt": 1 })).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.only_result("order/7", 1).await?, json!({ "receipt": 1 }));
    Ok(())
}

#[tokio::test]
async fn the_same_poll_gets_the_same_task_and_no_other_poll_does() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    start(&client, "once", json!({ "maximum_attempts": 1 })).await?;
    let task = client.poll_task_as("work", "the poll", "20s").await?.expect("a task");
    assert_eq!(client.poll_task_as("work", "the poll", "20s").await?.as_ref(), Some(&task));
    assert_eq!(client.poll_task("work", "0s").await?, None);

    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.poll_task_as("work", "the poll", "20s").await?.as_ref(), Some(&task));
    assert_eq!(client.poll_task("work", "0s").await?, None);

    client.complete(&task, json!("done")).await?;
    assert_eq!(client.poll_task_as("work", "the poll", "0s").await?, None, "the attempt is over");
    assert_eq!(client.only_result("once", 1).await?, "done");
    Ok(())
}

/// Every way to speak of an attempt, refused with the same problem and this reason.
async fn refused(client: &Client, task: &Value, reason: &str) -> Result<()> {
    let failure = json!({ "type": "Late", "message": "too late" });
    let verbs = [
        ("complete", json!({ "result": "late" })),
        ("fail", json!({ "failure": failure })),
        ("cancel", json!({})),
        ("pending", json!({})),
        ("heartbeat", json!({ "details": "late" })),
    ];
    for (verb, body) in verbs {
        let answer = client.tell(task, verb, body).await?;
        assert_eq!((answer.status, answer.problem()), (409, "stale-task"), "{verb}: {}", answer.body);
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(reason), "{verb}: {detail:?} has no {reason:?}");
        assert!(answer.body["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{}", answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn an_attempt_that_is_over_is_heard_no_more_and_told_why() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();

    start(&client, "twice", json!({})).await?;
    let task = client.task("work").await?;
    client.complete(&task, json!("first")).await?;
    refused(&client, &task, "ended").await?;
    assert_eq!(client.only_result("twice", 1).await?, "first");

    start(&client, "retried", json!({ "interval_ms": 1 })).await?;
    let first = client.task("work").await?;
    let failure = json!({ "failure": { "type": "Busy", "message": "the till is in use" } });
    client.tell(&first, "fail", failure).await?.ok()?;
    let second = client.task("work").await?;
    assert_eq!((&second["attempt"], &second["activity_id"]), (&json!(2), &first["activity_id"]));
    assert_eq!(second["idempotency_key"], first["idempotency_key"]);
    refused(&client, &first, "start number 2 runs now").await?;
    client.complete(&second, json!("second")).await?;
    refused(&client, &first, "ended").await?;
    assert_eq!(client.only_result("retried", 2).await?, "second");

    start(&client, "terminated", json!({})).await?;
    let task = client.task("work").await?;
    client.post("/v1/workflows/terminated/terminate", &json!({ "reason": "closing time" })).await?.ok()?;
    refused(&client, &task, "terminated").await?;

    let forged = client.tell(&json!({ "task_token": "mine" }), "complete", json!({ "result": 1 })).await?;
    let said = (forged.status, forged.problem(), forged.body["field"].as_str());
    assert_eq!(said, (400, "invalid", Some("task_token")), "{}", forged.body);
    Ok(())
}

#[tokio::test]
async fn the_attempt_after_a_silent_one_gets_its_last_heartbeat() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    start(&client, "silent", json!({ "heartbeat_ms": 600_000, "interval_ms": 1 })).await?;
    let silent = client.task("work").await?;
    let answer = client.tell(&silent, "heartbeat", json!({ "details": { "done": 3 } })).await?.ok()?;
    assert_eq!(answer, json!({ "cancel_requested": false, "paused": false, "reset": false }));
    let op = silent["activity_id"].as_str().unwrap_or_default().parse()?;
    client.expire("silent", op).await?;

    let next = client.task("work").await?;
    assert_eq!((&next["attempt"], &next["last_heartbeat"]), (&json!(2), &json!({ "done": 3 })));
    refused(&client, &silent, "start number 2").await?;
    client.complete(&next, json!("resumed")).await?;
    assert_eq!(client.only_result("silent", 2).await?, "resumed");
    Ok(())
}

#[tokio::test]
async fn what_takes_too_long_ends_with_the_name_of_its_timeout() -> Result<()> {
    const SHORT: u64 = 50;
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let cases = [
        (
            "start-to-close",
            json!({ "start_to_close_ms": SHORT, "maximum_attempts": 1, "task_queue": "taken" }),
        ),
        ("heartbeat", json!({ "heartbeat_ms": SHORT, "maximum_attempts": 1, "task_queue": "taken" })),
        ("schedule-to-start", json!({ "schedule_to_start_ms": SHORT, "task_queue": "left" })),
        ("schedule-to-close", json!({ "schedule_to_close_ms": SHORT, "task_queue": "left" })),
    ];
    let input = calls(cases.iter().map(|(_, options)| call("sleep", json!(null), options.clone())));
    client.start("calls", "late", input).await?;
    for _ in 0..2 {
        client.task("taken").await?;
    }
    let outcomes = client.outcomes("late").await?;
    for ((timeout, _), outcome) in cases.iter().zip(&outcomes) {
        let failure = &outcome["failure"];
        assert_eq!((&failure["kind"], &failure["type"]), (&json!("timeout"), &json!(timeout)), "{outcome}");
    }
    Ok(())
}

#[tokio::test]
async fn a_canceled_activity_ends_as_its_options_say_and_its_worker_is_told_so() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    // What the attempt hears: that nobody waits for it, that it is to stop, or nothing of it.
    let cases = [
        ("try-cancel", (409, Value::Null)),
        ("wait-for-cancellation", (200, json!(true))),
        ("abandon", (200, json!(false))),
    ];
    for (cancellation, expected) in cases {
        let options = json!({ "cancellation": cancellation, "cancel_with_run": true, "task_queue": "work" });
        let mut input = calls([call("charge", json!(1), options)]);
        input["until_signal"] = json!(true);
        client.start("calls", cancellation, input).await?;
        let task = client.task("work").await?;
        let cancel = json!({ "reason": "not wanted" });
        client.post(&format!("/v1/workflows/{cancellation}/cancel"), &cancel).await?.ok()?;
        client.follow_to(cancellation, "op-cancel-requested").await?;
        // The host tells attempts of what it has committed right after that.
        let hears = async {
            loop {
                let heard = client.tell(&task, "heartbeat", json!({})).await?;
                if (heard.status, &heard.body["cancel_requested"]) == (expected.0, &expected.1) {
                    return Ok::<_, anyhow::Error>(());
                }
                ensure!(heard.body["cancel_requested"] == false, "{cancellation}: {}", heard.body);
            }
        };
        timeout(PATIENCE, hears).await.context("the attempt is not told")??;
        let (verb, field) =
            if cancellation == "abandon" { ("complete", "result") } else { ("cancel", "details") };
        let end = client.tell(&task, verb, json!({ field: "half of it" })).await?;
        assert_eq!(end.status, expected.0, "{cancellation}: {}", end.body);
        client.signal(cancellation, "go", json!(null)).await?;
        let outcome = client.outcomes(cancellation).await?.remove(0);
        let failure = &outcome["failure"];
        assert_eq!(failure["kind"], "canceled", "{cancellation}: {outcome}");
        // The run has heard what the attempt said only if it waited for it.
        let said = if cancellation == "wait-for-cancellation" { json!("half of it") } else { Value::Null };
        assert_eq!(failure["details"], said, "{cancellation}: {outcome}");
    }
    Ok(())
}
