//! Runs that cannot go on harm no other, and say what happened.

use anyhow::{Context, Result, bail};
use refrain_tests::{Client, Host, PATIENCE};
use serde_json::{Value, json};
use tokio::time::Instant;

/// The description of a run once it is parked.
async fn parked(client: &Client, id: &str) -> Result<Value> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let described = client.describe(id).await?;
        if described["status"] == "parked" {
            return Ok(described);
        }
        // Parking is no event of the history; asking for the result gives the host the time until something changes.
        client.get(&format!("/v1/workflows/{id}/result?wait=100ms")).await?.ok()?;
    }
    bail!("{id} is not parked: {}", client.describe(id).await?)
}

#[tokio::test]
async fn a_run_that_traps_is_parked_with_its_backtrace_and_others_go_on() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    // More timers than a vector can have: a panic in the guest.
    client.start("bench_open_ops", "trapped", json!({ "open": u32::MAX, "waits": 0 })).await?;
    let before = parked(&client, "trapped").await?;
    assert_eq!(before["parked"]["kind"], "trap", "{before}");
    let backtrace = before["parked"]["backtrace"].as_array().context("a trap has a backtrace")?;
    // The compiler makes one function of the workflow and what polls it; what it calls keeps its name.
    assert!(backtrace.contains(&json!("alloc::raw_vec::capacity_overflow")), "{backtrace:?}");

    client.start("bench_replay", "other", json!({ "n": 4 })).await?;
    client.completed("other").await?;
    host.kill9().await?;
    host.restart().await?;
    let after = parked(&client, "trapped").await?;
    assert_eq!(after["parked"]["kind"], before["parked"]["kind"]);
    client.post("/v1/workflows/trapped/terminate", &json!({ "reason": "not to be repaired" })).await?.ok()?;
    assert_eq!(client.result("trapped").await?["status"], "terminated");
    Ok(())
}

#[tokio::test]
async fn a_run_that_exceeds_a_limit_is_parked_and_the_limit_is_named() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    client.start("bench_open_ops", "greedy", json!({ "open": 1_000_000, "waits": 0 })).await?;
    let described = parked(&client, "greedy").await?;
    let message = described["parked"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("timer.start") && message.contains("20000"), "which limit? {described}");
    Ok(())
}
