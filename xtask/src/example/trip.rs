//! `trip`: one trip loses its car and nothing else; another one is called off whole, and the host dies while its bookings
//! are given back. In the end everything is given back, each booking once.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::{Api, Event};

/// How long an office takes to take a booking back: long against the death of a host, so that it dies meanwhile.
const NOTICE_MS: u64 = 800;

/// In this time the first trip departs: nobody waits long for it.
const SOON_MS: u64 = 300;

/// And in this one the second, which is called off before.
const LATER_MS: u64 = 3_600_000;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    loses_its_car(stage)?;
    is_called_off(stage)
}

fn loses_its_car(stage: &Stage<'_>) -> Result<()> {
    println!("\n    a trip of which the car is called off:");
    let api = stage.api()?;
    start(&api, "walk", SOON_MS)?;
    wait_until(&api, "walk", "the car is held", |seen| is_done(seen, "take the car"))?;
    expect("bookings", &bookings(stage, "walk")?, &json!(["car", "flight", "hotel"]))?;
    api.signal("walk", "no-car", &json!("the traveler walks"))?;
    let ended = api.result("walk")?;
    expect("status", &ended["status"], &json!("completed"))?;
    expect("result", &ended["result"], &json!({ "bookings": ["flight", "hotel"] }))?;
    expect("bookings", &bookings(stage, "walk")?, &json!(["flight", "hotel"]))?;
    stage.show("walk")
}

fn is_called_off(stage: &mut Stage<'_>) -> Result<()> {
    println!("\n    a trip that is called off, and whose host dies while it is undone:");
    let api = stage.api()?;
    start(&api, "flu", LATER_MS)?;
    api.signal("flu", "car-is-ready", &json!(null))?;
    wait_until(&api, "flu", "everything is booked, and the departure is waited for", |seen| {
        seen.iter().any(|event| event.kind() == "timer-started" && event.attribute("summary") == "departure")
    })?;
    expect("bookings", &bookings(stage, "flu")?, &json!(["car", "flight", "hotel"]))?;
    api.cancel("flu", "the traveler has the flu")?;
    let seen = wait_until(&api, "flu", "the car is given back", |seen| is_done(seen, "give the car back"))?;
    expect("bookings", &bookings(stage, "flu")?, &json!(["flight", "hotel"]))?;
    stage.kill_and_restart()?;

    let api = stage.api()?;
    let ended = api.result("flu")?;
    expect("status", &ended["status"], &json!("canceled"))?;
    expect("bookings", &bookings(stage, "flu")?, &json!([]))?;
    let history = api.history("flu")?;
    ensure!(history.starts_with(&seen), "what was recorded before the kill is not what is recorded now");
    let given_back: Value = history
        .iter()
        .filter(|event| event.completes("fs.remove"))
        .map(|event| event.attribute("result")["removed"].clone())
        .collect();
    expect("each booking was there when it was given back", &given_back, &json!([true, true, true]))?;
    stage.show("flu")
}

fn start(api: &Api, number: &str, departs_in_ms: u64) -> Result<()> {
    let input = json!({
        "number": number,
        "offices": "target",
        "departs_in_ms": departs_in_ms,
        "notice_ms": NOTICE_MS,
    });
    api.start("trip", number, &input)?;
    Ok(())
}

/// The history up to what must come.
fn wait_until(api: &Api, id: &str, what: &str, is_there: impl Fn(&[Event]) -> bool) -> Result<Vec<Event>> {
    let seen = api.follow(id, &is_there)?;
    ensure!(is_there(&seen), "{id} ended before {what}: {}", api.result(id)?);
    println!("    {what}");
    Ok(seen)
}

/// Whether the activity of this summary is completed.
fn is_done(seen: &[Event], summary: &str) -> bool {
    let is_it =
        |event: &&Event| event.attribute("summary") == summary && event.kind() == "activity-scheduled";
    let op = seen.iter().find(is_it).map(|event| event.attribute("op"));
    op.is_some_and(|op| {
        seen.iter().any(|event| event.kind() == "activity-completed" && event.attribute("op") == op)
    })
}

/// What the offices have for a trip.
fn bookings(stage: &Stage<'_>, number: &str) -> Result<Value> {
    let files = fs::read_dir(stage.target().join("trips").join(number)).context("read the bookings")?;
    let mut names: Vec<String> =
        files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect::<Result<_>>()?;
    names.sort();
    Ok(json!(names))
}
