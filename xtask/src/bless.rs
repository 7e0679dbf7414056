//! Rewrites snapshots: run it, then read `git diff`.

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{guests, process};

/// What each snapshot library, and the project's own golden files, take as permission.
const PERMISSIONS: [(&str, &str); 3] =
    [("UPDATE_EXPECT", "1"), ("INSTA_UPDATE", "always"), ("REFRAIN_BLESS", "1")];

/// Runs the tests of the whole workspace with leave to rewrite what they compare with.
pub(crate) fn run(ws: &Workspace) -> Result<()> {
    guests::build(ws)?;
    process::heading("building");
    ws.build_host()?;
    process::heading("running the tests; what differs is rewritten");
    process::run(ws.cargo().args(["test", "--workspace", "--no-fail-fast"]).envs(PERMISSIONS))?;
    println!("\nNow read `git diff`: each change in a snapshot is a change that users see.");
    Ok(())
}
