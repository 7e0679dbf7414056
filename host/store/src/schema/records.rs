//! The records that are not the engine's own.

use bytes::{BufMut, Bytes, BytesMut};
use minicbor::{Decode, Encode};
use refrain_engine::activity::Pause;
use refrain_engine::codec::{self, DecodeError};
use refrain_engine::definition::WorkflowDefinition;
use refrain_engine::ids::{Digest, RunId, WorkflowId};
use refrain_engine::journal::Code;
use refrain_engine::mismatch::{Difference, Mismatch};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;

/// Where a run stands, for lists and for who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum RunStatus {
    /// It has not ended.
    #[n(1)]
    Running,
    /// It cannot go on until someone helps; its journal is untouched.
    #[n(2)]
    Parked,
    /// It ended with a result.
    #[n(3)]
    Completed,
    /// It ended with a failure.
    #[n(4)]
    Failed,
    /// It ended as the answer to a cancel request.
    #[n(5)]
    Canceled,
    /// Someone ended it.
    #[n(6)]
    Terminated,
    /// It ended by starting the next run of its execution.
    #[n(7)]
    ContinuedAsNew,
    /// A timeout of the run or of its execution ended it.
    #[n(8)]
    TimedOut,
    /// It has not ended, and makes no step until an operator lets it.
    #[n(9)]
    Paused,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 9] = [
        Self::Running,
        Self::Parked,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
        Self::ContinuedAsNew,
        Self::TimedOut,
        Self::Paused,
    ];

    /// The number in keys.
    pub fn number(self) -> u8 {
        match self {
            Self::Running => 1,
            Self::Parked => 2,
            Self::Completed => 3,
            Self::Failed => 4,
            Self::Canceled => 5,
            Self::Terminated => 6,
            Self::ContinuedAsNew => 7,
            Self::TimedOut => 8,
            Self::Paused => 9,
        }
    }

    /// The name in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Terminated => "terminated",
            Self::ContinuedAsNew => "continued-as-new",
            Self::TimedOut => "timed-out",
            Self::Paused => "paused",
        }
    }

    /// Whether the run has ended.
    pub fn is_closed(self) -> bool {
        match self {
            Self::Running | Self::Parked | Self::Paused => false,
            Self::Completed
            | Self::Failed
            | Self::Canceled
            | Self::Terminated
            | Self::ContinuedAsNew
            | Self::TimedOut => true,
        }
    }
}

/// What decides who may write a run: each commit of its owner raises `version`, each new owner puts its own
/// `fence`. The first 16 bytes of a stored head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadVersion {
    /// Counts the commits of the run.
    pub version: u64,
    /// The owner that made the last of them: the boot of its host.
    pub fence: u64,
}

/// Where a run stands. Changed by each commit of its owner, so it is small.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Head {
    /// For lists and for who waits.
    #[n(0)]
    pub status: RunStatus,
    /// The number of the next record of the journal.
    #[n(1)]
    pub records: u64,
    /// The number of the next arrival.
    #[n(2)]
    pub next_arrival: u64,
    /// How many arrivals lie in the mailbox table.
    #[n(3)]
    pub arrivals: u64,
    /// The journal's entries.
    #[n(4)]
    pub journal_entries: u64,
    /// The journal's bytes.
    #[n(5)]
    pub journal_bytes: u64,
    /// When the run ended.
    #[n(6)]
    pub closed_at: Option<Timestamp>,
    /// Why the run is parked.
    #[n(7)]
    pub parked: Option<Parked>,
    /// The run that follows this one in its execution.
    #[n(8)]
    pub continued_to: Option<RunId>,
    /// Someone asked the run to cancel itself.
    #[n(9)]
    pub cancel_requested: bool,
    /// How many of the arrivals are messages.
    #[n(10)]
    #[cbor(default)]
    pub messages: u64,
    /// The size of those messages, in bytes.
    #[n(11)]
    #[cbor(default)]
    pub message_bytes: u64,
    /// The run makes no step before this time, however much has arrived: a timer's row brings it about.
    #[n(12)]
    pub delayed_until: Option<Timestamp>,
    /// Since when an operator has the run paused, and why.
    #[n(13)]
    pub paused: Option<Pause>,
    /// The run is being deleted, and no one is told of it any more.
    #[n(14)]
    #[cbor(default)]
    pub deleting: bool,
    /// The code that executes the run, since someone moved it; `None`: that with which it started.
    #[n(15)]
    pub code: Option<Code>,
    /// The run that a reset made of this one. Its children, where it took them along, are that one's.
    #[n(16)]
    pub reset_to: Option<RunId>,
    /// How many children it has started that have not ended.
    #[n(17)]
    #[cbor(default)]
    pub children: u64,
    /// When the run is ended as canceled, as it was asked to cancel itself and has never taken messages.
    #[n(18)]
    pub cancel_due: Option<Timestamp>,
}

