//! `refrain activity complete`.

use std::path::PathBuf;

use clap::Args;

use super::input::read_json;
use super::{ActivityArgs, Context, Ending, done};
use crate::wire::CompleteActivity;

/// End an activity by hand, with a result.
///
/// Also one that waits for its next attempt. An attempt that runs is told at its next heartbeat that nobody wants it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity complete order/42 3 --result '{\"approved\": true}'
  refrain activity complete order/42 3 --result-file answer.json")]
pub(super) struct Complete {
    #[command(flatten)]
    activity: ActivityArgs,
    /// The result, as JSON; `null` when there is none.
    #[arg(long, value_name = "JSON", conflicts_with = "result_file")]
    result: Option<String>,
    /// A file with the result, as JSON; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    result_file: Option<PathBuf>,
}

impl Complete {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let result = read_json("--result", self.result.as_deref(), self.result_file.as_deref())?;
        let request = CompleteActivity { result, result_payload: None, run_id };
        let answer = context.client.complete_activity(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the activity is completed"))
    }
}
