//! Queries to a run: while it waits, after its host was killed, about its past, and when it is over.

use anyhow::Result;
use refrain_tests::{Client, Host};
use serde_json::{Value, json};

async fn status(client: &Client, at: Option<u64>) -> Result<Value> {
    let body = at.map_or(json!({}), |at| json!({ "at": at }));
    let answer = client.post("/v1/workflows/asked/queries/status", &body).await?.ok()?;
    Ok(answer["result"].clone())
}

fn reminders(status: &Value) -> u64 {
    status["reminders"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_run_is_asked_while_it_waits_after_a_kill_about_its_past_and_when_it_is_over() -> Result<()> {
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    let input = json!({ "message": "water the plants", "every_ms": 50, "give_up_after_ms": 3_600_000 });
    client.start("reminder", "asked", input).await?;
    assert_eq!(status(&client, None).await?["waiting"], true);
    let story = client
        .follow("asked", |events| events.iter().filter(|event| event.kind() == "logged").count() == 3)
        .await?;
    host.kill9().await?;
    host.restart().await?;
    assert!(reminders(&status(&client, None).await?) >= 3);

    client.signal("asked", "done", json!({ "by": "Ada" })).await?;
    let ending = client.completed("asked").await?;
    let over = client.history("asked").await?.len();
    assert_eq!(status(&client, None).await?, json!({ "reminders": reminders(&ending), "waiting": false }));
    assert_eq!(status(&client, Some(1)).await?, json!({ "reminders": 0, "waiting": true }));
    let third =
        story.iter().filter(|event| event.kind() == "logged").nth(2).map_or(0, |event| event.number());
    assert_eq!(status(&client, Some(third)).await?, json!({ "reminders": 3, "waiting": true }));
    let unknown = client.post("/v1/workflows/asked/queries/colour", &json!({})).await?;
    assert_eq!((unknown.status, unknown.problem()), (422, "query-failed"), "{unknown:?}");
    let words = "the workflow answers no query `colour`; it answers status";
    assert!(unknown.body.to_string().contains(words), "{unknown:?}");
    assert_eq!(client.history("asked").await?.len(), over, "nothing of it is recorded");
    Ok(())
}

#[tokio::test]
async fn the_command_line_asks_and_prints_the_answer_alone() -> Result<()> {
    let host = Host::with_example("reminder").await?;
    let input =
        json!({ "message": "water the plants", "every_ms": 3_600_000, "give_up_after_ms": 3_600_000 });
    host.client().start("reminder", "asked", input).await?;
    let status = "{\"reminders\":0,\"waiting\":true}\n";
    for (arguments, code, expected) in [
        (&["status"][..], 0, status),
        (&["status", "--at", "1"], 0, status),
        (&["status", "--stale"], 0, status),
        (&["status", "--at", "1000"], 3, ""),
        (&["status", "--input", "7"], 3, ""),
        (&["colour"], 3, ""),
    ] {
        let output = host.cli(&[&["workflow", "query", "asked"], arguments].concat()).await?;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{arguments:?}: {told}");
        assert!(code == 0 || told.contains("hint: "), "{told}");
    }
    let output = host.cli(&["workflow", "query", "asked", "status", "--json"]).await?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&answer["step"], &answer["result"]["waiting"]), (&json!(0), &json!(true)));
    Ok(())
}
