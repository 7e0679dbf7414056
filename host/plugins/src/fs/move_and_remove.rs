//! `fs.rename` and `fs.remove`: changing names in a directory, content untouched.

use std::io;

use refrain_plugin::{ActivityError, Context};
use serde::{Deserialize, Serialize};

use super::directories::Directories;
use super::place::sync_dir;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RenameInput {
    directory: String,
    path: String,
    /// The new path, in the same directory.
    to: String,
    /// Whether a file that is there already may be replaced.
    #[serde(default)]
    replace: bool,
    #[serde(default)]
    create_parents: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RenameOutput {
    /// The rename was found done, as after an attempt that was cut off behind it.
    already: bool,
}

/// Renames a file, a directory or a symbolic link.
///
/// Nothing at `path` and something at `to` is what an earlier attempt leaves, and counts as done. That something
/// is at `to` is asked before the rename, not with it: two renames to one name at the same moment may both
/// succeed.
pub(super) fn rename(
    directories: &Directories,
    ctx: &Context,
    input: &RenameInput,
) -> Result<RenameOutput, ActivityError> {
    let from = directories.writable_place(&input.directory, &input.path)?;
    let to = directories.writable_place_in("directory", &input.directory, "to", &input.to)?;
    // The directory itself is refused before anything changes.
    from.split_last()?;
    to.split_last()?;
    ctx.check_cancelled()?;

    match (from.look()?, to.look()?) {
        (None, Some(_)) => return Ok(RenameOutput { already: true }),
        (Some(_), Some(_)) if from.path == to.path => return Ok(RenameOutput { already: true }),
        (None, None) => return Err(from.error("rename", &io::ErrorKind::NotFound.into())),
        (Some(_), Some(_)) if !input.replace => {
            return Err(ActivityError::non_retryable(
                "AlreadyExists",
                format!(
                    "field `to`: {:?} exists in directory `{}`; choose another name, or set `replace` to `true`",
                    input.to, input.directory,
                ),
            ));
        }
        (Some(_), _) => {}
    }
    if input.create_parents {
        to.create_parents()?;
    }
    let (old, new) = (from.parent()?, to.parent()?);
    old.dir.rename(&old.name, &new.dir, &new.name).map_err(|error| to.error("rename to", &error))?;
    // The new name first: after a power cut between the two there may be both names, never none.
    sync_dir(&new.dir).and_then(|()| sync_dir(&old.dir)).map_err(|error| to.error("rename to", &error))?;
    Ok(RenameOutput { already: false })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoveInput {
    directory: String,
    path: String,
    /// Whether a directory is removed with all that is in it.
    #[serde(default)]
    recursive: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RemoveOutput {
    /// `false` if nothing was there.
    removed: bool,
}

/// Removes a file, a symbolic link (not what it points at) or a directory.
pub(super) fn remove(
    directories: &Directories,
    ctx: &Context,
    input: &RemoveInput,
) -> Result<RemoveOutput, ActivityError> {
    let place = directories.writable_place(&input.directory, &input.path)?;
    place.split_last()?;
    ctx.check_cancelled()?;
    let Some(metadata) = place.look()? else { return Ok(RemoveOutput { removed: false }) };
    let parent = place.parent()?;
    let removed = match (metadata.is_dir(), input.recursive) {
        (false, _) => parent.dir.remove_file(&parent.name),
        (true, false) => parent.dir.remove_dir(&parent.name),
        (true, true) => parent.dir.remove_dir_all(&parent.name),
    };
    match removed {
        Ok(()) => {}
        // Someone else was faster: it is gone, which was the wish.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(RemoveOutput { removed: false }),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            return Err(place.error("remove without `recursive`", &error));
        }
        Err(error) => return Err(place.error("remove", &error)),
    }
    sync_dir(&parent.dir).map_err(|error| place.error("remove", &error))?;
    Ok(RemoveOutput { removed: true })
}
