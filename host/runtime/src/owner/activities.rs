//! The activities of a run that have not closed: their attempts, their retries, their timeouts.
//!
//! What others say about them (reports, heartbeats, controls) is in `reports`; the waits between the steps of
//! local activities are in `steps`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use refrain_engine::activity::{Activity, CancelNext, Next, Phase, Runner};
use refrain_engine::call::ActivityCommand;
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Op;
use refrain_engine::mailbox::Item;
use refrain_engine::planted;
use refrain_engine::time::Timestamp;
use refrain_plugin::CancelReason;
use refrain_store::Change;
use refrain_store::schema::Prefix;

use super::books::{After, delete};
use super::{Gone, Owner, Reply};
use crate::attempts::{Attempt, Beat, PollKey};
use crate::error::Error;
use crate::placing::{self, Place};
use crate::queues::{self, Assignment, Offer, Permit};
use crate::rows;
use crate::shared::Shared;
use crate::tasks;

/// How long an activity whose task queue is full waits before it asks again.
const FULL_QUEUE_PAUSE: Duration = Duration::from_secs(5);

/// How long a local activity that finds no slot waits before it asks again.
const LOCAL_SLOT_PAUSE: Duration = Duration::from_millis(100);

/// A step whose local activities have not ended by then is committed without them, so that nobody waits long for
/// what came with it.
const LOCAL_PATIENCE: Duration = Duration::from_millis(5);

/// The run's activities, and when something is due for one of them.
#[derive(Default)]
pub(super) struct Activities {
    tracked: BTreeMap<Op, Tracked>,
    /// The next timeout, retry or heartbeat to keep, of each.
    deadlines: BTreeSet<(Timestamp, Op)>,
    /// How many attempts run in this process.
    in_process: usize,
    /// Local activities that no commit has told of.
    unsaved_local: BTreeSet<Op>,
    /// One of them has begun since the last commit: the next one waits for them until then.
    local_until: Option<Timestamp>,
}

/// An activity, and what the owner knows of its rows.
pub(super) struct Tracked {
    pub(super) activity: Activity,
    deadline: Option<Timestamp>,
    runs_in_process: bool,
    /// It has no row yet.
    unsaved: bool,
    /// It has a row for a heartbeat.
    pub(super) has_heartbeat: bool,
}

impl Tracked {
    fn new(activity: Activity) -> Self {
        Self { activity, deadline: None, runs_in_process: false, unsaved: false, has_heartbeat: false }
    }
}

impl Activities {
    pub(super) fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    /// Whether an attempt runs in this process, so that its end comes soon.
    pub(super) fn run_in_process(&self) -> bool {
        self.in_process > 0
    }

    /// The activities that have no attempt in this process.
    fn elsewhere(&self) -> Vec<Op> {
        self.tracked.iter().filter(|(_, tracked)| !tracked.runs_in_process).map(|(op, _)| *op).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Until when the next commit waits for local activities, if it waits for any.
    pub(super) fn local_until(&self) -> Option<Timestamp> {
        self.local_until.filter(|_| !self.unsaved_local.is_empty())
    }

    pub(super) fn get(&self, op: Op) -> Option<&Tracked> {
        self.tracked.get(&op)
    }

    pub(super) fn get_mut(&mut self, op: Op) -> Option<&mut Tracked> {
        self.tracked.get_mut(&op)
    }

    fn remove(&mut self, op: Op) -> Option<Tracked> {
        let tracked = self.tracked.remove(&op)?;
        if let Some(deadline) = tracked.deadline {
            self.deadlines.remove(&(deadline, op));
        }
        self.in_process -= usize::from(tracked.runs_in_process);
        self.unsaved_local.remove(&op);
        Some(tracked)
    }
}

impl Owner<'_> {
    /// Takes over the activities that the store has.
    pub(super) async fn restore_activities(&mut self) -> Result<(), Gone> {
        if self.books.head().status.is_closed() || self.books.head().records == 0 {
            return Ok(());
        }
        let mut places = Vec::new();
        for (activity, has_heartbeat) in rows::read_activities(&*self.shared.store, self.key)? {
            let op = activity.op;
            places.push((op, placing::place(self.shared, self.key, &self.started.task_queue, &activity)));
            self.activities.tracked.insert(op, Tracked { has_heartbeat, ..Tracked::new(activity) });
            self.reschedule(op);
        }
        // All attempts that run are known before anything is waited for: who asks for one of them finds it.
        for (op, place) in places {
            match place {
                Place::Queue | Place::Here => self.books.after(After::Enqueue(op)),
                Place::Runs | Place::Waits => {}
                Place::Lost => {
                    let now = self.shared.now();
                    self.attempt_failed(op, None, |activity| activity.restarted(now));
                }
                Place::Refused(failure) => self.close_activity(op, Outcome::Failed(failure), None),
            }
            self.flush_if_heavy().await?;
        }
        Ok(())
    }

