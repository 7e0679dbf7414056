//! What cargo built: the host's binary, and the examples' components.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

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

/// A command of the host's binary, which cargo puts beside the directory of the test that is running.
pub(crate) fn refrain() -> Result<Command> {
    let path = profile_dir()?.join(format!("refrain{}", env::consts::EXE_SUFFIX));
    ensure!(
        path.exists(),
        "the host's binary is not built: run `cargo build --workspace --all-targets` first"
    );
    let mut command = Command::new(path);
    // What the developer's own hosts and clients are told is not meant for these.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REFRAIN_")) {
        command.env_remove(name);
    }
    Ok(command)
}

/// `target/debug`: the tests are in `target/debug/deps`.
fn profile_dir() -> Result<PathBuf> {
    let test = env::current_exe().context("find the running test")?;
    let dir =
        test.parent().and_then(Path::parent).context("the running test is not in a target directory")?;
    Ok(dir.to_owned())
}

fn target_dir() -> Result<PathBuf> {
    Ok(profile_dir()?.parent().context("the running test is not in a target directory")?.to_owned())
}
