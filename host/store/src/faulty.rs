//! A store that goes wrong at a chosen write, for tests of whatever is built on stores.
//!
//! A crash sweep runs a scenario once to count its [`writes`](FaultyStore::writes), then once for each of them with a
//! store that stops there, takes up the [`inner`](FaultyStore::inner) store as recovery would, and compares the results.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::channel::oneshot;

use crate::batch::{Batch, Class, Table};
use crate::store::{Commit, CommitError, Health, Order, Row, Store, StoreError};

/// What goes wrong, and at which write. Every call of `commit` is a write, the first one has the number 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host dies before this write: it is lost, and every later call fails.
    StopBefore(u64),
    /// The host dies right after this write: it is durable, its caller is not told so, and every later call fails.
    StopAfter(u64),
    /// This write is refused with this error and changes nothing; later ones succeed.
    Fail(u64, CommitError),
    /// This write and all later ones are held until [`FaultyStore::release`], then made in their order.
    Hold(u64),
    /// From this write on the disk is nearly full: batches of the class `Intake` are refused.
    Full(u64),
}

/// Another store with a [`Fault`].
pub struct FaultyStore<S> {
    inner: Arc<S>,
    fault: Option<Fault>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    writes: u64,
    stopped: Option<String>,
    closed: bool,
    released: bool,
    held: Vec<(Batch, oneshot::Sender<Commit>)>,
}

impl<S: Store> FaultyStore<S> {
    /// A store without a fault, to count the writes of a scenario.
    pub fn new(inner: Arc<S>) -> Self {
        Self { inner, fault: None, progress: Mutex::default() }
    }

