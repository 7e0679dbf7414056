//! Deleting the data of runs that have ended.
//!
//! The first batch takes a run out of everybody's sight, marks it as being deleted, and puts it among the runs
//! that a boot wakes; its rows then go in bounded pieces, and the run itself with the last of them. A host that
//! stops in the middle leaves a run that nobody sees, and the next boot goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use refrain_engine::codec;
use refrain_engine::ids::{Namespace, RunId, WorkflowId};
use refrain_engine::journal::Started;
use refrain_store::schema::{CurrentRun, HeadVersion, Key, Prefix, RunKey, StoredHead};
use refrain_store::{Batch, CommitError, Order, Store};

use crate::error::Error;
use crate::inspect;
use crate::rows;
use crate::shared::Shared;
use crate::types::Target;

/// Rows of one batch: others' commits are not kept waiting by it.
const PIECE: usize = 1_000;

/// Deletes a run, or all runs of an execution. Answers how many.
pub(crate) async fn delete(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    target: &Target,
) -> Result<u64, Error> {
    let key = inspect::resolve(shared, namespace, target)?;
    if target.run_id.is_some() {
        check_closed(shared, &key)?;
        return delete_run(shared, &key).await.map(u64::from);
    }
    // The latest run is the only one that may be open, and goes last: until then a repeated request finds the
    // execution.
    check_closed(shared, &key)?;
    let mut deleted = 0;
    for run in runs_before(shared, &key, &target.workflow_id)? {
        deleted += u64::from(delete_run(shared, &RunKey::new(namespace.clone(), run)).await?);
    }
    Ok(deleted + u64::from(delete_run(shared, &key).await?))
}

/// Refuses a run that has not ended, or from which a reset has made one that has not.
fn check_closed(shared: &Shared, key: &RunKey) -> Result<(), Error> {
    let mut key = key.clone();
    loop {
        let head = inspect::read_head(shared, &key)?.head;
        if !head.status.is_closed() {
            let id = inspect::read_started(shared, &key)?.workflow_id.to_string();
            return Err(Error::NotClosed { id, run_id: key.run, status: head.status });
        }
        // Children that a reset has taken over still know this run as their parent, and are led on by it.
        let Some(reset) = head.reset_to else { return Ok(()) };
        let next = RunKey::new(key.namespace, reset);
        if rows::find_head(&*shared.store, &next)?.is_none_or(|stored| stored.head.deleting) {
            return Ok(());
        }
        key = next;
    }
}

/// The runs of an execution that came before this one. Those of its own chain are linked, the others are in the
/// list of the execution.
fn runs_before(shared: &Shared, latest: &RunKey, id: &WorkflowId) -> Result<BTreeSet<RunId>, Error> {
    let prefix = Prefix::runs_of(&latest.namespace, id);
    let listed = rows::read_all(&*shared.store, &prefix)?;
    let mut runs: BTreeSet<RunId> =
        listed.iter().filter_map(|(key, _)| prefix.run_of_execution(key)).collect();
    let mut next = Some(latest.run);
    while let Some(run) = next {
        let key = RunKey::new(latest.namespace.clone(), run);
        next = rows::find_started(&*shared.store, &key)?.and_then(|started| started.continued_run_id);
        runs.insert(run);
    }
    runs.remove(&latest.run);
    Ok(runs)
}

/// Deletes one run that has ended. False: somebody else has, or it has not.
async fn delete_run(shared: &Arc<Shared>, key: &RunKey) -> Result<bool, Error> {
    loop {
        let Some((started, stored)) = rows::find(&*shared.store, key)? else { return Ok(false) };
        if !stored.head.status.is_closed() {
            // It has begun since the runs were listed.
            return Ok(false);
        }
        if !stored.head.deleting {
            match hide(shared, key, &started, stored).await {
                Ok(()) => {}
                // Its owner has written meanwhile, or a new run has followed it.
                Err(CommitError::Conflict { .. }) => continue,
                Err(other) => return Err(other.into()),
            }
        }
        finish(shared, key, &started).await?;
        return Ok(true);
    }
}

/// Takes a run out of sight.
async fn hide(
    shared: &Shared,
    key: &RunKey,
    started: &Started,
    stored: StoredHead,
) -> Result<(), CommitError> {
    let (head_key, ready) = (key.head(), key.ready());
    let StoredHead { version, mut head } = stored;
    let status = head.status;
    head.deleting = true;
    let next = HeadVersion { version: version.version + 1, fence: shared.boot };
    let mut batch = Batch::new()
        .require_prefix(head_key.table, head_key.bytes.clone(), version.prefix())
        .put(head_key.table, head_key.bytes, StoredHead { version: next, head }.encode())
        .put(ready.table, ready.bytes, Bytes::new());
    for row in [
        key.visibility(None, started.at),
        key.visibility(Some(status), started.at),
        Key::run_of(&key.namespace, &started.workflow_id, &key.run),
    ] {
        batch = batch.delete(row.table, row.bytes);
    }
    let latest = rows::find_current_run(&*shared.store, &key.namespace, &started.workflow_id);
    if latest.is_ok_and(|latest| latest == Some(key.run)) {
        let execution = Key::current_run(&key.namespace, &started.workflow_id);
        let row = codec::encode(&CurrentRun { run: key.run });
        batch = batch
            .require_prefix(execution.table, execution.bytes.clone(), row)
            .delete(execution.table, execution.bytes);
    }
    shared.store.commit(batch).await.inspect_err(|error| shared.note_failure(error))
}

/// Deletes the rows of a run that is out of sight, piece by piece, and then the run. One that still has something
/// to be done in another run stays until the courier, which has done that, comes back to it.
pub(crate) async fn finish(shared: &Shared, key: &RunKey, started: &Started) -> Result<(), Error> {
    let outbox = key.outboxes();
    if !shared.store.range(outbox.table, &outbox.bytes, &outbox.end(), Order::Ascending, 1)?.is_empty() {
        return Ok(());
    }
    // Activities are those of a copy that was never finished: a run that ends takes its own along.
    let mut prefixes = vec![key.journal(), key.mailbox(), key.children(), key.activities()];
    let mut rows = vec![key.started(), key.head(), key.ready()];
    let ends_chain = inspect::read_head(shared, key).is_ok_and(|stored| stored.head.continued_to.is_none());
    if ends_chain {
        // Nobody can be answered with a run of this chain any more.
        let chain = RunKey::new(key.namespace.clone(), started.first_run_id);
        prefixes.extend([chain.requests(), chain.updates()]);
        if let Some(request_id) = &started.request_id
            && started.workflow_id.as_str() == started.first_run_id.to_string()
        {
            rows.insert(0, Key::start_request(&key.namespace, request_id));
        }
    }
    for prefix in prefixes {
        while let Some(batch) = next_piece(&*shared.store, &prefix)? {
            commit(shared, batch).await?;
        }
    }
    let last = rows.into_iter().fold(Batch::new(), |batch, row| batch.delete(row.table, row.bytes));
    commit(shared, last).await
}

fn next_piece(store: &dyn Store, prefix: &Prefix) -> Result<Option<Batch>, Error> {
    let rows = store.range(prefix.table, &prefix.bytes, &prefix.end(), Order::Ascending, PIECE)?;
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().fold(Batch::new(), |batch, (key, _)| batch.delete(prefix.table, key))))
}

async fn commit(shared: &Shared, batch: Batch) -> Result<(), Error> {
    Ok(shared.store.commit(batch).await.inspect_err(|error| shared.note_failure(error))?)
}
