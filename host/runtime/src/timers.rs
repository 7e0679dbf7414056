//! Durable timers: the next ones in memory, the rest on disk, loaded in bounded pieces.
//!
//! What is in memory is exactly the rows below `loaded_to`. A timer that becomes durable is put in when its
//! key is below that, and otherwise left to a later piece. So nothing is read, and nobody wakes, before something is due. A timer's row goes when its run has taken the
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

use crate::clock::{Clock, sleep_until};

/// Rows of one piece. Bounds the length of one read, and memory: at twice as many the later ones are left to the disk.
const PIECE: usize = 10_000;

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
    /// Every row below this key is in memory.
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
        if near.due.len() > 2 * PIECE {
            let cut = near.due.iter().nth(PIECE).copied().expect("there are more");
            near.due.split_off(&cut);
            let (deadline, of, op) = cut;
            near.loaded_to = RunKey::new(self.namespace.clone(), of).timer(deadline, op).bytes;
        }
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
            self.load()?;
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
                () = sleep_until(&*self.clock, next) => {}
                () = changed => {}
            }
        }
    }

    /// Reads the next piece when there is little in memory.
    fn load(&self) -> Result<(), StoreError> {
        let mut near = self.lock();
        let end = Prefix::namespace(Table::Timers, &self.namespace).end();
        while near.loaded_to < end && near.due.len() < PIECE / 2 {
            let rows = self.store.range(Table::Timers, &near.loaded_to, &end, Order::Ascending, PIECE)?;
            let full = rows.len() == PIECE;
            near.loaded_to = match rows.last() {
                Some((last, _)) if full => after(last),
                Some(_) | None => end.clone(),
            };
            near.due.extend(rows.iter().filter_map(|(key, _)| Prefix::timer_of(&self.namespace, key)));
        }
        Ok(())
    }

    /// The timers that are due, and when the next one is. Those on disk are later.
    fn take_due(&self, now: Timestamp) -> (Vec<(Timestamp, RunId, Op)>, Option<Timestamp>) {
        let mut near = self.lock();
        let later = near.due.split_off(&(Timestamp(now.0.saturating_add(1)), RunId::from_bytes([0; 16]), 0));
        let due = std::mem::replace(&mut near.due, later).into_iter().collect();
        (due, near.due.first().map(|(deadline, _, _)| *deadline))
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
    async fn what_is_not_in_memory_is_on_disk_and_fires_in_its_order() {
        let (namespace, store) = (Namespace::default(), Arc::new(MemoryStore::new()));
        let run = RunKey::new(namespace.clone(), RunId::from_bytes([1; 16]));
        let timers = Timers::new(namespace, store.clone(), Arc::new(SystemClock));
        timers.load().expect("nothing");
        let all = 3 * PIECE as u64;
        // Each is earlier than the one before.
        for op in (1..=all).rev() {
            let row = run.timer(Timestamp(op), op);
            store.commit(Batch::new().put(row.table, row.bytes, Bytes::new())).await.expect("a commit");
            timers.started(&run, Timestamp(op), op);
        }
        assert!(timers.lock().due.len() <= 2 * PIECE);
        for moment in (PIECE as u64 / 4..=all).step_by(PIECE / 4) {
            timers.load().expect("a piece");
            let (due, next) = timers.take_due(Timestamp(moment));
            assert_eq!(due.len(), PIECE / 4);
            assert_eq!(next, (moment < all).then_some(Timestamp(moment + 1)));
        }
    }

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
