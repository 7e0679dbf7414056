//! What became of a run that was tried with other code, as JSON: for who checks or moves open runs, and for who replays
//! histories from files.

use refrain_runtime::{self as runtime, Place, Tried, Verdict};

use super::convert;
use crate::render::source::own_line;
use crate::wire::JudgedRun;

/// What became of a run. `moves`: it was to be moved, and not only tried.
pub(crate) fn judged(run: runtime::JudgedRun, moves: bool) -> JudgedRun {
    let Tried { verdict, place: Place { event, backtrace } } = run.tried;
    let would_replay = verdict.would_replay();
    let mismatch = match &verdict {
        Verdict::Diverged(mismatch) => Some(mismatch.clone()),
        Verdict::Trapped { mismatch, .. } => mismatch.clone(),
        Verdict::Identical
        | Verdict::Compatible
        | Verdict::Budget(_)
        | Verdict::Unavailable(_)
        | Verdict::Ended => None,
    };
    JudgedRun {
        id: run.workflow_id.to_string(),
        run_id: run.run_id.to_string(),
        workflow: run.workflow,
        status: convert::status(run.status),
        version: run.version,
        steps: run.steps,
        verdict: verdict.as_str().to_owned(),
        moved: moves.then_some(would_replay),
        message: (!would_replay).then(|| verdict.to_string()),
        mismatch: mismatch.map(|mismatch| convert::mismatch(*mismatch)),
        event,
        source: own_line(&backtrace),
        backtrace,
    }
}
