//! Local activities: in the host's process, before their step is durable, and never again once it is.

use anyhow::Result;
use refrain_tests::{Host, call, calls};
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_local_activity_returned_is_recorded_and_a_replay_does_not_run_it_again() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    host.write_source("rate", b"first")?;
    let read = json!({ "directory": "source", "path": "rate" });
    let mut input = calls([
        call("fs.read", read, json!({ "local": true })),
        call(
            "fs.read",
            json!({ "directory": "source", "path": "missing" }),
            json!({ "local": true, "maximum_attempts": 1 }),
        ),
        call("nobody.has-this", json!(null), json!({ "local": true })),
    ]);
    input["until_signal"] = json!(true);
    client.start("calls", "local", input).await?;
    let before = client.follow("local", |seen| {
        seen.iter().filter(|event| event.attribute("started_at").is_string()).count() == 2
    });
    let before = before.await?;
    let completed = before.iter().find(|event| event.kind() == "activity-completed").expect("one completes");
    let read = completed.attribute("result").clone();

    host.write_source("rate", b"second")?;
    host.write_source("missing", b"found")?;
    host.kill9().await?;
    host.restart().await?;
    client.signal("local", "go", Value::Null).await?;
    let outcomes = client.outcomes("local").await?;
    assert_eq!(outcomes[0]["result"], read, "as it was read before the kill");
    assert_eq!(outcomes[1]["failure"]["kind"], "application", "{outcomes:?}");
    let unknown = &outcomes[2]["failure"];
    assert_eq!((&unknown["kind"], &unknown["type"]), (&json!("host"), &json!("not-found")), "{outcomes:?}");
    let after = client.history("local").await?;
    let ended = |kind: &str| after.iter().filter(|event| event.kind() == kind).count();
    assert_eq!((ended("activity-completed"), ended("activity-failed")), (1, 2), "{after:?}");
    Ok(())
}
