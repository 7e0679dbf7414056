//! `refrain activity cancel`.

use clap::Args;

use super::input::read_json;
use super::{ActivityArgs, Context, Ending, done};
use crate::wire::CancelActivity;

/// End an activity by hand, as canceled.
///
/// This says that it has stopped; `refrain workflow cancel` asks the workflow, which cancels what it wants to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity cancel order/42 3
  refrain activity cancel order/42 3 --details '{\"refunded\": false}'")]
pub(super) struct Cancel {
    #[command(flatten)]
    activity: ActivityArgs,
    /// What it had done, as JSON.
    #[arg(long, value_name = "JSON")]
    details: Option<String>,
}

impl Cancel {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let details = read_json("--details", self.details.as_deref(), None)?;
        let request = CancelActivity { details, details_payload: None, run_id };
        let answer = context.client.cancel_activity(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the activity is canceled"))
    }
}
