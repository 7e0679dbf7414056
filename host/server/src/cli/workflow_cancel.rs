//! `refrain workflow cancel`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::wire::CancelRequest;

/// Ask a run to end early; it decides how, and may clean up first.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    run: RunArgs,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Cancel {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = CancelRequest { reason: self.reason, run_id: self.run.run_id };
        context.client.cancel(&self.run.id, &request).await?;
        context.out.say("the run will get the request");
        Ok(Exit::Ok)
    }
}
