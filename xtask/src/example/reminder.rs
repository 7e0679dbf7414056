//! `reminder`: two of them sleep while the host is killed. One is answered, the other gives up, each in its time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Stage, expect};

/// How often they remind: long against the death of a host, so that it dies while they sleep.
const EVERY: Duration = Duration::from_millis(1_500);

/// When the second one gives up: after its second reminder and before its third.
const GIVE_UP_AFTER: Duration = Duration::from_millis(4_000);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let api = stage.api()?;
    let input = |message: &str, give_up_after: Duration| {
        json!({
            "message": message,
            "every_ms": EVERY.as_millis() as u64,
            "give_up_after_ms": give_up_after.as_millis() as u64,
        })
    };
    let started = Instant::now();
    api.start("reminder", "answered", &input("water the plants", Duration::from_secs(3_600)))?;
    api.start("reminder", "ignored", &input("call the plumber", GIVE_UP_AFTER))?;
    for id in ["answered", "ignored"] {
        api.follow(id, |seen| seen.iter().any(|event| event.kind() == "timer-started"))?;
        println!("    {id} sleeps");
    }
    stage.kill_and_restart()?;

    let api = stage.api()?;
    api.follow("answered", |seen| seen.iter().any(|event| event.kind() == "timer-fired"))?;
    println!("    answered woke up and reminded; telling it that it is done");
    api.signal("answered", "done", &json!({ "by": "Ada" }))?;
    let ended = api.result("answered")?;
    expect("answered ended", &ended["status"], &json!("completed"))?;
    expect("by", &ended["result"]["answered_by"], &json!("Ada"))?;
    let reminders = ended["result"]["reminders"].as_u64().context("the result counts no `reminders`")?;
    if reminders == 0 {
        bail!("it was answered after a reminder but counted none");
    }

    let ended = api.result("ignored")?;
    let took = started.elapsed();
    expect("ignored ended", &ended["status"], &json!("completed"))?;
    expect("its result", &ended["result"], &json!({ "reminders": 2, "answered_by": null }))?;
    if took < GIVE_UP_AFTER {
        bail!("it gave up after {took:?}, before its time ({GIVE_UP_AFTER:?})");
    }
    stage.show("ignored")
}
