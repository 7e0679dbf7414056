//! `refrain workflow update-result`.

use clap::Args;
use tokio::time::Instant;

use super::follow::persistently;
use super::workflow_update::{Patience, print};
use super::{Context, Ending, RunArgs};

/// Wait for an update that was sent before, and print its answer.
#[derive(Debug, Args)]
pub(super) struct AwaitUpdate {
    #[command(flatten)]
    run: RunArgs,
    /// The update's id.
    update_id: String,
    #[command(flatten)]
    patience: Patience,
}

impl AwaitUpdate {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let RunArgs { id, run_id } = self.run;
        let (client, stage) = (&context.client, self.patience.stage());
        let say = |words: &str| context.out.say(words);
        let started = Instant::now();
        let question = self.patience.question(started);
        let ask =
            async || client.update_result(&id, &self.update_id, run_id.as_deref(), stage, question).await;
        let answer = persistently(say, ask).await?;
        let answer = self.patience.await_stage(client, &id, answer, started, say).await?;
        print(context.out, &id, &answer, stage)
    }
}
