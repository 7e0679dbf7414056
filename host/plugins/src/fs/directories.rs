//! The directories that the plugin may reach, by name.

use std::collections::BTreeMap;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use refrain_plugin::ActivityError;

use super::config::{FsConfig, FsConfigError};
use super::place::{Place, RelativePath};

/// All configured directories, open.
#[derive(Debug)]
pub(super) struct Directories {
    by_name: BTreeMap<String, Directory>,
}

#[derive(Debug)]
struct Directory {
    dir: Dir,
    writable: bool,
}

impl Directories {
    /// Opens what `config` names. This is the plugin's one use of ambient authority.
    pub(super) fn open(config: &FsConfig) -> Result<Directories, FsConfigError> {
        let open = |(name, directory): (&String, &super::FsDirectory)| {
            let dir = Dir::open_ambient_dir(&directory.path, ambient_authority()).map_err(|source| {
                FsConfigError { name: name.clone(), path: directory.path.clone(), source }
            })?;
            Ok((name.clone(), Directory { dir, writable: directory.writable }))
        };
        let by_name = config.directories.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Directories { by_name })
    }

    /// The place that the fields `directory` and `path` name, for reading.
    pub(super) fn place<'a>(&'a self, name: &'a str, path: &str) -> Result<Place<'a>, ActivityError> {
        let directory = self.find("directory", name)?;
        Ok(Place {
            directory: name,
            root: &directory.dir,
            path: RelativePath::parse("path", path)?,
            field: "path",
        })
    }

    /// As [`place`](Directories::place), for changing something there.
    pub(super) fn writable_place<'a>(
        &'a self,
        name: &'a str,
        path: &str,
    ) -> Result<Place<'a>, ActivityError> {
        self.writable_place_in("directory", name, "path", path)
    }

    /// As [`writable_place`](Directories::writable_place), with names for the fields.
    pub(super) fn writable_place_in<'a>(
        &'a self,
        directory_field: &str,
        name: &'a str,
        field: &'static str,
        path: &str,
    ) -> Result<Place<'a>, ActivityError> {
        let directory = self.find(directory_field, name)?;
        if !directory.writable {
            return Err(ActivityError::non_retryable(
                "ReadOnlyDirectory",
                format!(
                    "field `{directory_field}`: directory `{name}` is read-only; use one that is writable ({}), \
                     or set `writable = true` under `[plugins.fs.directories.{name}]` in the host's configuration",
                    listed(self.by_name.iter().filter(|(_, d)| d.writable).map(|(name, _)| name)),
                ),
            ));
        }
        Ok(Place { directory: name, root: &directory.dir, path: RelativePath::parse(field, path)?, field })
    }

    fn find(&self, field: &str, name: &str) -> Result<&Directory, ActivityError> {
        self.by_name.get(name).ok_or_else(|| {
            ActivityError::non_retryable(
                "UnknownDirectory",
                format!(
                    "field `{field}`: there is no directory {name:?}; use one that is configured ({}), \
                     or add it under `[plugins.fs.directories]` in the host's configuration",
                    listed(self.by_name.keys()),
                ),
            )
        })
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "there is none".to_owned() } else { names.join(", ") }
}
