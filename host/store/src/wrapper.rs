//! Stores that do one thing in their own way and leave the rest to another one: what tests are made with.

use bytes::Bytes;

use crate::batch::{Batch, Table};
use crate::store::{Commit, Health, Order, Row, Store, StoreError};

/// A store around another one, which does what is not said here. It is a [`Store`] by that.
pub trait Wrapper: Send + Sync + 'static {
    /// The store within.
    fn inner(&self) -> &dyn Store;

    /// As [`Store::commit`].
    fn commit(&self, batch: Batch) -> Commit {
        self.inner().commit(batch)
    }

    /// As [`Store::get`].
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.inner().get(table, key)
    }

    /// As [`Store::range`].
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner().range(table, from, to, order, limit)
    }

    /// As [`Store::health`].
    fn health(&self) -> Health {
        self.inner().health()
    }

    /// As [`Store::close`].
    fn close(&self) -> Result<(), StoreError> {
        self.inner().close()
    }
}

impl<W: Wrapper> Store for W {
    fn commit(&self, batch: Batch) -> Commit {
        Wrapper::commit(self, batch)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Wrapper::get(self, table, key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        Wrapper::range(self, table, from, to, order, limit)
    }

    fn health(&self) -> Health {
        Wrapper::health(self)
    }

    fn close(&self) -> Result<(), StoreError> {
        Wrapper::close(self)
    }
}
