//! `refrain activity update-options`.

use clap::Args;

use super::{ActivityArgs, CliError, Context, Ending, checked_duration, done};
use crate::wire::{RetryUpdate, UpdateActivityOptions};

/// Takes a timeout away.
const NONE: &str = "none";

/// Give an activity other timeouts, another retry policy, task queue or priority.
///
/// They are in force at once, also for an attempt that runs; a wait for the next attempt is computed anew. What is not
/// given stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain activity update-options order/42 3 --start-to-close-timeout 10m --heartbeat-timeout none
  refrain activity update-options order/42 3 --maximum-attempts 20 --initial-interval 500ms
  refrain activity update-options order/42 3 --task-queue payments-eu")]
pub(super) struct UpdateOptions {
    #[command(flatten)]
    activity: ActivityArgs,
    #[command(flatten)]
    changes: Changes,
}

/// What an update changes.
#[derive(Debug, Args)]
struct Changes {
    /// The task queue.
    #[arg(long, value_name = "NAME")]
    task_queue: Option<String>,
    /// The longest time of all attempts and the waits between them; `none` for no limit.
    #[arg(long, value_name = "DURATION", value_parser = Removable::parse, allow_hyphen_values = true)]
    schedule_to_close_timeout: Option<Removable>,
    /// The longest wait of an attempt for its start; `none` for no limit.
    #[arg(long, value_name = "DURATION", value_parser = Removable::parse, allow_hyphen_values = true)]
    schedule_to_start_timeout: Option<Removable>,
    /// The longest time of one attempt; `none` for no limit.
    #[arg(long, value_name = "DURATION", value_parser = Removable::parse, allow_hyphen_values = true)]
    start_to_close_timeout: Option<Removable>,
    /// The longest silence of a running attempt; `none` for no limit.
    #[arg(long, value_name = "DURATION", value_parser = Removable::parse, allow_hyphen_values = true)]
    heartbeat_timeout: Option<Removable>,
    /// 1 (first) to 5 (last).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5), allow_hyphen_values = true)]
    priority: Option<u8>,
    /// The wait after the first attempt.
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, allow_hyphen_values = true)]
    initial_interval: Option<String>,
    /// Each wait is this many times the one before; at least 1.
    #[arg(long, value_name = "FACTOR", value_parser = backoff_coefficient, allow_hyphen_values = true)]
    backoff_coefficient: Option<f64>,
    /// The longest wait; `none` for 100 times the first.
    #[arg(long, value_name = "DURATION", value_parser = Removable::parse, allow_hyphen_values = true)]
    maximum_interval: Option<Removable>,
    /// How many attempts at most, the first one included; 0 for no limit.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    maximum_attempts: Option<u32>,
    /// Failures of this type are not retried. May be given several times; together they take the place of all that
    /// were there, and an empty one stands for none.
    #[arg(long = "non-retryable-error-type", value_name = "TYPE")]
    non_retryable_error_types: Option<Vec<String>>,
    /// Each wait is shortened by a random part of at most this share of it; 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = jitter, allow_hyphen_values = true)]
    jitter: Option<f64>,
}

/// A length of time, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Removable(Option<String>);

impl Removable {
    fn parse(text: &str) -> Result<Self, String> {
        if text == NONE { Ok(Self(None)) } else { checked_duration(text).map(|text| Self(Some(text))) }
    }
}

/// JSON has no number that is not finite: the host would take it for one that is not given.
fn backoff_coefficient(text: &str) -> Result<f64, &'static str> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor >= 1.0);
    factor.ok_or("give a finite number of at least 1, such as 2")
}

fn jitter(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("give a share from 0 (none) to 1, such as 0.2")
}

impl UpdateOptions {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let ActivityArgs { id, activity, run_id } = self.activity;
        let changes = self.changes.request();
        if changes == UpdateActivityOptions::default() {
            let remedy = "name what is to be changed, such as --start-to-close-timeout 10m";
            return Err(CliError::usage(format!("no option is given: {remedy}")));
        }
        let request = UpdateActivityOptions { run_id, ..changes };
        let answer = context.client.update_activity_options(&id, activity, &request).await?;
        Ok(done(context.out, &answer, "the options are in force"))
    }
}