    /// A store with this fault.
    pub fn with_fault(inner: Arc<S>, fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::new(inner) }
    }

    /// How many commits were submitted, whatever became of them.
    pub fn writes(&self) -> u64 {
        self.progress().writes
    }

    /// The store underneath, to be taken up after the crash.
    pub fn inner(&self) -> Arc<S> {
        Arc::clone(&self.inner)
    }

    /// Whether the fault has stopped the store.
    pub fn has_stopped(&self) -> bool {
        self.progress().stopped.is_some()
    }

    /// How many writes are being held.
    pub fn held(&self) -> usize {
        self.progress().held.len()
    }

    /// Makes the writes that are being held, and holds no more.
    pub fn release(&self) {
        let mut progress = self.progress();
        progress.released = true;
        for (batch, submitted) in std::mem::take(&mut progress.held) {
            let _nobody_waits = submitted.send(self.inner.commit(batch));
        }
    }

    fn submit(&self, progress: &mut Progress, batch: Batch) -> Commit {
        let number = progress.writes;
        match &self.fault {
            Some(Fault::StopBefore(at)) if number >= *at => {
                Commit::known(Err(progress.stop(format!("it was stopped before write {at}"))))
            }
            Some(Fault::StopAfter(at)) if number >= *at => {
                let _the_caller_never_learns = self.inner.commit(batch).wait();
                Commit::known(Err(progress.stop(format!("it was stopped after write {at}"))))
            }
            Some(Fault::Fail(at, error)) if number == *at => Commit::known(Err(error.clone())),
            Some(Fault::Hold(at)) if number >= *at && !progress.released => {
                let (submitted, submission) = oneshot::channel();
                progress.held.push((batch, submitted));
                Commit::later(async move {
                    match submission.await {
                        Ok(commit) => commit.await,
                        Err(_) => Err(CommitError::Poisoned("it ended while it held the write".to_owned())),
                    }
                })
            }
            Some(Fault::Full(at)) if number >= *at && batch.class == Class::Intake => {
                Commit::known(Err(CommitError::Full { free: 0, reserve: 1 }))
            }
            _ => self.inner.commit(batch),
        }
    }

    fn answer_reads(&self) -> Result<(), StoreError> {
        self.progress().stopped.clone().map_or(Ok(()), |reason| Err(StoreError::Poisoned(reason)))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn stop(&mut self, reason: String) -> CommitError {
        self.stopped = Some(reason.clone());
        CommitError::Poisoned(reason)
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn commit(&self, batch: Batch) -> Commit {
        // Held through the submission, so that the inner store sees the writes in the order of their numbers.
        let mut progress = self.progress();
        if let Some(reason) = &progress.stopped {
            return Commit::known(Err(CommitError::Poisoned(reason.clone())));
        }
        if progress.closed {
            return Commit::known(Err(CommitError::Closed));
        }
        progress.writes += 1;
        self.submit(&mut progress, batch)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.answer_reads()?;
        self.inner.get(table, key)
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
        self.inner.range(table, from, to, order, limit)
    }

    fn health(&self) -> Health {
        let progress = self.progress();
        match &progress.stopped {
            Some(reason) => Health::Poisoned(reason.clone()),
            None if progress.closed => Health::Closed,
            None => self.inner.health(),
        }
    }

    /// Closes this store and not the one underneath, which is there to be taken up again.
    fn close(&self) -> Result<(), StoreError> {
        self.answer_reads()?;
        self.release();
        self.progress().closed = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn write(number: u8) -> Batch {
        Batch::new().put(Table::Runs, vec![number], vec![number])
    }

    fn keys(store: &impl Store) -> Vec<u8> {
        let rows = store.range(Table::Runs, &[0], &[255], Order::Ascending, usize::MAX).unwrap();
        rows.into_iter().map(|(key, _)| key[0]).collect()
    }

    #[test]
    fn each_fault_loses_and_refuses_exactly_what_it_says() {
        let full = CommitError::Full { free: 0, reserve: 1 };
        let (lost, known) = ("lost", "known");
        // The fault, what each of four writes is told, and what is durable in the end.
        let cases = [
            (None, [known; 4], vec![1, 2, 3, 4]),
            (Some(Fault::StopBefore(1)), [lost; 4], vec![]),
            (Some(Fault::StopBefore(3)), [known, known, lost, lost], vec![1, 2]),
            (Some(Fault::StopAfter(3)), [known, known, lost, lost], vec![1, 2, 3]),
            (Some(Fault::Fail(2, full)), [known, "full", known, known], vec![1, 3, 4]),
        ];
        for (fault, told, durable) in cases {
            let store =
                FaultyStore { fault: fault.clone(), ..FaultyStore::new(Arc::new(MemoryStore::new())) };
            let outcomes: Vec<_> = (1..=4)
                .map(|number| match store.commit(write(number)).wait() {
                    Ok(()) => known,
                    Err(CommitError::Full { .. }) => "full",
                    Err(_) => lost,
                })
                .collect();
            assert_eq!(outcomes, told, "{fault:?}");
            assert_eq!(keys(&*store.inner()), durable, "{fault:?}");
            assert_eq!(store.has_stopped(), told.contains(&lost), "{fault:?}");
            assert_eq!(store.get(Table::Runs, &[1]).is_err(), store.has_stopped(), "{fault:?}");
        }
    }

    #[test]
    fn held_writes_are_invisible_until_they_are_released_and_keep_their_order() {
        let store = FaultyStore::with_fault(Arc::new(MemoryStore::new()), Fault::Hold(2));
        store.commit(write(1)).wait().unwrap();
        let second = store.commit(write(2));
        let third =
            store.commit(Batch::new().require_present(Table::Runs, vec![2]).delete(Table::Runs, vec![2]));
        assert_eq!((keys(&store), store.held()), (vec![1], 2));
        store.release();
        assert_eq!((second.wait(), third.wait()), (Ok(()), Ok(())));
        assert_eq!((keys(&store), store.writes()), (vec![1], 3));
    }

    #[test]
    fn a_full_disk_refuses_new_work_alone() {
        let store = FaultyStore::with_fault(Arc::new(MemoryStore::new()), Fault::Full(2));
        store.commit(write(1).class(Class::Intake)).wait().unwrap();
        assert!(matches!(store.commit(write(2).class(Class::Intake)).wait(), Err(CommitError::Full { .. })));
        store.commit(write(3)).wait().unwrap();
        assert_eq!(keys(&store), [1, 3]);
    }
}
