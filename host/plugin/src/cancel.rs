//! Telling an attempt to stop: one side belongs to the host, the other to the activity.
//!
//! Needs no async runtime, so that a plugin can wait for cancellation under any.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::channel::oneshot;
use futures::future::{FutureExt, Shared};

/// Why an attempt is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelReason {
    /// The workflow cancelled the activity, or ended.
    Requested,
    /// The attempt took longer than its timeouts allow; its outcome is no longer wanted.
    TimedOut,
    /// The process that runs the attempt is stopping, be it the host or a worker. The attempt counts, and
    /// another follows if one is left.
    Shutdown,
    /// An operator paused the activity. An attempt that stops is made again once the activity is unpaused; one
    /// that goes on to its end counts all the same.
    Paused,
    /// An operator reset the activity. An attempt that stops is followed at once by one with the number 1; one
    /// that goes on to its end counts all the same.
    Reset,
    /// Another attempt is current, or the activity or its run has ended: nobody hears what this one answers.
    Stale,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CancelReason::Requested => "cancellation was requested",
            CancelReason::TimedOut => "the attempt timed out",
            CancelReason::Shutdown => "the host or worker that runs it is stopping",
            CancelReason::Paused => "the activity was paused",
            CancelReason::Reset => "the activity was reset",
            CancelReason::Stale => "the attempt is no longer the current one",
        })
    }
}

/// The host's side: triggers the [`Cancellation`]s that it hands out. Dropping it cancels nothing.
#[derive(Debug)]
pub struct CancelSource {
    sender: Mutex<Option<oneshot::Sender<CancelReason>>>,
    cancellation: Cancellation,
}

impl CancelSource {
    /// A source that has not been triggered.
    pub fn new() -> CancelSource {
        let (sender, receiver) = oneshot::channel();
        let cancellation = Cancellation { reason: Arc::default(), signal: receiver.shared() };
        CancelSource { sender: Mutex::new(Some(sender)), cancellation }
    }

    /// The activity's side, for [`ContextParts::cancellation`](crate::ContextParts::cancellation).
    pub fn cancellation(&self) -> Cancellation {
        self.cancellation.clone()
    }

    /// Asks the attempt to stop. The first reason stands; later calls do nothing.
    pub fn cancel(&self, reason: CancelReason) {
        // Nothing panics while the lock is held, and the slot is sound at every moment.
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // The flag first: whoever is woken finds it set.
            let _ = self.cancellation.reason.set(reason);
            // A failed send says that nobody waits any more.
            let _ = sender.send(reason);
        }
    }
}

impl Default for CancelSource {
    fn default() -> Self {
        CancelSource::new()
    }
}

/// The activity's side of a [`CancelSource`].
#[derive(Clone)]
pub struct Cancellation {
    reason: Arc<OnceLock<CancelReason>>,
    signal: Shared<oneshot::Receiver<CancelReason>>,
}

impl Cancellation {
    /// A cancellation that never comes.
    pub fn never() -> Cancellation {
        CancelSource::new().cancellation()
    }

    /// The reason, once cancelled.
    pub fn reason(&self) -> Option<CancelReason> {
        self.reason.get().copied()
    }

    /// Waits until cancelled; for ever, if that does not happen.
    pub async fn cancelled(&self) -> CancelReason {
        match self.signal.clone().await {
            Ok(reason) => reason,
            // The source was dropped without being triggered.
            Err(oneshot::Canceled) => futures::future::pending().await,
        }
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation").field(&self.reason()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn every_waiter_is_woken_with_the_first_reason() {
        let source = CancelSource::new();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let cancellation = source.cancellation();
                std::thread::spawn(move || block_on(cancellation.cancelled()))
            })
            .collect();
        assert_eq!(source.cancellation().reason(), None);
        source.cancel(CancelReason::TimedOut);
        source.cancel(CancelReason::Shutdown);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), CancelReason::TimedOut);
        }
        assert_eq!(source.cancellation().reason(), Some(CancelReason::TimedOut));
    }

    #[test]
    fn waiting_after_the_fact_returns_at_once() {
        let source = CancelSource::new();
        source.cancel(CancelReason::Requested);
        assert_eq!(source.cancellation().cancelled().now_or_never(), Some(CancelReason::Requested));
    }

    #[test]
    fn dropping_the_source_cancels_nothing() {
        let cancellation = Cancellation::never();
        assert_eq!(cancellation.cancelled().now_or_never(), None);
        assert_eq!(cancellation.reason(), None);
    }
}
