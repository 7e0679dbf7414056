//! Histories as files: exported from a host that was killed, and replayed where there is none.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host, cli, guest, guest_path, target_dir};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the workflow `planned` does in a round: see its source.
const PLAN: &str = "the plan of a round: t.";
/// The same, and in between it reads the clock.
const READS: &str = "the plan of a round: tr";
/// No timer.
pub(super) const IDLES: &str = "the plan of a round: ..";

/// The histories of former versions, which this one must replay: a folder for each component.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/replay");

/// The component with another plan, in a file.
pub(super) fn component(folder: &Path, name: &str, plan: &str) -> Result<String> {
    let mut wasm = guest("rust-bench")?;
    let place = wasm.windows(PLAN.len()).position(|text| text == PLAN.as_bytes()).context("a plan")?;
    wasm[place..][..plan.len()].copy_from_slice(plan.as_bytes());
    write(folder, name, &wasm)
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, content)?;
    Ok(path.to_str().context("a path")?.to_owned())
}

/// Runs a command without a host: its exit code and all that it printed.
pub(super) async fn alone(arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let mut all = arguments.to_vec();
    // Nobody listens there.
    all.push("--address=http://127.0.0.1:1");
    let output = cli(&all).await?;
    let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok((output.status.code(), words.concat()))
}

