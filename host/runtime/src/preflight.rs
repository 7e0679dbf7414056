//! Preflight: whether other code would replay the journals of open runs. Each is replayed in an instance of its own,
//! which is then thrown away. Nothing of it is written, and the runs go on meanwhile.

use std::sync::Arc;

use futures::FutureExt;
use refrain_engine::ids::Namespace;
use refrain_store::schema::{RunKey, StoredHead};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::rows;
use crate::runtime::{Runtime, blocking};
use crate::shared::Shared;
use crate::sweep::{Judged, Runs, Work, sweep};
use crate::trial::Trial;
use crate::version_types::{Against, JudgedRun, Selection, SweepEvent, Tried, Verdict};

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
        let shared = Arc::clone(&self.shared);
        let trial = Trial::new(Arc::clone(&shared.guests), Arc::clone(&shared.clock), digest, workflows);
        let trial = Arc::new(trial);
        let work: Work = Arc::new(move |key, version| {
            check_run(Arc::clone(&shared), key, version, Arc::clone(&trial)).boxed()
        });
        sweep(&self.shared, runs, work)
    }
}

/// Replays one run. `None`: it is not there any more.
async fn check_run(shared: Arc<Shared>, key: RunKey, version: u32, trial: Arc<Trial>) -> Judged {
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
    let mut tried = if head.status.is_closed() {
        Tried::from(Verdict::Ended)
    } else {
        trial.replay(&started, records).await
    };
    // One that has ended meanwhile needs no code any more, whatever came of it.
    if let Some(now) = rows::find_head(&*shared.store, &key)? {
        head = now.head;
    }
    if head.status.is_closed() {
        tried = Verdict::Ended.into();
    }
    Ok(Some(JudgedRun {
        workflow_id: started.workflow_id.clone(),
        run_id: key.run,
        workflow: started.workflow.clone(),
        status: head.status,
        version,
        steps,
        tried,
    }))
}
