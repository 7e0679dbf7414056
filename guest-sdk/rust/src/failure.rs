//! Why something failed, told from the outside in.

use std::error::Error;
use std::fmt;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::refrain::workflow::types;
use crate::payload;

pub use crate::bindings::refrain::workflow::types::FailureKind;

/// Why a workflow or an activity failed: a chain that reads as one sentence, `what was done: why: why`.
///
/// Every `std` error becomes one by `?`, with its sources. [`Context::context`] says what was being done:
///
/// ```
/// use refrain_sdk::{Context, Failure};
///
/// fn port(text: &str) -> Result<u16, Failure> {
///     Ok(text.parse::<u16>().with_context(|| format!("read the port `{text}`"))?)
/// }
///
/// let failure = port("http").unwrap_err();
/// assert_eq!(failure.to_string(), "read the port `http`: invalid digit found in string");
/// assert_eq!(failure.error_type(), "ParseIntError");
/// ```
///
/// As with `anyhow::Error`, a failure is not itself a [`std::error::Error`]: that is what makes `?` work
/// for everything that is.
#[derive(Clone)]
pub struct Failure(Box<types::Failure>);

impl Failure {
    /// A failure of the workflow's own, of type `Failure`.
    pub fn new(message: impl Into<String>) -> Self {
        Self::typed("Failure", message)
    }

    /// A failure of a type of its own. Retry policies compare the type with their
    /// `non_retryable_error_types`.
    pub fn typed(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(FailureKind::Application, error_type.into(), message.into())
    }

    /// A failure of kind canceled. A workflow that returns it after someone asked to cancel ends as canceled.
    pub fn canceled(reason: impl Into<String>) -> Self {
        Self::of(FailureKind::Canceled, "canceled".to_owned(), reason.into())
    }

    pub(crate) fn of(kind: FailureKind, error_type: String, message: String) -> Self {
        Self(Box::new(types::Failure {
            kind,
            error_type,
            message,
            stack: String::new(),
            details: None,
            non_retryable: false,
            causes: Vec::new(),
        }))
    }

