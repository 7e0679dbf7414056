//! Why a test went no further.

use refrain_runtime::Error;

/// Why a test went no further.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TestError {
    /// The host refused.
    #[error("{0}")]
    Host(#[from] Error),
    /// What was waited for did not come in the test's time.
    #[error("{what} does not end within {limit} of virtual time: {state}")]
    Stuck {
        /// What.
        what: String,
        /// The time.
        limit: String,
        /// How it stands.
        state: String,
    },
    /// An execution goes on from run to run.
    #[error(
        "workflow {id:?} goes on from run to run: it has begun more than {limit}, the last of type {workflow:?}, within \
         {elapsed} of virtual time; bound its loop of continue-as-new or of retries, or raise `run_limit`"
    )]
    TooManyRuns {
        /// The execution.
        id: String,
        /// The type of its latest run.
        workflow: String,
        /// How many runs the test bears.
        limit: u64,
        /// The virtual time since the test began.
        elapsed: String,
    },
    /// An answer is not what the test takes it for.
    #[error("{what} is not what the test takes it for: {reason}: {text}")]
    Answer {
        /// Which.
        what: String,
        /// Why.
        reason: String,
        /// The answer.
        text: String,
    },
}
