//! Executions that go on from run to run for ever. No time need pass from one to the next, so what bounds a test's time bounds
//! none of that.

use std::collections::{BTreeMap, BTreeSet};

use refrain_engine::ids::{Namespace, RunId, WorkflowId};
use refrain_runtime::{Changed, RunSummary};

use crate::error::TestError;
use crate::life::Life;
use crate::time::length;

/// How many runs of one execution a test bears, unless it says otherwise: two each day for the ten years that it goes on, and
/// more.
pub const RUN_LIMIT: u64 = 10_000;

/// Ends when an execution has begun more runs than that, with what to say of it.
pub(crate) async fn too_many(life: &Life, limit: u64) -> TestError {
    match count(life, limit).await {
        Ok(error) => error,
        // The host has failed, and says so itself.
        Err(_) => std::future::pending().await,
    }
}

async fn count(life: &Life, limit: u64) -> Result<TestError, TestError> {
    let mut changes = life.runtime().changes(&Namespace::default())?;
    let mut runs: BTreeMap<WorkflowId, BTreeSet<RunId>> = BTreeMap::new();
    loop {
        let changed = match changes.next().await? {
            Changed::Runs(changed) => changed,
            Changed::Missed => life.runs().await?,
        };
        for RunSummary { workflow_id, run_id, workflow, .. } in changed {
            let of = runs.entry(workflow_id.clone()).or_default();
            of.insert(run_id);
            if of.len() as u64 > limit {
                let (id, elapsed) = (workflow_id.to_string(), length(life.elapsed()));
                return Ok(TestError::TooManyRuns { id, workflow, limit, elapsed });
            }
        }
    }
}
