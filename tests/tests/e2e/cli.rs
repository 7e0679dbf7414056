//! The command line, against a host.

use std::process::Output;

use anyhow::{Context, Result};
use refrain_tests::{Host, guest_path};
use serde_json::{Value, json};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command printed with `--json`; it must succeed.
async fn json(host: &Host, arguments: &[&str]) -> Result<Value> {
    let output = host.cli(&[arguments, &["--json"]].concat()).await?;
    assert!(output.status.success(), "{arguments:?}: {} {}", output.status, stderr(&output));
    serde_json::from_str(&stdout(&output))
        .with_context(|| format!("{arguments:?} printed {:?}", stdout(&output)))
}

#[tokio::test]
async fn a_component_is_pushed_and_its_workflow_executed_and_shown() -> Result<()> {
    let host = Host::start().await?;
    let wasm = guest_path("hello")?.display().to_string();
    let pushed = json(&host, &["component", "push", &wasm, "--name", "greeter"]).await?;
    assert_eq!((&pushed["name"], &pushed["version"]), (&json!("greeter"), &json!(1)));
    let listed = json(&host, &["component", "list"]).await?;
    assert!(listed.to_string().contains("greeter"), "{listed}");

    let execute = ["workflow", "execute", "hello", "--id", "cli/1", "--input", r#"{"name": "Ada"}"#];
    let executed = host.cli(&execute).await?;
    assert!(executed.status.success(), "{}", stderr(&executed));
    let result: Value = serde_json::from_str(&stdout(&executed))?;
    assert_eq!(result, json!({ "text": "Hello, Ada!" }), "data, and only data, is on stdout");

    let listed = json(&host, &["workflow", "list"]).await?;
    assert!(listed.to_string().contains("cli/1"), "{listed}");
    let described = json(&host, &["workflow", "describe", "cli/1"]).await?;
    assert_eq!(described["status"], "completed");
    let shown = host.cli(&["workflow", "show", "cli/1"]).await?;
    assert!(stdout(&shown).contains("Hello, Ada!"), "{}", stdout(&shown));
    Ok(())
}

#[tokio::test]
async fn exit_codes_tell_a_failed_run_from_a_refusal_and_from_a_host_that_is_not_there() -> Result<()> {
    let mut host = Host::with_example("hello").await?;
    let failed = host.cli(&["workflow", "execute", "hello", "--input", r#"{"name": ""}"#]).await?;
    let missing = host.cli(&["workflow", "describe", "nobody"]).await?;
    let usage = host.cli(&["workflow", "dance"]).await?;
    host.kill9().await?;
    let unreachable = host.cli(&["workflow", "list"]).await?;
    let codes = [&failed, &missing, &usage, &unreachable].map(|output| output.status.code().unwrap_or(-1));
    assert!(codes.iter().all(|code| *code > 0), "{codes:?}");
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len(), "{codes:?}");
    assert!(stderr(&failed).contains("say whom to greet"), "{}", stderr(&failed));
    assert!(stderr(&missing).contains("nobody"), "{}", stderr(&missing));
    Ok(())
}
