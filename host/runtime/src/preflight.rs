//! Preflight: whether other code would replay the journals of open runs. Each is replayed in an instance of its own,
//! which is then thrown away. Nothing of it is written, and the runs go on meanwhile.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use refrain_engine::guest::{OpenError, Stop};
use refrain_engine::ids::{Digest, Namespace};
use refrain_engine::journal::Started;
use refrain_engine::limits::Profile;
use refrain_engine::run::Run;
use refrain_store::schema::{RunKey, StoredHead, StoredMismatch};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::executor::panic_message;
use crate::rows;
use crate::runtime::{Runtime, blocking};
use crate::shared::Shared;
use crate::sweep::{Judged, Runs, Work, sweep};
use crate::version_types::{Against, JudgedRun, Selection, SweepEvent, Verdict};

/// How long one run's replay may take altogether. A journal at its limit replays in seconds; what takes longer would
/// keep the others waiting.
const REPLAY_TIME: Duration = Duration::from_secs(60);

impl Runtime {
    /// Replays the journals of a component's open runs with other code, and says of each what came of it.
    ///
    /// # Errors
    /// When there is no such component or version, or too much is checked already.
    pub fn check_runs(
        &self,
        namespace: &Namespace,
        component: &str,
        against: Against,
        selection: Selection,
    ) -> Result<mpsc::Receiver<SweepEvent>, Error> {
        self.shared.check_open()?;
        self.shared.check_namespace(namespace)?;
        let (digest, workflows) = match against {
            Against::Candidate { digest, workflows } => (digest, workflows),
            Against::Version(number) => {
                let version = self.shared.components.version(namespace, component, Some(number))?;
                let workflows = version.workflows.iter().map(|workflow| workflow.name.clone()).collect();
                (version.digest, workflows)
            }
        };
        let runs = Runs::new(&self.shared, namespace, component, selection, None);
        runs.check(component)?;
        let (shared, workflows) = (Arc::clone(&self.shared), Arc::new(workflows));
        let work: Work = Arc::new(move |key, version| {
            check_run(Arc::clone(&shared), key, version, digest, Arc::clone(&workflows)).boxed()
        });
        sweep(&self.shared, runs, work)
    }
}

/// Replays one run. `None`: it is not there any more.
async fn check_run(
    shared: Arc<Shared>,
    key: RunKey,
    version: u32,
    digest: Digest,
    workflows: Arc<BTreeSet<String>>,
) -> Judged {
    let (reading, of) = (Arc::clone(&shared), key.clone());
    let found = blocking(move || {
        let Some((started, StoredHead { head, .. })) = rows::find(&*reading.store, &of)? else {
            return Ok(None);
        };
        let records =
            if head.status.is_closed() { Vec::new() } else { rows::read_journal(&*reading.store, &of)? };
        Ok(Some((Arc::new(started), head, records)))
    });
    let Some((started, mut head, records)) = found.await? else { return Ok(None) };
    let steps = records.len() as u64;
    let verdict = if head.status.is_closed() {
        Verdict::Ended
    } else if workflows.contains(&started.workflow) {
        replay(&shared, &started, records, digest).await
    } else {
        no_such_workflow(&started.workflow, workflows.iter().map(String::as_str))
    };
    // One that has ended meanwhile needs no code any more, whatever came of it.
    if let Some(now) = rows::find_head(&*shared.store, &key)? {
        head = now.head;
    }
    let verdict = if head.status.is_closed() { Verdict::Ended } else { verdict };
    Ok(Some(JudgedRun {
        workflow_id: started.workflow_id.clone(),
        run_id: key.run,
        workflow: started.workflow.clone(),
        status: head.status,
        version,
        steps,
        verdict,
    }))
}

/// Replays a journal with this code, in an instance of its own.
async fn replay(shared: &Arc<Shared>, started: &Arc<Started>, records: Vec<Bytes>, code: Digest) -> Verdict {
    let Some(profile) = Profile::get(started.profile) else {
        return Verdict::Unavailable(format!("determinism profile {} is not of this host", started.profile));
    };
    let mut guest = match shared.guests.open(code, profile).await {
        Ok(guest) => guest,
        Err(error) => return unopened(&error),
    };
    let run = match Run::replay(Arc::clone(started), records, code, shared.boot) {
        Ok(run) => run,
        Err(error) => return Verdict::Unavailable(error.to_string()),
    };
    if !run.is_replaying() {
        // It has made no step, so any code will do.
        return Verdict::Identical;
    }
    let executed = AssertUnwindSafe(async { guest.run(Box::new(run)).await }).catch_unwind();
    tokio::select! {
        biased;
        executed = executed => match executed {
            Ok((run, stop)) => judge(&run, stop),
            Err(panic) => Verdict::Unavailable(format!("the host panicked: {}", panic_message(&*panic))),
        },
        () = shared.clock.sleep_until(shared.now().after(REPLAY_TIME)) => {
            Verdict::Budget(format!("the replay took longer than {REPLAY_TIME:?}"))
        }
    }
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
                Some(message) => Verdict::Trapped { message, backtrace: Vec::new(), mismatch: Some(stored) },
                None => Verdict::Diverged(stored),
            }
        }
        Stop::Trap(trap) => {
            Verdict::Trapped { message: trap.message, backtrace: trap.backtrace, mismatch: None }
        }
        Stop::Limit(excess) => {
            Verdict::Trapped { message: excess.to_string(), backtrace: Vec::new(), mismatch: None }
        }
        Stop::Budget => Verdict::Budget("a step ran longer than its budget".to_owned()),
        Stop::Unavailable(reason) => Verdict::Unavailable(reason),
        Stop::Answered(_) => Verdict::Unavailable("a replay was taken for a query".to_owned()),
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
