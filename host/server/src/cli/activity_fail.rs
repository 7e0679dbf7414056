//! `refrain activity fail`.

use clap::Args;

use super::input::read_json;
use super::{ActivityArgs, Context, Ending, checked_duration, done};
use crate::wire::{ActivityFailure, FailActivity};

/// Fail an activity's attempt by hand.
///
/// Where an attempt runs, the retry policy says whether another one follows; with --non-retryable the activity ends. One
/// that waits for its next attempt ends in any case.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity fail order/42 3 --message 'the customer said no' --type Declined --non-retryable
  refrain activity fail order/42 3 --message 'try again at night' --next-retry-delay 8h")]
pub(super) struct Fail {
    #[command(flatten)]
    activity: ActivityArgs,
    /// What happened, for people.
    #[arg(long, value_name = "TEXT")]
    message: String,
    /// What kind of error, for the workflow and its retry policy.
    #[arg(long = "type", value_name = "TYPE", default_value = "Error")]
    error_type: String,
    /// No attempt follows, whatever the retry policy says.
    #[arg(long)]
    non_retryable: bool,
    /// More about it, as JSON.
    #[arg(long, value_name = "JSON")]
    details: Option<String>,
    /// When the next attempt may begin, in place of what the retry policy says.
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, conflicts_with = "non_retryable")]
    next_retry_delay: Option<String>,
}

impl Fail {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let failure = ActivityFailure {
            error_type: self.error_type,
            message: self.message,
            non_retryable: self.non_retryable,
            details: read_json("--details", self.details.as_deref(), None)?,
            ..ActivityFailure::default()
        };
        let request =
            FailActivity { failure, next_retry_delay: self.next_retry_delay, benign: false, run_id };
        let answer = context.client.fail_activity(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the activity has failed"))
    }
}
