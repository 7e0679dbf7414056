//! The histories that each later version must replay: of the examples' runs, as this version records them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::example::{self, Told};
use crate::workspace::Workspace;
use crate::{guests, host, process, test};

/// Where they are, for the format that is written now.
const FOLDER: &str = "tests/replay/v1";
/// Runs of an example that are kept: of hundreds of the same kind one tells as much.
const KEPT_RUNS: &str = "6";
/// The largest history that is kept, in bytes: people look at them, and each clone has them.
const KEPT_BYTES: u64 = 128 * 1024;

/// Runs one example, or all of them, and keeps the histories of their latest runs instead of those that are there.
pub(crate) fn run(ws: &Workspace, name: &str) -> Result<()> {
    guests::build(ws)?;
    test::build(ws)?;
    example::run_each(ws, name, |told| record(ws, told))
}

fn record(ws: &Workspace, told: &Told<'_>) -> Result<()> {
    let folder = ws.root.join(FOLDER).join(told.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    let mut command = host::ours(ws, "refrain");
    command.args(["workflow", "export", "--last", KEPT_RUNS, "--out"]).arg(&folder);
    command.env("REFRAIN_ADDRESS", told.host.url());
    process::read(&mut command)?;
    for (path, _) in files(&folder)?.into_iter().filter(|(_, bytes)| *bytes > KEPT_BYTES) {
        fs::remove_file(path)?;
    }
    println!("    {} histories are in {}", files(&folder)?.len(), folder.display());
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.path(), entry.metadata()?.len()))
        })
        .collect()
}
