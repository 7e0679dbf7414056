//! What is durable in the log and not yet in the state: two layers of changes over a snapshot, read as one.
//!
//! ```text
//!   active   changes of the newest commits; each commit adds to it
//!   frozen   changes that the applier is writing to the state right now
//!   state    a snapshot of the state database, as of the entry before the layers' first
//! ```
//!
//! A read takes the newest layer that says something about a key. Only durable changes are ever put here, so no read
//! can see one that is not. All three parts are exchanged together under one lock, so a read sees them as of one entry.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::state::Snapshot;
use crate::batch::{Change, Table};
use crate::store::{Order, Row, StoreError};

/// A key and what became of it: its value, or none if it was deleted.
pub(super) type RowChange = (Bytes, Option<Bytes>);

/// What a row costs in memory besides its bytes: two handles and its share of a tree node.
const ROW_OVERHEAD: usize = 128;

/// The net changes of consecutive entries of the log.
#[derive(Default)]
pub(super) struct Layer {
    tables: [BTreeMap<Bytes, Option<Bytes>>; Table::ALL.len()],
    last_seq: u64,
    bytes: usize,
}

impl Layer {
    /// No changes, after this entry.
    pub(super) fn after(seq: u64) -> Self {
        Self { last_seq: seq, ..Self::default() }
    }

    /// Adds the changes of the next entry, `entry_bytes` long in the log.
    pub(super) fn add(&mut self, seq: u64, changes: Vec<Change>, entry_bytes: usize) {
        // Bounds the log and the memory alike, so overwritten rows still count: their bytes are in the log.
        self.bytes += entry_bytes + changes.len() * ROW_OVERHEAD;
        self.last_seq = seq;
        for change in changes {
            let (table, key, value) = change.into_parts();
            self.tables[table.index()].insert(key, value);
        }
    }

    /// What became of the key; the outer option says whether the layer knows.
    fn get(&self, table: Table, key: &[u8]) -> Option<Option<Bytes>> {
        self.tables[table.index()].get(key).cloned()
    }

    /// All changes of a table, by key.
    pub(super) fn changes(&self, table: Table) -> impl Iterator<Item = (&Bytes, &Option<Bytes>)> {
        self.tables[table.index()].iter()
    }

    /// The number of the newest entry in the layer.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    fn range(&self, table: Table, from: &[u8], to: &[u8], order: Order) -> impl Iterator<Item = RowChange> {
        let mut rows =
            self.tables[table.index()].range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        std::iter::from_fn(move || {
            let row = match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            row.map(|(key, value)| (key.clone(), value.clone()))
        })
    }
}

/// The layers and the snapshot below them.
pub(super) struct Tail {
    view: RwLock<View>,
}

struct View {
    active: Layer,
    frozen: Option<Arc<Layer>>,
    state: Arc<Snapshot>,
}

impl Tail {
    /// This snapshot and the changes after it.
    pub(super) fn new(state: Snapshot, active: Layer) -> Self {
        Self { view: RwLock::new(View { active, frozen: None, state: Arc::new(state) }) }
    }

    /// Makes the changes of the next entry visible. The entry is durable.
    pub(super) fn add(&self, seq: u64, changes: Vec<Change>, entry_bytes: usize) {
        self.write().active.add(seq, changes, entry_bytes);
    }

    /// The memory that is held by changes the state does not have yet.
    pub(super) fn bytes(&self) -> usize {
        let view = self.read();
        view.active.bytes + view.frozen.as_ref().map_or(0, |frozen| frozen.bytes)
    }

    /// The number of the newest entry that reads can see.
    pub(super) fn last_seq(&self) -> u64 {
        self.read().active.last_seq
    }

    /// Sets the active layer aside to be applied and starts another.
    pub(super) fn freeze(&self) -> Arc<Layer> {
        let mut view = self.write();
        let empty = Layer::after(view.active.last_seq);
        let frozen = Arc::new(std::mem::replace(&mut view.active, empty));
        view.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// Replaces the frozen layer, which was applied, by a snapshot that has its changes.
    pub(super) fn thaw(&self, state: Snapshot) {
        let mut view = self.write();
        let replaced = (view.frozen.take(), std::mem::replace(&mut view.state, Arc::new(state)));
        // Freeing a large layer takes a while: not while others wait for the lock.
        drop(view);
        drop(replaced);
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let view = self.read();
        let known = view.active.get(table, key).or_else(|| view.frozen.as_ref()?.get(table, key));
        if let Some(known) = known {
            return Ok(known);
        }
        let state = Arc::clone(&view.state);
        drop(view);
        state.get(table, key)
    }

    pub(super) fn range(
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
        let view = self.read();
        let active = first_rows(view.active.range(table, from, to, order), limit);
        let frozen = view.frozen.clone();
        let state = Arc::clone(&view.state);
        drop(view);

        let frozen = frozen.iter().flat_map(|layer| layer.range(table, from, to, order)).map(Ok);
        let below = overlay(frozen, state.range(table, from, to, order)?, order);
        let rows = overlay(active.into_iter().map(Ok), below, order);
        rows.filter_map(|row| match row {
            Ok((key, Some(value))) => Some(Ok((key, value))),
            Ok((_deleted, None)) => None,
            Err(error) => Some(Err(error)),
        })
        .take(limit)
        .collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, View> {
        // Nothing panics while the lock is held, and each exchange is one assignment.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many rows as an answer of `limit` rows can need: up to that many values, and the deletions among them.
fn first_rows(rows: impl Iterator<Item = RowChange>, limit: usize) -> Vec<RowChange> {
    let mut values = 0;
    rows.take_while(|(_, value)| {
        let needed = values < limit;
        values += usize::from(value.is_some());
        needed
    })
    .collect()
}

/// Two sorted sequences as one; where both have a key, the upper one's row stands.
fn overlay<E>(
    upper: impl Iterator<Item = Result<RowChange, E>>,
    lower: impl Iterator<Item = Result<RowChange, E>>,
    order: Order,
) -> impl Iterator<Item = Result<RowChange, E>> {
    let (mut upper, mut lower) = (upper.peekable(), lower.peekable());
    std::iter::from_fn(move || {
        let (Some(Ok((above, _))), Some(Ok((below, _)))) = (upper.peek(), lower.peek()) else {
            // One of them has ended or failed: an error goes out at once, else the other one's next row.
            return if matches!(lower.peek(), Some(Err(_))) {
                lower.next()
            } else {
                upper.next().or_else(|| lower.next())
            };
        };
        let compared = match order {
            Order::Ascending => above.cmp(below),
            Order::Descending => below.cmp(above),
        };
        if compared.is_gt() {
            return lower.next();
        }
        if compared.is_eq() {
            lower.next();
        }
        upper.next()
    })
}
