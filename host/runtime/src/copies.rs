//! The steps of a run under the key of another one, which is to begin with them.
//!
//! A journal can be larger than a batch. So the copy is written in pieces under a head that says that its run is
//! being deleted: nobody sees it, and if the host stops, the next boot deletes what there is. The batch that
//! begins the run exchanges that head.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use refrain_engine::activity::Activity;
use refrain_engine::codec;
use refrain_engine::fork::{ForkPoint, Sending};
use refrain_engine::ids::{Op, RunId};
use refrain_engine::journal::{Code, Started};
use refrain_engine::time::Timestamp;
use refrain_store::schema::{Head, HeadVersion, Key, OutboxRow, RunKey, RunStatus, StoredHead, TimerRow};
use refrain_store::{Batch, Class};

use crate::delete;
use crate::error::Error;
use crate::owner::put;
use crate::shared::Shared;

/// The version of the head of a copy that has not begun.
pub(crate) const VERSION: u64 = 1;

/// Bytes after which a piece is committed: others' commits are not kept waiting by it, and with one more record,
/// or the row of one more activity, it is below the largest batch.
const PIECE_BYTES: usize = 4 << 20;

/// The copies that are being made, which nobody may delete as what a crash has left.
#[derive(Default)]
pub(crate) struct Copies(Mutex<HashSet<RunKey>>);

impl Copies {
    /// Whether somebody makes a copy under this key.
    pub(crate) fn contains(&self, key: &RunKey) -> bool {
        self.lock().contains(key)
    }

    /// Somebody makes a copy under this key.
    fn begin(self: &Arc<Self>, key: RunKey) -> Arc<Making> {
        self.lock().insert(key.clone());
        Arc::new(Making { copies: Arc::clone(self), key })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<RunKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy is being made while this is there.
struct Making {
    copies: Arc<Copies>,
    key: RunKey,
}

impl Drop for Making {
    fn drop(&mut self) {
        self.copies.lock().remove(&self.key);
    }
}

/// A copy that is durable. Its run can begin.
#[derive(Clone)]
pub(crate) struct Copied {
    pub(crate) key: RunKey,
    pub(crate) started: Arc<Started>,
    /// Records of the journal.
    pub(crate) records: u64,
    /// The code that executes the run; `None`: that with which it starts.
    pub(crate) code: Option<Code>,
    /// What is open where it goes on. Its activities have their rows.
    pub(crate) point: Arc<ForkPoint>,
    _making: Arc<Making>,
}

impl Copied {
    /// Writes these records under the key of a new run that begins so, and the activities that are open there.
    pub(crate) async fn write(
        shared: &Arc<Shared>,
        base: RunId,
        started: Started,
        records: Vec<Bytes>,
        point: ForkPoint,
    ) -> Result<Self, Error> {
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        let copied = Self {
            _making: shared.copies.begin(key.clone()),
            key,
            records: records.len() as u64,
            code: point.moved_to.clone().filter(|code| *code != started.code()),
            started: Arc::new(started),
            point: Arc::new(point),
        };
        match copied.write_pieces(shared, base, records).await {
            Ok(()) => Ok(copied),
            Err(error) => {
                copied.discard(shared).await;
                Err(error)
            }
        }
    }

    async fn write_pieces(&self, shared: &Shared, base: RunId, records: Vec<Bytes>) -> Result<(), Error> {
        let (key, now) = (&self.key, shared.now());
        let first = [
            (key.started(), codec::encode(&*self.started)),
            (key.head(), hidden(shared.boot, base).encode()),
            (key.ready(), Bytes::new()),
        ];
        let records = (0..).zip(records).map(|(number, record)| (key.record(number), record));
        let activities = self.point.activities.iter().map(|(op, command)| {
            (key.activity(*op), codec::encode(&Activity::new(*op, command.clone(), now)))
        });
        let mut batch = Batch::new().class(Class::Intake);
        let mut bytes = 0;
        for (key, row) in first.into_iter().chain(records).chain(activities) {
            bytes += key.bytes.len() + row.len();
            batch.push(put(key, row));
            if bytes >= PIECE_BYTES {
                commit(shared, std::mem::replace(&mut batch, Batch::new().class(Class::Intake))).await?;
                bytes = 0;
            }
        }
        commit(shared, batch).await
    }

    /// Deletes a copy whose run does not begin. What is left of it the next boot deletes.
    pub(crate) async fn discard(self, shared: &Shared) {
        if let Err(error) = delete::finish(shared, &self.key, &self.started).await {
            tracing::warn!(run_id = %self.key.run, %error, "a copy that is not needed is left for the next boot");
        }
    }

    /// The rows that its run begins with, beside those of each new run.
    pub(crate) fn rows(&self) -> Vec<(Key, Bytes)> {
        let ForkPoint { timers, sendings, .. } = &*self.point;
        let timers = timers.iter().map(|(op, (deadline, summary))| {
            (self.key.timer(*deadline, *op), codec::encode(&TimerRow { summary: summary.clone() }))
        });
        let sendings =
            sendings.iter().map(|(op, sending)| (self.key.outbox(*op), codec::encode(&outbox(sending))));
        timers.chain(sendings).collect()
    }

    /// The timers that run when it begins.
    pub(crate) fn timers(&self) -> Vec<(Op, Timestamp)> {
        self.point.timers.iter().map(|(op, (deadline, _))| (*op, *deadline)).collect()
    }
}

fn outbox(sending: &Sending) -> OutboxRow {
    match sending.clone() {
        Sending::Signal { target, name, input } => OutboxRow::Signal { target, name, input },
        Sending::RequestCancel { target, reason } => OutboxRow::RequestCancel { target, reason },
    }
}

/// The head of a copy: that of a run that has ended and is being deleted. It is not the last of its chain, so
/// that what the chain's runs were asked is not forgotten with it.
fn hidden(boot: u64, base: RunId) -> StoredHead {
    let head = Head {
        status: RunStatus::Terminated,
        records: 0,
        next_arrival: 1,
        arrivals: 0,
        journal_entries: 0,
        journal_bytes: 0,
        closed_at: None,
        parked: None,
        continued_to: Some(base),
        cancel_requested: false,
        messages: 0,
        message_bytes: 0,
        delayed_until: None,
        paused: None,
        deleting: true,
        code: None,
        reset_to: None,
        children: 0,
        cancel_due: None,
    };
    StoredHead { version: HeadVersion { version: VERSION, fence: boot }, head }
}

async fn commit(shared: &Shared, batch: Batch) -> Result<(), Error> {
    Ok(shared.store.commit(batch).await.inspect_err(|error| shared.note_failure(error))?)
}

#[cfg(test)]
mod tests {
    use refrain_engine::ids::Namespace;

    use super::*;

    #[test]
    fn a_copy_is_in_the_making_until_its_last_holder_lets_go() {
        let copies = Arc::new(Copies::default());
        let key = RunKey::new(Namespace::default(), RunId::from_bytes([1; 16]));
        let making = copies.begin(key.clone());
        let other = Arc::clone(&making);
        drop(making);
        assert!(copies.contains(&key), "an owner may hold it longer than who asked for it");
        drop(other);
        assert!(!copies.contains(&key));
    }
}
