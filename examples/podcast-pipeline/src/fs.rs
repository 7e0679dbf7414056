//! The activities of the host's `fs` plugin, with types.

use refrain_sdk::{Activity, Retry, activity, mins};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

/// A full disk or a host that restarts may pass; what still fails then is for people.
const ATTEMPTS: u32 = 5;

fn fs<T: DeserializeOwned>(name: &str, input: &impl Serialize) -> Activity<T> {
    activity(name, input).start_to_close(mins(1)).retry(Retry::default().maximum_attempts(ATTEMPTS))
}

/// Where something is: a directory of the host's configuration, and a path in it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    pub directory: String,
    pub path: String,
}

impl Place {
    pub fn new(directory: &str, path: impl Into<String>) -> Self {
        Self { directory: directory.to_owned(), path: path.into() }
    }
}

#[derive(Deserialize)]
pub struct File {
    pub content: String,
}

/// A small text file.
pub fn read(place: &Place) -> Activity<File> {
    fs("fs.read", place)
}

/// Writes a small text file.
pub fn write(place: &Place, content: &str) -> Activity<IgnoredAny> {
    #[derive(Serialize)]
    struct Input<'a> {
        #[serde(flatten)]
        place: &'a Place,
        content: &'a str,
    }
    fs("fs.write", &Input { place, content })
}

/// Gives a file its new name, in place of what has it.
pub fn rename(place: &Place, to: &str) -> Activity<IgnoredAny> {
    #[derive(Serialize)]
    struct Input<'a> {
        #[serde(flatten)]
        place: &'a Place,
        to: &'a str,
        replace: bool,
    }
    fs("fs.rename", &Input { place, to, replace: true })
}
