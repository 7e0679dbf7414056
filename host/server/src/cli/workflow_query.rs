//! `refrain workflow query`.

use clap::Args;

use super::input::InputArgs;
use super::{Context, Ending, Exit, RunArgs};
use crate::wire::{Consistency, QueryRequest};

/// Ask a run something, and print what it answers.
///
/// The run does not notice: an instance of its own is replayed for the question. Runs that sleep, are parked or are
/// over can be asked too.
#[derive(Debug, Args)]
pub(super) struct Query {
    #[command(flatten)]
    run: RunArgs,
    /// The query's name.
    name: String,
    #[command(flatten)]
    input: InputArgs,
    /// Ask the run as it was at the end of the step of this event, by its number in `workflow show`.
    #[arg(long, value_name = "EVENT")]
    at: Option<u64>,
    /// Do not wait until the run has taken what has arrived.
    #[arg(long, conflicts_with = "at")]
    stale: bool,
}

impl Query {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = QueryRequest {
            input: self.input.read()?,
            input_payload: None,
            run_id: self.run.run_id,
            consistency: if self.stale { Consistency::Stale } else { Consistency::Latest },
            at: self.at,
        };
        let answer = context.client.query(&self.run.id, &self.name, &request).await?;
        let (out, result) = (context.out, &answer.value);
        if out.is_json() {
            out.json_line(&answer.text);
        } else if let Some(json) = &result.result {
            out.data(json.get());
        } else if let Some(payload) = &result.result_payload {
            out.data(&payload.data_base64);
            out.say(&format!("the answer is {} in base64", payload.content_type));
        }
        if request.at.is_some() {
            out.say(&format!("asked at the end of step {}", result.step));
        }
        Ok(Exit::Ok)
    }
}
