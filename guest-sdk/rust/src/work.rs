//! Activities and children: work that can be canceled, by hand, with the run, or with the scope that it was started
//! in.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::Failure;
use crate::bindings::refrain::workflow::types::Payload;
use crate::inbox::{OnDrop, OpFuture};
use crate::messages::{Canceled, canceled};
use crate::scope::{self, Membership};

/// Work that was started: polled for what became of it, detached when dropped.
pub(crate) struct Work {
    /// Without an op when it could not be started.
    state: Result<Started, Failure>,
    /// Listens for the run's cancel request until it has come, if it is to be passed on.
    run_canceled: Option<Canceled>,
}

struct Started {
    op: OpFuture,
    scope: Option<Membership>,
}

impl Work {
    /// The op of what was just started, or why it was not.
    pub(crate) fn new(with_run: bool, op: Result<u64, Failure>) -> Self {
        let state = op.map(|op| Started { op: OpFuture::new(op, OnDrop::Detach), scope: scope::join(op) });
        Self { state, run_canceled: with_run.then(canceled) }
    }

    pub(crate) fn cancel(&self, reason: &str) {
        if let Ok(started) = &self.state {
            started.op.cancel(reason);
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Payload, Failure>> {
        let started = match &mut self.state {
            Ok(started) => started,
            Err(failure) => return Poll::Ready(Err(failure.clone())),
        };
        // The outcome first: what has ended is not canceled.
        let outcome = Pin::new(&mut started.op).poll(cx);
        if let (Poll::Pending, Some(run_canceled)) = (&outcome, &mut self.run_canceled) {
            if let Poll::Ready(reason) = Pin::new(run_canceled).poll(cx) {
                self.run_canceled = None;
                started.op.cancel(&reason);
            }
        }
        let outcome = ready!(outcome);
        started.scope = None;
        Poll::Ready(outcome.map_err(Failure::from_wire))
    }
}
