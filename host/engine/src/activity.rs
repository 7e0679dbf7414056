//! The machine of an activity: attempts, backoff, timeouts, cancellation. Semantics are Temporal's.
//!
//! | phase     | start   | succeed | fail, time out, restart | cancel: try / wait / abandon |
//! |-----------|---------|---------|-------------------------|------------------------------|
//! | Scheduled | Running | -       | closed (timeouts only)  | closed / closed / unwanted   |
//! | Running   | -       | closed  | Backoff or closed       | told / told / unwanted       |
//! | Backoff   | Running | -       | closed (timeouts only)  | closed / closed / unwanted   |
//!
//! What a `-` marks cannot happen: results carry the number of their attempt, and one that is not current
//! is refused before it comes here. *Told* means that the running attempt hears of the cancel; with
//! *try-cancel* its op has ended already.

use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::call::{ActivityCommand, Cancellation};
use crate::failure::{Failure, FailureKind, Outcome};
use crate::ids::{Op, check_name};
use crate::limits::Profile;
use crate::payload::Payload;
use crate::time::Timestamp;

/// An activity that has not closed. Stored beside its run's journal.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Activity {
    /// Its op in its run.
    #[n(0)]
    pub op: Op,
    /// What to run, and how.
    #[n(1)]
    pub command: ActivityCommand,
    /// When it was scheduled.
    #[n(2)]
    pub scheduled_at: Timestamp,
    /// The number of the current attempt, or of the next one, from 1.
    #[n(3)]
    pub attempt: u32,
    /// Where it stands.
    #[n(4)]
    pub phase: Phase,
    /// Why the attempt before this one failed.
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
}

