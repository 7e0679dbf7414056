//! `refrain activity heartbeat`.

use clap::Args;

use super::input::read_json;
use super::{ActivityArgs, Context, Ending, Exit};
use crate::wire::HeartbeatActivity;

/// Say that an activity's attempt is alive, for one that is ended from outside.
///
/// What the host wants of the attempt goes to standard output, one word for each line: `cancel-requested`, `paused`,
/// `reset`; nothing when it may just go on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity heartbeat order/42 3
  refrain activity heartbeat order/42 3 --details '{\"signed\": 2, \"of\": 3}'")]
pub(super) struct Heartbeat {
    #[command(flatten)]
    activity: ActivityArgs,
    /// How far it has come, as JSON. The next attempt gets it.
    #[arg(long, value_name = "JSON")]
    details: Option<String>,
}

impl Heartbeat {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let details = read_json("--details", self.details.as_deref(), None)?;
        let request = HeartbeatActivity { details, details_payload: None, run_id };
        let answer = context.client.heartbeat_activity(&id, activity, &request).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
            return Ok(Exit::Ok);
        }
        let wants = answer.value;
        let words =
            [("cancel-requested", wants.cancel_requested), ("paused", wants.paused), ("reset", wants.reset)];
        words.iter().filter(|(_, wanted)| *wanted).for_each(|(word, _)| context.out.data(word));
        Ok(Exit::Ok)
    }
}
