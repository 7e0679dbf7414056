//! `refrain workflow start`, and the arguments of a start.

use clap::Args;

use super::input::{InputArgs, fresh_request_id, parse_json};
use super::{CliError, Context, Ending, Exit};
use crate::wire::{Memo, StartRequest};

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
    /// Makes the start safe to repeat: the same request id never starts twice.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The task queue of the run's activities, unless they name their own.
    #[arg(long, value_name = "NAME")]
    task_queue: Option<String>,
    /// A note to keep with the run; may be given several times.
    #[arg(long, value_name = "NAME=JSON")]
    memo: Vec<String>,
}

impl StartArgs {
    /// The request. It always has a request id, so that it can be repeated when its answer was lost.
    pub(super) fn request(self) -> Result<StartRequest, CliError> {
        Ok(StartRequest {
            input: self.input.read()?,
            workflow: self.workflow,
            id: self.id,
            input_payload: None,
            component: self.component,
            version: self.version,
            request_id: Some(self.request_id.unwrap_or_else(fresh_request_id)),
            task_queue: self.task_queue,
            memo: self.memo.iter().map(|note| parse_note(note)).collect::<Result<Memo, _>>()?,
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
        let what = if started.created { "started" } else { "was started before" };
        context.out.say(&format!(
            "{what} as run {}; `refrain workflow result {}` waits for it",
            started.run_id, started.id
        ));
        Ok(Exit::Ok)
    }
}
