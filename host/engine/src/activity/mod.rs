//! The machine of an activity: attempts, backoff, timeouts, cancellation, and what an operator may do to it.
//! Semantics are Temporal's.
//!
//! | event                     | Scheduled | Running                              | Backoff   | Held      |
//! |---------------------------|-----------|--------------------------------------|-----------|-----------|
//! | its time comes            | Scheduled | -                                    | Scheduled | -         |
//! | its queue is full         | Backoff   | -                                    | -         | -         |
//! | an attempt starts         | Running   | -                                    | Running   | -         |
//! | it answers: later         | -         | Running                              | -         | -         |
//! | it succeeds               | -         | closed                               | -         | -         |
//! | it fails                  | -         | Backoff or Held or closed            | -         | -         |
//! | the host restarts         | Scheduled | Running or Backoff or Held or closed | Backoff   | Held      |
//! | start-to-close, heartbeat | -         | Backoff or Held or closed            | -         | -         |
//! | schedule-to-start         | closed    | -                                    | closed    | -         |
//! | schedule-to-close         | closed    | closed                               | closed    | closed    |
//! | cancel, try               | closed    | closed                               | closed    | closed    |
//! | cancel, wait              | closed    | told                                 | closed    | closed    |
//! | cancel, abandon           | unwanted  | unwanted                             | unwanted  | unwanted  |
//! | pause                     | Held      | told                                 | Held      | Held      |
//! | unpause                   | Scheduled | Running                              | Backoff   | Scheduled |
//! | unpause, attempts anew    | Scheduled | Running or asked                     | Backoff   | Scheduled |
//! | reset                     | Scheduled | asked                                | Scheduled | Scheduled |
//! | reset, held as before     | Scheduled | asked                                | Scheduled | Held      |
//! | update options            | Scheduled | Running                              | Backoff   | Held      |
//!
//! *Held* is what is paused and does not run, in whichever phase: no attempt starts until it is unpaused, and
//! schedule-to-start does not pass. An attempt that runs goes on, and its result counts.
//!
//! What a `-` marks cannot happen: results carry the number of their attempt, and one that is not current
//! is refused ([`Activity::check_current`]) before it comes here. *Told* means that the running attempt hears of
//! the cancel or the pause; it does too with *try*, where its op has ended already. *Asked* means that when the
//! running attempt does not succeed, in whatever way, the next one is number 1 and may begin at once. A full task
//! queue uses up no attempt, and a backoff that follows from the retry policy is as long as updated options say.
//!
//! | module | concept |
//! |---|---|
//! | this one | the phases and what an attempt's end leads to |
//! | `control` | what an operator does: pause, unpause, reset, other options |
//! | `options` | what options are good, and how some of them are changed |

mod control;
mod options;

use std::time::Duration;

use minicbor::{Decode, Encode};

pub use self::control::{Pause, Reset, ResetRequest, Unpause};
pub use self::options::{OptionsPatch, RetryPatch, check_command, check_size};
use crate::call::{ActivityCommand, ActivityOptions, Cancellation};
use crate::codec;
use crate::failure::{Failure, FailureKind, Outcome};
use crate::ids::Op;
use crate::payload::Payload;
use crate::time::Timestamp;

