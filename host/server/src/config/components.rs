//! What the code of components finds around it.

use std::collections::BTreeMap;

use refrain_engine::ids::check_name;
use refrain_engine::journal::Surroundings;
use serde::Deserialize;

use super::{ConfigError, toml_key};

/// Bytes of the variables and arguments of one component: they are kept with each of its runs.
const MAX_SURROUNDINGS_BYTES: usize = 16 * 1024;

/// A table `[components.NAME]`. It holds for the runs of the component of that name, in each namespace, that start from
/// then on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComponentConfig {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Arguments.
    pub arguments: Vec<String>,
}

/// What is configured, checked.
pub(super) fn surroundings(
    tables: &BTreeMap<String, ComponentConfig>,
) -> Result<BTreeMap<String, Surroundings>, ConfigError> {
    let checked = |(name, table): (&String, &ComponentConfig)| {
        check(name, table).map(|surroundings| (name.clone(), surroundings))
    };
    tables.iter().map(checked).collect()
}

fn check(name: &str, table: &ComponentConfig) -> Result<Surroundings, ConfigError> {
    let refuse = |key: &str, problem: String| {
        let key = format!("components.{}{key}", toml_key(name));
        Err(ConfigError::Limit { key, problem })
    };
    if let Err(error) = check_name("name", name) {
        return refuse("", error.reason);
    }
    let ComponentConfig { environment, arguments } = table;
    if let Some(bad) = environment.keys().find(|key| key.is_empty() || key.contains(['=', '\0'])) {
        return refuse(
            ".environment",
            format!("has {bad:?}: a variable's name is not empty and has no `=` in it"),
        );
    }
    let of_pair = |(key, value): (&String, &String)| key.len() + value.len();
    let bytes: usize =
        environment.iter().map(of_pair).sum::<usize>() + arguments.iter().map(String::len).sum::<usize>();
    if bytes > MAX_SURROUNDINGS_BYTES {
        let problem = format!(
            "has {bytes} bytes of variables and arguments, and may have {MAX_SURROUNDINGS_BYTES}, as each run keeps \
             them: give large values to workflows as their input"
        );
        return refuse("", problem);
    }
    let environment = environment.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(Surroundings { environment, arguments: arguments.clone() })
}
