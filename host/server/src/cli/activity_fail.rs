//! `refrain activity fail`.

use clap::Args;

use super::input::read_json;
use super::{ActivityArgs, Context, Ending, checked_duration, done};
use crate::wire::{ActivityFailure, FailActivity};

/// Fail an activity's attempt by hand.
///
/// Where an attempt runs, that attempt fails, and the retry policy says whether another one follows; with --non-retryable
/// none does. An activity that waits for its first or its next attempt, in its task queue or in backoff, has none that
/// could be made again: it ends for good.
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
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, allow_hyphen_values = true)]
    #[arg(conflicts_with = "non_retryable")]
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
        // The answer is the same whether the activity ended or an attempt of it.
        let words = format!(
            "the failure counts; `refrain workflow describe {id}` shows the next attempt if one follows, \
             `refrain workflow show {id}` the end if none does"
        );
        Ok(done(context.out, &answer, &words))
    }
}
