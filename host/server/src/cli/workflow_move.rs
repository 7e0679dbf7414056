//! `refrain workflow move`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::client::ClientError;
use crate::render;
use crate::wire::MoveRequest;

/// Move a run to another version of its component, if that replays it.
///
/// The run's journal is replayed with it first, between two steps. If the code differs from it, the run stays as it is
/// and it is said where. A parked run that is moved goes on: this is how a fixed version rescues it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow move order/42 --version 3 --reason 'fixes the rounding'
  refrain workflow move order/42 --undo")]
pub(super) struct Move {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    to: To,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

/// Where to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The version.
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    /// The newest version of this code: the digest of an upload, all of it.
    #[arg(long)]
    digest: Option<String>,
    /// The code before the latest move, if the run has recorded nothing since.
    #[arg(long)]
    undo: bool,
}

impl Move {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let To { version, digest, undo } = self.to;
        let request = MoveRequest { version, digest, undo, reason: self.reason, run_id: self.run.run_id };
        let moved = context.client.move_run(&self.run.id, &request).await.inspect_err(|error| {
            if let ClientError::Refused(problem) = error
                && let Some(mismatch) = &problem.mismatch
            {
                context.out.say(&render::describe::differs(mismatch));
            }
        })?;
        if context.out.is_json() {
            context.out.json_line(&moved.text);
            return Ok(Exit::Ok);
        }
        let run = moved.value;
        let code = format!("version {} of {}", run.version, run.component);
        context.out.say(&if run.moved {
            format!("{code} executes the run now; its replay was {}", run.verdict)
        } else {
            format!("{code} executes the run already")
        });
        Ok(Exit::Ok)
    }
}
