//! A host of one's own: a process of the real binary, in a directory of its own, on a port that was free.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::api::Api;
use crate::process;
use crate::workspace::Workspace;

/// What the host says on its standard output once it can be asked.
const LISTENING: &str = "listening on ";

/// How long a host may take to start: it recovers what it finds, and a slow disk is no error.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a host may take to stop when it is asked to; its own deadline is shorter.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How many lines of a host's log are shown when it cannot be started.
const LOG_TAIL: usize = 20;

/// What a host has on disk: data, configuration, log, and the directories that its `fs` plugin knows.
#[derive(Debug)]
pub(crate) struct Home {
    dir: PathBuf,
}

impl Home {
    /// Makes a home in `dir`, where its host can read `source` and write below the home.
    pub(crate) fn create(dir: &Path, source: &Path) -> Result<Self> {
        let home = Self { dir: dir.to_owned() };
        fs::create_dir_all(home.target())?;
        let path = |path: &Path| -> Result<String> {
            let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
            // What JSON writes as a string, TOML reads as the same string.
            Ok(serde_json::to_string(path)?)
        };
        let config = format!(
            "[plugins.fs.directories.source]\npath = {}\n\n\
             [plugins.fs.directories.target]\npath = {}\nwritable = true\n",
            path(source)?,
            path(&home.target())?,
        );
        fs::write(home.config(), config)?;
        Ok(home)
    }

    /// The directory `target` of the `fs` plugin, which it may write to.
    pub(crate) fn target(&self) -> PathBuf {
        self.dir.join("archives")
    }

    /// The host's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The host's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("refrain.toml")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("host.log")
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }
}

/// A running host. It ends with this value, whatever happens; on Ctrl-C the terminal tells it too, as it is in
/// the same process group.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    url: String,
}

impl Host {
    /// Starts a host in a home, new or used.
    pub(crate) fn start(ws: &Workspace, home: &Home) -> Result<Self> {
        let log = File::options().create(true).append(true).open(home.log())?;
        let mut command = refrain(ws);
        command.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.data());
        command.arg("--config").arg(home.config());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", ws.refrain().display()))?;
        let mut host = Self { child, url: String::new() };
        host.url = host.wait_until_it_listens().with_context(|| {
            format!("the host did not start; the end of {}:\n{}", home.log().display(), home.log_tail())
        })?;
        Ok(host)
    }

    fn wait_until_it_listens(&mut self) -> Result<String> {
        let stdout = self.child.stdout.take().context("a piped child has its output")?;
        let (said, heard) = mpsc::channel();
        // Reads on to the end, so that the host never waits for a reader.
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

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A client for it.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url)
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
                bail!("the host ended badly when it was asked to stop ({status})");
            }
            thread::sleep(process::POLL);
        }
        bail!("the host did not stop within {} s of being asked", STOP_LIMIT.as_secs())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The host's binary, without what the developer's own hosts and clients are told by the environment.
fn refrain(ws: &Workspace) -> Command {
    let mut command = Command::new(ws.refrain());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REFRAIN_")) {
        command.env_remove(name);
    }
    command
}

/// `refrain workflow show ID`: the run's history, as a user would look at it. Of a long one, what is told by its
/// beginning, its end, and the crashes.
pub(crate) fn show(ws: &Workspace, host: &Host, id: &str) -> Result<()> {
    let mut command = refrain(ws);
    command.args(["workflow", "show", id]).env("REFRAIN_ADDRESS", host.url());
    println!("    $ refrain workflow show {id}\n");
    let shown = process::read(&mut command)?;
    for line in shorten(&shown.lines().collect::<Vec<_>>()) {
        println!("    {line}");
    }
    Ok(())
}

/// The first and the last lines and those around each crash, and how many were left out between them.
fn shorten(lines: &[&str]) -> Vec<String> {
    /// What fits on a screen or two is shown as it is.
    const SHORT: usize = 60;
    /// How many lines are kept on each side of what matters in a longer one.
    const AROUND: usize = 10;
    /// What the line across a timeline says.
    const CRASH: &str = "the host was restarted";
    let crashes = (0..lines.len()).filter(|index| lines[*index].contains(CRASH));
    let matter: Vec<usize> = crashes.chain([0, lines.len().saturating_sub(1)]).collect();
    let kept =
        |index: usize| lines.len() <= SHORT || matter.iter().any(|matters| matters.abs_diff(index) <= AROUND);
    let mut shortened = Vec::new();
    let mut left_out = 0;
    for (index, line) in lines.iter().enumerate() {
        if !kept(index) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            shortened.push(format!("    ... {left_out} more ..."));
            left_out = 0;
        }
        shortened.push((*line).to_owned());
    }
    shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_keeps_its_ends_and_its_crashes() {
        let mut lines = vec!["an event"; 101];
        lines[50] = "---- the host was restarted ----";
        let shown = shorten(&lines);
        assert_eq!(shown.len(), 11 + 1 + 21 + 1 + 11);
        assert_eq!((shown[11].trim(), shown[22].as_str()), ("... 29 more ...", lines[50]));
        assert_eq!(shorten(&lines[..60]).len(), 60, "a short one is whole");
    }
}
