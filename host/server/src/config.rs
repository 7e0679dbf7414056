//! The configuration: a TOML file, and what the command line or the environment puts in its place.
//!
//! Every key with its meaning and its default is in `refrain.example.toml`.

mod components;
mod limits;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use jiff::{Span, SpanRelativeTo};
use refrain_engine::ids::{InvalidName, Namespace};
use refrain_engine::journal::Surroundings;
use refrain_plugins::fs::FsConfig;
use refrain_plugins::http::HttpConfig;
use refrain_runtime::{QueueLimits, RateLimits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

pub use self::components::ComponentConfig;
pub use self::limits::{ActivityConfig, TaskQueueConfig};
use crate::suggest::nearest_listed;

/// The address a host listens on unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7420";

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API is served.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Where everything durable is.
    pub data_dir: PathBuf,
    /// The namespaces there are.
    pub namespaces: Vec<String>,
    /// The key that requests must carry.
    pub api_key: Option<ApiKey>,
    /// Further names of this host.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may use the API.
    pub allowed_origins: Vec<String>,
    /// The largest component.
    pub max_upload_bytes: usize,
    /// How long a stop may take.
    #[serde(deserialize_with = "duration")]
    pub shutdown_grace: Duration,
    /// What the host says about itself.
    pub log: LogConfig,
    /// How runs are executed.
    pub runtime: RuntimeConfig,
    /// Flow control of task queues, by name.
    pub task_queues: BTreeMap<String, TaskQueueConfig>,
    /// Flow control of activities, by type.
    pub activities: BTreeMap<String, ActivityConfig>,
    /// What the code of components finds around it, by their names.
    pub components: BTreeMap<String, ComponentConfig>,
    /// What the built-in plugins may do.
    pub plugins: PluginsConfig,
}

/// What the host says about itself, on its standard error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Which lines: a level, or directives as `tracing` takes them.
    pub filter: String,
    /// How they look.
    pub format: LogFormat,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object for each line.
    Json,
}

/// How runs are executed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// How long a waiting run's instance stays in memory.
    #[serde(deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// Memory of all instances together.
    pub resident_bytes: usize,
    /// Instances in memory at a time; 0 for as many as the machine holds.
    pub max_resident: usize,
    /// Asynchronous activities that run at a time.
    pub activity_slots: usize,
    /// Blocking activities that run at a time.
    pub blocking_activity_slots: usize,
    /// Tasks that wait in one task queue.
    pub queued_tasks: usize,
}

/// What the built-in plugins may do: what is not listed cannot be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// Files.
    pub fs: FsConfig,
    /// Requests to other hosts.
    pub http: HttpConfig,
}

/// A key that is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct ApiKey(pub String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(...)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7420)),
            data_dir: PathBuf::from("refrain-data"),
            namespaces: vec![Namespace::DEFAULT.to_owned()],
            api_key: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            // A Python runtime with its library has 40 MiB.
            max_upload_bytes: 64 * 1024 * 1024,
            shutdown_grace: Duration::from_secs(10),
            log: LogConfig::default(),
            runtime: RuntimeConfig::default(),
            task_queues: BTreeMap::new(),
            activities: BTreeMap::new(),
            components: BTreeMap::new(),
            plugins: PluginsConfig::default(),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        let options = refrain_runtime::Options::default();
        Self {
            idle_timeout: options.idle_timeout,
            resident_bytes: options.resident_bytes,
            max_resident: 0,
            activity_slots: options.activity_slots,
            blocking_activity_slots: options.blocking_activity_slots,
            queued_tasks: options.queued_tasks,
        }
    }
}

/// Why there is no configuration. Each one says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration {} is not valid: {message}", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// What is wrong, with its place and, for a slip, the key that was likely meant.
        message: String,
    },
    /// A namespace has a bad name.
    #[error("namespaces: {0}")]
    Namespace(#[from] InvalidName),
    /// There is none.
    #[error("namespaces is empty: list at least one, such as \"default\"")]
    NoNamespace,
    /// The API key is empty.
    #[error("api_key is empty: leave it out, or choose one that cannot be guessed")]
    EmptyApiKey,
    /// What is said of a task queue, an activity type or a component cannot be.
    #[error("{key} {problem}")]
    Limit {
        /// Which.
        key: String,
        /// Its value, and the remedy.
        problem: String,
    },
    /// Everybody could do everything.
    #[error(
        "listen is {0}, which others can reach, and there is no API key: \
         set api_key or REFRAIN_API_KEY, or listen on 127.0.0.1"
    )]
    Unprotected(SocketAddr),
}

