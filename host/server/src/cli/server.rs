//! `refrain server`: run a host.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::{CliError, Ending, Exit};
use crate::config::{ApiKey, Config, LogConfig, LogFormat};
use crate::serve::{Ended, serve};

/// Run a host.
///
/// When it is ready it prints one line, `listening on http://ADDRESS`. It stops on SIGTERM and SIGINT: steps are let
/// go on to their next wait, and what is left is done again at the next start. A second signal ends it at once, which
/// loses nothing either.
#[derive(Debug, Args)]
#[command(after_help = Exit::HELP)]
pub(super) struct Server {
    /// Where to serve the API; port 0 takes a free one. [default: 127.0.0.1:7420]
    #[arg(long, env = "REFRAIN_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where everything durable is; made if need be. [default: refrain-data]
    #[arg(long, env = "REFRAIN_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The configuration, in TOML. Options and the environment come before it.
    #[arg(long, env = "REFRAIN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which lines of the log: a level, or directives such as `info,refrain_runtime=debug`. [default: info]
    #[arg(long, env = "REFRAIN_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How lines of the log look. [default: text]
    #[arg(long, env = "REFRAIN_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl Server {
    pub(super) fn run(self, api_key: Option<String>) -> Ending {
        let config = self.configuration(api_key)?;
        start_log(&config.log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| CliError::system("cannot start threads", &error))?;
        let ended = runtime.block_on(serve(config));
        // What still blocks on a thread, such as an attempt past its grace, is done again at the next start.
        runtime.shutdown_background();
        match ended? {
            Ended::Stopped => Ok(Exit::Ok),
            Ended::StoreFailed(_) => Ok(Exit::StoreFailed),
        }
    }

    /// The file, and what the command line and the environment put in its place.
    fn configuration(self, api_key: Option<String>) -> Result<Config, CliError> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        replace(&mut config.listen, self.listen);
        replace(&mut config.data_dir, self.data_dir);
        replace(&mut config.log.filter, self.log);
        replace(&mut config.log.format, self.log_format);
        if let Some(key) = api_key {
            config.api_key = Some(ApiKey(key));
        }
        Ok(config)
    }
}

fn replace<T>(value: &mut T, other: Option<T>) {
    if let Some(other) = other {
        *value = other;
    }
}

pub(super) fn start_log(config: &LogConfig) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| {
        CliError::usage(format!(
            "the log filter {:?} is not valid: {error}; use a level such as info",
            config.filter
        ))
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => {
            registry.with(lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))).try_init()
        }
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    started.map_err(|error| CliError::usage(format!("cannot start the log: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("refrain.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\ndata_dir = \"from-file\"\napi_key = \"from-file\"")
            .expect("a file");
        let server = Server {
            listen: Some("127.0.0.1:2".parse().expect("an address")),
            data_dir: None,
            config: Some(file),
            log: None,
            log_format: Some(LogFormat::Json),
        };
        let config = server.configuration(Some("from-environment".to_owned())).expect("a configuration");
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.data_dir, PathBuf::from("from-file"));
        assert_eq!(config.api_key, Some(ApiKey("from-environment".to_owned())));
        assert_eq!(config.log.format, LogFormat::Json);
    }
}
