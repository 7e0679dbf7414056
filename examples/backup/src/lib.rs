//! Backs a directory up into an archive that is checked before it gets its name; what cannot be finished is
//! undone.
//!
//! It needs the host's `fs` plugin, with a directory to read and one to write.

use std::collections::BTreeMap;

use refrain_sdk::{Context, Failure, Saga, bail, info, saga, try_join_bounded, uuid, warn, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod fs;

use fs::{Archived, Kind, Place, Sum};

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Backup {
    /// The directory to back up, by its name in the host's configuration.
    source: String,
    /// The directory for the archive, by its name in the host's configuration.
    target: String,
    /// The archive's path in the target directory. Nothing may be there.
    archive: String,
    /// How many files are hashed at once.
    hashes_at_once: usize,
    /// Makes a step fail, to see what is undone: the host is given a path for it that it refuses.
    fail_at: Option<Step>,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            source: "source".to_owned(),
            target: "target".to_owned(),
            archive: "backup.tar".to_owned(),
            hashes_at_once: 8,
            fail_at: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Step {
    List,
    Hash,
    Archive,
    Verify,
    Publish,
    Checksum,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Report {
    /// The archive's path in the target directory. Beside it, its checksum is in a file of the same name with
    /// `.sha256`, as `sha256sum --check` reads it.
    archive: String,
    /// The archive's SHA-256.
    sha256: String,
    /// How many files are in it.
    files: usize,
    /// How many bytes these files have.
    bytes: u64,
}

/// Archives a directory, checks the archive against the files' hashes, and publishes it under its name.
#[workflow]
async fn backup(input: Backup) -> Result<Report, Failure> {
    if input.hashes_at_once == 0 {
        bail!("`hashes_at_once` is 0: give at least 1");
    }
    let doing = format!("back up `{}`", input.source);
    saga(&doing, async |saga| steps(&input, saga).await).await
}

async fn steps(input: &Backup, saga: &mut Saga) -> Result<Report, Failure> {
    // Others may write to the target as well: until it is finished, the archive has a name that is this run's
    // own.
    let unfinished = Place::new(&input.target, format!("{}.{}.part", input.archive, uuid()));
    let finished = Place::new(&input.target, &input.archive);
    let checksum = Place::new(&input.target, format!("{}.sha256", input.archive));

    let place = Place::new(&input.source, "");
    let listing =
        fs::list(&input.path(Step::List, &place)).cancel_with_run().await.context("list the files")?;
    let (paths, files) = choose(listing);

    let sums = hash(input, &files).await?;
    let bytes = sums.values().map(|sum| sum.size).sum();
    info!(files = sums.len(), bytes = bytes, "hashed the files");

    saga.undo("remove the unfinished archive", fs::remove(&unfinished));
    let to = input.path(Step::Archive, &unfinished);
    let written =
        fs::archive(&input.source, &paths, &to).cancel_with_run().await.context("write the archive")?;

    let archive = input.path(Step::Verify, &unfinished);
    let contents = fs::verify_archive(&archive).cancel_with_run().await.context("read the archive back")?;
    compare(&sums, &contents.entries).context("compare the archive with the files")?;
    if contents.sum != written {
        bail!("the archive changed after it was written: has someone else opened it?");
    }

    saga.undo("take the archive back", take_back(unfinished.clone(), finished.clone(), written.clone()));
    let name = input.path(Step::Publish, &finished).path;
    fs::rename(&unfinished, &name).await.context("publish the archive")?;

    saga.undo("remove the checksum", fs::remove(&checksum));
    // Without directories, as `sha256sum --check` looks beside the list.
    let name = input.archive.rsplit('/').next().unwrap_or(&input.archive);
    let line = format!("{}  {name}\n", written.sha256);
    fs::write(&input.path(Step::Checksum, &checksum), &line).await.context("write the checksum")?;

    info!(sha256 = written.sha256, "published `{}`", input.archive);
    Ok(Report { archive: input.archive.clone(), sha256: written.sha256, files: sums.len(), bytes })
}

impl Backup {
    /// The place for a step: the right one, unless the step is to fail.
    fn path(&self, step: Step, place: &Place) -> Place {
        if self.fail_at == Some(step) {
            Place::new(&place.directory, format!("../{}", place.path))
        } else {
            place.clone()
        }
    }
}

/// What goes into the archive, and which of it are files.
fn choose(listing: fs::Listing) -> (Vec<String>, Vec<String>) {
    let (mut paths, mut files) = (Vec::new(), Vec::new());
    for entry in listing.entries {
        match entry.kind {
            Kind::File => files.push(entry.path.clone()),
            Kind::Directory | Kind::Symlink => {}
            Kind::Other => {
                warn!("left out, as it is no file: {}", entry.path);
                continue;
            }
        }
        paths.push(entry.path);
    }
    (paths, files)
}

/// The files' hashes by path.
async fn hash(input: &Backup, files: &[String]) -> Result<BTreeMap<String, Sum>, Failure> {
    let hashes = files.iter().map(async |path| {
        let place = input.path(Step::Hash, &Place::new(&input.source, path));
        fs::hash(&place).cancel_with_run().await.with_context(|| format!("hash `{path}`"))
    });
    let sums = try_join_bounded(input.hashes_at_once, hashes).await?;
    Ok(files.iter().cloned().zip(sums).collect())
}

/// Each file must be in the archive as it was hashed, and no other.
fn compare(sums: &BTreeMap<String, Sum>, entries: &[Archived]) -> Result<(), Failure> {
    let mut missing = sums.clone();
    for entry in entries.iter().filter(|entry| entry.kind == Kind::File) {
        let path = &entry.path;
        let Some(expected) = missing.remove(path) else {
            bail!("`{path}` is in the archive but was not hashed")
        };
        let archived = entry.sha256.as_deref().zip(entry.size);
        if archived != Some((expected.sha256.as_str(), expected.size)) {
            bail!("`{path}` is not what was hashed: it changed meanwhile; back up when nobody writes there");
        }
    }
    match missing.keys().next() {
        Some(path) => bail!("`{path}` is not in the archive, and {} in all", missing.len()),
        None => Ok(()),
    }
}

/// Removes the archive if it was published, and nothing else that has its name: an older archive may even have
/// the same content.
async fn take_back(unfinished: Place, finished: Place, ours: Sum) -> Result<(), Failure> {
    let is_published = find(&unfinished).await?.is_none();
    if is_published && find(&finished).await? == Some(ours) {
        fs::remove(&finished).await?;
    }
    Ok(())
}

/// The content of a file that may not be there.
async fn find(place: &Place) -> Result<Option<Sum>, Failure> {
    match fs::hash(place).await {
        Ok(sum) => Ok(Some(sum)),
        Err(failure) if failure.error_type() == "NotFound" => Ok(None),
        Err(failure) => Err(failure),
    }
}

refrain_sdk::component!(backup);

#[cfg(test)]
mod tests;
