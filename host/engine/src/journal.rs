//! The journal: the ordered record of a run, and the durable truth about it.
//!
//! A journal begins with one [`Started`] and goes on with [`Record`]s, one for each step. A step's record
//! holds what its opening wait delivered, the calls that the guest made, and how it ended. Entries are
//! numbered `step.index`. Only the run's owner writes the journal.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::call::{Command, Completion, Interest, Note, Read};
use crate::codec;
use crate::export::form;
use crate::failure::Failure;
use crate::ids::{Digest, Namespace, Op, RunId, WorkflowId};
use crate::lifecycle::Lifecycle;
use crate::mailbox::MailboxEntry;
use crate::payload::Payload;
use crate::time::Timestamp;

/// What a run begins with. Immutable.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(with = "form::bytes_32")]
    pub seed: [u8; 32],
    /// The run that started this one as its child.
    #[n(15)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExecutionRef>,
    /// The top of the tree of parents.
    #[n(16)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<ExecutionRef>,
    /// The caller's key that makes a repeated start the same start.
    #[n(17)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// The op of the parent that waits for this child's end.
    #[n(21)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_op: Option<Op>,
    /// The runs whose first steps this one's journal begins with, by step.
    #[cbor(n(22), skip_if = "Vec::is_empty", default)]
    pub forks: Vec<Fork>,
    /// What the code finds around it by the means of its language.
    #[cbor(n(23), skip_if = "codec::is_default")]
    #[serde(default, skip_serializing_if = "codec::is_default")]
    pub surroundings: Surroundings,
}

/// What a program finds around it, as its component was configured when the run started: so it is the same on each
/// replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surroundings {
    /// Environment variables, by name.
    #[n(0)]
    pub environment: Vec<(String, String)>,
    /// Arguments, without the program's own name.
    #[n(1)]
    pub arguments: Vec<String>,
}

/// A run whose steps before this one another run's journal begins with: a reset or a fork made it so. While
/// those steps are replayed the guest is told what that run was told, so that it makes the same calls. From this
/// step on the run is itself, with a random stream of its own.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// The first step that the other run did not make.
    #[n(0)]
    pub step: u64,
    /// Who made the steps before it.
    #[n(1)]
    pub of: Identity,
}

/// What a guest is told of its run that two runs never share.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The execution.
    #[n(0)]
    pub workflow_id: WorkflowId,
    /// The run.
    #[n(1)]
    pub run_id: RunId,
    /// The first run of its chain.
    #[n(2)]
    pub first_run_id: RunId,
    /// The run that it continued.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_run_id: Option<RunId>,
    /// From 1.
    #[n(4)]
    pub attempt: u32,
    /// When it started.
    #[n(5)]
    pub at: Timestamp,
    /// Seeds its random stream.
    #[cbor(n(6), with = "minicbor::bytes")]
    #[serde(with = "form::bytes_32")]
    pub seed: [u8; 32],
    /// The run that started it as its child.
    #[n(7)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExecutionRef>,
    /// The top of the tree of parents.
    #[n(8)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<ExecutionRef>,
    /// Where activities went that named no queue.
    #[n(9)]
    pub task_queue: String,
}

impl Started {
    /// The code that the run started with.
    pub fn code(&self) -> Code {
        Code { component: self.component.clone(), version: self.version, digest: self.digest }
    }

    /// Who makes this step.
    pub fn identity(&self, step: u64) -> Identity {
        match self.forks.iter().find(|fork| step < fork.step) {
            Some(fork) => fork.of.clone(),
            None => Identity {
                workflow_id: self.workflow_id.clone(),
                run_id: self.run_id,
                first_run_id: self.first_run_id,
                continued_run_id: self.continued_run_id,
                attempt: self.attempt,
                at: self.at,
                seed: self.seed,
                parent: self.parent.clone(),
                root: self.root.clone(),
                task_queue: self.task_queue.clone(),
            },
        }
    }

