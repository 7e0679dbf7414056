//! A host of one's own: a process of the real binary, in a directory of its own, on a port that was free.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::api::Api;
use crate::background::Background;
use crate::process;
use crate::workspace::Workspace;

/// Names the host's binary, for who has one and does not want to compile it.
pub(crate) const GIVEN: &str = "REFRAIN_TEST_HOST";

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

    /// Lets the `http` plugin reach a service, and nothing else.
    pub(crate) fn allow(&self, url: &str) -> Result<()> {
        let mut config = fs::read_to_string(self.config())?;
        config.push_str(&format!("\n[plugins.http]\nallowed_hosts = [{}]\n", serde_json::to_string(url)?));
        Ok(fs::write(self.config(), config)?)
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
}

/// A running host. It ends with this value.
#[derive(Debug)]
pub(crate) struct Host {
    process: Background,
    url: String,
}

impl Host {
    /// Starts a host in a home, new or used.
    pub(crate) fn start(ws: &Workspace, home: &Home) -> Result<Self> {
        let mut command = ours(ws, "refrain");
        command.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.data());
        command.arg("--config").arg(home.config());
        let (process, url) = Background::serve(&mut command, &home.log())?;
        Ok(Self { process, url })
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
        self.process.pid()
    }

    /// SIGKILL: it has no chance to write another byte.
    pub(crate) fn kill(self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM: it brings what it does to a good end.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop().context("stop the host")
    }
}

/// One of our binaries, without what the developer's own hosts and clients are told by the environment.
pub(crate) fn ours(ws: &Workspace, name: &str) -> Command {
    let mut command = Command::new(ws.binary(name));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REFRAIN_")) {
        command.env_remove(name);
    }
    command
}

/// `refrain workflow show ID`: the run's history, as a user would look at it. Of a long one, what is told by its
/// beginning, its end, and the crashes.
pub(crate) fn show(ws: &Workspace, host: &Host, id: &str) -> Result<()> {
    let mut command = ours(ws, "refrain");
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
