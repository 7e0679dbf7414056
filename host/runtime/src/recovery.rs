//! What a boot finds: runs with something to do, and activities whose attempts ended with the last boot.
//!
//! Nothing is rebuilt from a scan of all journals: both lists are tables of their own, read in bounded
//! pieces, and timers are read as they come due.

use std::sync::Arc;

use refrain_engine::ids::Namespace;
use refrain_engine::planted;
use refrain_store::schema::{Prefix, RunKey, after};
use refrain_store::{Batch, Order, Store, StoreError, Table};
use tokio::sync::Semaphore;

use crate::courier;
use crate::error::Error;
use crate::owner::Message;
use crate::placing::{self, Place};
use crate::rows::{self, Unreadable};
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
    let waking = Arc::new(Semaphore::new(WAKING));
    let mut woken = 0_u64;
    for namespace in shared.namespaces() {
        woken += place_activities(shared, namespace, &waking).await?;
    }
    // All that were woken have placed theirs, or have failed.
    drop(waking.acquire_many(WAKING as u32).await);
    shared.queues.open();
    shared.recovered.send_replace(true);
    for namespace in shared.namespaces() {
        let (ready, ()) = tokio::try_join!(
            wake_ready(shared, namespace, &waking),
            courier::deliver_again(shared, namespace)
        )?;
        woken += ready;
    }
    shared.courier.caught_up();
    if woken > 0 {
        tracing::info!(runs = woken, boot = shared.boot, "woke the runs that had something to do");
    }
    Ok(())
}

/// Puts the activities that have not closed where they belong. Only those runs are woken for which there is
/// something to do now.
async fn place_activities(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    waking: &Arc<Semaphore>,
) -> Result<u64, Error> {
    let prefix = Prefix::namespace(Table::Activities, namespace);
    let (mut from, to) = (prefix.bytes.clone(), prefix.end());
    let mut woken = 0;
    loop {
        let rows = shared.store.range(Table::Activities, &from, &to, Order::Ascending, 1)?;
        let Some(run) = rows.first().and_then(|(key, _)| Prefix::run_of(namespace, key)) else {
            return Ok(woken);
        };
        if shared.is_shutting_down() {
            return Ok(woken);
        }
        let key = RunKey::new(namespace.clone(), run);
        from = key.activities().end();
        // A long backlog leaves the others their turn.
        tokio::task::yield_now().await;
        if !place_run(shared, &key)? {
            let Ok(permit) = Arc::clone(waking).acquire_owned().await else { return Ok(woken) };
            shared.registry.send(shared, &key, Message::Place(permit));
            woken += 1;
        }
    }
}

/// Puts the activities of a run where they belong. False: its owner has something to do for one of them.
fn place_run(shared: &Arc<Shared>, key: &RunKey) -> Result<bool, StoreError> {
    if shared.registry.contains(key) {
        // Its owner has come first, and places them itself.
        return Ok(true);
    }
    match try_to_place(shared, key) {
        Ok(placed) => Ok(placed),
        Err(Unreadable::Store(error)) => Err(error),
        // Its owner parks the run, and no other one is the worse for it.
        Err(Unreadable::Damaged(_)) => Ok(false),
    }
}

fn try_to_place(shared: &Arc<Shared>, key: &RunKey) -> Result<bool, Unreadable> {
    let Some(started) = rows::find_started(&*shared.store, key)? else { return Ok(true) };
    let activities = rows::read_activities(&*shared.store, key)?;
    let (mut due, mut needs_owner) = (None, false);
    for (activity, _) in &activities {
        match placing::place(shared, key, &started.task_queue, activity) {
            Place::Queue => {
                let task = placing::task(key, &started.task_queue, activity);
                needs_owner |= shared.queues.wait(task).is_err();
            }
            Place::Runs | Place::Waits => {}
            Place::Here | Place::Lost | Place::Refused(_) => needs_owner = true,
        }
        let attempt = shared.attempts.of(key, activity);
        due = [due, placing::due(activity, attempt.as_deref())].into_iter().flatten().min();
    }
    shared.alarms.set(key, due);
    if rows::find_head(&*shared.store, key)?.is_some_and(|stored| !stored.head.status.is_closed()) {
        return Ok(!needs_owner);
    }
    // Its owner came meanwhile and ended it, and had nothing of this to take away.
    shared.alarms.set(key, None);
    for (activity, _) in &activities {
        shared.queues.withdraw(key, activity.op);
        shared.attempts.remove(key, activity.op);
    }
    Ok(true)
}

/// Wakes the runs that have a step to make, or deliveries.
async fn wake_ready(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    waking: &Arc<Semaphore>,
) -> Result<u64, Error> {
    let prefix = Prefix::namespace(Table::Ready, namespace);
    let (mut from, to) = (prefix.bytes.clone(), prefix.end());
    let mut woken = 0;
    loop {
        let rows = shared.store.range(Table::Ready, &from, &to, Order::Ascending, PIECE)?;
        let Some((last, _)) = rows.last() else { return Ok(woken) };
        from = after(last);
        for run in rows.iter().filter_map(|(key, _)| Prefix::run_of(namespace, key)) {
            if shared.is_shutting_down() || planted!("forget-ready-runs") {
                return Ok(woken);
            }
            let Ok(permit) = Arc::clone(waking).acquire_owned().await else { return Ok(woken) };
            shared.registry.send(shared, &RunKey::new(namespace.clone(), run), Message::Wake(permit));
            woken += 1;
        }
    }
}
