//! What callers of the runtime are told when it refuses.

use refrain_engine::codec::DecodeError;
use refrain_engine::failure::Failure;
use refrain_engine::ids::{InvalidName, RunId};
use refrain_engine::journal::Started;
use refrain_engine::run::{NOT_HANDLED, NOT_SERVED, TRIED_TO_CHANGE};

use refrain_store::schema::RunStatus;
use refrain_store::{CommitError, StoreError};

use crate::queues::QueueFull;
use crate::rows::Unreadable;
use crate::version_types::Verdict;

/// Why the runtime refused. Each has a [`hint`](Self::hint).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The execution has a run that has not ended.
    #[error("workflow {id:?} is running already (run {run_id})")]
    AlreadyRunning {
        /// The execution.
        id: String,
        /// Its current run.
        run_id: RunId,
    },
    /// The execution has a run that has ended, and the start's id reuse policy does not allow another.
    #[error("workflow {id:?} has run already: run {run_id} is {}", status.as_str())]
    AlreadyRan {
        /// The execution.
        id: String,
        /// Its latest run.
        run_id: RunId,
        /// How that ended.
        status: RunStatus,
    },
    /// Several components define the workflow.
    #[error("workflow type {workflow:?} is defined by several components: {}", components.join(", "))]
    Ambiguous {
        /// The type.
        workflow: String,
        /// The components.
        components: Vec<String>,
    },
    /// No component defines the workflow.
    #[error("no component defines workflow type {workflow:?}{}", known_types(known))]
    UnknownWorkflow {
        /// The type.
        workflow: String,
        /// The types that there are.
        known: Vec<String>,
    },
    /// The run has ended.
    #[error("workflow {id:?} has ended: run {run_id} is {}", status.as_str())]
    Closed {
        /// The execution.
        id: String,
        /// The run.
        run_id: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// The run has not ended, and only what has can be deleted.
    #[error("workflow {id:?} has not ended: run {run_id} is {}", status.as_str())]
    NotClosed {
        /// The execution.
        id: String,
        /// The run.
        run_id: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// Runs that have not ended need the version.
    #[error("{runs} open {} pinned to version {version} of component {component:?}", if *runs == 1 { "run is" } else { "runs are" })]
    VersionInUse {
        /// The component.
        component: String,
        /// The version.
        version: u32,
        /// How many runs.
        runs: u64,
    },
    /// New runs get the version.
    #[error("version {version} of component {component:?} is its current one, which new runs get")]
    CurrentVersion {
        /// The component.
        component: String,
        /// The version.
        version: u32,
    },
    /// A run cannot be moved, because the other code would not replay it.
    #[error("workflow {id:?} (run {run_id}) stays as it is: {}", verdict)]
    Diverges {
        /// The execution.
        id: String,
        /// The run.
        run_id: RunId,
        /// How its replay ended.
        verdict: Box<Verdict>,
    },
    /// There is no move that could be undone.
    #[error("workflow {id:?} (run {run_id}) has no move to undo: {reason}")]
    NothingToUndo {
        /// The execution.
        id: String,
        /// The run.
        run_id: RunId,
        /// Why.
        reason: &'static str,
    },
    /// A value is not acceptable.
    #[error("{field} {message}")]
    Invalid {
        /// Which value.
        field: String,
        /// What is wrong with it, and the remedy.
        message: String,
    },
    /// A value is too large.
    #[error("{what} has {bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// Which value.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Too much waits already.
    #[error("workflow {id:?} has {waiting} undelivered messages, and its mailbox has no room for this one")]
    Busy {
        /// The execution.
        id: String,
        /// How many wait.
        waiting: u64,
    },
    /// A report or a heartbeat of an attempt that nobody waits for any more.
    #[error("the task of activity {activity} is stale: {reason}")]
    Stale {
        /// The activity's id in its run.
        activity: refrain_engine::ids::Op,
        /// Why nobody waits for it.
        reason: String,
    },
    /// The attempt is about to change: what came too early or too late is to be sent again.
    #[error("activity {activity} is about to change")]
    Changing {
        /// The activity's id in its run.
        activity: refrain_engine::ids::Op,
    },
    /// A task queue has no room.
    #[error("task queue {queue:?} has {waiting} tasks waiting, which is all that it holds")]
    QueueFull {
        /// The task queue.
        queue: String,
        /// How many tasks wait.
        waiting: u64,
    },
    /// A query has failed. The failure's type says how: `not-served`, `not-handled`, `query-tried-to-change`,
    /// `query-failed`, or what the workflow's code says.
    #[error("the query failed: {failure}")]
    Query {
        /// Why.
        failure: Box<Failure>,
    },
    /// It cannot be done just now, through no fault of who asked.
    #[error("{what}")]
    NotNow {
        /// What is in the way.
        what: String,
    },
    /// A query was not asked, because too much else is to be done first.
    #[error("{what}")]
    QueryBusy {
        /// What is to be done first.
        what: String,
    },
    /// A run takes no more updates for now.
    #[error("{what}")]
    UpdateBusy {
        /// What there is too much of.
        what: String,
    },
    /// Too many components' open runs are being checked or moved.
    #[error(
        "the open runs of {limit} components are being checked or moved, which is all that a host does at once"
    )]
    SweepBusy {
        /// How many a host takes at once.
        limit: usize,
    },
    /// The disk is nearly full.
    #[error("the host's disk is nearly full, and what is left is kept for running work")]
    Full,
    /// The host is stopping.
    #[error("the host is shutting down")]
    ShuttingDown,
    /// The host's store has failed.
    #[error("the host's store has failed: {0}")]
    Poisoned(String),
    /// A mistake of the host.
    #[error("the host failed: {0}")]
    Internal(String),
}

