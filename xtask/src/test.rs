//! Every check, the quick ones first. What is committed has passed all of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{self, heading};
use crate::workspace::Workspace;
use crate::{example, guests, languages, python};

/// One kind of check.
struct Stage {
    name: &'static str,
    what: &'static str,
    run: fn(&Workspace) -> Result<()>,
}

/// All stages in order.
///
/// Each cargo command selects the whole workspace: another selection could turn on other features in dependencies, and
/// compile wasmtime once more for them.
const STAGES: [Stage; 11] = [
    Stage { name: "format", what: "the code is formatted", run: format },
    Stage { name: "lint", what: "clippy has nothing to say", run: lint },
    Stage { name: "guests", what: "the examples compile for wasm32", run: guests::build },
    Stage {
        name: "languages",
        what: "components in every language that has tools here",
        run: languages::build_all,
    },
    Stage { name: "build", what: "everything compiles", run: build },
    Stage { name: "python", what: "the Python worker is formatted, typed and tested", run: python_worker },
    Stage {
        name: "sdks",
        what: "the SDKs of the other languages are formatted and tested",
        run: languages::check_all,
    },
    Stage {
        name: "projects",
        what: "a new project in each language builds and passes its scenarios",
        run: languages::check_projects,
    },
    Stage { name: "test", what: "unit, conformance, end-to-end and documentation tests", run: test },
    Stage { name: "doc", what: "the documentation builds without warnings", run: doc },
    Stage { name: "examples", what: "each example does what it should on a fresh host", run: examples },
];

/// Prints the stages' names.
pub(crate) fn list() {
    for stage in &STAGES {
        println!("{:<9} {}", stage.name, stage.what);
    }
}

/// Runs all stages, or those that are named, up to the first that fails.
pub(crate) fn run(ws: &Workspace, names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        bail!("there is no stage {unknown:?}; `cargo xtask test --list` names them");
    }
    let chosen: Vec<&Stage> =
        STAGES.iter().filter(|stage| names.is_empty() || names.contains(&stage.name)).collect();
    let began = Instant::now();
    let mut passed = Vec::new();
    for (index, stage) in chosen.iter().enumerate() {
        heading(&format!("[{}/{}] {}: {}", index + 1, chosen.len(), stage.name, stage.what));
        let stage_began = Instant::now();
        let outcome = (stage.run)(ws);
        let took = stage_began.elapsed();
        if let Err(error) = outcome {
            summarise(&passed, began.elapsed());
            println!("    FAILED  {:<9} {}", stage.name, shown(took));
            return Err(error.context(format!(
                "stage {} failed; to run it alone: cargo xtask test {}",
                stage.name, stage.name
            )));
        }
        println!("    passed in {}", shown(took));
        passed.push((stage.name, took));
    }
    summarise(&passed, began.elapsed());
    Ok(())
}

fn summarise(passed: &[(&str, Duration)], all: Duration) {
    heading(&format!("summary, after {}", shown(all)));
    for (name, took) in passed {
        println!("    passed  {name:<9} {}", shown(*took));
    }
}

fn shown(took: Duration) -> String {
    format!("{}:{:02}", took.as_secs() / 60, took.as_secs() % 60)
}

fn format(ws: &Workspace) -> Result<()> {
    process::run(ws.cargo().args(["fmt", "--check"]))?;
    process::run(ws.cargo().current_dir(ws.examples()).args(["fmt", "--check"]))
        .context("format the examples with `cargo fmt` in examples/")
}

/// The examples are looked at as native code, as their unit tests are compiled: a compiler that was made for wasm32
/// alone brings no clippy.
fn lint(ws: &Workspace) -> Result<()> {
    const CLIPPY: [&str; 6] = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    process::run(ws.cargo().args(CLIPPY))?;
    process::run(in_examples(ws).args(CLIPPY))
}

pub(crate) fn build(ws: &Workspace) -> Result<()> {
    process::run(ws.cargo().args(["build", "--workspace", "--all-targets"]))
}

/// All tests, also after one that fails.
fn test(ws: &Workspace) -> Result<()> {
    const TEST: [&str; 3] = ["test", "--workspace", "--no-fail-fast"];
    let mut tests = ws.cargo();
    if python::is_there() {
        // The end-to-end tests run a worker in Python too.
        tests.env("REFRAIN_TEST_PYTHON", python::environment(ws)?);
    }
    process::run(tests.args(TEST))?;
    process::run(in_examples(ws).args(TEST))
}

/// A machine that builds Rust need not have Python: what cannot be checked there is said, and no failure.
fn python_worker(ws: &Workspace) -> Result<()> {
    if !python::is_there() {
        println!("    NOT CHECKED: the Python worker; that needs {}", python::REMEDY);
        return Ok(());
    }
    python::check(ws)
}

fn doc(ws: &Workspace) -> Result<()> {
    process::run(ws.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// With the host that the tests ran: the one of `cargo xtask example` has fewer features in small dependencies, as no
/// test is compiled with it, and would be built anew.
fn examples(ws: &Workspace) -> Result<()> {
    guests::build(ws)?;
    build(ws)?;
    example::run_built(ws)
}

/// cargo in the examples' workspace, for native code.
fn in_examples(ws: &Workspace) -> std::process::Command {
    let mut cargo = ws.cargo();
    cargo.current_dir(ws.examples()).env("CARGO_TARGET_DIR", guests::target_dir(ws));
    cargo
}
