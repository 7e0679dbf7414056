//! The state database: every table as of one entry of the commit log, and which entry that is.
//!
//! It is written by one background thread in large transactions and read through a [`Snapshot`] of the latest one.

use std::ops::Bound;

use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError, WriteTransaction};

use super::pinning::pin_open_runs;
use super::tail::{Layer, RowChange};
use super::{STATE_FILE, database_error};
use crate::batch::Table;
use crate::store::{Order, StoreError};

/// The version of everything in the data directory; `FORMAT.md` says what each one is, and what came with it.
pub const FORMAT: u64 = 5;

/// What a format needs that the one before it has not.
type Step = fn(&WriteTransaction) -> Result<(), TableError>;

/// The steps that bring a directory forward, to format 2 and on.
const STEPS: [Step; FORMAT as usize - 1] = [
    |state| state.open_table(definition(Table::Heartbeats)).map(drop),
    // Format 3 changes no row.
    |_| Ok(()),
    |state| {
        [Table::Outbox, Table::Children, Table::Updates, Table::Pinned]
            .into_iter()
            .try_for_each(|table| state.open_table(definition(table)).map(drop))?;
        pin_open_runs(state)
    },
    // Nor does format 5.
    |_| Ok(()),
];

/// The store's own facts, in a table that no batch can reach.
const OWN: TableDefinition<'static, &'static str, u64> = TableDefinition::new("store");
const OWN_FORMAT: &str = "format";
const OWN_APPLIED: &str = "applied_seq";

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// How the database knows a table.
pub(super) fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// The state database.
pub(super) struct StateDb {
    database: Database,
}

impl StateDb {
    /// Takes up a database, new or old. One of an older format is left as it is, to be brought forward when the log
    /// has been applied.
    pub(super) fn open(database: Database) -> Result<Self, StoreError> {
        let state = Self { database };
        match state.format()? {
            None => state.create()?,
            Some(0) => return Err(StoreError::damaged(STATE_FILE, "there never was a format version 0")),
            Some(1..=FORMAT) => {}
            Some(found) => return Err(StoreError::NewerFormat { found, supported: FORMAT }),
        }
        Ok(state)
    }

    /// Whether it has to be brought forward before it can be read.
    pub(super) fn is_of_older_format(&self) -> Result<bool, StoreError> {
        Ok(self.format()? < Some(FORMAT))
    }

    /// Brings an older format forward, step by step. The log has been applied.
    pub(super) fn bring_forward(&self) -> Result<(), StoreError> {
        let found = self.format()?;
        for (format, step) in (2..).zip(STEPS).filter(|(format, _)| Some(*format) > found) {
            self.step_to(format, step)?;
        }
        Ok(())
    }

    /// One step of bringing forward: a durable transaction that does what the format needs and says that it was done.
    fn step_to(&self, format: u64, step: Step) -> Result<(), StoreError> {
        let what = format!("bring the state forward to format {format}");
        let mut transaction = self.database.begin_write().map_err(database_error(&what))?;
        transaction.set_quick_repair(true);
        step(&transaction).map_err(database_error(&what))?;
        {
            let mut own = transaction.open_table(OWN).map_err(database_error(&what))?;
            own.insert(OWN_FORMAT, format).map_err(database_error(&what))?;
        }
        transaction.commit().map_err(database_error(&what))?;
        tracing::info!(format, "the data directory was brought forward");
        Ok(())
    }

    /// The newest entry of the log whose changes are here.
    pub(super) fn applied(&self) -> Result<u64, StoreError> {
        let applied = self.own(OWN_APPLIED)?;
        applied.ok_or_else(|| StoreError::damaged(STATE_FILE, "it does not say which entry was applied last"))
    }

