//! `fs.verify_archive`: reads an archive back, so that a workflow can compare it with what should be in it.

use std::io::{self, BufReader, Read};

use refrain_plugin::{ActivityError, Context};
use serde::{Deserialize, Serialize};
use tar::Archive;

use super::directories::Directories;
use super::limits::Budget;
use super::stream::{Hashing, Progress, Sum, Watched};

/// Of a tar: everything in it comes in blocks, and two empty ones are its end.
const BLOCK_BYTES: u64 = 512;
const END_BYTES: u64 = 2 * BLOCK_BYTES;

const READ_BUFFER_BYTES: usize = 256 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyInput {
    directory: String,
    path: String,
}

#[derive(Debug, Serialize)]
pub(super) struct VerifyOutput {
    /// Of the archive as a file.
    #[serde(flatten)]
    sum: Sum,
    /// In the archive's order.
    entries: Vec<ArchiveEntry>,
}

#[derive(Debug, Serialize)]
struct ArchiveEntry {
    path: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Content {
    File(Sum),
    Directory,
    /// With what the link says.
    Symlink {
        target: String,
    },
}

/// Reads all of the archive. An archive that is damaged, cut short or holds what `fs.archive` never writes is the
/// error `InvalidArchive`.
pub(super) fn verify_archive(
    directories: &Directories,
    ctx: &Context,
    input: &VerifyInput,
) -> Result<VerifyOutput, ActivityError> {
    let place = directories.place(&input.directory, &input.path)?;
    let mut progress = Progress::new(ctx);
    let file = Watched::new(&place, place.open_file()?, &mut progress);
    let mut archive = Archive::new(Hashing::new(BufReader::with_capacity(READ_BUFFER_BYTES, file)));
    let read = read_entries(&mut archive);
    let mut file = archive.into_inner();
    let rest = io::copy(&mut file, &mut io::sink());
    let (sum, file) = file.finish();
    // That the file could not be read goes before what the tar reader made of it.
    if let Some(failure) = file.into_inner().failure {
        return Err(failure);
    }
    rest.map_err(|error| place.error("read", &error))?;
    let invalid = |error: Unreadable| match error {
        Unreadable::Refused(error) => error,
        Unreadable::Damaged(why) => ActivityError::non_retryable(
            "InvalidArchive",
            format!(
                "field `path`: {:?} in directory `{}` is not a sound archive: {why}",
                input.path, input.directory
            ),
        ),
    };
    let (entries, end) = read.map_err(invalid)?;
    // The reader takes the end of the file for the end of the archive as well.
    if sum.size < end + END_BYTES {
        return Err(invalid(Unreadable::Damaged("it is cut short".to_owned())));
    }
    Ok(VerifyOutput { sum, entries })
}

/// Why the entries could not be read.
enum Unreadable {
    /// By the archive's fault.
    Damaged(String),
    /// By a limit of this plugin.
    Refused(ActivityError),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Unreadable::Damaged(error.to_string())
    }
}

/// The entries, and where the last one ends.
fn read_entries<R: Read>(archive: &mut Archive<R>) -> Result<(Vec<ArchiveEntry>, u64), Unreadable> {
    let mut budget = Budget::default();
    let mut entries = Vec::new();
    let mut end = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = text(&entry.path_bytes(), "name")?;
        let path = path.strip_suffix('/').unwrap_or(&path).to_owned();
        budget.take(&path).map_err(Unreadable::Refused)?;

        let kind = entry.header().entry_type();
        let content = if kind.is_file() {
            let mut hashing = Hashing::new(io::sink());
            io::copy(&mut entry, &mut hashing)?;
            let sum = hashing.finish().0;
            if sum.size != entry.size() {
                return Err(Unreadable::Damaged(format!("{path:?} is cut short")));
            }
            Content::File(sum)
        } else if kind.is_dir() {
            Content::Directory
        } else if kind.is_symlink() {
            let target = text(&entry.link_name_bytes().unwrap_or_default(), "link target")?;
            Content::Symlink { target }
        } else {
            let why = format!("{path:?} is neither file, directory nor symbolic link (tar type {kind:?})");
            return Err(Unreadable::Damaged(why));
        };
        let blocks = entry.size().checked_next_multiple_of(BLOCK_BYTES);
        end = blocks
            .and_then(|blocks| entry.raw_file_position().checked_add(blocks))
            .ok_or_else(|| Unreadable::Damaged(format!("{path:?} claims an impossible size")))?;
        entries.push(ArchiveEntry { path, content });
    }
    Ok((entries, end))
}

fn text(bytes: &[u8], what: &str) -> Result<String, Unreadable> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Unreadable::Damaged(format!(
            "a {what} in it is not UTF-8, about {:?}",
            String::from_utf8_lossy(bytes)
        ))
    })
}
