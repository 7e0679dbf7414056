//! `refrain workflow describe`.

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::render;

/// Look at a run: where it stands, what it waits for, why it is parked.
#[derive(Debug, Args)]
pub(super) struct Describe {
    #[command(flatten)]
    run: RunArgs,
}

impl Describe {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.describe(&self.run.id, self.run.run_id.as_deref()).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        } else {
            context.out.data(&render::describe::description(&answer.value));
        }
        Ok(Exit::Ok)
    }
}
