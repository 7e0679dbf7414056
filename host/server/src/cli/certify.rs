//! `refrain component check --scenarios`: whether a component is deterministic.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::task::spawn_blocking;

use super::output::Output;
use super::test::scenario_files;
use super::{CliError, Exit};
use crate::render::{count, size};
use crate::scenario::certify::{Certified, Certifier, VARIANTS};
use crate::scenario::load::Component;
use crate::scenario::suite::Unexpected;

/// What `--json` prints of each scenario.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    scenario: &'a str,
    same: bool,
    runs: usize,
    bytes: usize,
    memory_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a str>,
    differs: &'a [Unexpected],
}

/// Plays all scenarios of these files and folders on each kind of host, with this component where they name none.
pub(super) async fn run(component: &Path, paths: Vec<PathBuf>, out: Output) -> Result<Exit, CliError> {
    let component = component.to_owned();
    // Compiling and playing block, and playing has runtimes of its own.
    let certified = spawn_blocking(move || all(&component, &paths, out)).await;
    certified.map_err(|panic| CliError::failed(panic.to_string()))?
}

fn all(component: &Path, paths: &[PathBuf], out: Output) -> Result<Exit, CliError> {
    let default = Component::named_by(component.to_owned());
    let certifier = Certifier::new(&default);
    let mut certifier = certifier.map_err(|error| CliError::failed(error.to_string()))?;
    let (mut same, mut differ, mut left_out) = (0, 0, 0);
    let others: Vec<&str> = VARIANTS[1..].iter().map(|variant| variant.name).collect();
    if !out.is_json() {
        let shown = component.display();
        out.data(&format!(
            "{shown}: journals and memory compared with those on hosts with {}\n",
            others.join(", ")
        ));
    }
    for path in scenario_files(paths)? {
        let certified = certifier.certify(&path, |certified| {
            match (&certified.left_out, certified.differs.is_empty()) {
                (Some(_), _) => left_out += 1,
                (None, true) => same += 1,
                (None, false) => differ += 1,
            }
            print(out, &certified);
        });
        certified.map_err(|error| CliError::usage(error.to_string()))?;
    }
    if !out.is_json() {
        let left_out = match left_out {
            0 => String::new(),
            left_out => format!(", {left_out} left out"),
        };
        let words = format!("\n{} the same everywhere, {differ} not{left_out}", count(same, "scenario"));
        out.data(&words);
    }
    Ok(if differ == 0 { Exit::Ok } else { Exit::Diverges })
}

fn print(out: Output, certified: &Certified) {
    let Certified { name, runs, bytes, memory_bytes, differs, left_out } = certified;
    if out.is_json() {
        let line = Line {
            scenario: name,
            same: left_out.is_none() && differs.is_empty(),
            runs: *runs,
            bytes: *bytes,
            memory_bytes: *memory_bytes,
            left_out: left_out.as_deref(),
            differs,
        };
        out.json_line(&serde_json::to_string(&line).unwrap_or_default());
        return;
    }
    if let Some(why) = left_out {
        out.data(&format!("  left out  {name}: {why}"));
        return;
    }
    let word = if differs.is_empty() { "same" } else { "DIFFERS" };
    let (runs, journals, memory) =
        (count(*runs as u64, "run"), size(*bytes as u64), size(*memory_bytes as u64));
    out.data(&format!("  {word:<8}  {name} ({runs}, journals {journals}, memory {memory})"));
    for unexpected in differs {
        out.data(&format!("        {}", unexpected.what));
        for line in unexpected.details.lines() {
            out.data(&format!("          {line}"));
        }
    }
}
