//! All runs of a namespace as they change, for who watches them.

use std::collections::BTreeSet;
use std::sync::Arc;

use refrain_engine::ids::{Namespace, RunId};
use refrain_store::schema::RunKey;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::error::Error;
use crate::inspect;
use crate::runtime::{Runtime, blocking};
use crate::shared::Shared;
use crate::types::RunSummary;

/// Runs that are told of at a time, so that a long burst is told while it goes on.
const TOLD_AT_ONCE: usize = 500;

/// The runs of a namespace as they change.
pub struct Changes {
    shared: Arc<Shared>,
    namespace: Namespace,
    changes: broadcast::Receiver<RunKey>,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These runs, as they stand now. A run that changed several times meanwhile is there once; one that was deleted
    /// is not.
    Runs(Vec<RunSummary>),
    /// More than is remembered: some changes were missed, and the list has them.
    Missed,
}

impl Runtime {
    /// Tells of each run of a namespace that changes from here on: when it begins, with each step that it makes, and
    /// when it is parked, paused or ends. Subscribe first and list afterwards, so that nothing is missed.
    ///
    /// # Errors
    /// When the namespace does not exist.
    pub fn changes(&self, namespace: &Namespace) -> Result<Changes, Error> {
        self.shared.check_namespace(namespace)?;
        let changes = self.shared.watchers.subscribe_all();
        Ok(Changes { shared: Arc::clone(&self.shared), namespace: namespace.clone(), changes })
    }
}

impl Changes {
    /// Waits until runs have changed. Dropping the future loses nothing before it begins to read how they stand.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Changed, Error> {
        let mut changed = BTreeSet::new();
        loop {
            match self.changes.recv().await {
                Ok(key) => self.note(&key, &mut changed),
                Err(RecvError::Lagged(_)) => return Ok(Changed::Missed),
                // The runtime is gone.
                Err(RecvError::Closed) => std::future::pending().await,
            }
            while changed.len() < TOLD_AT_ONCE {
                match self.changes.try_recv() {
                    Ok(key) => self.note(&key, &mut changed),
                    // The next question meets the end again.
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    Err(TryRecvError::Lagged(_)) => return Ok(Changed::Missed),
                }
            }
            if !changed.is_empty() {
                return self.read(changed).await;
            }
        }
    }

    fn note(&self, key: &RunKey, changed: &mut BTreeSet<RunId>) {
        if key.namespace == self.namespace {
            changed.insert(key.run);
        }
    }

    async fn read(&self, changed: BTreeSet<RunId>) -> Result<Changed, Error> {
        let (shared, namespace) = (Arc::clone(&self.shared), self.namespace.clone());
        let read = move || {
            let runs = changed.into_iter().map(|run| RunKey::new(namespace.clone(), run));
            runs.filter_map(|key| inspect::summary(&shared, &key).transpose()).collect()
        };
        Ok(Changed::Runs(blocking(read).await?))
    }
}
