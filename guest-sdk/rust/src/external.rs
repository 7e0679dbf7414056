//! Other executions: what is sent to them.

use std::pin::Pin;
use std::task::{Context, Poll};

use serde::Serialize;

use crate::bindings::refrain::workflow::types;
use crate::failure::{Context as _, Failure};
use crate::inbox::{OnDrop, OpFuture};
use crate::{Execution, host, payload};

/// The current run of the execution with this id, whichever that is when something is sent to it.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let shelf = external("shelf-3");
/// shelf.signal("restock", "apples").await?;
/// shelf.cancel("closed for the winter").await?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn external(workflow_id: impl Into<String>) -> Execution {
    Execution { workflow_id: workflow_id.into(), run_id: None }
}

/// One run of an execution, and no other.
#[must_use]
pub fn external_run(workflow_id: impl Into<String>, run_id: impl Into<String>) -> Execution {
    Execution { workflow_id: workflow_id.into(), run_id: Some(run_id.into()) }
}

impl Execution {
    /// Sends it a signal, at the call; [`Signal::send_to`](crate::Signal::send_to) knows the signal's type.
    ///
    /// The future says when the signal is durable there, or why it cannot be: there is no such execution
    /// (`not-found`), or it has ended (`closed`).
    pub fn signal(&self, name: &str, input: &(impl Serialize + ?Sized)) -> Sent {
        let doing = || format!("signal `{name}` to {}", self.shown());
        let input = payload::encode(input).with_context(|| format!("input of {}", doing()));
        let op = input.map(|input| host::with(|host| host.signal_external(&self.to_wire(), name, &input)));
        Sent::new(op, doing())
    }

    /// Asks it to cancel itself, at the call.
    ///
    /// The future says when the request is durable there, which is not yet its end.
    pub fn cancel(&self, reason: &str) -> Sent {
        let op = host::with(|host| host.cancel_external(&self.to_wire(), reason));
        Sent::new(Ok(op), format!("cancel request to {}", self.shown()))
    }

    fn shown(&self) -> String {
        match &self.run_id {
            Some(run_id) => format!("run `{run_id}` of workflow `{}`", self.workflow_id),
            None => format!("workflow `{}`", self.workflow_id),
        }
    }

    fn to_wire(&self) -> types::Execution {
        types::Execution { workflow_id: self.workflow_id.clone(), run_id: self.run_id.clone() }
    }
}

/// Something sent to another execution. Dropping it takes nothing back: it gives up to hear whether it got there.
#[must_use = "dropping it gives up to hear whether it got there; `drop(..)` says so on purpose"]
pub struct Sent {
    doing: String,
    /// Without an op when the input could not be written as JSON.
    state: Result<OpFuture, Failure>,
}

impl Sent {
    fn new(op: Result<u64, Failure>, doing: String) -> Self {
        Self { doing, state: op.map(|op| OpFuture::new(op, OnDrop::Detach)) }
    }
}

impl Future for Sent {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &mut this.state {
            Ok(op) => Pin::new(op).poll(cx).map(|outcome| {
                outcome.map(drop).map_err(|failure| Failure::from_wire(failure).context(&this.doing))
            }),
            Err(failure) => Poll::Ready(Err(failure.clone())),
        }
    }
}
