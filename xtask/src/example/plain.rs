//! `plain`: a loop that knows nothing of Refrain but its world. It sleeps by its language's own means while the host is
//! killed, and tells each time once; another one cannot hear that it is to end, and is ended.

use anyhow::{Result, bail};
use serde_json::json;

use super::{Stage, expect};

/// How often it tells the time, and how many seconds lie between: the host dies after the first.
const TIMES: usize = 3;
const SECONDS: u32 = 1;

/// How the host says that it ended a run that could not hear it.
const UNHEARD: &str = "takes no messages";

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let api = stage.api()?;
    api.start("clock", "told", &json!({ "times": TIMES, "seconds": SECONDS }))?;
    api.start("clock", "deaf", &json!({ "times": 1, "seconds": 86_400 }))?;
    api.follow("deaf", |seen| seen.iter().any(|event| event.kind() == "timer-started"))?;
    let deaf = api.describe("deaf")?;
    expect("a program that sleeps listens", &deaf["listening"], &json!(false))?;
    api.cancel("deaf", "nobody needs it")?;
    println!("    deaf was asked to end, and does not hear it");
    api.follow("told", |seen| seen.iter().any(|event| event.kind() == "logged"))?;
    stage.kill_and_restart()?;

    let api = stage.api()?;
    let ended = api.result("told")?;
    expect("told ended", &ended["status"], &json!("completed"))?;
    let Some(told) = ended["result"].as_array() else { bail!("its result is no list: {}", ended["result"]) };
    expect("how often it told the time", &json!(told.len()), &json!(TIMES))?;
    let seen = api.history("told")?;
    let printed: Vec<_> = seen
        .iter()
        .filter(|event| event.kind() == "logged")
        .map(|event| event.attribute("message"))
        .collect();
    expect("what it printed", &json!(printed), &ended["result"])?;
    stage.show("told")?;

    let ended = api.result("deaf")?;
    expect("deaf ended", &ended["status"], &json!("canceled"))?;
    let seen = api.history("deaf")?;
    let reason = seen.last().map(|event| event.attribute("reason").to_string()).unwrap_or_default();
    if !reason.contains(UNHEARD) {
        bail!("the end of deaf does not say why: {reason}");
    }
    stage.show("deaf")
}
