//! Files that appear whole: written beside their place under a temporary name, made durable, renamed.

use std::io;

use cap_std::fs::{Dir, File, OpenOptions};
use refrain_plugin::{ActivityError, Context};

use super::errors;
use super::place::{Parent, Place, sync_dir};
use super::stream::sum;

const TEMPORARY_PREFIX: &str = ".refrain-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// How much of the idempotency key's hash a temporary name has: enough that two activities never share one.
const KEY_DIGITS: usize = 16;

/// Whether `name` is one of the temporary names, which are no content of a directory.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX)
}

/// A file that is being written. Dropped without [`publish`](Staged::publish), it leaves nothing behind.
pub(super) struct Staged<'a> {
    place: &'a Place<'a>,
    parent: Parent,
    temporary: String,
    published: bool,
}

impl<'a> Staged<'a> {
    /// Begins to write the file at `place`.
    ///
    /// The temporary name belongs to this activity and this attempt. What an earlier attempt left is removed:
    /// that frees the space, and if that attempt still runs (it was late, and its thread cannot be stopped from
    /// outside) it can no longer publish.
    pub(super) fn begin(
        ctx: &Context,
        place: &'a Place<'a>,
        create_parents: bool,
    ) -> Result<(Staged<'a>, File), ActivityError> {
        if create_parents {
            place.create_parents()?;
        }
        let parent = place.parent()?;
        if place.look()?.is_some_and(|metadata| metadata.is_dir()) {
            return Err(errors::not_a_file(place.field, place.path.as_str(), place.directory));
        }
        let prefix = temporary_prefix(ctx);
        if ctx.attempt() > 1 {
            remove_leftovers(&parent.dir, &prefix)
                .map_err(|error| place.error("clear the way for", &error))?;
        }
        let temporary = format!("{prefix}{}{TEMPORARY_SUFFIX}", ctx.attempt());
        let file = parent
            .dir
            .open_with(&temporary, OpenOptions::new().write(true).create_new(true))
            .map_err(|error| place.error("create", &error))?;
        Ok((Staged { place, parent, temporary, published: false }, file))
    }

    /// Makes `file`, which [`begin`](Staged::begin) returned, durable and gives it its name. A file that was
    /// there before is replaced.
    pub(super) fn publish(mut self, file: &File) -> Result<(), ActivityError> {
        let Parent { dir, name } = &self.parent;
        file.sync_all()
            .and_then(|()| dir.rename(&self.temporary, dir, name))
            .and_then(|()| sync_dir(dir))
            .map_err(|error| self.place.error("write", &error))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.published {
            // If this fails as well, the next attempt removes it; the error that led here is the one to report.
            let _ = self.parent.dir.remove_file(&self.temporary);
        }
    }
}

/// The part of the temporary name that all attempts of one activity share.
fn temporary_prefix(ctx: &Context) -> String {
    let key = sum(ctx.idempotency_key().as_bytes()).sha256;
    format!("{TEMPORARY_PREFIX}{}-", &key[..KEY_DIGITS])
}

fn remove_leftovers(dir: &Dir, prefix: &str) -> io::Result<()> {
    for entry in dir.entries()? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(prefix)) {
            match dir.remove_file(&name) {
                // An earlier attempt that still ran has just removed or published it.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use cap_std::ambient_authority;
    use refrain_plugin::ContextParts;

    use super::super::place::RelativePath;
    use super::*;

    fn attempt(attempt: u32) -> Context {
        Context::new(ContextParts { attempt, ..ContextParts::detached("fs.write") })
    }

    fn names(dir: &Dir) -> Vec<String> {
        dir.entries().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_late_attempt_cannot_publish_over_the_one_that_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Dir::open_ambient_dir(temporary.path(), ambient_authority()).unwrap();
        let path = RelativePath::parse("path", "file").unwrap();
        let place = Place { directory: "work", root: &root, path, field: "path" };

        let (late, mut late_file) = Staged::begin(&attempt(1), &place, false).unwrap();
        late_file.write_all(b"late").unwrap();
        let (staged, mut file) = Staged::begin(&attempt(2), &place, false).unwrap();
        file.write_all(b"newer").unwrap();

        late.publish(&late_file).unwrap_err();
        assert_eq!(place.look().unwrap().map(|metadata| metadata.len()), None);
        staged.publish(&file).unwrap();
        assert_eq!(root.read("file").unwrap(), b"newer");
        assert_eq!(names(&root), ["file"]);
    }

    #[test]
    fn what_a_crash_leaves_is_removed_by_the_next_attempt_and_others_are_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Dir::open_ambient_dir(temporary.path(), ambient_authority()).unwrap();
        let path = RelativePath::parse("path", "file").unwrap();
        let place = Place { directory: "work", root: &root, path, field: "path" };
        root.write(".refrain-0000000000000000-1.tmp", "another activity's").unwrap();
        let (crashed, _) = Staged::begin(&attempt(1), &place, false).unwrap();
        std::mem::forget(crashed);
        assert_eq!(names(&root).len(), 2);

        let (staged, _) = Staged::begin(&attempt(2), &place, false).unwrap();
        drop(staged);
        assert_eq!(names(&root), [".refrain-0000000000000000-1.tmp"]);
    }
}
