//! Runs a target over its corpus and what is made of it, and keeps the input that a promise broke at.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::Target;
use crate::mutate::Choices;

/// One input may take so long. Ordinary ones take milliseconds.
const HANGS_AFTER: Duration = Duration::from_secs(60);

thread_local! {
    /// Panics of this repository's code on this thread. A host catches those of a request or of a task, and they are
    /// bugs all the same.
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Where cargo keeps the code of others. Some of that panics at what it is given, and a host that knows it catches it.
const OTHERS: &str = "/registry/src/";

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.location().is_none_or(|location| !location.file().contains(OTHERS)) {
                PANICS.set(PANICS.get() + 1);
                before(panic);
            }
        }));
    });
}

/// When a search is over.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// After so many inputs, besides the corpus.
    Inputs(u64),
    /// After this time.
    Time(Duration),
}

/// The repository's root.
pub fn root() -> &'static Path {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.ancestors().nth(2).expect("this crate lies in tests/ of the repository")
}

impl Target {
    /// Where its corpus is.
    pub fn corpus(&self) -> PathBuf {
        root().join("tests/fuzz/corpus").join(self.name)
    }

    /// The files of inputs to begin with, in an order that is the same on every machine.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = BTreeSet::new();
        find(&self.corpus(), &mut files)?;
        for more in self.more {
            find(&root().join(more), &mut files)?;
        }
        Ok(files.into_iter().collect())
    }

    /// Runs the corpus, and then what this seed makes of it. Answers the number of inputs.
    ///
    /// # Errors
    /// When a promise breaks, or an input takes too long: the message names the file in which it is kept.
    pub fn search(&self, seed: u64, limit: Limit) -> Result<u64> {
        count_panics();
        let files = self.files()?;
        let read = |file: &PathBuf| fs::read(file).with_context(|| format!("read {}", file.display()));
        let seeds = files.iter().map(read).collect::<Result<Vec<_>>>()?;
        let (run, running) = (self.run, self.running());
        let (done, progress) = mpsc::channel();
        let shown = running.clone();
        let searching = std::thread::spawn(move || {
            let mut choices = Choices::from_seed(seed);
            let began = Instant::now();
            for count in 0.. {
                let input = match usize::try_from(count).ok().and_then(|index| seeds.get(index)) {
                    Some(seed) => seed.clone(),
                    None => choices.input(&seeds),
                };
                fs::write(&shown, &input).expect("the directory for temporary files can be written to");
                let before = PANICS.get();
                let failed =
                    catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() || PANICS.get() != before;
                let is_over = match limit {
                    Limit::Inputs(inputs) => count + 1 >= inputs + seeds.len() as u64,
                    Limit::Time(time) => began.elapsed() >= time,
                };
                if done.send(failed).is_err() || failed || is_over {
                    return;
                }
            }
        });
        let mut count = 0;
        let failure = loop {
            match progress.recv_timeout(HANGS_AFTER) {
                Ok(false) => count += 1,
                Ok(true) => break "broke a promise",
                Err(RecvTimeoutError::Timeout) => break "takes too long",
                Err(RecvTimeoutError::Disconnected) => {
                    // Whatever it was that ended it is its own word.
                    searching.join().expect("the search catches what a target does");
                    fs::remove_file(&running)?;
                    return Ok(count);
                }
            }
        };
        let file = match usize::try_from(count).ok().and_then(|index| files.get(index)) {
            Some(file) => file.clone(),
            None => self.keep(&running)?,
        };
        bail!("{}: input {count} of seed {seed} {failure}: it is {}", self.name, file.display())
    }

    /// Where the input is that runs: of a process that was ended by it, all that is left.
    pub fn running(&self) -> PathBuf {
        std::env::temp_dir().join(format!("refrain-fuzz-{}-{}", self.name, std::process::id()))
    }

    fn keep(&self, running: &Path) -> Result<PathBuf> {
        let input = fs::read(running).with_context(|| format!("read {}", running.display()))?;
        let name: String = Sha256::digest(&input)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let file = self.corpus().join(format!("found-{name}"));
        fs::write(&file, input).with_context(|| format!("write {}", file.display()))?;
        fs::remove_file(running)?;
        Ok(file)
    }
}

/// The files below a directory.
fn find(directory: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}
