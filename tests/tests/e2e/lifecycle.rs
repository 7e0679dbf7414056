//! What a host owes a run while no step of it is to be made, when it is killed in that time; and what operators do.

use anyhow::{Context, Result};
use jiff::Timestamp;
use refrain_tests::{Client, Event, Host};
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;

async fn start(client: &Client, id: &str, options: Value) -> Result<Value> {
    let input = json!({ "message": "never", "every_ms": HOUR_MS, "give_up_after_ms": HOUR_MS });
    let mut body = json!({ "workflow": "reminder", "id": id, "input": input });
    for (name, value) in options.as_object().context("an object")? {
        body[name] = value.clone();
    }
    client.post("/v1/workflows", &body).await?.ok()
}

/// Checks that the first step came when the delay was over.
fn check_begin(history: &[Event]) -> Result<()> {
    let event = |kind: &str| {
        let found = history.iter().find(|event| event.kind() == kind);
        found.with_context(|| format!("{kind} in {history:?}"))
    };
    let time = |value: &Value| -> Result<Timestamp> { Ok(value.as_str().context("a time")?.parse()?) };
    let until = time(event("workflow-delayed")?.attribute("until"))?;
    let begun = time(&event("timer-started")?.0["time"])?;
    assert!(begun >= until, "it began at {begun}, before {until}");
    Ok(())
}

#[tokio::test]
async fn a_start_delay_outlives_a_kill() -> Result<()> {
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    start(&client, "later", json!({ "start_delay": "4s" })).await?;
    host.kill9().await?;
    host.restart().await?;
    let history = client.follow_to("later", "timer-started").await?;
    check_begin(&history)?;
    client.signal("later", "done", json!({ "by": "Ada" })).await?;
    assert_eq!(client.completed("later").await?["answered_by"], "Ada");
    Ok(())
}

#[tokio::test]
async fn a_run_that_timed_out_is_tried_again_though_the_host_is_killed_in_the_backoff() -> Result<()> {
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    // The backoff is long, so that the host is back and has the signal before the second attempt begins and has two
    // seconds as well.
    let retry = json!({ "initial_interval": "10s", "maximum_attempts": 2 });
    let first = start(&client, "again", json!({ "run_timeout": "2s", "retry": retry })).await?;
    let second = client.described_once("again", |run| run["attempt"] == 2).await?;
    assert_eq!(second["last_failure"]["type"], "run", "{second}");
    assert_eq!(second["continued_run_id"], first["run_id"]);
    host.kill9().await?;
    host.restart().await?;
    client.signal("again", "done", json!({ "by": "Bo" })).await?;
    assert_eq!(client.completed("again").await?["answered_by"], "Bo");
    check_begin(&client.history("again").await?)?;
    let first = first["run_id"].as_str().context("a run's id")?;
    let ended = client.get(&format!("/v1/workflows/again/result?run_id={first}")).await?.ok()?;
    assert_eq!((&ended["status"], &ended["failure"]["kind"]), (&json!("timed-out"), &json!("timeout")));
    Ok(())
}

#[tokio::test]
async fn operators_pause_and_delete_from_the_command_line() -> Result<()> {
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    start(&client, "kept", json!({})).await?;
    client.follow_to("kept", "timer-started").await?;
    let cli = async |host: &Host, arguments: &[&str]| -> Result<(Option<i32>, String)> {
        let output = host.cli(arguments).await?;
        let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((output.status.code(), words.concat()))
    };
    let (code, words) = cli(&host, &["workflow", "pause", "kept", "--reason", "holidays"]).await?;
    assert_eq!(code, Some(0), "{words}");
    client.signal("kept", "done", json!({ "by": "Cy" })).await?;
    host.kill9().await?;
    host.restart().await?;
    let (_, words) = cli(&host, &["workflow", "describe", "kept"]).await?;
    assert!(words.contains("paused since") && words.contains("holidays"), "{words}");
    let (code, words) = cli(&host, &["workflow", "delete", "kept"]).await?;
    assert!(code == Some(3) && words.contains("terminate it first"), "{code:?}: {words}");
    let (code, words) = cli(&host, &["workflow", "unpause", "kept"]).await?;
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(client.completed("kept").await?["answered_by"], "Cy");
    let (code, words) = cli(&host, &["workflow", "delete", "kept"]).await?;
    assert!(code == Some(0) && words.contains("deleted 1 run"), "{code:?}: {words}");
    assert_eq!(client.get("/v1/workflows/kept").await?.status, 404);
    assert!(client.list(10).await?.is_empty());
    Ok(())
}
