//! The languages that workflows are written in: their toolchains, their components, and how they compare.
//!
//! Every language has the language suite (`tests/guests/README.md`) and some of the examples. What a machine lacks for
//! one of them is said, and is no failure unless that language was asked for.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::guests;
use crate::process::{self, heading};
use crate::python;
use crate::workspace::Workspace;

mod build;
mod measure;
mod page;
mod projects;
mod table;
mod toolchain;

pub(crate) use page::{print, write};
pub(crate) use projects::check_all as check_projects;

/// The script with all checks of an SDK.
const CHECKS: &str = "check.sh";

/// A language with an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// The reference: what it does, the others do.
    Rust,
    Python,
    JavaScript,
    Go,
    C,
}

impl Language {
    pub(crate) const ALL: [Self; 5] = [Self::Rust, Self::Python, Self::JavaScript, Self::Go, Self::C];

    /// As its folders are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// As people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
            Self::Go => "Go",
            Self::C => "C",
        }
    }

    /// Where its components are, once they are built.
    fn output(self, ws: &Workspace) -> PathBuf {
        ws.target.join("guests-languages").join(self.name())
    }
}

/// A component of the suite that is built, or of an example: `suite`, `approval`.
pub(crate) fn component(ws: &Workspace, language: Language, name: &str) -> PathBuf {
    language.output(ws).join(format!("{name}.wasm"))
}

/// An example's component in a language, where it is once it is built.
pub(crate) fn example(ws: &Workspace, language: Language, name: &str) -> PathBuf {
    match language {
        Language::Rust => guests::path(ws, name),
        Language::Python | Language::JavaScript | Language::Go | Language::C => component(ws, language, name),
    }
}

/// Whether there is such an example in a language.
pub(crate) fn has_example(ws: &Workspace, language: Language, name: &str) -> bool {
    let example = ws.examples().join(name);
    match language {
        Language::Rust => example.join("Cargo.toml").exists(),
        Language::Python | Language::JavaScript | Language::Go | Language::C => {
            build::script(&example.join(language.name())).exists()
        }
    }
}

/// Puts the suite's component of the reference, which is built with the examples, to those of the other languages.
pub(crate) fn keep_reference(ws: &Workspace) -> Result<()> {
    let kept = component(ws, Language::Rust, "suite");
    fs::create_dir_all(Language::Rust.output(ws))?;
    fs::copy(guests::path(ws, "suite"), &kept).with_context(|| format!("write {}", kept.display()))?;
    Ok(())
}

/// What was built, or what is missing for it, in words.
type Built = Result<Vec<PathBuf>, String>;

/// The language whose folders are called that.
pub(crate) fn named(name: &str) -> Result<Language> {
    match Language::ALL.into_iter().find(|language| language.name() == name) {
        Some(language) => Ok(language),
        None => {
            let known = Language::ALL.map(Language::name);
            bail!("there is no language {name:?}; there are {}", known.join(", "))
        }
    }
}

/// Builds the components of one language, which must succeed, or those of all that this machine has tools for.
pub(crate) fn build_named(ws: &Workspace, name: &str) -> Result<()> {
    if name == "all" {
        return build_all(ws);
    }
    let language = named(name)?;
    match build_one(ws, language)? {
        Ok(_) => Ok(()),
        Err(missing) => bail!("{} cannot be built: {missing}", language.title()),
    }
}

/// Builds the components of all languages that this machine has tools for, and says of the others what is missing.
pub(crate) fn build_all(ws: &Workspace) -> Result<()> {
    for language in Language::ALL {
        if let Err(missing) = build_one(ws, language)? {
            println!("    NOT CHECKED: workflows in {}; {missing}", language.title());
        }
    }
    Ok(())
}

/// Runs the checks of each language's SDK, and of what is written with it, that this machine has tools for. Rust's are
/// those of the workspace.
pub(crate) fn check_all(ws: &Workspace) -> Result<()> {
    for language in Language::ALL.into_iter().filter(|language| *language != Language::Rust) {
        let script = ws.root.join("guest-sdk").join(language.name()).join(CHECKS);
        match toolchain::find(ws, language)? {
            Ok(toolchain) => {
                let mut checks = Command::new(&script);
                checks.envs(toolchain.env);
                if language == Language::Python {
                    // What checks the worker checks the SDK.
                    checks.env("REFRAIN_PYTHON_TOOLS", python::environment(ws)?);
                }
                process::run(&mut checks)
                    .with_context(|| format!("check the SDK for {}", language.title()))?;
            }
            Err(missing) => println!("    NOT CHECKED: the SDK for {}; {missing}", language.title()),
        }
    }
    Ok(())
}

fn build_one(ws: &Workspace, language: Language) -> Result<Built> {
    heading(&format!("building the components in {}", language.title()));
    let output = language.output(ws);
    fs::create_dir_all(&output)?;
    let built = build::all(ws, language)?;
    // The suite's tests say it too, and must not take a component for current that nothing could build anew.
    let missing = output.join("missing.txt");
    match &built {
        Ok(components) => {
            remove(&missing)?;
            for component in components {
                println!("    {:>9} bytes  {}", fs::metadata(component)?.len(), component.display());
            }
        }
        Err(why) => {
            fs::write(&missing, why)?;
            remove(&component(ws, language, "suite"))?;
        }
    }
    Ok(built)
}

fn remove(path: &PathBuf) -> Result<()> {
    if path.exists() {
        fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}
