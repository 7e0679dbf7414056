//! `refrain test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use refrain_testkit::Code;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::dev::files::Files;
use super::dev::watch::Watch;
use super::dev::{builds, own_dir};
use super::histories::{default_jobs, write_file};
use super::output::Output;
use super::{CliError, Ending, Exit};
use crate::project::manifest::{self, Manifest, ManifestError};
use crate::render::junit::JUnit;
use crate::render::scenario::Tally;
use crate::scenario::load::{Component, Loader, Suite};
use crate::scenario::suite::{self, Options, Report, Unexpected};

/// The folder of scenarios, in a project.
const FOLDER: &str = "scenarios";
/// Compiled code, in the project's own folder.
const COMPILED: &str = "test-compiled";

/// Test workflows with scenarios, in virtual time.
///
/// A scenario says in TOML what a workflow is started with, what its activities and children answer, what happens
/// meanwhile, and what is expected: docs/TESTING.md explains the keys. The host is in this process, its clock goes on to
/// what is due next, so that years take milliseconds, and no host or plugin is asked unless a scenario says so. In a
/// project the component is built first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain test                                   the scenarios of the project in this folder
  refrain test scenarios/order.toml --filter refund
  refrain test --crash-everywhere                kill the host before and after each of its writes
  refrain test --seeds 100                       with 100 seeds of all that is random
  refrain test --bless                           accept histories that differ; then read `git diff`
  refrain test --watch                           again with each change
  refrain test tests --component shop.wasm --junit target/scenarios.xml

It exits with 1 if a scenario fails, and with 2 if a file is none of scenarios.")]
pub(super) struct Test {
    /// Files of scenarios, and folders of them. [default: the folder scenarios]
    #[arg(value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,
    /// The component that files are about which name none. [default: the project's]
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Only scenarios with this in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Play each scenario once more for each moment at which the host could die, and once with a host that drops each
    /// instance at each wait, and compare result and calls.
    #[arg(long)]
    crash_everywhere: bool,
    /// Play each scenario with so many seeds, from its own on.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MOST_SEEDS))]
    seeds: u64,
    /// Accept histories that differ from those that were accepted before.
    #[arg(long)]
    bless: bool,
    /// Scenarios at once; one for each processor unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Write a report for CI, as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Play them again with each change of the project.
    #[arg(long)]
    watch: bool,
    /// Do not build the project's component first.
    #[arg(long)]
    no_build: bool,
}

/// Seeds of one scenario, at most: a slip of the finger is not to run for days.
const MOST_SEEDS: u64 = 1_000_000;

/// What `--json` prints of each scenario.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
enum Line<'a> {
    Scenario {
        file: String,
        name: &'a str,
        passed: bool,
        virtual_seconds: f64,
        real_seconds: f64,
        crashes: u64,
        blessed: bool,
        unexpected: &'a [Unexpected],
        remarks: &'a [String],
    },
    Summary {
        passed: u64,
        failed: u64,
    },
}

impl Test {
    pub(super) fn run(self, out: Output) -> Ending {
        let manifest = match Manifest::read(Path::new(".")) {
            Ok(manifest) => Some(manifest),
            Err(ManifestError::Missing(_)) => None,
            Err(error) => return Err(CliError::usage(error.to_string())),
        };
        // Only a build and a watch wait for anything here; scenarios have runtimes of their own.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::system("cannot start a runtime", &error))?;
        if self.watch {
            let Some(manifest) = &manifest else {
                let file = manifest::FILE;
                return Err(CliError::usage(format!(
                    "--watch is for a project, and there is no {file} here"
                )));
            };
            return self.watch(manifest, &runtime, out);
        }
        self.once(manifest.as_ref(), &runtime, out)
    }

    /// Plays them with each change, until it is interrupted.
    fn watch(&self, manifest: &Manifest, runtime: &Runtime, out: Output) -> Ending {
        let root =
            Path::new(".").canonicalize().map_err(|error| CliError::system("cannot work here", &error))?;
        let mut manifest = manifest.clone();
        if !manifest.watch.is_empty() {
            manifest.watch.push(format!("{FOLDER}/**"));
        }
        // In its context, which the watch of the system's wants.
        let mut watch = runtime.block_on(async { Watch::new(Files::new(&root, &manifest)?) })?;
        loop {
            // How it is built may have changed, too.
            let played = match Manifest::read(Path::new(".")) {
                Ok(manifest) => self.once(Some(&manifest), runtime, out),
                Err(error) => Err(CliError::usage(error.to_string())),
            };
            if let Err(error) = played {
                out.error(&error);
            }
            // What a build made is no change of somebody's.
            watch.look_after_build()?;
            out.say("waiting for a change; Ctrl-C ends it");
            let changed = runtime.block_on(watch.changed())?;
            out.say(&format!("\nchanged: {}", changed.join(", ")));
        }
    }

