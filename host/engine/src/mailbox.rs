//! A run's durable inbox: what happened to it, numbered by arrival. Anyone may append; only the run's owner
//! takes out, by delivering to the guest.

use minicbor::{Decode, Encode};

use crate::failure::{Failure, FailureKind, Outcome};
use crate::ids::Op;
use crate::limits::ELEMENT_BYTES;
use crate::payload::Payload;
use crate::time::Timestamp;

/// One arrival.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
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
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
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
}

impl Item {
    /// The op whose end this is; `None` for messages.
    pub fn op(&self) -> Option<Op> {
        match self {
            Self::ActivityClosed { op, .. } | Self::TimerFired { op, .. } | Self::Canceled { op, .. } => {
                Some(*op)
            }
            Self::Signal { .. } | Self::CancelRequest { .. } => None,
        }
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        let content = match self {
            Self::ActivityClosed { outcome, .. } => outcome.size(),
            Self::TimerFired { .. } => 0,
            Self::Canceled { reason, .. } | Self::CancelRequest { reason } => reason.len(),
            Self::Signal { name, input } => name.len() + input.size(),
        };
        ELEMENT_BYTES + content
    }

    /// What the guest sees of it.
    pub fn event(&self) -> Event {
        match self {
            Self::ActivityClosed { op, outcome, .. } => Event::Finished { op: *op, outcome: outcome.clone() },
            Self::TimerFired { op, .. } => {
                Event::Finished { op: *op, outcome: Outcome::Completed(Payload::null()) }
            }
            Self::Canceled { op, reason } => {
                let failure = Failure::new(FailureKind::Canceled, "canceled", reason.clone());
                Event::Finished { op: *op, outcome: Outcome::Failed(failure) }
            }
            Self::Signal { name, input } => Event::Signal { name: name.clone(), input: input.clone() },
            Self::CancelRequest { reason } => Event::CancelRequested { reason: reason.clone() },
        }
    }
}

/// What a wait delivers to the guest.
#[derive(Clone, Debug, PartialEq)]
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
    /// Someone wants the run to end early.
    CancelRequested {
        /// Why.
        reason: String,
    },
}
