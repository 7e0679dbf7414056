//! `refrain component list`.

use clap::Args;

use super::{Context, Ending, Exit};
use crate::render::table::Table;
use crate::render::{short_digest, time};

/// List components with their current versions.
#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at most; all of them unless given.
    #[arg(long)]
    limit: Option<u32>,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let mut table = Table::new(["NAME", "VERSION", "DIGEST", "UPDATED", "WORKFLOWS"]);
        let mut cursor = None;
        loop {
            let answer = context.client.components(self.limit, cursor).await?;
            if context.out.is_json() {
                context.out.json_line(&answer.text);
            }
            for component in answer.value.components {
                table.row([
                    component.name,
                    component.current.to_string(),
                    short_digest(&component.digest).to_owned(),
                    time(component.updated_at),
                    component.workflows.join(", "),
                ]);
            }
            cursor = answer.value.next_cursor;
            if cursor.is_none() || self.limit.is_some() {
                break;
            }
        }
        if !context.out.is_json() {
            context.out.data(&table.to_string());
        }
        Ok(Exit::Ok)
    }
}
