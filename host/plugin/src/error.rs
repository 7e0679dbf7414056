//! How an activity fails.
//!
//! The parts are those of a failure in the journal: what happened (type, message, details, causes) and what the
//! retry policy should know. This crate does not know the journal; the host translates.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::{CancelReason, Payload};

/// Why an activity failed. Retried under the workflow's retry policy unless [`non_retryable`] is set or the
/// policy names [`error_type`].
///
/// Every [`std::error::Error`] becomes one with `?`, with the chain of its sources as [`causes`]. For that reason
/// it is no [`std::error::Error`] itself.
///
/// [`non_retryable`]: ActivityError::non_retryable
/// [`error_type`]: ActivityError::error_type
/// [`causes`]: ActivityError::causes
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityError {
    /// The name by which workflows and retry policies tell errors apart.
    pub error_type: String,
    /// What happened, for people.
    pub message: String,
    /// Another attempt could not do better.
    pub non_retryable: bool,
    /// What a workflow may want to know beyond the message.
    pub details: Option<Box<Payload>>,
    /// When the next attempt should begin, in place of what the retry policy computes.
    pub next_retry_delay: Option<Duration>,
    /// Expected in normal operation: recorded as ever, but not logged as a problem.
    pub benign: bool,
    /// What led to it, outermost first.
    pub causes: Vec<Cause>,
}

/// One link in the chain of what led to an [`ActivityError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// As [`ActivityError::error_type`].
    pub error_type: String,
    /// As [`ActivityError::message`].
    pub message: String,
}

impl ActivityError {
    /// The type of errors that were given none.
    pub const UNTYPED: &'static str = "Error";
    /// The type of an attempt that stopped because the host wanted it to.
    pub const CANCELLED: &'static str = "Canceled";
    /// The type by which the host knows [`ActivityError::pending`]. No other error may have it.
    pub const PENDING: &'static str = "refrain:pending";
    /// The type of an input that the activity cannot read.
    pub const INVALID_INPUT: &'static str = "InvalidInput";
    /// The type of an output, or of heartbeat details, without a JSON form.
    pub const INVALID_OUTPUT: &'static str = "InvalidOutput";

    /// An error that may be gone at the next attempt.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> ActivityError {
        ActivityError {
            error_type: error_type.into(),
            message: message.into(),
            non_retryable: false,
            details: None,
            next_retry_delay: None,
            benign: false,
            causes: Vec::new(),
        }
    }

    /// An error that every further attempt would meet again.
    pub fn non_retryable(error_type: impl Into<String>, message: impl Into<String>) -> ActivityError {
        ActivityError { non_retryable: true, ..ActivityError::new(error_type, message) }
    }

    /// The input is not what the activity takes; `message` names the field, the value and the remedy.
    pub fn invalid_input(message: impl Into<String>) -> ActivityError {
        ActivityError::non_retryable(ActivityError::INVALID_INPUT, message)
    }

    /// The attempt stopped because the host wanted it to. What that leads to, another attempt or none, is the
    /// host's to say, so it is not marked as non-retryable.
    pub fn cancelled(reason: CancelReason) -> ActivityError {
        let message = format!("stopped before the end: {reason}");
        ActivityError { benign: true, ..ActivityError::new(ActivityError::CANCELLED, message) }
    }

    /// Whether this is [`ActivityError::cancelled`], under whatever context.
    pub fn is_cancelled(&self) -> bool {
        self.error_type == ActivityError::CANCELLED
    }

    /// No error: the attempt's work is in hand elsewhere, and somebody else will end it. The attempt goes on
    /// without running here, under the same timeouts, until it is completed, failed or cancelled over HTTP: by
    /// its [task token](crate::Context::task_token), or by the ids of workflow and activity.
    ///
    /// Give the token away before answering so, and be ready for an answer that comes first: an end that
    /// arrives while the attempt still runs stands, and this answer is then dropped.
    ///
    /// ```
    /// use refrain_plugin::{Activity, ActivityError, Context};
    /// # async fn ask_for_approval(_order: &str, _token: &str) -> Result<(), std::io::Error> { Ok(()) }
    ///
    /// let approve = Activity::new("orders.approve", |ctx: Context, order: String| async move {
    ///     // Whoever approves sends {"task_token": ..., "result": ...} to POST /v1/activities/complete.
    ///     ask_for_approval(&order, ctx.task_token()).await?;
    ///     Err::<(), _>(ActivityError::pending())
    /// });
    /// ```
    pub fn pending() -> ActivityError {
        let message = "somebody else will end this attempt";
        ActivityError { benign: true, ..ActivityError::new(ActivityError::PENDING, message) }
    }

    /// Whether this is [`ActivityError::pending`], under whatever context.
    pub fn is_pending(&self) -> bool {
        self.error_type == ActivityError::PENDING
    }

    /// Another type, as for an error that came from `?` and needs a name for the retry policy.
    pub fn with_type(mut self, error_type: impl Into<String>) -> ActivityError {
        self.error_type = error_type.into();
        self
    }

    /// Adds details for the workflow. Details without a JSON form become a cause that says so: they must not
    /// hide the error that they belong to.
    pub fn with_details<T: Serialize + ?Sized>(mut self, details: &T) -> ActivityError {
        match Payload::json(details) {
            Ok(details) => self.details = Some(Box::new(details)),
            Err(error) => self.causes.push(Cause {
                error_type: ActivityError::INVALID_OUTPUT.to_owned(),
                message: format!("the details of this error have no JSON form: {error}"),
            }),
        }
        self
    }

    /// Sets when the next attempt should begin, as after "retry after" from a service.
    pub fn with_next_retry_delay(mut self, delay: Duration) -> ActivityError {
        self.next_retry_delay = Some(delay);
        self
    }

    /// Marks the error as expected in normal operation.
    pub fn with_benign(mut self) -> ActivityError {
        self.benign = true;
        self
    }

    /// Says what was being done when the error came up: `message` goes in front, what was the message becomes
    /// the first cause. The type and all that governs retries stay.
    pub fn context(mut self, message: impl Into<String>) -> ActivityError {
        let message = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, Cause { error_type: self.error_type.clone(), message });
        self
    }
}

