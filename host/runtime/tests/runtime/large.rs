//! A store that refuses too large a batch, as a directory does, and a workflow that has more open than one holds.

use std::sync::Arc;

use refrain_store::{Batch, Commit, CommitError, MAX_BATCH_BYTES, MemoryStore, Store, Wrapper};

use crate::world::*;

/// A store that refuses what the store of production refuses.
pub(crate) struct LimitedBatches(Arc<MemoryStore>);

impl LimitedBatches {
    pub(crate) fn new(store: Arc<MemoryStore>) -> Self {
        Self(store)
    }
}

impl Wrapper for LimitedBatches {
    fn inner(&self) -> &dyn Store {
        &*self.0
    }

    fn commit(&self, batch: Batch) -> Commit {
        let bytes = batch.bytes();
        if bytes > MAX_BATCH_BYTES {
            return Commit::known(Err(CommitError::TooLarge { bytes, limit: MAX_BATCH_BYTES }));
        }
        self.0.commit(batch)
    }
}

/// What [`opens_more_than_a_batch`] has open in the end.
pub(crate) const OPEN_ACTIVITIES: usize = 14;

/// The workflow `large`: opens activities whose rows are together larger than a batch, so many in each step, a second
/// apart, and waits for them all. They end when the gate lets them.
pub(crate) fn opens_more_than_a_batch(world: &World, in_each_step: usize) {
    const INPUT_BYTES: usize = 1_400_000;
    const { assert!(OPEN_ACTIVITIES * INPUT_BYTES > MAX_BATCH_BYTES) };
    world.workflow("large", move |host, _| async move {
        let large = format!("{:?}", "x".repeat(INPUT_BYTES));
        let mut open = Vec::new();
        while open.len() < OPEN_ACTIVITIES {
            for _ in 0..in_each_step {
                open.push(host.activity(activity("gate", &large))?);
            }
            let pause = host.timer(secs(1))?;
            outcome(&host, pause).await?;
        }
        for op in open {
            outcome(&host, op).await?;
        }
        completed("null")
    });
}
