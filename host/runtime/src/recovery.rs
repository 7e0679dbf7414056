//! What a boot finds: runs with something to do, and activities whose attempts ended with the last boot.
//!
//! Nothing is rebuilt from a scan of all journals: both lists are tables of their own, read in bounded
//! pieces, and timers are read as they come due.

use std::sync::Arc;

use refrain_engine::ids::{Namespace, RunId};
use refrain_store::schema::{Prefix, RunKey, after};
use refrain_store::{Batch, Order, Store, Table};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::owner::Message;
use crate::shared::Shared;

/// Rows of one read.
const PIECE: usize = 1_000;

/// Runs that were woken and have not looked around yet.
const WAKING: usize = 256;

/// Begins a life of the host: its number is one above the last one's.
pub(crate) async fn next_boot(store: &dyn Store) -> Result<u64, Error> {
    let key = refrain_store::schema::Key::boot();
    let last = store.get(key.table, &key.bytes)?.map_or(Ok(0), |bytes| {
        let number: [u8; 8] =
            bytes[..].try_into().map_err(|_| Error::Internal("the boot number is damaged".to_owned()))?;
        Ok::<u64, Error>(u64::from_be_bytes(number))
    })?;
    let boot = last + 1;
    let bytes = bytes::Bytes::copy_from_slice(&boot.to_be_bytes());
    store.commit(Batch::new().put(key.table, key.bytes, bytes)).await?;
    Ok(boot)
}

/// Wakes every run that the last boot left with something to do.
pub(crate) async fn wake_runs(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut woken = 0_u64;
    for namespace in shared.namespaces() {
        for table in [Table::Activities, Table::Ready] {
            woken += wake_table(shared, namespace, table).await?;
        }
    }
    if woken > 0 {
        tracing::info!(runs = woken, boot = shared.boot, "woke the runs that had something to do");
    }
    Ok(())
}

async fn wake_table(shared: &Arc<Shared>, namespace: &Namespace, table: Table) -> Result<u64, Error> {
    let waking = Arc::new(Semaphore::new(WAKING));
    let prefix = Prefix::namespace(table, namespace);
    let (mut from, to) = (prefix.bytes.clone(), prefix.end());
    let mut last_run: Option<RunId> = None;
    let mut woken = 0;
    loop {
        let rows = shared.store.range(table, &from, &to, Order::Ascending, PIECE)?;
        let Some((last, _)) = rows.last() else { return Ok(woken) };
        from = after(last);
        for run in rows.iter().filter_map(|(key, _)| Prefix::run_of(namespace, key)) {
            if last_run.replace(run) == Some(run) || shared.is_shutting_down() {
                continue;
            }
            let Ok(permit) = Arc::clone(&waking).acquire_owned().await else { return Ok(woken) };
            shared.registry.send(shared, &RunKey::new(namespace.clone(), run), Message::Wake(permit));
            woken += 1;
        }
    }
}
