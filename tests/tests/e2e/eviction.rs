//! Runs that wait need no memory.

use anyhow::{Result, ensure};
use refrain_tests::{Client, Host, HostOptions, PATIENCE, guest};
use serde_json::json;
use tokio::time::Instant;

/// Asks until the run is no longer in memory.
async fn gone(client: &Client, id: &str) -> Result<()> {
    let began = Instant::now();
    while client.describe(id).await?["resident"] == true {
        ensure!(began.elapsed() < PATIENCE, "{id} stays in memory");
    }
    Ok(())
}

#[tokio::test]
async fn a_waiting_run_leaves_the_memory_and_comes_back_for_each_signal() -> Result<()> {
    const SIGNALS: usize = 5;
    let options =
        HostOptions { config: "[runtime]\nidle_timeout = \"0s\"\n".to_owned(), ..HostOptions::default() };
    let host = Host::start_with(options).await?;
    let client = host.client();
    client.upload("rust-bench", guest("rust-bench")?).await?;
    client.start("bench_signal", "listener", json!({ "n": SIGNALS })).await?;
    for _ in 0..SIGNALS {
        gone(&client, "listener").await?;
        client.signal("listener", "tick", json!(null)).await?;
    }
    assert_eq!(client.completed("listener").await?, json!({ "n": SIGNALS }));
    let history = client.history("listener").await?;
    assert_eq!(history.iter().filter(|event| event.kind() == "signal-received").count(), SIGNALS);
    Ok(())
}
