//! `fs.list`, and the walk through a tree that `fs.archive` shares.

use std::io;

use cap_std::fs::{FileType, Metadata};
use refrain_plugin::{ActivityError, Context};
use serde::{Deserialize, Serialize};

use super::directories::Directories;
use super::limits::Budget;
use super::place::{Place, RelativePath};
use super::staged::is_temporary;
use super::stream::Progress;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    directory: String,
    /// The directory to list; the configured one if empty.
    #[serde(default)]
    path: String,
    /// Whether to list what is in directories beneath.
    #[serde(default)]
    recursive: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ListOutput {
    entries: Vec<Entry>,
}

/// What a directory holds under one name.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// Relative to the configured directory.
    pub(super) path: String,
    pub(super) kind: EntryKind,
    /// The length of a file in bytes, 0 for all others.
    pub(super) size: u64,
}

impl Entry {
    fn new(path: &RelativePath, metadata: &Metadata) -> Entry {
        let kind = EntryKind::from(metadata.file_type());
        let size = if kind == EntryKind::File { metadata.len() } else { 0 };
        Entry { path: path.as_str().to_owned(), kind, size }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EntryKind {
    File,
    Directory,
    /// Listed as itself, never followed.
    Symlink,
    /// A device, a socket, a named pipe.
    Other,
}

impl From<FileType> for EntryKind {
    fn from(kind: FileType) -> Self {
        if kind.is_file() {
            EntryKind::File
        } else if kind.is_dir() {
            EntryKind::Directory
        } else if kind.is_symlink() {
            EntryKind::Symlink
        } else {
            EntryKind::Other
        }
    }
}

pub(super) fn list(
    directories: &Directories,
    ctx: &Context,
    input: &ListInput,
) -> Result<ListOutput, ActivityError> {
    let place = directories.place(&input.directory, &input.path)?;
    Ok(ListOutput { entries: walk(&place, input.recursive, &mut Progress::new(ctx))? })
}

/// What is beneath `place`, sorted by the bytes of the paths, so that the outcome depends on the tree alone and
/// a directory comes before what is in it.
pub(super) fn walk(
    place: &Place<'_>,
    recursive: bool,
    progress: &mut Progress<'_>,
) -> Result<Vec<Entry>, ActivityError> {
    let mut budget = Budget::default();
    let mut found = Vec::new();
    // Paths rather than open directories: a deep tree costs neither stack nor file descriptors.
    let mut to_read = vec![place.clone()];
    while let Some(place) = to_read.pop() {
        let entries = match place.root.read_dir(place.path.as_path()) {
            Ok(entries) => entries,
            // Removed since its own directory was read. The place that was asked for must exist.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !found.is_empty() => continue,
            Err(error) => return Err(place.error("list", &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| place.error("list", &error))?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| name_not_utf8(&place, &name.to_string_lossy()))?;
            if is_temporary(name) {
                continue;
            }
            let path = place.path.join(name);
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(place.at(path).error("look at", &error)),
            };
            budget.take(path.as_str())?;
            progress.entry()?;
            let entry = Entry::new(&path, &metadata);
            if recursive && entry.kind == EntryKind::Directory {
                to_read.push(place.at(path));
            }
            found.push(entry);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// The one entry at `place`, not following a symbolic link.
pub(super) fn entry_at(place: &Place<'_>) -> Result<Entry, ActivityError> {
    let metadata =
        place.root.symlink_metadata(place.path.as_path()).map_err(|error| place.error("look at", &error))?;
    Ok(Entry::new(&place.path, &metadata))
}

/// JSON has no way to say such a name; leaving it out would lose a file in silence.
fn name_not_utf8(place: &Place<'_>, name: &str) -> ActivityError {
    ActivityError::non_retryable(
        "NameNotUtf8",
        format!(
            "{:?} in directory `{}` holds a name that is not UTF-8, about {name:?}: rename it",
            place.path.as_str(),
            place.directory,
        ),
    )
}
