//! Durable timers: those of the near future in memory, the rest on disk, loaded in bounded pieces.
//!
//! What is in memory is exactly the rows up to `loaded_to`. A timer that becomes durable is put in when its
//! key is below that, and otherwise left to a later piece. A timer's row goes when its run has taken the
//! firing in; until then a crash fires it again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_engine::planted;
use refrain_engine::time::Timestamp;
use refrain_store::schema::{Prefix, RunKey, after};
use refrain_store::{Order, Store, StoreError, Table};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;

/// Rows of one piece. Bounds memory and the length of one read.
const PIECE: usize = 10_000;

/// How far into the future a piece reaches at most, so that short timers never wait for a read.
const HORIZON: Duration = Duration::from_secs(60);

/// Firings on their way to runs at once: when a host comes back after a long time, everything is due.
const FIRING: usize = 1_000;

/// The timers of one namespace.
pub(crate) struct Timers {
    namespace: Namespace,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    near: Mutex<Near>,
    changed: Notify,
    /// Bounds the firings that no run has taken in.
    firing: Arc<Semaphore>,
}

struct Near {
    /// Every row below this key was read.
    loaded_to: Bytes,
    due: BTreeSet<(Timestamp, RunId, Op)>,
}

impl Timers {
    pub(crate) fn new(namespace: Namespace, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let loaded_to = Prefix::namespace(Table::Timers, &namespace).bytes;
        let near = Mutex::new(Near { loaded_to, due: BTreeSet::new() });
        Self {
            namespace,
            store,
            clock,
            near,
            changed: Notify::new(),
            firing: Arc::new(Semaphore::new(FIRING)),
        }
    }

    /// A timer's row is durable.
    pub(crate) fn started(&self, run: &RunKey, deadline: Timestamp, op: Op) {
        let mut near = self.lock();
        if run.timer(deadline, op).bytes >= near.loaded_to {
            return;
        }
        let timer = (deadline, run.run, op);
        near.due.insert(timer);
        if near.due.first() == Some(&timer) {
            drop(near);
            self.changed.notify_one();
        }
    }

    /// A timer's row is gone.
    pub(crate) fn removed(&self, run: &RunKey, deadline: Timestamp, op: Op) {
        self.lock().due.remove(&(deadline, run.run, op));
    }

    /// Hands over timers as they come due, for ever.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn run(
        &self,
        fire: impl Fn(RunKey, Op, Timestamp, OwnedSemaphorePermit),
    ) -> Result<(), StoreError> {
        loop {
            let mut now = self.clock.now();
            if planted!("timer-early") {
                now = now.after(Duration::from_millis(50));
            }
            self.load(now)?;
            let (due, next) = self.take_due(now);
            if !due.is_empty() {
                for (deadline, run, op) in due {
                    let Ok(permit) = Arc::clone(&self.firing).acquire_owned().await else { return Ok(()) };
                    fire(RunKey::new(self.namespace.clone(), run), op, deadline, permit);
                }
                // There may be room for another piece, with timers that are due in it.
                continue;
            }
            let changed = self.changed.notified();
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = changed => {}
            }
        }
    }

    /// Reads the next piece when what is in memory ends within half of the horizon.
    fn load(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut near = self.lock();
        loop {
            let (_, wanted) = Prefix::timers_before(&self.namespace, now.after(HORIZON / 2));
            if near.loaded_to >= wanted || near.due.len() >= PIECE {
                return Ok(());
            }
            let (_, to) = Prefix::timers_before(&self.namespace, now.after(HORIZON));
            let rows = self.store.range(Table::Timers, &near.loaded_to, &to, Order::Ascending, PIECE)?;
            let full = rows.len() == PIECE;
            near.loaded_to = match rows.last() {
                Some((last, _)) if full => after(last),
                Some(_) | None => to,
            };
            near.due.extend(rows.iter().filter_map(|(key, _)| Prefix::timer_of(&self.namespace, key)));
        }
    }

    /// The timers that are due, and when to look again.
    fn take_due(&self, now: Timestamp) -> (Vec<(Timestamp, RunId, Op)>, Timestamp) {
        let mut near = self.lock();
        let later = near.due.split_off(&(Timestamp(now.0.saturating_add(1)), RunId::from_bytes([0; 16]), 0));
        let due = std::mem::replace(&mut near.due, later).into_iter().collect();
        let look_again = now.after(HORIZON / 4);
        let first = near.due.first();
        (due, first.map_or(look_again, |(deadline, _, _)| (*deadline).min(look_again)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Near> {
        self.near.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use refrain_store::{Batch, MemoryStore};

    use super::*;
    use crate::clock::SystemClock;

    #[tokio::test]
    async fn what_is_overdue_is_handed_over_a_bounded_number_at_a_time() {
        let (namespace, store) = (Namespace::default(), Arc::new(MemoryStore::new()));
        let run = RunKey::new(namespace.clone(), RunId::from_bytes([1; 16]));
        let mut batch = Batch::new();
        for op in 1..=2_500 {
            let row = run.timer(Timestamp(op), op);
            batch = batch.put(row.table, row.bytes, Bytes::new());
        }
        store.commit(batch).await.expect("a commit");
        let timers = Timers::new(namespace, store, Arc::new(SystemClock));
        let fired = Mutex::new(Vec::new());
        let mut firing =
            Box::pin(timers.run(|_, op, _, permit| fired.lock().expect("sound").push((op, permit))));
        let mut seen = Vec::new();
        for expected in [FIRING, FIRING, 500] {
            // Tokio interrupts a task that never waits, so one look may not be enough.
            for _ in 0..100 {
                assert!(futures::poll!(&mut firing).is_pending());
                tokio::task::yield_now().await;
            }
            let taken = std::mem::take(&mut *fired.lock().expect("sound"));
            assert_eq!(taken.len(), expected);
            seen.extend(taken.into_iter().map(|(op, _)| op));
        }
        assert_eq!(seen.len(), 2_500);
        assert!(seen.is_sorted());
    }
}
