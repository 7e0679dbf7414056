//! `podcast-pipeline`: an episode of which one segment is late, and whose host dies while the segments are transcribed; and
//! one with a garbled segment, which fails with the whole chain.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::{Stage, expect};
use crate::api::Api;
use crate::process;

/// What the segments say.
const SEGMENTS: [(&str, &str); 4] = [
    ("- .... .. ... / .. ... / .-. . ..-. .-. .- .. -.", "THIS IS REFRAIN"),
    ("- .... . / .... --- ... - / -- .- -.-- / -.. .. .", "THE HOST MAY DIE"),
    ("- .... . / ... .... --- .-- / --. --- . ... / --- -.", "THE SHOW GOES ON"),
    ("... - .- -.-- / - ..- -. . -..", "STAY TUNED"),
];

/// How long it takes to transcribe one: long enough for the host to die meanwhile.
const LISTEN_MS: u64 = 700;

/// This segment comes late, when its child has failed at least once.
const LATE: usize = 3;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    one_is_late(stage)?;
    one_is_garbled(stage)
}

fn one_is_late(stage: &mut Stage<'_>) -> Result<()> {
    println!("\n    an episode of which segment {LATE} is not there yet:");
    for (index, (code, _)) in SEGMENTS.iter().enumerate().filter(|(index, _)| index + 1 != LATE) {
        upload(stage, "late", index + 1, code)?;
    }
    let api = stage.api()?;
    start(&api, "late")?;
    let child = format!("late-segment-{LATE}");
    api.follow("late", |seen| seen.iter().any(|event| event.kind() == "child-completed"))?;
    println!("    a segment is transcribed");
    stage.kill_and_restart()?;

    let api = stage.api()?;
    let attempt = wait_for_another_attempt(&api, &child)?;
    println!("    {child} is at attempt {attempt}; now the segment is uploaded");
    upload(stage, "late", LATE, SEGMENTS[LATE - 1].0)?;
    let ended = api.result("late")?;
    expect("status", &ended["status"], &json!("completed"))?;
    expect("result", &ended["result"]["path"], &json!("late.txt"))?;
    let transcript = fs::read_to_string(stage.target().join("late.txt"))?;
    let text = SEGMENTS.map(|(_, text)| text).join("\n") + "\n";
    expect("transcript", &json!(transcript), &json!(text))?;
    expect("words", &ended["result"]["words"], &json!(text.split_whitespace().count()))?;
    expect("the others' attempts", &api.describe("late-segment-1")?["attempt"], &json!(1))?;
    stage.show("late")?;
    println!("\n    the last attempt at segment {LATE}:");
    stage.show(&child)
}

fn one_is_garbled(stage: &Stage<'_>) -> Result<()> {
    println!("\n    an episode of which segment 2 is garbled:");
    for (index, (code, _)) in SEGMENTS.iter().enumerate() {
        upload(stage, "garbled", index + 1, if index == 1 { "- .... . / ........." } else { code })?;
    }
    let api = stage.api()?;
    start(&api, "garbled")?;
    let ended = api.result("garbled")?;
    expect("status", &ended["status"], &json!("failed"))?;
    let failure = &ended["failure"];
    let causes = failure["causes"].as_array().context("the failure has no `causes`")?;
    let chain: Vec<&str> =
        [failure].into_iter().chain(causes).filter_map(|level| level["message"].as_str()).collect();
    println!("    failure: {}", chain.join("\n      because: "));
    let expected = [
        "podcast `garbled`",
        "transcribe segment 2 of 4",
        r#"child workflow "transcribe" (id "garbled-segment-2") failed"#,
        "understand `garbled/segment-2.morse`",
        "`.........` is no letter",
    ];
    ensure!(chain == expected, "expected the chain {expected:?}");
    expect("attempts", &api.describe("garbled-segment-2")?["attempt"], &json!(1))?;
    ensure!(!stage.target().join("garbled.txt").exists(), "there is a transcript of what nobody understood");
    stage.show("garbled")
}

fn start(api: &Api, episode: &str) -> Result<()> {
    let input = json!({
        "episode": episode,
        "segments": SEGMENTS.len(),
        "source": "source",
        "target": "target",
        "listen_ms": LISTEN_MS,
    });
    api.start("podcast", episode, &input)?;
    Ok(())
}

/// Puts a segment in its place, whole: who looks for it sees nothing or all of it.
fn upload(stage: &Stage<'_>, episode: &str, number: usize, code: &str) -> Result<()> {
    let directory = stage.source().join(episode);
    fs::create_dir_all(&directory)?;
    let partial = directory.join("partial");
    fs::write(&partial, code)?;
    Ok(fs::rename(partial, directory.join(format!("segment-{number}.morse")))?)
}

/// Waits until the execution's first attempt has failed, and another one is due or runs.
fn wait_for_another_attempt(api: &Api, id: &str) -> Result<u64> {
    let began = Instant::now();
    while began.elapsed() < process::PATIENCE {
        match api.describe(id)?["attempt"].as_u64() {
            Some(attempt) if attempt > 1 => return Ok(attempt),
            _ => std::thread::sleep(process::POLL),
        }
    }
    bail!("{id} was not tried again within {} s", process::PATIENCE.as_secs())
}
