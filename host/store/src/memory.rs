//! A store in memory: the reference for what the trait means, and the fastest store there can be.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::batch::{Batch, Table};
use crate::store::{Commit, CommitError, Health, Order, Row, Store, StoreError};

/// Keeps everything in ordered maps and nothing on disk. "Durable" means here: for as long as the value lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    tables: [BTreeMap<Bytes, Bytes>; Table::ALL.len()],
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // A commit changes the maps only after everything that can fail, so a panic elsewhere leaves them whole.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn commit(&mut self, batch: Batch) -> Result<(), CommitError> {
        if self.closed {
            return Err(CommitError::Closed);
        }
        let Ok(conflict) =
            batch.first_conflict(|table, key| Ok::<_, Infallible>(self.tables[table.index()].get(key)));
        if let Some(index) = conflict {
            return Err(CommitError::Conflict { index, precondition: batch.preconditions[index].clone() });
        }
        for change in batch.changes {
            let (table, key, value) = change.into_parts();
            match value {
                Some(value) => self.tables[table.index()].insert(key, value),
                None => self.tables[table.index()].remove(&key),
            };
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: Batch) -> Commit {
        Commit::known(self.contents().commit(batch))
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.contents().tables[table.index()].get(key).cloned())
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let contents = self.contents();
        let rows =
            contents.tables[table.index()].range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        let rows = rows.map(|(key, value)| (key.clone(), value.clone()));
        Ok(match order {
            Order::Ascending => rows.take(limit).collect(),
            Order::Descending => rows.rev().take(limit).collect(),
        })
    }

    fn health(&self) -> Health {
        if self.contents().closed { Health::Closed } else { Health::Ok }
    }

    fn close(&self) -> Result<(), StoreError> {
        self.contents().closed = true;
        Ok(())
    }
}
