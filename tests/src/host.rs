//! A process of the host's binary, in a directory of its own.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::{Client, PATIENCE, Proxy, built, guest, process};

/// What the host says on its standard output once it can be asked.
const LISTENING: &str = "listening on ";

/// How many lines of the host's log a failing test prints.
const LOG_TAIL: usize = 60;

/// What a host is started with.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// Lines for its configuration, before the tables that the harness writes.
    pub config: String,
    /// Where its directory is made; where the system has temporary ones, if nothing is said.
    pub home: Option<PathBuf>,
}

/// A host. It dies with this value.
#[derive(Debug)]
pub struct Host {
    home: TempDir,
    /// The process; `None` while it is down.
    child: Option<Child>,
    /// Where it listens, for the clients: the port is another one after each start.
    url: watch::Sender<String>,
}

impl Host {
    /// Starts a host with the default configuration on an empty data directory.
    pub async fn start() -> Result<Self> {
        Self::start_with(HostOptions::default()).await
    }

    /// Starts a host on an empty data directory.
    pub async fn start_with(options: HostOptions) -> Result<Self> {
        let place = options.home.unwrap_or_else(env::temp_dir);
        let home = tempfile::Builder::new().prefix("refrain-test-").tempdir_in(place)?;
        let mut host = Self { home, child: None, url: watch::Sender::default() };
        for dir in [host.source(), host.target()] {
            fs::create_dir(dir)?;
        }
        host.configure(&options.config)?;
        host.restart().await?;
        Ok(host)
    }

    /// Starts a host that has the component of an example.
    pub async fn with_example(name: &str) -> Result<Self> {
        let host = Self::start().await?;
        host.client().upload(name, guest(name)?).await?;
        Ok(host)
    }

    /// Writes these lines into its configuration, before the tables of the harness, for when it is started next.
    pub fn configure(&self, lines: &str) -> Result<()> {
        // Debug writes the paths of temporary directories as TOML does.
        let config = format!(
            "{lines}\n[plugins.fs.directories]\nsource = {{ path = {:?} }}\ntarget = {{ path = {:?}, writable = true }}\n",
            self.source(),
            self.target(),
        );
        Ok(fs::write(self.config(), config)?)
    }

    /// Starts it again, after it was killed or stopped, on what it left.
    pub async fn restart(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("the host is running: kill or stop it first");
        }
        let mut child = self.server()?.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("a piped child has its output")?;
        let mut lines = BufReader::new(stdout).lines();
        let url = loop {
            let line = timeout(PATIENCE, lines.next_line())
                .await
                .context("the host does not say where it listens")??;
            match line.as_deref().map(|line| line.strip_prefix(LISTENING)) {
                Some(Some(url)) => break url.trim().to_owned(),
                Some(None) => {}
                None => bail!("the host ended while it started; its log:\n{}", self.log_tail()),
            }
        };
        // Reads on to the end, so that the host never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.child = Some(child);
        self.url.send_replace(url);
        Ok(())
    }

    /// Starts it again as [`Self::restart`] does, and kills it when this time has passed. No client hears of that life.
    pub async fn live_unheard(&mut self, life: Duration) -> Result<()> {
        let mut child = self.server()?.stdout(Stdio::null()).spawn()?;
        // That it ends by itself is told by its log, and not by a death that would be none.
        if let Ok(ended) = timeout(life, child.wait()).await {
            bail!("the host ended while it started ({}); its log:\n{}", ended?, self.log_tail());
        }
        child.kill().await?;
        Ok(())
    }

    /// SIGKILL: it has no chance to write another byte. It must be there to be killed.
    pub async fn kill9(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the host is not running")?;
        if let Some(status) = child.try_wait()? {
            bail!("the host ended by itself ({status}); its log:\n{}", self.log_tail());
        }
        child.start_kill()?;
        child.wait().await?;
        Ok(())
    }

    /// SIGTERM: it brings what it does to a good end, and exits.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("the host is not running")?;
        process::signal(&child, "TERM").await?;
        timeout(PATIENCE, child.wait()).await.context("the host does not stop")?.map_err(Into::into)
    }

    /// Runs a second host on the same data directory, to its end.
    pub async fn second_on_same_data(&self) -> Result<Output> {
        let mut command = self.server()?;
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        timeout(PATIENCE, output).await.context("the second host does not end")?.map_err(Into::into)
    }

    /// Runs a command of the binary's against this host.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = built::refrain()?;
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env("REFRAIN_ADDRESS", self.url())
            .kill_on_drop(true);
        timeout(PATIENCE, command.stdin(Stdio::null()).output())
            .await
            .with_context(|| format!("`refrain {}` does not end", arguments.join(" ")))?
            .map_err(Into::into)
    }

    /// A client, which finds the host again after a restart.
    pub fn client(&self) -> Client {
        Client::new(self.url.subscribe())
    }

    /// A proxy in front of it, whose address stays the same when the host is started again.
    pub async fn proxy(&self) -> Result<Proxy> {
        Proxy::open(self.url.subscribe()).await
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.url.borrow().clone()
    }

    /// The directory that its `fs` plugin knows as `source`.
    pub fn source(&self) -> PathBuf {
        self.home.path().join("source")
    }

    /// The directory that its `fs` plugin knows as `target`, and may write to.
    pub fn target(&self) -> PathBuf {
        self.home.path().join("target")
    }

    /// Keeps its directory, for people to look at: where that is.
    pub fn keep(&mut self) -> &Path {
        self.home.disable_cleanup(true);
        self.home.path()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.home.path().join("host.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }

    fn server(&self) -> Result<Command> {
        let log = File::options().create(true).append(true).open(self.home.path().join("host.log"))?;
        let mut command = built::refrain()?;
        command
            .args(["server", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.home.path().join("data"))
            .arg("--config")
            .arg(self.config())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("refrain.toml")
    }

    /// Writes a file of the directory `source`.
    pub fn write_source(&self, path: impl AsRef<Path>, content: &[u8]) -> Result<()> {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().context("a file in a directory has a parent")?)?;
        fs::write(path, content).map_err(Into::into)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the end of the host's log:\n{}", self.log_tail());
        }
    }
}
