//! `sweep`: more than a hundred runs of one execution. Signals reach it all the while, whichever run is current, and the
//! host dies in the middle; in the end everything was counted once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Stage, expect};
use crate::api::Api;

/// A tree of so many directories beside its root, each with a file.
const BRANCHES: u64 = 8;
const LEAVES: u64 = 8;
const TREE: u64 = 1 + BRANCHES + BRANCHES * LEAVES;

/// How many directories elsewhere it is told of, by a signal each.
const SIGNALS: u64 = 40;

/// How long it waits for more at the end: longer than a host takes to start.
const PATIENCE_MS: u64 = 2_000;

/// The signals reach one run before the host's death and another one after it, at the least; as a rule they reach dozens.
const RUNS_REACHED: usize = 2;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let bytes = plant(&stage.source())?;
    let api = stage.api()?;
    let input = json!({ "stack": ["tree"], "directories_per_run": 1, "patience_ms": PATIENCE_MS });
    api.start("sweep", "sweep", &input)?;
    let mut reached = BTreeSet::new();
    tell_of(&api, 0..SIGNALS / 2, &mut reached)?;
    stage.kill_and_restart()?;
    tell_of(&stage.api()?, SIGNALS / 2..SIGNALS, &mut reached)?;
    println!("    {SIGNALS} signals reached {} runs or more", reached.len());
    ensure!(reached.len() >= RUNS_REACHED, "the signals reached one run alone: the sweep did not go on");

    let ended = stage.api()?.result("sweep")?;
    expect("status", &ended["status"], &json!("completed"))?;
    let found = &ended["result"];
    let directories = TREE + SIGNALS;
    expect("directories named by signals", &found["also"], &json!(SIGNALS))?;
    expect("directories", &found["directories"], &json!(directories))?;
    expect("files", &found["files"], &json!(directories))?;
    expect("bytes", &found["bytes"], &json!(bytes))?;
    expect("passed over", &found["passed_over"], &json!([]))?;
    // The last run finds nothing left to do.
    expect("runs", &found["runs"], &json!(directories + 1))?;
    println!("\n    the last of its runs:");
    stage.show("sweep")
}

/// Makes the directories; how many bytes are in their files.
fn plant(source: &Path) -> Result<u64> {
    let branches = (0..BRANCHES).flat_map(|branch| {
        let branch = format!("tree/branch-{branch}");
        let leaves: Vec<_> = (0..LEAVES).map(|leaf| format!("{branch}/leaf-{leaf}")).collect();
        [branch].into_iter().chain(leaves)
    });
    let all = ["tree".to_owned()].into_iter().chain(branches).chain((0..SIGNALS).map(late));
    let mut bytes = 0;
    for (number, directory) in all.enumerate() {
        let directory = source.join(directory);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("file"), vec![b'x'; number])?;
        bytes += number as u64;
    }
    Ok(bytes)
}

fn late(number: u64) -> String {
    format!("late/{number:02}")
}

/// Tells of directories while it goes from run to run, and notes which run was current each time.
fn tell_of(api: &Api, numbers: std::ops::Range<u64>, reached: &mut BTreeSet<String>) -> Result<()> {
    for number in numbers {
        api.signal("sweep", "also", &json!(late(number)))?;
        reached.insert(api.describe("sweep")?["run_id"].to_string());
    }
    Ok(())
}
