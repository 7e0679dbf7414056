//! `refrain workflow list`.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Context, Ending, Exit};
use crate::client::ListQuery;
use crate::render::table::Table;
use crate::render::time;
use crate::wire::Status;

/// List runs, newest first.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only runs that stand so.
    #[arg(long, value_parser = PossibleValuesParser::new(Status::ALL.map(Status::as_str)))]
    status: Option<String>,
    /// Only runs of this type.
    #[arg(long)]
    workflow: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Where the page before ended.
    #[arg(long)]
    cursor: Option<String>,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { status, workflow, limit, cursor } = self;
        let query = ListQuery { status, workflow, limit: Some(limit), cursor };
        let answer = context.client.workflows(query).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
            return Ok(Exit::Ok);
        }
        let mut table = Table::new(["ID", "WORKFLOW", "STATUS", "STARTED", "ENDED", "RUN"]);
        for run in answer.value.workflows {
            table.row([
                run.id,
                run.workflow,
                run.status.to_string(),
                time(run.started_at),
                run.closed_at.map_or_else(String::new, time),
                run.run_id,
            ]);
        }
        context.out.data(&table.to_string());
        if let Some(cursor) = answer.value.next_cursor {
            context.out.say(&format!("there are more: --cursor {cursor}"));
        }
        Ok(Exit::Ok)
    }
}
