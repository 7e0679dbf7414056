//! `refrain component delete`.

use clap::Args;

use super::{Context, Ending, Exit};

/// Delete a version of a component that no open run needs.
///
/// Its code goes with it unless another version has the same. Runs of it that have ended keep their histories and
/// results, and answer no queries any more.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain component show shop
  refrain component delete shop 1")]
pub(super) struct Delete {
    /// The component's name.
    name: String,
    /// The version.
    version: u32,
}

impl Delete {
    pub(super) async fn run(self, context: &Context) -> Ending {
        context.client.delete_version(&self.name, self.version).await?;
        context.out.say(&format!("version {} of {} is deleted", self.version, self.name));
        Ok(Exit::Ok)
    }
}
