//! What an operator does to an activity that has not closed: hold it back, let it go, begin its attempts
//! anew, give it other options.

use minicbor::{Decode, Encode};

use super::options::check_options;
use super::{Activity, Delay, OptionsPatch, Phase};
use crate::time::Timestamp;

/// An operator holds the activity back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Pause {
    /// Since when.
    #[n(0)]
    pub at: Timestamp,
    /// For people.
    #[n(1)]
    pub reason: String,
}

/// A reset that waits for the end of the running attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reset {
    /// The next attempt does not get the heartbeat details of those before.
    #[n(0)]
    pub heartbeat: bool,
}

/// How to let a paused activity go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpause {
    /// The next attempt is number 1.
    pub reset_attempts: bool,
    /// The next attempt does not get the heartbeat details of those before. While an attempt runs, whose details
    /// they are, only together with `reset_attempts`.
    pub reset_heartbeat: bool,
}

/// How to begin an activity's attempts anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetRequest {
    /// The next attempt does not get the heartbeat details of those before.
    pub reset_heartbeat: bool,
    /// A paused activity stays paused.
    pub keep_paused: bool,
}

impl Activity {
    /// No attempt begins from now on. One that runs goes on, and its result counts. An activity that is
    /// paused stays so as it is.
    pub fn pause(&mut self, reason: String, now: Timestamp) {
        self.paused.get_or_insert(Pause { at: now, reason });
        if let Phase::Running { .. } = self.phase {
            self.told_to_stop = Some(self.starts);
        }
    }

    /// Lets a paused activity go: the next attempt may begin at once. Nothing happens to one that is not.
    pub fn unpause(&mut self, how: Unpause, now: Timestamp) {
        if self.paused.take().is_none() {
            return;
        }
        if how.reset_attempts {
            self.begin_anew(how.reset_heartbeat, now);
            return;
        }
        match self.phase {
            Phase::Scheduled { .. } | Phase::Backoff { .. } => {
                self.phase = Phase::Scheduled { since: now };
                if how.reset_heartbeat {
                    self.forget_heartbeat();
                }
            }
            Phase::Running { .. } => {}
        }
    }

    /// Begins the attempts anew, with number 1. An attempt that runs goes on: its success counts, and its
    /// failure, of whatever kind, does not end the activity.
    pub fn reset(&mut self, request: ResetRequest, now: Timestamp) {
        if !request.keep_paused {
            self.paused = None;
        }
        self.begin_anew(request.reset_heartbeat, now);
    }

    fn begin_anew(&mut self, reset_heartbeat: bool, now: Timestamp) {
        match self.phase {
            Phase::Scheduled { .. } | Phase::Backoff { .. } => {
                self.attempt = 1;
                self.phase = Phase::Scheduled { since: now };
                if reset_heartbeat {
                    self.forget_heartbeat();
                }
            }
            Phase::Running { .. } => {
                let asked = self.reset.is_some_and(|reset| reset.heartbeat);
                self.reset = Some(Reset { heartbeat: asked || reset_heartbeat });
            }
        }
    }

    pub(super) fn forget_heartbeat(&mut self) {
        self.heartbeat = None;
        self.heartbeat_at = None;
    }

    /// Changes the options. They are in force at once: timeouts that have begun to pass end by the new
    /// lengths, and a backoff that followed from the retry policy follows from the new one. How many attempts
    /// the policy allows is asked when one fails, so that the attempt that is due is made in any case.
    ///
    /// # Errors
    /// When the options would not be good. Names the field, its value and the remedy; nothing is changed.
    pub fn update_options(&mut self, patch: OptionsPatch, now: Timestamp) -> Result<(), String> {
        let before = self.options();
        let mut options = before.clone();
        patch.apply(&mut options);
        check_options(&options).map_err(|error| format!("activity {}: {error}", self.command.name))?;
        let other_policy = options.retry != before.retry;
        let interval = options.retry.backoff(self.op, self.scheduled_at, self.attempt.saturating_sub(1));
        if other_policy && let Phase::Backoff { until, since, delay: Delay::Policy } = &mut self.phase {
            // What has passed meanwhile is no wait for a start.
            *until = since.after(interval).max(now);
        }
        self.updated = Some(Box::new(options));
        Ok(())
    }
}
