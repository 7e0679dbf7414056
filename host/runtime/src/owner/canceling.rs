//! The end of a run that was asked to cancel itself and cannot hear it.
//!
//! A program that knows only its language's own sleep waits for timers alone, and never takes a message. A cancel request
//! to it would lie in its mailbox for ever; so the host ends it as canceled, after a grace in which it may end by itself.
//! Whoever has taken messages once is waited for: it may do so again.

use std::time::Duration;

use refrain_engine::codec;
use refrain_engine::lifecycle::RUN_ITSELF;
use refrain_engine::run::Run;
use refrain_store::schema::TimerRow;

use super::books::After;
use super::{Gone, Owner};

/// From when a run is found waiting with a cancel request that it does not take. As long as service managers give a
/// process between asking it to end and ending it.
pub(super) const CANCEL_GRACE: Duration = Duration::from_secs(10);

impl Owner<'_> {
    /// The run waits. If a cancel request waits with it in vain, its grace begins; if that has become heard of, the
    /// grace is over.
    pub(super) fn mind_cancel_request(&mut self, run: &Run) {
        let head = self.books.head();
        let in_vain = head.cancel_requested && !run.has_listened();
        match (head.cancel_due, in_vain) {
            (None, true) => {
                let due = self.shared.now().after(CANCEL_GRACE);
                self.books.head_mut().cancel_due = Some(due);
                self.books.put(self.key.timer(due, RUN_ITSELF), codec::encode(&TimerRow::default()));
                self.books.after(After::TimerStarted(due, RUN_ITSELF));
            }
            (Some(_), false) => self.forget_cancel_grace(),
            (None, false) | (Some(_), true) => {}
        }
    }

    /// The grace has passed. A run that an operator holds, or that waits for other code, is not ended under their hands:
    /// where it goes on, the grace begins again.
    pub(super) async fn end_cancel_grace(&mut self) -> Result<(), Gone> {
        self.forget_cancel_grace();
        let head = self.books.head();
        if head.parked.is_some() || head.paused.is_some() {
            return Ok(());
        }
        let reason = format!(
            "it was asked to cancel itself and takes no messages; the grace of {CANCEL_GRACE:?} has passed"
        );
        self.cancel_from_outside(reason).await
    }

    fn forget_cancel_grace(&mut self) {
        if let Some(due) = self.books.head_mut().cancel_due.take() {
            self.books.delete(self.key.timer(due, RUN_ITSELF));
            self.books.after(After::TimerRemoved(due, RUN_ITSELF));
        }
    }
}
