//! `refrain bench`.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Ending, Exit};
use crate::bench::{self, Report, Workload};

/// Measure this machine and this build with a load of Refrain's own.
///
/// The host under load lives in this process, over a new data directory. Each figure comes with what the machine could
/// do at best, measured in the same run, and the ratio of the two.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// What to measure.
    workload: Workload,
    /// How many clients ask at once; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    clients: Vec<usize>,
    /// How many tasks a worker polls for and does at once, for the workload `workers`.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    pollers: Vec<usize>,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many runs sleep, for the workload `sleep`.
    #[arg(long, default_value_t = 100_000)]
    sleepers: u64,
    /// How many runs wait for signals, for the workload `signal`.
    #[arg(long, default_value_t = 1_000)]
    runs: usize,
    /// Ask over HTTP instead of in this process.
    #[arg(long)]
    http: bool,
    /// The folder for data directories: the speed of its file system is measured.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The component of `examples/rust-bench`, which `cargo xtask guests` builds.
    #[arg(
        long,
        env = "REFRAIN_BENCH_COMPONENT",
        default_value = "target/guests/wasm32-unknown-unknown/release/rust_bench.wasm"
    )]
    component: PathBuf,
}

impl Bench {
    pub(super) fn run(self, json: bool) -> Ending {
        let Self { workload, clients, pollers, seconds, sleepers, runs, http, dir, component } = self;
        if clients.contains(&0) || pollers.contains(&0) || seconds == 0 || sleepers == 0 || runs == 0 {
            let message = "--clients, --pollers, --seconds, --sleepers and --runs are at least 1";
            return Err(CliError::usage(message));
        }
        let options = bench::Options { component, dir, clients, pollers, seconds, sleepers, runs, http };
        let runtime =
            tokio::runtime::Runtime::new().map_err(|error| CliError::system("cannot start", &error))?;
        runtime
            .block_on(bench::run(workload, &options, &mut Report::new(json)))
            .map_err(|error| CliError::failed(format!("{error:#}")))?;
        Ok(Exit::Ok)
    }
}
