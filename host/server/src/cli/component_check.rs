//! `refrain component check`.

use std::path::PathBuf;

use clap::Args;

use super::component_push::read;
use super::sweep::{self, SelectionArgs, exit};
use super::{CliError, Context, Ending};

/// Replay the open runs of a component with other code, before it is uploaded or they are moved.
///
/// Nothing changes, and the runs go on meanwhile. Each run's journal is replayed in an instance of its own: it is
/// identical (every call), compatible (the same commands and markers, other reads), or it says where the code differs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain component check shop target/wasm32-unknown-unknown/release/shop.wasm
  refrain component check shop new.wasm --sample 100 --json
  refrain component check shop --version 3 --from-version 2

It exits with 8 if runs would not go on with the code, for CI.")]
pub(super) struct Check {
    /// The component's name.
    name: String,
    /// The .wasm file: a component, or a core module that carries its WIT world.
    #[arg(required_unless_present = "version", conflicts_with = "version")]
    file: Option<PathBuf>,
    /// A version of the component, instead of a file.
    #[arg(long, value_name = "N")]
    version: Option<u32>,
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
        let Self { name, file, version, sample, runs, selection } = self;
        let request = selection.check(sample, runs);
        let lines = match (file, version) {
            (Some(file), _) => context.client.check_component(&name, read(&file)?, request).await?,
            (None, Some(version)) => context.client.check_version(&name, version, &request).await?,
            (None, None) => return Err(CliError::usage("give a file, or a --version")),
        };
        let summary = sweep::follow(context, &name, lines).await?;
        if !summary.safe {
            context.out.say("some runs would not go on with this code");
        }
        Ok(exit(&summary))
    }
}
