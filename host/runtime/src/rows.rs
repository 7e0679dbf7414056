//! What the store has of a run, decoded: one reading for owners, for boots and for who looks from outside.

use std::collections::BTreeMap;

use bytes::Bytes;
use minicbor::Decode;
use refrain_engine::activity::Activity;
use refrain_engine::codec::{self, DecodeError};
use refrain_engine::ids::{Namespace, Op, RunId, WorkflowId};
use refrain_engine::journal::Started;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::planted;
use refrain_store::schema::{ChildRow, CurrentRun, HeartbeatRow, Key, Prefix, RunKey, StoredHead, after};
use refrain_store::{Order, Row, Store, StoreError};

/// Rows of one read of a range.
const PIECE: usize = 1_000;

/// Why a row cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it has is not what was written.
    #[error(transparent)]
    Damaged(#[from] DecodeError),
}

/// All rows that begin so, in key order.
pub(crate) fn read_all(store: &dyn Store, prefix: &Prefix) -> Result<Vec<Row>, StoreError> {
    read_from(store, prefix, prefix.bytes.clone())
}

/// As [`read_all`], from this key on.
fn read_from(store: &dyn Store, prefix: &Prefix, mut from: Bytes) -> Result<Vec<Row>, StoreError> {
    let to = prefix.end();
    let mut all = Vec::new();
    loop {
        let rows = store.range(prefix.table, &from, &to, Order::Ascending, PIECE)?;
        let full = rows.len() == PIECE;
        if let Some((last, _)) = rows.last() {
            from = after(last);
        }
        all.extend(rows);
        if !full {
            return Ok(all);
        }
    }
}

fn find_row<T: for<'b> Decode<'b, ()>>(
    store: &dyn Store,
    key: &Key,
    what: &'static str,
) -> Result<Option<T>, Unreadable> {
    let row = store.get(key.table, &key.bytes)?;
    Ok(row.map(|row| codec::decode(what, &row)).transpose()?)
}

/// A run: what it began with, and where it stands.
pub(crate) fn find(store: &dyn Store, key: &RunKey) -> Result<Option<(Started, StoredHead)>, Unreadable> {
    Ok(find_started(store, key)?.zip(find_head(store, key)?))
}

/// What the run began with.
pub(crate) fn find_started(store: &dyn Store, key: &RunKey) -> Result<Option<Started>, Unreadable> {
    find_row(store, &key.started(), "run's start")
}

/// Where the run stands.
pub(crate) fn find_head(store: &dyn Store, key: &RunKey) -> Result<Option<StoredHead>, Unreadable> {
    let row = key.head();
    let row = store.get(row.table, &row.bytes)?;
    Ok(row.map(|row| StoredHead::decode(&row)).transpose()?)
}

/// The latest run of an execution.
pub(crate) fn find_current_run(
    store: &dyn Store,
    namespace: &Namespace,
    id: &WorkflowId,
) -> Result<Option<RunId>, Unreadable> {
    find_run(store, &Key::current_run(namespace, id))
}

/// The run that this row names.
pub(crate) fn find_run(store: &dyn Store, key: &Key) -> Result<Option<RunId>, Unreadable> {
    Ok(find_row(store, key, "run's name")?.map(|CurrentRun { run }| run))
}

/// An activity that has not closed, without what a heartbeat has told since its row was written.
pub(crate) fn find_activity(store: &dyn Store, key: &RunKey, op: Op) -> Result<Option<Activity>, Unreadable> {
    find_row(store, &key.activity(op), "activity")
}

/// The records of the run's journal, in order.
pub(crate) fn read_journal(store: &dyn Store, key: &RunKey) -> Result<Vec<Bytes>, StoreError> {
    Ok(read_all(store, &key.journal())?.into_iter().map(|(_, record)| record).collect())
}

/// As [`read_journal`], from this record on.
pub(crate) fn read_journal_from(
    store: &dyn Store,
    key: &RunKey,
    record: u64,
) -> Result<Vec<Bytes>, StoreError> {
    let rows = read_from(store, &key.journal(), key.record(record).bytes)?;
    Ok(rows.into_iter().map(|(_, record)| record).collect())
}

/// The arrivals that are durable, in order.
pub(crate) fn read_mailbox(store: &dyn Store, key: &RunKey) -> Result<Vec<MailboxEntry>, Unreadable> {
    let rows = read_all(store, &key.mailbox())?;
    let mut entries: Vec<MailboxEntry> = rows
        .iter()
        .map(|(_, entry)| Ok(codec::decode("mailbox entry", entry)?))
        .collect::<Result<_, Unreadable>>()?;
    if planted!("lose-updates-at-crash") {
        entries.retain(|entry| !matches!(entry.item, Item::Update { .. }));
    }
    Ok(entries)
}

/// The children of a run that have not ended, by the op of their end.
pub(crate) fn read_children(store: &dyn Store, key: &RunKey) -> Result<Vec<(Op, ChildRow)>, Unreadable> {
    let mut children = Vec::new();
    for (key, row) in read_all(store, &key.children())? {
        let row = codec::decode("child", &row)?;
        children.extend(Prefix::last_number(&key).map(|op| (op, row)));
    }
    Ok(children)
}

/// The newest durable heartbeats of a run's attempts.
pub(crate) fn read_heartbeats(
    store: &dyn Store,
    key: &RunKey,
) -> Result<BTreeMap<Op, HeartbeatRow>, Unreadable> {
    let mut heartbeats = BTreeMap::new();
    for (key, row) in read_all(store, &key.heartbeats())? {
        let row: HeartbeatRow = codec::decode("heartbeat", &row)?;
        heartbeats.extend(Prefix::last_number(&key).map(|op| (op, row)));
    }
    Ok(heartbeats)
}

/// The activities of a run that have not closed, each with the newest heartbeat of the attempt that runs, and
/// whether a heartbeat has a row.
pub(crate) fn read_activities(store: &dyn Store, key: &RunKey) -> Result<Vec<(Activity, bool)>, Unreadable> {
    let rows = read_all(store, &key.activities())?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut heartbeats = read_heartbeats(store, key)?;
    let restore = |row: &[u8]| {
        let mut activity: Activity = codec::decode("activity", row)?;
        let heartbeat = heartbeats.remove(&activity.op);
        let has_heartbeat = heartbeat.is_some();
        // The row may be that of an attempt before.
        if let Some(row) = heartbeat.filter(|row| activity.check_current(row.starts).is_ok()) {
            activity.heard(row.at, row.details);
        }
        Ok((activity, has_heartbeat))
    };
    rows.iter().map(|(_, row)| row.as_ref()).map(restore).collect()
}