/// A name as it stands in the key of a table.
pub(crate) fn toml_key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { format!("{name:?}") }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key, or a value of another type.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|message| ConfigError::Parse { path: path.to_owned(), message })
    }

    /// Parses the text of a file; an error says where and what.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str) -> Result<Self, String> {
        from_toml(text)
    }

    /// The namespaces, checked.
    ///
    /// # Errors
    /// When there is none, or one has a bad name.
    pub fn namespaces(&self) -> Result<Vec<Namespace>, ConfigError> {
        let names: Vec<_> = self.namespaces.iter().map(Namespace::new).collect::<Result<_, _>>()?;
        if names.is_empty() { Err(ConfigError::NoNamespace) } else { Ok(names) }
    }

    /// The limits of task queues, checked.
    ///
    /// # Errors
    /// When one cannot be. Names the key, its value and the remedy, as for activities.
    pub fn task_queues(&self) -> Result<BTreeMap<String, QueueLimits>, ConfigError> {
        limits::of_task_queues(&self.task_queues)
    }

    /// The limits of activities by type, checked.
    ///
    /// # Errors
    /// When one cannot be.
    pub fn activities(&self) -> Result<BTreeMap<String, RateLimits>, ConfigError> {
        limits::of_activities(&self.activities)
    }

    /// What the code of components finds around it, checked.
    ///
    /// # Errors
    /// When a variable's name cannot be one, or it is too much.
    pub fn surroundings(&self) -> Result<BTreeMap<String, Surroundings>, ConfigError> {
        components::surroundings(&self.components)
    }

    /// Refuses what would leave the host open to others.
    ///
    /// # Errors
    /// When it listens where others reach it and wants no key.
    pub fn check_access(&self) -> Result<(), ConfigError> {
        match &self.api_key {
            Some(ApiKey(key)) if key.is_empty() => Err(ConfigError::EmptyApiKey),
            None if !self.listen.ip().is_loopback() => Err(ConfigError::Unprotected(self.listen)),
            Some(_) | None => Ok(()),
        }
    }
}

/// What a TOML text says; an error says where and what, and for a slip which key was likely meant.
pub(crate) fn from_toml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let shown = error.to_string();
        let shown = shown.trim_end();
        match (limits::unquoted(text, error.message()), nearest_listed(error.message())) {
            (Some(table), _) => format!("{shown}\na name with a dot in it is written in quotes: {table}"),
            (None, Some(near)) => format!("{shown}\ndid you mean `{near}`?"),
            (None, None) => shown.to_owned(),
        }
    })
}

/// A length of time as people write it: `30s`, `1m 30s`, `500ms`, `3d`. A day has 24 hours.
pub(crate) fn parse_length(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

/// As [`parse_length`].
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let remedy = "a length of time is written like \"30s\" or \"500ms\"";
    parsed(deserializer, remedy, parse_length)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let remedy = "an address to listen on is written like \"127.0.0.1:7420\", or \"[::1]:7420\"";
    parsed(deserializer, remedy, |text| text.parse().ok())
}

/// An address to listen on, where one need not be given.
pub(crate) fn address_if_given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

