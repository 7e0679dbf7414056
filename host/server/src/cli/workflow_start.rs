//! `refrain workflow start`, and the arguments of a start.

use clap::Args;

use super::input::{InputArgs, fresh_request_id, parse_json};
use super::workflow_update::asks_for;
use super::{CliError, Context, Ending, Exit, checked_duration};
use crate::wire::{
    IdConflictPolicy, IdReusePolicy, Memo, RetryPolicy, StartRequest, StartUpdate, WaitForStage,
};

/// What a start takes.
#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// The workflow type.
    workflow: String,
    /// The execution's id, which no other running execution has; the host makes one unless given.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    input: InputArgs,
    /// The component that defines the type; needed only if two do.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// The component's version; its current one unless given.
    #[arg(long, value_name = "N", requires = "component")]
    version: Option<u32>,
    /// The code, instead of a version: the digest of an upload, all of it.
    #[arg(long, conflicts_with = "version")]
    digest: Option<String>,
    /// Makes the start safe to repeat: the same request id never starts twice.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The task queue of the run's activities, unless they name their own.
    #[arg(long, value_name = "NAME")]
    task_queue: Option<String>,
    /// A note to keep with the run; may be given several times.
    #[arg(long, value_name = "NAME=JSON")]
    memo: Vec<String>,
    #[command(flatten)]
    lifecycle: LifecycleArgs,
}

/// What bounds a run and its chain.
#[derive(Debug, Args)]
struct LifecycleArgs {
    /// Whether the id may be that of runs that have ended [default: allow].
    #[arg(long, value_name = "POLICY", help_heading = "Lifecycle")]
    id_reuse_policy: Option<IdReusePolicy>,
    /// What a run of the id that has not ended means [default: fail; with --signal or --update use-existing].
    #[arg(long, value_name = "POLICY", help_heading = "Lifecycle")]
    id_conflict_policy: Option<IdConflictPolicy>,
    /// How long the execution may take, start delay, attempts and backoffs included.
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, help_heading = "Lifecycle")]
    execution_timeout: Option<String>,
    /// How long each run may take, from when it may begin.
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, help_heading = "Lifecycle")]
    run_timeout: Option<String>,
    /// The run makes no step before this time has passed.
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, help_heading = "Lifecycle")]
    start_delay: Option<String>,
    /// Signal-with-start: a signal for the new run, or for the run of the id that has not ended.
    #[arg(long, value_name = "NAME", help_heading = "Lifecycle")]
    signal: Option<String>,
    /// The signal's argument, as JSON.
    #[arg(long, value_name = "JSON", requires = "signal", help_heading = "Lifecycle")]
    signal_input: Option<String>,
    /// Update-with-start: an update for the new run, or for the run of the id that has not ended.
    #[arg(long, value_name = "NAME", conflicts_with = "signal", help_heading = "Lifecycle")]
    update: Option<String>,
    /// The update's argument, as JSON.
    #[arg(long, value_name = "JSON", requires = "update", help_heading = "Lifecycle")]
    update_input: Option<String>,
    /// The update's own id; a new one unless given.
    #[arg(long, value_name = "ID", requires = "update", help_heading = "Lifecycle")]
    update_id: Option<String>,
    /// A run that failed or timed out is followed by another attempt: so many at most, the first one included; 0 for
    /// no limit. Each of these options has that effect.
    #[arg(long, value_name = "N", help_heading = "Retry")]
    retry_maximum_attempts: Option<u32>,
    /// The wait after the first attempt [default: 1s].
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, help_heading = "Retry")]
    retry_initial_interval: Option<String>,
    /// Each wait is this many times the one before; at least 1 [default: 2].
    #[arg(long, value_name = "FACTOR", help_heading = "Retry")]
    retry_backoff_coefficient: Option<f64>,
    /// The longest wait [default: 100 times the first].
    #[arg(long, value_name = "DURATION", value_parser = checked_duration, help_heading = "Retry")]
    retry_maximum_interval: Option<String>,
    /// Failures of this type are not tried again; may be given several times.
    #[arg(long, value_name = "TYPE", help_heading = "Retry")]
    retry_non_retryable_error_type: Vec<String>,
    /// Each wait is shortened by a random part of at most this share of it; 0 to 1 [default: 0].
    #[arg(long, value_name = "SHARE", help_heading = "Retry")]
    retry_jitter: Option<f64>,
}