impl<E: std::error::Error> From<E> for ActivityError {
    fn from(error: E) -> Self {
        let mut result = ActivityError::new(ActivityError::UNTYPED, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            result
                .causes
                .push(Cause { error_type: ActivityError::UNTYPED.to_owned(), message: cause.to_string() });
            source = cause.source();
        }
        result
    }
}

/// `message: cause: cause`.
impl fmt::Display for ActivityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {}", cause.message)?;
        }
        Ok(())
    }
}

/// [`ActivityError::context`] on a [`Result`].
pub trait ResultExt<T> {
    /// Says what was being done when the error came up; computed only if it did.
    fn context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, ActivityError>;
}

impl<T, E: Into<ActivityError>> ResultExt<T> for Result<T, E> {
    fn context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T, ActivityError> {
        self.map_err(|error| error.into().context(message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Link {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|link| link as _)
        }
    }

    #[test]
    fn the_whole_chain_arrives_outermost_first() {
        fn stop() -> Result<(), Link> {
            Err(Link("stop container abc123", Some(Box::new(Link("connection refused", None)))))
        }
        fn snapshot() -> Result<(), ActivityError> {
            stop().context(|| "stop-and-snapshot for container abc123")
        }
        let error = snapshot().unwrap_err();
        assert_eq!(
            error.to_string(),
            "stop-and-snapshot for container abc123: stop container abc123: connection refused"
        );
        assert_eq!(error.causes.len(), 2);
        assert_eq!(error.error_type, ActivityError::UNTYPED);
        assert!(!error.non_retryable);
    }

    #[test]
    fn context_keeps_what_governs_retries() {
        let error = ActivityError::non_retryable("Refused", "no")
            .with_details(&[1])
            .with_next_retry_delay(Duration::from_secs(3))
            .context("asking");
        assert_eq!(error.error_type, "Refused");
        assert!(error.non_retryable);
        assert_eq!(error.next_retry_delay, Some(Duration::from_secs(3)));
        assert_eq!(error.details.unwrap().parse::<Vec<u8>>(), Ok(vec![1]));
        assert_eq!(error.causes, [Cause { error_type: "Refused".to_owned(), message: "no".to_owned() }]);
    }

    #[test]
    fn details_without_a_json_form_do_not_hide_the_error() {
        let no_json = std::collections::BTreeMap::from([(vec![1], 1)]);
        let error = ActivityError::new("Refused", "no").with_details(&no_json);
        assert_eq!((error.error_type.as_str(), &error.details), ("Refused", &None));
        assert!(error.to_string().starts_with("no: the details of this error have no JSON form"), "{error}");
    }

    #[test]
    fn a_cancellation_is_known_under_its_context() {
        assert!(ActivityError::cancelled(CancelReason::Requested).context("copying").is_cancelled());
        assert!(!ActivityError::new("Io", "disk").is_cancelled());
    }

    #[test]
    fn pending_is_known_under_its_context_and_no_name_of_a_user_means_it() {
        assert!(ActivityError::pending().context("asking for approval").is_pending());
        assert!(!ActivityError::new("Pending", "the payment is pending").is_pending());
    }
}
