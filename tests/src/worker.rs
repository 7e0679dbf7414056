//! A process of a worker, as users of the worker libraries run them.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::{GLANCE, PATIENCE, built, process};

/// The variable with a worker's name.
pub const IDENTITY: &str = "REFRAIN_TEST_IDENTITY";
/// The variable with how many attempts it makes at once.
pub const SLOTS: &str = "REFRAIN_TEST_SLOTS";
/// The activity that returns its input.
pub const ECHO: &str = "test.echo";
/// The activity that fails until the attempt that its input names.
pub const FLAKY: &str = "test.flaky";

/// Names a Python interpreter that has the package `refrain_worker`.
const PYTHON: &str = "REFRAIN_TEST_PYTHON";

/// In what a worker is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// With `worker-sdk/rust`.
    Rust,
    /// With `worker-sdk/python`.
    Python,
}

impl Language {
    /// Those that this machine can run. What is missing is said, since tests that are left out look like tests that
    /// pass.
    pub fn available() -> Vec<Self> {
        if env::var_os(PYTHON).is_some() {
            return vec![Self::Rust, Self::Python];
        }
        // Not by a macro, whose output nobody sees of a test that passes.
        let _unheard = writeln!(
            io::stderr(),
            "SKIPPED: workers in Python. Make an environment with `python3 -m venv DIR` and \
             `DIR/bin/pip install worker-sdk/python`, and name it: {PYTHON}=DIR/bin/python"
        );
        vec![Self::Rust]
    }

    fn command(self) -> Result<Command> {
        match self {
            Self::Rust => built::test_worker(),
            Self::Python => {
                let python = env::var_os(PYTHON).with_context(|| format!("{PYTHON} is not set"))?;
                let mut command = Command::new(python);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("workers/puppet.py"));
                built::forget_settings(&mut command);
                Ok(command)
            }
        }
    }
}

/// A worker. It dies with this value.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    log: NamedTempFile,
}

impl Worker {
    /// Starts one that makes one attempt at a time, so that what it does next is known.
    pub fn start(url: &str, queue: &str, identity: &str) -> Result<Self> {
        Self::start_in(Language::Rust, url, queue, identity, 1)
    }

    /// Starts one.
    pub fn start_in(
        language: Language,
        url: &str,
        queue: &str,
        identity: &str,
        slots: usize,
    ) -> Result<Self> {
        let log = NamedTempFile::new()?;
        let child = language
            .command()?
            .env("REFRAIN_ADDRESS", url)
            .env("REFRAIN_TASK_QUEUE", queue)
            .env(IDENTITY, identity)
            .env(SLOTS, slots.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().append(true).open(log.path())?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start the worker {identity}"))?;
        Ok(Self { child, log })
    }

    /// SIGKILL: it has no chance to say another word.
    pub async fn kill9(mut self) -> Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// SIGSTOP: it hangs, and its connections with it.
    pub async fn stop(&self) -> Result<()> {
        process::signal(&self.child, "STOP").await
    }

    /// SIGCONT: it goes on as if nothing had been.
    pub async fn go_on(&self) -> Result<()> {
        process::signal(&self.child, "CONT").await
    }

    /// SIGTERM: it brings what it does to a good end, and exits. Returns when it says (in its log) that it does so.
    pub async fn terminate(&self) -> Result<()> {
        process::signal(&self.child, "TERM").await?;
        let began = Instant::now();
        while !self.log()?.contains("stop") {
            ensure!(began.elapsed() < PATIENCE, "the worker does not say that it stops");
            sleep(GLANCE).await;
        }
        Ok(())
    }

    fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.log.path())?).into_owned())
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        Ok(timeout(PATIENCE, self.child.wait()).await.context("the worker does not end")??)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the worker's log:\n{}", self.log().unwrap_or_default());
        }
    }
}