/// An activity that has not closed. Stored beside its run's journal.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Activity {
    /// Its op in its run.
    #[n(0)]
    pub op: Op,
    /// What to run, and how, as its run asked for it; [`Activity::options`] says what is in force.
    #[n(1)]
    pub command: ActivityCommand,
    /// When it was scheduled.
    #[n(2)]
    pub scheduled_at: Timestamp,
    /// The number of the current attempt, or of the next one, from 1. An operator can set it back to 1.
    #[n(3)]
    pub attempt: u32,
    /// Where it stands.
    #[n(4)]
    pub phase: Phase,
    /// Why the attempt before this one failed, or why this one could not be queued.
    #[n(5)]
    pub last_failure: Option<Failure>,
    /// The details of the last heartbeat that was kept.
    #[n(6)]
    pub heartbeat: Option<Payload>,
    /// Whether the run still wants the outcome.
    #[n(7)]
    pub wanted: bool,
    /// The run asked for its end, for this reason.
    #[n(8)]
    pub cancel_reason: Option<String>,
    /// How many attempts were ever started. Never set back, so that with the run and the op it names an
    /// attempt for ever.
    #[cbor(n(9), skip_if = "codec::is_default")]
    pub starts: u32,
    /// An operator holds it back.
    #[n(10)]
    pub paused: Option<Pause>,
    /// The options that an operator has put in the place of the command's.
    #[n(11)]
    pub updated: Option<Box<ActivityOptions>>,
    /// An operator wants the next attempt to be number 1; asked while an attempt ran.
    #[n(12)]
    pub reset: Option<Reset>,
    /// When the last heartbeat that was kept came.
    #[n(13)]
    pub heartbeat_at: Option<Timestamp>,
    /// Which attempt ran when an operator paused the activity, counted as [`Activity::starts`] counts: it was told
    /// that it may stop, whatever became of the pause.
    #[n(14)]
    pub told_to_stop: Option<u32>,
}

/// Where an activity stands between its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Phase {
    /// Waits for a slot, or for a worker.
    #[n(0)]
    Scheduled {
        /// Since when.
        #[n(0)]
        since: Timestamp,
    },
    /// An attempt runs.
    #[n(1)]
    Running {
        /// The boot of the host that started it.
        #[n(0)]
        boot: u64,
        /// Since when.
        #[n(1)]
        started_at: Timestamp,
        /// Who runs it.
        #[cbor(n(2), skip_if = "codec::is_default_in_variant")]
        runner: Runner,
    },
    /// Waits before the next attempt.
    #[n(2)]
    Backoff {
        /// Until when.
        #[n(0)]
        until: Timestamp,
        /// Since when.
        #[cbor(n(1), skip_if = "codec::is_default_in_variant")]
        since: Timestamp,
        /// Why so long.
        #[cbor(n(2), skip_if = "codec::is_default_in_variant")]
        delay: Delay,
    },
}

/// Who runs an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Runner {
    /// A plugin in the host's process: the attempt ends with it.
    #[default]
    #[n(0)]
    Host,
    /// A process that polled the task queue.
    #[n(1)]
    Worker {
        /// How it calls itself.
        #[n(0)]
        identity: String,
        /// The poll that it got the task from: the same one asked again gets the same task.
        #[n(1)]
        poll_id: String,
    },
    /// Nobody any more: the attempt answered that its outcome comes later, from whoever has its token.
    #[n(2)]
    Outside,
}

/// What decided the length of a backoff.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Delay {
    /// The failure named it, or the next attempt follows at once.
    #[default]
    #[n(0)]
    Asked,
    /// The retry policy. Another policy makes it another one.
    #[n(1)]
    Policy,
    /// The task queue was full. That is a wait for its start like any other.
    #[n(2)]
    QueueFull,
}

/// Which timeout passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timeout {
    /// From an attempt's scheduling, or the end of its backoff, to its start. Never retried.
    ScheduleToStart,
    /// From an attempt's start to its end. Retried.
    StartToClose,
    /// All attempts and the waits between them. Never retried.
    ScheduleToClose,
    /// The silence of a running attempt. Retried.
    Heartbeat,
}

impl Timeout {
    /// The error type of its failure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScheduleToStart => "schedule-to-start",
            Self::StartToClose => "start-to-close",
            Self::ScheduleToClose => "schedule-to-close",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// What follows an attempt that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Another attempt, not before this time, and not while the activity is paused.
    Retry(Timestamp),
    /// None: the activity ends so.
    Close(Outcome),
}

