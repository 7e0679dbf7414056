//! `refrain workflow signal`.

use clap::Args;

use super::input::{InputArgs, fresh_request_id};
use super::{Context, Ending, Exit, RunArgs};
use crate::wire::SignalRequest;

/// Send a signal to a run.
#[derive(Debug, Args)]
pub(super) struct Signal {
    #[command(flatten)]
    run: RunArgs,
    /// The signal's name.
    name: String,
    #[command(flatten)]
    input: InputArgs,
    /// Makes the signal safe to repeat: the run gets one for each request id.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

impl Signal {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = SignalRequest {
            input: self.input.read()?,
            input_payload: None,
            request_id: Some(self.request_id.unwrap_or_else(fresh_request_id)),
            run_id: self.run.run_id,
        };
        context.client.signal(&self.run.id, &self.name, &request).await?;
        context.out.say(&format!("the run will get the signal {}", self.name));
        Ok(Exit::Ok)
    }
}
