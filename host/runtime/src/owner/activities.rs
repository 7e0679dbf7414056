//! The activities of a run that have not closed: their attempts in this process, their retries, their
//! timeouts.

use std::collections::{BTreeMap, BTreeSet};

use refrain_engine::activity::{Activity, CancelNext, Next, Phase, check_size};
use refrain_engine::call::ActivityCommand;
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Op;
use refrain_engine::limits;
use refrain_engine::mailbox::Item;
use refrain_engine::time::Timestamp;
use refrain_plugin::CancelReason;
use refrain_store::schema::Key;
use tokio::sync::OwnedSemaphorePermit;

use super::books::{After, delete, read_all};
use super::{Gone, Owner};
use crate::executor::{Attempt, AttemptEnd};

/// The run's activities, and when something is due for one of them.
#[derive(Default)]
pub(super) struct Activities {
    tracked: BTreeMap<Op, Tracked>,
    /// The next timeout or retry of each.
    deadlines: BTreeSet<(Timestamp, Op)>,
}

/// An activity with its attempt in this process.
pub(super) struct Tracked {
    activity: Activity,
    attempt: Option<Attempt>,
    deadline: Option<Timestamp>,
}

impl Tracked {
    /// Tells the attempt that runs, if one does.
    pub(super) fn tell(&self, reason: CancelReason) {
        if let Some(attempt) = &self.attempt {
            attempt.cancel(reason);
        }
    }

    /// Keeps the details of the latest heartbeat with the activity, for the next attempt and the failure.
    fn take_heartbeat(&mut self) {
        let latest = self.attempt.as_ref().and_then(Attempt::heartbeat);
        // Details that no payload may have are dropped: the heartbeat counts all the same.
        if let Some((_, details)) =
            latest.filter(|(_, details)| details.size() <= limits::CURRENT.payload_bytes)
        {
            self.activity.heartbeat = Some(details);
        }
    }
}

impl Activities {
    pub(super) fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Tracked> {
        self.tracked.values()
    }

    fn insert(&mut self, activity: Activity, attempt: Option<Attempt>) {
        let op = activity.op;
        self.tracked.insert(op, Tracked { activity, attempt, deadline: None });
        self.reschedule(op);
    }

    fn remove(&mut self, op: Op) -> Option<Tracked> {
        let tracked = self.tracked.remove(&op)?;
        if let Some(deadline) = tracked.deadline {
            self.deadlines.remove(&(deadline, op));
        }
        Some(tracked)
    }

    /// Notes when something is due for the activity next.
    fn reschedule(&mut self, op: Op) {
        let Some(tracked) = self.tracked.get_mut(&op) else { return };
        let heard = tracked.attempt.as_ref().and_then(Attempt::heartbeat).map(|(at, _)| at);
        let timeout = tracked.activity.next_timeout(heard).map(|(at, _)| at);
        let retry = match tracked.activity.phase {
            Phase::Backoff { until } => Some(until),
            Phase::Scheduled { .. } | Phase::Running { .. } => None,
        };
        if let Some(old) = tracked.deadline.take() {
            self.deadlines.remove(&(old, op));
        }
        tracked.deadline = timeout.into_iter().chain(retry).min();
        self.deadlines.extend(tracked.deadline.map(|deadline| (deadline, op)));
    }
}

