//! The open runs of one language, replayed by the component of another. It compares each command with all its options,
//! of which a history shows a few.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use refrain_tests::{Client, Host};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::component::Tongue;
use crate::play::Until;
use crate::report::Report;
use crate::rounds;
use crate::scenarios::SCENARIOS;

/// How long a check may take, with the compiling of a large component on a busy machine.
const CHECK_LIMIT: Duration = Duration::from_secs(300);

/// Plays each scenario in the reference, up to where nearly all is recorded, and lets all others look at the runs.
pub(crate) async fn all() -> Result<()> {
    let others: Vec<Tongue> = Tongue::ALL.into_iter().filter(|tongue| *tongue != Tongue::Rust).collect();
    let Some(reference) = Tongue::Rust.component()? else { return Ok(()) };
    let host = Host::start().await?;
    let client = host.client();
    client.upload("suite", reference).await?;
    let mut report = Report::new(Tongue::Rust, "begun");
    rounds::begin(&mut report, &client, "", Until::LastAct, |scenario| !scenario.hurries).await?;
    report.end()?;
    let mut failures = Vec::new();
    for tongue in others {
        if let Some(component) = tongue.component()? {
            let checked = check(&client, tongue, component).await;
            failures.extend(checked.err().map(|failure| format!("{}: {failure:#}", tongue.name())));
        }
    }
    ensure!(failures.is_empty(), "runs would not go on:\n{}", failures.join("\n"));
    Ok(())
}

async fn check(client: &Client, tongue: Tongue, component: Vec<u8>) -> Result<()> {
    let request = client.request(Method::POST, "/v1/components/suite/check");
    let request = request.header(CONTENT_TYPE, "application/wasm").timeout(CHECK_LIMIT).body(component);
    let lines = request.send().await?.error_for_status()?.text().await?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut report = Report::new(tongue, "replayed");
    let mut looked_at = 0;
    for scenario in SCENARIOS {
        let Some(run) = lines.iter().find(|line| line["id"] == scenario.name) else { continue };
        // One that has a bug traps again, wherever it runs.
        let goes_on = run["message"].is_null() || scenario.workflow == "bug";
        let outcome = if goes_on { Ok(()) } else { Err(anyhow!("{} {}", run["message"], run["mismatch"])) };
        report.passed(scenario.name, &outcome);
        looked_at += 1;
    }
    let summary = lines.last().context("a check says nothing")?;
    ensure!(looked_at > 10, "it looked at {looked_at} runs: {summary}");
    report.end()
}
