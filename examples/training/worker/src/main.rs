//! The worker of the example `training`: a process that takes its tasks from a host's task queue and computes.
//!
//! Where the host is, and with which key, it reads from the environment, as each worker does.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use refrain_worker::Worker;

mod activities;
mod data;
mod folder;
mod model;
mod text;

use activities::Training;
use folder::Folder;

/// The task queue that the workflow names.
const TASK_QUEUE: &str = "training";

/// How many attempts at once: training keeps a processor busy.
const SLOTS: usize = 2;

/// How often the host hears of progress, so that people can watch it.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

const USAGE: &str = "\
usage: REFRAIN_ADDRESS=http://127.0.0.1:7420 training-worker FOLDER
FOLDER is for data, checkpoints and models; all workers of the task queue share it";

#[tokio::main]
async fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context(USAGE)?);
    tracing_subscriber::fmt().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
    let worker = Worker::from_env()
        .task_queue(TASK_QUEUE)
        .slots(SLOTS)
        .max_heartbeat_interval(HEARTBEAT_INTERVAL)
        .plugin(Training::new(Folder::open(&folder)?))
        .build()?;
    worker.run().await?;
    Ok(())
}
