//! `fs.archive`: a tar of a tree, the same bytes for the same tree.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Read};
use std::path::Path;

use cap_std::fs::Metadata;
use refrain_plugin::{ActivityError, Context};
use serde::{Deserialize, Serialize};
use tar::{Builder, EntryType, Header};

use super::directories::Directories;
use super::errors;
use super::limits::Budget;
use super::list::{Entry, EntryKind, entry_at, walk};
use super::place::{Place, RelativePath};
use super::staged::Staged;
use super::stream::{Hashing, Progress, Sum, Watched};

/// The time of every entry, 1980-01-01: what a file's time says is not content, and tools warn of 1970.
const MTIME: u64 = 315_532_800;

/// Modes of entries. Of a file's own mode only "executable by its owner" is kept: the rest depends on who made
/// the copy that is archived.
const DIRECTORY_MODE: u32 = 0o755;
#[cfg(unix)]
const EXECUTABLE_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const SYMLINK_MODE: u32 = 0o777;

/// Collects the headers and contents of small files into writes of a useful size.
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArchiveInput {
    directory: String,
    /// The tree to archive: all of the directory if empty. Excludes `paths`.
    #[serde(default)]
    path: String,
    /// Exactly what to archive, in place of a tree: of a directory listed here only its own entry.
    #[serde(default)]
    paths: Option<Vec<String>>,
    /// The directory for the archive.
    to_directory: String,
    /// The archive's path in it. A file that is there is replaced.
    to: String,
    #[serde(default)]
    create_parents: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct ArchiveOutput {
    /// Of the archive.
    #[serde(flatten)]
    sum: Sum,
    /// How many entries it has.
    entries: usize,
    /// Devices, sockets and named pipes, which are left out: their content is not theirs.
    skipped: Vec<String>,
}

/// Writes the archive. Names in it are relative to the configured directory, in the order of their bytes.
/// Symbolic links are kept as links with what they say, whether that exists or not; they are never followed.
pub(super) fn archive(
    directories: &Directories,
    ctx: &Context,
    input: &ArchiveInput,
) -> Result<ArchiveOutput, ActivityError> {
    let source = directories.place(&input.directory, &input.path)?;
    let target = directories.writable_place_in("to_directory", &input.to_directory, "to", &input.to)?;
    let mut progress = Progress::new(ctx);
    let (skipped, entries): (Vec<Entry>, Vec<Entry>) = select(&source, &target, input, &mut progress)?
        .into_iter()
        .partition(|entry| entry.kind == EntryKind::Other);

    let (staged, file) = Staged::begin(ctx, &target, input.create_parents)?;
    let write_failed = |error: io::Error| target.error("write", &error);
    let mut tar = Builder::new(Hashing::new(BufWriter::with_capacity(WRITE_BUFFER_BYTES, file)));
    for entry in &entries {
        append(&mut tar, &source, entry, &target, &mut progress)?;
        progress.entry()?;
    }
    let (sum, file) = tar.into_inner().map_err(write_failed)?.finish();
    let file = file.into_inner().map_err(|error| write_failed(error.into_error()))?;
    staged.publish(&file)?;
    let skipped = skipped.into_iter().map(|entry| entry.path).collect();
    Ok(ArchiveOutput { sum, entries: entries.len(), skipped })
}

/// What goes into the archive, sorted.
fn select(
    source: &Place<'_>,
    target: &Place<'_>,
    input: &ArchiveInput,
    progress: &mut Progress<'_>,
) -> Result<Vec<Entry>, ActivityError> {
    let whole_tree = input.paths.is_none();
    let entries = match &input.paths {
        None => select_tree(source, progress)?,
        Some(_) if !source.path.as_str().is_empty() => {
            return Err(ActivityError::invalid_input(format!(
                "field `paths`: cannot be used with `path` ({:?}); give one of them",
                input.path,
            )));
        }
        Some(paths) => select_listed(source, paths)?,
    };
    // Else each attempt would find in the tree what the one before made of it.
    let archives_itself = source.directory == target.directory
        && ((whole_tree && source.path.contains(&target.path))
            || entries.iter().any(|entry| entry.path == target.path.as_str()));
    if archives_itself {
        return Err(ActivityError::invalid_input(format!(
            "field `to`: {:?} lies in what is archived; choose a path outside, or another `to_directory`",
            input.to,
        )));
    }
    Ok(entries)
}

/// All that is beneath `source`, and `source` itself unless it is the configured directory.
fn select_tree(source: &Place<'_>, progress: &mut Progress<'_>) -> Result<Vec<Entry>, ActivityError> {
    if source.path.as_str().is_empty() {
        return walk(source, true, progress);
    }
    let top = entry_at(source)?;
    let beneath = if top.kind == EntryKind::Directory { walk(source, true, progress)? } else { Vec::new() };
    Ok(std::iter::once(top).chain(beneath).collect())
}

/// The entries at `paths`, each once.
fn select_listed(source: &Place<'_>, paths: &[String]) -> Result<Vec<Entry>, ActivityError> {
    let mut budget = Budget::default();
    let mut chosen = BTreeSet::new();
    for (index, text) in paths.iter().enumerate() {
        let field = format!("paths[{index}]");
        let path = RelativePath::parse(&field, text)?;
        if path.as_str().is_empty() {
            let why = "is the configured directory itself: name something in it";
            return Err(errors::path_not_allowed(&field, text, why));
        }
        budget.take(path.as_str())?;
        chosen.insert(path);
    }
    let source = Place { field: "paths", ..source.clone() };
    chosen.into_iter().map(|path| entry_at(&source.at(path))).collect()
}

type Tar = Builder<Hashing<BufWriter<cap_std::fs::File>>>;

fn append(
    tar: &mut Tar,
    source: &Place<'_>,
    entry: &Entry,
    target: &Place<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), ActivityError> {
    let place = source.at(RelativePath::parse(source.field, &entry.path)?);
    let write_failed = |error: io::Error| target.error("write", &error);
    match entry.kind {
        EntryKind::Directory => {
            let mut header = header(EntryType::Directory, DIRECTORY_MODE, 0);
            tar.append_data(&mut header, &entry.path, io::empty()).map_err(write_failed)
        }
        EntryKind::Symlink => {
            let link = place.root.read_link_contents(place.path.as_path());
            let link = link.map_err(|error| place.error("read the link", &error))?;
            let mut header = header(EntryType::Symlink, SYMLINK_MODE, 0);
            // `append_link` would tidy a target that fits the header ("a//b" to "a/b").
            let appended = match header.set_link_name_literal(link.as_os_str().as_encoded_bytes()) {
                Ok(()) => tar.append_data(&mut header, &entry.path, io::empty()),
                Err(_) => tar.append_link(&mut header, &entry.path, &link),
            };
            appended.map_err(write_failed)
        }
        EntryKind::File => append_file(tar, &place, target, progress),
        EntryKind::Other => Ok(()),
    }
}

fn append_file(
    tar: &mut Tar,
    place: &Place<'_>,
    target: &Place<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), ActivityError> {
    let file = place.open_file()?;
    let metadata = file.metadata().map_err(|error| place.error("look at", &error))?;
    let size = metadata.len();
    let mut header = header(EntryType::Regular, file_mode(&metadata), size);
    let mut file = Watched::new(place, file, progress);
    // The header comes first and says the length, so the content must have it, whatever others do to the file.
    let mut content = (&mut file).take(size);
    let appended = tar.append_data(&mut header, Path::new(place.path.as_str()), &mut content);
    let missing = content.limit();
    match (appended, file.failure) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(target.error("write", &error)),
        (Ok(()), None) if missing > 0 => Err(ActivityError::new(
            "FileChanged",
            format!(
                "{:?} in directory `{}` became shorter while it was archived",
                place.path.as_str(),
                place.directory,
            ),
        )),
        (Ok(()), None) => Ok(()),
    }
}

/// A header in which nothing depends on the machine or the moment. Owner and group are 0, without names.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(unix)]
fn file_mode(metadata: &Metadata) -> u32 {
    use cap_std::fs::PermissionsExt;

    const OWNER_EXECUTES: u32 = 0o100;
    if metadata.permissions().mode() & OWNER_EXECUTES != 0 { EXECUTABLE_MODE } else { FILE_MODE }
}

#[cfg(not(unix))]
fn file_mode(_: &Metadata) -> u32 {
    FILE_MODE
}
