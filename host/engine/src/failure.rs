//! Why something failed, with the whole chain of causes.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::limits::ELEMENT_BYTES;
use crate::payload::Payload;

/// Who says that it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cbor(index_only)]
pub enum FailureKind {
    /// Workflow or activity code; the error type is its own.
    #[n(0)]
    Application,
    /// It was canceled.
    #[n(1)]
    Canceled,
    /// A timeout passed; the error type says which.
    #[n(2)]
    Timeout,
    /// Someone terminated it.
    #[n(3)]
    Terminated,
    /// The host refused, or was in the way; the error type says how.
    #[n(4)]
    Host,
    /// A kind that this version does not know.
    #[n(5)]
    Other,
}

impl FailureKind {
    /// The name in APIs: `application`, `canceled`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Terminated => "terminated",
            Self::Host => "host",
            Self::Other => "other",
        }
    }
}

/// One link of a failure's chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Who says so.
    #[n(0)]
    pub kind: FailureKind,
    /// What kind of error, for code.
    #[n(1)]
    pub error_type: String,
    /// What happened, for people.
    #[n(2)]
    pub message: String,
    /// The language's own stack trace; empty when there is none.
    #[n(3)]
    pub stack: String,
    /// More about it.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Payload>,
}

/// Why something failed. Displayed as `message: cause: cause`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Who says so.
    #[n(0)]
    pub kind: FailureKind,
    /// What kind of error, for code and for retry policies.
    #[n(1)]
    pub error_type: String,
    /// What this level was doing, for people.
    #[n(2)]
    pub message: String,
    /// The language's own stack trace; empty when there is none.
    #[n(3)]
    pub stack: String,
    /// More about it.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Payload>,
    /// No retry policy retries this failure.
    #[n(5)]
    pub non_retryable: bool,
    /// Why, outermost first.
    #[n(6)]
    pub causes: Vec<Cause>,
}

impl Failure {
    /// A failure without stack, details and causes, which retry policies may retry.
    pub fn new(kind: FailureKind, error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            error_type: error_type.into(),
            message: message.into(),
            stack: String::new(),
            details: None,
            non_retryable: false,
            causes: Vec::new(),
        }
    }

    /// This failure as the outermost cause of another.
    pub fn caused_by(mut self, cause: Failure) -> Self {
        self.causes.push(Cause {
            kind: cause.kind,
            error_type: cause.error_type,
            message: cause.message,
            stack: cause.stack,
            details: cause.details,
        });
        self.causes.extend(cause.causes);
        self
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        let own = self.error_type.len() + self.message.len() + self.stack.len();
        let details = self.details.as_ref().map_or(0, Payload::size);
        let causes: usize = self
            .causes
            .iter()
            .map(|c| {
                ELEMENT_BYTES
                    + c.error_type.len()
                    + c.message.len()
                    + c.stack.len()
                    + c.details.as_ref().map_or(0, Payload::size)
            })
            .sum();
        own + details + causes
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {}", cause.message))
    }
}

impl std::error::Error for Failure {}

/// How an op ended: its result, or why it failed. (Not `std::result::Result`, so that it can be stored.)
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// It completed with this value.
    #[n(0)]
    Completed(#[n(0)] Payload),
    /// It failed.
    #[n(1)]
    Failed(#[n(0)] Failure),
}

impl Outcome {
    /// Whether there is a value.
    pub fn is_completed(&self) -> bool {
        matches!(self, Self::Completed(_))
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Completed(payload) => payload.size(),
            Self::Failed(failure) => failure.size(),
        }
    }
}
