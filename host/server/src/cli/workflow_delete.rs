//! `refrain workflow delete`.

use clap::Args;

use super::{Context, Ending, Exit};

/// Delete the data of runs that have ended, for good: input, history, result and place in lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow delete order/42
  refrain workflow delete order/42 --run-id 0199a3b2-7c4e-7000-8000-3a1f5b6c7d8e")]
pub(super) struct Delete {
    /// The execution's id.
    id: String,
    /// The run; all runs of the execution unless given.
    #[arg(long, value_name = "RUN_ID")]
    run_id: Option<String>,
}

impl Delete {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.delete(&self.id, self.run_id.as_deref()).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        }
        let runs = answer.value.runs;
        context.out.say(&format!("deleted {runs} {}", if runs == 1 { "run" } else { "runs" }));
        Ok(Exit::Ok)
    }
}