impl Owner<'_> {
    /// Takes over the activities that the store has. Attempts of an earlier boot have ended with it.
    pub(super) async fn restore_activities(&mut self) -> Result<(), Gone> {
        if self.books.head().status.is_closed() || self.books.head().records == 0 {
            return Ok(());
        }
        for (_, row) in read_all(&*self.shared.store, &self.key.activities())? {
            let activity: Activity = codec::decode("activity", &row)?;
            let op = activity.op;
            let phase = activity.phase;
            let refused = self.shared.executor.refuses(&activity.command.name);
            self.activities.insert(activity, None);
            if let Some(failure) = refused {
                // The last boot had a plugin for it.
                self.close_activity(op, Outcome::Failed(failure));
            } else {
                match phase {
                    Phase::Scheduled { .. } => self.books.after(After::WaitForSlot(op)),
                    Phase::Running { boot, .. } if boot != self.shared.boot => {
                        let now = self.shared.now();
                        self.attempt_failed(op, |activity| activity.restarted(now));
                    }
                    Phase::Running { .. } | Phase::Backoff { .. } => {}
                }
            }
            self.flush_if_heavy().await?;
        }
        Ok(())
    }

    /// A step scheduled an activity. Its first attempt begins when the step is durable and a slot is free.
    pub(super) fn start_activity(&mut self, op: Op, command: ActivityCommand, at: Timestamp) {
        let mut activity = Activity::new(op, command, at);
        if let Some(failure) = self.shared.executor.refuses(&activity.command.name) {
            let outcome = Outcome::Failed(failure);
            let item = Item::ActivityClosed { op, outcome, attempt: 0, started_at: None };
            self.arrive(item, Vec::new(), None);
            return;
        }
        self.give_slot(&mut activity);
        self.put_activity(&activity);
        self.activities.insert(activity, None);
    }

    /// Starts the activity's next attempt if a slot is free, else lets it wait for one.
    fn give_slot(&mut self, activity: &mut Activity) {
        let now = self.shared.now();
        if self.shared.is_shutting_down() {
            // The next boot goes on with it.
            activity.phase = Phase::Scheduled { since: now };
        } else if let Some(slot) = self.shared.executor.try_slot(&activity.command.name) {
            activity.start(self.shared.boot, now);
            self.books.after(After::Launch(activity.op, slot));
        } else {
            activity.phase = Phase::Scheduled { since: now };
            self.books.after(After::WaitForSlot(activity.op));
        }
    }

    /// The activity's row says that it waits for a slot.
    pub(super) fn wait_for_slot(&self, op: Op) {
        if let Some(tracked) = self.activities.tracked.get(&op) {
            self.shared.executor.wait_for_slot(self.shared, self.key, op, &tracked.activity.command.name);
        }
    }

    /// A slot is free for an activity that waited for one.
    pub(super) fn slot_granted(&mut self, op: Op, slot: OwnedSemaphorePermit) {
        if self.shared.is_shutting_down() {
            return;
        }
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        if !matches!(tracked.activity.phase, Phase::Scheduled { .. }) {
            return;
        }
        tracked.activity.start(self.shared.boot, self.shared.now());
        let activity = tracked.activity.clone();
        self.put_activity(&activity);
        self.books.after(After::Launch(op, slot));
        self.activities.reschedule(op);
    }

    /// The attempt that the durable row speaks of begins.
    pub(super) fn launch(&mut self, op: Op, slot: OwnedSemaphorePermit) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let attempt = self.shared.executor.launch(self.shared, &self.started, &tracked.activity, slot);
        if tracked.activity.cancel_reason.is_some() {
            attempt.cancel(CancelReason::Requested);
        }
        tracked.attempt = Some(attempt);
    }

    pub(super) fn attempt_ended(&mut self, op: Op, attempt: u32, end: AttemptEnd) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let current =
            tracked.activity.attempt == attempt && matches!(tracked.activity.phase, Phase::Running { .. });
        if !current {
            // It was timed out, and its slot has only now come free.
            return;
        }
        tracked.take_heartbeat();
        match end {
            AttemptEnd::Completed(result) => {
                let outcome = match check_size("result", result.size(), limits::CURRENT) {
                    Ok(()) => Outcome::Completed(result),
                    Err(message) => Outcome::Failed(too_large(&tracked.activity, &message)),
                };
                self.close_activity(op, outcome);
            }
            AttemptEnd::Failed { failure, .. }
                if self.shared.is_shutting_down()
                    && failure.kind == FailureKind::Canceled
                    && tracked.activity.cancel_reason.is_none() =>
            {
                // The host asked it to stop, and not the run. Its row stays: the next boot finds an attempt of
                // this one that did not end, and does what its policy says.
                self.activities.remove(op);
            }
            AttemptEnd::Failed { failure, next_retry_delay, .. } => {
                let now = self.shared.now();
                let failure = match check_size("failure", failure.size(), limits::CURRENT) {
                    Ok(()) => failure,
                    Err(message) => too_large(&tracked.activity, &message),
                };
                self.attempt_failed(op, |activity| activity.fail(failure, next_retry_delay, now));
            }
        }
    }

    /// The current attempt did not succeed; the machine says what follows.
    fn attempt_failed(&mut self, op: Op, next: impl FnOnce(&mut Activity) -> Next) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        match next(&mut tracked.activity) {
            Next::Retry(_) => {
                tracked.attempt = None;
                let activity = tracked.activity.clone();
                self.put_activity(&activity);
                self.activities.reschedule(op);
            }
            Next::Close(outcome) => self.close_activity(op, outcome),
        }
    }

    fn close_activity(&mut self, op: Op, outcome: Outcome) {
        let Some(Tracked { activity, .. }) = self.activities.remove(op) else { return };
        let row = self.key.activity(op);
        if !activity.wanted {
            self.books.delete(row);
            return;
        }
        let started_at = match activity.phase {
            Phase::Running { started_at, .. } => Some(started_at),
            Phase::Scheduled { .. } | Phase::Backoff { .. } => None,
        };
        let attempt = if started_at.is_some() { activity.attempt } else { activity.attempt - 1 };
        self.arrive(Item::ActivityClosed { op, outcome, attempt, started_at }, vec![delete(row)], None);
    }

    /// Looks after the timeouts and retries that are due.
    pub(super) async fn activities_due(&mut self) -> Result<(), Gone> {
        let now = self.shared.now();
        while let Some(&(deadline, op)) = self.activities.deadlines.first()
            && deadline <= now
        {
            self.activity_due(op, now);
            self.flush_if_heavy().await?;
        }
        Ok(())
    }

    fn activity_due(&mut self, op: Op, now: Timestamp) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let heard = tracked.attempt.as_ref().and_then(Attempt::heartbeat).map(|(at, _)| at);
        if let Some((_, timeout)) = tracked.activity.next_timeout(heard).filter(|(at, _)| *at <= now) {
            tracked.take_heartbeat();
            tracked.tell(CancelReason::TimedOut);
            tracing::warn!(
                activity = tracked.activity.command.name,
                op,
                timeout = timeout.as_str(),
                "an attempt timed out"
            );
            self.attempt_failed(op, |activity| activity.time_out(timeout, now));
        } else if matches!(tracked.activity.phase, Phase::Backoff { until } if until <= now) {
            let mut activity = tracked.activity.clone();
            self.give_slot(&mut activity);
            self.put_activity(&activity);
            self.activities.remove(op);
            self.activities.insert(activity, None);
        } else {
            // A heartbeat has put the timeout off.
            self.activities.reschedule(op);
        }
    }

    /// A step asked for the activity's end.
    pub(super) fn cancel_activity(&mut self, op: Op, reason: String) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        match tracked.activity.cancel(&reason) {
            CancelNext::Close => {
                let row = self.key.activity(op);
                if let Some(tracked) = self.activities.remove(op) {
                    self.books.after(After::TellCanceled(Box::new(tracked)));
                }
                self.arrive(Item::Canceled { op, reason }, vec![delete(row)], None);
            }
            CancelNext::Tell => {
                let activity = tracked.activity.clone();
                self.put_activity(&activity);
                self.books.after(After::TellRunning(op));
            }
            CancelNext::Abandon => {
                let activity = tracked.activity.clone();
                self.put_activity(&activity);
                self.arrive(Item::Canceled { op, reason }, Vec::new(), None);
            }
        }
    }

    pub(super) fn tell_running(&self, op: Op) {
        if let Some(tracked) = self.activities.tracked.get(&op) {
            tracked.tell(CancelReason::Requested);
        }
    }

    /// The run does not want the activity's outcome any more.
    pub(super) fn detach_activity(&mut self, op: Op) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        tracked.activity.wanted = false;
        let activity = tracked.activity.clone();
        self.put_activity(&activity);
    }

    /// The run has ended: its activities are told, and nobody waits for them. All rows go, also of those that
    /// are not tracked: some are left for the next boot while the host is stopping.
    pub(super) fn close_activities(&mut self) -> Result<(), Gone> {
        let prefix = self.key.activities();
        for (key, _) in read_all(&*self.shared.store, &prefix)? {
            self.books.delete(Key { table: prefix.table, bytes: key });
        }
        for tracked in std::mem::take(&mut self.activities).tracked.into_values() {
            self.books.after(After::TellCanceled(Box::new(tracked)));
        }
        Ok(())
    }

    /// The host is stopping, and nothing is drafted: the attempts are told, and nobody waits for what does not
    /// run.
    pub(super) fn stop_activities(&mut self) {
        let waiting: Vec<Op> = self
            .activities
            .tracked
            .iter()
            .filter(|(_, tracked)| tracked.attempt.is_none())
            .map(|(op, _)| *op)
            .collect();
        // Their rows stay, for the next boot.
        waiting.into_iter().for_each(|op| drop(self.activities.remove(op)));
        self.activities.all().for_each(|tracked| tracked.tell(CancelReason::Shutdown));
    }
}

fn too_large(activity: &Activity, message: &str) -> Failure {
    let message = format!("activity {}: {message}", activity.command.name);
    Failure { non_retryable: true, ..Failure::new(FailureKind::Host, "too-large", message) }
}
