//! `refrain workflow reset`.

use clap::Args;

use super::input::fresh_request_id;
use super::{Context, Ending, Exit, RunArgs, kept};
use crate::wire::{ResetChildren, ResetWorkflow};

/// Let an execution go on as a new run, from the end of an earlier step.
///
/// The run is terminated if it has not ended. What is open at the end of that step is begun again: activities run again,
/// timers keep their deadlines, and signals that came later come again. Updates that were answered stay so. The new run of
/// one that is paused is paused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow show order/42
  refrain workflow reset order/42 --event 7 --reason 'the price was wrong'
  refrain workflow reset order/42 --event 0 --exclude-signals")]
pub(super) struct Reset {
    #[command(flatten)]
    run: RunArgs,
    /// The event whose step is the last that is kept, by its number in `workflow show`; 0: none is kept.
    #[arg(long, value_name = "EVENT")]
    event: u64,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// Do not give the new run the signals that came later.
    #[arg(long)]
    exclude_signals: bool,
    /// What becomes of children that are open there.
    #[arg(long, value_enum, default_value_t = ResetChildren::Leave)]
    children: ResetChildren,
    /// A reset that is repeated with the same key is the same reset; made anew unless given.
    #[arg(long, value_name = "KEY")]
    request_id: Option<String>,
}

impl Reset {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = ResetWorkflow {
            event: self.event,
            run_id: self.run.run_id,
            reason: self.reason,
            exclude_signals: self.exclude_signals,
            children: self.children,
            request_id: Some(self.request_id.unwrap_or_else(fresh_request_id)),
        };
        let answer = context.client.reset(&self.run.id, &request).await?;
        let (out, run) = (context.out, &answer.value);
        if out.is_json() {
            out.json_line(&answer.text);
        } else {
            out.data(&run.run_id);
        }
        out.say(&format!("goes on as run {}, {}", run.run_id, kept(run)));
        Ok(Exit::Ok)
    }
}
