//! What an attempt's end is on the wire, and how it gets there.

use std::future::Future;
use std::time::Duration;

use backon::Retryable;
use bytes::Bytes;
use refrain_plugin::{ActivityError, CancelReason, Payload};
use tokio::time::Instant;

use crate::attempt::End;
use crate::client::{CallError, Client, to_json};
use crate::poller::RETRIES;
use crate::wire::{CompleteRequest, DetailsRequest, FailRequest};

/// The failure type of an attempt that panicked, as in the host.
const PANICKED: &str = "Panicked";
/// The failure type of an attempt that the worker's end cut short.
const WORKER_SHUTDOWN: &str = "WorkerShutdown";
/// The failure type of a result that the host does not take.
const RESULT_REFUSED: &str = "ResultRefused";
/// Characters of its message that a failure keeps when the host does not take all of it.
const KEPT_MESSAGE: usize = 1000;

/// How an attempt ended, in the terms of the host's API.
#[derive(Debug)]
pub(crate) enum Report {
    Completed(Payload),
    Failed(ActivityError),
    /// It stopped because the workflow asked it to.
    Canceled(Option<Payload>),
    /// Somebody else will end it.
    Pending,
}

impl Report {
    /// The report of an attempt that ended so, and was told to stop for this reason.
    pub(crate) fn of(end: End, told: Option<CancelReason>) -> Report {
        let error = match end {
            End::Returned(Ok(result)) => return Report::Completed(result),
            End::Returned(Err(error)) => error,
            End::Panicked(message) => {
                ActivityError::new(PANICKED, format!("the activity panicked: {message}"))
            }
            End::Abandoned => return Report::shutdown("the activity did not stop when it was told to"),
        };
        match told {
            _ if error.is_pending() => Report::Pending,
            Some(CancelReason::Requested | CancelReason::Paused | CancelReason::Reset)
                if error.is_cancelled() =>
            {
                Report::Canceled(error.details.map(|details| *details))
            }
            Some(CancelReason::Shutdown) if error.is_cancelled() => {
                Report::shutdown("the activity stopped as it was told to")
            }
            _ => Report::Failed(error),
        }
    }

    /// An attempt that the workflow is not to blame for, nor the activity: another one follows if one is left.
    fn shutdown(how: &str) -> Report {
        let message = format!("the worker stopped before the attempt was done; {how}");
        Report::Failed(ActivityError::new(WORKER_SHUTDOWN, message).with_benign())
    }

    /// The route that takes it.
    fn verb(&self) -> &'static str {
        match self {
            Report::Completed(_) => "complete",
            Report::Failed(_) => "fail",
            Report::Canceled(_) => "cancel",
            Report::Pending => "pending",
        }
    }

    fn body(&self, token: &str) -> Result<Bytes, CallError> {
        match self {
            Report::Completed(result) => to_json(&CompleteRequest::new(token, result)),
            Report::Failed(error) => to_json(&FailRequest::new(token, error)),
            Report::Canceled(details) => to_json(&DetailsRequest::new(token, details.as_ref())),
            Report::Pending => to_json(&DetailsRequest::new(token, None)),
        }
    }

    /// What can be reported in place of what the host does not take; `None` if there is nothing less.
    fn without_what_does_not_fit(self, refusal: &str) -> Option<Report> {
        match self {
            // Another attempt would come to the same result.
            Report::Completed(result) => {
                let message = format!(
                    "the activity was done, but the host does not take its result ({} bytes of {}): {refusal}",
                    result.data.len(),
                    result.content_type
                );
                Some(Report::Failed(ActivityError::non_retryable(RESULT_REFUSED, message)))
            }
            Report::Failed(error) => {
                let is_bare = error.details.is_none()
                    && error.causes.is_empty()
                    && error.next_retry_delay.is_none()
                    && error.message.chars().nth(KEPT_MESSAGE).is_none();
                let bare = ActivityError {
                    message: error.message.chars().take(KEPT_MESSAGE).collect(),
                    details: None,
                    next_retry_delay: None,
                    causes: Vec::new(),
                    ..error
                };
                (!is_bare).then_some(Report::Failed(bare))
            }
            Report::Canceled(Some(_)) => Some(Report::Canceled(None)),
            Report::Canceled(None) | Report::Pending => None,
        }
    }
}

/// Tells the host, until it has it for good, does not want it, or `until` is over.
pub(crate) async fn deliver(client: &Client, token: &str, mut report: Report, until: Instant) {
    loop {
        let verb = report.verb();
        let delivered = match report.body(token) {
            Ok(body) => repeat(until, || client.report(verb, body.clone())).await,
            Err(error) => Err(error),
        };
        match delivered {
            Ok(()) => return,
            // Also the answer to a report that arrived before, when its answer did not.
            Err(CallError::Stale { reason }) => {
                return tracing::info!(reason, verb, "the host has no use for the attempt's report");
            }
            Err(CallError::Unfit { detail, hint, .. }) => {
                tracing::warn!(detail, verb, "the host does not take the attempt's report");
                match report.without_what_does_not_fit(&format!("{detail}: {hint}")) {
                    Some(lesser) => report = lesser,
                    None => return tracing::error!(detail, verb, "the attempt's end cannot be reported"),
                }
            }
            Err(error) => {
                return tracing::error!(%error, verb, "the host was not told how the attempt ended");
            }
        }
    }
}

/// Sends a request about an attempt again and again, until it is answered or `until` is over. A host that refuses the
/// worker is asked again too: hours of work are not thrown away because a key was changed in the wrong order.
pub(crate) async fn repeat<T, Fut>(until: Instant, send: impl FnMut() -> Fut) -> Result<T, CallError>
where
    Fut: Future<Output = Result<T, CallError>>,
{
    let mut is_told = false;
    send.retry(RETRIES)
        .when(|error| !matches!(error, CallError::Stale { .. } | CallError::Unfit { .. }))
        .adjust(|error, delay| {
            let delay = error.pause(delay.unwrap_or(Duration::ZERO));
            (Instant::now() + delay < until).then_some(delay)
        })
        .notify(|error, delay| {
            // That the host does not answer is told elsewhere; that it refuses is told once.
            if error.is_passing() || std::mem::replace(&mut is_told, true) {
                tracing::debug!(%error, ?delay, "a report did not get through; it is repeated");
            } else {
                tracing::warn!(%error, "the host refuses a report; it is repeated until it is taken");
            }
        })
        .await
}
