//! `refrain replay`.

use std::path::{Path, PathBuf};

use clap::Args;
use refrain_engine::guest::Image;
use refrain_sandbox::Building;

use super::component_push::read;
use super::histories::{Replays, Source, default_jobs, write_file};
use super::host_runs::HostRuns;
use super::workflow_debug::{At, begin, from_file, print_call};
use super::{CliError, Context, Ending, Exit};
use crate::render::size;
use crate::replay::files;

/// Replay recorded histories with a component: does it still make the calls that they have?
///
/// Everything happens in this process. Histories come from files that `refrain workflow export` wrote, from folders of
/// such files, or from a host; without --open, --status and --last no host is asked. Each is identical (every call), compatible
/// (the same commands and markers, other reads), or it says where the code differs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain replay target/wasm32-unknown-unknown/release/shop.wasm tests/histories
  refrain replay shop.wasm tests/histories --junit target/replay.xml
  refrain replay shop.wasm --open
  refrain replay shop.wasm --last 1000 --workflow order --json
  refrain replay shop.wasm --status failed
  refrain replay shop.wasm order-42.jsonl --until 3.1
  refrain replay shop.wasm order-42.jsonl --until 3.1 --core-dump order-42.core

It exits with 8 if the code differs from a history, and with 2 if a file is no history that can be replayed.")]
pub(super) struct Replay {
    /// The .wasm file: a component, or a core module as `cargo build` leaves it.
    component: PathBuf,
    /// Files of histories, and folders: of those every file that ends in .jsonl, also in folders within.
    #[arg(value_name = "FILE|FOLDER")]
    histories: Vec<PathBuf>,
    #[command(flatten)]
    runs: HostRuns,
    /// Histories at once; one for each processor unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MOST_JOBS))]
    jobs: Option<u16>,
    /// Of one history, print the run at this call: its number, or its place as reports say it, such as 3.1.
    #[arg(long, value_name = "CALL", conflicts_with_all = ["open", "status", "last", "workflow", "jobs", "junit"])]
    until: Option<At>,
    /// Write what the code's instance is there, as a core dump of WebAssembly: its memory, its globals and its stack.
    #[arg(long, value_name = "FILE", requires = "until")]
    core_dump: Option<PathBuf>,
    /// Write a report for CI, as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Histories at once, at most: each has an instance, with memory of its own.
const MOST_JOBS: i64 = 256;

impl Replay {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { component, histories, runs, jobs, until, core_dump, junit } = self;
        if histories.is_empty() && !runs.are_meant() {
            return Err(CliError::usage(
                "there is nothing to replay: give files or folders of histories, or --open, --status or --last for those \
                 of a host",
            ));
        }
        let bytes = read(&component)?;
        let files = files::find(&histories).map_err(|error| CliError::usage(error.to_string()))?;
        if let Some(at) = until {
            let [path] = &files[..] else {
                return Err(CliError::usage("--until looks at one history: give one file"));
            };
            return look(context, &component, bytes, path, at, core_dump.as_deref()).await;
        }
        let listed = runs.list(&context.client, false).await?;
        let sources =
            files.into_iter().map(Source::File).chain(listed.into_iter().map(Source::Run)).collect();
        let name = component.display().to_string();
        let jobs = jobs.map_or_else(default_jobs, usize::from);
        Replays { component: bytes, name, sources, workflow: runs.workflow, jobs, junit }.run(context).await
    }
}

/// Prints the run of a history at a call, and writes its core dump there.
async fn look(
    context: &Context,
    component: &Path,
    bytes: Vec<u8>,
    path: &Path,
    at: At,
    core_dump: Option<&Path>,
) -> Ending {
    let (component, name) = (component.display().to_string(), path.display().to_string());
    let building = Building { images: core_dump.is_some(), ..Building::default() };
    let session = begin((&component, bytes), (&name, from_file(path)?), false, building).await?;
    let index = at.find(&session.calls)?;
    let found = print_call(context, &session, index).await?;
    if let Some(path) = core_dump {
        let dump = match found.image {
            Some(Image { core_dump, .. }) => core_dump,
            None => Err("the code has returned: give a call before"),
        };
        let dump =
            dump.map_err(|why| CliError::usage(format!("there is no core dump at call {at}: {why}")))?;
        write_file(path, &dump)?;
        context.out.say(&format!("wrote a core dump to {} ({})", path.display(), size(dump.len() as u64)));
    }
    Ok(Exit::Ok)
}
