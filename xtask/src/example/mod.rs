//! The examples, each with a story that it tells and an outcome that is checked.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::guests;
use crate::host::{self, Home, Host};
use crate::process::heading;
use crate::workspace::Workspace;

mod backup;
mod hello;
mod reminder;

/// An example's story.
type Story = fn(&mut Stage<'_>) -> Result<()>;

/// All examples, in the order in which one would read them.
const STORIES: [(&str, Story); 3] =
    [("hello", hello::run), ("reminder", reminder::run), ("backup", backup::run)];

/// Builds and runs one example, or all of them.
pub(crate) fn run(ws: &Workspace, name: &str) -> Result<()> {
    let stories = choose(name)?;
    heading("building the host");
    ws.build_host()?;
    guests::build(ws)?;
    tell(ws, stories)
}

/// Runs all examples with what is built.
pub(crate) fn run_built(ws: &Workspace) -> Result<()> {
    tell(ws, STORIES.to_vec())
}

fn choose(name: &str) -> Result<Vec<(&'static str, Story)>> {
    let chosen: Vec<_> = STORIES.into_iter().filter(|(known, _)| name == "all" || name == *known).collect();
    if chosen.is_empty() {
        let known = STORIES.map(|(known, _)| known);
        bail!("there is no example {name:?}; there are {}, and all", known.join(", "));
    }
    Ok(chosen)
}

fn tell(ws: &Workspace, stories: Vec<(&str, Story)>) -> Result<()> {
    for (name, story) in stories {
        heading(&format!("example {name}"));
        let mut stage = Stage::set(ws, name)?;
        story(&mut stage).with_context(|| format!("example {name}"))?;
        println!("    {name} did what it should");
    }
    Ok(())
}

/// A fresh host with the example's component on it.
pub(crate) struct Stage<'a> {
    ws: &'a Workspace,
    /// The directory that the example may read.
    dir: TempDir,
    home: Home,
    host: Option<Host>,
}

impl<'a> Stage<'a> {
    fn set(ws: &'a Workspace, name: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("example-").tempdir_in(&ws.target)?;
        let source = dir.path().join("source");
        fs::create_dir(&source)?;
        let home = Home::create(&dir.path().join("home"), &source)?;
        let host = Host::start(ws, &home)?;
        println!("    a fresh host listens on {}", host.url());
        let wasm = fs::read(guests::path(ws, name))?;
        let uploaded = host.api().upload(name, &wasm)?;
        println!("    uploaded {name}: {} bytes, workflows {}", wasm.len(), uploaded["workflows"]);
        Ok(Self { ws, dir, home, host: Some(host) })
    }

    fn host(&self) -> Result<&Host> {
        self.host.as_ref().context("the host is not running")
    }

    /// A client of the host.
    fn api(&self) -> Result<Api> {
        Ok(self.host()?.api())
    }

    /// The directory `source` of the `fs` plugin.
    fn source(&self) -> std::path::PathBuf {
        self.dir.path().join("source")
    }

    /// The directory `target` of the `fs` plugin.
    fn target(&self) -> std::path::PathBuf {
        self.home.target()
    }

    /// Kills the host with SIGKILL and starts it again.
    fn kill_and_restart(&mut self) -> Result<()> {
        self.host.take().context("the host is not running")?.kill()?;
        println!("    killed the host with SIGKILL");
        self.host = Some(Host::start(self.ws, &self.home)?);
        println!("    started it again");
        Ok(())
    }

    /// Prints a run's history.
    fn show(&self, id: &str) -> Result<()> {
        host::show(self.ws, self.host()?, id)
    }
}

/// What is printed and checked of a run's end.
fn expect(what: &str, actual: &Value, expected: &Value) -> Result<()> {
    if actual != expected {
        bail!("{what}: expected {expected}, got {actual}");
    }
    println!("    {what}: {actual}");
    Ok(())
}
