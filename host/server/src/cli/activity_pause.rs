//! `refrain activity pause`.

use clap::Args;

use super::{ActivityArgs, Context, Ending, done};
use crate::wire::PauseActivity;

/// Let no further attempt of an activity begin until it is unpaused.
///
/// An attempt that runs is told that it may stop: by a worker's next heartbeat, in the host at once. One that goes on
/// counts as ever; one that stops does not use up an attempt. The schedule-to-close timeout goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity pause order/42 3 --reason 'the payment service is down'")]
pub(super) struct Pause {
    #[command(flatten)]
    activity: ActivityArgs,
    /// Why, for people.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Pause {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let request = PauseActivity { reason: self.reason, run_id };
        let answer = context.client.pause_activity(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the activity is paused"))
    }
}
