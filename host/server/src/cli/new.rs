//! `refrain new`: make a project.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use super::output::Output;
use super::{CliError, Ending, Exit};
use crate::project::create::create;
use crate::project::languages::{LANGUAGES, Language};
use crate::project::manifest::Manifest;
use crate::project::name::ProjectName;

/// Make a project: a small workflow, with all that is needed to build it.
///
/// The SDK's sources come with it, so that nothing of Refrain's has to be published anywhere. What a language needs
/// besides says the project's README.md.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain new order-flow --lang rust
  refrain new order-flow --lang rust --dir ../flows/orders")]
pub(super) struct New {
    /// The project's name, such as order-flow, which is its component's too.
    name: String,
    /// The language.
    #[arg(long, value_parser = PossibleValuesParser::new(LANGUAGES.iter().map(|language| language.id)))]
    lang: String,
    /// Its folder; one with its name here unless given.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What was made.
#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    language: &'a str,
    dir: String,
    /// The command that builds it, in its folder.
    build: &'a str,
    /// What that makes, from its folder.
    component: String,
    /// From its folder.
    files: &'a [String],
}

impl New {
    pub(super) fn run(self, out: Output) -> Ending {
        let name = ProjectName::new(&self.name).map_err(|error| CliError::usage(error.to_string()))?;
        let language = Language::find(&self.lang)
            .ok_or_else(|| CliError::usage(format!("there is no language {:?}", self.lang)))?;
        let dir = self.dir.unwrap_or_else(|| PathBuf::from(name.as_str()));
        let files = create(&dir, &name, language).map_err(|error| CliError::usage(error.to_string()))?;
        let manifest = Manifest::read(&dir).map_err(|error| CliError::usage(error.to_string()))?;
        let shown = dir.display().to_string();
        if out.is_json() {
            let made = Made {
                name: name.as_str(),
                language: language.id,
                dir: shown,
                build: &manifest.build,
                component: manifest.component.display().to_string(),
                files: &files,
            };
            out.json_line(
                &serde_json::to_string(&made).map_err(|error| CliError::failed(error.to_string()))?,
            );
            return Ok(Exit::Ok);
        }
        let (title, build) = (language.title, &manifest.build);
        let of_the_sdk = files.iter().filter(|file| file.starts_with("refrain-sdk/")).count();
        let own = files.iter().filter(|file| !file.starts_with("refrain-sdk/"));
        let own: Vec<String> = own.map(|file| format!("  {file}\n")).collect();
        out.data(&format!(
            "{shown}, a project in {title}:\n{}  refrain-sdk/ ({of_the_sdk} files of the SDK)\n\n\
             Go there, and build it:\n  cd {shown}\n  {build}\n\
             Or build it, run it, and do so again with each change:\n  refrain dev\n\
             In a second terminal, start the workflow (README.md has more):\n  {}",
            own.concat(),
            start(&dir),
        ));
        Ok(Exit::Ok)
    }
}

/// A command that starts the workflow of a new project: the first one of its README.
fn start(dir: &Path) -> String {
    let readme = std::fs::read_to_string(dir.join("README.md")).unwrap_or_default();
    starts(&readme).next().unwrap_or("refrain workflow start --help").to_owned()
}

/// The commands of a README that start workflows.
pub(crate) fn starts(readme: &str) -> impl Iterator<Item = &str> {
    const VERBS: [&str; 2] = ["refrain workflow start ", "refrain workflow execute "];
    let commands = readme.lines().map(|line| line.trim_start().trim_start_matches("$ "));
    commands.filter(|line| VERBS.iter().any(|verb| line.starts_with(verb)))
}
