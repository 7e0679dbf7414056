//! Other code for open runs: judged before it is uploaded, while they work, and given to them as far as it fits.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host, guest};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

/// Runs that have taken two timers and wait for a signal.
const WAITING: u64 = 990;
const ROUNDS: u64 = 2;
/// Runs that take one timer after the other for as long as the test lives.
const WORKING: u64 = 10;
const ALL: u64 = WAITING + WORKING;

/// What the workflow `planned` does in a round: see its source.
const PLAN: &str = "the plan of a round: t.";
/// The same, and in between it reads the clock.
const READS: &str = "the plan of a round: tr";
/// No timer.
const IDLES: &str = "the plan of a round: ..";

/// Something that its author will have to mend.
const BROKEN: &str = "the plan of a round: t?";

/// The component with another plan, in a file.
fn version(host: &Host, plan: &str) -> Result<PathBuf> {
    let mut wasm = guest("rust-bench")?;
    let places: Vec<usize> = wasm
        .windows(PLAN.len())
        .enumerate()
        .filter(|(_, text)| *text == PLAN.as_bytes())
        .map(|(place, _)| place)
        .collect();
    ensure!(places.len() == 1 && plan.len() == PLAN.len(), "the plan stands at {places:?}");
    wasm[places[0]..][..plan.len()].copy_from_slice(plan.as_bytes());
    // A custom section with a name and nothing in it, so that the unchanged plan is another digest too.
    wasm.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    host.write_source("new.wasm", &wasm)?;
    Ok(host.source().join("new.wasm"))
}

/// Runs a command: its exit code and all that it printed.
async fn cli(host: &Host, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = host.cli(arguments).await?;
    let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok((output.status.code(), words.concat()))
}

fn waiting(n: u64) -> String {
    format!("waits {n}")
}

fn working(n: u64) -> String {
    format!("works {n}")
}

/// A host with the component `plan` and all the runs, of which those that wait do.
async fn busy_host() -> Result<(Host, Client)> {
    let host = Host::start().await?;
    let client = host.client();
    client.upload("plan", guest("rust-bench")?).await?;
    for n in 0..WAITING {
        client.start("planned", &waiting(n), json!({ "rounds": ROUNDS, "every_ms": 1 })).await?;
    }
    for n in 0..WORKING {
        client.start("planned", &working(n), json!({ "rounds": 1_000_000, "every_ms": 50 })).await?;
    }
    for n in 0..WAITING {
        let fired = |run: &Value| run["journal_steps"].as_u64() == Some(1 + ROUNDS);
        client.described_once(&waiting(n), fired).await?;
    }
    Ok((host, client))
}

/// How many open runs each version has.
async fn open_runs(client: &Client) -> Result<Vec<(u64, u64)>> {
    let list = client.get("/v1/components/plan/versions").await?.ok()?;
    let versions = list["versions"].as_array().context("versions")?.iter();
    Ok(versions
        .map(|version| {
            let number = |field: &str| version[field].as_u64().unwrap_or_default();
            (number("version"), number("open_runs"))
        })
        .collect())
}

