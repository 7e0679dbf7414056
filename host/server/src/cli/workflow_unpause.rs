//! `refrain workflow unpause`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::wire::UnpauseRequest;

/// Let a paused run go on.
#[derive(Debug, Args)]
pub(super) struct Unpause {
    #[command(flatten)]
    run: RunArgs,
}

impl Unpause {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = UnpauseRequest { run_id: self.run.run_id };
        context.client.unpause(&self.run.id, &request).await?;
        context.out.say("the run goes on");
        Ok(Exit::Ok)
    }
}
