//! A path in one of the directories, and the ways to get there.
//!
//! Two walls keep a path inside. [`RelativePath`] refuses `..` and absolute paths by their looks, with a message
//! that names the field. cap-std then resolves what is left beneath the open directory and refuses symbolic links
//! that lead out, so that nothing here depends on looking at a path first and using it later.

use std::io;
use std::path::{Component, Path};

use cap_std::fs::{Dir, File, Metadata};
use refrain_plugin::ActivityError;

use super::errors;

/// A path of names alone, with `/` between them; empty for the directory itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RelativePath(String);

impl RelativePath {
    /// Reads `text`, the value of `field`. `.`, doubled and trailing slashes are dropped.
    pub(super) fn parse(field: &str, text: &str) -> Result<RelativePath, ActivityError> {
        let refuse = |why| Err(errors::path_not_allowed(field, text, why));
        if text.contains('\0') {
            return refuse("contains a NUL character: give a path without one");
        }
        let mut names = Vec::new();
        for component in Path::new(text).components() {
            match component {
                Component::Normal(name) => names.push(name.to_str().unwrap_or_default()),
                Component::CurDir => {}
                Component::ParentDir => {
                    return refuse("contains `..`: write it from the top of the directory");
                }
                Component::RootDir | Component::Prefix(_) => {
                    return refuse("is absolute: write it relative to the directory");
                }
            }
        }
        Ok(RelativePath(names.join("/")))
    }

    /// As people and workflows see it: empty for the directory itself.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As the system wants it: the directory itself is `.`.
    pub(super) fn as_path(&self) -> &Path {
        Path::new(if self.0.is_empty() { "." } else { &self.0 })
    }

    /// This path with `name` under it.
    pub(super) fn join(&self, name: &str) -> RelativePath {
        if self.0.is_empty() {
            RelativePath(name.to_owned())
        } else {
            RelativePath(format!("{}/{name}", self.0))
        }
    }

    /// Whether `other` is this path or lies beneath it.
    pub(super) fn contains(&self, other: &RelativePath) -> bool {
        let beneath = |rest: &str| self.0.is_empty() || rest.is_empty() || rest.starts_with('/');
        other.0.strip_prefix(&self.0).is_some_and(beneath)
    }

    /// The path above and the last name; `None` for the directory itself.
    pub(super) fn split_last(&self) -> Option<(RelativePath, &str)> {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => Some((RelativePath(parent.to_owned()), name)),
            None if self.0.is_empty() => None,
            None => Some((RelativePath(String::new()), &self.0)),
        }
    }
}

/// A path in a directory, with what error messages need.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// The directory's name in the configuration.
    pub(super) directory: &'a str,
    /// The directory.
    pub(super) root: &'a Dir,
    /// Where in it.
    pub(super) path: RelativePath,
    /// The field of the input that named the path.
    pub(super) field: &'static str,
}

/// The directory that holds a place, open, and the place's name in it.
pub(super) struct Parent {
    pub(super) dir: Dir,
    pub(super) name: String,
}