impl Changes {
    fn request(self) -> UpdateActivityOptions {
        let types = self.non_retryable_error_types;
        let retry = RetryUpdate {
            initial_interval: self.initial_interval,
            backoff_coefficient: self.backoff_coefficient,
            maximum_interval: self.maximum_interval.map(|Removable(length)| length),
            maximum_attempts: self.maximum_attempts,
            non_retryable_error_types: types
                .map(|types| types.into_iter().filter(|name| !name.is_empty()).collect()),
            jitter: self.jitter,
        };
        UpdateActivityOptions {
            task_queue: self.task_queue,
            schedule_to_close_timeout: self.schedule_to_close_timeout.map(|Removable(length)| length),
            schedule_to_start_timeout: self.schedule_to_start_timeout.map(|Removable(length)| length),
            start_to_close_timeout: self.start_to_close_timeout.map(|Removable(length)| length),
            heartbeat_timeout: self.heartbeat_timeout.map(|Removable(length)| length),
            priority: self.priority,
            retry: (retry != RetryUpdate::default()).then_some(retry),
            run_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        update: UpdateOptions,
    }

    #[test]
    fn what_is_not_given_is_not_in_the_request_and_none_is_null() {
        let cases: [(&[&str], &str); 4] = [
            (&["--heartbeat-timeout", "none"], r#"{"heartbeat_timeout":null}"#),
            (
                &["--start-to-close-timeout=10m", "--priority=1", "--task-queue=gpu"],
                r#"{"task_queue":"gpu","start_to_close_timeout":"10m","priority":1}"#,
            ),
            (
                &["--maximum-attempts=0", "--maximum-interval=none", "--jitter=0.5"],
                r#"{"retry":{"maximum_interval":null,"maximum_attempts":0,"jitter":0.5}}"#,
            ),
            (&["--non-retryable-error-type="], r#"{"retry":{"non_retryable_error_types":[]}}"#),
        ];
        for (options, expected) in cases {
            let command = Command::try_parse_from([&["x", "order/42", "3"], options].concat());
            let request = command.map(|command| command.update.changes.request()).expect("options");
            assert_eq!(serde_json::to_string(&request).expect("JSON"), expected, "{options:?}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused_before_the_host_is_asked() {
        let length = "not a length of time: write it like 30s, 1h 30m, 7d or 500ms";
        let factor = "give a finite number of at least 1, such as 2";
        let share = "give a share from 0 (none) to 1, such as 0.2";
        let refused = [
            ("--heartbeat-timeout", &["soon", "5", "-1s"][..], length),
            ("--initial-interval", &["5", "-1s"], length),
            ("--backoff-coefficient", &["nan", "inf", "-inf", "0.5", "-2", "x"], factor),
            ("--jitter", &["nan", "inf", "1.5", "-0.1", "x"], share),
            ("--maximum-attempts", &["-1"], "-1 is not in 0..=4294967295"),
            ("--priority", &["6", "0", "-1"], " is not in 1..=5"),
        ];
        for (option, values, why) in refused {
            for value in values {
                let parsed = Command::try_parse_from(["x", "order/42", "3", option, value]);
                let message = parsed.map(|_| ()).expect_err(value).to_string();
                let names = format!("invalid value '{value}' for '{option} <");
                assert!(message.contains(&names) && message.contains(why), "{message}");
            }
        }
        let parsed = Command::try_parse_from(["x", "order/42", "abc"]);
        let message = parsed.map(|_| ()).expect_err("no activity's id").to_string();
        let why =
            "'abc' for '<ACTIVITY_ID>': not an activity's id: a number, as `workflow describe` shows it";
        assert!(message.contains(why), "{message}");
    }
}
