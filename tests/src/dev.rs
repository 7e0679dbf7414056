//! A process of `refrain dev`, in a project whose component is made by a shell script.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::{Client, PATIENCE, built, process};

/// The file that the build makes a component of.
pub const SOURCE: &str = "source.wasm";

/// A project, and `refrain dev` in it while it is started.
#[derive(Debug)]
pub struct Dev {
    /// The process, and what it says. It ends before its project goes.
    running: Option<(Child, Lines<BufReader<ChildStdout>>)>,
    project: TempDir,
    /// What it has said and nobody has waited for yet: builds and runs go on side by side.
    heard: VecDeque<Value>,
    /// Where its host listens, for the clients.
    url: watch::Sender<String>,
}

impl Dev {
    /// A project with the component `plan`, which is built by these lines of a shell script.
    pub fn project(build: &str) -> Result<Self> {
        let project = tempfile::Builder::new().prefix("refrain-dev-").tempdir()?;
        let dev = Self { project, running: None, heard: VecDeque::new(), url: watch::Sender::default() };
        dev.write(
            "refrain.toml",
            b"name = \"plan\"\nbuild = \"sh -e build.sh\"\ncomponent = \"out/plan.wasm\"\n",
        )?;
        dev.write("build.sh", build.as_bytes())?;
        Ok(dev)
    }

    /// Starts `refrain dev` with these arguments. Unless they name a host, it has its own on a free port.
    pub async fn start(&mut self, arguments: &[&str]) -> Result<()> {
        if self.running.is_some() {
            bail!("it is running: interrupt or kill it first");
        }
        let own = !arguments.contains(&"--address");
        let mut command = built::refrain()?;
        command
            .args(["dev", "--json"])
            .args(own.then_some(["--listen", "127.0.0.1:0"]).into_iter().flatten());
        command.args(arguments).current_dir(self.dir()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("a piped child has its output")?;
        self.heard.clear();
        self.running = Some((child, BufReader::new(stdout).lines()));
        let host = self.news(|news| matches!(news["type"].as_str(), Some("listening" | "using"))).await?;
        self.url.send_replace(host["address"].as_str().context("an address")?.to_owned());
        Ok(())
    }

    /// The first news that are such, and were not waited for before.
    pub async fn news(&mut self, is_meant: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(news) = self.heard.iter().position(&is_meant).and_then(|at| self.heard.remove(at)) {
            return Ok(news);
        }
        let (_, lines) = self.running.as_mut().context("it is not running")?;
        loop {
            let said = || self.heard.iter().map(|news| format!("\n{news}")).collect::<String>();
            let line = timeout(PATIENCE, lines.next_line());
            let line = line
                .await
                .with_context(|| format!("it does not say what is waited for, but:{}", said()))??;
            let line = line.with_context(|| format!("it ended, and had said:{}", said()))?;
            let news = serde_json::from_str(&line).with_context(|| format!("{line:?} is no JSON"))?;
            if is_meant(&news) {
                return Ok(news);
            }
            self.heard.push_back(news);
        }
    }

    /// The next news of this type.
    pub async fn news_of(&mut self, kind: &str) -> Result<Value> {
        self.news(|news| news["type"] == kind).await
    }

    /// The next news of this kind about a run; of an event, the event's type.
    pub async fn run_news(&mut self, id: &str, kind: &str) -> Result<Value> {
        self.news(|news| news["id"] == id && (news["news"] == kind || news["event"]["type"] == kind)).await
    }

    /// Ctrl-C; answers how it ended.
    pub async fn interrupt(&mut self) -> Result<ExitStatus> {
        let (mut child, mut lines) = self.running.take().context("it is not running")?;
        process::signal(&child, "INT").await?;
        let end = async {
            while lines.next_line().await?.is_some() {}
            child.wait().await
        };
        timeout(PATIENCE, end).await.context("it does not end")?.map_err(Into::into)
    }

    /// SIGKILL: it has no chance to write another byte.
    pub async fn kill9(&mut self) -> Result<()> {
        let (mut child, _) = self.running.take().context("it is not running")?;
        child.start_kill()?;
        child.wait().await?;
        Ok(())
    }

    /// A client of its host.
    pub fn client(&self) -> Client {
        Client::new(self.url.subscribe())
    }

    /// The project's folder.
    pub fn dir(&self) -> &Path {
        self.project.path()
    }

    /// A file of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Writes a file of the project: at once, as editors do.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let new = self.project.path().with_extension("new");
        fs::write(&new, content)?;
        fs::rename(new, self.path(name)).map_err(Into::into)
    }
}