/// The kinds of [`Error`], for maps to status and exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such thing.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// The request is wrong.
    Invalid,
    /// The request is too large.
    TooLarge,
    /// Nobody waits for it any more.
    Stale,
    /// Not now.
    Busy,
    /// Not now: a task queue has no room.
    QueueFull,
    /// A query failed.
    Query,
    /// No room.
    Full,
    /// The host cannot serve.
    Unavailable,
    /// The host made a mistake.
    Internal,
}

impl Error {
    /// The error of who addresses a run that stands so, if it has ended.
    pub(crate) fn closed(started: &Started, status: RunStatus) -> Option<Self> {
        let id = started.workflow_id.to_string();
        status.is_closed().then_some(Self::Closed { id, run_id: started.run_id, status })
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::UnknownWorkflow { .. } => ErrorKind::NotFound,
            Self::AlreadyRunning { .. }
            | Self::AlreadyRan { .. }
            | Self::Ambiguous { .. }
            | Self::NotClosed { .. }
            | Self::VersionInUse { .. }
            | Self::CurrentVersion { .. }
            | Self::NothingToUndo { .. }
            | Self::Diverges { .. }
            | Self::Closed { .. } => ErrorKind::Conflict,
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Stale { .. } => ErrorKind::Stale,
            Self::Busy { .. }
            | Self::NotNow { .. }
            | Self::QueryBusy { .. }
            | Self::UpdateBusy { .. }
            | Self::SweepBusy { .. } => ErrorKind::Busy,
            Self::Query { .. } => ErrorKind::Query,
            Self::QueueFull { .. } => ErrorKind::QueueFull,
            Self::Full => ErrorKind::Full,
            Self::ShuttingDown | Self::Changing { .. } | Self::Poisoned(_) => ErrorKind::Unavailable,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// What the caller can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "check the spelling and the namespace, or list what there is",
            Self::AlreadyRunning { .. } => {
                "choose another id, wait for the run's end, or say with id_conflict_policy what becomes of it; to repeat a start safely give it a request_id"
            }
            Self::AlreadyRan { .. } => {
                "choose another id, or allow that this one is used again with id_reuse_policy"
            }
            Self::Ambiguous { .. } => "say which with `component`",
            Self::UnknownWorkflow { .. } => "upload a component that defines it, or check the spelling",
            Self::Closed { .. } => "start the workflow again under this id, or address another run",
            Self::VersionInUse { .. } => {
                "wait for their end, or move them: `refrain component check` lists them and says whether another version would replay them, and `refrain component move` moves those that it would"
            }
            Self::CurrentVersion { .. } => {
                "make another version the current one first: upload one, or `refrain component activate`"
            }
            Self::Diverges { verdict, .. } if matches!(**verdict, Verdict::Unavailable(_)) => "try again",
            Self::Diverges { .. } => {
                "keep the calls that the journal has in the code, with `version` or `patched` where it changes, and try a version of that"
            }
            Self::NothingToUndo { .. } => "move it to the version that it is to have",
            Self::NotClosed { .. } => "terminate it first, or wait for its end",
            Self::Invalid { .. } => "correct the value and send the request again",
            Self::TooLarge { .. } => "keep large values in a file or an object store and pass a reference",
            Self::Busy { .. } => "send more slowly: try again when the run has taken some of them",
            Self::Stale { .. } => "stop the attempt and report nothing more of it",
            Self::QueueFull { .. } => {
                "start more workers for the task queue, or raise its limits: try again when some tasks have begun"
            }
            Self::Query { failure } => query_hint(failure),
            Self::NotNow { .. } => "try again",
            Self::QueryBusy { .. } => "try again; `consistency` stale asks without waiting for the run",
            Self::UpdateBusy { .. } => "send more slowly: try again when some of them have their answers",
            Self::SweepBusy { .. } => "try again when one of them is through",
            Self::Full => "free some disk space on the host",
            Self::Changing { .. } => "send it again",
            Self::ShuttingDown => "try again when the host is back",
            Self::Poisoned(_) => {
                "the host exits, and recovers from its data directory when it is started again"
            }
            Self::Internal(_) => "this is a bug of Refrain: please report it with the host's log",
        }
    }
}

fn query_hint(failure: &Failure) -> &'static str {
    match failure.error_type.as_str() {
        NOT_SERVED => "ask again when the run waits for messages, or about an earlier event with `at`",
        NOT_HANDLED => "let the workflow answer each query that a wait delivers",
        TRIED_TO_CHANGE => "let the workflow's handler read what the workflow knows, and start nothing",
        _ => "the failure says what the workflow's code made of it; check the query's name and input",
    }
}

fn known_types(known: &[String]) -> String {
    if known.is_empty() {
        ": no component is uploaded".to_owned()
    } else {
        format!(": known are {}", known.join(", "))
    }
}

impl From<Unreadable> for Error {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Store(error) => error.into(),
            Unreadable::Damaged(error) => error.into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Poisoned(reason) => Self::Poisoned(reason),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Full { .. } => Self::Full,
            CommitError::Poisoned(reason) => Self::Poisoned(reason),
            CommitError::Closed => Self::ShuttingDown,
            CommitError::TooLarge { bytes, limit } => Self::TooLarge { what: "the request", bytes, limit },
            conflict @ CommitError::Conflict { .. } => Self::Internal(conflict.to_string()),
        }
    }
}

impl From<QueueFull> for Error {
    fn from(QueueFull { queue, waiting }: QueueFull) -> Self {
        Self::QueueFull { queue, waiting }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        Self::Invalid { field: error.what.to_owned(), message: error.reason }
    }
}
