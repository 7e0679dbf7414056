//! `refrain activity reset`.

use clap::Args;

use super::{ActivityArgs, Context, Ending, done};
use crate::wire::ResetActivity;

/// Take an activity back to its first attempt, at once.
///
/// An attempt that runs goes on and is told at its next heartbeat; if it fails, attempt 1 follows at once. A paused
/// activity goes on, unless --keep-paused is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity reset order/42 3
  refrain activity reset train/7 1 --reset-heartbeat")]
pub(super) struct Reset {
    #[command(flatten)]
    activity: ActivityArgs,
    /// Give the next attempt no details of an earlier heartbeat.
    #[arg(long)]
    reset_heartbeat: bool,
    /// Leave a paused activity paused.
    #[arg(long)]
    keep_paused: bool,
}

impl Reset {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let Self { reset_heartbeat, keep_paused, .. } = self;
        let request = ResetActivity { reset_heartbeat, keep_paused, run_id };
        let answer = context.client.reset_activity(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the activity begins again with attempt 1"))
    }
}
