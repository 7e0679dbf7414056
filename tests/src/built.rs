//! What cargo built: the binaries, and the examples' components.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::PATIENCE;

/// The bytes of an example's component.
pub fn guest(name: &str) -> Result<Vec<u8>> {
    let path = guest_path(name)?;
    std::fs::read(&path).with_context(|| {
        format!("cannot read the example component {}; build it with: cargo xtask guests", path.display())
    })
}

/// Where an example's component is.
pub fn guest_path(name: &str) -> Result<PathBuf> {
    let built = target_dir()?.join("guests/wasm32-unknown-unknown/release");
    Ok(built.join(format!("{}.wasm", name.replace('-', "_"))))
}

/// Names the host's binary, for who has one and does not want to compile it.
const HOST: &str = "REFRAIN_TEST_HOST";

/// Runs a command of the host's binary that needs no host, to its end.
pub async fn cli(arguments: &[&str]) -> Result<Output> {
    let output = refrain()?.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = timeout(PATIENCE, output).await;
    ended.with_context(|| format!("`refrain {}` does not end", arguments.join(" ")))?.map_err(Into::into)
}

/// A command of the host's binary.
pub(crate) fn refrain() -> Result<Command> {
    match env::var_os(HOST) {
        Some(path) => Ok(command(path.as_ref())),
        None => binary("refrain"),
    }
}

/// A command of the worker whose activities do what tests tell them.
pub(crate) fn test_worker() -> Result<Command> {
    binary("refrain-test-worker")
}

/// A command of a binary, which cargo puts beside the one that is running, or beside the directory of the test that is.
fn binary(name: &str) -> Result<Command> {
    let path = profile_dir()?.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    ensure!(
        path.exists(),
        "the binary `{name}` is not built: run `cargo build --workspace --all-targets` first"
    );
    Ok(command(&path))
}

fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    forget_settings(&mut command);
    command
}

/// What the developer's own hosts and clients are told is not meant for those of tests.
pub(crate) fn forget_settings(command: &mut Command) {
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REFRAIN_")) {
        command.env_remove(name);
    }
}

/// `target/debug`, where binaries are: tests are in `target/debug/deps`.
fn profile_dir() -> Result<PathBuf> {
    let running = env::current_exe().context("find the running program")?;
    let dir = running.ancestors().skip(1).find(|dir| !dir.ends_with("deps"));
    Ok(dir.context("the running program is not in a target directory")?.to_owned())
}

/// Where cargo builds.
pub fn target_dir() -> Result<PathBuf> {
    Ok(profile_dir()?.parent().context("the running program is not in a target directory")?.to_owned())
}
