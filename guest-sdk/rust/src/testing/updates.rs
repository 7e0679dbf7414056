//! What became of the updates that a workflow under test was sent.

use super::{Ended, Env, by_host};
use crate::bindings::refrain::workflow::types::{self, Outcome};
use crate::{Failure, payload};

/// How far an update came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateStage {
    /// The run ended before it was delivered.
    Admitted,
    /// The workflow turned it down.
    Rejected,
    /// The workflow let it in, and ended before it was answered.
    Accepted,
    /// It was answered, by a result or a failure.
    Completed,
}

pub(super) struct Sent {
    stage: UpdateStage,
    outcome: Option<Outcome>,
    /// Delivered in this step, which must accept or reject it.
    delivered: bool,
}

impl Sent {
    pub(super) fn new() -> Self {
        Self { stage: UpdateStage::Admitted, outcome: None, delivered: false }
    }
}

/// The id of the update with this index.
pub(super) fn id(index: u64) -> String {
    format!("update-{index}")
}

impl Env {
    pub(super) fn update_delivered(&mut self, index: u64) {
        self.updates[index as usize].delivered = true;
    }

    pub(super) fn accept_update(&mut self, index: u64) {
        self.calls.push(format!("accept {}", id(index)));
        self.answer_once(index).stage = UpdateStage::Accepted;
    }

    pub(super) fn reject_update(&mut self, index: u64, reason: types::Failure) {
        self.calls.push(format!("reject {}: {}", id(index), Failure::from_wire(reason.clone())));
        let update = self.answer_once(index);
        update.stage = UpdateStage::Rejected;
        update.outcome = Some(Err(reason));
    }

    pub(super) fn complete_update(&mut self, index: u64, answer: Outcome) {
        let shown = match &answer {
            Ok(output) => String::from_utf8_lossy(&output.data).into_owned(),
            Err(failure) => Failure::from_wire(failure.clone()).to_string(),
        };
        self.calls.push(format!("complete {}: {shown}", id(index)));
        let update = &mut self.updates[index as usize];
        assert_eq!(update.stage, UpdateStage::Accepted, "{} cannot be completed", id(index));
        update.stage = UpdateStage::Completed;
        update.outcome = Some(answer);
    }

    fn answer_once(&mut self, index: u64) -> &mut Sent {
        let update = &mut self.updates[index as usize];
        assert!(std::mem::take(&mut update.delivered), "{} cannot be accepted or rejected now", id(index));
        update
    }

    /// The step has ended: what it was to accept or to reject is rejected.
    pub(super) fn reject_unanswered_updates(&mut self) {
        for update in self.updates.iter_mut().filter(|update| update.delivered) {
            update.delivered = false;
            update.stage = UpdateStage::Rejected;
            update.outcome = Some(Err(by_host("not-handled", "the workflow did not handle the update")));
        }
    }
}

impl Ended {
    /// How far the update with this index came, in the order in which the [`Env`] was told of them.
    ///
    /// # Panics
    ///
    /// When there were fewer.
    #[must_use]
    pub fn update_stage(&self, index: usize) -> UpdateStage {
        self.sent(index).stage
    }

    /// What its sender got: the handler's answer, why it was rejected, or that the run ended first (`run-ended`).
    ///
    /// # Panics
    ///
    /// When there were fewer.
    pub fn update_result<T: serde::de::DeserializeOwned>(&self, index: usize) -> Result<T, Failure> {
        match &self.sent(index).outcome {
            Some(Ok(output)) => payload::decode(output),
            Some(Err(failure)) => Err(Failure::from_wire(failure.clone())),
            None => {
                Err(Failure::from_wire(by_host("run-ended", "the run ended before it answered the update")))
            }
        }
    }

    fn sent(&self, index: usize) -> &Sent {
        let count = self.updates.len();
        self.updates.get(index).unwrap_or_else(|| panic!("{count} updates were sent: none has index {index}"))
    }
}
