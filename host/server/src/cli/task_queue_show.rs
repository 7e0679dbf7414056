//! `refrain task-queue show`.

use clap::Args;

use super::{Context, Ending, Exit};
use crate::render::task_queue;

/// Look at a task queue: what waits in it, what runs, who polls, and what is configured.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain task-queue show default
  refrain task-queue show payments --namespace shop --json")]
pub(super) struct Show {
    /// The task queue's name.
    name: String,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.task_queue(&self.name).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        } else {
            context.out.data(&task_queue::detail(&answer.value, jiff::Timestamp::now()));
        }
        Ok(Exit::Ok)
    }
}