    fn once(&self, manifest: Option<&Manifest>, runtime: &Runtime, out: Output) -> Ending {
        let began = Instant::now();
        let files = self.files()?;
        let default = self.component(manifest, runtime, out)?;
        let cache = manifest.map(|_| own_dir(Path::new("."))).transpose()?;
        let code = Code::new(cache.map(|own| own.join(COMPILED)));
        let mut loader = Loader::new(code.map_err(|error| CliError::failed(error.to_string()))?, default);
        let suites: Result<Vec<Suite>, _> = files.iter().map(|path| loader.open(path)).collect();
        let suites = suites.map_err(|error| CliError::usage(error.to_string()))?;
        let options = Options {
            filter: self.filter.clone(),
            crash_everywhere: self.crash_everywhere,
            seeds: self.seeds,
            bless: self.bless,
            jobs: self.jobs.map_or_else(default_jobs, usize::from),
        };
        let (mut tally, mut xml) = (Tally::default(), JUnit::new("scenarios"));
        suite::run(&suites, &options, |report| {
            xml.add_scenario(&report);
            let text = tally.report(&report);
            if out.is_json() { print(out, &line(&report)) } else { out.data(&text) }
        });
        if tally.all() == 0 {
            let filter = self.filter.as_deref().unwrap_or_default();
            return Err(CliError::usage(format!("no scenario has {filter:?} in its name")));
        }
        if let Some(path) = &self.junit {
            write_file(path, xml.text().as_bytes())?;
        }
        if out.is_json() {
            print(out, &Line::Summary { passed: tally.all() - tally.failed(), failed: tally.failed() });
        } else {
            out.data(&format!("\n{}", tally.summary(began.elapsed())));
        }
        Ok(if tally.failed() == 0 { Exit::Ok } else { Exit::NotCompleted })
    }

    /// The component of files that name none: as it was given, or the project's, built.
    fn component(
        &self,
        manifest: Option<&Manifest>,
        runtime: &Runtime,
        out: Output,
    ) -> Result<Option<Component>, CliError> {
        if let Some(component) = &self.component {
            return Ok(Some(Component::named_by(component.clone())));
        }
        let Some(manifest) = manifest else { return Ok(None) };
        if !self.no_build {
            out.say(&format!("building: {}", manifest.build));
            let built = runtime.block_on(builds::run(&manifest.build, Path::new(".")));
            let built = built.map_err(|error| CliError::system("cannot run sh", &error))?;
            if !built.success() {
                return Err(CliError::usage(format!("the build failed: {built}")));
            }
        }
        Ok(Some(Component { name: manifest.name.clone(), path: manifest.component.clone() }))
    }

    fn files(&self) -> Result<Vec<PathBuf>, CliError> {
        if !self.paths.is_empty() {
            return scenario_files(&self.paths);
        }
        if !Path::new(FOLDER).exists() {
            return Err(CliError::usage(format!(
                "there is no folder {FOLDER} here: name files of scenarios, or folders of them; `refrain new` makes a \
                 project with one"
            )));
        }
        scenario_files(&[PathBuf::from(FOLDER)])
    }
}

/// The files of scenarios that these paths mean, in order: of a folder those that end in .toml.
pub(super) fn scenario_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |error| CliError::usage(format!("cannot read {}: {error}", path.display()));
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            if entry.extension().is_some_and(|extension| extension == "toml") {
                found.push(entry);
            }
        }
        if found.is_empty() {
            return Err(CliError::usage(format!("{} has no .toml file of scenarios", path.display())));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn print(out: Output, line: &Line<'_>) {
    out.json_line(&serde_json::to_string(line).unwrap_or_default());
}

fn line(report: &Report) -> Line<'_> {
    Line::Scenario {
        file: report.path.display().to_string(),
        name: &report.name,
        passed: report.unexpected.is_empty(),
        virtual_seconds: report.virtual_time.as_secs_f64(),
        real_seconds: report.real_time.as_secs_f64(),
        crashes: report.crashes,
        blessed: report.blessed,
        unexpected: &report.unexpected,
        remarks: &report.remarks,
    }
}
