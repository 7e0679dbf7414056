//! The configuration: which directories exist, and what may be done in them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The table `[plugins.fs]` of the server's configuration:
///
/// ```toml
/// [plugins.fs.directories.source]
/// path = "/srv/documents"
///
/// [plugins.fs.directories.backups]
/// path = "/srv/backups"
/// writable = true
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FsConfig {
    /// The directories by the names that workflows use. Without any, every activity is refused.
    #[serde(default)]
    pub directories: BTreeMap<String, FsDirectory>,
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FsDirectory {
    /// Where it is. It must exist when the host starts. A relative path counts from the host's working directory.
    pub path: PathBuf,
    /// Whether workflows may change what is in it.
    #[serde(default)]
    pub writable: bool,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "plugins.fs.directories.{name}.path: cannot open {path:?} as a directory; create it, or correct the path"
)]
pub struct FsConfigError {
    /// The directory's name in the configuration.
    pub name: String,
    /// Its path in the configuration.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}
