//! The attempts that run, in this process and outside of it: their heartbeats, and what they are to be told.
//!
//! An owner may go while attempts of its activities run elsewhere; what must be known about them meanwhile is
//! here. Nothing here is durable: after a boot the attempts of workers are put in again from the activities' rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use refrain_engine::activity::Activity;
use refrain_engine::ids::{Namespace, Op};
use refrain_engine::limits;
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_plugin::{CancelReason, CancelSource};
use refrain_store::schema::RunKey;

use crate::activity_types::HeartbeatAnswer;
use crate::queues::Permit;

/// How often the newest heartbeat of an attempt is made durable at most: often enough to watch progress, and
/// seldom enough that an activity may beat for each piece of its work.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The poll that a worker got an attempt with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PollKey {
    pub(crate) namespace: Namespace,
    pub(crate) queue: String,
    pub(crate) poll_id: String,
}

/// The attempts that run.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<Running>);

#[derive(Default)]
struct Running {
    attempts: HashMap<(RunKey, Op), Arc<Attempt>>,
    polls: HashMap<PollKey, (RunKey, Op)>,
}

impl Attempts {
    /// An attempt begins; it takes the place of an earlier one of the same activity.
    pub(crate) fn insert(&self, key: &RunKey, op: Op, attempt: Arc<Attempt>) {
        let (name, poll) = ((key.clone(), op), attempt.poll.clone());
        let mut running = self.lock();
        let earlier = running.attempts.insert(name.clone(), attempt);
        if let Some(earlier) = earlier.as_deref().filter(|earlier| earlier.poll != poll) {
            forget_poll(&mut running, &name, earlier);
        }
        running.polls.extend(poll.map(|poll| (poll, name)));
        // What the earlier one held is given back outside of the lock.
        drop(running);
    }

    pub(crate) fn get(&self, key: &RunKey, op: Op) -> Option<Arc<Attempt>> {
        self.lock().attempts.get(&(key.clone(), op)).cloned()
    }

    /// The attempt that the activity's state speaks of, if one runs.
    pub(crate) fn of(&self, key: &RunKey, activity: &Activity) -> Option<Arc<Attempt>> {
        let attempt = self.get(key, activity.op)?;
        activity.check_current(attempt.starts).is_ok().then_some(attempt)
    }

    /// Nobody waits for this attempt any more.
    pub(crate) fn forget(&self, key: &RunKey, op: Op, attempt: &Arc<Attempt>) {
        if self.is_current(key, op, attempt) {
            self.remove(key, op);
        }
    }

    /// The activity's current attempt has ended.
    pub(crate) fn remove(&self, key: &RunKey, op: Op) -> Option<Arc<Attempt>> {
        let mut running = self.lock();
        let name = (key.clone(), op);
        let attempt = running.attempts.remove(&name)?;
        forget_poll(&mut running, &name, &attempt);
        Some(attempt)
    }

    /// Whether this attempt, and no other one that is numbered like it, is what runs for the activity: a local one
    /// of a step that was never committed begins once more under the same number.
    pub(crate) fn is_current(&self, key: &RunKey, op: Op, attempt: &Arc<Attempt>) -> bool {
        self.get(key, op).is_some_and(|current| Arc::ptr_eq(&current, attempt))
    }

    /// The attempt that was handed out to this poll and still runs.
    pub(crate) fn of_poll(&self, poll: &PollKey) -> Option<(RunKey, Op, u32)> {
        let running = self.lock();
        let (key, op) = running.polls.get(poll)?;
        let starts = running.attempts.get(&(key.clone(), *op))?.starts;
        Some((key.clone(), *op, starts))
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_poll(running: &mut Running, name: &(RunKey, Op), attempt: &Attempt) {
    if let Some(poll) = &attempt.poll
        && running.polls.get(poll) == Some(name)
    {
        running.polls.remove(poll);
    }
}

/// One attempt that runs.
pub(crate) struct Attempt {
    /// Which attempt of its activity.
    pub(crate) starts: u32,
    /// Where an attempt in this process hears that it should stop.
    cancel: Option<CancelSource>,
    /// The poll that a worker got it with.
    poll: Option<PollKey>,
    state: Mutex<State>,
    /// What counts a worker's attempt in its queue, until it ends.
    _permit: Option<Permit>,
}

#[derive(Default)]
struct State {
    /// What the next heartbeat is answered.
    told: HeartbeatAnswer,
    latest: Option<Beat>,
    silent_since: Option<Timestamp>,
    /// The owner knows that there is a heartbeat to make durable.
    noted: bool,
    /// When one was made durable.
    kept_at: Option<Timestamp>,
}

/// A heartbeat.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    pub(crate) at: Timestamp,
    pub(crate) details: Option<Payload>,
}

impl Attempt {
    /// An attempt in this process.
    pub(crate) fn in_process(starts: u32, cancel: CancelSource) -> Self {
        Self { starts, cancel: Some(cancel), poll: None, state: Mutex::default(), _permit: None }
    }

