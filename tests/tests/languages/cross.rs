//! The open runs of one language, replayed by the component of another. It compares each command with all its options,
//! of which a history shows a few.

use anyhow::{Context, Result, ensure};
use refrain_tests::Host;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::component::Tongue;
use crate::rounds;

/// Plays each scenario to its middle in the reference, and lets all others look at the runs.
pub(crate) async fn all() -> Result<()> {
    let others: Vec<Tongue> = Tongue::ALL.into_iter().filter(|tongue| *tongue != Tongue::Rust).collect();
    let Some(reference) = Tongue::Rust.component()? else { return Ok(()) };
    let host = Host::start().await?;
    let client = host.client();
    client.upload("suite", reference).await?;
    rounds::begin(&client, "", |scenario| !scenario.hurries).await?;
    let mut failures = Vec::new();
    for tongue in others {
        let Some(component) = tongue.component()? else { continue };
        let request = client.request(Method::POST, "/v1/components/suite/check");
        let request = request.header(CONTENT_TYPE, "application/wasm").body(component);
        let lines = request.send().await?.error_for_status()?.text().await?;
        let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let summary = lines.last().context("a check says nothing")?;
        ensure!(summary["looked_at"].as_u64().is_some_and(|runs| runs > 5), "{summary}");
        for run in lines.iter().filter(|line| line["message"].is_string()) {
            // Its trap comes again, wherever it is run.
            if run["workflow"] != "bug" {
                failures.push(format!(
                    "{} in {}: {} {}",
                    run["id"],
                    tongue.name(),
                    run["message"],
                    run["mismatch"]
                ));
            }
        }
    }
    ensure!(failures.is_empty(), "{} runs would not go on:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}
