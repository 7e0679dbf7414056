//! A run's durable inbox: what happened to it, numbered by arrival. Anyone may append; only the run's owner
//! takes out, by delivering to the guest.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind, Outcome};
use crate::ids::{Op, RunId, WorkflowId};
use crate::limits::ELEMENT_BYTES;
use crate::payload::Payload;
use crate::time::Timestamp;

/// One arrival.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxEntry {
    /// Its number in this run's mailbox, from 1.
    #[n(0)]
    pub number: u64,
    /// When it arrived, by the host's clock.
    #[n(1)]
    pub at: Timestamp,
    /// What arrived.
    #[n(2)]
    pub item: Item,
}

/// What can arrive in a mailbox.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Item {
    /// An activity ended, after its last attempt.
    #[n(0)]
    ActivityClosed {
        /// Which.
        #[n(0)]
        op: Op,
        /// How.
        #[n(1)]
        outcome: Outcome,
        /// The number of the last attempt, from 1; 0 when none was made.
        #[n(2)]
        attempt: u32,
        /// When the last attempt began.
        #[n(3)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started_at: Option<Timestamp>,
    },
    /// A timer reached its deadline.
    #[n(1)]
    TimerFired {
        /// Which.
        #[n(0)]
        op: Op,
        /// When it was due. The step that takes it is never earlier.
        #[n(1)]
        deadline: Timestamp,
    },
    /// An op ended because the run canceled it.
    #[n(2)]
    Canceled {
        /// Which.
        #[n(0)]
        op: Op,
        /// The reason that the run gave.
        #[n(1)]
        reason: String,
    },
    /// Someone sent a signal.
    #[n(3)]
    Signal {
        /// Which.
        #[n(0)]
        name: String,
        /// Its argument.
        #[n(1)]
        input: Payload,
    },
    /// Someone wants the run to end early.
    #[n(4)]
    CancelRequest {
        /// Why.
        #[n(0)]
        reason: String,
    },
    /// A child exists.
    #[n(5)]
    ChildStarted {
        /// The op of its start.
        #[n(0)]
        op: Op,
        /// Which.
        #[n(1)]
        workflow_id: WorkflowId,
        /// Its first run.
        #[n(2)]
        run_id: RunId,
    },
    /// A child could not be started.
    #[n(6)]
    ChildNotStarted {
        /// The op of its start.
        #[n(0)]
        op: Op,
        /// Why.
        #[n(1)]
        failure: Failure,
    },
    /// A child ended, after its last run, or could not be started.
    #[n(7)]
    ChildClosed {
        /// The op of its end.
        #[n(0)]
        op: Op,
        /// How.
        #[n(1)]
        outcome: Outcome,
    },
    /// A signal or a cancel request has reached another execution, or cannot.
    #[n(8)]
    Sent {
        /// Which.
        #[n(0)]
        op: Op,
        /// `null`, or why not.
        #[n(1)]
        outcome: Outcome,
    },
    /// Someone wants something done and waits for the answer.
    #[n(9)]
    Update {
        /// The caller's own id of it.
        #[n(0)]
        update_id: String,
        /// Which.
        #[n(1)]
        name: String,
        /// Its argument.
        #[n(2)]
        input: Payload,
    },
}

impl Item {
    /// The op whose end this is; `None` for messages.
    pub fn op(&self) -> Option<Op> {
        match self {
            Self::ActivityClosed { op, .. }
            | Self::TimerFired { op, .. }
            | Self::Canceled { op, .. }
            | Self::ChildStarted { op, .. }
            | Self::ChildNotStarted { op, .. }
            | Self::ChildClosed { op, .. }
            | Self::Sent { op, .. } => Some(*op),
            Self::Signal { .. } | Self::CancelRequest { .. } | Self::Update { .. } => None,
        }
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        let content = match self {
            Self::ActivityClosed { outcome, .. }
            | Self::ChildClosed { outcome, .. }
            | Self::Sent { outcome, .. } => outcome.size(),
            Self::TimerFired { .. } => 0,
            Self::ChildStarted { workflow_id, .. } => workflow_id.as_str().len(),
            Self::ChildNotStarted { failure, .. } => failure.size(),
            Self::Update { update_id, name, input } => update_id.len() + name.len() + input.size(),
            Self::Canceled { reason, .. } | Self::CancelRequest { reason } => reason.len(),
            Self::Signal { name, input } => name.len() + input.size(),
        };
        ELEMENT_BYTES + content
    }
}

impl MailboxEntry {
    /// What the guest sees of it.
    pub fn event(&self) -> Event {
        let finished = |op: &Op, outcome| Event::Finished { op: *op, outcome };
        match &self.item {
            Item::ActivityClosed { op, outcome, .. }
            | Item::ChildClosed { op, outcome }
            | Item::Sent { op, outcome } => finished(op, outcome.clone()),
            Item::TimerFired { op, .. } => finished(op, Outcome::Completed(Payload::null())),
            Item::Canceled { op, reason } => {
                let failure = Failure::new(FailureKind::Canceled, "canceled", reason.clone());
                finished(op, Outcome::Failed(failure))
            }
            Item::ChildStarted { op, workflow_id, run_id } => {
                finished(op, Outcome::Completed(execution_json(workflow_id, *run_id)))
            }
            Item::ChildNotStarted { op, failure } => finished(op, Outcome::Failed(failure.clone())),
            Item::Signal { name, input } => Event::Signal { name: name.clone(), input: input.clone() },
            Item::CancelRequest { reason } => Event::CancelRequested { reason: reason.clone() },
            Item::Update { update_id, name, input } => Event::Update {
                request: self.number,
                update_id: update_id.clone(),
                name: name.clone(),
                input: input.clone(),
            },
        }
    }
}

/// An execution as guests are told of it. Ids have no control characters, so two others are all that JSON wants
/// escaped.
fn execution_json(workflow_id: &WorkflowId, run_id: RunId) -> Payload {
    let id = workflow_id.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    Payload::json(format!("{{\"workflow_id\":\"{id}\",\"run_id\":\"{run_id}\"}}"))
}

/// What a wait delivers to the guest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An op's end. Each op has one, delivered once.
    Finished {
        /// Which.
        op: Op,
        /// How.
        outcome: Outcome,
    },
    /// A signal.
    Signal {
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    },
    /// Someone asks something. Comes to an instance that was made for it, and out of no mailbox.
    Query {
        /// What the answer names.
        request: u64,
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    },
    /// Someone wants something done and waits for the answer.
    Update {
        /// What the replies name: the number of its mailbox entry.
        request: u64,
        /// The caller's own id of it.
        update_id: String,
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    },
    /// Someone wants the run to end early.
    CancelRequested {
        /// Why.
        reason: String,
    },
}