    fn format(&self) -> Result<Option<u64>, StoreError> {
        let found = self.own(OWN_FORMAT)?;
        if found.is_none() {
            let transaction = self.database.begin_read().map_err(database_error("open the state"))?;
            let mut tables = transaction.list_tables().map_err(database_error("open the state"))?;
            if tables.next().is_some() {
                return Err(StoreError::damaged(STATE_FILE, "it has tables but no format version"));
            }
        }
        Ok(found)
    }

    fn own(&self, name: &str) -> Result<Option<u64>, StoreError> {
        const WHAT: &str = "open the state";
        let transaction = self.database.begin_read().map_err(database_error(WHAT))?;
        match transaction.open_table(OWN) {
            Ok(own) => Ok(own.get(name).map_err(database_error(WHAT))?.map(|value| value.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(database_error(WHAT)(error)),
        }
    }

    fn create(&self) -> Result<(), StoreError> {
        const WHAT: &str = "create the state";
        let mut transaction = self.database.begin_write().map_err(database_error(WHAT))?;
        transaction.set_quick_repair(true);
        for table in Table::ALL {
            transaction.open_table(definition(table)).map_err(database_error(WHAT))?;
        }
        {
            let mut own = transaction.open_table(OWN).map_err(database_error(WHAT))?;
            own.insert(OWN_FORMAT, FORMAT).map_err(database_error(WHAT))?;
            own.insert(OWN_APPLIED, 0).map_err(database_error(WHAT))?;
        }
        transaction.commit().map_err(database_error(WHAT))
    }

    /// Makes the layer's changes, and that they were made, in one durable transaction.
    pub(super) fn apply(&self, layer: &Layer) -> Result<(), StoreError> {
        const WHAT: &str = "write the state";
        let mut transaction = self.database.begin_write().map_err(database_error(WHAT))?;
        // An unclean open then takes a millisecond, however large the state is.
        transaction.set_quick_repair(true);
        for table in Table::ALL {
            let mut changes = layer.changes(table).peekable();
            if changes.peek().is_none() {
                continue;
            }
            let mut rows = transaction.open_table(definition(table)).map_err(database_error(WHAT))?;
            for (key, value) in changes {
                match value {
                    Some(value) => rows.insert(key.as_ref(), value.as_ref()).map_err(database_error(WHAT))?,
                    None => rows.remove(key.as_ref()).map_err(database_error(WHAT))?,
                };
            }
        }
        {
            let mut own = transaction.open_table(OWN).map_err(database_error(WHAT))?;
            own.insert(OWN_APPLIED, layer.last_seq()).map_err(database_error(WHAT))?;
        }
        transaction.commit().map_err(database_error(WHAT))
    }

    /// The state as of now.
    pub(super) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        const WHAT: &str = "read the state";
        let transaction = self.database.begin_read().map_err(database_error(WHAT))?;
        let tables = Table::ALL
            .iter()
            .map(|table| transaction.open_table(definition(*table)).map_err(database_error(WHAT)))
            .collect::<Result<_, _>>()?;
        Ok(Snapshot { tables })
    }
}

/// The state as of one entry of the log. It stays as it is while later entries are applied.
pub(super) struct Snapshot {
    /// In the order of [`Table::ALL`], opened once for all reads.
    tables: Vec<Rows>,
}

impl Snapshot {
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.tables[table.index()].get(key).map_err(database_error("read the state"))?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    }

    /// The rows with keys in `from..to`, in this order. `from` is below `to`.
    pub(super) fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
    ) -> Result<impl Iterator<Item = Result<RowChange, StoreError>>, StoreError> {
        const WHAT: &str = "read the state";
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let mut rows = self.tables[table.index()].range::<&[u8]>(bounds).map_err(database_error(WHAT))?;
        Ok(std::iter::from_fn(move || {
            let row = match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            row.map(|row| {
                let (key, value) = row.map_err(database_error(WHAT))?;
                Ok((Bytes::copy_from_slice(key.value()), Some(Bytes::copy_from_slice(value.value()))))
            })
        }))
    }
}
