//! What is committed: changes to named tables, and what must be true for them to be made.

use std::fmt;

use bytes::Bytes;

/// A named keyspace. The numbers are written to disk and are never used for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Facts about the whole store.
    Meta = 0,
    /// What each run began with.
    Runs = 1,
    /// Where each run stands.
    Heads = 2,
    /// Which run each execution has now.
    Executions = 3,
    /// The steps of each run.
    Journal = 4,
    /// What arrived for each run.
    Mailbox = 5,
    /// Deadlines, by time.
    Timers = 6,
    /// Activities that have been started and have no outcome yet.
    Activities = 7,
    /// Runs with something to do that nothing else brings about.
    Ready = 8,
    /// What listings of runs show.
    Visibility = 9,
    /// Requests that were answered, so that a repeated one gets the same answer.
    Requests = 10,
    /// Names of components.
    Components = 11,
    /// Numbered versions of each component's name.
    ComponentVersions = 12,
    /// The newest heartbeat of each attempt that runs.
    Heartbeats = 13,
    /// What is to be done for a run in another one.
    Outbox = 14,
    /// Children that have been started and have not ended.
    Children = 15,
    /// What became of each update.
    Updates = 16,
    /// The runs that have not ended, by the version of the component that executes them.
    Pinned = 17,
}

impl Table {
    /// Every table, in the order of the numbers.
    pub const ALL: [Table; 18] = [
        Table::Meta,
        Table::Runs,
        Table::Heads,
        Table::Executions,
        Table::Journal,
        Table::Mailbox,
        Table::Timers,
        Table::Activities,
        Table::Ready,
        Table::Visibility,
        Table::Requests,
        Table::Components,
        Table::ComponentVersions,
        Table::Heartbeats,
        Table::Outbox,
        Table::Children,
        Table::Updates,
        Table::Pinned,
    ];

    /// The number that stands for the table on disk.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The table with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Table> {
        Table::ALL.get(usize::from(number)).copied()
    }

    /// The table's name in the state database.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Runs => "runs",
            Table::Heads => "heads",
            Table::Executions => "executions",
            Table::Journal => "journal",
            Table::Mailbox => "mailbox",
            Table::Timers => "timers",
            Table::Activities => "activities",
            Table::Ready => "ready",
            Table::Visibility => "visibility",
            Table::Requests => "requests",
            Table::Components => "components",
            Table::ComponentVersions => "component_versions",
            Table::Heartbeats => "heartbeats",
            Table::Outbox => "outbox",
            Table::Children => "children",
            Table::Updates => "updates",
            Table::Pinned => "pinned",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// What must be true of a key when its batch is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key has no value.
    Absent,
    /// The key has a value, whichever.
    Present,
    /// The key has a value that starts with these bytes. A record's version and fencing token lie at its front, so this
    /// is compare-and-set without comparing the whole record.
    Prefix(Bytes),
}

impl Expect {
    /// Whether a key with this value meets the expectation.
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        match self {
            Expect::Absent => value.is_none(),
            Expect::Present => value.is_some(),
            Expect::Prefix(prefix) => value.is_some_and(|value| value.starts_with(prefix)),
        }
    }
}

/// One condition of a batch. If it does not hold, nothing of the batch is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// The table of the key.
    pub table: Table,
    /// The key that is looked at.
    pub key: Bytes,
    /// What must be true of it.
    pub expect: Expect,
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, key) = (self.table.name(), self.key.escape_ascii());
        match &self.expect {
            Expect::Absent => write!(f, "{table}/{key} must be absent"),
            Expect::Present => write!(f, "{table}/{key} must be present"),
            Expect::Prefix(prefix) => write!(f, "{table}/{key} must start with {}", prefix.escape_ascii()),
        }
    }
}

/// One change. Changes name exact keys: whoever deletes a range reads it and deletes it in batches of bounded size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key has this value from now on.
    Put {
        /// The table of the key.
        table: Table,
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// The key has no value from now on. Deleting a key that has none is not an error.
    Delete {
        /// The table of the key.
        table: Table,
        /// The key.
        key: Bytes,
    },
}

impl Change {
    /// The table, the key and the new value of that key, none if it is deleted.
    pub fn parts(&self) -> (Table, &Bytes, Option<&Bytes>) {
        match self {
            Change::Put { table, key, value } => (*table, key, Some(value)),
            Change::Delete { table, key } => (*table, key, None),
        }
    }