impl<'a> Place<'a> {
    /// Another path in the same directory, from the same field.
    pub(super) fn at(&self, path: RelativePath) -> Place<'a> {
        Place { path, ..self.clone() }
    }

    /// An error of the system while doing something here, as in `read "a/b" in directory `source``.
    pub(super) fn error(&self, verb: &str, error: &io::Error) -> ActivityError {
        let (path, directory) = (self.path.as_str(), self.directory);
        if errors::leads_out(error) {
            let why = format!(
                "leads out of directory `{directory}` by a symbolic link: name a path that stays inside"
            );
            return errors::path_not_allowed(self.field, path, &why);
        }
        errors::io_error(format!("field `{}`: {verb} {path:?} in directory `{directory}`", self.field), error)
    }

    /// What is here, not following a symbolic link; `None` if nothing is.
    pub(super) fn look(&self) -> Result<Option<Metadata>, ActivityError> {
        match self.root.symlink_metadata(self.path.as_path()) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("look at", &error)),
        }
    }

    /// The regular file that is here. Follows symbolic links as far as they stay inside. The kind is asked first,
    /// since opening a named pipe would wait for its other end.
    pub(super) fn open_file(&self) -> Result<File, ActivityError> {
        let path = self.path.as_path();
        let metadata = self.root.metadata(path).map_err(|error| self.error("open", &error))?;
        if !metadata.is_file() {
            return Err(errors::not_a_file(self.field, self.path.as_str(), self.directory));
        }
        self.root.open(path).map_err(|error| self.error("open", &error))
    }

    /// The directory around this place. The directory of the configuration has none to offer: `fs` changes what
    /// is in it, never itself.
    pub(super) fn parent(&self) -> Result<Parent, ActivityError> {
        let (parent, name) = self.split_last()?;
        let parent = self.at(parent);
        let dir = self
            .root
            .open_dir(parent.path.as_path())
            .map_err(|error| parent.error("open the directory", &error))?;
        Ok(Parent { dir, name: name.to_owned() })
    }

    /// Makes the directories around this place that do not exist.
    pub(super) fn create_parents(&self) -> Result<(), ActivityError> {
        let (parent, _) = self.split_last()?;
        let mut here = RelativePath(String::new());
        for name in parent.as_str().split('/').filter(|name| !name.is_empty()) {
            let above = self.at(here.clone());
            here = here.join(name);
            match self.root.create_dir(here.as_path()) {
                Ok(()) => above.sync_dir()?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.at(here).error("create the directory", &error)),
            }
        }
        Ok(())
    }

    /// The path above and the last name.
    pub(super) fn split_last(&self) -> Result<(RelativePath, &str), ActivityError> {
        self.path.split_last().ok_or_else(|| {
            errors::path_not_allowed(
                self.field,
                self.path.as_str(),
                "is the configured directory itself: name something in it",
            )
        })
    }

    fn sync_dir(&self) -> Result<(), ActivityError> {
        let dir = self.root.open_dir(self.path.as_path());
        dir.and_then(|dir| sync_dir(&dir)).map_err(|error| self.error("make durable", &error))
    }
}

/// Makes the names in `dir` durable. An outcome that the journal holds must be on the disk as well: nobody would
/// do the work again.
pub(super) fn sync_dir(dir: &Dir) -> io::Result<()> {
    // Other systems have no such call, and need none.
    if cfg!(unix) { dir.open(".")?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        RelativePath::parse("path", text).map(|path| path.0).map_err(|error| {
            assert_eq!((error.error_type.as_str(), error.non_retryable), ("PathNotAllowed", true));
            error.message
        })
    }

    #[test]
    fn paths_are_brought_to_one_form() {
        for (text, expected) in
            [("", ""), (".", ""), ("a", "a"), ("./a//b/", "a/b"), ("a/./b", "a/b"), ("..a/ä", "..a/ä")]
        {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_looks_like_a_way_out_is_refused_with_field_value_and_remedy() {
        for (text, expected) in [
            ("..", "field `path`: path \"..\" contains `..`: write it from the top of the directory"),
            ("a/../b", "field `path`: path \"a/../b\" contains `..`"),
            ("/etc/passwd", "field `path`: path \"/etc/passwd\" is absolute: write it relative"),
            ("a\0b", "contains a NUL character"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
    }

    #[test]
    fn a_path_contains_itself_and_what_is_beneath() {
        let path = |text| RelativePath::parse("path", text).unwrap();
        for (outer, inner, expected) in [
            ("", "", true),
            ("", "a", true),
            ("a", "a", true),
            ("a", "a/b", true),
            ("a", "ab", false),
            ("a/b", "a", false),
        ] {
            assert_eq!(path(outer).contains(&path(inner)), expected, "{outer:?} {inner:?}");
        }
    }
}
