//! Sweeps a tree of directories, a few of them in each run, and adds up what is in it.
//!
//! A tree has no largest size, and a run's journal has: so the sweep *continues as new*. The execution goes on under its
//! id as another run, with an empty journal, and knows what it was given as its input: where to go next, and what was
//! found so far. A replay reads the journal of one run, however many came before it.
//!
//! * **When** is the host's to say, who knows the limit: [`info`]`().continue_as_new_suggested` is true from half of it
//!   on. Whoever wants shorter runs says so by `directories_per_run`.
//! * **Signals** that nobody has read go to the next run by themselves, in their order. Here they are read when the tree is
//!   done, however many runs later that is.
//!
//! It needs the host's `fs` plugin, with a directory to read. `cargo xtask example sweep` runs it for more than a hundred
//! runs, tells it of more directories meanwhile, and kills the host in the middle.

use std::time::Duration;

use refrain_sdk::{
    Activity, Context, Failure, Next, Retry, Signal, activity, continue_as_new, info, mins, or_canceled,
    timeout, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the sweep is started with, and what each run hands to the next.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Sweep {
    /// The directory to sweep, by its name in the host's configuration.
    source: String,
    /// The directories in it that are still to be swept, with all that is beneath them. The last one comes next: depth
    /// first, so that the list stays short in a large tree.
    stack: Vec<String>,
    /// The sweep goes on as a new run after so many directories; without it, when the host suggests it.
    directories_per_run: Option<u32>,
    /// For how many milliseconds it waits for the signal `also` when nothing is left to be swept.
    patience_ms: u64,
    /// What was found so far.
    found: Found,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            source: "source".to_owned(),
            stack: vec![String::new()],
            directories_per_run: None,
            patience_ms: 0,
            found: Found::default(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Found {
    /// How many runs it took.
    runs: u32,
    directories: u64,
    files: u64,
    bytes: u64,
    largest: Option<File>,
    /// How many directories the signal `also` has named.
    also: u64,
    /// Directories that could not be listed, and why.
    passed_over: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct File {
    path: String,
    size: u64,
}

const ALSO: Signal<String> = Signal::new("also").doc("One more directory to sweep.");

/// Adds up the files of a tree, directory by directory, and waits a while for more of them.
#[workflow(signals(ALSO))]
async fn sweep(mut sweep: Sweep) -> Result<Next<Found>, Failure> {
    sweep.found.runs += 1;
    let mut swept = 0;
    while let Some(directory) = or_canceled(sweep.next()).await? {
        or_canceled(sweep.visit(&directory)).await??;
        swept += 1;
        if info().continue_as_new_suggested || sweep.directories_per_run.is_some_and(|most| swept >= most) {
            return Ok(continue_as_new(&sweep).into());
        }
    }
    Ok(Next::Done(sweep.found))
}

impl Sweep {
    /// The next directory; none when there was nothing to do for as long as the patience lasts.
    async fn next(&mut self) -> Option<String> {
        if let Some(directory) = self.stack.pop() {
            return Some(directory);
        }
        let directory = timeout(Duration::from_millis(self.patience_ms), ALSO.recv()).await.ok()?;
        self.found.also += 1;
        Some(directory)
    }

    async fn visit(&mut self, directory: &str) -> Result<(), Failure> {
        let listing = match list(&self.source, directory).await {
            Ok(listing) => listing,
            // A signal may name what is not there, and what is there may go: no reason to give up all the rest.
            Err(why) if ["NotFound", "NotADirectory"].contains(&why.error_type()) => {
                self.found.passed_over.push(format!("{directory}: {why}"));
                return Ok(());
            }
            Err(why) => return Err(why).with_context(|| format!("list `{directory}`")),
        };
        self.found.directories += 1;
        for Listed { path, kind, size } in listing.entries {
            match kind {
                Kind::Directory => self.stack.push(path),
                Kind::File => {
                    self.found.files += 1;
                    self.found.bytes += size;
                    if self.found.largest.as_ref().is_none_or(|largest| size > largest.size) {
                        self.found.largest = Some(File { path, size });
                    }
                }
                Kind::Symlink | Kind::Other => {}
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Listing {
    entries: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    kind: Kind,
    size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Directory,
    Symlink,
    Other,
}

/// What a directory holds, without what is beneath its directories.
fn list(source: &str, path: &str) -> Activity<Listing> {
    /// Long enough for a large directory on a slow disk.
    const ATTEMPT: Duration = mins(10);
    /// A disk that fails five times is a matter for people.
    const ATTEMPTS: u32 = 5;
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'a str,
        path: &'a str,
    }
    activity("fs.list", &Input { directory: source, path })
        .start_to_close(ATTEMPT)
        .retry(Retry::default().maximum_attempts(ATTEMPTS))
}

refrain_sdk::component!(sweep);

#[cfg(test)]
mod tests;
