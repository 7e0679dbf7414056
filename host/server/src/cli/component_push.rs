//! `refrain component push`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::sweep::{self, exit};
use super::{CliError, Context, Ending, Exit};
use crate::wire::{CheckRequest, MoveRunsRequest};

/// Upload a component, which becomes the current version of its name.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain component push target/wasm32-unknown-unknown/release/shop.wasm
  refrain component push shop.wasm --move-running
  refrain component push shop.wasm --move-running=10

With --move-running the open runs are checked first. If some would not go on with the component nothing is uploaded,
and it exits with 8.")]
pub(super) struct Push {
    /// The .wasm file: a component, or a core module that carries its WIT world.
    file: PathBuf,
    /// The component's name; the file's name without its ending unless given.
    #[arg(long)]
    name: Option<String>,
    /// Check the open runs first, and move them to the new version; with a number so many of a hundred.
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, require_equals = true, default_missing_value = "100")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=100))]
    move_running: Option<u8>,
}

impl Push {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { file, name, move_running } = self;
        let bytes = read(&file)?;
        let stem = || file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        let name = name
            .or_else(stem)
            .ok_or_else(|| CliError::usage("the file's name is no UTF-8: give a --name"))?;
        if move_running.is_some() {
            let lines = context.client.check_component(&name, bytes.clone(), CheckRequest::default()).await?;
            let summary = sweep::follow(context, &name, lines).await?;
            if !summary.safe {
                context.out.say("some runs would not go on with this code: nothing was uploaded");
                return Ok(Exit::Diverges);
            }
        }
        let answer = context.client.put_component(&name, bytes).await?;
        let uploaded = answer.value;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        } else {
            let (name, version, digest) = (&uploaded.name, uploaded.version, &uploaded.digest);
            context.out.data(&format!("{name} version {version} {digest}"));
            let what = if uploaded.created { "a new version" } else { "the current version already" };
            context.out.say(&format!("{what}; workflows: {}", uploaded.workflows.join(", ")));
        }
        let Some(percent) = move_running else { return Ok(Exit::Ok) };
        let request = MoveRunsRequest {
            to_version: uploaded.version,
            percent: Some(percent),
            reason: format!("version {} was pushed", uploaded.version),
            ..MoveRunsRequest::default()
        };
        let lines = context.client.move_runs(&name, &request).await?;
        let summary = sweep::follow(context, &name, lines).await?;
        sweep::say_moved(context, uploaded.version, &summary);
        Ok(exit(&summary))
    }
}

/// The bytes of a component.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|error| CliError::usage(format!("cannot read {}: {error}", file.display())))
}
