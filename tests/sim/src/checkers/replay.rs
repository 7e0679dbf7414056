//! Each journal replays to its end by an instance that knows nothing else.

use std::sync::Arc;

use refrain_engine::guest::Stop;
use refrain_engine::journal::Record;
use refrain_engine::limits;
use refrain_engine::run::Run;

use crate::evidence::{Evidence, RunEvidence};

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, run) in &evidence.runs {
        if let Err(why) = replay(evidence, run) {
            wrong.push(format!("run {id} of {} does not replay: {why}", run.started.workflow_id));
        }
    }
    wrong
}

fn replay(evidence: &Evidence, run: &RunEvidence) -> Result<(), String> {
    let by_guest = matches!(run.records.last(), Some(Record::Step(_)));
    let (started, code) = (Arc::new(run.started.clone()), run.code());
    let replayed = Run::replay(started, run.journal.clone(), code, 1).map_err(|error| error.to_string())?;
    let (_, stop) = futures::executor::block_on(async {
        let mut guest = evidence.guests.open(code, limits::CURRENT).await.expect("the actor's code");
        guest.run(Box::new(replayed)).await
    });
    match stop {
        Stop::Finished => Ok(()),
        // Ended from outside, in the middle.
        Stop::Wait if !by_guest || !run.head.status.is_closed() => Ok(()),
        Stop::Mismatch(mismatch) => Err(mismatch.to_string()),
        other => Err(format!("it stopped as {other:?}")),
    }
}
