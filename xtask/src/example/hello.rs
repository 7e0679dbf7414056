//! `hello`: the smallest workflow, and what it says to a wrong input.

use anyhow::{Result, bail};
use serde_json::json;

use super::{Stage, expect};

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let api = stage.api()?;
    api.start("hello", "hello-1", &json!({ "name": "Ada" }))?;
    let ended = api.result("hello-1")?;
    expect("status", &ended["status"], &json!("completed"))?;
    expect("result", &ended["result"], &json!({ "text": "Hello, Ada!" }))?;
    stage.show("hello-1")?;

    println!("\n    without a name:");
    api.start("hello", "hello-2", &json!({ "name": "" }))?;
    let ended = api.result("hello-2")?;
    expect("status", &ended["status"], &json!("failed"))?;
    let message = ended["failure"]["message"].as_str().unwrap_or_default();
    if !message.contains("say whom to greet") {
        bail!("the failure does not say what to do: {}", ended["failure"]);
    }
    println!("    failure: {message}");
    Ok(())
}
