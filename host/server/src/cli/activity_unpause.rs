//! `refrain activity unpause`.

use clap::Args;

use super::{ActivityArgs, Context, Ending, done};
use crate::wire::UnpauseActivity;

/// Let a paused activity go on: its next attempt may begin at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity unpause order/42 3
  refrain activity unpause order/42 3 --reset-attempts")]
pub(super) struct Unpause {
    #[command(flatten)]
    activity: ActivityArgs,
    /// Begin again with attempt 1.
    #[arg(long)]
    reset_attempts: bool,
    /// Give the next attempt no details of an earlier heartbeat.
    #[arg(long)]
    reset_heartbeat: bool,
}

impl Unpause {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let Self { reset_attempts, reset_heartbeat, .. } = self;
        let request = UnpauseActivity { reset_attempts, reset_heartbeat, run_id };
        let answer = context.client.unpause_activity(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the activity goes on"))
    }
}