impl Head {
    /// Whether there is something to do for the run that nothing else brings about: its first step, or what
    /// has arrived.
    pub fn has_work(&self) -> bool {
        self.delayed_until.is_none() && (!self.has_begun() || self.arrivals > 0)
    }

    /// Whether the run has made a step. One that was only moved has a record, and none.
    pub fn has_begun(&self) -> bool {
        self.journal_entries > 0
    }

    /// Whether a boot is to wake the run.
    pub fn is_ready(&self) -> bool {
        self.status == RunStatus::Running && self.has_work()
    }
}

/// A head with what guards it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredHead {
    /// What guards it.
    pub version: HeadVersion,
    /// Where the run stands.
    pub head: Head,
}

impl HeadVersion {
    /// The bytes that a stored head of this version begins with.
    pub fn prefix(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(16);
        bytes.put_u64(self.version);
        bytes.put_u64(self.fence);
        bytes.freeze()
    }
}

impl StoredHead {
    /// The stored form.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::from(&self.version.prefix()[..]);
        bytes.extend_from_slice(&codec::encode(&self.head));
        bytes.freeze()
    }

    /// The head that these bytes are the stored form of.
    ///
    /// # Errors
    /// When they are not.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let number = |at: usize| {
            bytes.get(at..at + 8).map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().expect("8 bytes")))
        };
        let version = HeadVersion { version: number(0), fence: number(8) };
        let head = codec::decode("run's head", bytes.get(16..).unwrap_or_default())?;
        Ok(Self { version, head })
    }
}

/// Why a run is parked.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Parked {
    /// `trap`, `mismatch`, `limit`, `budget`, `component`, `journal` or `host-panic`.
    #[n(0)]
    pub kind: String,
    /// What happened, with the remedy.
    #[n(1)]
    pub message: String,
    /// Where in the guest's code, innermost first.
    #[n(2)]
    pub backtrace: Vec<String>,
    /// For a mismatch: the call.
    #[n(3)]
    pub mismatch: Option<StoredMismatch>,
    /// When.
    #[n(4)]
    pub at: Timestamp,
}

/// A mismatch, as it is kept with a parked run.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StoredMismatch {
    /// `step.index`.
    #[n(0)]
    pub position: String,
    /// What the journal has.
    #[n(1)]
    pub recorded: String,
    /// What the code did.
    #[n(2)]
    pub attempted: String,
    /// Field, recorded and attempted value.
    #[n(3)]
    pub differences: Vec<(String, String, String)>,
    /// Why that is likely.
    #[n(4)]
    pub likely_causes: Vec<String>,
}

impl From<&Mismatch> for StoredMismatch {
    fn from(mismatch: &Mismatch) -> Self {
        let difference = |d: &Difference| (d.field.to_owned(), d.recorded.clone(), d.attempted.clone());
        Self {
            position: mismatch.position.to_string(),
            recorded: mismatch.recorded.clone(),
            attempted: mismatch.attempted.clone(),
            differences: mismatch.differences.iter().map(difference).collect(),
            likely_causes: mismatch.likely_causes.iter().map(|&cause| cause.to_owned()).collect(),
        }
    }
}

/// Which run an execution has now.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct CurrentRun {
    /// The latest run, ended or not.
    #[n(0)]
    pub run: RunId,
}

