//! The real binary on a real disk, killed again and again under load: the end-to-end test of kills, for as long as one
//! likes. What it does is in `tests/src/bin/torture.rs`.

use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{guests, host, process};

/// How long it goes on if nothing is said, in minutes.
const MINUTES: u64 = 2;

/// Runs `cargo xtask torture` with these arguments.
pub(crate) fn run(ws: &Workspace, arguments: &[&str]) -> Result<()> {
    let (minutes, seed) = parse(arguments)?;
    process::heading("building the host, its workers and the examples");
    match env::var_os(host::GIVEN) {
        Some(_) => process::run(ws.cargo().args(["build", "--package", "refrain-tests", "--bins"]))?,
        None => ws.build_host()?,
    }
    guests::build(ws)?;
    process::heading(&format!("torture; again: cargo xtask torture --minutes {minutes} --seed {seed}"));
    let mut torture = Command::new(ws.binary("refrain-torture"));
    torture.env("REFRAIN_TEST_MINUTES", minutes.to_string()).env("REFRAIN_TEST_SEED", seed.to_string());
    process::run(&mut torture)
}

fn parse(arguments: &[&str]) -> Result<(u64, u64)> {
    // Short enough to be typed again.
    let (mut minutes, mut seed) = (MINUTES, RandomState::new().build_hasher().finish() % 1_000_000);
    for option in arguments.chunks(2) {
        let [name, value] = option else { bail!("{} needs a number after it", option[0]) };
        let number = value.parse().with_context(|| format!("{name} {value}: that is no whole number"));
        match *name {
            "--minutes" => minutes = number?,
            "--seed" => seed = number?,
            other => bail!("torture {other}: there are --minutes M and --seed N"),
        }
    }
    Ok((minutes, seed))
}