impl StartArgs {
    /// The request. It always has a request id, so that it can be repeated when its answer was lost.
    pub(super) fn request(self) -> Result<StartRequest, CliError> {
        let lifecycle = self.lifecycle;
        let retry = RetryPolicy {
            initial_interval: lifecycle.retry_initial_interval,
            backoff_coefficient: lifecycle.retry_backoff_coefficient,
            maximum_interval: lifecycle.retry_maximum_interval,
            maximum_attempts: lifecycle.retry_maximum_attempts,
            non_retryable_error_types: lifecycle.retry_non_retryable_error_type,
            jitter: lifecycle.retry_jitter,
        };
        let signal_input =
            lifecycle.signal_input.map(|json| parse_json(json, "--signal-input")).transpose()?;
        let update_input =
            lifecycle.update_input.map(|json| parse_json(json, "--update-input")).transpose()?;
        let update_id = lifecycle.update_id;
        let update = lifecycle.update.map(|name| StartUpdate {
            name,
            input: update_input,
            update_id: Some(update_id.unwrap_or_else(fresh_request_id)),
            // What the run makes of it is asked for later.
            wait_for_stage: WaitForStage::Admitted,
            ..StartUpdate::default()
        });
        Ok(StartRequest {
            input: self.input.read()?,
            workflow: self.workflow,
            id: self.id,
            input_payload: None,
            component: self.component,
            version: self.version,
            digest: self.digest,
            request_id: Some(self.request_id.unwrap_or_else(fresh_request_id)),
            task_queue: self.task_queue,
            memo: self.memo.iter().map(|note| parse_note(note)).collect::<Result<Memo, _>>()?,
            id_reuse_policy: lifecycle.id_reuse_policy,
            id_conflict_policy: lifecycle.id_conflict_policy,
            execution_timeout: lifecycle.execution_timeout,
            run_timeout: lifecycle.run_timeout,
            retry: (retry != RetryPolicy::default()).then_some(retry),
            start_delay: lifecycle.start_delay,
            signal: lifecycle.signal,
            signal_input,
            signal_input_payload: None,
            update,
        })
    }
}

fn parse_note(note: &str) -> Result<(String, crate::wire::Json), CliError> {
    let (name, json) = note.split_once('=').ok_or_else(|| {
        CliError::usage(format!("--memo {note:?} has no `=`: write it like --memo owner='\"ops\"'"))
    })?;
    Ok((name.to_owned(), parse_json(json.to_owned(), &format!("the memo {name}"))?))
}

/// Start an execution and come back at once.
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    start: StartArgs,
}

impl Start {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.start(&self.start.request()?).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
            return Ok(Exit::Ok);
        }
        let started = answer.value;
        context.out.data(&started.id);
        let what = if started.created { "started" } else { "was there before," };
        context.out.say(&format!(
            "{what} as run {}; `refrain workflow result {}` waits for it",
            started.run_id, started.id
        ));
        if let Some(update) = &started.update {
            let asks = asks_for(&started.id, update);
            context.out.say(&format!("the update is {}; for its answer: {asks}", update.stage));
        }
        Ok(Exit::Ok)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        start: StartArgs,
    }

    #[test]
    fn what_is_not_given_is_not_in_the_request() {
        let cases: [(&[&str], &str); 6] = [
            (&[], r#"{"workflow":"order"}"#),
            (
                &["--id-reuse-policy=allow-failed-only", "--id-conflict-policy=terminate-existing"],
                r#"{"workflow":"order","id_reuse_policy":"allow-failed-only","id_conflict_policy":"terminate-existing"}"#,
            ),
            (
                &["--execution-timeout=24h", "--run-timeout=1h 30m", "--start-delay=10s"],
                r#"{"workflow":"order","execution_timeout":"24h","run_timeout":"1h 30m","start_delay":"10s"}"#,
            ),
            (
                &["--retry-maximum-attempts=3", "--retry-non-retryable-error-type=Bad"],
                r#"{"workflow":"order","retry":{"maximum_attempts":3,"non_retryable_error_types":["Bad"]}}"#,
            ),
            (
                &["--signal=go", "--signal-input=[1]"],
                r#"{"workflow":"order","signal":"go","signal_input":[1]}"#,
            ),
            (
                &["--update=set", "--update-input=[1]", "--update-id=u"],
                r#"{"workflow":"order","update":{"name":"set","input":[1],"update_id":"u","wait_for_stage":"admitted"}}"#,
            ),
        ];
        for (options, expected) in cases {
            let command = Command::try_parse_from([&["x", "order"], options].concat()).expect("options");
            let request = StartRequest { request_id: None, ..command.start.request().expect("a request") };
            assert_eq!(serde_json::to_string(&request).expect("JSON"), expected, "{options:?}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused_before_the_host_is_asked() {
        let cases: [&[&str]; 7] = [
            &["--run-timeout=soon"],
            &["--start-delay=-1s"],
            &["--id-reuse-policy=never"],
            &["--signal-input=1"],
            &["--update-input=1"],
            &["--update-id=u"],
            &["--update=u", "--signal=s"],
        ];
        for options in cases {
            assert!(Command::try_parse_from([&["x", "order"], options].concat()).is_err(), "{options:?}");
        }
    }
}
