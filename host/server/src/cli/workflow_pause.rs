//! `refrain workflow pause`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::wire::PauseRequest;

/// Let a run make no step until it is unpaused.
///
/// Timers fire, activities run, messages are taken and timeouts go on; what arrives waits for the run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow pause order/42 --reason 'the payment service is down'")]
pub(super) struct Pause {
    #[command(flatten)]
    run: RunArgs,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Pause {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = PauseRequest { reason: self.reason, run_id: self.run.run_id };
        context.client.pause(&self.run.id, &request).await?;
        context.out.say("the run is paused");
        Ok(Exit::Ok)
    }
}