/// A timer that has not fired.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct TimerRow {
    /// One line for people.
    #[n(0)]
    pub summary: Option<String>,
}

/// The newest heartbeat of an attempt that runs. Not a part of the journal, and written beside the activity's
/// own row so that a heartbeat does not write its input again.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct HeartbeatRow {
    /// The attempt, as [`Activity::starts`](refrain_engine::activity::Activity::starts) counts. A row of another
    /// attempt than the one that runs says nothing about it.
    #[n(0)]
    pub starts: u32,
    /// Its number, for people.
    #[n(1)]
    pub attempt: u32,
    /// When the heartbeat came.
    #[n(2)]
    pub at: Timestamp,
    /// What it carried.
    #[n(3)]
    pub details: Option<Payload>,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct VisibilityRow {
    /// Its execution.
    #[n(0)]
    pub workflow_id: WorkflowId,
    /// Its type.
    #[n(1)]
    pub workflow: String,
    /// Where it stands.
    #[n(2)]
    pub status: RunStatus,
    /// When it started.
    #[n(3)]
    pub started_at: Timestamp,
    /// When it ended.
    #[n(4)]
    pub closed_at: Option<Timestamp>,
}

/// A component's name.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ComponentName {
    /// The version that new runs get.
    #[n(0)]
    pub current: u32,
    /// The highest number that a version of it has had: no number is given twice, also when its version was deleted.
    /// Lower than a version's where it is absent.
    #[n(1)]
    #[cbor(default)]
    pub newest: u32,
}

/// One version of a component's name. Immutable.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ComponentVersion {
    /// The name.
    #[n(0)]
    pub name: String,
    /// From 1.
    #[n(1)]
    pub version: u32,
    /// The code.
    #[n(2)]
    pub digest: Digest,
    /// When it was uploaded.
    #[n(3)]
    pub uploaded_at: Timestamp,
    /// The size of what was uploaded.
    #[n(4)]
    pub uploaded_bytes: u64,
    /// Name and version of the SDK.
    #[n(5)]
    pub sdk: String,
    /// What the component imports.
    #[n(6)]
    pub imports: Vec<String>,
    /// What it defines.
    #[n(7)]
    pub workflows: Vec<WorkflowDefinition>,
}

impl ComponentVersion {
    /// The definition of a workflow type.
    pub fn workflow(&self, name: &str) -> Option<&WorkflowDefinition> {
        self.workflows.iter().find(|workflow| workflow.name == name)
    }

    /// Whether this version has the workflow type.
    pub fn defines(&self, name: &str) -> bool {
        self.workflow(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_of_the_time_before_delays_and_pauses_has_none() {
        let old = Head {
            status: RunStatus::Running,
            records: 3,
            next_arrival: 2,
            arrivals: 1,
            journal_entries: 4,
            journal_bytes: 5,
            closed_at: None,
            parked: None,
            continued_to: None,
            cancel_requested: false,
            messages: 1,
            message_bytes: 6,
            delayed_until: None,
            paused: None,
            deleting: false,
            code: None,
            reset_to: None,
            children: 0,
            cancel_due: None,
        };
        let format_2 = b"\x8c\x01\x03\x02\x01\x04\x05\xf6\xf6\xf6\xf4\x01\x06";
        assert_eq!(codec::decode::<Head>("head", format_2).expect("a head"), old);
    }

    #[test]
    fn a_component_of_the_time_before_deletions_has_given_no_number_that_is_gone() {
        let old = codec::decode::<ComponentName>("component", b"\x81\x07").expect("a component's name");
        assert_eq!(old, ComponentName { current: 7, newest: 0 });
    }

    #[test]
    fn a_run_that_was_moved_before_its_first_step_has_yet_to_make_it() {
        let format_2 = b"\x8c\x01\x01\x02\x00\x00\x00\xf6\xf6\xf6\xf4\x00\x00";
        let moved = codec::decode::<Head>("head", format_2).expect("a head");
        assert!((moved.records, moved.has_begun(), moved.is_ready()) == (1, false, true), "{moved:?}");
    }
}
