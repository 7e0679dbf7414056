//! Who commits when, what poisons the store, and the two threads behind it.
//!
//! **Turns.** Writing to the log takes a turn, and one turn is held at a time. A commit that finds no turn taken and
//! nobody waiting takes it and writes on the calling thread: one client pays for no thread switch. Commits that arrive
//! meanwhile wait, and the committer thread writes all of them as one group; whoever writes for itself never loops for
//! others. Waiting commits are decided in the order of arrival.
//!
//! **Poison.** After a failed append or sync nobody knows what is on the disk, so nothing is decided or acknowledged any
//! more. A failure to bring the state up to date, to read it, or a panic in the middle of any of these has the same end:
//! the process is to exit, and opening again reads what is there. Reads go on showing what was durable before.
//!
//! **Locks**, in the order in which they may be taken together: the log, control, the tail's view. The log's lock belongs
//! to whoever has the turn, so nobody ever waits for it.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::RedbOptions;
use super::dir::FreeSpace;
use super::entry;
use super::log::Log;
use super::state::StateDb;
use super::tail::Tail;
use crate::batch::{Batch, Change, Class, Table};
use crate::store::{Answer, Commit, CommitError, Health, StoreError};

/// The largest batch: a step with many payloads fits, and the log's and the tail's memory hold several of them.
pub const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// A group takes waiting batches until it is this large (and at least one), so that the first of a group does not wait
/// for the writing of many megabytes of the others, and a group fits into the log's page cache.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

type Outcome = Result<(), CommitError>;

/// Everything the calling threads, the committer and the applier share.
pub(super) struct Core {
    control: Mutex<Control>,
    /// Tells the committer: someone waits and there is no turn.
    to_commit: Condvar,
    /// Tells the applier: there is something to apply.
    to_apply: Condvar,
    /// Tells those who close or flush that something has come to its end.
    progress: Condvar,
    log: Mutex<Box<dyn Log>>,
    space: Mutex<FreeSpace>,
    tail: Tail,
    state: StateDb,
    /// The newest entry that is durable in the state.
    applied: AtomicU64,
    poisoned: OnceLock<String>,
    apply_bytes: usize,
    apply_after: Duration,
    tail_bytes: usize,
}

#[derive(Default)]
struct Control {
    waiting: VecDeque<(Batch, Answer)>,
    /// Someone has the turn.
    committing: bool,
    /// What the applier sleeps for.
    applier: Applier,
    /// Someone wants the state to be brought up to this entry now.
    flush_to: u64,
    /// No new commits.
    closed: bool,
    /// The threads end.
    stopped: bool,
}

#[derive(Default, PartialEq)]
enum Applier {
    #[default]
    Awake,
    /// Until anything is committed.
    AwaitsAny,
    /// Until much is committed, or for a while.
    AwaitsMuch,
}

/// Changes that were decided together and are not yet durable.
#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    values: HashMap<(Table, Bytes), Option<Bytes>>,
}

/// The right to write to the log; giving it up lets the next one write.
struct Turn<'a>(&'a Core);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("a commit panicked");
        }
        let bytes = self.0.tail.bytes();
        let mut control = self.0.control();
        control.committing = false;
        if !control.waiting.is_empty() {
            self.0.to_commit.notify_one();
        }
        let wakes = match control.applier {
            Applier::Awake => false,
            Applier::AwaitsAny => bytes > 0,
            Applier::AwaitsMuch => bytes >= self.0.apply_bytes,
        };
        if wakes {
            self.0.to_apply.notify_one();
        }
        if control.closed {
            self.0.progress.notify_all();
        }
    }
}

impl Core {
    pub(super) fn new(
        options: &RedbOptions,
        log: Box<dyn Log>,
        state: StateDb,
        tail: Tail,
        space: FreeSpace,
        applied: u64,
    ) -> Self {
        Self {
            control: Mutex::default(),
            to_commit: Condvar::new(),
            to_apply: Condvar::new(),
            progress: Condvar::new(),
            log: Mutex::new(log),
            space: Mutex::new(space),
            tail,
            state,
            applied: AtomicU64::new(applied),
            poisoned: OnceLock::new(),
            apply_bytes: options.apply_bytes,
            apply_after: options.apply_after,
            tail_bytes: options.tail_bytes,
        }
    }

    pub(super) fn tail(&self) -> &Tail {
        &self.tail
    }

    // ---- committing

