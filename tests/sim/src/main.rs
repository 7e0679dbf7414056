//! `refrain-sim`: simulates seeds, each in a process of its own.

#![expect(clippy::print_stdout, reason = "what it prints is its purpose")]

use std::process::ExitCode;

#[cfg(feature = "wasm")]
use anyhow::Context;
use clap::Parser;
use refrain_sim::code::Code;
use refrain_sim::options::Options;
use refrain_sim::{entropy, simulation, trace};

/// Simulates one seed, and fails when something does not hold.
#[derive(Parser)]
struct Arguments {
    /// Decides everything.
    #[arg(long)]
    seed: u64,
    /// Executions that clients start.
    #[arg(long, default_value_t = Options::default().executions)]
    executions: u64,
    /// The host crashes at most so often.
    #[arg(long, default_value_t = Options::default().crashes)]
    crashes: u64,
    /// Has this component's workflow `actor` in place of scripts.
    #[cfg(feature = "wasm")]
    #[arg(long, value_name = "FILE")]
    component: Option<std::path::PathBuf>,
    /// Prints everything that happened.
    #[arg(long)]
    trace: bool,
    /// Plants this bug.
    #[cfg(feature = "planted")]
    #[arg(long)]
    plant: Option<String>,
    /// Names the bugs that can be planted, and does nothing else.
    #[cfg(feature = "planted")]
    #[arg(long)]
    bugs: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    entropy::decide(arguments.seed);
    #[cfg(feature = "planted")]
    if arguments.bugs {
        refrain_engine::planted::BUGS.iter().for_each(|bug| println!("{bug}"));
        return ExitCode::SUCCESS;
    }
    #[cfg(feature = "planted")]
    if let Some(bug) = &arguments.plant {
        refrain_engine::planted::plant(bug);
    }
    let component = match component(&arguments) {
        Ok(component) => component,
        Err(error) => {
            println!("seed {}: {error:#}", arguments.seed);
            return ExitCode::FAILURE;
        }
    };
    let with_component = with_component(&arguments);
    let Arguments { seed, executions, crashes, .. } = arguments;
    let options = Options { executions, crashes, ..Options::default() };
    let verdict = simulation::run(seed, &options, component);
    if arguments.trace {
        print!("{}", verdict.trace);
    }
    let fingerprint = trace::fingerprint(&verdict.trace);
    let events = verdict.trace.lines().count();
    println!(
        "seed {seed}: {} runs, {} lives, {events} events, trace {fingerprint:016x}",
        verdict.runs, verdict.lives
    );
    for violation in &verdict.violations {
        println!("  {violation}");
    }
    if verdict.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "  again: refrain-sim --seed {seed} --executions {executions} --crashes {crashes}{with_component} --trace"
    );
    ExitCode::FAILURE
}

/// The component that is asked for.
#[cfg(feature = "wasm")]
fn component(arguments: &Arguments) -> anyhow::Result<Option<Code>> {
    let Some(path) = &arguments.component else { return Ok(None) };
    let wasm = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let code = Code::component(wasm).with_context(|| path.display().to_string())?;
    // To compile it has drawn who knows how much.
    entropy::decide(arguments.seed);
    Ok(Some(code))
}

#[cfg(not(feature = "wasm"))]
fn component(_: &Arguments) -> anyhow::Result<Option<Code>> {
    Ok(None)
}

/// The option by which it is asked for again.
#[cfg(feature = "wasm")]
fn with_component(arguments: &Arguments) -> String {
    let path = arguments.component.as_ref();
    path.map_or_else(String::new, |path| format!(" --component {}", path.display()))
}

#[cfg(not(feature = "wasm"))]
fn with_component(_: &Arguments) -> String {
    String::new()
}
