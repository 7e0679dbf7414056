//! Runs that are ended from outside.

use anyhow::Result;
use refrain_tests::Host;
use serde_json::json;

#[tokio::test]
async fn a_cancel_request_reaches_the_run_and_a_closed_run_takes_no_more() -> Result<()> {
    let host = Host::with_example("reminder").await?;
    let client = host.client();
    let input = json!({ "message": "never", "every_ms": 3_600_000, "give_up_after_ms": 3_600_000 });
    client.start("reminder", "sleeper", input).await?;
    client.post("/v1/workflows/sleeper/cancel", &json!({ "reason": "no longer needed" })).await?.ok()?;
    let ended = client.result("sleeper").await?;
    assert_eq!(ended["status"], "canceled", "{ended}");
    let history = client.history("sleeper").await?;
    let asked = history
        .iter()
        .find(|event| event.kind() == "cancel-requested")
        .map(|event| event.attribute("reason"));
    assert_eq!(asked, Some(&json!("no longer needed")));

    for path in ["signals/done", "cancel", "terminate"] {
        let refused = client.post(&format!("/v1/workflows/sleeper/{path}"), &json!({})).await?;
        assert_eq!((refused.status, refused.problem()), (409, "closed"), "{path}: {}", refused.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_terminated_run_is_over_at_once_and_stays_so() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    client.start("bench_signal", "listener", json!({ "n": 1 })).await?;
    client.post("/v1/workflows/listener/terminate", &json!({ "reason": "enough" })).await?.ok()?;
    let ended = client.result("listener").await?;
    assert_eq!(ended["status"], "terminated", "{ended}");
    assert!(ended["failure"].to_string().contains("enough"), "{ended}");
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.result("listener").await?, ended);
    Ok(())
}
