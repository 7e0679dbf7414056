//! `refrain component check`.

use std::path::PathBuf;

use clap::Args;

use super::certify;
use super::component_push::read;
use super::histories::{Replays, Source, default_jobs};
use super::sweep::{self, SelectionArgs, exit};
use super::{CliError, Context, Ending, Exit};
use crate::replay::files;

/// Replay the open runs of a component with other code, before it is uploaded or they are moved.
///
/// Nothing changes, and the runs go on meanwhile. Each run's journal is replayed in an instance of its own: it is
/// identical (every call), compatible (the same commands and markers, other reads), or it says where the code differs.
/// With --histories the runs that are recorded in files are replayed too, here; and alone, without a host, where no
/// component's name is given. With --scenarios the component itself is looked at: each scenario is played on hosts that it
/// cannot tell apart (code that was not optimized, other memory, a replay before each step), and must leave the
/// same journals, byte for byte.
#[derive(Debug, Args)]
#[command(
    override_usage = "refrain component check [OPTIONS] NAME <FILE|--version N>\n       \
                      refrain component check [OPTIONS] [NAME] FILE [--histories FOLDER] [--scenarios FOLDER]",
    after_help = "\
Examples:
  refrain component check shop target/wasm32-unknown-unknown/release/shop.wasm
  refrain component check shop new.wasm --sample 100 --json
  refrain component check shop --version 3 --from-version 2
  refrain component check new.wasm --histories tests/histories
  refrain component check new.wasm --scenarios scenarios

It exits with 8 if runs would not go on with the code, or if it is not deterministic, for CI."
)]
pub(super) struct Check {
    /// The component's name.
    name: String,
    /// The .wasm file: a component, or a core module that carries its WIT world.
    #[arg(required_unless_present_any = ["version", "histories", "scenarios"], conflicts_with = "version")]
    file: Option<PathBuf>,
    /// A version of the component, instead of a file.
    #[arg(long, value_name = "N", conflicts_with = "histories")]
    version: Option<u32>,
    /// Files of histories, and folders of them, as of `refrain replay`; can be given again.
    #[arg(long, value_name = "FILE|FOLDER")]
    histories: Vec<PathBuf>,
    /// Files of scenarios, and folders of them, as of `refrain test`; can be given again.
    #[arg(long, value_name = "FILE|FOLDER", conflicts_with = "version")]
    scenarios: Vec<PathBuf>,
    /// So many runs at most, evenly over all of them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Only this run, by its run id; can be given again.
    #[arg(long = "run-id", value_name = "RUN_ID")]
    runs: Vec<String>,
    #[command(flatten)]
    selection: SelectionArgs,
}

impl Check {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { name, file, version, histories, scenarios, sample, runs, selection } = self;
        // Without a host the one argument is the file.
        let (name, file) = match file {
            None if !histories.is_empty() || !scenarios.is_empty() => (None, Some(PathBuf::from(name))),
            file => (Some(name), file),
        };
        if name.is_none() && (sample.is_some() || !runs.is_empty() || selection.from_version.is_some()) {
            return Err(CliError::usage(
                "--sample, --run-id and --from-version are about the runs of a host: give the component's name before the file",
            ));
        }
        let bytes = file.as_deref().map(read).transpose()?;
        let mut ended = Exit::Ok;
        if let (Some(file), Some(bytes)) = (&file, bytes.as_ref().filter(|_| !histories.is_empty())) {
            let found = files::find(&histories).map_err(|error| CliError::usage(error.to_string()))?;
            let replays = Replays {
                component: bytes.clone(),
                name: file.display().to_string(),
                sources: found.into_iter().map(Source::File).collect(),
                workflow: selection.workflow.clone(),
                jobs: default_jobs(),
                junit: None,
            };
            ended = replays.run(context).await?;
        }
        if let Some(file) = file.as_deref().filter(|_| !scenarios.is_empty()) {
            let certified = certify::run(file, scenarios, context.out).await?;
            ended = if ended == Exit::Ok { certified } else { ended };
        }
        let Some(name) = name else { return Ok(ended) };
        let request = selection.check(sample, runs);
        let lines = match (bytes, version) {
            (Some(bytes), _) => context.client.check_component(&name, bytes, request).await?,
            (None, Some(version)) => context.client.check_version(&name, version, &request).await?,
            (None, None) => return Err(CliError::usage("give a file, or a --version")),
        };
        let summary = sweep::follow(context, &name, lines).await?;
        if !summary.safe {
            context.out.say("some runs would not go on with this code");
        }
        Ok(if ended == Exit::Ok { exit(&summary) } else { ended })
    }
}
