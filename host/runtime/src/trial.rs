//! Trying code on a journal: it replays what was recorded in an instance of its own, which is then thrown away.
//!
//! Nothing here knows a store, so that a journal may as well come out of a file.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use refrain_engine::codec;
use refrain_engine::guest::{Guests, OpenError, Stop};
use refrain_engine::history::History;
use refrain_engine::ids::Digest;
use refrain_engine::journal::{Position, Record, Started};
use refrain_engine::limits::Profile;
use refrain_engine::run::Run;
use refrain_store::schema::StoredMismatch;

use crate::clock::Clock;
use crate::executor::panic_message;
use crate::version_types::{Place, Tried, Verdict};

/// How long one run's replay may take altogether. A journal at its limit replays in seconds; what takes longer would
/// keep the others waiting.
const REPLAY_TIME: Duration = Duration::from_secs(60);

/// Code, and what executes it.
pub struct Trial {
    guests: Arc<dyn Guests>,
    clock: Arc<dyn Clock>,
    code: Digest,
    /// The workflow types that it defines.
    workflows: BTreeSet<String>,
}

impl Trial {
    /// Of this code, which defines these workflow types.
    pub fn new(
        guests: Arc<dyn Guests>,
        clock: Arc<dyn Clock>,
        code: Digest,
        workflows: BTreeSet<String>,
    ) -> Self {
        Self { guests, clock, code, workflows }
    }

    /// Replays a journal: the stored records of a run that began so. Reads are compared where the code itself has made
    /// them, and otherwise all but those.
    pub async fn replay(&self, started: &Arc<Started>, records: Vec<Bytes>) -> Tried {
        let Some(profile) = Profile::get(started.profile) else {
            let reason = format!("determinism profile {} is not of this host", started.profile);
            return Verdict::Unavailable(reason).into();
        };
        if !self.workflows.contains(&started.workflow) {
            return no_such_workflow(&started.workflow, self.workflows.iter().map(String::as_str)).into();
        }
        let mut guest = match self.guests.open(self.code, profile).await {
            Ok(guest) => guest,
            Err(error) => return unopened(&error).into(),
        };
        let run = match Run::replay(Arc::clone(started), records.clone(), self.code, started.boot) {
            Ok(run) => run,
            Err(error) => return Verdict::Unavailable(error.to_string()).into(),
        };
        if !run.is_replaying() {
            // It has made no step, so any code will do.
            return Verdict::Identical.into();
        }
        let executed = AssertUnwindSafe(async { guest.run(Box::new(run)).await }).catch_unwind();
        tokio::select! {
            biased;
            executed = executed => match executed {
                Ok((run, stop)) => {
                    let place = place(started, &records, &stop);
                    Tried { verdict: judge(&run, stop), place }
                }
                Err(panic) => {
                    Verdict::Unavailable(format!("the host panicked: {}", panic_message(&*panic))).into()
                }
            },
            () = self.clock.sleep_until(self.clock.now().after(REPLAY_TIME)) => {
                Verdict::Budget(format!("the replay took longer than {REPLAY_TIME:?}")).into()
            }
        }
    }
}

/// Where a replay stopped that did not come to the journal's end.
fn place(started: &Started, records: &[Bytes], stop: &Stop) -> Place {
    match stop {
        Stop::Mismatch(mismatch) => Place {
            event: event_at(started, records, mismatch.position),
            backtrace: mismatch.backtrace.clone(),
        },
        Stop::Trap(trap) => Place { event: None, backtrace: trap.backtrace.clone() },
        Stop::Wait
        | Stop::Finished
        | Stop::Budget
        | Stop::Limit(_)
        | Stop::Answered(_)
        | Stop::Reached(_)
        | Stop::Unavailable(_) => Place::default(),
    }
}

/// The number of the event that the entry at this position is. `None`: the journal is damaged before it.
pub(crate) fn event_at(started: &Started, records: &[Bytes], position: Position) -> Option<u64> {
    let mut history = History::new(started, false);
    for record in records {
        match codec::decode("journal record", record).ok()? {
            Record::Step(step) if step.number == position.step => {
                return Some(history.number_at(&step, position));
            }
            record => history.record(&record),
        }
        history.take_events();
    }
    None
}

/// What a replay came to that stopped so.
pub(crate) fn judge(run: &Run, stop: Stop) -> Verdict {
    match stop {
        // At the end of a journal whose last step ended the run, its code does too.
        Stop::Wait | Stop::Finished if run.reads_differ() => Verdict::Compatible,
        Stop::Wait | Stop::Finished => Verdict::Identical,
        Stop::Mismatch(mismatch) => {
            let stored = Box::new(StoredMismatch::from(&*mismatch));
            match mismatch.trap {
                Some(message) => Verdict::Trapped { message, mismatch: Some(stored) },
                None => Verdict::Diverged(stored),
            }
        }
        Stop::Trap(trap) => Verdict::Trapped { message: trap.message, mismatch: None },
        Stop::Limit(excess) => Verdict::Trapped { message: excess.to_string(), mismatch: None },
        Stop::Budget => Verdict::Budget("a step ran longer than its budget".to_owned()),
        Stop::Unavailable(reason) => Verdict::Unavailable(reason),
        Stop::Answered(_) | Stop::Reached(_) => {
            Verdict::Unavailable("a replay stopped before it had come to its end".to_owned())
        }
    }
}

/// What it means that no guest can be opened.
pub(crate) fn unopened(error: &OpenError) -> Verdict {
    Verdict::Unavailable(error.to_string())
}

/// The code has no such workflow: it differs before it begins.
pub(crate) fn no_such_workflow<'a>(workflow: &str, known: impl Iterator<Item = &'a str>) -> Verdict {
    let known: Vec<&str> = known.collect();
    Verdict::Diverged(Box::new(StoredMismatch {
        position: "0.0".to_owned(),
        recorded: format!("workflow {workflow}"),
        attempted: format!("no workflow of this type: the component defines {}", known.join(", ")),
        differences: Vec::new(),
        likely_causes: vec![
            "the workflow was removed or renamed: keep it under its name until no run needs it".to_owned(),
        ],
    }))
}
