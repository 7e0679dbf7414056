//! Directories to work in, and calls of activities as a host makes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use refrain_plugin::{
    ActivityError, CancelReason, CancelSource, Context, ContextParts, HostHooks, Kind, Payload, Plugin,
};
use refrain_plugins::fs::{FsConfig, FsDirectory, FsPlugin};
use serde_json::Value;

/// The directories `source` (read-only), `work` and `backups` (writable) in a temporary directory.
pub(crate) struct Fixture {
    temporary: tempfile::TempDir,
    plugin: FsPlugin,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let temporary = tempfile::tempdir().unwrap();
        let directory = |name: &str, writable| {
            let path = temporary.path().join(name);
            std::fs::create_dir(&path).unwrap();
            (name.to_owned(), FsDirectory { path, writable })
        };
        let directories =
            [directory("source", false), directory("work", true), directory("backups", true)].into();
        let plugin = FsPlugin::open(&FsConfig { directories }).unwrap();
        Fixture { temporary, plugin }
    }

    /// `path` below the temporary directory, as in `source/a.txt`.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.temporary.path().join(path)
    }

    /// Writes a file, with the directories around it.
    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Makes a symbolic link at `path` that says `target`.
    pub(crate) fn link(&self, target: impl AsRef<Path>, path: &str) {
        std::os::unix::fs::symlink(target, self.path(path)).unwrap();
    }

    pub(crate) fn content(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path(path)).unwrap()
    }

    /// The names in a directory, sorted.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[expect(clippy::needless_pass_by_value, reason = "a call reads best with its JSON in place")]
    pub(crate) fn call(&self, activity: &str, input: Value) -> Result<Value, ActivityError> {
        self.call_with(ContextParts::detached(activity), &input)
    }

    pub(crate) fn call_with(&self, parts: ContextParts, input: &Value) -> Result<Value, ActivityError> {
        let activities = self.plugin.activities();
        let activity = activities.iter().find(|activity| activity.name() == parts.activity).unwrap();
        assert_eq!(activity.kind(), Kind::Blocking, "files block");
        let output = block_on(activity.call(Context::new(parts), Payload::json(input).unwrap()))?;
        Ok(output.parse().unwrap())
    }

    /// The call fails for good, with this type and with this text in its message.
    #[track_caller]
    pub(crate) fn refuses(&self, activity: &str, input: Value, error_type: &str, text: &str) {
        let what = format!("{activity} {input}");
        match self.call(activity, input) {
            Ok(output) => panic!("{what}: succeeded with {output}"),
            Err(error) => {
                assert_eq!(error.error_type, error_type, "{what}: {error}");
                assert!(error.non_retryable, "{what}: would be retried: {error}");
                assert!(error.to_string().contains(text), "{what}: {error}\nexpected: {text}");
            }
        }
    }
}

/// Cancels an attempt at its n-th heartbeat.
pub(crate) struct CancelAt {
    source: CancelSource,
    heartbeats_left: AtomicUsize,
}

impl CancelAt {
    pub(crate) fn heartbeat(activity: &str, number: usize) -> ContextParts {
        let source = CancelSource::new();
        let cancellation = source.cancellation();
        let hooks = Arc::new(CancelAt { source, heartbeats_left: AtomicUsize::new(number) });
        ContextParts { cancellation, hooks, ..ContextParts::detached(activity) }
    }
}

impl HostHooks for CancelAt {
    fn heartbeat(&self, _details: Payload) {
        if self.heartbeats_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.source.cancel(CancelReason::Requested);
        }
    }
}
