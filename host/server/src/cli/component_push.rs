//! `refrain component push`.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Context, Ending, Exit};

/// Upload a component, which becomes the current version of its name.
#[derive(Debug, Args)]
pub(super) struct Push {
    /// The .wasm file: a component, or a core module that carries its WIT world.
    file: PathBuf,
    /// The component's name; the file's name without its ending unless given.
    #[arg(long)]
    name: Option<String>,
}

impl Push {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { file, name } = self;
        let bytes = std::fs::read(&file)
            .map_err(|error| CliError::usage(format!("cannot read {}: {error}", file.display())))?;
        let stem = || file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        let name = name
            .or_else(stem)
            .ok_or_else(|| CliError::usage("the file's name is no UTF-8: give a --name"))?;
        let answer = context.client.put_component(&name, bytes).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
            return Ok(Exit::Ok);
        }
        let uploaded = answer.value;
        context.out.data(&format!("{} version {} {}", uploaded.name, uploaded.version, uploaded.digest));
        let what = if uploaded.created { "a new version" } else { "the current version already" };
        context.out.say(&format!("{what}; workflows: {}", uploaded.workflows.join(", ")));
        Ok(Exit::Ok)
    }
}