    /// The bytes of the key and of the new value.
    pub fn bytes(&self) -> usize {
        let (_, key, value) = self.parts();
        key.len() + value.map_or(0, Bytes::len)
    }

    /// As [`parts`](Self::parts), by value.
    pub fn into_parts(self) -> (Table, Bytes, Option<Bytes>) {
        match self {
            Change::Put { table, key, value } => (table, key, Some(value)),
            Change::Delete { table, key } => (table, key, None),
        }
    }
}

/// Who gets the last of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// New work: starts, signals, uploads. Refused once the disk is nearly full.
    Intake,
    /// What running work needs in order to go on and end: steps, outcomes, deletions. It may use the reserve.
    #[default]
    Completion,
}

/// Changes that are made all together, or not at all.
///
/// ```
/// use refrain_store::{Batch, Class, Table};
///
/// let batch = Batch::new()
///     .class(Class::Intake)
///     .require_absent(Table::Heads, "default/order-7")
///     .put(Table::Heads, "default/order-7", "run-1")
///     .put(Table::Runs, "default/run-1", "...");
/// assert_eq!(batch.changes.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// All of them must hold.
    pub preconditions: Vec<Precondition>,
    /// Made in this order: of two changes of one key the later one stands.
    pub changes: Vec<Change>,
    /// Who gets the last of the disk.
    pub class: Class,
}

impl Batch {
    /// A batch that changes nothing and always succeeds, of the class [`Completion`](Class::Completion).
    pub fn new() -> Self {
        Self::default()
    }

    /// The same batch, in this class.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Only if the expectation about the key holds.
    #[must_use]
    pub fn require(mut self, table: Table, key: impl Into<Bytes>, expect: Expect) -> Self {
        self.preconditions.push(Precondition { table, key: key.into(), expect });
        self
    }

    /// Only if the key has no value.
    #[must_use]
    pub fn require_absent(self, table: Table, key: impl Into<Bytes>) -> Self {
        self.require(table, key, Expect::Absent)
    }

    /// Only if the key has a value.
    #[must_use]
    pub fn require_present(self, table: Table, key: impl Into<Bytes>) -> Self {
        self.require(table, key, Expect::Present)
    }

    /// Only if the key has a value that starts with `prefix`.
    #[must_use]
    pub fn require_prefix(self, table: Table, key: impl Into<Bytes>, prefix: impl Into<Bytes>) -> Self {
        self.require(table, key, Expect::Prefix(prefix.into()))
    }

    /// Sets a key.
    #[must_use]
    pub fn put(mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.push(Change::Put { table, key: key.into(), value: value.into() });
        self
    }

    /// Deletes a key.
    #[must_use]
    pub fn delete(mut self, table: Table, key: impl Into<Bytes>) -> Self {
        self.push(Change::Delete { table, key: key.into() });
        self
    }

    /// Adds a change in place, for batches that are built in loops.
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// The bytes of all keys and values, those of the preconditions included: what the batch costs in memory and log.
    pub fn bytes(&self) -> usize {
        let required = self.preconditions.iter().map(|precondition| {
            let prefix = if let Expect::Prefix(prefix) = &precondition.expect { prefix.len() } else { 0 };
            precondition.key.len() + prefix
        });
        required.chain(self.changes.iter().map(Change::bytes)).sum()
    }

    /// The first precondition that does not hold, with its position; `value_of` says what a key's value is.
    pub(crate) fn first_conflict<V: AsRef<[u8]>, E>(
        &self,
        mut value_of: impl FnMut(Table, &Bytes) -> Result<Option<V>, E>,
    ) -> Result<Option<usize>, E> {
        for (index, precondition) in self.preconditions.iter().enumerate() {
            let value = value_of(precondition.table, &precondition.key)?;
            if !precondition.expect.holds(value.as_ref().map(AsRef::as_ref)) {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_tables_are_distinct_and_read_back() {
        for (index, table) in Table::ALL.into_iter().enumerate() {
            assert_eq!(table.index(), index);
            assert_eq!(Table::from_number(table.number()), Some(table));
            assert_eq!(Table::ALL.iter().filter(|other| other.name() == table.name()).count(), 1);
        }
        assert_eq!(Table::from_number(Table::ALL.len() as u8), None);
    }
}