/// What a cancel asks of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelNext {
    /// The activity is over: it was not running, or need not be waited for. The op ends as canceled. An
    /// attempt that runs is told, and what it answers is dropped.
    Close,
    /// The running attempt is told; its answer is the outcome.
    Tell,
    /// The op ends as canceled; the activity goes on, and its outcome is dropped.
    Abandon,
}

/// Why a report about an attempt is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// Another attempt runs.
    #[error("the attempt has ended: the activity's start number {current} runs now")]
    AnotherAttempt {
        /// The one that runs, counted as [`Activity::starts`] counts.
        current: u32,
    },
    /// No attempt runs.
    #[error("the attempt has ended, and no other one of the activity runs")]
    NotRunning,
}

impl Activity {
    /// An activity that a run scheduled at this time.
    pub fn new(op: Op, command: ActivityCommand, now: Timestamp) -> Self {
        Self {
            op,
            command,
            scheduled_at: now,
            attempt: 1,
            phase: Phase::Scheduled { since: now },
            last_failure: None,
            heartbeat: None,
            wanted: true,
            cancel_reason: None,
            starts: 0,
            paused: None,
            updated: None,
            reset: None,
            heartbeat_at: None,
            told_to_stop: None,
        }
    }

    /// The options in force: the operator's if there are any, else the run's.
    pub fn options(&self) -> &ActivityOptions {
        self.updated.as_deref().unwrap_or(&self.command.options)
    }

    /// The task queue that it waits in, in a run with this one.
    pub fn queue<'a>(&'a self, run_queue: &'a str) -> &'a str {
        self.options().task_queue.as_deref().unwrap_or(run_queue)
    }

    /// When the next attempt may begin; `None` while one runs, and while the activity is paused.
    pub fn ready_at(&self) -> Option<Timestamp> {
        match self.phase {
            _ if self.paused.is_some() => None,
            Phase::Scheduled { since } => Some(since),
            Phase::Running { .. } => None,
            Phase::Backoff { until, .. } => Some(until),
        }
    }

    /// Whether the attempt that the row speaks of has ended with the host that ran it: one of another boot,
    /// in its own process. What runs elsewhere outlives a host.
    pub fn lost_with_host(&self, boot: u64) -> bool {
        match self.phase {
            Phase::Running { boot: its, runner: Runner::Host, .. } => its != boot,
            Phase::Running { runner: Runner::Worker { .. } | Runner::Outside, .. }
            | Phase::Scheduled { .. }
            | Phase::Backoff { .. } => false,
        }
    }

