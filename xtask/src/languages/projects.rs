//! New projects, as people make them: `refrain new`, built by their own command, and tested by what is in them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Language;
use super::toolchain::{self, Toolchain};
use crate::compiler::GuestCompiler;
use crate::process::{self, heading};
use crate::python;
use crate::workspace::Workspace;

/// A name that is no identifier in any language.
const NAME: &str = "my-flow";

/// Makes, builds and tests one in each language that this machine has tools for.
pub(crate) fn check_all(ws: &Workspace) -> Result<()> {
    for language in Language::ALL {
        heading(&format!("a new project in {}", language.title()));
        match toolchain::find(ws, language)? {
            Ok(toolchain) => check(ws, language, &toolchain)
                .with_context(|| format!("a new project in {}", language.title()))?,
            Err(missing) => println!("    NOT CHECKED: projects in {}; {missing}", language.title()),
        }
    }
    Ok(())
}

fn check(ws: &Workspace, language: Language, toolchain: &Toolchain) -> Result<()> {
    // Outside of this repository, whose workspace a Rust project would be taken for a part of.
    let dir = tempfile::Builder::new().prefix("project-").tempdir()?;
    let project = dir.path().join(NAME);
    let refrain = ws.binary("refrain");
    let mut new = Command::new(&refrain);
    process::read(new.current_dir(dir.path()).args(["new", NAME, "--lang", language.name()]))?;
    let mut test = Command::new(&refrain);
    test.current_dir(&project).args(["test", "--crash-everywhere", "--seeds", "3"]);
    test.envs(toolchain.env.iter().cloned());
    if language == Language::Rust {
        prepare_cargo(ws, &project, &mut test)?;
    }
    // What `npm ci` has fetched for the SDK is in npm's cache.
    test.env("npm_config_prefer_offline", "true");
    process::run(&mut test)?;
    if language == Language::Python && python::is_there() {
        let mut pytest = Command::new(python::environment(ws)?);
        pytest.current_dir(&project).args([
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:asyncio",
        ]);
        pytest.args(["-p", "pytest_refrain", "--refrain-component", "my_flow.wasm"]);
        process::run(pytest.env("PYTHONPATH", "refrain-sdk/src").env("REFRAIN", &refrain))?;
    }
    Ok(())
}

/// The versions of dependencies are those of the examples, and what is said of this repository's builds is none of the
/// project's.
fn prepare_cargo(ws: &Workspace, project: &Path, test: &mut Command) -> Result<()> {
    fs::copy(ws.examples().join("Cargo.lock"), project.join("Cargo.lock"))?;
    for variable in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        test.env_remove(variable);
    }
    GuestCompiler::find(ws)?.apply(test);
    Ok(())
}
