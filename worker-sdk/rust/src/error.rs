//! Why a worker does not start, or stops by itself.

use std::io;

/// Why a worker does not start, or stopped without being told to.
///
/// A host that cannot be reached is no reason: a worker waits for it. Neither is a failing activity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting cannot be used.
    #[error("the worker's setting `{setting}` cannot be {value:?}: {reason}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it, and what to give instead.
        reason: String,
    },
    /// The host refuses the worker's polls, and would refuse them again.
    #[error("the host at {address} refuses this worker's polls ({status}): {detail}")]
    Refused {
        /// The host's address.
        address: String,
        /// The HTTP status of its answer.
        status: u16,
        /// What the host says about it.
        detail: String,
        /// What the host says to do about it; empty if nothing.
        hint: String,
    },
    /// Whatever answers there is no Refrain host, or one of another version.
    #[error("{address} gave an answer that this version of the worker does not know: {answer}")]
    Unexpected {
        /// Where.
        address: String,
        /// What it answered, shortened.
        answer: String,
    },
    /// The operating system gave no threads, or no signals to stop at.
    #[error("the worker cannot run here: {0}")]
    System(#[source] io::Error),
}

impl Error {
    /// What to do about it; empty if there is nothing to say beyond the message.
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused { hint, .. } => hint,
            Self::Unexpected { .. } => "check the address, and that the host's version is the worker's",
            Self::Setting { .. } | Self::System(_) => "",
        }
    }
}