    /// Whether it waits for somebody to make its next attempt.
    pub fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Scheduled { .. }) && self.paused.is_none()
    }

    /// The running attempt was heard of. A heartbeat without details leaves those before.
    pub fn heard(&mut self, at: Timestamp, details: Option<Payload>) {
        self.heartbeat_at = Some(at);
        if details.is_some() {
            self.heartbeat = details;
        }
    }

    /// Checks that the attempt that was started as the `starts`-th is the one that runs.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_current(&self, starts: u32) -> Result<(), Stale> {
        match self.phase {
            Phase::Running { .. } if self.starts == starts => Ok(()),
            Phase::Running { .. } => Err(Stale::AnotherAttempt { current: self.starts }),
            Phase::Scheduled { .. } | Phase::Backoff { .. } => Err(Stale::NotRunning),
        }
    }

    /// Its backoff is over, or it was just scheduled: it waits for a slot or a worker.
    pub fn schedule(&mut self, now: Timestamp) {
        let since = self.waits_since(now);
        self.phase = Phase::Scheduled { since };
    }

    /// Its task queue is full, which is no attempt: it waits until then to be queued.
    pub fn postpone(&mut self, until: Timestamp, why: Failure, now: Timestamp) {
        let since = self.waits_since(now);
        // Why an attempt failed says more.
        self.last_failure.get_or_insert(why);
        self.phase = Phase::Backoff { until, since, delay: Delay::QueueFull };
    }

    /// Since when it has waited for a start. A full queue does not begin the wait anew, else schedule-to-start
    /// would never pass.
    fn waits_since(&self, now: Timestamp) -> Timestamp {
        match self.phase {
            Phase::Scheduled { since } | Phase::Backoff { since, delay: Delay::QueueFull, .. } => since,
            Phase::Backoff { delay: Delay::Asked | Delay::Policy, .. } | Phase::Running { .. } => now,
        }
    }

    /// An attempt begins.
    pub fn start(&mut self, runner: Runner, boot: u64, now: Timestamp) {
        debug_assert!(self.ready_at().is_some(), "one attempt at a time, and none while it is paused");
        self.starts = self.starts.saturating_add(1);
        self.phase = Phase::Running { boot, started_at: now, runner };
    }

    /// The running attempt answered that its outcome comes later, from outside.
    pub fn goes_outside(&mut self) {
        match &mut self.phase {
            Phase::Running { runner, .. } => *runner = Runner::Outside,
            Phase::Scheduled { .. } | Phase::Backoff { .. } => {
                debug_assert!(false, "only an attempt that runs can answer");
            }
        }
    }

    /// The running attempt failed. `delay`, when the failure carries one, takes the place of the policy's
    /// interval. A cancel that is waited for leaves no retry; a reset leaves one, whatever the failure. An attempt
    /// that stopped because the activity was paused does not count: the next one has its number.
    pub fn fail(&mut self, failure: Failure, delay: Option<Duration>, now: Timestamp) -> Next {
        if self.cancel_reason.is_some() {
            return Next::Close(Outcome::Failed(failure));
        }
        let retry = &self.options().retry;
        let (next, wait, delay) = match (self.reset, delay) {
            (Some(_), _) => (1, Duration::ZERO, Delay::Asked),
            (None, _) if self.told_to_stop == Some(self.starts) && failure.kind == FailureKind::Canceled => {
                (self.attempt, Duration::ZERO, Delay::Asked)
            }
            (None, _) if retry.refuses(self.attempt, &failure).is_some() => {
                return Next::Close(Outcome::Failed(failure));
            }
            (None, Some(wait)) => (self.attempt.saturating_add(1), wait, Delay::Asked),
            (None, None) => {
                let wait = retry.backoff(self.op, self.scheduled_at, self.attempt);
                (self.attempt.saturating_add(1), wait, Delay::Policy)
            }
        };
        let until = now.after(wait);
        if self.schedule_to_close_deadline().is_some_and(|deadline| until >= deadline) {
            return Next::Close(Outcome::Failed(self.retry_does_not_fit(failure)));
        }
        if self.reset.take().is_some_and(|reset| reset.heartbeat) {
            self.forget_heartbeat();
        }
        self.last_failure = Some(failure);
        self.attempt = next;
        self.phase = Phase::Backoff { until, since: now, delay };
        Next::Retry(until)
    }

    /// The host that ran the attempt has gone away ([`Activity::lost_with_host`]). The attempt counts; another
    /// one follows at once if one is left.
    pub fn restarted(&mut self, now: Timestamp) -> Next {
        debug_assert!(
            matches!(self.phase, Phase::Running { runner: Runner::Host, .. }),
            "what runs elsewhere outlives a host"
        );
        let message = format!(
            "the host restarted while attempt {} of activity {} ran",
            self.attempt, self.command.name
        );
        self.fail(Failure::new(FailureKind::Host, "host-restarted", message), Some(Duration::ZERO), now)
    }

    /// A timeout passed. The failure that ends the activity tells why the attempt before failed.
    pub fn time_out(&mut self, timeout: Timeout, now: Timestamp) -> Next {
        let failure = self.timeout_failure(timeout);
        let next = match timeout {
            Timeout::StartToClose | Timeout::Heartbeat => self.fail(failure, None, now),
            Timeout::ScheduleToStart | Timeout::ScheduleToClose => Next::Close(Outcome::Failed(failure)),
        };
        match next {
            Next::Close(Outcome::Failed(failure)) => {
                Next::Close(Outcome::Failed(match self.last_failure.take() {
                    Some(last) => failure.caused_by(last),
                    None => failure,
                }))
            }
            Next::Close(Outcome::Completed(_)) | Next::Retry(_) => next,
        }
    }

    /// The run asks for the activity's end. That it is paused makes no difference.
    pub fn cancel(&mut self, reason: &str) -> CancelNext {
        let running = matches!(self.phase, Phase::Running { .. });
        match (self.options().cancellation, running) {
            (Cancellation::TryCancel, true | false) | (Cancellation::WaitForCancellation, false) => {
                CancelNext::Close
            }
            (Cancellation::WaitForCancellation, true) => {
                self.cancel_reason = Some(reason.to_owned());
                CancelNext::Tell
            }
            (Cancellation::Abandon, true | false) => {
                self.wanted = false;
                CancelNext::Abandon
            }
        }
    }

    /// The next timeout that passes if nothing else happens. `last_heartbeat` is when the running attempt
    /// was last heard of, if that is later than the heartbeat that was kept.
    pub fn next_timeout(&self, last_heartbeat: Option<Timestamp>) -> Option<(Timestamp, Timeout)> {
        let options = self.options();
        let whole = self.schedule_to_close_deadline().map(|at| (at, Timeout::ScheduleToClose));
        let of_phase = match self.phase {
            Phase::Running { started_at, .. } => {
                let close =
                    options.start_to_close.map(|limit| (started_at.after(limit), Timeout::StartToClose));
                let heard =
                    [last_heartbeat, self.heartbeat_at].into_iter().flatten().fold(started_at, Ord::max);
                let beat = options.heartbeat.map(|limit| (heard.after(limit), Timeout::Heartbeat));
                close.into_iter().chain(beat).min()
            }
            Phase::Scheduled { .. } | Phase::Backoff { .. } if self.paused.is_some() => None,
            Phase::Scheduled { since: from }
            | Phase::Backoff { since: from, delay: Delay::QueueFull, .. }
            | Phase::Backoff { until: from, delay: Delay::Asked | Delay::Policy, .. } => {
                options.schedule_to_start.map(|limit| (from.after(limit), Timeout::ScheduleToStart))
            }
        };
        whole.into_iter().chain(of_phase).min()
    }

    /// When all of it must be over.
    pub fn schedule_to_close_deadline(&self) -> Option<Timestamp> {
        self.options().schedule_to_close.map(|limit| self.scheduled_at.after(limit))
    }

    fn timeout_failure(&self, timeout: Timeout) -> Failure {
        let options = self.options();
        let limit = match timeout {
            Timeout::ScheduleToStart => options.schedule_to_start,
            Timeout::StartToClose => options.start_to_close,
            Timeout::ScheduleToClose => options.schedule_to_close,
            Timeout::Heartbeat => options.heartbeat,
        };
        let message = format!(
            "activity {}: the {} timeout of {:?} passed in attempt {}",
            self.command.name,
            timeout.as_str(),
            limit.unwrap_or_default(),
            self.attempt
        );
        let failure = Failure::new(FailureKind::Timeout, timeout.as_str(), message);
        Failure { details: self.heartbeat.clone(), ..failure }
    }

    fn retry_does_not_fit(&self, failure: Failure) -> Failure {
        let message = format!(
            "activity {}: after attempt {} no retry fits before the schedule-to-close timeout of {:?}",
            self.command.name,
            self.attempt,
            self.options().schedule_to_close.unwrap_or_default(),
        );
        Failure::new(FailureKind::Timeout, Timeout::ScheduleToClose.as_str(), message).caused_by(failure)
    }
}