    /// A step scheduled an activity. Its first attempt begins when the step is durable, and somebody is free to
    /// make it.
    pub(super) fn start_activity(&mut self, op: Op, command: ActivityCommand, at: Timestamp) {
        let activity = Activity::new(op, command, at);
        self.activities.tracked.insert(op, Tracked { unsaved: true, ..Tracked::new(activity) });
        self.dispatch(op);
    }

    /// The activity may have its next attempt: begins it if somebody is free to make it, else lets it wait.
    fn dispatch(&mut self, op: Op) {
        let now = self.shared.now();
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        tracked.activity.schedule(now);
        if let Some(failure) = self.shared.executor.refuses(&tracked.activity) {
            self.close_activity(op, Outcome::Failed(failure), None);
        } else if self.shared.is_shutting_down() {
            // The next boot goes on with it.
            self.put_activity(op);
        } else if tracked.activity.command.options.local {
            self.dispatch_local(op);
        } else {
            let task = placing::task(self.key, &self.started.task_queue, &tracked.activity);
            match self.shared.queues.try_begin(&task) {
                Some(assignment) => self.begin(op, assignment),
                None => {
                    self.books.after(After::Enqueue(op));
                    self.put_activity(op);
                }
            }
        }
    }

    /// A local activity begins before it is durable: the documented exception. One whose first attempt has not
    /// ended when its step is committed goes on like any other.
    fn dispatch_local(&mut self, op: Op) {
        let now = self.shared.now();
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let Some(permit) = self.shared.queues.local(&tracked.activity.command.name) else {
            // Its row, if it has one, need not say that it waits a little longer.
            let why = Failure::new(FailureKind::Host, "busy", "no slot of this host was free");
            tracked.activity.postpone(now.after(LOCAL_SLOT_PAUSE), why, now);
            self.begin_local(op);
            return;
        };
        tracked.activity.start(Runner::Host, self.shared.boot, now);
        if tracked.unsaved {
            let starts = tracked.activity.starts;
            self.launch(op, starts, permit);
            self.begin_local(op);
        } else {
            self.books.after(After::Launch(op, tracked.activity.starts, permit));
            self.put_activity(op);
        }
    }

    /// The next commit tells of the activity, if none has yet, and waits a little for it.
    fn begin_local(&mut self, op: Op) {
        let now = self.shared.now();
        if self.activities.tracked.get(&op).is_some_and(|tracked| tracked.unsaved) {
            self.activities.unsaved_local.insert(op);
            self.activities.local_until.get_or_insert_with(|| now.after(LOCAL_PATIENCE));
        }
        self.reschedule(op);
    }

    /// What is committed tells of all activities.
    pub(super) fn save_local_activities(&mut self) {
        self.activities.local_until = None;
        let unsaved = std::mem::take(&mut self.activities.unsaved_local);
        unsaved.into_iter().for_each(|op| self.put_activity(op));
    }