/// A value that is written as a text of some form.
fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    remedy: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer).ok();
    text.and_then(|text| parse(&text)).ok_or_else(|| serde::de::Error::custom(remedy))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const EXAMPLE: &str = include_str!("../refrain.example.toml");

    #[test]
    fn the_example_is_the_default() {
        assert_eq!(Config::parse(EXAMPLE).expect("the example parses"), Config::default());
    }

    #[test]
    fn the_example_has_every_key() {
        // serde lists the keys of a table when it meets one that is not among them.
        let tables = [
            "",
            "log",
            "runtime",
            "task_queues.x",
            "activities.x",
            "plugins",
            "plugins.fs",
            "plugins.fs.directories.x",
            "plugins.http",
        ];
        for table in tables {
            let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
            let error =
                toml::from_str::<Config>(&format!("{header}no_such_key = 1")).expect_err("an unknown key");
            let keys: Vec<&str> = error.message().split('`').skip(3).step_by(2).collect();
            assert!(!keys.is_empty(), "{table}: {}", error.message());
            for key in keys {
                let written = EXAMPLE.lines().any(|line| {
                    let line = line.trim_start_matches(['#', ' ']);
                    line.starts_with(&format!("{key} =")) || line.starts_with('[') && line.contains(key)
                });
                assert!(written, "refrain.example.toml does not document {key} of [{table}]");
            }
        }
    }

    #[test]
    fn errors_name_the_key_the_place_and_the_remedy() {
        let cases: [(&str, Expect); 7] = [
            (
                "listn = \"127.0.0.1:1\"",
                expect![[r#"
                    TOML parse error at line 1, column 1
                      |
                    1 | listn = "127.0.0.1:1"
                      | ^^^^^
                    unknown field `listn`, expected one of `listen`, `data_dir`, `namespaces`, `api_key`, `allowed_hosts`, `allowed_origins`, `max_upload_bytes`, `shutdown_grace`, `log`, `runtime`, `task_queues`, `activities`, `components`, `plugins`
                    did you mean `listen`?"#]],
            ),
            (
                "[runtime]\nidle_timeout = 10",
                expect![[r#"
                    TOML parse error at line 2, column 16
                      |
                    2 | idle_timeout = 10
                      |                ^^
                    a length of time is written like "30s" or "500ms""#]],
            ),
            (
                "[runtime]\nidle_timeout = \"soon\"",
                expect![[r#"
                    TOML parse error at line 2, column 16
                      |
                    2 | idle_timeout = "soon"
                      |                ^^^^^^
                    a length of time is written like "30s" or "500ms""#]],
            ),
            (
                "listen = \"localhost\"",
                expect![[r#"
                    TOML parse error at line 1, column 10
                      |
                    1 | listen = "localhost"
                      |          ^^^^^^^^^^^
                    an address to listen on is written like "127.0.0.1:7420", or "[::1]:7420""#]],
            ),
            (
                "[plugins.fs.directories.data]\npath = \"/srv\"\nwriteable = true",
                expect![[r#"
                TOML parse error at line 3, column 1
                  |
                3 | writeable = true
                  | ^^^^^^^^^
                unknown field `writeable`, expected `path` or `writable`
                did you mean `writable`?"#]],
            ),
            (
                "[activities.http.request]\nrate = 1",
                expect![[r#"
                TOML parse error at line 1, column 18
                  |
                1 | [activities.http.request]
                  |                  ^^^^^^^
                unknown field `request`, expected one of `concurrency`, `rate`, `burst`
                a name with a dot in it is written in quotes: [activities."http.request"]"#]],
            ),
            (
                "[task_queues.gpu.eu.west]\nconcurrency = 1",
                expect![[r#"
                TOML parse error at line 1, column 18
                  |
                1 | [task_queues.gpu.eu.west]
                  |                  ^^
                unknown field `eu`, expected one of `concurrency`, `rate`, `burst`, `in_process`
                a name with a dot in it is written in quotes: [task_queues."gpu.eu.west"]"#]],
            ),
        ];
        for (text, expected) in cases {
            expected.assert_eq(&Config::parse(text).expect_err("an error"));
        }
    }

    #[test]
    fn limits_that_cannot_be_name_the_key_the_value_and_the_remedy() {
        let cases: [(&str, Expect); 9] = [
            (
                "[task_queues.gpu]\nconcurrency = 0",
                expect!["task_queues.gpu.concurrency is 0: use at least 1, or leave it out for no limit"],
            ),
            (
                "[task_queues.gpu]\nrate = 0",
                expect![
                    "task_queues.gpu.rate is 0: use 0.001 to 1000000 in a second, or leave it out for no limit"
                ],
            ),
            (
                "[task_queues.gpu]\nrate = -1.5",
                expect![
                    "task_queues.gpu.rate is -1.5: use 0.001 to 1000000 in a second, or leave it out for no limit"
                ],
            ),
            (
                "[task_queues.gpu]\nrate = nan",
                expect![
                    "task_queues.gpu.rate is NaN: use 0.001 to 1000000 in a second, or leave it out for no limit"
                ],
            ),
            (
                "[task_queues.gpu]\nrate = 1e9",
                expect![
                    "task_queues.gpu.rate is 1000000000: use 0.001 to 1000000 in a second, or leave it out for no limit"
                ],
            ),
            (
                "[task_queues.gpu]\nburst = 3",
                expect![
                    "task_queues.gpu.burst is 3, and there is no rate: give a rate too, or leave both out"
                ],
            ),
            (
                "[activities.\"http.get\"]\nrate = 1\nburst = 0",
                expect![[
                    r#"activities."http.get".burst is 0: use 1 to 1000000, or leave it out for the rate, rounded up"#
                ]],
            ),
            (
                "[activities.\"\"]\nrate = 1",
                expect![[r#"activities."" is empty: give it at least one character"#]],
            ),
            (
                "[task_queues.\"a\\nb\"]\nin_process = false",
                expect![[
                    r#"task_queues."a\nb" "a\nb" contains the control character '\n': use printable characters"#
                ]],
            ),
        ];
        for (text, expected) in cases {
            let config = Config::parse(text).expect("it parses");
            let error = config.task_queues().err().or_else(|| config.activities().err()).expect("an error");
            expected.assert_eq(&error.to_string());
        }
    }

    #[test]
    fn limits_reach_the_runtime_as_they_are_written() {
        let text = "[task_queues.gpu]\nconcurrency = 2\nin_process = false\n\
                    [task_queues.mail]\nrate = 10\n\
                    [activities.\"http.get\"]\nrate = 0.5\nburst = 3";
        let config = Config::parse(text).expect("it parses");
        let queues = config.task_queues().expect("limits");
        let gpu = RateLimits { concurrency: Some(2), ..RateLimits::default() };
        assert_eq!(queues["gpu"], QueueLimits { limits: gpu, in_process: false });
        let mail = RateLimits { rate: Some(10.0), ..RateLimits::default() };
        assert_eq!(queues["mail"], QueueLimits { limits: mail, in_process: true });
        let get = RateLimits { concurrency: None, rate: Some(0.5), burst: Some(3) };
        assert_eq!(config.activities().expect("limits")["http.get"], get);
    }

    #[test]
    fn the_surroundings_of_components_are_checked() {
        let of = |text: &str| Config::parse(text).expect("it parses").surroundings();
        let text = "[components.flow]\nenvironment = { B = \"2\", A = \"\" }\narguments = [\"-v\"]";
        let surroundings = of(text).expect("they are right").remove("flow").expect("of that name");
        assert_eq!(
            surroundings.environment,
            [("A".to_owned(), String::new()), ("B".to_owned(), "2".to_owned())]
        );
        assert_eq!(surroundings.arguments, ["-v"]);
        let large = format!("[components.flow]\narguments = [{:?}]", "x".repeat(16 * 1024 + 1));
        let cases = [
            (
                "[components.flow]\nenvironment = { \"A=B\" = \"\" }",
                expect![[
                    r#"components.flow.environment has "A=B": a variable's name is not empty and has no `=` in it"#
                ]],
            ),
            (
                &large,
                expect![
                    "components.flow has 16385 bytes of variables and arguments, and may have 16384, as each run keeps them: give large values to workflows as their input"
                ],
            ),
            ("[components.\"\"]", expect![[r#"components."" is empty: give it at least one character"#]]),
        ];
        for (text, expected) in cases {
            expected.assert_eq(&of(text).expect_err("it is refused").to_string());
        }
    }

    #[test]
    fn what_others_can_reach_wants_a_key() {
        let config = |listen: &str, key: Option<&str>| Config {
            listen: listen.parse().expect("an address"),
            api_key: key.map(|key| ApiKey(key.to_owned())),
            ..Config::default()
        };
        assert!(config("127.0.0.1:0", None).check_access().is_ok());
        assert!(config("[::1]:0", None).check_access().is_ok());
        assert!(config("0.0.0.0:0", Some("secret")).check_access().is_ok());
        assert!(matches!(config("0.0.0.0:0", None).check_access(), Err(ConfigError::Unprotected(_))));
        assert!(matches!(config("127.0.0.1:0", Some("")).check_access(), Err(ConfigError::EmptyApiKey)));
    }

    #[test]
    fn keys_are_not_shown() {
        let config = Config { api_key: Some(ApiKey("secret".to_owned())), ..Config::default() };
        assert!(!format!("{config:?}").contains("secret"));
    }
}
