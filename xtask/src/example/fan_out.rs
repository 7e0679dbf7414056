//! `fan-out`: many batches of many tasks, of which some cannot be done, while the host is killed; every task is counted in
//! the end, and none of them twice.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Stage, expect};
use crate::api::Event;

/// What the story does as a rule, in a few seconds with a host that is compiled for debugging.
const BATCHES: u64 = 100;
const TASKS: u64 = 20;

/// Names other numbers, `1000x100` for the full size.
const SIZE: &str = "REFRAIN_FAN_OUT";

/// Together they are as many as the host has threads for files.
const BATCHES_AT_ONCE: u64 = 16;
const TASKS_AT_ONCE: u64 = 4;

/// Every so many batches one has no files at all.
const ABSENT_BATCH: u64 = 20;

/// Of the others, every so many tasks one has no file.
const ABSENT_TASK: u64 = 50;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let (batches, tasks) = size()?;
    let expected = plant(&stage.source(), batches, tasks)?;
    let api = stage.api()?;
    println!("    {batches} batches of {tasks} tasks, {BATCHES_AT_ONCE} x {TASKS_AT_ONCE} at once");
    let input = json!({
        "source": "source",
        "batches": batches,
        "tasks": tasks,
        "batches_at_once": BATCHES_AT_ONCE,
        "tasks_at_once": TASKS_AT_ONCE,
    });
    let began = Instant::now();
    api.start("fan_out", "many", &input)?;
    let quarter = usize::try_from(batches / 4)?;
    let has_ended = |event: &&Event| matches!(event.kind(), "child-completed" | "child-failed");
    api.follow("many", |seen| seen.iter().filter(has_ended).count() >= quarter)?;
    println!("    a quarter of the batches has ended");
    stage.kill_and_restart()?;

    let ended = stage.api()?.result("many")?;
    let took = began.elapsed();
    expect("status", &ended["status"], &json!("completed"))?;
    let result = &ended["result"];
    expect(
        "batches",
        &result["batches"],
        &json!({ "done": expected.batches, "failed": batches - expected.batches }),
    )?;
    let failed = expected.batches * tasks - expected.tasks;
    expect("tasks", &result["tasks"], &json!({ "done": expected.tasks, "failed": failed }))?;
    expect("bytes", &result["bytes"], &json!(expected.bytes))?;
    let reasons = result["reasons"].as_array().context("the result has no `reasons`")?;
    for reason in reasons {
        println!("    a batch failed: {}", reason.as_str().unwrap_or_default());
    }
    let total = batches * tasks;
    println!(
        "    {total} tasks in {:.1} s, with the death of the host: {:.0} tasks/s",
        took.as_secs_f64(),
        total as f64 / took.as_secs_f64()
    );
    stage.show("many")
}

fn size() -> Result<(u64, u64)> {
    let Ok(size) = std::env::var(SIZE) else { return Ok((BATCHES, TASKS)) };
    let parsed =
        size.split_once('x').and_then(|(batches, tasks)| Some((batches.parse().ok()?, tasks.parse().ok()?)));
    match parsed {
        Some((batches, tasks)) if batches > 0 && tasks > 0 => Ok((batches, tasks)),
        _ => bail!("{SIZE} is {size:?}: give the number of batches and of tasks in each, such as 1000x100"),
    }
}

/// What is there to be found: batches with files, files, and their bytes.
#[derive(Default)]
struct Planted {
    batches: u64,
    tasks: u64,
    bytes: u64,
}

fn plant(source: &Path, batches: u64, tasks: u64) -> Result<Planted> {
    let mut planted = Planted::default();
    for batch in (0..batches).filter(|batch| batch % ABSENT_BATCH != ABSENT_BATCH / 2) {
        let directory = source.join(format!("batch-{batch:04}"));
        fs::create_dir(&directory)?;
        planted.batches += 1;
        for task in (0..tasks).filter(|task| !(batch * tasks + task).is_multiple_of(ABSENT_TASK)) {
            let content = format!("task {task} of batch {batch}\n");
            fs::write(directory.join(format!("task-{task:04}")), &content)?;
            planted.tasks += 1;
            planted.bytes += content.len() as u64;
        }
    }
    Ok(planted)
}
