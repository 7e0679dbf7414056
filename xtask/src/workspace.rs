//! Where things are: the repository, what cargo builds, and what the commands leave behind.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The repository and its target directory.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds, whatever the environment or a configuration file says about it.
    pub(crate) target: PathBuf,
    cargo: OsString,
}

impl Workspace {
    /// The workspace that this program was compiled from.
    pub(crate) fn find() -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask/ has no parent directory")?;
        // The cargo that runs this program, so that all is built by one toolchain.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut metadata = Command::new(&cargo);
        metadata.current_dir(root).args(["metadata", "--format-version", "1", "--no-deps"]);
        let metadata: serde_json::Value = serde_json::from_str(&process::read(&mut metadata)?)?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
        Ok(Self { root: root.to_owned(), target: target.into(), cargo })
    }

    /// `cargo`, in the repository.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.root);
        command
    }

    /// The workspace of the guests.
    pub(crate) fn examples(&self) -> PathBuf {
        self.root.join("examples")
    }

    /// A native binary: the host, or what an example carries.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// Builds the native binaries.
    ///
    /// `--workspace`, because cargo turns on what features the selected packages ask for together: with
    /// `--package refrain`, wasmtime would be compiled a second time for other features of what it depends on.
    pub(crate) fn build_host(&self) -> Result<()> {
        process::run(self.cargo().args(["build", "--workspace", "--bins"])).context("build the host")
    }
}
