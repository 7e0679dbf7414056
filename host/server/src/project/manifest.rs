//! `refrain.toml` of a project: how its component is built, and what `refrain dev` needs to know besides.
//!
//! ```toml
//! name = "order-flow"                          # the component's name
//! build = "cargo build --release"              # a command of `sh`, run in the project's folder
//! component = "target/release/order_flow.wasm" # what that makes, from the project's folder
//!
//! # Without this, every file is a source that git does not ignore. Globs as in .gitignore; `!` leaves out.
//! watch = ["src/**", "Cargo.toml"]
//!
//! # For the host that `refrain dev` starts: as in a host's own configuration.
//! [host]
//! listen = "127.0.0.1:7420"
//! [host.plugins.fs.directories.notes]
//! path = "notes"
//! writable = true
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use refrain_engine::ids::{InvalidName, check_name};
use serde::Deserialize;

use crate::config::{self, ActivityConfig, ComponentConfig, PluginsConfig, TaskQueueConfig};

/// Its name in a project's folder.
pub const FILE: &str = "refrain.toml";

/// What a project says about itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name of its component.
    pub name: String,
    /// The command that builds it, for `sh`, in the project's folder.
    pub build: String,
    /// The component that the build makes, from the project's folder.
    pub component: PathBuf,
    /// Globs of the files that are its sources; all that git does not ignore when there is none.
    #[serde(default)]
    pub watch: Vec<String>,
    /// The host of `refrain dev`.
    #[serde(default)]
    pub host: HostTable,
}

/// The table `[host]`: how the host of `refrain dev` is configured. The rest of a host's configuration is not the
/// project's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostTable {
    /// Where it listens.
    #[serde(deserialize_with = "config::address_if_given")]
    pub listen: Option<SocketAddr>,
    /// Flow control of task queues, by name.
    pub task_queues: BTreeMap<String, TaskQueueConfig>,
    /// Flow control of activities, by type.
    pub activities: BTreeMap<String, ActivityConfig>,
    /// What the code of components finds around it, by their names.
    pub components: BTreeMap<String, ComponentConfig>,
    /// What the built-in plugins may do. Paths are from the project's folder.
    pub plugins: PluginsConfig,
}

/// Why a project cannot be worked with. Says where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is no such file.
    #[error("there is no {}: `refrain new` makes a project, and its documentation says what is in the file", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{FILE} is not valid: {0}")]
    Parse(String),
    /// Its name is no component's.
    #[error("{FILE}: {0}")]
    Name(#[from] InvalidName),
    /// Something in it cannot be.
    #[error("{FILE}: {key} {problem}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Its value, and the remedy.
        problem: String,
    },
}

impl Manifest {
    /// Reads that of the project in this folder.
    ///
    /// # Errors
    /// When there is none, it has an unknown key, lacks one, or has a value that cannot be.
    pub fn read(dir: &Path) -> Result<Self, ManifestError> {
        let path = dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ManifestError::Missing(path)),
            Err(source) => Err(ManifestError::Read { path, source }),
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = config::from_toml(text).map_err(ManifestError::Parse)?;
        check_name("name", &manifest.name)?;
        let wrong = |key, problem: String| Err(ManifestError::Value { key, problem });
        if manifest.build.trim().is_empty() {
            let problem = "is empty: give the command that builds the component, such as \"make\"".to_owned();
            return wrong("build", problem);
        }
        let component = &manifest.component;
        let leads_out =
            component.is_absolute() || component.components().any(|part| part == Component::ParentDir);
        if component.file_name().is_none() || leads_out {
            let problem =
                format!("is {component:?}: give the path of the .wasm file in the project's folder");
            return wrong("component", problem);
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LEAST: &str = "name = \"order\"\nbuild = \"make\"\ncomponent = \"out/order.wasm\"\n";

    #[test]
    fn three_keys_are_enough_and_the_rest_is_as_documented() {
        let least = Manifest::parse(LEAST).expect("a manifest");
        assert_eq!((least.name.as_str(), least.build.as_str()), ("order", "make"));
        assert_eq!((least.watch.len(), least.host), (0, HostTable::default()));
        let (_, documented) = include_str!("manifest.rs").split_once("```toml\n").expect("an example");
        let (documented, _) = documented.split_once("//! ```").expect("its end");
        let documented: String =
            documented.lines().map(|line| format!("{}\n", line.trim_start_matches("//!"))).collect();
        let manifest = Manifest::parse(&documented).expect("the documented manifest");
        assert_eq!(manifest.watch, ["src/**", "Cargo.toml"]);
        assert!(manifest.host.plugins.fs.directories.contains_key("notes"));
        assert_eq!(manifest.host.listen.map(|address| address.port()), Some(7420));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_the_remedy() {
        let cases: [(&str, Expect); 7] = [
            (
                "name = \"order\"\nbuild = \"make\"",
                expect![[r#"
                    refrain.toml is not valid: TOML parse error at line 1, column 1
                      |
                    1 | name = "order"
                      | ^
                    missing field `component`"#]],
            ),
            (
                &format!("{LEAST}wach = []"),
                expect![[r#"
                refrain.toml is not valid: TOML parse error at line 4, column 1
                  |
                4 | wach = []
                  | ^^^^
                unknown field `wach`, expected one of `name`, `build`, `component`, `watch`, `host`
                did you mean `watch`?"#]],
            ),
            (
                &format!("{LEAST}[host]\ndata_dir = \"x\""),
                expect![[r#"
                refrain.toml is not valid: TOML parse error at line 5, column 1
                  |
                5 | data_dir = "x"
                  | ^^^^^^^^
                unknown field `data_dir`, expected one of `listen`, `task_queues`, `activities`, `components`, `plugins`"#]],
            ),
            (
                &format!("{LEAST}[host]\nlisten = 7420"),
                expect![[r#"
                refrain.toml is not valid: TOML parse error at line 5, column 10
                  |
                5 | listen = 7420
                  |          ^^^^
                an address to listen on is written like "127.0.0.1:7420", or "[::1]:7420""#]],
            ),
            (
                "name = \"\"\nbuild = \"make\"\ncomponent = \"a.wasm\"",
                expect!["refrain.toml: name is empty: give it at least one character"],
            ),
            (
                "name = \"order\"\nbuild = \" \"\ncomponent = \"a.wasm\"",
                expect![[
                    r#"refrain.toml: build is empty: give the command that builds the component, such as "make""#
                ]],
            ),
            (
                "name = \"order\"\nbuild = \"make\"\ncomponent = \"../a.wasm\"",
                expect![[
                    r#"refrain.toml: component is "../a.wasm": give the path of the .wasm file in the project's folder"#
                ]],
            ),
        ];
        for (text, expected) in cases {
            expected.assert_eq(&Manifest::parse(text).expect_err("an error").to_string());
        }
    }
}
