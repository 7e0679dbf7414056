//! The activities of the host's `fs` plugin, with types.

use std::time::Duration;

use refrain_sdk::{Activity, Cancellation, Retry, activity, mins};
use serde::de::{DeserializeOwned, IgnoredAny};
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

#[derive(Deserialize)]
pub struct Archived {
    pub size: u64,
    pub sha256: String,
}

/// Writes a tar of all that is in a directory. Who cancels it hears of its end when nobody writes there any more, so that
/// what is removed then stays removed.
pub fn archive(directory: &str, to: &Place) -> Activity<Archived> {
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'a str,
        to_directory: &'a str,
        to: &'a str,
    }
    fs("fs.archive", &Input { directory, to_directory: &to.directory, to: &to.path })
        .cancellation(Cancellation::WaitForCancellation)
}

/// Gives a file its new name, unless something has it.
pub fn rename(place: &Place, to: &str) -> Activity<IgnoredAny> {
    #[derive(Serialize)]
    struct Input<'a> {
        #[serde(flatten)]
        place: &'a Place,
        to: &'a str,
    }
    fs("fs.rename", &Input { place, to })
}

/// Removes a file; that there is none is as good.
pub fn remove(place: &Place) -> Activity<IgnoredAny> {
    fs("fs.remove", place)
}
