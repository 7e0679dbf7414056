//! Searches for inputs that break a promise: the targets are a crate of their own, `tests/fuzz`.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Runs `cargo xtask fuzz` with these arguments, which are that crate's own.
pub(crate) fn run(ws: &Workspace, arguments: &[&str]) -> Result<()> {
    ws.build_host()?;
    process::run(Command::new(ws.binary("refrain-fuzz")).args(arguments))
}
