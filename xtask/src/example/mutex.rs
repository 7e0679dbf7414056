//! `mutex`: fifty visitors want to be alone in a room, and one of them dies in it. The host dies too. Nobody meets anybody,
//! and all come in the order in which they asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::{Api, Event};

const VISITORS: u64 = 50;

/// When this one has left, the host is killed: about so many have been in the room then.
const BEFORE_THE_KILL: u64 = 15;

/// Few, so that one run takes over from another many times.
const GRANTS_PER_RUN: u64 = 8;

/// How long each is in the room: for the kill to come before all have been there.
const STAY: Duration = Duration::from_millis(20);

/// For who dies: what the others have to wait.
const SHORT_LEASE: Duration = Duration::from_millis(1_000);

/// For who lives: long against the death of the host, which takes no lock away.
const LONG_LEASE: Duration = Duration::from_secs(120);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let api = stage.api()?;
    api.start("lock", "door", &json!({ "grants_per_run": GRANTS_PER_RUN }))?;
    let ms = |duration: Duration| duration.as_millis() as u64;
    let dying = json!({ "lock": "door", "stay_ms": 3_600_000, "lease_ms": ms(SHORT_LEASE) });
    api.start("visit", "dying", &dying)?;
    api.follow("dying", |seen| seen.iter().any(|event| event.completes("fs.list")))?;
    expect("in the room", &api.query("door", "state")?["holder"]["by"], &json!("dying"))?;
    api.terminate("dying", "the story wants it")?;
    fs::remove_file(stage.target().join("room").join("dying"))?;
    println!("    it is dead, and has not released the lock");

    for n in 0..VISITORS {
        let visit = json!({ "lock": "door", "stay_ms": ms(STAY), "lease_ms": ms(LONG_LEASE) });
        api.start("visit", &visitor(n), &visit)?;
    }
    println!("    {VISITORS} others want to come in");
    api.result(&visitor(BEFORE_THE_KILL))?;
    println!("    {} was in the room and has left", visitor(BEFORE_THE_KILL));
    stage.kill_and_restart()?;

    let api = stage.api()?;
    let mut visits = BTreeMap::new();
    for n in 0..VISITORS {
        let ended = api.result(&visitor(n))?;
        ensure!(ended["status"] == "completed", "{} did not complete: {ended}", visitor(n));
        let visit = ended["result"].clone();
        let number = visit["number"].as_u64().context("a visit has no `number`")?;
        ensure!(
            visits.insert(number, (visitor(n), visit)).is_none(),
            "the lock was granted twice as {number}"
        );
    }
    let (last, _) = visits.values().next_back().context("there were no visits")?;
    let lives: BTreeSet<_> = api.history(last)?.iter().map(Event::boot).collect();
    ensure!(lives.len() > 1, "all had been in the room before the kill came");
    println!("    all were in the room, {last} last");
    alone(&visits)?;
    in_order(&api, &visits)?;
    let state = api.query("door", "state")?;
    expect("waiting", &state["queue"], &json!([]))?;
    stage.show(&visitor(VISITORS - 1))?;
    stage.show("door")?;
    api.cancel("door", "the story is over")?;
    expect("the lock", &api.result("door")?["status"], &json!("canceled"))
}

fn visitor(n: u64) -> String {
    format!("visitor-{n}")
}

/// Each has seen itself alone, and left before the next one came.
fn alone(visits: &BTreeMap<u64, (String, Value)>) -> Result<()> {
    let mut left = (0, "nobody");
    for (visitor, visit) in visits.values() {
        ensure!(visit["seen"] == json!([format!("room/{visitor}")]), "{visitor} was not alone: {visit}");
        let (from, to) = (visit["from_ms"].as_u64(), visit["to_ms"].as_u64());
        let (from, to) = from.zip(to).context("a visit has no times")?;
        ensure!(left.0 <= from && from <= to, "{visitor} came before {} had left", left.1);
        left = (to, visitor);
    }
    println!("    no two were there at once");
    Ok(())
}

/// The requests that all runs of the lock were delivered, in their order, are the grants in theirs.
fn in_order(api: &Api, visits: &BTreeMap<u64, (String, Value)>) -> Result<()> {
    let runs = api.chain("door")?;
    let is_request =
        |event: &&Event| event.kind() == "signal-received" && event.attribute("name") == "request";
    let asked: Vec<_> =
        runs.iter().flatten().filter(is_request).map(|event| &event.attribute("input")["by"]).collect();
    let came: Vec<_> = visits.values().map(|(visitor, _)| json!(visitor)).collect();
    ensure!(
        asked.first() == Some(&&json!("dying")) && asked[1..].iter().copied().eq(&came),
        "they asked as {asked:?} and came as {came:?}"
    );
    println!("    they came in the order in which they asked, over {} runs of the lock", runs.len());
    ensure!(runs.len() as u64 >= VISITORS / GRANTS_PER_RUN, "the lock did not go on as a new run");
    Ok(())
}
