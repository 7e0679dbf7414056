//! `refrain task-queue list`.

use clap::Args;

use super::{Context, Ending, Exit};
use crate::render::task_queue;

/// List the task queues that have tasks or workers, or are configured.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain task-queue list
  refrain task-queue list --json | jq '.task_queues[] | select(.backlog > 100) | .name'")]
pub(super) struct List {}

impl List {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.task_queues().await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        } else {
            context.out.data(&task_queue::list(&answer.value.task_queues));
        }
        Ok(Exit::Ok)
    }
}
