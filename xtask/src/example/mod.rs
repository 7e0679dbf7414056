//! The examples, each with a story that it tells and an outcome that is checked.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::background::Background;
use crate::host::{self, Home, Host};
use crate::languages::{self, Language};
use crate::process::heading;
use crate::workspace::Workspace;

mod approval;
mod backup;
mod cart;
mod expense;
mod fan_out;
mod hello;
mod mutex;
mod off_peak;
mod order_saga;
mod plain;
mod podcast_pipeline;
mod reminder;
mod snapshot;
mod sweep;
mod training;
mod trip;

/// An example's story.
#[derive(Clone, Copy)]
struct Story {
    name: &'static str,
    /// A server that it carries. It runs before the host does, as the host is told where it may go.
    service: Option<&'static str>,
    run: fn(&mut Stage<'_>) -> Result<()>,
}

/// All examples, in the order in which one would read them.
const STORIES: [Story; 16] = [
    Story { name: "hello", service: None, run: hello::run },
    Story { name: "reminder", service: None, run: reminder::run },
    Story { name: "plain", service: None, run: plain::run },
    Story { name: "approval", service: None, run: approval::run },
    Story { name: "off-peak", service: None, run: off_peak::run },
    Story { name: "expense", service: None, run: expense::run },
    Story { name: "cart", service: None, run: cart::run },
    Story { name: "mutex", service: None, run: mutex::run },
    Story { name: "backup", service: None, run: backup::run },
    Story { name: "order-saga", service: Some("order-saga-service"), run: order_saga::run },
    Story { name: "training", service: None, run: training::run },
    Story { name: "sweep", service: None, run: sweep::run },
    Story { name: "trip", service: None, run: trip::run },
    Story { name: "podcast-pipeline", service: None, run: podcast_pipeline::run },
    Story { name: "snapshot", service: None, run: snapshot::run },
    Story { name: "fan-out", service: None, run: fan_out::run },
];

/// Builds and runs one example, or all that there are in this language.
pub(crate) fn run(ws: &Workspace, name: &str, language: Language) -> Result<()> {
    let stories = choose(ws, name, language)?;
    heading("building the host");
    ws.build_host()?;
    languages::build_named(ws, language.name())?;
    stories.iter().try_for_each(|story| tell(ws, story, language, |_| Ok(())))
}

/// Runs all examples with what is built, in each language that this machine could build.
pub(crate) fn run_built(ws: &Workspace) -> Result<()> {
    for language in Language::ALL {
        for story in STORIES.iter().filter(|story| languages::example(ws, language, story.name).exists()) {
            tell(ws, story, language, |_| Ok(()))?;
        }
    }
    Ok(())
}

/// Runs one example in Rust, or all of them, with what is built, and does this with each that did what it should.
pub(crate) fn run_each(ws: &Workspace, name: &str, after: impl Fn(&Told<'_>) -> Result<()>) -> Result<()> {
    let stories = choose(ws, name, Language::Rust)?;
    stories.iter().try_for_each(|story| tell(ws, story, Language::Rust, &after))
}

/// An example that did what it should, with its host.
pub(crate) struct Told<'a> {
    pub(crate) name: &'static str,
    pub(crate) host: &'a Host,
}

fn choose(ws: &Workspace, name: &str, language: Language) -> Result<Vec<Story>> {
    let there: Vec<_> =
        STORIES.into_iter().filter(|story| languages::has_example(ws, language, story.name)).collect();
    let known: Vec<_> = there.iter().map(|story| story.name).collect();
    let chosen: Vec<_> = there.iter().copied().filter(|story| name == "all" || name == story.name).collect();
    if chosen.is_empty() {
        let (title, known) = (language.title(), known.join(", "));
        bail!("there is no example {name:?} in {title}; there are {known}, and all");
    }
    Ok(chosen)
}

fn tell(
    ws: &Workspace,
    story: &Story,
    language: Language,
    after: impl Fn(&Told<'_>) -> Result<()>,
) -> Result<()> {
    let name = story.name;
    heading(&format!("example {name} in {}", language.title()));
    let mut stage = Stage::set(ws, story, language)?;
    let told = (story.run)(&mut stage);
    if let Err(error) = told {
        let left = stage.keep();
        return Err(error.context(format!("example {name}, of which all is left in {}", left.display())));
    }
    println!("    {name} did what it should");
    after(&Told { name, host: stage.host()? })?;
    Ok(())
}

/// A fresh host with the example's component on it.
pub(crate) struct Stage<'a> {
    ws: &'a Workspace,
    home: Home,
    host: Option<Host>,
    service: Option<Service>,
    /// Where all that the example makes is. It goes last, when nobody writes there any more.
    dir: TempDir,
}

/// A server that an example carries. It ends with this value.
struct Service {
    url: String,
    _process: Background,
}

impl<'a> Stage<'a> {
    fn set(ws: &'a Workspace, story: &Story, language: Language) -> Result<Self> {
        let name = story.name;
        let dir = tempfile::Builder::new().prefix("example-").tempdir_in(&ws.target)?;
        let source = dir.path().join("source");
        fs::create_dir(&source)?;
        let home = Home::create(&dir.path().join("home"), &source)?;
        let service = story.service.map(|binary| -> Result<Service> {
            let (process, url) =
                Background::serve(&mut host::ours(ws, binary), &dir.path().join("service.log"))?;
            println!("    its service {binary} listens on {url}");
            home.allow(&url)?;
            Ok(Service { url, _process: process })
        });
        let service = service.transpose()?;
        let host = Host::start(ws, &home)?;
        println!("    a fresh host listens on {}", host.url());
        let wasm = fs::read(languages::example(ws, language, name))?;
        let uploaded = host.api().upload(name, &wasm)?;
        println!("    uploaded {name}: {} bytes, workflows {}", wasm.len(), uploaded["workflows"]);
        Ok(Self { ws, home, host: Some(host), service, dir })
    }

    /// Leaves what the example has made to be looked at.
    fn keep(mut self) -> PathBuf {
        self.dir.disable_cleanup(true);
        self.dir.path().to_owned()
    }

    fn host(&self) -> Result<&Host> {
        self.host.as_ref().context("the host is not running")
    }

    /// A client of the host.
    fn api(&self) -> Result<Api> {
        Ok(self.host()?.api())
    }

    /// Where the example's service is.
    fn service(&self) -> Result<&str> {
        Ok(&self.service.as_ref().context("the example has no service")?.url)
    }

    /// A file or directory of the example's own, of which nothing is left in the end.
    fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory `source` of the `fs` plugin.
    fn source(&self) -> PathBuf {
        self.place("source")
    }

    /// The directory `target` of the `fs` plugin.
    fn target(&self) -> PathBuf {
        self.home.target()
    }

    /// Kills the host with SIGKILL and starts it again.
    fn kill_and_restart(&mut self) -> Result<()> {
        self.kill()?;
        self.restart()
    }

    /// Kills the host with SIGKILL.
    fn kill(&mut self) -> Result<()> {
        self.host.take().context("the host is not running")?.kill()?;
        println!("    killed the host with SIGKILL");
        Ok(())
    }

    /// Starts the host again that was killed.
    fn restart(&mut self) -> Result<()> {
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
