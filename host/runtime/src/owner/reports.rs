//! What others say about an activity of the run: how an attempt ended, that it is alive, and what an operator
//! wants of it.

use refrain_engine::activity::{Activity, Phase, Runner, check_size};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Op;
use refrain_engine::limits;
use refrain_engine::payload::Payload;
use refrain_plugin::CancelReason;
use refrain_store::schema::HeartbeatRow;

use std::sync::Arc;
use std::time::Duration;

use super::activities::take_heartbeat;
use super::books::After;
use super::{Owner, Reply};
use crate::activity_types::{Control, Report};
use crate::attempts::Attempt;
use crate::error::Error;
use crate::executor::AttemptEnd;
use crate::stale;

/// The error type of an attempt that stopped because it was asked to.
const CANCELED: &str = "Canceled";

impl Owner<'_> {
    /// An attempt in this process ended.
    pub(super) fn attempt_ended(&mut self, op: Op, attempt: &Arc<Attempt>, end: AttemptEnd) {
        if !self.shared.attempts.is_current(self.key, op, attempt) {
            // Nobody waits for it any more: it was timed out, say, and has only now come to its end.
            return;
        }
        self.shared.attempts.remove(self.key, op);
        // Without an activity it was a local one of a step that was never committed.
        let Some(tracked) = self.activities.get_mut(op) else { return };
        if tracked.activity.check_current(attempt.starts).is_err() {
            return;
        }
        take_heartbeat(&mut tracked.activity, attempt);
        match end {
            AttemptEnd::Completed(result) => self.completed(op, result, None),
            AttemptEnd::Failed { failure, .. }
                if self.shared.is_shutting_down()
                    && failure.kind == FailureKind::Canceled
                    && tracked.activity.cancel_reason.is_none() =>
            {
                // The host asked it to stop, and not the run. Its row stays: the next boot finds an attempt of
                // this one that did not end, and does what its policy says.
                self.leave_activity(op, attempt);
            }
            AttemptEnd::Failed { failure, next_retry_delay, .. } => {
                self.failed(op, failure, next_retry_delay, None);
            }
            AttemptEnd::Pending => self.pending(op),
        }
    }

    /// Someone says how an attempt ended, or ends the activity by hand.
    pub(super) fn report(&mut self, op: Op, starts: Option<u32>, report: Report, reply: Reply) {
        if let Err(error) = self.check_wanted(op, starts) {
            self.books.reply(reply, Err(error));
            return;
        }
        let Some(tracked) = self.activities.get_mut(op) else { return };
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        if let Some(attempt) = &attempt {
            take_heartbeat(&mut tracked.activity, attempt);
        }
        let runs = matches!(tracked.activity.phase, Phase::Running { .. });
        let in_process = matches!(tracked.activity.phase, Phase::Running { runner: Runner::Host, .. });
        if let Some(attempt) = attempt.filter(|_| in_process) {
            // Its answer is not wanted any more.
            self.books.after(After::Tell(attempt, CancelReason::Stale));
        }
        match report {
            Report::Completed(result) => self.completed(op, result, Some(reply)),
            Report::Failed { failure, next_retry_delay, benign } => {
                if !benign {
                    tracing::warn!(
                        workflow_id = %self.started.workflow_id, activity = tracked.activity.command.name, op,
                        attempt = tracked.activity.attempt, error_type = failure.error_type,
                        "an attempt failed: {failure}"
                    );
                }
                if runs {
                    self.failed(op, failure, next_retry_delay, Some(reply));
                } else {
                    // By hand, between two attempts: there is none that could be made again.
                    self.close_activity(op, Outcome::Failed(failure), Some(reply));
                }
            }
            Report::Canceled { details } => {
                let message = "the activity stopped as it was asked to";
                let failure = Failure { details, ..Failure::new(FailureKind::Canceled, CANCELED, message) };
                // An attempt may stop for an operator's sake too, and is made again; by hand it is the end.
                if runs && starts.is_some() {
                    self.failed(op, failure, None, Some(reply));
                } else {
                    self.close_activity(op, Outcome::Failed(failure), Some(reply));
                }
            }
            Report::Pending if runs => {
                self.pending(op);
                self.books.reply(reply, Ok(()));
            }
            Report::Pending => self.books.reply(reply, Err(stale::no_attempt(op))),
        }
    }

    /// Checks that somebody waits for what is said of the activity.
    fn check_wanted(&self, op: Op, starts: Option<u32>) -> Result<(), Error> {
        if let Some(closed) = self.closed() {
            return Err(stale::ended(&closed, op));
        }
        let activity = self.activities.get(op).map(|tracked| &tracked.activity);
        if activity.is_none() && self.shared.is_shutting_down() {
            // It is forgotten here, and not over: the next boot goes on with it.
            return Err(Error::ShuttingDown);
        }
        stale::check(op, activity, starts)
    }

    fn completed(&mut self, op: Op, result: Payload, reply: Option<Reply>) {
        let Some(tracked) = self.activities.get_mut(op) else { return };
        let outcome = match check_size("result", result.size(), limits::CURRENT) {
            Ok(()) => Outcome::Completed(result),
            Err(message) => Outcome::Failed(too_large(&tracked.activity, &message)),
        };
        self.close_activity(op, outcome, reply);
    }

    fn failed(&mut self, op: Op, failure: Failure, delay: Option<Duration>, reply: Option<Reply>) {
        let Some(tracked) = self.activities.get_mut(op) else { return };
        let now = self.shared.now();
        let failure = match check_size("failure", failure.size(), limits::CURRENT) {
            Ok(()) => failure,
            Err(message) => too_large(&tracked.activity, &message),
        };
        self.attempt_failed(op, reply, |activity| activity.fail(failure, delay, now));
    }

    /// The attempt goes on without running: whoever has its token, or its ids, will end it.
    fn pending(&mut self, op: Op) {
        let Some(tracked) = self.activities.get_mut(op) else { return };
        tracked.activity.goes_outside();
        let outside = Attempt::outside(tracked.activity.starts).told_of(&tracked.activity);
        let outside = match self.shared.attempts.remove(self.key, op).and_then(|attempt| attempt.latest()) {
            Some(beat) => outside.heard_at(beat),
            None => outside,
        };
        self.shared.attempts.insert(self.key, op, Arc::new(outside));
        self.put_activity(op);
    }

    /// An attempt has sent a heartbeat: it is made durable when the last one is old enough.
    pub(super) fn beat(&mut self, op: Op) {
        self.reschedule(op);
    }

    /// Drafts the row of the newest heartbeat.
    pub(super) fn keep_heartbeat(&mut self, op: Op, attempt: &Attempt) {
        let beat = attempt.take_to_keep(self.shared.now());
        if let (Some(beat), Some(tracked)) = (beat, self.activities.get_mut(op))
            && tracked.activity.check_current(attempt.starts).is_ok()
        {
            tracked.has_heartbeat = true;
            let activity = &tracked.activity;
            let row = HeartbeatRow {
                starts: activity.starts,
                attempt: activity.attempt,
                at: beat.at,
                details: beat.details,
            };
            self.books.put(self.key.heartbeat(op), codec::encode(&row));
        }
        self.reschedule(op);
    }

    /// An operator does something to an activity.
    pub(super) fn control(&mut self, op: Op, control: Control, reply: Reply) {
        let now = self.shared.now();
        if let Err(error) = self.check_wanted(op, None) {
            self.books.reply(reply, Err(error));
            return;
        }
        let Some(tracked) = self.activities.get_mut(op) else { return };
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        let activity = &mut tracked.activity;
        match control {
            Control::Pause { reason } => {
                activity.pause(reason, now);
                self.books.tell_after(attempt, CancelReason::Paused);
            }
            Control::Unpause(how) => {
                activity.unpause(how, now);
                if activity.reset.is_some() {
                    self.books.tell_after(attempt.clone(), CancelReason::Reset);
                }
                untell_paused(activity, attempt.as_deref());
            }
            Control::Reset(request) => {
                activity.reset(request, now);
                untell_paused(activity, attempt.as_deref());
                self.books.tell_after(attempt, CancelReason::Reset);
            }
            Control::UpdateOptions(patch) => {
                if let Err(message) = activity.update_options(*patch, now) {
                    let error = Error::Invalid {
                        field: "options".to_owned(),
                        message: format!("are refused: {message}"),
                    };
                    self.books.reply(reply, Err(error));
                    return;
                }
            }
        }
        // It may belong elsewhere now: in another queue, or in none.
        self.shared.queues.withdraw(self.key, op);
        self.books.after(After::Enqueue(op));
        self.put_activity(op);
        self.books.reply(reply, Ok(()));
    }
}

/// What an attempt was told of a pause that has ended meanwhile is not true any more.
fn untell_paused(activity: &Activity, attempt: Option<&Attempt>) {
    if let (None, Some(attempt)) = (&activity.paused, attempt) {
        attempt.untell_paused();
    }
}

fn too_large(activity: &Activity, message: &str) -> Failure {
    let message = format!("activity {}: {message}", activity.command.name);
    Failure { non_retryable: true, ..Failure::new(FailureKind::Host, "too-large", message) }
}
