//! `refrain workflow result`: wait for a run's end and print its result.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::follow::persistently;
use super::output::Output;
use super::parked::{Notice, QUIET};
use super::{Context, Ending, Exit, RunArgs, parse_duration};
use crate::client::{Answer, Client, ClientError};
use crate::render;
use crate::wire::{RunResult, Status};

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

/// Asks until the run has ended, or the time is over. A run that is parked ends for nobody: it is said, and waited for.
pub(super) async fn await_end(
    client: &Client,
    id: &str,
    run_id: Option<&str>,
    wait: Option<Duration>,
    say: impl Fn(&str),
) -> Result<Answer<RunResult>, ClientError> {
    let started = Instant::now();
    let notice = Notice::default();
    // The first answer comes at once, since the run may be parked already.
    let mut patience = Duration::ZERO;
    loop {
        let left = wait.map_or(Duration::MAX, |wait| wait.saturating_sub(started.elapsed()));
        let question = patience.min(left);
        let answer = persistently(&say, async || client.result(id, run_id, question).await).await?;
        if answer.value.status.is_closed() || left.is_zero() {
            return Ok(answer);
        }
        if matches!(answer.value.status, Status::Parked | Status::Paused) {
            notice.tell(client, id, Some(&answer.value.run_id), &say).await?;
        }
        patience = QUIET;
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
