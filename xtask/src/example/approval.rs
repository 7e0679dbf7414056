//! `approval`: one request is decided by who was asked second, over the death of the host and with someone meddling; of
//! another one nobody takes notice, until it is too late for it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::{Api, Event};

/// Short for people, and long enough for the host to die in it.
const REMIND_EVERY: Duration = Duration::from_millis(500);
const ESCALATE_AFTER: Duration = Duration::from_millis(1_200);
const EXPIRE_AFTER: Duration = Duration::from_millis(2_500);

/// How long people have where the story does not want them to be late.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let api = stage.api()?;
    start(&api, "release", A_DAY)?;
    expect("asked", &api.query("release", "state")?["asked"], &json!(["Ada"]))?;
    println!("    Charles, whom nobody has asked, approves at once");
    api.signal("release", "decide", &json!({ "by": "Charles", "approved": true }))?;
    expect("decisions that do not count", &api.query("release", "state")?["ignored"], &json!(1))?;
    stage.kill_and_restart()?;

    let api = stage.api()?;
    is_logged(&api, "release", "Ada does not answer, so Charles is asked too")?;
    let state = api.query("release", "state")?;
    expect("asked, after a while", &state["asked"], &json!(["Ada", "Charles"]))?;
    expect("stage", &state["stage"], &json!("waiting"))?;
    let decision = json!({ "by": "Charles", "approved": true, "comment": "looks good" });
    api.signal("release", "decide", &decision)?;
    let ended = api.result("release")?;
    expect("status", &ended["status"], &json!("completed"))?;
    expect("decided", &ended["result"]["stage"], &json!({ "decided": decision }))?;
    ensure!(ended["result"]["reminders"].as_u64() > Some(0), "nobody was reminded: {ended}");

    println!("\n    Ada decides now, too late:");
    match api.signal("release", "decide", &json!({ "by": "Ada", "approved": false })) {
        Ok(()) => bail!("the signal was taken by a run that is over"),
        Err(refused) => println!("    {refused:#}"),
    }
    let state = api.query("release", "state")?;
    expect("still", &state["stage"]["decided"]["approved"], &json!(true))?;
    stage.show("release")?;

    println!("\n    a request of which nobody takes notice:");
    start(&api, "ignored", EXPIRE_AFTER)?;
    let ended = api.result("ignored")?;
    expect("status", &ended["status"], &json!("completed"))?;
    expect("outcome", &ended["result"]["stage"], &json!("expired"))?;
    expect("asked in vain", &ended["result"]["asked"], &json!(["Ada", "Charles"]))
}

fn start(api: &Api, id: &str, expire_after: Duration) -> Result<()> {
    let ms = |duration: Duration| -> Value { json!(duration.as_millis() as u64) };
    let input = json!({
        "what": "version 2 goes out",
        "approver": "Ada",
        "escalate_to": "Charles",
        "remind_every_ms": ms(REMIND_EVERY),
        "escalate_after_ms": ms(ESCALATE_AFTER),
        "expire_after_ms": ms(expire_after),
    });
    api.start("approval", id, &input)?;
    Ok(())
}

/// Waits for a line of the run's log.
fn is_logged(api: &Api, id: &str, line: &str) -> Result<()> {
    let is_it = |event: &Event| event.kind() == "logged" && event.attribute("message") == line;
    let seen = api.follow(id, |seen| seen.iter().any(is_it))?;
    ensure!(seen.iter().any(is_it), "{id} ended without the line {line:?} in its log");
    println!("    logged: {line}");
    Ok(())
}
