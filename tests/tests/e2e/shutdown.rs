//! Ends of the host that are asked for, and hosts that must not be.

use anyhow::Result;
use refrain_tests::Host;
use serde_json::json;

#[tokio::test]
async fn a_host_that_is_asked_to_stop_exits_well_and_its_runs_go_on_later() -> Result<()> {
    const RUNS: u64 = 20;
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    for n in 0..RUNS {
        client.start("bench_replay", &format!("busy {n}"), json!({ "n": 200 })).await?;
        client.start("bench_signal", &format!("waiting {n}"), json!({ "n": 1 })).await?;
    }
    let status = host.terminate().await?;
    assert!(status.success(), "{status}");
    host.restart().await?;
    for n in 0..RUNS {
        client.signal(&format!("waiting {n}"), "tick", json!(null)).await?;
    }
    for n in 0..RUNS {
        assert_eq!(client.completed(&format!("busy {n}")).await?, json!({ "n": 200 }));
        assert_eq!(client.completed(&format!("waiting {n}")).await?, json!({ "n": 1 }));
    }
    Ok(())
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_host_stops() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    client.start("bench_signal", "waiting", json!({ "n": 1 })).await?;
    let poll = tokio::spawn({
        let client = client.clone();
        async move { client.poll_result("waiting").await }
    });
    // Answered after the poll on the same host was sent or before: either way the host may not wait for the poll.
    client.describe("waiting").await?;
    let status = host.terminate().await?;
    assert!(status.success(), "{status}");
    // A poll that came too late was refused, which is an error; one that came in time says that the run goes on.
    assert!(!matches!(poll.await?, Ok(Some(_))), "a run that waits has no result");
    Ok(())
}

#[tokio::test]
async fn a_second_host_on_the_same_data_is_refused() -> Result<()> {
    let host = Host::with_example("hello").await?;
    let second = host.second_on_same_data().await?;
    assert!(!second.status.success(), "it ran");
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(words.contains("data") && words.contains("another"), "it does not say why: {words}");
    host.client().start("hello", "greeting", json!({ "name": "Ada" })).await?;
    assert_eq!(host.client().completed("greeting").await?["text"], "Hello, Ada!");
    Ok(())
}
