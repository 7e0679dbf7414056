//! `refrain component activate`.

use clap::Args;

use super::{Context, Ending, Exit};

/// Make a version of a component the one that new runs get. Runs keep theirs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain component activate shop 2")]
pub(super) struct Activate {
    /// The component's name.
    name: String,
    /// The version.
    version: u32,
}

impl Activate {
    pub(super) async fn run(self, context: &Context) -> Ending {
        context.client.activate_version(&self.name, self.version).await?;
        context.out.say(&format!("new runs get version {} of {}", self.version, self.name));
        Ok(Exit::Ok)
    }
}
