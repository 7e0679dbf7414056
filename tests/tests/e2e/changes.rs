//! The stream of all runs, over HTTP.

use anyhow::{Context, Result};
use refrain_tests::{Host, PATIENCE};
use reqwest::Method;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

#[tokio::test]
async fn a_stream_tells_of_the_runs_that_are_meant_and_ends_with_the_host() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let stream = |query: &str| {
        client.request(Method::GET, &format!("/v1/workflows{query}")).header(ACCEPT, "text/event-stream")
    };
    let paged = client.send(stream("?limit=1")).await?;
    assert_eq!((paged.status, &paged.body["field"]), (400, &json!("limit")), "{}", paged.body);
    let mut answer = stream("?workflow=bench_sleep&status=completed").send().await?.error_for_status()?;
    client.start("bench_signal", "another", json!({ "n": 1 })).await?;
    client.start("bench_sleep", "meant", json!({ "ms": 1 })).await?;
    client.completed("meant").await?;
    host.terminate().await?;
    let mut text = String::new();
    while let Some(chunk) = tokio::time::timeout(PATIENCE, answer.chunk()).await?? {
        text.push_str(std::str::from_utf8(&chunk)?);
    }
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let run: Value = serde_json::from_str(told.last().context("an event")?)?;
    assert_eq!((&run["id"], &run["status"]), (&json!("meant"), &json!("completed")));
    assert!(told.iter().all(|event| event.contains("meant")), "{text}");
    assert!(text.starts_with("event: run\n"), "{text}");
    Ok(())
}
