//! The process around a worker: its runtime, its log, its signals.

use std::future::Future;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use refrain_plugin::Plugin;
use tracing_subscriber::EnvFilter;

use crate::error::Error;
use crate::worker::Worker;

/// Where the filter of the log comes from, as for the host.
const LOG_VARIABLE: &str = "REFRAIN_LOG";
/// The filter if the variable is absent.
const DEFAULT_LOG: &str = "info";

/// The whole `main` of a worker that is configured by the environment (see [`Worker::from_env`]):
///
/// ```no_run
/// # use refrain_plugin::{Activity, Plugin};
/// # struct Greeter;
/// # impl Plugin for Greeter {
/// #     fn name(&self) -> &str { "greeter" }
/// #     fn activities(&self) -> Vec<Activity> { Vec::new() }
/// # }
/// fn main() -> std::process::ExitCode {
///     refrain_worker::run(vec![Box::new(Greeter)])
/// }
/// ```
///
/// It logs to stderr unless a `tracing` subscriber is set (`REFRAIN_LOG` filters, by default `info`), and stops
/// without losing work at SIGTERM and SIGINT. An error is written to stderr, with what to do about it, and is exit
/// code 1.
pub fn run(plugins: Vec<Box<dyn Plugin>>) -> ExitCode {
    let filter = std::env::var_os(LOG_VARIABLE).unwrap_or_default();
    match start_log(&filter.to_string_lossy()).and_then(|()| serve(plugins)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if !error.hint().is_empty() {
                eprintln!("hint: {}", error.hint());
            }
            ExitCode::FAILURE
        }
    }
}

fn start_log(filter: &str) -> Result<(), Error> {
    let filter = log_filter(filter)?;
    // Colours are for people: in a file or a collector they are rubbish.
    let lines = tracing_subscriber::fmt().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    // An error says that the program has a subscriber of its own.
    let _ = lines.with_env_filter(filter).try_init();
    Ok(())
}

fn log_filter(filter: &str) -> Result<EnvFilter, Error> {
    let filter = if filter.is_empty() { DEFAULT_LOG } else { filter };
    EnvFilter::try_new(filter).map_err(|error| Error::Setting {
        setting: LOG_VARIABLE,
        value: filter.to_owned(),
        reason: format!("{error}; give a level such as `info`, or `info,refrain_worker=debug`"),
    })
}

fn serve(plugins: Vec<Box<dyn Plugin>>) -> Result<(), Error> {
    let builder = plugins.into_iter().fold(Worker::from_env(), |builder, plugin| builder.plugin(plugin));
    let worker = builder.build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::System)?;
    let outcome = runtime.block_on(worker.run());
    // Blocking activities that did not stop were given up; the process does not wait for their threads.
    runtime.shutdown_background();
    outcome
}

/// Resolves when the process is asked to stop. From the call on the signals no longer end the process.
#[cfg(unix)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves when the process is asked to stop.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without the signal there is no way to be asked.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_filter_that_cannot_be_used_is_named() {
        let error = log_filter("info,refrain_worker=loud").unwrap_err().to_string();
        assert!(error.contains("`REFRAIN_LOG` cannot be \"info,refrain_worker=loud\""), "{error}");
        for (filter, expected) in
            [("", "info"), ("warn", "warn"), ("refrain_worker=debug", "refrain_worker=debug")]
        {
            assert_eq!(log_filter(filter).unwrap().to_string(), expected);
        }
    }
}
