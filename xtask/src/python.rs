//! The checks of the Python worker, in an environment of its own below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// What the worker needs, as a question to an interpreter.
const SUITABLE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// What to do where it is not there.
pub(crate) const REMEDY: &str = "Python 3.10 or newer with venv: apt-get install python3 python3-venv";

/// The tests take seconds. A worker under test takes a polite signal for a wish to drain.
const TESTS: Duration = Duration::from_secs(300);

/// Whether this machine can run the checks.
pub(crate) fn is_there() -> bool {
    process::read(Command::new("python3").args(["-c", SUITABLE])).is_ok()
}

/// Formats, lints, types and tests, in this order.
pub(crate) fn check(ws: &Workspace) -> Result<()> {
    let python = environment(ws)?;
    let cache = ws.target.join("python/mypy");
    let project = ws.root.join("worker-sdk/python");
    let module = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.current_dir(&project).env("PYTHONDONTWRITEBYTECODE", "1").arg("-m").args(arguments);
        command
    };
    process::run(&mut module(&["ruff", "format", "--no-cache", "--check", "."]))?;
    process::run(&mut module(&["ruff", "check", "--no-cache", "."]))?;
    process::run(module(&["mypy", "--cache-dir"]).arg(&cache))?;
    if !process::run_within(&mut module(&["pytest", "-q", "-p", "no:cacheprovider"]), TESTS)? {
        bail!("the tests of the Python worker failed");
    }
    Ok(())
}

/// An interpreter with the worker and what its checks use, from the index that pip is configured for.
pub(crate) fn environment(ws: &Workspace) -> Result<PathBuf> {
    let dir = ws.target.join("python/venv");
    let python = dir.join("bin/python");
    if !works(&python) {
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))
            .with_context(|| format!("needs {REMEDY}"))?;
    }
    let mut pip = Command::new(&python);
    pip.current_dir(&ws.root).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    process::run(pip.args(["--editable", "worker-sdk/python[dev]"]))
        .context("pip could not install the worker: it needs PyPI, or the index that it is configured for")?;
    Ok(python)
}

fn works(python: &Path) -> bool {
    process::read(Command::new(python).args(["-c", SUITABLE])).is_ok()
}
