//! `refrain component move`.

use clap::Args;

use super::sweep::{self, SelectionArgs, exit};
use super::{Context, Ending};
use crate::wire::MoveRunsRequest;

/// Move the open runs of a component to one of its versions, as far as that replays them.
///
/// Each run is replayed with it first, between two of its steps. One that would not go on with it stays as it is. A
/// parked run that is moved goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain component move shop --to 3 --percent 10
  refrain component move shop --to 3
  refrain component move shop --to 2 --from-version 3 --reason 'version 3 charges twice'

It exits with 8 if runs were not moved, because they would not go on with the version.")]
pub(super) struct Move {
    /// The component's name.
    name: String,
    /// The version.
    #[arg(long, value_name = "N")]
    to: u32,
    /// So many of a hundred runs. A higher number means the same runs and more.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: Option<u8>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Move {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let SelectionArgs { workflow, from_version } = self.selection;
        let request = MoveRunsRequest {
            to_version: self.to,
            percent: self.percent,
            workflow,
            from_version,
            reason: self.reason,
        };
        let lines = context.client.move_runs(&self.name, &request).await?;
        let summary = sweep::follow(context, &self.name, lines).await?;
        sweep::say_moved(context, self.to, &summary);
        Ok(exit(&summary))
    }
}
