//! What the step to format 4 does for the runs of an older directory: those that have not ended are among the runs of
//! the code that executes them.

use redb::{ReadableTable, TableError, WriteTransaction};
use refrain_engine::codec::{self, DecodeError};
use refrain_engine::journal::Started;

use super::state::definition;
use crate::batch::Table;
use crate::schema::{Key, RunKey, StoredHead};

/// Fills the table of pinned runs. Reads one run at a time, however many there are. A damaged row keeps nobody from
/// opening the directory: its run is found damaged by whoever needs it.
pub(super) fn pin_open_runs(state: &WriteTransaction) -> Result<(), TableError> {
    let (runs, heads) =
        (state.open_table(definition(Table::Runs))?, state.open_table(definition(Table::Heads))?);
    let mut pinned = state.open_table(definition(Table::Pinned))?;
    for row in runs.iter()? {
        let (key, started) = row?;
        // Both rows of a run are under one key.
        let Some(head) = heads.get(key.value())? else { continue };
        match pin(started.value(), head.value()) {
            Ok(Some(key)) => {
                pinned.insert(key.bytes.as_ref(), [].as_slice())?;
            }
            Ok(None) => {}
            Err(error) => {
                let key = key.value().escape_ascii();
                tracing::warn!(%key, %error, "a damaged run is not counted among those of its code");
            }
        }
    }
    Ok(())
}

/// The row of a run that has not ended.
fn pin(started: &[u8], head: &[u8]) -> Result<Option<Key>, DecodeError> {
    let head = StoredHead::decode(head)?.head;
    if head.status.is_closed() {
        return Ok(None);
    }
    let started: Started = codec::decode("run's start", started)?;
    let code = head.code.unwrap_or_else(|| started.code());
    Ok(Some(RunKey::new(started.namespace, started.run_id).pinned(&code)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use redb::{Database, TableDefinition};
    use refrain_engine::ids::{Digest, Namespace, RunId, WorkflowId};
    use refrain_engine::scripted;

    use super::*;
    use crate::batch::Batch;
    use crate::durable::{RedbOptions, RedbStore};
    use crate::schema::{Head, HeadVersion, Prefix, RunStatus};
    use crate::store::{Order, Store};

    fn started(run: u8) -> Started {
        Started {
            workflow_id: WorkflowId::new(format!("order/{run}")).unwrap(),
            run_id: RunId::from_bytes([run; 16]),
            component: "shop".to_owned(),
            version: u32::from(run % 2) + 1,
            digest: Digest([run % 2; 32]),
            ..scripted::started("order")
        }
    }

    fn stored(status: RunStatus) -> StoredHead {
        let head = Head {
            status,
            records: 1,
            next_arrival: 1,
            arrivals: 0,
            journal_entries: 1,
            journal_bytes: 1,
            closed_at: None,
            parked: None,
            continued_to: None,
            cancel_requested: false,
            messages: 0,
            message_bytes: 0,
            delayed_until: None,
            paused: None,
            deleting: false,
            code: None,
            reset_to: None,
            children: 0,
            cancel_due: None,
        };
        StoredHead { version: HeadVersion { version: 1, fence: 1 }, head }
    }

    /// Makes a directory of format 3 of one that was closed.
    fn age(dir: &Path) {
        let own: TableDefinition<'_, &str, u64> = TableDefinition::new("store");
        let state = Database::open(dir.join("state.redb")).unwrap();
        let transaction = state.begin_write().unwrap();
        transaction.open_table(own).unwrap().insert("format", 3).unwrap();
        for table in [Table::Outbox, Table::Children, Table::Updates, Table::Pinned] {
            assert!(transaction.delete_table(definition(table)).unwrap());
        }
        transaction.commit().unwrap();
    }

    #[test]
    fn the_open_runs_of_a_directory_of_format_3_are_pinned_when_it_is_brought_forward() {
        let dir = tempfile::tempdir().unwrap();
        let options = RedbOptions::new(dir.path());
        let store = RedbStore::open(&options).unwrap();
        let statuses = [RunStatus::Running, RunStatus::Parked, RunStatus::Paused, RunStatus::Completed];
        for (number, status) in (1..).zip(statuses) {
            let started = started(number);
            let key = RunKey::new(started.namespace.clone(), started.run_id);
            let (run, head) = (key.started(), key.head());
            let batch = Batch::new().put(run.table, run.bytes, codec::encode(&started));
            store.commit(batch.put(head.table, head.bytes, stored(status).encode())).wait().unwrap();
        }
        // One whose start is damaged, one whose head is, and one without a head.
        for (number, damaged, intact) in [(8, "started", true), (9, "head", true), (10, "head", false)] {
            let key = RunKey::new(Namespace::default(), RunId::from_bytes([number; 16]));
            let (run, head) = (key.started(), key.head());
            let start = if damaged == "started" { "?".into() } else { codec::encode(&started(number)) };
            let mut batch = Batch::new().put(run.table, run.bytes, start);
            if intact {
                let row = if damaged == "head" { "?".into() } else { stored(RunStatus::Running).encode() };
                batch = batch.put(head.table, head.bytes, row);
            }
            store.commit(batch).wait().unwrap();
        }
        store.close().unwrap();
        drop(store);
        age(dir.path());

        let store = RedbStore::open(&options).unwrap();
        let prefix = Prefix::pinned(&Namespace::default(), "shop");
        let rows = store.range(prefix.table, &prefix.bytes, &prefix.end(), Order::Ascending, 100).unwrap();
        let pinned: Vec<_> = rows.iter().map(|(key, _)| prefix.pinned_run(key).unwrap()).collect();
        let run = |number| RunId::from_bytes([number; 16]);
        assert_eq!(pinned, [(1, run(2)), (2, run(1)), (2, run(3))]);
    }
}
