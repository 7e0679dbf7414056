//! `refrain workflow terminate`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::wire::TerminateRequest;

/// End a run at once; it is not asked and cannot clean up.
#[derive(Debug, Args)]
pub(super) struct Terminate {
    #[command(flatten)]
    run: RunArgs,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Terminate {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = TerminateRequest { reason: self.reason, run_id: self.run.run_id };
        context.client.terminate(&self.run.id, &request).await?;
        context.out.say("the run is terminated");
        Ok(Exit::Ok)
    }
}
