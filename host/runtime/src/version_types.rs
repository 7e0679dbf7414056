//! What callers give and get about the versions that runs are executed by.

use std::collections::BTreeSet;
use std::fmt;

use refrain_engine::ids::{Digest, RunId, WorkflowId};
use refrain_engine::journal::Code;
use refrain_store::schema::{RunStatus, StoredMismatch};

use crate::error::Error;

/// What came of replaying a run's journal with other code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It made every call that the journal has.
    Identical,
    /// It made the same commands and asked for the same markers; what it read was not all the same.
    Compatible,
    /// It made another call than the journal has.
    Diverged(Box<StoredMismatch>),
    /// It trapped where the recorded code went on.
    Trapped {
        /// What the trap says.
        message: String,
        /// The call that the journal has there.
        mismatch: Option<Box<StoredMismatch>>,
    },
    /// It computed longer than a replay may.
    Budget(String),
    /// It could not be tried, through no fault of the code.
    Unavailable(String),
    /// The run ended before it could be told. It needs no code any more.
    Ended,
}

impl Verdict {
    /// The name in APIs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Compatible => "compatible",
            Self::Diverged(_) => "diverged",
            Self::Trapped { .. } => "trapped",
            Self::Budget(_) => "budget",
            Self::Unavailable(_) => "unavailable",
            Self::Ended => "ended",
        }
    }

    /// Whether the run could go on with the code.
    pub fn would_replay(&self) -> bool {
        match self {
            Self::Identical | Self::Compatible => true,
            Self::Diverged(_)
            | Self::Trapped { .. }
            | Self::Budget(_)
            | Self::Unavailable(_)
            | Self::Ended => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identical => f.write_str("the other code makes the same calls"),
            Self::Compatible => f.write_str("the other code makes the same commands, and other reads"),
            Self::Diverged(mismatch) => {
                let StoredMismatch { position, recorded, attempted, differences, .. } = &**mismatch;
                write!(
                    f,
                    "the other code differs at {position}: recorded {recorded}, attempted {attempted}"
                )?;
                differences.iter().try_for_each(|(field, recorded, attempted)| {
                    write!(f, "; {field}: recorded {recorded}, attempted {attempted}")
                })
            }
            Self::Trapped { message, mismatch, .. } => {
                f.write_str("the other code traps")?;
                mismatch.iter().try_for_each(|at| write!(f, " at {}", at.position))?;
                write!(f, ": {message}")
            }
            Self::Budget(reason) => write!(f, "the other code computes too long: {reason}"),
            Self::Unavailable(reason) => write!(f, "the other code could not be tried: {reason}"),
            Self::Ended => f.write_str("it has ended"),
        }
    }
}

/// What came of trying code on a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How it replayed.
    pub verdict: Verdict,
    /// Where it stopped before the journal's end.
    pub place: Place,
}

impl From<Verdict> for Tried {
    /// A verdict about which nothing more is known.
    fn from(verdict: Verdict) -> Self {
        Self { verdict, place: Place::default() }
    }
}

/// A place in a journal and in the code that replays it, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The number of the event in the run's history.
    pub event: Option<u64>,
    /// The functions of the guest that were active, innermost first, with file and line where the code says them.
    pub backtrace: Vec<String>,
}

/// Which open runs of a component are meant. What is `None` or empty leaves nobody out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// So many of them at most, evenly over all that the rest selects.
    pub sample: Option<u64>,
    /// So many of a hundred. Who is among them is a matter of the run's id alone: those of a higher number are those
    /// of a lower one and more.
    pub percent: Option<u8>,
    /// These runs.
    pub runs: BTreeSet<RunId>,
    /// Those of this workflow type.
    pub workflow: Option<String>,
    /// Those that this version executes.
    pub from_version: Option<u32>,
}

/// The code that open runs are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// Code that is no version. Whoever asks has stored it, and keeps it until the check is over.
    Candidate {
        /// Which.
        digest: Digest,
        /// The workflow types that it defines.
        workflows: BTreeSet<String>,
    },
    /// A version of the component.
    Version(u32),
}

/// Where a run is moved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveTo {
    /// This version of its component.
    Version(u32),
    /// The newest version of its component with this code.
    Code(Digest),
    /// The code before the latest move, if nothing was recorded since.
    Back,
}

/// A run that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The run.
    pub run_id: RunId,
    /// What executes it now.
    pub code: Code,
    /// How it replayed.
    pub verdict: Verdict,
    /// False when that code executed it already, and nothing was recorded.
    pub moved: bool,
}

/// What became of one open run of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedRun {
    /// Its execution.
    pub workflow_id: WorkflowId,
    /// The run.
    pub run_id: RunId,
    /// Its type.
    pub workflow: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The version that executed it when it was looked at.
    pub version: u32,
    /// The records of its journal.
    pub steps: u64,
    /// How it replayed. A run that was to be moved was moved if it would replay.
    pub tried: Tried,
}

/// What is heard while the open runs of a component are checked or moved.
#[derive(Clone, Debug)]
pub enum SweepEvent {
    /// So many there are, and so many are looked at.
    Begun {
        /// Open runs of the component.
        open_runs: u64,
        /// Those that were selected.
        selected: u64,
    },
    /// One of them.
    Run(Box<JudgedRun>),
    /// All were looked at. Nothing follows.
    Done,
    /// It could not go on. Nothing follows.
    Failed(Error),
}
