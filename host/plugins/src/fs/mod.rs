//! `fs`: files in directories that the configuration names, and nowhere else.
//!
//! Each input names a `directory` of the configuration and a `path` relative to it, with `/` between the parts.
//! Absolute paths and `..` are refused as `PathNotAllowed`, and so is a path on which a symbolic link leads out:
//! directories are held open as capabilities, and each path is resolved beneath one.
//!
//! | activity | input, besides `directory` and `path` | output |
//! |---|---|---|
//! | `fs.list` | `recursive` | `entries`: path, kind and size of each, sorted |
//! | `fs.hash` | | `sha256`, `size` |
//! | `fs.read` | `encoding`: `text` or `base64` | `content`, `encoding`, `size`, `sha256` |
//! | `fs.write` | `content`, `encoding`, `create_parents` | `size`, `sha256` |
//! | `fs.rename` | `to`, `replace`, `create_parents` | `already` |
//! | `fs.remove` | `recursive` | `removed` |
//! | `fs.archive` | `paths`, `to_directory`, `to`, `create_parents` | `size`, `sha256`, `entries`, `skipped` |
//! | `fs.verify_archive` | | `size`, `sha256`, `entries`: path, kind, size, hash of each |
//!
//! Paths in outputs are relative to the directory, not to `path`, so that they are inputs for the next activity.
//!
//! **Every activity may run twice** (see [`refrain_plugin`]) and ends the same when it does. What writes a file
//! writes a temporary one beside it, makes it durable and renames it, so a reader sees all of it or none. Such
//! leftovers of a crash are removed by the next attempt; listings and archives pass over them.
//!
//! **Errors** are retried only where time may heal them (`Io`, `FileChanged`). The rest names the field, the
//! value and the remedy: `InvalidInput`, `UnknownDirectory`, `ReadOnlyDirectory`, `PathNotAllowed`, `NotFound`,
//! `AlreadyExists`, `NotADirectory`, `NotAFile`, `DirectoryNotEmpty`, `PermissionDenied`, `NameNotUtf8`,
//! `NotText`, `FileTooLarge`, `TooManyEntries`, `InvalidArchive`, `CrossesDevices`.

mod archive;
mod config;
mod content;
mod directories;
mod errors;
mod limits;
mod list;
mod move_and_remove;
mod place;
mod staged;
mod stream;
mod verify;

use std::sync::Arc;

use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use config::{FsConfig, FsConfigError, FsDirectory};
pub use limits::{MAX_CONTENT_BYTES, MAX_ENTRIES, MAX_PATH_BYTES};

use directories::Directories;

/// The `fs` plugin over the directories of one configuration.
#[derive(Debug)]
pub struct FsPlugin {
    directories: Arc<Directories>,
}

impl FsPlugin {
    /// Opens the configured directories. They stay open: what is later put in the place of one is not reached.
    pub fn open(config: &FsConfig) -> Result<FsPlugin, FsConfigError> {
        Ok(FsPlugin { directories: Arc::new(Directories::open(config)?) })
    }

    fn activity<I, O>(&self, name: &str, run: Run<I, O>) -> Activity
    where
        I: DeserializeOwned + 'static,
        O: Serialize + 'static,
    {
        let directories = self.directories.clone();
        Activity::blocking(name, move |ctx: Context, input: I| run(&directories, &ctx, &input))
    }
}

/// The shape of every activity here.
type Run<I, O> = fn(&Directories, &Context, &I) -> Result<O, ActivityError>;

impl Plugin for FsPlugin {
    fn name(&self) -> &str {
        "fs"
    }

    fn activities(&self) -> Vec<Activity> {
        vec![
            self.activity("fs.archive", archive::archive),
            self.activity("fs.hash", content::hash),
            self.activity("fs.list", list::list),
            self.activity("fs.read", content::read),
            self.activity("fs.remove", move_and_remove::remove),
            self.activity("fs.rename", move_and_remove::rename),
            self.activity("fs.verify_archive", verify::verify_archive),
            self.activity("fs.write", content::write),
        ]
    }
}
