//! A run in the debugger, as scripts and people see it: on its host, and from a file where there is none.

use anyhow::{Context, Result};
use refrain_tests::{Host, Terminal, guest, guest_path};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::replay::{IDLES, alone, component, lines};

#[tokio::test]
async fn a_run_is_gone_through_on_its_host_and_from_a_file_alike() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("open.jsonl").to_str().context("a path")?.to_owned();
    let host = Host::start().await?;
    let client = host.client();
    client.upload("plan", guest("rust-bench")?).await?;
    client.start("planned", "open", json!({ "rounds": 2, "every_ms": 1 })).await?;
    client.described_once("open", |run| run["journal_steps"] == 3).await?;
    let on_host = host.cli(&["workflow", "debug", "open", "--json"]).await?;
    assert_eq!(on_host.status.code(), Some(0), "{on_host:?}");
    let output = host.cli(&["workflow", "export", "open", "--out", &file]).await?;
    assert!(output.status.success(), "{output:?}");
    drop(host);

    let wasm = guest_path("rust-bench")?.to_str().context("a path")?.to_owned();
    let debug = ["workflow", "debug", "--history", &file, "--component", &wasm];
    let with = |more: &[&str]| [&debug[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let told = async |more: &[&str]| {
        let arguments = with(more);
        alone(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let (exit, words) = told(&["--json"]).await?;
    assert_eq!(exit, Some(0), "{words}");
    assert_eq!(words, String::from_utf8(on_host.stdout)?, "the upload and what the host made of it are one");
    let told_calls = lines(&words)?;
    let (end, calls) = told_calls.split_last().context("lines")?;
    assert_eq!((&end["end"], &end["differs"]), (&json!("the journal ends with this wait"), &json!(false)));
    assert_eq!(calls.last().context("a call")?["answer"], "waits");

    // Backwards, so that nothing is left of a call before.
    for call in calls.iter().rev().step_by(2) {
        let (number, place) = (call["call"].to_string(), call["position"].as_str().context("a place")?);
        let (exit, words) = told(&["--json", "--at", &number]).await?;
        let moment: Value = serde_json::from_str(&words).with_context(|| words.clone())?;
        assert_eq!((exit, &moment["position"]), (Some(0), &call["position"]), "{words}");
        let (what, import) = (call["what"].as_str(), moment["import"].as_str());
        assert!(what.zip(import).is_some_and(|(what, import)| what.starts_with(import)), "{call} {moment}");
        assert!(!moment["backtrace"].as_array().context("frames")?.is_empty(), "{moment}");
        let (_, until) = alone(&["replay", &wasm, &file, "--until", &number]).await?;
        assert_eq!(until, told(&["--plain", "--at", &number]).await?.1);
        assert!(until.contains(place) && until.contains("of its history"), "{until}");
    }
    let (exit, words) = told(&["--at", "0.0"]).await?;
    assert!(exit == Some(0) && words.starts_with("call       1 "), "{words}");
    for at in ["1000", "99.0"] {
        let (exit, words) = told(&["--at", at]).await?;
        assert!(
            exit == Some(2) && words.contains("and after them: the journal ends with this wait"),
            "{words}"
        );
    }

    let idles = component(folder.path(), "idles.wasm", IDLES)?;
    let (exit, words) =
        alone(&["workflow", "debug", "--history", &file, "--component", &idles, "--json"]).await?;
    let end = lines(&words)?.pop().context("a line")?;
    assert_eq!((exit, &end["differs"]), (Some(8), &json!(true)), "{words}");
    assert!(end["end"].as_str().is_some_and(|end| end.contains("recorded timer.start")), "{words}");
    Ok(())
}

#[tokio::test]
async fn somebody_goes_through_a_run_on_a_terminal_and_leaves_it_as_it_was() -> Result<()> {
    let (folder, recorded) = (TempDir::new()?, guest_path("reminder")?);
    let history = folder.path().join("reminder.jsonl");
    let wasm = recorded.to_str().context("a path")?;
    let host = Host::start().await?;
    let client = host.client();
    client.upload("reminder", guest("reminder")?).await?;
    let input = json!({ "message": "water the plants", "every_ms": 600_000, "give_up_after_ms": 3_600_000 });
    client.start("reminder", "plants", input).await?;
    client.described_once("plants", |run| run["journal_steps"] == 1).await?;
    let file = history.to_str().context("a path")?;
    let output = host.cli(&["workflow", "export", "plants", "--out", file]).await?;
    assert!(output.status.success(), "{output:?}");
    drop(host);

    let debug = ["workflow", "debug", "--history", file, "--component", wasm];
    let mut terminal = Terminal::run(&debug)?;
    terminal.shows("1 of 3").await?;
    terminal.shows("delay: \"3600s\"").await?;
    terminal.press("j")?;
    terminal.shows("2 of 3").await?;
    terminal.shows("delay: \"600s\"").await?;
    terminal.press("G")?;
    terminal.shows("the journal ends with this wait").await?;
    terminal.press("qstatus\r")?;
    terminal.shows("status at the end of step 0: ").await?;
    terminal.press("k/3600\r")?;
    terminal.shows("1 of 3").await?;
    terminal.press("?")?;
    terminal.shows("this help").await?;
    terminal.press("\u{3}")?;
    assert_eq!(terminal.ended().await?.code(), Some(0));
    Ok(())
}
