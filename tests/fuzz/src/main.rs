//! Searches for inputs that break a promise, from another seed each time: `cargo xtask fuzz` runs it.

#![expect(clippy::print_stdout, reason = "what it prints is its purpose")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use refrain_fuzz::driver::Limit;
use refrain_fuzz::{TARGETS, target};

/// Searches for inputs that break a promise of a target.
#[derive(Parser)]
struct Arguments {
    /// The target, such as `journal`.
    name: String,
    /// How long.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// What the inputs follow from; another one each time if nothing is said.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let found = target(&arguments.name).with_context(|| {
        let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        format!("there is no target {:?}; there are {}", arguments.name, known.join(", "))
    })?;
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => u64::from(getrandom::u32()?),
    };
    println!(
        "{} from seed {seed}, for {} min; an input that ends this process is in {}",
        found.name,
        arguments.minutes,
        found.running().display()
    );
    let began = Instant::now();
    let inputs = found.search(seed, Limit::Time(Duration::from_secs(60 * arguments.minutes)))?;
    println!(
        "{}: {inputs} inputs in {:.0} s, and no promise broke",
        found.name,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
