//! How commands end: exit codes and errors.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::client::ClientError;
use crate::config::ConfigError;
use crate::serve::ServeError;
use crate::wire::Status;

/// The exit codes of all commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// The workflow ended, but did not complete; or the update was rejected or failed; or a scenario failed.
    NotCompleted = 1,
    /// The command line, a file that it names, or the configuration is not right.
    Usage = 2,
    /// The host refused the request.
    Refused = 3,
    /// No host answers.
    Unreachable = 4,
    /// The host failed, or gave an answer that nobody understands.
    HostFailed = 5,
    /// The workflow had not ended when the time was over, or the update had not come so far.
    StillRunning = 6,
    /// The host cannot start: its address or its data directory is not to be had.
    CannotStart = 7,
    /// Open runs, or runs that histories record, would not go on with a component, or it could not be told whether they
    /// would; or a component is not deterministic.
    Diverges = 8,
    /// The host's store failed, and the host ended. Nothing that was acknowledged is lost.
    StoreFailed = 70,
    /// Interrupted from the keyboard. A workflow that was waited for goes on.
    Interrupted = 130,
}

impl Exit {
    /// The table of `--help`.
    pub const HELP: &'static str = "\
Exit codes:
  0  all went well
  1  the workflow ended, but failed, was canceled, was terminated or timed out; or the update was rejected or failed;
     or, of test, a scenario failed
  2  the command line, a file that it names, or the configuration is not right
  3  the host refused the request
  4  no host answers
  5  the host failed, or gave an answer that cannot be understood
  6  the workflow had not ended when the time was over, or the update had not come so far
  7  server: cannot start, its address or its data directory is not to be had
  8  component check, push --move-running and move, and replay: there are runs that the component would not go on
     with, or that could not be tried; or it is not deterministic
  70 server: the store failed; start again, nothing that was acknowledged is lost
  130  interrupted; a workflow that was waited for goes on
  130, 143  server: ended at once by a second signal";

    /// What a workflow's end means for the command that waited for it.
    pub fn of(status: Status) -> Self {
        match status {
            // A result that follows the execution never ends at a run that was continued.
            Status::Completed | Status::ContinuedAsNew => Self::Ok,
            Status::Failed | Status::Canceled | Status::Terminated | Status::TimedOut => Self::NotCompleted,
            Status::Running | Status::Parked | Status::Paused => Self::StillRunning,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl CliError {
    /// The command line, or a file that it names, is not right.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), hint: None }
    }

    /// The operating system refused something.
    pub fn system(what: &str, error: &io::Error) -> Self {
        Self { exit: Exit::HostFailed, message: format!("{what}: {error}"), hint: None }
    }

    /// The host failed at what it was asked for.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::HostFailed, message: message.into(), hint: None }
    }

    /// The same with another remedy.
    #[must_use]
    pub fn with_hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        /// Statuses from here on are the host's own fault.
        const SERVER_ERROR: u16 = 500;
        /// The code of the problem that a run would not go on with other code.
        const DIVERGES: &str = "diverges";
        let exit = match &error {
            ClientError::Address { .. } => Exit::Usage,
            ClientError::Unreachable { .. } => Exit::Unreachable,
            ClientError::Refused(problem) if problem.code == DIVERGES => Exit::Diverges,
            ClientError::Refused(problem) if problem.status < SERVER_ERROR => Exit::Refused,
            ClientError::Refused(_) | ClientError::Unexpected { .. } => Exit::HostFailed,
        };
        Self { exit, message: error.to_string(), hint: Some(error.hint().to_owned()) }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let hint = "every key is explained in refrain.example.toml".to_owned();
        Self { exit: Exit::Usage, message: error.to_string(), hint: Some(hint) }
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Config(error) => error.into(),
            error @ ServeError::Fs(_) => Self::usage(with_sources(&error)),
            error => Self { exit: Exit::CannotStart, message: with_sources(&error), hint: None },
        }
    }
}

/// An error with what its sources add to it.
fn with_sources(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source()).fold(
        error.to_string(),
        |message, source| {
            let source = source.to_string();
            if message.contains(&source) { message } else { format!("{message}: {source}") }
        },
    )
}
