//! The examples, compiled for wasm32.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::compiler::{GuestCompiler, TARGET};
use crate::workspace::Workspace;
use crate::{languages, process};

/// Builds all examples and says how large they are.
pub(crate) fn build(ws: &Workspace) -> Result<()> {
    let compiler = GuestCompiler::find(ws)?;
    process::heading("building the examples for wasm32");
    println!("    with {}", compiler.describe());
    let mut cargo = ws.cargo();
    compiler.apply(&mut cargo);
    cargo
        .current_dir(ws.examples())
        // Flags for the host's target would not fit this one.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .args(["build", "--workspace", "--release", "--target", TARGET, "--target-dir"])
        .arg(target_dir(ws));
    process::run(&mut cargo).context("build the examples")?;
    languages::keep_reference(ws)?;
    for guest in all(ws)? {
        let size = fs::metadata(&guest)?.len();
        println!("    {:>9} bytes  {}", size, guest.display());
    }
    Ok(())
}

/// A built example.
pub(crate) fn path(ws: &Workspace, name: &str) -> PathBuf {
    output_dir(ws).join(format!("{}.wasm", name.replace('-', "_")))
}

/// Removes what was built, so that the next build starts from nothing.
pub(crate) fn forget(ws: &Workspace) -> Result<()> {
    let built = target_dir(ws).join(TARGET);
    if built.exists() {
        fs::remove_dir_all(&built).with_context(|| format!("remove {}", built.display()))?;
    }
    Ok(())
}

/// Its own directory: a lock is held on a target directory while cargo builds in it.
pub(crate) fn target_dir(ws: &Workspace) -> PathBuf {
    ws.target.join("guests")
}

fn output_dir(ws: &Workspace) -> PathBuf {
    target_dir(ws).join(TARGET).join("release")
}

fn all(ws: &Workspace) -> Result<Vec<PathBuf>> {
    let is_wasm = |path: &Path| path.extension().is_some_and(|extension| extension == "wasm");
    let entries = output_dir(ws).read_dir()?.collect::<Result<Vec<_>, _>>()?;
    let mut guests: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_wasm(path)).collect();
    guests.sort();
    Ok(guests)
}
