//! `refrain workflow describe`.

use std::time::Duration;

use clap::Args;

use super::{Context, Ending, Exit, RunArgs};
use crate::client::{Client, ClientError};
use crate::render;
use crate::wire::{Description, Failure, Status};

/// Look at a run: where it stands, what it waits for, why it is parked or did not complete.
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
            let run = &answer.value;
            context
                .out
                .data(&render::describe::description(run, failure(&context.client, run).await?.as_ref()));
        }
        Ok(Exit::Ok)
    }
}

/// Why a run did not complete, which is a part of its result.
async fn failure(client: &Client, run: &Description) -> Result<Option<Failure>, ClientError> {
    if !matches!(run.status, Status::Failed | Status::Canceled | Status::Terminated) {
        return Ok(None);
    }
    Ok(client.result(&run.id, Some(&run.run_id), Duration::ZERO).await?.value.failure)
}