    /// The activity's row says that it waits: it is in its task queue from here on.
    pub(super) fn enqueue(&mut self, op: Op) {
        let now = self.shared.now();
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        if !tracked.activity.is_queued() || self.shared.is_shutting_down() {
            return;
        }
        if tracked.activity.command.options.local {
            // It waits for no worker, but for an operator to let it go, or for the next boot.
            self.dispatch_local(op);
            return;
        }
        let task = placing::task(self.key, &self.started.task_queue, &tracked.activity);
        if let Err(full) = self.shared.queues.wait(task) {
            let why = Failure::new(FailureKind::Host, "queue-full", Error::from(full).to_string());
            tracked.activity.postpone(now.after(FULL_QUEUE_PAUSE), why, now);
            self.put_activity(op);
        }
    }

    /// Somebody is free to make the attempt that the activity waited for.
    pub(super) fn assigned(&mut self, op: Op, assignment: Assignment) {
        let Some(tracked) = self.activities.tracked.get(&op) else { return };
        if tracked.activity.is_queued() && !self.shared.is_shutting_down() {
            // A change of its options may have put it in once more.
            self.shared.queues.withdraw(self.key, op);
            self.begin(op, assignment);
        }
    }

    fn begin(&mut self, op: Op, assignment: Assignment) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let (boot, now) = (self.shared.boot, self.shared.now());
        let Assignment { permit, runner } = assignment;
        match runner {
            queues::Runner::Host => {
                tracked.activity.start(Runner::Host, boot, now);
                self.books.after(After::Launch(op, tracked.activity.starts, permit));
            }
            queues::Runner::Worker(offer) => {
                let (identity, poll_id) = (offer.worker.clone(), offer.poll_id.clone());
                tracked.activity.start(Runner::Worker { identity, poll_id }, boot, now);
                self.books.after(After::HandOver(op, tracked.activity.starts, permit, offer));
            }
        }
        self.put_activity(op);
    }

    /// The attempt begins in this process, unless it was over before it was durable.
    pub(super) fn launch(&mut self, op: Op, starts: u32, permit: Permit) {
        if let Some(activity) = self.current(op, starts) {
            self.shared.executor.launch(self.shared, &self.started, activity, permit);
        }
    }

    /// The attempt that the durable row speaks of is its worker's, unless it was over before it was durable.
    pub(super) fn hand_over(&mut self, op: Op, starts: u32, permit: Permit, offer: Offer) {
        let Some(activity) = self.current(op, starts) else { return };
        let task = tasks::of(&self.started, activity);
        let poll_id = offer.poll_id.clone();
        let poll = PollKey { namespace: self.key.namespace.clone(), queue: task.queue.clone(), poll_id };
        let attempt = Attempt::of_worker(starts, poll, permit).told_of(activity);
        self.shared.attempts.insert(self.key, op, Arc::new(attempt));
        offer.answer(Box::new(task));
    }

    /// The activity whose so-many-th attempt runs.
    fn current(&self, op: Op, starts: u32) -> Option<&Activity> {
        let activity = &self.activities.tracked.get(&op)?.activity;
        activity.check_current(starts).is_ok().then_some(activity)
    }

    /// Drafts the activity's row, and notes when something is due for it.
    pub(super) fn put_activity(&mut self, op: Op) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        tracked.unsaved = false;
        self.activities.unsaved_local.remove(&op);
        self.books.put(self.key.activity(op), codec::encode(&tracked.activity));
        self.reschedule(op);
    }

    /// Notes when something is due for the activity next.
    pub(super) fn reschedule(&mut self, op: Op) {
        let Activities { tracked, deadlines, in_process, .. } = &mut self.activities;
        let Some(tracked) = tracked.get_mut(&op) else { return };
        let runs_in_process = matches!(tracked.activity.phase, Phase::Running { runner: Runner::Host, .. });
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        if let Some(old) = tracked.deadline.take() {
            deadlines.remove(&(old, op));
        }
        tracked.deadline = placing::due(&tracked.activity, attempt.as_deref());
        deadlines.extend(tracked.deadline.map(|deadline| (deadline, op)));
        *in_process -= usize::from(tracked.runs_in_process);
        *in_process += usize::from(runs_in_process);
        tracked.runs_in_process = runs_in_process;
    }

    /// The current attempt did not succeed; the machine says what follows.
    pub(super) fn attempt_failed(
        &mut self,
        op: Op,
        reply: Option<Reply>,
        next: impl FnOnce(&mut Activity) -> Next,
    ) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        let until = match next(&mut tracked.activity) {
            Next::Close(outcome) => return self.close_activity(op, outcome, reply),
            Next::Retry(until) => until,
        };
        // A local activity whose pause is over before its step is committed has no row yet.
        let stays = tracked.unsaved && self.activities.local_until.is_some_and(|limit| until <= limit);
        self.books.forget_after(op, attempt);
        self.books.reply_to(reply);
        if stays {
            self.reschedule(op);
        } else {
            self.put_activity(op);
        }
    }

    /// The activity is over; who waits for that being durable is answered then.
    pub(super) fn close_activity(&mut self, op: Op, outcome: Outcome, reply: Option<Reply>) {
        let Some((Tracked { activity, .. }, changes)) = self.forget_activity(op) else { return };
        if !activity.wanted {
            self.books.extend(changes);
            self.books.reply_to(reply);
            return;
        }
        let started_at = match activity.phase {
            Phase::Running { started_at, .. } => Some(started_at),
            Phase::Scheduled { .. } | Phase::Backoff { .. } => None,
        };
        let attempt = if started_at.is_some() { activity.attempt } else { activity.attempt - 1 };
        let closed = Item::ActivityClosed { op, outcome, attempt, started_at };
        if planted!("record-outcome-twice") {
            self.arrive(closed.clone(), Vec::new(), None);
        }
        self.arrive(closed, changes, reply);
    }

    /// Nothing more happens for the activity. Answers what becomes of its rows.
    fn forget_activity(&mut self, op: Op) -> Option<(Tracked, Vec<Change>)> {
        let tracked = self.activities.remove(op)?;
        self.shared.queues.withdraw(self.key, op);
        // Until its end is durable, the attempt is as good as ever for who asks.
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        self.books.forget_after(op, attempt);
        let row = (!tracked.unsaved).then(|| self.key.activity(op));
        let heartbeat = tracked.has_heartbeat.then(|| self.key.heartbeat(op));
        let changes = row.into_iter().chain(heartbeat).map(delete).collect();
        Some((tracked, changes))
    }

    /// Looks after what is due.
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
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        let heard = attempt.as_deref().and_then(Attempt::heard);
        if let Some((_, timeout)) = tracked.activity.next_timeout(heard).filter(|(at, _)| *at <= now) {
            if let Some(attempt) = &attempt {
                take_heartbeat(&mut tracked.activity, attempt);
                attempt.tell(CancelReason::TimedOut);
            }
            tracing::warn!(
                activity = tracked.activity.command.name,
                op,
                timeout = timeout.as_str(),
                "an attempt timed out"
            );
            self.shared.queues.withdraw(self.key, op);
            self.attempt_failed(op, None, |activity| activity.time_out(timeout, now));
        } else if matches!(tracked.activity.phase, Phase::Backoff { .. })
            && tracked.activity.ready_at().is_some_and(|ready| ready <= now)
        {
            self.dispatch(op);
        } else if let Some(attempt) = attempt.filter(|attempt| attempt.keep_at().is_some_and(|at| at <= now))
        {
            self.keep_heartbeat(op, &attempt);
        } else {
            // A heartbeat has put the timeout off.
            self.reschedule(op);
        }
    }

    /// A step asked for the activity's end.
    pub(super) fn cancel_activity(&mut self, op: Op, reason: String) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        let attempt = self.shared.attempts.of(self.key, &tracked.activity);
        match tracked.activity.cancel(&reason) {
            CancelNext::Close => {
                let Some((_, changes)) = self.forget_activity(op) else { return };
                self.books.tell_after(attempt, CancelReason::Requested);
                self.arrive(Item::Canceled { op, reason }, changes, None);
            }
            CancelNext::Tell => {
                self.put_activity(op);
                self.books.tell_after(attempt, CancelReason::Requested);
            }
            CancelNext::Abandon => {
                self.put_activity(op);
                self.arrive(Item::Canceled { op, reason }, Vec::new(), None);
            }
        }
    }

    /// The run does not want the activity's outcome any more.
    pub(super) fn detach_activity(&mut self, op: Op) {
        let Some(tracked) = self.activities.tracked.get_mut(&op) else { return };
        tracked.activity.wanted = false;
        self.put_activity(op);
    }

    /// The run has ended: its attempts are told, and nobody waits for them. All rows go: those that are drafted
    /// and not yet in the store, and those that are not tracked, since they were left for the next boot or a run
    /// that is terminated has not read them.
    pub(super) fn close_activities(&mut self) -> Result<(), Gone> {
        let mut ops: BTreeSet<Op> = self.activities.tracked.keys().copied().collect();
        for prefix in [self.key.activities(), self.key.heartbeats()] {
            let rows = rows::read_all(&*self.shared.store, &prefix)?;
            ops.extend(rows.iter().filter_map(|(key, _)| Prefix::last_number(key)));
        }
        for op in ops {
            self.shared.queues.withdraw(self.key, op);
            let attempt = self.shared.attempts.get(self.key, op);
            self.books.tell_after(attempt.clone(), CancelReason::Requested);
            self.books.forget_after(op, attempt);
            self.books.delete(self.key.activity(op));
            self.books.delete(self.key.heartbeat(op));
        }
        self.activities = Activities::default();
        Ok(())
    }

    /// Drafts the newest heartbeats of what does not run here, whose time to be made durable has not come: nobody
    /// would be there to do it then.
    pub(super) fn keep_heartbeats(&mut self) {
        for op in self.activities.elsewhere() {
            let attempt = self.shared.attempts.get(self.key, op);
            if let Some(attempt) = attempt.filter(|found| found.keep_at().is_some()) {
                self.keep_heartbeat(op, &attempt);
            }
        }
    }

    /// The host is stopping, and nothing is drafted: the attempts in this process are told, and nobody waits for
    /// what does not run here. Its rows stay, for the next boot, with the newest heartbeats.
    pub(super) fn stop_activities(&mut self) {
        self.keep_heartbeats();
        for op in self.activities.elsewhere() {
            self.activities.remove(op);
        }
        for op in self.activities.tracked.keys() {
            if let Some(attempt) = self.shared.attempts.get(self.key, *op) {
                attempt.tell(CancelReason::Shutdown);
            }
        }
    }

    /// The owner goes, and the attempt has ended with the host: the next boot finds it, with its last heartbeat.
    pub(super) fn leave_activity(&mut self, op: Op, attempt: &Attempt) {
        if self.activities.tracked.get(&op).is_some_and(|tracked| tracked.unsaved) {
            self.put_activity(op);
        }
        if attempt.keep_at().is_some() {
            self.keep_heartbeat(op, attempt);
        }
        self.activities.remove(op);
    }

    /// When the run is to be looked at again, once it has no owner.
    pub(super) fn set_alarm(&self) {
        let shared: &Shared = self.shared;
        shared.alarms.set(self.key, self.activities.next_deadline());
    }
}

/// Keeps the latest heartbeat with the activity, for the next attempt and the failure.
pub(super) fn take_heartbeat(activity: &mut Activity, attempt: &Attempt) {
    if let Some(Beat { at, details }) = attempt.latest() {
        activity.heard(at, details);
    }
}