/// The journal of a run that works grows.
async fn goes_on(client: &Client, id: &str) -> Result<()> {
    let steps = |run: &Value| run["journal_steps"].as_u64().unwrap_or_default();
    let before = steps(&client.describe(id).await?);
    client.described_once(id, |run| steps(run) > before + 1).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_runs_are_judged_while_they_work_and_code_that_diverges_is_not_pushed_to_them() -> Result<()> {
    let (host, client) = busy_host().await?;
    for (plan, code, verdict) in [(PLAN, 0, "identical"), (READS, 0, "compatible"), (IDLES, 8, "diverged")] {
        let new = version(&host, plan)?;
        let path = new.to_str().context("a path")?;
        let (exit, words) = cli(&host, &["component", "check", "plan", path, "--json"]).await?;
        assert_eq!(exit, Some(code), "{plan}: {words}");
        let summary = words.lines().find(|line| line.contains("\"summary\"")).context(words.clone())?;
        let summary: Value = serde_json::from_str(summary)?;
        assert_eq!(summary["verdicts"], json!({ verdict: ALL }), "{words}");
        // The same from the API.
        let request = client.request(Method::POST, "/v1/components/plan/check?sample=20");
        let request = request.header(CONTENT_TYPE, "application/wasm").body(std::fs::read(&new)?);
        let answer = request.send().await?.error_for_status()?.text().await?;
        let summary: Value = serde_json::from_str(answer.lines().last().context("no lines")?)?;
        assert_eq!(summary["verdicts"], json!({ verdict: 20 }), "{answer}");
        assert_eq!(summary["safe"], code == 0);
    }
    let new = version(&host, IDLES)?;
    let path = new.to_str().context("a path")?;
    let (exit, words) = cli(&host, &["component", "check", "plan", path]).await?;
    assert_eq!(exit, Some(8), "{words}");
    // Which ten of them are named is chance.
    let named = words.contains("timer.start") && words.contains("  waits ");
    assert!(named && words.contains(&format!("diverged  planned ({WAITING} runs)")), "{words}");
    let push = ["component", "push", path, "--name", "plan", "--move-running"];
    let (exit, words) = cli(&host, &push).await?;
    assert_eq!(exit, Some(8), "{words}");
    assert!(words.contains("nothing was uploaded"), "{words}");

    // Another component altogether: none of its workflows is theirs.
    let other = refrain_tests::guest_path("approval")?;
    let other = other.to_str().context("a path")?;
    let (exit, words) = cli(&host, &["component", "check", "plan", other]).await?;
    assert_eq!(exit, Some(8), "{words}");
    assert_eq!(open_runs(&client).await?, [(1, ALL)]);
    goes_on(&client, &working(0)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_moves_runs_is_finished_after_a_kill_and_moved_runs_go_on() -> Result<()> {
    let (mut host, client) = busy_host().await?;
    let new = version(&host, READS)?;
    let path = new.to_str().context("a path")?;
    let push = ["component", "push", path, "--name", "plan", "--move-running"];
    let some_moved = async {
        while open_runs(&client).await?.get(1).is_none_or(|(_, runs)| *runs == 0) {}
        anyhow::Ok(())
    };
    // Where all are moved between two looks the kill comes after the push, and what must hold is the same.
    tokio::select! {
        moved = some_moved => moved?,
        pushed = cli(&host, &push) => ensure!(pushed.as_ref().is_ok_and(|pushed| pushed.0 == Some(0)), "{pushed:?}"),
    }
    host.kill9().await?;
    host.restart().await?;
    let moved = open_runs(&client).await?;
    let (exit, words) = cli(&host, &["component", "move", "plan", "--to", "2", "--reason", "again"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    assert_eq!(open_runs(&client).await?, [(1, 0), (2, ALL)], "there were {moved:?}");
    host.kill9().await?;
    host.restart().await?;
    for n in 0..WORKING {
        goes_on(&client, &working(n)).await?;
        let run = client.describe(&working(n)).await?;
        assert_eq!((&run["version"], &run["started_version"]), (&json!(2), &json!(1)));
    }
    for n in 0..WAITING {
        client.signal(&waiting(n), "tick", Value::Null).await?;
        assert_eq!(client.completed(&waiting(n)).await?, ROUNDS);
    }
    let (exit, words) = cli(&host, &["component", "delete", "plan", "1"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    assert_eq!(open_runs(&client).await?, [(2, WORKING)]);
    Ok(())
}

#[tokio::test]
async fn a_version_that_runs_need_stays_and_one_run_is_moved_there_and_back() -> Result<()> {
    let (mut host, client) = busy_host().await?;
    let new = version(&host, IDLES)?;
    let path = new.to_str().context("a path")?;
    let (exit, words) = cli(&host, &["component", "push", path, "--name", "plan"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    let (exit, words) = cli(&host, &["component", "delete", "plan", "1"]).await?;
    assert_eq!(exit, Some(3), "{words}");
    assert!(words.contains(&format!("{ALL} open runs are pinned to version 1")), "{words}");
    let (exit, words) = cli(&host, &["workflow", "move", &waiting(0), "--version", "2"]).await?;
    assert_eq!(exit, Some(8), "{words}");
    assert!(words.contains("timer.start"), "{words}");

    let new = version(&host, PLAN)?;
    let (exit, words) =
        cli(&host, &["component", "push", new.to_str().context("a path")?, "--name", "plan"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    let on = async |version: u64| -> Result<()> {
        let run = client.describe(&waiting(0)).await?;
        ensure!(run["version"] == version, "{run}");
        Ok(())
    };
    let (exit, words) = cli(&host, &["workflow", "move", &waiting(0), "--version", "3"]).await?;
    assert!(exit == Some(0) && words.contains("identical"), "{exit:?}: {words}");
    host.kill9().await?;
    host.restart().await?;
    on(3).await?;
    let (exit, words) = cli(&host, &["workflow", "move", &waiting(0), "--undo"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    on(1).await?;

    // What is current stays, too, until something else is.
    let (exit, words) = cli(&host, &["component", "delete", "plan", "3"]).await?;
    assert_eq!(exit, Some(3), "{words}");
    for arguments in [["component", "activate", "plan", "1"], ["component", "delete", "plan", "3"]] {
        let (exit, words) = cli(&host, &arguments).await?;
        assert_eq!(exit, Some(0), "{words}");
    }
    assert_eq!(open_runs(&client).await?, [(1, ALL), (2, 0)]);
    client.start("planned", "another", json!({ "rounds": 0, "every_ms": 1 })).await?;
    assert_eq!(client.describe("another").await?["version"], 1);
    client.signal(&waiting(0), "tick", Value::Null).await?;
    assert_eq!(client.completed(&waiting(0)).await?, ROUNDS);
    Ok(())
}

#[tokio::test]
async fn runs_that_a_mistake_has_parked_are_rescued_by_a_version_without_it() -> Result<()> {
    const RUNS: u64 = 10;
    let mut host = Host::start().await?;
    let client = host.client();
    let path = version(&host, BROKEN)?;
    client.upload("plan", std::fs::read(&path)?).await?;
    for n in 0..RUNS {
        client.start("planned", &waiting(n), json!({ "rounds": ROUNDS, "every_ms": 1 })).await?;
    }
    for n in 0..RUNS {
        let parked = client.described_once(&waiting(n), |run| run["status"] == "parked").await?;
        assert_eq!(parked["parked"]["kind"], "trap", "{parked}");
        // Kept for whoever goes on with it.
        client.signal(&waiting(n), "tick", Value::Null).await?;
    }
    let path = version(&host, PLAN)?;
    let path = path.to_str().context("a path")?;
    let (exit, words) = cli(&host, &["component", "push", path, "--name", "plan", "--move-running"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    host.kill9().await?;
    host.restart().await?;
    for n in 0..RUNS {
        assert_eq!(client.completed(&waiting(n)).await?, ROUNDS);
        let history = client.history(&waiting(n)).await?;
        assert_eq!(history.iter().filter(|event| event.kind() == "workflow-moved").count(), 1);
    }
    assert_eq!(open_runs(&client).await?, [(1, 0), (2, 0)]);
    Ok(())
}
