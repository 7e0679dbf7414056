//! Activities that are ended from elsewhere: asynchronous completion, and what operators do at the command line.

use anyhow::{Context, Result, ensure};
use refrain_tests::stage::{Order, PUPPET};
use refrain_tests::{Client, Host, Stage, Worker, call, calls};
use serde_json::{Value, json};

/// Runs a command that must succeed: what it printed.
async fn cli(host: &Host, arguments: &[&str]) -> Result<String> {
    let output = host.cli(arguments).await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The only activity of a run, as the command line describes it.
async fn described(host: &Host, id: &str) -> Result<Value> {
    let run: Value = serde_json::from_str(&cli(host, &["workflow", "describe", id, "--json"]).await?)?;
    run["pending_activities"].get(0).cloned().with_context(|| format!("{id} has no open activity: {run}"))
}

/// Starts a run of one activity: the activity's id in it.
async fn start(client: &Client, id: &str, options: Value) -> Result<String> {
    let input = calls([call("approve", json!({ "order": 7 }), options)]);
    client.start("calls", id, input).await?;
    let activity = client.activity_once(id, |_| true).await?;
    Ok(activity["op"].to_string())
}

#[tokio::test]
async fn an_attempt_that_others_will_end_outlives_its_worker_and_its_host() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let mut waiting = Vec::new();
    for by in ["token", "ids"] {
        let (stage, proxy) = (Stage::open().await?, host.proxy().await?);
        let worker = Worker::start(proxy.url(), by, "the asker")?;
        let options = json!({ "task_queue": by, "maximum_attempts": 1 });
        client.start("calls", by, calls([call(PUPPET, stage.input()?, options)])).await?;
        let mut puppet = stage.enters().await?;
        puppet.order(&Order::Pending).await?;
        let outside = client.activity_once(by, |activity| activity["runner"] == "outside").await?;
        worker.kill9().await?;
        waiting.push((by, outside["op"].as_u64().unwrap_or_default(), puppet.entrance.task_token));
    }
    host.kill9().await?;
    host.restart().await?;
    for (by, op, token) in waiting {
        let task = json!({ "task_token": token });
        let tell = async |verb: &str, body: Value| match by {
            "token" => client.tell(&task, verb, body).await,
            _ => client.tell_activity(by, op, verb, body).await,
        };
        tell("heartbeat", json!({ "details": { "asked": "Ada" } })).await?.ok()?;
        let activity =
            client.activity_once(by, |activity| activity["last_heartbeat"]["asked"] == "Ada").await?;
        assert_eq!((&activity["runner"], &activity["attempt"]), (&json!("outside"), &json!(1)), "{activity}");
        tell("complete", json!({ "result": { "approved": true } })).await?.ok()?;
        host.kill9().await?;
        host.restart().await?;
        assert_eq!(client.only_result(by, 1).await?, json!({ "approved": true }));
        let again = tell("complete", json!({ "result": { "approved": false } })).await?;
        assert_eq!((again.status, again.problem()), (409, "stale-task"), "{by}: {}", again.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_from_outside_is_retried_like_any_other() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    start(&client, "asked", json!({ "interval_ms": 1 })).await?;
    let first = client.task("default").await?;
    client.tell(&first, "pending", json!({})).await?.ok()?;
    let failure = json!({ "failure": { "type": "Away", "message": "nobody is in the office" } });
    client.tell(&first, "fail", failure).await?.ok()?;
    let second = client.task("default").await?;
    assert_eq!(second["attempt"], 2);
    client.complete(&second, json!("yes")).await?;
    assert_eq!(client.only_result("asked", 2).await?, "yes");
    Ok(())
}

#[tokio::test]
async fn an_operator_pauses_resets_and_changes_an_activity_at_the_command_line() -> Result<()> {
    const FAILURE: &str = r#"{ "failure": { "type": "Down", "message": "no answer" } }"#;
    let failure: Value = serde_json::from_str(FAILURE)?;
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let op = start(&client, "order/9", json!({ "interval_ms": 1 })).await?;
    let activity = async |verb: &str, flags: &[&str]| {
        cli(&host, &[&["activity", verb, "order/9", &op], flags].concat()).await
    };

    // Paused: the attempt that runs goes on and is told, and none follows it.
    let first = client.task("default").await?;
    activity("pause", &["--reason", "the bank is closed"]).await?;
    let paused = described(&host, "order/9").await?;
    assert_eq!(
        (&paused["state"], &paused["paused"]["reason"]),
        (&json!("running"), &json!("the bank is closed"))
    );
    let answer = client.tell(&first, "heartbeat", json!({ "details": { "page": 3 } })).await?.ok()?;
    assert_eq!(answer["paused"], true, "{answer}");
    assert_eq!(activity("heartbeat", &["--details", r#"{"page": 4}"#]).await?.trim(), "paused");
    client.tell(&first, "fail", failure.clone()).await?.ok()?;
    let paused = described(&host, "order/9").await?;
    assert_eq!((&paused["state"], &paused["attempt"]), (&json!("paused"), &json!(2)), "{paused}");
    assert_eq!(paused["last_failure"]["message"], "no answer", "{paused}");
    assert_eq!(paused["last_heartbeat"], json!({ "page": 4 }), "{paused}");
    assert_eq!(client.poll_task("default", "0s").await?, None);

    activity("unpause", &[]).await?;
    let second = client.task("default").await?;
    assert_eq!((&second["attempt"], &second["last_heartbeat"]), (&json!(2), &json!({ "page": 4 })));
    assert_eq!(described(&host, "order/9").await?["paused"], Value::Null);

    // Reset: the attempt that runs is told, and the next one is the first again.
    activity("reset", &["--reset-heartbeat"]).await?;
    assert_eq!(activity("heartbeat", &[]).await?.trim(), "reset");
    client.tell(&second, "fail", failure.clone()).await?.ok()?;
    let again = client.task("default").await?;
    assert_eq!((&again["attempt"], &again["last_heartbeat"]), (&json!(1), &Value::Null), "{again}");
    let stale = client.tell(&second, "complete", json!({ "result": 1 })).await?;
    assert_eq!(stale.status, 409, "it is another attempt of the same number");

    // Other options, in force at once: for the wait that has begun, and where the next attempt waits.
    let mut later = failure.clone();
    later["next_retry_delay"] = json!("10h");
    client.tell(&again, "fail", later).await?.ok()?;
    let backoff = described(&host, "order/9").await?;
    assert_eq!(
        (&backoff["state"], &backoff["task_queue"]),
        (&json!("backoff"), &json!("default")),
        "{backoff}"
    );
    activity("update-options", &["--task-queue", "bank-2", "--maximum-attempts", "7", "--priority", "1"])
        .await?;
    let updated = described(&host, "order/9").await?;
    assert_eq!(
        (&updated["task_queue"], &updated["maximum_attempts"]),
        (&json!("bank-2"), &json!(7)),
        "{updated}"
    );
    activity("reset", &[]).await?;
    let elsewhere = client.task("bank-2").await?;
    assert_eq!((&elsewhere["attempt"], &elsewhere["priority"]), (&json!(1), &json!(1)), "{elsewhere}");

    // All of it is durable.
    host.kill9().await?;
    host.restart().await?;
    let after = described(&host, "order/9").await?;
    assert_eq!((&after["task_queue"], &after["maximum_attempts"]), (&json!("bank-2"), &json!(7)), "{after}");
    cli(&host, &["activity", "complete", "order/9", &op, "--result", r#"{"approved": true}"#]).await?;
    assert_eq!(client.only_result("order/9", 1).await?, json!({ "approved": true }));
    let late = host.cli(&["activity", "complete", "order/9", &op]).await?;
    assert!(!late.status.success());
    let words = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(words.contains("ended"), "{words}");
    Ok(())
}

#[tokio::test]
async fn an_operator_ends_activities_at_the_command_line_whether_they_run_or_wait() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let fail = ["--type", "Declined", "--message", "the customer said no", "--non-retryable"];
    let cases: [(&str, &[&str], &str, Value); 3] = [
        ("fail", &fail, "application", json!("the customer said no")),
        ("cancel", &["--details", r#"{"refunded": true}"#], "canceled", Value::Null),
        ("complete", &["--result", "42"], "", Value::Null),
    ];
    for runs in [true, false] {
        for (verb, flags, kind, message) in &cases {
            let id = format!("{verb} {runs}");
            let op = start(&client, &id, json!({ "task_queue": id })).await?;
            if runs {
                client.task(&id).await?;
            }
            cli(&host, &[&["activity", verb, &id, &op], *flags].concat()).await?;
            let outcome = client.outcomes(&id).await?.remove(0);
            if kind.is_empty() {
                assert_eq!(outcome["result"], 42, "{id}: {outcome}");
                continue;
            }
            let failure = &outcome["failure"];
            assert_eq!(failure["kind"], *kind, "{id}: {outcome}");
            assert!(message.is_null() || failure["messages"][0] == *message, "{id}: {outcome}");
        }
    }
    Ok(())
}
