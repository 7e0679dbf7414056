//! The activities of the host's `fs` plugin, with types.

use std::time::Duration;

use refrain_sdk::{Activity, Retry, activity, mins};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Long enough to read a large tree from a slow disk.
const ATTEMPT: Duration = mins(30);

/// A full disk or a host that restarts may pass; what still fails then is for people.
const ATTEMPTS: u32 = 5;

fn fs<T: DeserializeOwned>(name: &str, input: &impl Serialize) -> Activity<T> {
    activity(name, input).start_to_close(ATTEMPT).retry(Retry::default().maximum_attempts(ATTEMPTS))
}

/// Where something is: a directory of the host's configuration, and a path in it.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    pub directory: String,
    pub path: String,
}

impl Place {
    pub fn new(directory: &str, path: impl Into<String>) -> Self {
        Self { directory: directory.to_owned(), path: path.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    File,
    Directory,
    Symlink,
    /// A socket, a device, a named pipe.
    Other,
}

#[derive(Debug, Deserialize)]
pub struct Listing {
    pub entries: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
pub struct Listed {
    pub path: String,
    pub kind: Kind,
}

/// All that is beneath a place, sorted.
pub fn list(place: &Place) -> Activity<Listing> {
    #[derive(Serialize)]
    struct Input<'a> {
        #[serde(flatten)]
        place: &'a Place,
        recursive: bool,
    }
    fs("fs.list", &Input { place, recursive: true })
}

/// What a file's content is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sum {
    pub sha256: String,
    pub size: u64,
}

pub fn hash(place: &Place) -> Activity<Sum> {
    fs("fs.hash", place)
}

/// Writes a tar of these paths, and of nothing else.
pub fn archive(directory: &str, paths: &[String], to: &Place) -> Activity<Sum> {
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'a str,
        paths: &'a [String],
        to_directory: &'a str,
        to: &'a str,
        create_parents: bool,
    }
    let to_directory = &to.directory;
    fs("fs.archive", &Input { directory, paths, to_directory, to: &to.path, create_parents: true })
}

#[derive(Debug, Deserialize)]
pub struct Contents {
    #[serde(flatten)]
    pub sum: Sum,
    pub entries: Vec<Archived>,
}

#[derive(Debug, Deserialize)]
pub struct Archived {
    pub path: String,
    pub kind: Kind,
    /// Of a file.
    pub sha256: Option<String>,
    pub size: Option<u64>,
}

/// Reads a tar back from its first byte to its last.
pub fn verify_archive(place: &Place) -> Activity<Contents> {
    fs("fs.verify_archive", place)
}

#[derive(Debug, Deserialize)]
pub struct Renamed {}

/// Gives a file its new name, unless something has it.
pub fn rename(place: &Place, to: &str) -> Activity<Renamed> {
    #[derive(Serialize)]
    struct Input<'a> {
        #[serde(flatten)]
        place: &'a Place,
        to: &'a str,
    }
    fs("fs.rename", &Input { place, to })
}

#[derive(Debug, Deserialize)]
pub struct Removed {}

/// Removes a file; that there is none is as good.
pub fn remove(place: &Place) -> Activity<Removed> {
    fs("fs.remove", place)
}

/// Writes a small text file.
pub fn write(place: &Place, content: &str) -> Activity<Sum> {
    #[derive(Serialize)]
    struct Input<'a> {
        #[serde(flatten)]
        place: &'a Place,
        content: &'a str,
    }
    fs("fs.write", &Input { place, content })
}
