//! `refrain workflow result`: wait for a run's end and print its result.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::follow::persistently;
use super::output::Output;
use super::{Context, Ending, Exit, RunArgs, parse_duration};
use crate::client::{Answer, Client, ClientError};
use crate::render;
use crate::wire::{RunResult, Status};

/// How long one question waits.
const LONG_POLL: Duration = Duration::from_secs(30);

/// Wait for a run's end and print its result.
///
/// Follows the execution from run to run where one continues as new, unless --run-id is given.
#[derive(Debug, Args)]
pub(super) struct AwaitResult {
    #[command(flatten)]
    run: RunArgs,
    /// How long to wait, such as `30s`; `0s` asks and does not wait. Without it, until the end.
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    wait: Option<Duration>,
}

impl AwaitResult {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let RunArgs { id, run_id } = self.run;
        let out = context.out;
        let answer =
            await_end(&context.client, &id, run_id.as_deref(), self.wait, |words| out.say(words)).await?;
        print(out, &answer)
    }
}

/// Asks until the run has ended, or the time is over.
pub(super) async fn await_end(
    client: &Client,
    id: &str,
    run_id: Option<&str>,
    wait: Option<Duration>,
    say: impl Fn(&str),
) -> Result<Answer<RunResult>, ClientError> {
    let started = Instant::now();
    let mut told_parked = false;
    loop {
        let left = wait.map_or(LONG_POLL, |wait| wait.saturating_sub(started.elapsed()).min(LONG_POLL));
        let answer = persistently(&say, async || client.result(id, run_id, left).await).await?;
        if answer.value.status.is_closed() || left.is_zero() {
            return Ok(answer);
        }
        if answer.value.status == Status::Parked && !std::mem::replace(&mut told_parked, true) {
            say(&format!("the run is parked: see `refrain workflow describe {id}`"));
        }
    }
}

/// Prints how a run stands: a result as data, anything else in words.
pub(super) fn print(out: Output, answer: &Answer<RunResult>) -> Ending {
    let result = &answer.value;
    if out.is_json() {
        out.json_line(&answer.text);
    } else if let Some(json) = &result.result {
        out.data(json.get());
    } else if let Some(payload) = &result.result_payload {
        out.data(&payload.data_base64);
        out.say(&format!("the result is {} in base64", payload.content_type));
    }
    match &result.failure {
        Some(failure) => out.say(render::failure(result.status, failure).trim_end()),
        None if !result.status.is_closed() => {
            out.say(&format!("the run {} is {}", result.run_id, result.status));
        }
        None => {}
    }
    Ok(Exit::of(result.status))
}