    pub(super) fn commit(&self, batch: Batch) -> Commit {
        let bytes = batch.bytes();
        if bytes > MAX_BATCH_BYTES {
            return Commit::known(Err(CommitError::TooLarge { bytes, limit: MAX_BATCH_BYTES }));
        }
        let mut control = self.control();
        if let Some(reason) = self.poisoned.get() {
            return Commit::known(Err(CommitError::Poisoned(reason.clone())));
        }
        if control.closed {
            return Commit::known(Err(CommitError::Closed));
        }
        let nobody_else = !control.committing && control.waiting.is_empty();
        if nobody_else && self.has_room() {
            control.committing = true;
            drop(control);
            let _turn = Turn(self);
            let outcome = self.commit_group(vec![batch]).pop();
            return Commit::known(outcome.unwrap_or(Ok(())));
        }
        let (answer, commit) = Commit::pending();
        control.waiting.push_back((batch, answer));
        if !control.committing {
            self.to_commit.notify_one();
        }
        commit
    }

    /// The committer thread: writes what waits, as groups, until the store stops.
    pub(super) fn run_committer(&self) {
        while let Some((turn, group)) = self.next_group() {
            let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let outcomes = self.commit_group(batches);
            // Answered while the turn is still held: those who commit again at once gather for the next group, instead
            // of the fastest one taking the turn for itself.
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                answer.send(outcome);
            }
            drop(turn);
        }
    }

    fn next_group(&self) -> Option<(Turn<'_>, Vec<(Batch, Answer)>)> {
        let mut control = self.control();
        while !control.stopped {
            if !control.committing && !control.waiting.is_empty() && self.has_room() {
                control.committing = true;
                let group = take_group(&mut control.waiting);
                return Some((Turn(self), group));
            }
            control = self.to_commit.wait(control).unwrap_or_else(PoisonError::into_inner);
        }
        let waiting = std::mem::take(&mut control.waiting);
        drop(control);
        for (_batch, answer) in waiting {
            answer.send(Err(CommitError::Closed));
        }
        None
    }

    /// Whether the tail can take another group.
    fn has_room(&self) -> bool {
        self.tail.bytes() < self.tail_bytes
    }

    /// Decides the batches in order and makes what was decided durable, then visible. The caller has the turn.
    fn commit_group(&self, batches: Vec<Batch>) -> Vec<Outcome> {
        let count = batches.len();
        self.try_commit_group(batches)
            .unwrap_or_else(|reason| vec![Err(CommitError::Poisoned(reason)); count])
    }

    fn try_commit_group(&self, batches: Vec<Batch>) -> Result<Vec<Outcome>, String> {
        if let Some(reason) = self.poisoned.get() {
            return Err(reason.clone());
        }
        let shortage = self.shortage();
        let mut group = Group::default();
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            let outcome = match shortage {
                Some((free, reserve)) if batch.class == Class::Intake => {
                    Err(CommitError::Full { free, reserve })
                }
                _ => self.decide(batch, &mut group).map_err(|error| self.poison(error))?,
            };
            outcomes.push(outcome);
        }
        if !group.changes.is_empty() {
            let seq = self.tail.last_seq() + 1;
            let entry = entry::encode(seq, &group.changes);
            let mut log = self.log();
            log.trim(self.applied());
            log.append(seq, &entry).map_err(|error| self.poison(error))?;
            self.tail.add(seq, group.changes, entry.len());
        }
        Ok(outcomes)
    }

    /// Adds the batch to the group if its preconditions hold, given the group so far.
    fn decide(&self, batch: Batch, group: &mut Group) -> Result<Outcome, StoreError> {
        let conflict = batch.first_conflict(|table, key| match group.values.get(&(table, key.clone())) {
            Some(value) => Ok(value.clone()),
            None => self.tail.get(table, key),
        })?;
        if let Some(index) = conflict {
            let precondition = batch.preconditions[index].clone();
            return Ok(Err(CommitError::Conflict { index, precondition }));
        }
        for change in batch.changes {
            let (table, key, value) = change.parts();
            group.values.insert((table, key.clone()), value.cloned());
            group.changes.push(change);
        }
        Ok(Ok(()))
    }

    // ---- applying

    /// The applier thread: brings the state up to date, again and again, until the store stops.
    pub(super) fn run_applier(&self) {
        while self.wait_for_changes() {
            let layer = self.tail.freeze();
            match self.state.apply(&layer).and_then(|()| self.state.snapshot()) {
                Ok(snapshot) => self.tail.thaw(snapshot),
                Err(error) => {
                    self.poison(error);
                    return;
                }
            }
            self.applied.store(layer.last_seq(), Ordering::Release);
            // Under the lock, so that whoever just found no room is already waiting.
            let _control = self.control();
            self.to_commit.notify_one();
            self.progress.notify_all();
        }
    }

    /// Waits until it is worth a pass; false when the store stops.
    fn wait_for_changes(&self) -> bool {
        let mut control = self.control();
        while !control.stopped && self.tail.bytes() == 0 {
            control.applier = Applier::AwaitsAny;
            control = self.to_apply.wait(control).unwrap_or_else(PoisonError::into_inner);
        }
        let deadline = Instant::now() + self.apply_after;
        while !control.stopped && self.tail.bytes() < self.apply_bytes && control.flush_to <= self.applied() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            control.applier = Applier::AwaitsMuch;
            control = self.to_apply.wait_timeout(control, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        control.applier = Applier::Awake;
        !control.stopped
    }

    fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    // ---- ending

    /// Waits until the state has everything that is visible now.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let target = self.tail.last_seq();
        let mut control = self.control();
        control.flush_to = control.flush_to.max(target);
        self.to_apply.notify_one();
        while self.applied() < target {
            self.check_poison()?;
            control = self.progress.wait(control).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Decides what waits, refuses what comes, and leaves an empty log behind.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        let mut control = self.control();
        control.closed = true;
        while control.committing || !control.waiting.is_empty() {
            control = self.progress.wait(control).unwrap_or_else(PoisonError::into_inner);
        }
        drop(control);
        self.flush()?;
        self.check_poison()?;
        // No commit is taken any more, so the turn is free for good.
        let mut log = self.log();
        log.trim(self.applied());
        log.finish().inspect_err(|error| {
            self.poison(error);
        })
    }

    /// Ends the threads. What waits is refused.
    pub(super) fn stop(&self) {
        let mut control = self.control();
        control.closed = true;
        control.stopped = true;
        self.to_commit.notify_all();
        self.to_apply.notify_all();
    }

    /// Runs a thread's body; a panic in it poisons the store rather than leaving it mute.
    pub(super) fn guarded(&self, body: fn(&Core)) {
        if catch_unwind(AssertUnwindSafe(|| body(self))).is_err() {
            self.poison("a thread of the store panicked");
        }
    }

    // ---- health

    /// The free bytes and the reserve, if the former are fewer.
    fn shortage(&self) -> Option<(u64, u64)> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner).shortage()
    }

    pub(super) fn health(&self) -> Health {
        if let Some(reason) = self.poisoned.get() {
            Health::Poisoned(reason.clone())
        } else if self.control().closed {
            Health::Closed
        } else if self.shortage().is_some() {
            Health::Full
        } else {
            Health::Ok
        }
    }

    /// Ends all committing, for this reason or for the one that came first, which is returned.
    fn poison(&self, reason: impl std::fmt::Display) -> String {
        let reason = self.poisoned.get_or_init(|| {
            tracing::error!(%reason, "the store takes no more commits");
            reason.to_string()
        });
        // Those who wait are answered here: the thread that would have done it may be gone. Nobody joins them, since a
        // commit looks for poison under the same lock.
        let waiting = std::mem::take(&mut self.control().waiting);
        self.progress.notify_all();
        for (_batch, answer) in waiting {
            answer.send(Err(CommitError::Poisoned(reason.clone())));
        }
        reason.clone()
    }

    fn check_poison(&self) -> Result<(), StoreError> {
        self.poisoned.get().map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason.clone())))
    }

    /// The log, for the holder of the turn.
    fn log(&self) -> MutexGuard<'_, Box<dyn Log>> {
        // A panic while it was held has poisoned the store, so nobody writes to it any more.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // Every change under this lock is a single assignment, so a panic elsewhere leaves it whole.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_group(waiting: &mut VecDeque<(Batch, Answer)>) -> Vec<(Batch, Answer)> {
    let mut group = Vec::with_capacity(waiting.len());
    let mut bytes = 0;
    while let Some((batch, _)) = waiting.front() {
        bytes += batch.bytes();
        if bytes > GROUP_BYTES && !group.is_empty() {
            break;
        }
        group.extend(waiting.pop_front());
    }
    group
}
