//! The seam between Refrain and what keeps its data.
//!
//! [`Store`] assumes neither a single process nor a local disk: it offers no locks, no transactions that stay open and
//! no in-process notifications. What two writers must not do at once they exclude with preconditions.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::BoxFuture;

use crate::batch::{Batch, Precondition, Table};

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// An ordered key-value store with atomic, conditional commits. The crate's page says what every implementation promises.
pub trait Store: Send + Sync + 'static {
    /// Makes the batch's changes if its preconditions hold.
    ///
    /// The batch is submitted by the call itself, not by the first poll of what it returns: of two calls, the earlier
    /// one is decided first, and dropping the future withdraws nothing. The future resolves when the changes are
    /// durable or refused. The call may write to the disk before it returns (a few hundred microseconds on a good one).
    fn commit(&self, batch: Batch) -> Commit;

    /// The key's value.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The rows whose keys are in `from..to` (compared as bytes, `to` excluded), at most `limit` of them, all as they
    /// were at one moment. No rows if `from` is not below `to`.
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Whether the store takes commits.
    fn health(&self) -> Health;

    /// Ends the store in good order: what was submitted is decided, later commits are refused with
    /// [`CommitError::Closed`], and opening it again finds nothing left to do. Blocks the calling thread meanwhile.
    /// Reads still work. A store that is dropped without this loses nothing either; it only opens more slowly.
    fn close(&self) -> Result<(), StoreError>;
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn commit(&self, batch: Batch) -> Commit {
        (**self).commit(batch)
    }
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        (**self).get(table, key)
    }
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        (**self).range(table, from, to, order, limit)
    }
    fn health(&self) -> Health {
        (**self).health()
    }
    fn close(&self) -> Result<(), StoreError> {
        (**self).close()
    }
}

/// The direction of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest key first.
    Ascending,
    /// The largest key first.
    Descending,
}

/// Whether a store takes commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ok,
    /// It takes batches of the class `Completion` alone, since the disk is nearly full.
    Full,
    /// It takes none any more, for this reason, until it is opened again.
    Poisoned(String),
    /// It was closed.
    Closed,
}

/// Why a batch was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A precondition does not hold. Nothing was changed.
    #[error("precondition {index} does not hold: {precondition}")]
    Conflict {
        /// Its position in [`Batch::preconditions`].
        index: usize,
        /// The precondition itself.
        precondition: Precondition,
    },
    /// The disk is nearly full and what is left is kept for work that is already running. Nothing was changed.
    #[error(
        "the disk is nearly full: {free} bytes are free and {reserve} are kept for running work; free some space"
    )]
    Full {
        /// Bytes that are free on the file system of the data directory.
        free: u64,
        /// Bytes that new work may not use.
        reserve: u64,
    },
    /// The batch is larger than any batch may be. Nothing was changed.
    #[error("a batch of {bytes} bytes is over the limit of {limit} bytes; split it")]
    TooLarge {
        /// The size of its keys and values.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An earlier write failed, so nobody knows what is on the disk until the store is opened again. Whether this batch
    /// was committed is unknown too.
    #[error("the store takes no more commits until it is opened again: {0}")]
    Poisoned(String),
    /// The store was closed. Nothing was changed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data directory.
    #[error(
        "the data directory {} is in use by {}; stop that process or choose another directory",
        dir.display(),
        holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process that has it, if it said so.
        holder: Option<u32>,
    },
    /// A newer Refrain wrote this data.
    #[error("format version {found} is newer than this refrain reads ({supported}): use a newer refrain")]
    NewerFormat {
        /// The version of the data.
        found: u64,
        /// The newest version that this build reads.
        supported: u64,
    },
    /// The data is not what was written.
    #[error("{what} is damaged: {detail}; restore the data directory from a backup")]
    Damaged {
        /// What is damaged.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, and on what.
        what: String,
        /// Its answer.
        source: std::io::Error,
    },
    /// The embedded database refused.
    #[error("{what}: {source}")]
    Database {
        /// What was tried.
        what: String,
        /// Its answer.
        source: Box<redb::Error>,
    },
    /// An earlier write failed; see [`CommitError::Poisoned`].
    #[error("the store does not answer until it is opened again: {0}")]
    Poisoned(String),
}

impl StoreError {
    pub(crate) fn io(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_string();
        move |source| StoreError::Io { what, source }
    }

    pub(crate) fn damaged(what: impl fmt::Display, detail: impl fmt::Display) -> Self {
        StoreError::Damaged { what: what.to_string(), detail: detail.to_string() }
    }
}

/// The outcome of a commit, once it is known.
#[must_use = "a commit is durable only once this has resolved"]
pub struct Commit(State);

enum State {
    Known(Option<Result<(), CommitError>>),
    Asked(oneshot::Receiver<Result<(), CommitError>>),
    Later(BoxFuture<'static, Result<(), CommitError>>),
}

/// The other end of a [`Commit`], for whoever decides it.
pub struct Answer(oneshot::Sender<Result<(), CommitError>>);

impl Answer {
    /// Resolves the commit. Nobody need be waiting for it any more.
    pub fn send(self, outcome: Result<(), CommitError>) {
        let _nobody_waits = self.0.send(outcome);
    }
}

impl Commit {
    /// A commit that is already decided.
    pub fn known(outcome: Result<(), CommitError>) -> Self {
        Self(State::Known(Some(outcome)))
    }

    /// A commit that is decided by whoever holds the [`Answer`]. If that is dropped, the outcome is unknown.
    pub fn pending() -> (Answer, Self) {
        let (sender, receiver) = oneshot::channel();
        (Answer(sender), Self(State::Asked(receiver)))
    }

    /// A commit that is decided when this future resolves. The future must make progress without being polled.
    pub fn later(outcome: impl Future<Output = Result<(), CommitError>> + Send + 'static) -> Self {
        Self(State::Later(Box::pin(outcome)))
    }

    /// Blocks the calling thread until the commit is decided: for tools, tests and threads of their own.
    pub fn wait(self) -> Result<(), CommitError> {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut commit = pin!(self);
        loop {
            match commit.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Commit {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let unknown = |what: &str| Err(CommitError::Poisoned(what.to_owned()));
        match &mut self.0 {
            State::Known(outcome) => {
                Poll::Ready(outcome.take().unwrap_or_else(|| unknown("the outcome was already taken")))
            }
            State::Asked(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|sent| sent.unwrap_or_else(|_| unknown("it ended before it decided the commit"))),
            State::Later(outcome) => outcome.as_mut().poll(context),
        }
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Known(outcome) => f.debug_tuple("Commit").field(outcome).finish(),
            State::Asked(_) | State::Later(_) => f.write_str("Commit(..)"),
        }
    }
}
