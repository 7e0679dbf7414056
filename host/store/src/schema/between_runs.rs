//! The records of what runs want from each other, and of what others want from a run.

use minicbor::{Decode, Encode};
use refrain_engine::child::{ChildCancellation, IdReusePolicy, ParentClosePolicy};
use refrain_engine::failure::{Failure, Outcome};
use refrain_engine::ids::{Op, RunId, WorkflowId};
use refrain_engine::journal::{ExecutionRef, Started};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;

/// What is to be done for a run in another one. A row is there from the batch that implies it until what it wants
/// is done and the run that wants it knows.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is in memory at a time, and children are its ordinary case"
)]
pub enum OutboxRow {
    /// Begin a child.
    #[n(0)]
    StartChild {
        /// What it begins with.
        #[n(0)]
        started: Started,
        /// What a closed execution of its id means.
        #[n(1)]
        id_reuse: IdReusePolicy,
    },
    /// End a child, if it is there: its parent has ended or canceled it.
    #[n(1)]
    EndChild {
        /// The child.
        #[n(0)]
        workflow_id: WorkflowId,
        /// Its first run.
        #[n(1)]
        run_id: RunId,
        /// How.
        #[n(2)]
        how: EndChild,
        /// Why.
        #[n(3)]
        reason: String,
    },
    /// Tell the parent how the run, its child, has ended.
    #[n(2)]
    TellParent {
        /// The parent's run.
        #[n(0)]
        parent: RunId,
        /// The op that waits there.
        #[n(1)]
        op: Op,
        /// How it ended.
        #[n(2)]
        outcome: Outcome,
    },
    /// Send a signal.
    #[n(3)]
    Signal {
        /// Whose.
        #[n(0)]
        target: ExecutionRef,
        /// Which.
        #[n(1)]
        name: String,
        /// Its argument.
        #[n(2)]
        input: Payload,
    },
    /// Ask for a cancel.
    #[n(4)]
    RequestCancel {
        /// Whose.
        #[n(0)]
        target: ExecutionRef,
        /// Why.
        #[n(1)]
        reason: String,
    },
}

/// How a child is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum EndChild {
    /// It is terminated.
    #[n(0)]
    Terminate,
    /// It is asked to cancel itself.
    #[n(1)]
    RequestCancel,
}

/// A child that has not ended.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ChildRow {
    /// The child.
    #[n(0)]
    pub workflow_id: WorkflowId,
    /// Its first run.
    #[n(1)]
    pub run_id: RunId,
    /// Its type.
    #[n(2)]
    pub workflow: String,
    /// What becomes of it when the parent ends.
    #[n(3)]
    pub parent_close: ParentClosePolicy,
    /// What a cancel does.
    #[n(4)]
    pub cancellation: ChildCancellation,
    /// It exists, and the run has been told.
    #[n(5)]
    pub started: bool,
    /// Somebody waits for its end.
    #[n(6)]
    pub wanted: bool,
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct UpdateRow {
    /// Which.
    #[n(0)]
    pub name: String,
    /// How far it has come.
    #[n(1)]
    pub status: UpdateStatus,
    /// When it came.
    #[n(2)]
    pub at: Timestamp,
    /// The run that has it, or had it.
    #[n(3)]
    pub run: RunId,
}

/// How far an update has come.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum UpdateStatus {
    /// It lies in the run's mailbox.
    #[n(0)]
    Admitted,
    /// The workflow has let it in.
    #[n(1)]
    Accepted,
    /// The workflow has turned it down.
    #[n(2)]
    Rejected(#[n(0)] Failure),
    /// It has an answer.
    #[n(3)]
    Completed(#[n(0)] Outcome),
}
