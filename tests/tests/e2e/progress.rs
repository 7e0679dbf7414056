//! How far activities have come, while they run: in the stream of the history, and in the run's description.

use anyhow::{Context, Result, bail};
use refrain_tests::{Client, Host, PATIENCE, call, calls};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};
use tokio::time::timeout;

/// A stream of server-sent events.
struct Events {
    response: reqwest::Response,
    buffer: String,
}

/// What came over it.
#[derive(Debug)]
struct Sent {
    id: Option<String>,
    event: String,
    data: Value,
}

impl Events {
    async fn follow(client: &Client, id: &str) -> Result<Self> {
        let request = client.request(Method::GET, &format!("/v1/workflows/{id}/history"));
        let response = request.header(ACCEPT, "text/event-stream").send().await?.error_for_status()?;
        Ok(Self { response, buffer: String::new() })
    }

    async fn next(&mut self) -> Result<Sent> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let field = |name: &str| {
                    block
                        .lines()
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
                };
                let sent = field("event").map(|event| {
                    let data = field("data").unwrap_or_default();
                    Ok::<_, anyhow::Error>(Sent {
                        id: field("id"),
                        event,
                        data: serde_json::from_str(&data)?,
                    })
                });
                self.buffer = rest.to_owned();
                match sent {
                    Some(sent) => return sent,
                    // A comment, to keep the connection.
                    None => continue,
                }
            }
            let piece = timeout(PATIENCE, self.response.chunk()).await.context("the stream is silent")??;
            self.buffer += &String::from_utf8(piece.context("the stream ended")?.to_vec())?;
        }
    }

    /// Waits for an event of this type.
    async fn next_of(&mut self, event: &str) -> Result<Sent> {
        loop {
            let sent = self.next().await?;
            if sent.event == event {
                return Ok(sent);
            }
            if sent.event == "end" {
                bail!("the stream ended without {event}");
            }
        }
    }
}

#[tokio::test]
async fn heartbeats_are_seen_while_the_activity_runs() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    client.start("calls", "training", calls([call("train", json!({}), json!({}))])).await?;
    let mut events = Events::follow(&client, "training").await?;
    events.next_of("activity-scheduled").await?;
    let task = client.task("default").await?;
    for epoch in 1..=2 {
        client.tell(&task, "heartbeat", json!({ "details": { "epoch": epoch } })).await?.ok()?;
        let heartbeat = events.next_of("heartbeat").await?;
        assert_eq!(heartbeat.id, None, "it is no part of the history, which resumes at its ids");
        let data = &heartbeat.data;
        assert_eq!(data["details"], json!({ "epoch": epoch }), "{data}");
        let said = (&data["activity"], &data["attempt"], &data["activity_id"]);
        assert_eq!(said, (&json!("train"), &json!(1), &task["activity_id"]), "{data}");
        assert!(data["at"].is_string(), "{data}");

        let described = host.cli(&["workflow", "describe", "training", "--json"]).await?;
        let run: Value = serde_json::from_slice(&described.stdout)?;
        let activity = &run["pending_activities"][0];
        assert_eq!(activity["last_heartbeat"], json!({ "epoch": epoch }), "{activity}");
        assert_eq!(
            (&activity["state"], &activity["worker"]),
            (&json!("running"), &json!("the test")),
            "{activity}"
        );
        assert!(activity["last_heartbeat_at"].is_string(), "{activity}");
    }
    let shown = host.cli(&["workflow", "describe", "training"]).await?;
    let shown = String::from_utf8(shown.stdout)?;
    assert!(["train", "the test", "epoch"].iter().all(|word| shown.contains(word)), "{shown}");

    // A reader that comes later, even after a kill, begins with the newest.
    host.kill9().await?;
    host.restart().await?;
    let mut events = Events::follow(&client, "training").await?;
    assert_eq!(events.next_of("heartbeat").await?.data["details"], json!({ "epoch": 2 }));
    client.complete(&task, json!({ "loss": 0.1 })).await?;
    events.next_of("activity-completed").await?;
    assert_eq!(client.only_result("training", 1).await?, json!({ "loss": 0.1 }));
    let recorded = client.history("training").await?;
    assert!(recorded.iter().all(|event| event.kind() != "heartbeat"), "{recorded:?}");
    Ok(())
}
