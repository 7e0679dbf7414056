//! Waiting for a project's sources to change.
//!
//! The system says that something happened in a folder; what it was, a look at the files says. So nothing depends on
//! how a system tells of a rename, or of a folder that is moved.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::files::{Files, Snapshot};
use crate::cli::CliError;

/// How long nothing may happen until a change counts as complete: editors and version control write several files, one
/// after the other.
const QUIET: Duration = Duration::from_millis(100);
/// After this long a change is acted upon even if something goes on.
const LONGEST: Duration = Duration::from_secs(2);

/// Watches the folders of a project that have sources in them.
pub(in crate::cli) struct Watch {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    /// Full when something has happened since it was last emptied.
    happened: mpsc::Receiver<Result<(), String>>,
    files: Files,
    seen: Snapshot,
}

impl Watch {
    /// Begins to watch. What has happened before does not count as a change.
    ///
    /// # Errors
    /// When the system cannot, or the files cannot be looked at.
    pub(in crate::cli) fn new(files: Files) -> Result<Self, CliError> {
        let (happens, happened) = mpsc::channel(1);
        let tell = move |event: notify::Result<notify::Event>| {
            let news = match event {
                // Looking at files is an event too, and no change.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            };
            // One that is not taken up yet stands for all.
            let _told = happens.try_send(news);
        };
        let watcher = notify::recommended_watcher(tell).map_err(|error| cannot_watch(&error.to_string()))?;
        let mut watch =
            Self { watcher, watched: BTreeSet::new(), happened, files, seen: Snapshot::default() };
        watch.look()?;
        Ok(watch)
    }

    /// From here on these files are the sources. The change from the others to them is none.
    pub(super) fn of(&mut self, files: Files) -> Result<(), CliError> {
        self.files = files;
        self.look().map(drop)
    }

    /// The files that a build or somebody has changed since the last look, while that build ran. Those that are new are
    /// the build's own, such as a lock file: a source of somebody's that is new changes nothing before another names it.
    pub(in crate::cli) fn look_after_build(&mut self) -> Result<Vec<String>, CliError> {
        let before = self.seen.clone();
        let changed = self.look()?;
        Ok(changed.into_iter().filter(|file| before.has(&self.files.path(file))).collect())
    }

    /// The files that have changed since the last look.
    fn look(&mut self) -> Result<Vec<String>, CliError> {
        let before = std::mem::take(&mut self.seen);
        let mut now = self.files.look(&before)?;
        // What is in a new folder may have come before it was watched.
        while self.watch_folders(&now)? {
            now = self.files.look(&now)?;
        }
        let changed = before.changed(&now).iter().map(|path| self.files.shown(path)).collect();
        self.seen = now;
        Ok(changed)
    }

    /// Waits for a change, and names the files. Dropping the future loses nothing.
    pub(in crate::cli) async fn changed(&mut self) -> Result<Vec<String>, CliError> {
        loop {
            self.event().await?;
            let longest = Instant::now() + LONGEST;
            while let Ok(event) = timeout_at(longest.min(Instant::now() + QUIET), self.event()).await {
                event?;
                if Instant::now() >= longest {
                    break;
                }
            }
            let changed = self.look()?;
            if !changed.is_empty() {
                return Ok(changed);
            }
        }
    }

    async fn event(&mut self) -> Result<(), CliError> {
        match self.happened.recv().await {
            Some(news) => news.map_err(|error| cannot_watch(&error)),
            None => Err(cannot_watch("the watcher has ended")),
        }
    }

    /// Watches the folders of a look and no others; whether new ones are among them.
    fn watch_folders(&mut self, now: &Snapshot) -> Result<bool, CliError> {
        let dirs: BTreeSet<PathBuf> = now.dirs.iter().cloned().collect();
        for gone in self.watched.difference(&dirs) {
            // A folder that is no more is not watched any more, whether or not it can be said.
            let _gone = self.watcher.unwatch(gone);
        }
        let new: Vec<_> = dirs.difference(&self.watched).cloned().collect();
        for dir in &new {
            match self.watcher.watch(dir, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(_) if !dir.exists() => {}
                Err(error) => return Err(cannot_watch(&error.to_string())),
            }
        }
        self.watched = dirs;
        Ok(!new.is_empty())
    }
}

fn cannot_watch(reason: &str) -> CliError {
    CliError::failed(format!(
        "cannot watch the project's files: {reason}; if there are too many, name the sources in `watch` of refrain.toml"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::project::manifest::Manifest;

    fn watch(dir: &Path) -> Watch {
        let manifest = "name = \"order\"\nbuild = \"make\"\ncomponent = \"order.wasm\"";
        let manifest = Manifest::parse(manifest).expect("a manifest");
        Watch::new(Files::new(dir, &manifest).expect("no globs")).expect("a watch")
    }

    #[tokio::test]
    async fn files_that_change_together_are_one_change_also_in_folders_that_are_new() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a"), "1").expect("a file");
        let mut watch = watch(dir.path());
        fs::write(dir.path().join("a"), "2").expect("a file");
        fs::create_dir_all(dir.path().join("new/deep")).expect("folders");
        fs::write(dir.path().join("new/deep/b"), "1").expect("a file");
        assert_eq!(watch.changed().await.expect("a change"), ["a", "new/deep/b"]);
        fs::write(dir.path().join("new/deep/b"), "2").expect("a file");
        assert_eq!(watch.changed().await.expect("a change"), ["new/deep/b"]);
        fs::remove_dir_all(dir.path().join("new")).expect("a folder");
        assert_eq!(watch.changed().await.expect("a change"), ["new/deep/b"]);
    }

    #[tokio::test]
    async fn what_is_no_source_is_no_change() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut watch = watch(dir.path());
        fs::write(dir.path().join("order.wasm"), "1").expect("a file");
        fs::create_dir(dir.path().join("target")).expect("a folder");
        fs::write(dir.path().join("target/x"), "1").expect("a file");
        fs::write(dir.path().join("b"), "1").expect("a file");
        assert_eq!(watch.changed().await.expect("a change"), ["b"]);
        assert!(watch.look().expect("a look").is_empty());
    }

    #[tokio::test]
    async fn what_is_new_after_a_build_is_its_own_until_it_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("source"), "1").expect("a file");
        let mut watch = watch(dir.path());
        fs::write(dir.path().join("lock"), "1").expect("a file");
        assert!(watch.look_after_build().expect("a look").is_empty());
        fs::write(dir.path().join("lock"), "2").expect("a file");
        fs::write(dir.path().join("source"), "2").expect("a file");
        assert_eq!(watch.look_after_build().expect("a look"), ["lock", "source"]);
    }
}
