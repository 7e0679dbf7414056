//! Long simulations: many seeds, or one after the other every bug that can be planted.
//!
//! The simulation of scripts is built in a target directory of its own: the feature `planted` is in no other build, and the
//! workspace's is not built anew for it. That of a real component is the workspace's, which has wasmtime.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{guests, process};

/// Seeds that are tried for one planted bug before it counts as not found.
const SEEDS_FOR_A_BUG: u64 = 400;

/// What is asked for on the command line.
#[derive(Debug)]
struct Options {
    start: u64,
    seeds: u64,
    minutes: Option<u64>,
    planted: bool,
    component: bool,
}

/// The example whose workflow `actor` is simulated.
const COMPONENT: &str = "rust-bench";

/// Runs `cargo xtask sim` with these arguments.
pub(crate) fn run(ws: &Workspace, arguments: &[&str]) -> Result<()> {
    let options = parse(arguments)?;
    if options.component {
        ws.build_host()?;
        guests::build(ws)?;
        let component = guests::path(ws, COMPONENT).display().to_string();
        return search(ws, &ws.binary("refrain-sim"), &options, &["--component", &component]);
    }
    let binary = build(ws, options.planted)?;
    if options.planted { find_planted(&binary, options.start) } else { search(ws, &binary, &options, &[]) }
}

fn parse(arguments: &[&str]) -> Result<Options> {
    let mut options = Options { start: 1, seeds: 100, minutes: None, planted: false, component: false };
    let mut left = arguments.iter();
    while let Some(name) = left.next() {
        let mut number = || -> Result<u64> {
            let value = left.next().with_context(|| format!("{name} needs a number after it"))?;
            value.parse().with_context(|| format!("{name} {value}: that is no whole number"))
        };
        match *name {
            "--start" => options.start = number()?,
            "--seeds" => options.seeds = number()?,
            "--minutes" => options.minutes = Some(number()?),
            "--planted" => options.planted = true,
            "--component" => options.component = true,
            other => {
                bail!("sim {other}: there are --seeds N, --start S, --minutes M, --component and --planted")
            }
        }
    }
    if options.planted && options.component {
        bail!("sim --planted --component: bugs are planted in the simulation of scripts alone");
    }
    if options.minutes.is_some() {
        options.seeds = u64::MAX - options.start;
    }
    Ok(options)
}

fn build(ws: &Workspace, planted: bool) -> Result<PathBuf> {
    let target = ws.target.join("sim");
    let mut cargo = ws.cargo();
    cargo
        .args(["build", "--package", "refrain-sim", "--no-default-features"])
        .env("CARGO_TARGET_DIR", &target);
    if planted {
        cargo.args(["--features", "planted"]);
    }
    process::run(&mut cargo)?;
    Ok(target.join("debug").join("refrain-sim"))
}

fn simulate(binary: &Path, seed: u64, more: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary);
    let output = command.args(["--seed", &seed.to_string()]).args(more).output();
    output.with_context(|| format!("run {}", binary.display()))
}

/// Simulates seeds until one fails, or the time is over.
fn search(ws: &Workspace, binary: &Path, options: &Options, more: &[&str]) -> Result<()> {
    let began = Instant::now();
    let limit = options.minutes.map(|minutes| Duration::from_secs(60 * minutes));
    let (mut seeds, mut runs, mut events, mut failed) = (0_u64, 0_u64, 0_u64, Vec::new());
    for seed in options.start..options.start.saturating_add(options.seeds) {
        if limit.is_some_and(|limit| began.elapsed() > limit) {
            break;
        }
        let output = simulate(binary, seed, more)?;
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        seeds += 1;
        runs += number_before(&words, " runs");
        events += number_before(&words, " events");
        if !output.status.success() {
            print!("{words}{}", String::from_utf8_lossy(&output.stderr));
            failed.push(seed);
        }
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds from {}, {runs} runs, {events} events, {took:.0} s: {} failed",
        options.start,
        failed.len()
    );
    let Some(seed) = failed.first() else { return Ok(()) };
    let commit = process::read(Command::new("git").current_dir(&ws.root).args(["rev-parse", "HEAD"]))?;
    bail!(
        "at commit {}, with default options, seeds {failed:?} failed; to see one happen: {} --seed {seed} --trace {}",
        commit.trim(),
        binary.display(),
        more.join(" ")
    )
}

/// The number that stands before a word of the simulation's summary.
fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit([' ', ',']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Plants each bug in turn, and simulates seeds until one of them fails.
fn find_planted(binary: &Path, start: u64) -> Result<()> {
    let bugs = process::read(Command::new(binary).args(["--seed", "0", "--bugs"]))?;
    println!("{:<28} {:>6} {:>9}  found by", "bug", "seed", "time");
    let mut missed = Vec::new();
    for bug in bugs.lines() {
        let began = Instant::now();
        let mut found = None;
        for seed in start..start + SEEDS_FOR_A_BUG {
            let output = simulate(binary, seed, &["--plant", bug])?;
            if !output.status.success() {
                found = Some((seed, said(&output)));
                break;
            }
        }
        let took = began.elapsed().as_secs_f64();
        match found {
            Some((seed, by)) => println!("{bug:<28} {seed:>6} {took:>7.1} s  {by}"),
            None => {
                println!("{bug:<28} {:>6} {took:>7.1} s  nobody", "-");
                missed.push(bug);
            }
        }
    }
    if missed.is_empty() {
        return Ok(());
    }
    bail!("{SEEDS_FOR_A_BUG} seeds did not find {}", missed.join(", "))
}

/// Which promises broke, or how the host panicked.
fn said(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut checkers: Vec<&str> = words
        .lines()
        .filter(|line| !line.starts_with("  again:"))
        .filter_map(|line| line.strip_prefix("  ")?.split_once(':'))
        .map(|(checker, _)| checker)
        .collect();
    checkers.dedup();
    if checkers.is_empty() { "a panic".to_owned() } else { checkers.join(", ") }
}
