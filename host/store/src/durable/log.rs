//! The commit log: numbered entries, each durable before its commits are acknowledged.
//!
//! The log knows nothing of what its entries say. [`RedbLog`] can be replaced by another [`Log`], a pre-zeroed file say,
//! without a change above this file.

use bytes::Bytes;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use refrain_engine::planted;

use super::database_error;
use crate::store::StoreError;

/// Durable, numbered entries.
pub(super) trait Log: Send {
    /// Appends an entry. It is durable when this returns `Ok`; after an error nobody knows, and the log is not used again.
    fn append(&mut self, seq: u64, entry: &[u8]) -> Result<(), StoreError>;

    /// Hands over every entry from the number `seq` on, in order.
    fn read_from(
        &mut self,
        seq: u64,
        visit: &mut dyn FnMut(u64, Bytes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Entries up to `seq`, itself included, are not needed any more. They may go a few at a time with later appends.
    fn trim(&mut self, seq: u64);

    /// Carries out what is left to trim, so that the next open finds a short log.
    fn finish(&mut self) -> Result<(), StoreError>;
}

const ENTRIES: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("log");

/// How many entries one append removes at most. Removals ride on an append's own sync; at a few microseconds each, this
/// many stay well below what that sync costs, and more than one for each append means that the log always shrinks.
const TRIMS_PER_APPEND: usize = 32;

/// A log in a redb database: a durable transaction, and so one `fdatasync`, for each entry.
pub(super) struct RedbLog {
    database: Database,
    /// Entries up to this number are to be removed; none once that is done.
    trim_to: Option<u64>,
    /// Entries up to this number have been removed, as far as this value knows.
    trimmed: u64,
}

impl RedbLog {
    pub(super) fn open(database: Database) -> Result<Self, StoreError> {
        const WHAT: &str = "open the commit log";
        let transaction = database.begin_write().map_err(database_error(WHAT))?;
        transaction.open_table(ENTRIES).map_err(database_error(WHAT))?;
        transaction.commit().map_err(database_error(WHAT))?;
        Ok(Self { database, trim_to: None, trimmed: 0 })
    }

    /// One durable transaction that removes what may be removed, at most `trims` entries, and appends the entry, if any.
    fn write(&mut self, entry: Option<(u64, &[u8])>, trims: usize) -> Result<(), StoreError> {
        const WHAT: &str = "write the commit log";
        // Quick repair would double the syncs; without it an unclean open walks the log, which is kept short.
        let mut transaction = self.database.begin_write().map_err(database_error(WHAT))?;
        if planted!("skip-sync") {
            transaction.set_durability(Durability::None).map_err(database_error(WHAT))?;
        }
        let mut trim_to = self.trim_to;
        {
            let mut entries = transaction.open_table(ENTRIES).map_err(database_error(WHAT))?;
            for _ in 0..trims {
                let Some(to) = trim_to else { break };
                let first = entries.first().map_err(database_error(WHAT))?.map(|(seq, _)| seq.value());
                if first.is_some_and(|first| first <= to) {
                    entries.pop_first().map_err(database_error(WHAT))?;
                } else {
                    trim_to = None;
                }
            }
            if let Some((seq, entry)) = entry {
                entries.insert(seq, entry).map_err(database_error(WHAT))?;
            }
        }
        transaction.commit().map_err(database_error(WHAT))?;
        if let (Some(done), None) = (self.trim_to, trim_to) {
            self.trimmed = done;
        }
        self.trim_to = trim_to;
        Ok(())
    }
}

impl Log for RedbLog {
    fn append(&mut self, seq: u64, entry: &[u8]) -> Result<(), StoreError> {
        self.write(Some((seq, entry)), TRIMS_PER_APPEND)
    }

    fn read_from(
        &mut self,
        seq: u64,
        visit: &mut dyn FnMut(u64, Bytes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        const WHAT: &str = "read the commit log";
        let transaction = self.database.begin_read().map_err(database_error(WHAT))?;
        let entries = transaction.open_table(ENTRIES).map_err(database_error(WHAT))?;
        for row in entries.range(seq..).map_err(database_error(WHAT))? {
            let (seq, entry) = row.map_err(database_error(WHAT))?;
            visit(seq.value(), Bytes::copy_from_slice(entry.value()))?;
        }
        Ok(())
    }

    fn trim(&mut self, seq: u64) {
        if seq > self.trimmed {
            self.trim_to = Some(seq);
        }
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        if self.trim_to.is_none() { Ok(()) } else { self.write(None, usize::MAX) }
    }
}
