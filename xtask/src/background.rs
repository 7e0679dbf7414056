//! Programs that run beside these commands, and end with them: hosts, and what examples carry.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// What a server says on its standard output once it can be asked.
const LISTENING: &str = "listening on ";

/// How long a server may take to start: a host recovers what it finds, and a slow disk is no error.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a program may take to stop when it is asked to; their own deadlines are shorter.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How many lines of a log are shown when its program cannot be started.
const LOG_TAIL: usize = 20;

/// A running program. It ends with this value, whatever happens; on Ctrl-C the terminal tells it too, as it is in the
/// same process group.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts a program; what it says is appended to a log.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let output = open(log)?;
        Self::spawn(command.stdout(output), log)
    }

    /// Starts a server and waits until it listens; with the URL that it says.
    pub(crate) fn serve(command: &mut Command, log: &Path) -> Result<(Self, String)> {
        let mut server = Self::spawn(command.stdout(Stdio::piped()), log)?;
        let url = server.wait_until_it_listens().with_context(|| {
            let name = process::show(command);
            format!("`{name}` did not start; the end of {}:\n{}", log.display(), server.log_tail())
        })?;
        Ok((server, url))
    }

    fn spawn(command: &mut Command, log: &Path) -> Result<Self> {
        let output = open(log)?;
        let child = command.stdin(Stdio::null()).stderr(output).spawn();
        let child =
            child.with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    fn wait_until_it_listens(&mut self) -> Result<String> {
        let stdout = self.child.stdout.take().context("a piped child has its output")?;
        let (said, heard) = mpsc::channel();
        // Reads on to the end, so that the server never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix(LISTENING) {
                    // Nobody listens any more once the address is known.
                    let _ = said.send(url.trim().to_owned());
                }
            }
        });
        match heard.recv_timeout(START_LIMIT) {
            Ok(url) => Ok(url),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("it did not say where it listens within {} s", START_LIMIT.as_secs())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("it ended ({})", self.child.wait()?),
        }
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: it has no chance to write another byte.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM: it brings what it does to a good end.
    pub(crate) fn stop(mut self) -> Result<()> {
        // The shell has a `kill` even where there is no program of that name.
        process::read(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.pid().to_string()]))?;
        let asked = Instant::now();
        while asked.elapsed() < STOP_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("it ended badly when it was asked to stop ({status})");
            }
            thread::sleep(process::POLL);
        }
        bail!("it did not stop within {} s of being asked", STOP_LIMIT.as_secs())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(log: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(log);
    file.with_context(|| format!("open the log {}", log.display()))
}
