//! Runs that the reference began, and that another language's component ends. A move replays each run's journal by the
//! other component first, which compares every command with all its options, of which a history shows a few.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use refrain_tests::Client;
use reqwest::Method;
use serde_json::{Value, json};

use crate::component::Tongue;
use crate::expected;
use crate::play::Until;
use crate::report::Report;
use crate::rounds;

/// How long a move of all runs may take: each is replayed, on a busy machine.
const MOVE_LIMIT: Duration = Duration::from_secs(300);

/// Why the runs are moved, as their histories say it.
const REASON: &str = "to another language";

/// Plays each scenario by the first version, which is the reference's, up to where nearly all is recorded; moves all runs
/// to the second, which `upload` makes current; and plays them on to the end.
pub(crate) async fn taken_over(
    tongue: Tongue,
    client: &Client,
    upload: impl Future<Output = Result<u64>>,
) -> Result<()> {
    let mut report = Report::new(tongue, "replayed");
    let plays =
        rounds::begin(&mut report, client, "-begun", Until::LastAct, |scenario| !scenario.hurries).await?;
    let version = upload.await?;
    let verdicts = moved(client, version).await?;
    let verdict = |name: &str| verdicts.iter().find(|run| run["id"] == format!("{name}-begun"));
    let mut tasks = Vec::new();
    for mut play in plays {
        let name = play.scenario.name;
        match verdict(name) {
            Some(run) if run["moved"] == true => tasks.push((name, async move {
                play.go_on(Until::End).await?;
                expected::check(tongue, name, &play.transcript().await?)
            })),
            // It has a bug, and traps again wherever it runs.
            Some(_) if play.scenario.workflow == "bug" => {}
            Some(run) => {
                report.passed(name, &Err::<(), _>(anyhow!("{} {}", run["message"], run["mismatch"])));
            }
            // It was over before.
            None => ensure!(!play.is_under_way(), "nobody looked at {name}: {verdicts:?}"),
        }
    }
    report.passed_all(tasks).await?;
    report.end()
}

/// Moves all open runs to a version: what became of each.
async fn moved(client: &Client, version: u64) -> Result<Vec<Value>> {
    let body = json!({ "to_version": version, "reason": REASON });
    let request = client.request(Method::POST, "/v1/components/suite/move").timeout(MOVE_LIMIT).json(&body);
    let lines = request.send().await?.error_for_status()?.text().await?;
    let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let summary = lines.last().context("a move says nothing")?;
    ensure!(summary["looked_at"].as_u64().is_some_and(|runs| runs > 10), "{summary}");
    Ok(lines)
}
