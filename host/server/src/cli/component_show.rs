//! `refrain component show`.

use clap::Args;

use super::{Context, Ending, Exit};
use crate::render;

/// Look at a component: its versions, and what its current one defines.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The component's name.
    name: String,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.component(&self.name).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        } else {
            context.out.data(&render::component::detail(&answer.value));
        }
        Ok(Exit::Ok)
    }
}
