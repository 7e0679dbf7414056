//! `snapshot`: the parent of three snapshots is terminated, and the host dies at that very moment. Each child ends as its
//! policy says, and leaves behind on the disk what that means.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::Event;
use crate::archive;

/// What there is to take a snapshot of.
const FILES: [(&str, usize); 3] = [("empty", 0), ("large", 200_000), ("notes/todo", 10)];

/// How long a snapshot may be called off: the parent ends in this time, and its host dies.
const HOLD_MS: u64 = 2_000;

/// The children, and how each of them is to end.
const FATES: [(&str, &str); 3] = [
    ("nightly-terminated", "terminated"),
    ("nightly-canceled", "canceled"),
    ("nightly-abandoned", "completed"),
];

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    fs::create_dir(stage.source().join("notes"))?;
    for (path, size) in FILES {
        fs::write(stage.source().join(path), (0..size).map(|n| (n % 251) as u8).collect::<Vec<u8>>())?;
    }
    let api = stage.api()?;
    let input = json!({ "id": "nightly", "source": "source", "target": "target", "hold_ms": HOLD_MS });
    api.start("snapshots", "nightly", &input)?;
    let have_started =
        |seen: &[Event]| seen.iter().filter(|event| event.kind() == "child-started").count() == FATES.len();
    api.follow("nightly", have_started)?;
    let is_written = |seen: &[Event]| seen.iter().any(|event| event.completes("fs.archive"));
    for (child, _) in FATES {
        let seen = api.follow(child, is_written)?;
        ensure!(is_written(&seen), "{child} ended before it had written: {}", api.result(child)?);
        println!("    {child} has written its draft");
    }
    let drafts = ["abandoned", "canceled", "terminated"].map(|fate| format!("nightly-{fate}.tar.part"));
    expect("files", &files(stage)?, &json!(drafts))?;
    api.terminate("nightly", "the parent is to end before its children")?;
    println!("    terminated their parent");
    stage.kill_and_restart()?;

    let api = stage.api()?;
    expect("the parent is", &api.result("nightly")?["status"], &json!("terminated"))?;
    for (child, fate) in FATES {
        expect(&format!("{child} is"), &api.result(child)?["status"], &json!(fate))?;
    }
    let left = ["nightly-abandoned.tar", "nightly-terminated.tar.part"];
    expect("files", &files(stage)?, &json!(left))?;
    let compared = archive::compare(&stage.target().join(left[0]), &stage.source())?;
    println!("    the snapshot of the abandoned one has the {} files, byte for byte", compared.files);
    for (child, _) in FATES {
        println!();
        stage.show(child)?;
    }
    Ok(())
}

/// What is in the target.
fn files(stage: &Stage<'_>) -> Result<Value> {
    let entries = fs::read_dir(stage.target())?;
    let mut names: Vec<String> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<_>>()?;
    names.sort();
    Ok(json!(names))
}
