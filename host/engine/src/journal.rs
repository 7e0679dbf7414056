//! The journal: the ordered record of a run, and the durable truth about it.
//!
//! A journal begins with one [`Started`] and goes on with [`Record`]s, one for each step. A step's record
//! holds what its opening wait delivered, the calls that the guest made, and how it ended. Entries are
//! numbered `step.index`. Only the run's owner writes the journal.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::call::{Command, Completion, Interest, Note, Read};
use crate::codec;
use crate::failure::Failure;
use crate::ids::{Digest, Namespace, RunId, WorkflowId};
use crate::lifecycle::Lifecycle;
use crate::mailbox::MailboxEntry;
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a run begins with. Immutable.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Started {
    /// The run's namespace.
    #[n(0)]
    pub namespace: Namespace,
    /// The execution that this is a run of.
    #[n(1)]
    pub workflow_id: WorkflowId,
    /// This run.
    #[n(2)]
    pub run_id: RunId,
    /// The first run of this chain of continue-as-new, retry and reset.
    #[n(3)]
    pub first_run_id: RunId,
    /// The run that this one continues.
    #[n(4)]
    pub continued_run_id: Option<RunId>,
    /// The workflow's type.
    #[n(5)]
    pub workflow: String,
    /// Its argument.
    #[n(6)]
    pub input: Payload,
    /// The name of the component, as it was when the run started.
    #[n(7)]
    pub component: String,
    /// The version of that name.
    #[n(8)]
    pub version: u32,
    /// The code.
    #[n(9)]
    pub digest: Digest,
    /// The number of the determinism profile: see [`crate::limits::Profile`].
    #[n(10)]
    pub profile: u32,
    /// Where activities go that name no queue.
    #[n(11)]
    pub task_queue: String,
    /// From 1; counts the attempts of the run's own retry policy.
    #[n(12)]
    pub attempt: u32,
    /// When the run started.
    #[n(13)]
    pub at: Timestamp,
    /// Seeds the run's random stream.
    #[cbor(n(14), with = "minicbor::bytes")]
    pub seed: [u8; 32],
    /// The run that started this one as its child.
    #[n(15)]
    pub parent: Option<ExecutionRef>,
    /// The top of the tree of parents.
    #[n(16)]
    pub root: Option<ExecutionRef>,
    /// The caller's key that makes a repeated start the same start.
    #[n(17)]
    pub request_id: Option<String>,
    /// Named values for people.
    #[n(18)]
    pub memo: Vec<(String, Payload)>,
    /// The boot of the host that accepted the start.
    #[n(19)]
    pub boot: u64,
    /// What bounds the run and its chain.
    #[cbor(n(20), skip_if = "codec::is_default")]
    pub lifecycle: Lifecycle,
}

/// An execution, or one run of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExecutionRef {
    /// The execution.
    #[n(0)]
    pub workflow_id: WorkflowId,
    /// The run; `None`: the current one.
    #[n(1)]
    pub run_id: Option<RunId>,
}

/// One durable batch of a journal.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Record {
    /// A step that the guest made.
    #[n(0)]
    Step(#[n(0)] Step),
    /// Someone ended the run from outside.
    #[n(1)]
    Terminated(#[n(0)] Terminated),
    /// The host ended the run, for example because its code trapped where traps fail the run.
    #[n(2)]
    Failed(#[n(0)] FailedByHost),
    /// The host ended the run because a timeout of it had passed.
    #[n(3)]
    TimedOut(#[n(0)] FailedByHost),
}

/// What the guest did between two waits, and what the first of them delivered.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Step {
    /// From 0, which begins before the instance exists.
    #[n(0)]
    pub number: u64,
    /// The time of the whole step.
    #[n(1)]
    pub time: Timestamp,
    /// The boot of the host that ran the step first; a change of it between two steps is a crash or a
    /// restart between them.
    #[n(2)]
    pub boot: u64,
    /// What the wait that opened the step delivered, in mailbox order. Empty in step 0.
    #[n(3)]
    pub delivered: Vec<MailboxEntry>,
    /// The calls.
    #[n(4)]
    pub entries: Vec<Entry>,
    /// The call that ended the step.
    #[n(5)]
    pub end: End,
}

/// A recorded call.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[expect(
    clippy::large_enum_variant,
    reason = "one step is in memory at a time, and commands are its ordinary entries"
)]
pub enum Entry {
    /// A command that did not end the step.
    #[n(0)]
    Command(#[n(0)] Command),
    /// Equal reads in a row.
    #[n(1)]
    Read {
        /// What was read.
        #[n(0)]
        read: Read,
        /// How often.
        #[n(1)]
        count: u64,
    },
    /// A note.
    #[n(2)]
    Note(#[n(0)] Note),
    /// A marker, with its answer.
    #[n(3)]
    Marker {
        /// The change.
        #[n(0)]
        id: String,
        /// The version that the run follows from here; 1 for `patched`.
        #[n(1)]
        version: u32,
    },
}

/// The command that ended a step.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum End {
    /// The guest waited.
    #[n(0)]
    Wait(#[n(0)] Interest),
    /// The run ended.
    #[n(1)]
    Finish(#[n(0)] Completion),
}

impl End {
    /// The end as the command it was.
    pub fn command(&self) -> Command {
        match self {
            Self::Wait(interest) => Command::Wait(interest.clone()),
            Self::Finish(completion) => Command::Finish(completion.clone()),
        }
    }
}

/// How a run was ended from outside.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Terminated {
    /// When.
    #[n(0)]
    pub time: Timestamp,
    /// The boot of the host that did it.
    #[n(1)]
    pub boot: u64,
    /// Why.
    #[n(2)]
    pub reason: String,
}

/// How the host ended a run.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct FailedByHost {
    /// When.
    #[n(0)]
    pub time: Timestamp,
    /// The boot of the host that did it.
    #[n(1)]
    pub boot: u64,
    /// Why.
    #[n(2)]
    pub failure: Failure,
}

/// The place of an entry: `step.index`. The index counts the step's calls from 0; its ending call has the
/// last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The step.
    pub step: u64,
    /// The entry within it.
    pub index: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.step, self.index)
    }
}