    /// No retry policy retries this failure.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        self.0.non_retryable = true;
        self
    }

    /// Adds data for programs. Details that cannot be written as JSON are replaced by the reason.
    #[must_use]
    pub fn with_details<T: Serialize + ?Sized>(mut self, details: &T) -> Self {
        self.0.details = match payload::encode(details) {
            Ok(details) => Some(details),
            Err(failure) => payload::encode(&failure.to_string()).ok(),
        };
        self
    }

    /// Puts `why` under this failure.
    #[must_use]
    pub fn caused_by(mut self, why: impl Into<Failure>) -> Self {
        let types::Failure { kind, error_type, message, stack, details, non_retryable: _, causes } =
            *why.into().0;
        self.0.causes.push(types::Cause { kind, error_type, message, stack, details });
        self.0.causes.extend(causes);
        self
    }

    /// Says what was being done. The new level keeps kind and type, and whether it may be retried.
    #[must_use]
    pub fn context(self, doing: impl Into<String>) -> Self {
        let mut outer = Self::of(self.0.kind, self.0.error_type.clone(), doing.into());
        outer.0.non_retryable = self.0.non_retryable;
        outer.caused_by(self)
    }

    /// Who says that it failed.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// What failed, for programs: `ConnectionRefused`, `start-to-close`.
    #[must_use]
    pub fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// The outermost level's message; [`Display`](fmt::Display) writes the whole chain.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether retry policies leave this failure alone.
    #[must_use]
    pub fn is_non_retryable(&self) -> bool {
        self.0.non_retryable
    }

    /// Whether it was canceled.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.0.kind == FailureKind::Canceled
    }

    /// Whether a timeout passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == FailureKind::Timeout
    }

    /// The outermost details that there are and that fit `T`.
    #[must_use]
    pub fn details<T: DeserializeOwned>(&self) -> Option<T> {
        let own = self.0.details.as_ref();
        let causes = self.0.causes.iter().filter_map(|cause| cause.details.as_ref());
        own.into_iter().chain(causes).find_map(|details| payload::decode(details).ok())
    }

    /// The messages of the chain, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        let causes = self.0.causes.iter().map(|cause| cause.message.as_str());
        std::iter::once(self.0.message.as_str()).chain(causes)
    }

    pub(crate) fn from_wire(failure: types::Failure) -> Self {
        Self(Box::new(failure))
    }

    pub(crate) fn into_wire(self) -> types::Failure {
        *self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, message) in self.chain().enumerate() {
            let colon = if level == 0 { "" } else { ": " };
            write!(f, "{colon}{message}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({}, {self})", self.0.error_type)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let io = (&error as &(dyn Error + 'static)).downcast_ref::<io::Error>();
        let mut failure = match io {
            // Its type's name says nothing, its kind does: `ConnectionRefused`.
            Some(io) => Self::typed(format!("{:?}", io.kind()), error.to_string()),
            None => Self::typed(short_name::<E>(), error.to_string()),
        };
        if io.is_some_and(|io| io.kind() == io::ErrorKind::Unsupported) {
            failure.0.message.push_str(NO_IO);
        }
        let mut source = error.source();
        while let Some(error) = source {
            failure.0.causes.push(types::Cause {
                kind: FailureKind::Application,
                error_type: String::new(),
                message: error.to_string(),
                stack: String::new(),
                details: None,
            });
            source = error.source();
        }
        failure
    }
}

/// Files, sockets, processes and threads all fail in a sandbox as `Unsupported`.
const NO_IO: &str = " (workflow code reaches no files, network, processes or threads: use an activity)";

/// `core::num::error::ParseIntError` as people write it: `ParseIntError`.
fn short_name<E>() -> &'static str {
    let name = std::any::type_name::<E>();
    let path = name.split('<').next().unwrap_or(name);
    path.rsplit("::").next().unwrap_or(path)
}

/// Adds to a failure what was being done.
pub trait Context<T> {
    /// `.context("stop container abc")`: the failure then reads `stop container abc: ...`.
    fn context(self, doing: impl Into<String>) -> Result<T, Failure>;

    /// As [`context`](Self::context), for words that cost something to put together.
    fn with_context<D: Into<String>>(self, doing: impl FnOnce() -> D) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, doing: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| error.into().context(doing))
    }

    fn with_context<D: Into<String>>(self, doing: impl FnOnce() -> D) -> Result<T, Failure> {
        self.map_err(|error| error.into().context(doing()))
    }
}

/// Returns early with a [`Failure`]: `bail!("no container named {name}")`.
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::core::result::Result::Err($crate::Failure::new(::std::format!($($message)+)).into())
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_chain_reads_as_one_sentence() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let result: Result<(), _> = Err(refused);
        let failure = result
            .context("stop container abc123")
            .context("stop-and-snapshot for container abc123")
            .unwrap_err();
        let whole = "stop-and-snapshot for container abc123: stop container abc123: connection refused";
        assert_eq!(failure.to_string(), whole);
        assert_eq!(failure.error_type(), "ConnectionRefused");
        assert_eq!(failure.into_wire().causes.len(), 2);
    }

    #[test]
    fn context_keeps_kind_type_details_and_whether_to_retry() {
        let inner = Failure::canceled("enough").non_retryable().with_details(&7);
        let failure = inner.context("copy").context("backup");
        assert!(failure.is_canceled() && failure.is_non_retryable());
        assert_eq!(failure.error_type(), "canceled");
        assert_eq!(failure.details::<u8>(), Some(7));
    }

    #[test]
    fn an_unsupported_operation_says_what_to_use_instead() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::Unsupported));
        assert!(failure.to_string().ends_with("use an activity)"), "{failure}");
    }
}
