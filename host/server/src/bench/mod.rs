//! `refrain bench`: the host's own load, with each figure beside a limit measured in the same run.
//!
//! A figure alone says more of the machine than of Refrain. So each one comes with what the machine could do at
//! best, measured minutes before or after, and the ratio of the two. Nothing here passes or fails.
//!
//! | workload | measures | limit |
//! |---|---|---|
//! | `hello` | runs of one activity | the same load on a store in memory |
//! | `sequence` | runs of ten activities in a row | the same load on a store in memory; for one client's latency, as many `fdatasync`s as the run makes commits |
//! | `local` | runs of ten local activities in a row | the same runs with ordinary ones: the ratio is what they save |
//! | `workers` | activities done by a worker over HTTP | the same activities in the host's process |
//! | `sleep` | accepting sleeping runs, the memory they take, how late they wake | - |
//! | `replay` | replaying journals of 1,000, 10,000 and 100,000 entries | a host call that reads the clock |
//! | `signal` | signals to runs that wait for them | the same load on a store in memory; for one sender's latency, one `fdatasync` |
//! | `query` | asking runs whose journals have 100 and 10,000 entries | - |
//! | `children` | runs of ten children at once, and one run of 1,000 | the same load on a store in memory |
//! | `open-ops` | a wait while 1,000 ops are open | a wait while none is |

mod children;
mod disk;
mod load;
mod query;
mod replay;
mod report;
mod rig;
mod signal;
mod sleep;
mod workers;

use std::path::PathBuf;

use clap::ValueEnum;

use load::Load;
pub use report::{Figure, Report};
use rig::Transport;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Runs of one activity.
    Hello,
    /// Runs of ten activities in a row.
    Sequence,
    /// Runs of ten local activities in a row.
    Local,
    /// Activities of a worker over HTTP.
    Workers,
    /// Sleeping runs.
    Sleep,
    /// Replays of journals.
    Replay,
    /// Signals to runs that wait for them.
    Signal,
    /// Queries to runs with short and long journals.
    Query,
    /// Runs of many children.
    Children,
    /// Waits while many ops are open.
    OpenOps,
}

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// The component with the workflows of the load: `examples/rust-bench`.
    pub component: PathBuf,
    /// The folder in which data directories are made; the file system's speed is what is measured.
    pub dir: PathBuf,
    /// How many clients ask at once, one measurement after the other.
    pub clients: Vec<usize>,
    /// How many polls of the worker wait at once, and how many tasks it does at once, for the workload `workers`.
    pub pollers: Vec<usize>,
    /// How long each measurement takes.
    pub seconds: u64,
    /// How many runs sleep.
    pub sleepers: u64,
    /// How many runs wait for signals.
    pub runs: usize,
    /// Whether clients ask over HTTP, and not in this process.
    pub http: bool,
}

/// Measures a workload.
///
/// # Errors
/// When a host cannot be had or does not do what it is asked.
pub async fn run(workload: Workload, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let component = std::fs::read(&options.component).map_err(|error| {
        anyhow::anyhow!(
            "cannot read the component {}: {error}; `cargo xtask guests` builds it, and --component says where it is",
            options.component.display()
        )
    })?;
    match workload {
        Workload::Hello => load::measure(HELLO, &component, options, report).await,
        Workload::Sequence => load::measure(SEQUENCE, &component, options, report).await,
        Workload::Local => load::measure_local(LOCAL, SEQUENCE, &component, options, report).await,
        Workload::Workers => workers::measure(&component, options, report).await,
        Workload::Sleep => sleep::measure(&component, options, report).await,
        Workload::Replay => replay::measure(&component, options, report).await,
        Workload::Signal => signal::measure(&component, options, report).await,
        Workload::Query => query::measure(&component, options, report).await,
        Workload::Children => children::measure(&component, options, report).await,
        Workload::OpenOps => replay::measure_open_ops(&component, options, report).await,
    }
}

/// One activity. Three commits: the start, and two steps.
const HELLO: Load = Load { name: "hello", workflow: "bench_hello", input: "null", commits: 3 };

/// Ten activities in a row. Twelve commits: the start, and eleven steps.
const SEQUENCE: Load =
    Load { name: "sequence", workflow: "bench_sequence", input: r#"{"n":10}"#, commits: 12 };

/// Ten local activities in a row: the start, and as a rule one commit with all steps.
const LOCAL: Load = Load { name: "local", workflow: "bench_local", input: r#"{"n":10}"#, commits: 2 };

impl Options {
    fn transport(&self) -> Transport {
        if self.http { Transport::Http } else { Transport::InProcess }
    }
}
