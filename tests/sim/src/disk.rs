//! The store of a simulated host: slow, full, failing, and gone at a crash with what it had not yet written.
//!
//! It wraps a real store. Batches are submitted to that in the order of the commits, each after a drawn delay, and only
//! then answered; a crash keeps a drawn number of those that still wait, as a disk does whose writes were on their way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use refrain_runtime::Clock;
use refrain_store::{
    Answer, Batch, Class, Commit, CommitError, Health, Order, Row, Store, StoreError, Table,
};
use tokio::sync::Notify;

use crate::clock::SimClock;
use crate::random::Random;
use crate::trace::{Event, Trace};

/// What goes wrong in one life of the store.
#[derive(Clone, Debug, Default)]
pub struct DiskFaults {
    /// How many of a hundred commits take a while, up to `slowest`.
    pub slow_percent: u64,
    /// The longest a commit takes.
    pub slowest: Duration,
    /// The write that fails, after which nobody knows what is on the disk.
    pub fails_at: Option<u64>,
    /// Between these writes the disk is nearly full.
    pub full: std::ops::Range<u64>,
}

/// See the module's documentation. Clones are the same store.
#[derive(Clone)]
pub struct SimStore(Arc<Shared>);

struct Shared {
    inner: Arc<dyn Store>,
    clock: SimClock,
    trace: Trace,
    faults: DiskFaults,
    state: Mutex<State>,
    arrived: Notify,
}

struct State {
    random: Random,
    writes: u64,
    poisoned: Option<String>,
    waiting: VecDeque<(Batch, Answer)>,
}

impl SimStore {
    /// A store over another one. In a tokio runtime, as it has a task.
    pub fn new(
        inner: Arc<dyn Store>,
        clock: SimClock,
        trace: Trace,
        faults: DiskFaults,
        random: Random,
    ) -> Self {
        let state = State { random, writes: 0, poisoned: None, waiting: VecDeque::new() };
        let state = Mutex::new(state);
        let store = Self(Arc::new(Shared { inner, clock, trace, faults, state, arrived: Notify::new() }));
        tokio::spawn(store.clone().write_slowly());
        store
    }

    /// The host is gone: of what still waits a drawn number of batches is written, the rest is lost.
    pub fn crash(&self) {
        let mut state = self.state();
        state.poisoned.get_or_insert_with(|| "the host has crashed".to_owned());
        let waiting = state.waiting.len() as u64;
        let survive = state.random.below(waiting + 1);
        let waiting = std::mem::take(&mut state.waiting);
        for (batch, _nobody_hears) in waiting.into_iter().take(survive as usize) {
            let _unheard = self.write(batch);
        }
    }

    /// Whether a write has failed.
    pub fn is_poisoned(&self) -> bool {
        self.state().poisoned.is_some() || matches!(self.0.inner.health(), Health::Poisoned(_))
    }

    /// Writes one batch after the other, each after its delay.
    async fn write_slowly(self) {
        loop {
            let arrived = self.0.arrived.notified();
            let delay = {
                let mut state = self.state();
                let longest = self.0.faults.slowest.as_micros() as u64;
                let waits = !state.waiting.is_empty();
                waits.then(|| Duration::from_micros(1 + state.random.below(longest.max(1))))
            };
            let Some(delay) = delay else {
                arrived.await;
                continue;
            };
            tokio::time::sleep(delay).await;
            let Some((batch, answer)) = self.state().waiting.pop_front() else { continue };
            answer.send(self.write(batch));
        }
    }

    fn write(&self, batch: Batch) -> Result<(), CommitError> {
        let changes = batch.changes.clone();
        let written = self.0.inner.commit(batch).wait();
        if written.is_ok() {
            self.0.trace.record(self.0.clock.now(), Event::Durable(Arc::new(changes)));
        }
        written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("sound")
    }

    fn answer_reads(&self) -> Result<(), StoreError> {
        self.state().poisoned.clone().map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason)))
    }
}

impl Store for SimStore {
    fn commit(&self, batch: Batch) -> Commit {
        let mut state = self.state();
        if let Some(reason) = &state.poisoned {
            return Commit::known(Err(CommitError::Poisoned(reason.clone())));
        }
        state.writes += 1;
        if self.0.faults.fails_at == Some(state.writes) {
            let reason = "an I/O error".to_owned();
            state.poisoned = Some(reason.clone());
            // What was on its way before it, and this batch, may be on the disk or not.
            state.waiting.push_back((batch, Commit::pending().0));
            drop(state);
            self.crash();
            return Commit::known(Err(CommitError::Poisoned(reason)));
        }
        if self.0.faults.full.contains(&state.writes) && batch.class == Class::Intake {
            return Commit::known(Err(CommitError::Full { free: 0, reserve: 1 }));
        }
        let slow = self.0.faults.slow_percent;
        let is_slow = state.random.percent(slow);
        if state.waiting.is_empty() && !is_slow {
            drop(state);
            return Commit::known(self.write(batch));
        }
        let (answer, commit) = Commit::pending();
        state.waiting.push_back((batch, answer));
        self.0.arrived.notify_one();
        commit
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.answer_reads()?;
        self.0.inner.get(table, key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.answer_reads()?;
        self.0.inner.range(table, from, to, order, limit)
    }

    fn health(&self) -> Health {
        match &self.state().poisoned {
            Some(reason) => Health::Poisoned(reason.clone()),
            None => self.0.inner.health(),
        }
    }

    fn close(&self) -> Result<(), StoreError> {
        self.answer_reads()?;
        self.0.inner.close()
    }
}