pub(super) fn lines(words: &str) -> Result<Vec<Value>> {
    words.lines().filter(|line| line.starts_with('{')).map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn summary(words: &str) -> Result<Value> {
    lines(words)?.pop().with_context(|| words.to_owned())
}

/// A run that has taken timers before and after its host was killed, and its history in a file.
async fn recorded(folder: &Path) -> Result<(Host, Client, String)> {
    let mut host = Host::start().await?;
    let client = host.client();
    client.upload("plan", guest("rust-bench")?).await?;
    client.start("planned", "order 1/2", json!({ "rounds": 1_000_000, "every_ms": 5 })).await?;
    let steps = |run: &Value| run["journal_steps"].as_u64().unwrap_or_default();
    client.described_once("order 1/2", |run| steps(run) > 5).await?;
    host.kill9().await?;
    host.restart().await?;
    let before = steps(&client.describe("order 1/2").await?);
    client.described_once("order 1/2", |run| steps(run) > before + 2).await?;
    let file = folder.join("order.jsonl").to_str().context("a path")?.to_owned();
    let output = host.cli(&["workflow", "export", "order 1/2", "--out", &file]).await?;
    ensure!(output.status.success(), "{output:?}");
    Ok((host, client, file))
}

#[tokio::test]
async fn a_history_of_a_killed_host_replays_without_one_and_says_where_other_code_differs() -> Result<()> {
    let folder = TempDir::new()?;
    let (mut host, _, file) = recorded(folder.path()).await?;
    let output = host.cli(&["workflow", "export", "order 1/2", "--redact"]).await?;
    let redacted = write(folder.path(), "redacted.jsonl", &output.stdout)?;
    host.terminate().await?;

    let same = guest_path("rust-bench")?.to_str().context("a path")?.to_owned();
    let reads = component(folder.path(), "reads.wasm", READS)?;
    let idles = component(folder.path(), "idles.wasm", IDLES)?;
    for (wasm, code, verdict) in [(&same, 0, "identical"), (&reads, 0, "compatible"), (&idles, 8, "diverged")]
    {
        let (exit, words) = alone(&["replay", wasm, &file, "--json"]).await?;
        assert_eq!(exit, Some(code), "{words}");
        assert_eq!(summary(&words)?["verdicts"], json!({ verdict: 1 }), "{words}");
        let (exit, words) = alone(&["component", "check", wasm, "--histories", &file, "--json"]).await?;
        assert_eq!(exit, Some(code), "{words}");
        assert_eq!(summary(&words)?["verdicts"], json!({ verdict: 1 }), "{words}");
    }

    let core = folder.path().join("order.core");
    let core_dump = ["replay", &same, &file, "--core-dump", core.to_str().context("a path")?, "--until"];
    let (exit, words) = alone(&[&core_dump[..], &["1.0"]].concat()).await?;
    ensure!(exit == Some(0) && words.contains("wrote a core dump to"), "{words}");
    assert!(fs::read(&core)?.starts_with(b"\0asm"));
    let (exit, words) = alone(&core_dump[..5]).await?;
    ensure!(exit == Some(2) && words.contains("--until"), "{words}");

    let report = folder.path().join("report.xml");
    let report = report.to_str().context("a path")?;
    let (exit, words) = alone(&["replay", &idles, &file, "--junit", report]).await?;
    assert_eq!(exit, Some(8), "{words}");
    for expected in
        ["recorded   timer.start", "attempted  wait.next", "event      2 of its history", "what to do"]
    {
        assert!(words.contains(expected), "{expected:?} is not in {words}");
    }
    let report = fs::read_to_string(report)?;
    assert!(
        report.contains("tests=\"1\" skipped=\"0\" failures=\"1\"") && report.contains("timer.start"),
        "{report}"
    );
    let (_, words) = alone(&["replay", &idles, &file, "--json"]).await?;
    let run = &lines(&words)?[0];
    assert_eq!((&run["id"], &run["file"], &run["event"]), (&json!("order 1/2"), &json!(file), &json!(2)));
    assert_eq!((&run["mismatch"]["position"], &run["status"]), (&json!("0.0"), &json!("running")));
    // Where in the code it was: functions, without the lines that only debug information tells.
    assert!(run["backtrace"].as_array().is_some_and(|frames| !frames.is_empty()), "{run}");

    let text = fs::read_to_string(&file)?;
    let newer = text.replacen("\"number\":1", "\"number\":2", 1);
    let cases = [
        (redacted, "it was redacted"),
        (write(folder.path(), "cut.jsonl", &text[..text.len() / 2])?, "is not one of format 1"),
        (
            write(folder.path(), "newer.jsonl", newer)?,
            "it is in format 2, which is newer than this refrain reads (1)",
        ),
        (write(folder.path(), "changed.jsonl", text.replace("order 1/2", "order 2/2"))?, "it was changed"),
        (folder.path().join("nothing.jsonl").to_str().context("a path")?.to_owned(), "No such file"),
    ];
    for (path, reason) in cases {
        let (exit, words) = alone(&["replay", &same, &path]).await?;
        assert!(exit == Some(2) && words.contains(reason), "{reason:?}: {exit:?} {words}");
    }
    // One that cannot be read hides no other one that differs.
    let all = folder.path().to_str().context("a path")?;
    let (exit, words) = alone(&["replay", &idles, all, "--json"]).await?;
    assert_eq!(exit, Some(8), "{words}");
    assert_eq!(summary(&words)?["unreadable"], 4, "{words}");
    Ok(())
}

#[tokio::test]
async fn the_runs_of_a_host_are_exported_to_a_folder_and_replayed_from_there() -> Result<()> {
    const ENDED: usize = 12;
    let host = Host::start().await?;
    let client = host.client();
    client.upload("plan", guest("rust-bench")?).await?;
    for n in 0..ENDED {
        client.start("bench_replay", &format!("ended {n}"), json!({ "n": 3 })).await?;
        client.completed(&format!("ended {n}")).await?;
    }
    client.start("planned", "open", json!({ "rounds": 1, "every_ms": 1 })).await?;
    client.described_once("open", |run| run["journal_steps"] == 2).await?;

    let wasm = guest_path("rust-bench")?.to_str().context("a path")?.to_owned();
    let wasm = wasm.as_str();
    let folder = TempDir::new()?;
    let folder = folder.path().to_str().context("a path")?;
    let cases: [(&[&str], usize); 7] = [
        (&["--open"], 1),
        (&["--last", "1000"], ENDED + 1),
        (&["--last", "5"], 5),
        (&["--status", "completed"], ENDED),
        (&["--status", "running", "--last", "5"], 1),
        (&["--last", "1000", "--workflow", "bench_replay"], ENDED),
        (&["--open", "--workflow", "bench_replay"], 0),
    ];
    for (arguments, expected) in cases {
        let output = host.cli(&[&["replay", wasm, "--json"], arguments].concat()).await?;
        let words = String::from_utf8(output.stdout)?;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {words}");
        assert_eq!(summary(&words)?["looked_at"], expected, "{arguments:?}: {words}");
        let into = format!("{folder}/{}", arguments.join(""));
        let output = host.cli(&[&["workflow", "export", "--out", &into], arguments].concat()).await?;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read_dir(&into)?.count(), expected, "{arguments:?}");
    }
    let all = format!("{folder}/all");
    let output = host.cli(&["workflow", "export", "--all", "--out", &all]).await?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_dir(&all)?.count(), ENDED + 1);
    drop(host);
    let (exit, words) = alone(&["replay", wasm, &all, "--json"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    assert_eq!(summary(&words)?["verdicts"], json!({ "identical": ENDED + 1 }), "{words}");
    for (arguments, reason) in [
        (vec!["replay", wasm], "there is nothing to replay"),
        (vec!["replay", wasm, &all, "--workflow", "plannd"], "none of the histories is of the workflow type"),
        (vec!["component", "check", wasm, "--histories", &all, "--sample", "3"], "give the component's name"),
    ] {
        let (exit, words) = alone(&arguments).await?;
        assert!(exit == Some(2) && words.contains(reason), "{arguments:?}: {words}");
    }
    let (exit, words) =
        alone(&["replay", wasm, &all, "--workflow", "planned", "--jobs", "1", "--json"]).await?;
    assert!(exit == Some(0) && summary(&words)?["looked_at"] == 1, "{words}");
    Ok(())
}

#[tokio::test]
async fn a_component_that_is_made_of_several_has_no_core_dump_and_says_so() -> Result<()> {
    let component = target_dir()?.join("guests-languages/js/order-saga.wasm");
    // That a machine has no tools for a language is said by who builds the components.
    if !component.exists() {
        return Ok(());
    }
    let recorded =
        fs::read_dir(Path::new(RECORDED).join("v1/order-saga"))?.next().context("a history")??.path();
    let (folder, component) = (TempDir::new()?, component.to_str().context("a path")?);
    let core = folder.path().join("core");
    let (history, file) = (recorded.to_str().context("a path")?, core.to_str().context("a path")?);
    let look = ["replay", component, history, "--until", "5", "--core-dump", file];
    let (exit, words) = alone(&look).await?;
    ensure!(exit == Some(2) && words.contains("made of several that call each other"), "{words}");
    ensure!(!core.exists(), "nothing is written");
    Ok(())
}

/// The folders that a folder has.
fn folders(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    found.retain(|path| path.is_dir());
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn what_former_versions_have_recorded_replays() -> Result<()> {
    let mut replayed = 0;
    for format in folders(RECORDED)? {
        for recorded in folders(format)? {
            let name = recorded.file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
            let wasm = guest_path(&name)?;
            let (wasm, recorded) = (wasm.to_str().context("a path")?, recorded.to_str().context("a path")?);
            let (exit, words) = alone(&["replay", wasm, recorded]).await?;
            ensure!(exit == Some(0), "{name}: exit code {exit:?}\n{words}");
            replayed += 1;
        }
    }
    ensure!(replayed > 10, "only {replayed} components have histories");
    Ok(())
}
