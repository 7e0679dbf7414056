//! `refrain workflow resume`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::wire::ResumeRequest;

/// Let a parked run try its step again, once what parked it is seen to.
///
/// It runs the same code again: a run stays on the version of the component that executes it until it is moved. To
/// give it a fixed version, move it: `refrain workflow move`.
#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    run: RunArgs,
}

impl Resume {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = ResumeRequest { run_id: self.run.run_id };
        context.client.resume(&self.run.id, &request).await?;
        context.out.say("the run tries again");
        Ok(Exit::Ok)
    }
}