    /// The forks of a run whose journal begins with the steps of this one before `step`.
    pub fn forks_at(&self, step: u64) -> Vec<Fork> {
        let Some(last) = step.checked_sub(1) else { return Vec::new() };
        let earlier = self.forks.iter().filter(|fork| fork.step < step).cloned();
        earlier.chain([Fork { step, of: self.identity(last) }]).collect()
    }
}

/// An execution, or one run of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionRef {
    /// The execution.
    #[n(0)]
    pub workflow_id: WorkflowId,
    /// The run; `None`: the current one.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

impl ExecutionRef {
    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        self.workflow_id.as_str().len() + size_of::<RunId>()
    }
}

impl fmt::Display for ExecutionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.workflow_id)?;
        self.run_id.map_or(Ok(()), |run| write!(f, " (run {run})"))
    }
}

/// One durable batch of a journal.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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
    /// The host ended the run as canceled: it was asked to cancel itself, and takes no messages.
    #[n(5)]
    Canceled(#[n(0)] Terminated),
    /// Someone moved the run to other code, between two steps. The steps from here on were made by that.
    #[n(4)]
    Moved(#[n(0)] Moved),
}

/// What the guest did between two waits, and what the first of them delivered.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(
    clippy::large_enum_variant,
    reason = "one step is in memory at a time, and commands are its ordinary entries"
)]
pub enum Entry {
    /// A command that did not end the step.
    #[n(0)]
    #[serde(deserialize_with = "within::command_from_text")]
    Command(
        #[n(0)]
        #[cbor(decode_with = "within::command")]
        Command,
    ),
    /// Equal reads in a row.
    #[n(1)]
    Read {
        /// What was read.
        #[n(0)]
        read: Read,
        /// How often.
        #[cbor(n(1), decode_with = "within::count")]
        #[serde(deserialize_with = "within::count_from_text")]
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

/// What the type of an entry cannot say of it. Who reads a journal relies on it, so what is otherwise is refused where it
/// is decoded: it is damage, or somebody has written it by hand.
mod within {
    use minicbor::decode::Error;
    use minicbor::{Decode, Decoder};
    use serde::de::{Deserialize, Deserializer, Error as _};

    use crate::call::Command;

    const NO_END: &str = "a wait or a finish ends a step and is no entry of it";
    const NO_READ: &str = "a read is made at least once";

    fn is_end(command: &Command) -> bool {
        matches!(command, Command::Wait(_) | Command::Finish(_))
    }

    pub(super) fn command<C>(d: &mut Decoder<'_>, context: &mut C) -> Result<Command, Error> {
        let command = Command::decode(d, context)?;
        if is_end(&command) { Err(Error::message(NO_END)) } else { Ok(command) }
    }

    pub(super) fn command_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
        let command = Command::deserialize(deserializer)?;
        if is_end(&command) { Err(D::Error::custom(NO_END)) } else { Ok(command) }
    }

    pub(super) fn count<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<u64, Error> {
        let count = d.u64()?;
        if count == 0 { Err(Error::message(NO_READ)) } else { Ok(count) }
    }

    pub(super) fn count_from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let count = u64::deserialize(deserializer)?;
        if count == 0 { Err(D::Error::custom(NO_READ)) } else { Ok(count) }
    }
}

/// The command that ended a step.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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

/// How a run was ended by someone's word from outside.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// How a run came to other code.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// When.
    #[n(0)]
    pub time: Timestamp,
    /// The boot of the host that did it.
    #[n(1)]
    pub boot: u64,
    /// The code.
    #[n(2)]
    pub code: Code,
    /// Why.
    #[n(3)]
    pub reason: String,
}

/// A version of a component: what a run is executed by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The component's name.
    #[n(0)]
    pub component: String,
    /// The version of that name.
    #[n(1)]
    pub version: u32,
    /// The code itself.
    #[n(2)]
    pub digest: Digest,
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
