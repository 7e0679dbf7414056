//! When the runs that have no owner are to be looked at again: the next timeout or retry of their activities.
//!
//! In memory alone. What is due follows from the activities' rows, which a boot reads; an alarm that rings for
//! nothing costs a look.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use refrain_engine::time::Timestamp;
use refrain_store::schema::RunKey;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::clock::{Clock, sleep_until};

/// Runs that were woken and have not looked around yet: when a host comes back after a long time, everything is
/// due.
const RINGING: usize = 1_000;

/// The alarms of all runs.
pub(crate) struct Alarms {
    clock: Arc<dyn Clock>,
    set: Mutex<Set>,
    changed: Notify,
    ringing: Arc<Semaphore>,
}

#[derive(Default)]
struct Set {
    due: BTreeSet<(Timestamp, RunKey)>,
    of_run: HashMap<RunKey, Timestamp>,
}

impl Alarms {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let ringing = Arc::new(Semaphore::new(RINGING));
        Self { clock, set: Mutex::default(), changed: Notify::new(), ringing }
    }

    /// Sets the run's only alarm, or takes it away.
    pub(crate) fn set(&self, key: &RunKey, at: Option<Timestamp>) {
        let mut set = self.lock();
        if at.is_none() && set.of_run.is_empty() {
            return;
        }
        let old = match at {
            Some(at) => set.of_run.insert(key.clone(), at),
            None => set.of_run.remove(key),
        };
        if let Some(old) = old {
            set.due.remove(&(old, key.clone()));
        }
        let Some(at) = at else { return };
        set.due.insert((at, key.clone()));
        if set.due.first().is_some_and(|(first, _)| *first == at) {
            drop(set);
            self.changed.notify_one();
        }
    }

    /// Rings alarms as they come due, for ever.
    pub(crate) async fn run(&self, ring: impl Fn(RunKey, OwnedSemaphorePermit)) {
        loop {
            let now = self.clock.now();
            while let Some(key) = self.take_due(now) {
                let Ok(permit) = Arc::clone(&self.ringing).acquire_owned().await else { return };
                ring(key, permit);
            }
            let changed = self.changed.notified();
            let next = self.lock().due.first().map(|(at, _)| *at);
            tokio::select! {
                () = sleep_until(&*self.clock, next) => {}
                () = changed => {}
            }
        }
    }

    fn take_due(&self, now: Timestamp) -> Option<RunKey> {
        let mut set = self.lock();
        let (at, _) = set.due.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = set.due.pop_first()?;
        set.of_run.remove(&key);
        Some(key)
    }

    fn lock(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
