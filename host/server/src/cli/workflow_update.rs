//! `refrain workflow update`.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::follow::persistently;
use super::input::{InputArgs, fresh_request_id};
use super::output::Output;
use super::parked::{Notice, QUIET};
use super::{Context, Ending, Exit, RunArgs, parse_duration};
use crate::client::{Answer, Client, ClientError};
use crate::wire::{Failure, UpdateRequest, UpdateResult, UpdateStage, WaitForStage};

/// Send an update to a run, and wait for its answer.
///
/// Each update has an id: the same one again is the same update, and `workflow update-result` asks for it.
#[derive(Debug, Args)]
pub(super) struct Update {
    #[command(flatten)]
    run: RunArgs,
    /// The update's name.
    name: String,
    #[command(flatten)]
    input: InputArgs,
    /// The update's own id; a new one unless given.
    #[arg(long, value_name = "ID")]
    update_id: Option<String>,
    #[command(flatten)]
    patience: Patience,
}

/// What is waited for, and how long.
#[derive(Debug, Args)]
pub(super) struct Patience {
    /// How far the update must have come.
    #[arg(long, value_enum, value_name = "STAGE", default_value = "completed")]
    wait_for_stage: WaitForStage,
    /// How long to wait for that, such as `30s`; `0s` asks and does not wait. Without it, for as long as it takes.
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    wait: Option<Duration>,
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let RunArgs { id, run_id } = self.run;
        let client = &context.client;
        let say = |words: &str| context.out.say(words);
        let mut request = UpdateRequest {
            input: self.input.read()?,
            update_id: Some(self.update_id.unwrap_or_else(fresh_request_id)),
            run_id,
            wait_for_stage: self.patience.wait_for_stage,
            ..UpdateRequest::default()
        };
        let started = Instant::now();
        let question = self.patience.question(started);
        request.wait = Some(format!("{}ms", question.as_millis()));
        // It has an id, so it can be sent again when its answer was lost.
        let send = async || client.update(&id, &self.name, &request, question).await;
        let answer = persistently(say, send).await?;
        let answer = self.patience.await_stage(client, &id, answer, started, say).await?;
        print(context.out, &id, &answer, self.patience.wait_for_stage)
    }
}

impl Patience {
    /// How long the next request waits: none holds a connection longer than [`QUIET`].
    pub(super) fn question(&self, started: Instant) -> Duration {
        self.left(started).min(QUIET)
    }

    fn left(&self, started: Instant) -> Duration {
        self.wait.map_or(Duration::MAX, |wait| wait.saturating_sub(started.elapsed()))
    }

    pub(super) fn stage(&self) -> WaitForStage {
        self.wait_for_stage
    }

    /// Asks until the update has come so far, or the time is over. The run that has it is named: a later start under
    /// the same id knows nothing of it.
    pub(super) async fn await_stage(
        &self,
        client: &Client,
        id: &str,
        mut answer: Answer<UpdateResult>,
        started: Instant,
        say: impl Fn(&str),
    ) -> Result<Answer<UpdateResult>, ClientError> {
        let notice = Notice::default();
        while !answer.value.stage.has_reached(self.wait_for_stage) && !self.left(started).is_zero() {
            let UpdateResult { update_id, run_id, .. } = &answer.value;
            // A run that is parked or paused takes nothing until somebody helps.
            notice.look(client, id, Some(run_id), &say).await?;
            let question = self.question(started);
            let ask = async || {
                client.update_result(id, update_id, Some(run_id), self.wait_for_stage, question).await
            };
            answer = persistently(&say, ask).await?;
        }
        Ok(answer)
    }
}

/// Prints how far an update has come: an answer as data, anything else in words.
pub(super) fn print(out: Output, id: &str, answer: &Answer<UpdateResult>, wanted: WaitForStage) -> Ending {
    let update = &answer.value;
    if out.is_json() {
        out.json_line(&answer.text);
    } else if let Some(json) = &update.result {
        out.data(json.get());
    } else if let Some(payload) = &update.result_payload {
        out.data(&payload.data_base64);
        out.say(&format!("the answer is {} in base64", payload.content_type));
    }
    match (update.stage, &update.failure) {
        (UpdateStage::Admitted | UpdateStage::Accepted, _) => {
            out.say(&format!("the update is {}; for its answer: {}", update.stage, asks_for(id, update)));
        }
        (_, Some(failure)) => out.say(&failed(update.stage, failure)),
        (UpdateStage::Rejected | UpdateStage::Completed, None) => {}
    }
    Ok(exit(update, wanted))
}

/// The command that asks for an update.
pub(super) fn asks_for(id: &str, update: &UpdateResult) -> String {
    format!("refrain workflow update-result {id} {}", update.update_id)
}

fn failed(stage: UpdateStage, failure: &Failure) -> String {
    let what = match stage {
        UpdateStage::Rejected => "was rejected",
        UpdateStage::Admitted | UpdateStage::Accepted | UpdateStage::Completed => "failed",
    };
    format!("the update {what}: {} ({})", failure.chain(), failure.error_type)
}

/// What an update's stage means for the command that waited for it.
fn exit(update: &UpdateResult, wanted: WaitForStage) -> Exit {
    if !update.stage.has_reached(wanted) {
        Exit::StillRunning
    } else if update.failure.is_some() {
        Exit::NotCompleted
    } else {
        Exit::Ok
    }
}