    /// An attempt of a worker.
    pub(crate) fn of_worker(starts: u32, poll: PollKey, permit: Permit) -> Self {
        Self { starts, cancel: None, poll: Some(poll), state: Mutex::default(), _permit: Some(permit) }
    }

    /// An attempt that answered *pending*.
    pub(crate) fn outside(starts: u32) -> Self {
        Self { starts, cancel: None, poll: None, state: Mutex::default(), _permit: None }
    }

    /// This was the attempt's newest heartbeat.
    pub(crate) fn heard_at(self, latest: Beat) -> Self {
        self.lock().latest = Some(latest);
        self
    }

    /// Its silence counts from here: before, there was no host that it could have sent a heartbeat to.
    pub(crate) fn silent_since(self, at: Timestamp) -> Self {
        self.lock().silent_since = Some(at);
        self
    }

    /// The attempt hears what is known already: it begins, or somebody else goes on with it.
    pub(crate) fn told_of(self, activity: &Activity) -> Self {
        let reasons = [
            (activity.cancel_reason.is_some(), CancelReason::Requested),
            (activity.paused.is_some(), CancelReason::Paused),
            (activity.reset.is_some(), CancelReason::Reset),
        ];
        reasons.into_iter().filter(|(is_so, _)| *is_so).for_each(|(_, reason)| self.tell(reason));
        self
    }

    /// Tells the attempt to stop: one in this process at once, another one with the answer to its next heartbeat.
    pub(crate) fn tell(&self, reason: CancelReason) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel(reason);
        }
        let told = &mut self.lock().told;
        match reason {
            CancelReason::Paused => told.paused = true,
            CancelReason::Reset => told.reset = true,
            _ => told.cancel_requested = true,
        }
    }

    /// The activity is not paused any more, before the attempt took notice.
    pub(crate) fn untell_paused(&self) {
        self.lock().told.paused = false;
    }

    /// A heartbeat came. Details that no payload may have are dropped: the heartbeat counts all the same, and one
    /// without details leaves those before. Answers what the attempt is to be told, and whether the owner has yet
    /// to hear that there is one to keep.
    pub(crate) fn beat(&self, beat: Beat) -> (HeartbeatAnswer, bool) {
        let mut state = self.lock();
        let details = beat.details.filter(|details| details.size() <= limits::CURRENT.payload_bytes);
        let details = details.or_else(|| state.latest.take()?.details);
        state.latest = Some(Beat { at: beat.at, details });
        let is_news = !std::mem::replace(&mut state.noted, true);
        (state.told, is_news)
    }

    /// The newest heartbeat.
    pub(crate) fn latest(&self) -> Option<Beat> {
        self.lock().latest.clone()
    }

    /// When the attempt was last heard of, as far as its heartbeat timeout goes.
    pub(crate) fn heard(&self) -> Option<Timestamp> {
        let state = self.lock();
        state.latest.as_ref().map(|beat| beat.at).max(state.silent_since)
    }

    /// When the newest heartbeat is to be made durable, if it is to be.
    pub(crate) fn keep_at(&self) -> Option<Timestamp> {
        let state = self.lock();
        let earliest = state.kept_at.map_or(Timestamp::default(), |at| at.after(HEARTBEAT_INTERVAL));
        state.noted.then_some(earliest)
    }

    /// The heartbeat that is made durable now.
    pub(crate) fn take_to_keep(&self, now: Timestamp) -> Option<Beat> {
        let mut state = self.lock();
        state.noted = false;
        state.kept_at = Some(now);
        state.latest.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