/// Where an activity stands between its attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Phase {
    /// Waits for a slot.
    #[n(0)]
    Scheduled {
        /// Since when.
        #[n(0)]
        since: Timestamp,
    },
    /// An attempt runs.
    #[n(1)]
    Running {
        /// The boot of the host that runs it.
        #[n(0)]
        boot: u64,
        /// Since when.
        #[n(1)]
        started_at: Timestamp,
    },
    /// Waits before the next attempt.
    #[n(2)]
    Backoff {
        /// Until when.
        #[n(0)]
        until: Timestamp,
    },
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
    /// Another attempt, not before this time.
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
        }
    }

    /// An attempt begins.
    pub fn start(&mut self, boot: u64, now: Timestamp) {
        debug_assert!(!matches!(self.phase, Phase::Running { .. }), "one attempt at a time");
        self.phase = Phase::Running { boot, started_at: now };
    }

    /// The running attempt failed. `delay`, when the failure carries one, takes the place of the policy's
    /// interval.
    pub fn fail(&mut self, failure: Failure, delay: Option<Duration>, now: Timestamp) -> Next {
        let retry = &self.command.options.retry;
        if self.cancel_reason.is_some() || retry.refuses(self.attempt, &failure).is_some() {
            return Next::Close(Outcome::Failed(failure));
        }
        let until = now.after(delay.unwrap_or_else(|| retry.interval(self.attempt)));
        if self.schedule_to_close_deadline().is_some_and(|deadline| until >= deadline) {
            return Next::Close(Outcome::Failed(self.retry_does_not_fit(failure)));
        }
        self.last_failure = Some(failure);
        self.attempt += 1;
        self.phase = Phase::Backoff { until };
        Next::Retry(until)
    }

    /// The host that ran the attempt has gone away. The attempt counts; another one follows at once if one
    /// is left.
    pub fn restarted(&mut self, now: Timestamp) -> Next {
        let message = format!(
            "the host restarted while attempt {} of activity {} ran",
            self.attempt, self.command.name
        );
        self.fail(Failure::new(FailureKind::Host, "host-restarted", message), Some(Duration::ZERO), now)
    }

    /// A timeout passed.
    pub fn time_out(&mut self, timeout: Timeout, now: Timestamp) -> Next {
        let failure = self.timeout_failure(timeout);
        match timeout {
            Timeout::StartToClose | Timeout::Heartbeat => self.fail(failure, None, now),
            Timeout::ScheduleToStart | Timeout::ScheduleToClose => {
                let failure = match self.last_failure.take() {
                    Some(last) => failure.caused_by(last),
                    None => failure,
                };
                Next::Close(Outcome::Failed(failure))
            }
        }
    }

    /// The run asks for the activity's end.
    pub fn cancel(&mut self, reason: &str) -> CancelNext {
        let running = matches!(self.phase, Phase::Running { .. });
        match (self.command.options.cancellation, running) {
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
    /// was last heard of.
    pub fn next_timeout(&self, last_heartbeat: Option<Timestamp>) -> Option<(Timestamp, Timeout)> {
        let options = &self.command.options;
        let whole = self.schedule_to_close_deadline().map(|at| (at, Timeout::ScheduleToClose));
        let of_phase = match self.phase {
            Phase::Scheduled { since } => {
                options.schedule_to_start.map(|limit| (since.after(limit), Timeout::ScheduleToStart))
            }
            Phase::Running { started_at, .. } => {
                let close =
                    options.start_to_close.map(|limit| (started_at.after(limit), Timeout::StartToClose));
                let heard = last_heartbeat.unwrap_or(started_at).max(started_at);
                let beat = options.heartbeat.map(|limit| (heard.after(limit), Timeout::Heartbeat));
                close.into_iter().chain(beat).min()
            }
            Phase::Backoff { until } => {
                options.schedule_to_start.map(|limit| (until.after(limit), Timeout::ScheduleToStart))
            }
        };
        whole.into_iter().chain(of_phase).min()
    }

    /// When all of it must be over.
    pub fn schedule_to_close_deadline(&self) -> Option<Timestamp> {
        self.command.options.schedule_to_close.map(|limit| self.scheduled_at.after(limit))
    }

    fn timeout_failure(&self, timeout: Timeout) -> Failure {
        let options = &self.command.options;
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
        let details = match timeout {
            Timeout::Heartbeat | Timeout::StartToClose => self.heartbeat.clone(),
            Timeout::ScheduleToStart | Timeout::ScheduleToClose => None,
        };
        Failure { details, ..Failure::new(FailureKind::Timeout, timeout.as_str(), message) }
    }

    fn retry_does_not_fit(&self, failure: Failure) -> Failure {
        let message = format!(
            "activity {}: after attempt {} no retry fits before the schedule-to-close timeout of {:?}",
            self.command.name,
            self.attempt,
            self.command.options.schedule_to_close.unwrap_or_default(),
        );
        Failure::new(FailureKind::Timeout, Timeout::ScheduleToClose.as_str(), message).caused_by(failure)
    }
}

/// Checks what an activity is started with.
///
/// # Errors
/// Names the field, its value and the remedy.
pub fn check_command(command: &ActivityCommand, profile: &Profile) -> Result<(), String> {
    check_name("name", &command.name).map_err(|error| error.to_string())?;
    let name = &command.name;
    check_size("input", command.input.size(), profile)
        .map_err(|error| format!("activity {name}: {error}"))?;
    let options = &command.options;
    if options.start_to_close.is_none() && options.schedule_to_close.is_none() {
        return Err(format!(
            "activity {name} has neither start-to-close-timeout nor schedule-to-close-timeout: give one of them"
        ));
    }
    let timeouts = [
        ("schedule-to-close-timeout", options.schedule_to_close),
        ("schedule-to-start-timeout", options.schedule_to_start),
        ("start-to-close-timeout", options.start_to_close),
        ("heartbeat-timeout", options.heartbeat),
    ];
    if let Some((field, _)) = timeouts.iter().find(|(_, limit)| limit.is_some_and(|limit| limit.is_zero())) {
        return Err(format!("activity {name}: {field} is zero: give a length of time above zero, or none"));
    }
    if let Some(queue) = &options.task_queue {
        check_name("task-queue", queue).map_err(|error| format!("activity {name}: {error}"))?;
    }
    if let Some(priority) = options.priority.filter(|priority| !(1..=5).contains(priority)) {
        return Err(format!("activity {name}: priority is {priority}: give 1 (first) to 5 (last)"));
    }
    options.retry.check().map_err(|error| format!("activity {name}: {error}"))
}

/// Checks a payload's or a failure's size.
///
/// # Errors
/// Names the field, its size and the remedy.
pub fn check_size(field: &str, bytes: usize, profile: &Profile) -> Result<(), String> {
    let maximum = profile.payload_bytes;
    if bytes <= maximum {
        return Ok(());
    }
    Err(format!(
        "{field} has {bytes} bytes, and the limit is {maximum}: keep large values in a file or an object store and pass a reference"
    ))
}
