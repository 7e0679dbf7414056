//! `backup`: once as it should be, and once with a last step that fails, so that all before it is undone.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Stage, expect};
use crate::archive;

/// What is backed up: an empty file, a large one, names in other scripts, and directories.
const FILES: [(&str, usize); 4] =
    [("empty", 0), ("large", 3_000_000), ("notes/Ελλάδα.txt", 40), ("notes/todo", 10)];

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    for (path, size) in FILES {
        let path = stage.source().join(path);
        fs::create_dir_all(path.parent().context("a file in a directory has a parent")?)?;
        fs::write(path, (0..size).map(|n| (n % 251) as u8).collect::<Vec<u8>>())?;
    }
    let api = stage.api()?;
    api.start("backup", "good", &json!({ "archive": "good.tar" }))?;
    let ended = api.result("good")?;
    expect("status", &ended["status"], &json!("completed"))?;
    let compared = archive::compare(&stage.target().join("good.tar"), &stage.source())?;
    println!("    the archive has the {} files, byte for byte: {} bytes", compared.files, compared.bytes);
    let checksum = fs::read_to_string(stage.target().join("good.tar.sha256"))?;
    expect("checksum", &json!(checksum.split(' ').next()), &ended["result"]["sha256"])?;
    stage.show("good")?;

    println!("\n    once more, with a last step that fails:");
    api.start("backup", "bad", &json!({ "archive": "bad.tar", "fail_at": "checksum" }))?;
    let ended = api.result("bad")?;
    expect("status", &ended["status"], &json!("failed"))?;
    let failure = &ended["failure"];
    let causes = failure["causes"].as_array().context("the failure has no `causes`")?;
    println!("    failure: {}", failure["message"].as_str().unwrap_or_default());
    for cause in causes {
        println!("      because: {}", cause["message"].as_str().unwrap_or_default());
    }
    let chain =
        |depth: usize| causes.get(depth).and_then(|cause| cause["message"].as_str()).unwrap_or_default();
    if failure["message"] != "back up `source`"
        || chain(0) != "write the checksum"
        || !chain(1).contains("..")
    {
        bail!("the failure does not tell the whole chain: {failure}");
    }
    let undone =
        failure["details"]["compensations"].as_array().context("the failure has no `compensations`")?;
    for step in undone {
        println!("      undone: {}", step["undo"].as_str().unwrap_or_default());
        if !step["failure"].is_null() {
            bail!("could not be undone: {step}");
        }
    }
    expect("steps undone", &json!(undone.len()), &json!(3))?;
    let mut left: Vec<_> =
        fs::read_dir(stage.target())?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    left.sort();
    expect(
        "left in the target",
        &json!(left.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>()),
        &json!(["good.tar", "good.tar.sha256"]),
    )?;
    stage.show("bad")
}
