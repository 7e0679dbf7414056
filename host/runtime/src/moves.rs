//! Moving runs to other code: one of them, or the open runs of a component.

use std::sync::Arc;

use futures::FutureExt;
use refrain_engine::ids::Namespace;
use refrain_store::schema::RunKey;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;
use crate::inspect;
use crate::owner::{Message, MoveRequest};
use crate::rows;
use crate::runtime::{CONTINUATIONS, Runtime, check_reason};
use crate::shared::Shared;
use crate::sweep::{Judged, Runs, Work, sweep};
use crate::version_types::{JudgedRun, MoveTo, Moved, Selection, SweepEvent, Verdict};

impl Runtime {
    /// Gives a run other code, between two of its steps, if that replays its journal. A parked run goes on with it.
    /// It is durable when this answers.
    ///
    /// # Errors
    /// When there is no such run or version, the run has ended, the code would not replay it
    /// ([`Error::Diverges`]), or the store refuses. The run is then as it was.
    pub async fn move_run(
        &self,
        namespace: &Namespace,
        target: &crate::Target,
        to: MoveTo,
        reason: String,
    ) -> Result<Moved, Error> {
        check_reason(&reason)?;
        for _ in 0..CONTINUATIONS {
            self.shared.check_open()?;
            let key = inspect::resolve(&self.shared, namespace, target)?;
            match ask_owner(&self.shared, &key, to.clone(), reason.clone()).await {
                // Another run may have followed it.
                Err(closed @ Error::Closed { .. }) if target.run_id.is_none() => {
                    if inspect::resolve(&self.shared, namespace, target)? == key {
                        return Err(closed);
                    }
                }
                answer => return answer,
            }
        }
        let id = target.workflow_id.to_string();
        Err(Error::Internal(format!(
            "the runs of workflow {id:?} end faster than they can be moved: try again"
        )))
    }

    /// Moves the open runs of a component that its version `to` would replay, and says of each what came of it.
    ///
    /// # Errors
    /// When there is no such version, or too much is moved already.
    pub fn move_runs(
        &self,
        namespace: &Namespace,
        component: &str,
        to: u32,
        selection: Selection,
        reason: String,
    ) -> Result<mpsc::Receiver<SweepEvent>, Error> {
        check_reason(&reason)?;
        self.shared.check_open()?;
        self.shared.check_namespace(namespace)?;
        self.shared.components.version(namespace, component, Some(to))?;
        let runs = Runs::new(&self.shared, namespace, component, selection, Some(to));
        runs.check(component)?;
        let (shared, reason) = (Arc::clone(&self.shared), Arc::new(reason));
        let work: Work = Arc::new(move |key, version| {
            move_one(Arc::clone(&shared), key, version, to, Arc::clone(&reason)).boxed()
        });
        sweep(&self.shared, runs, work)
    }
}

/// Has a run moved by its owner.
async fn ask_owner(shared: &Arc<Shared>, key: &RunKey, to: MoveTo, reason: String) -> Result<Moved, Error> {
    let (reply, answer) = oneshot::channel();
    shared.registry.send(shared, key, Message::Move(MoveRequest { to, reason, reply }));
    match answer.await {
        Ok(answer) => answer,
        Err(_) => {
            shared.check_open()?;
            Err(Error::Internal("the run's owner has failed: try again".to_owned()))
        }
    }
}

async fn move_one(shared: Arc<Shared>, key: RunKey, version: u32, to: u32, reason: Arc<String>) -> Judged {
    let Some(started) = rows::find_started(&*shared.store, &key)? else { return Ok(None) };
    let verdict = match ask_owner(&shared, &key, MoveTo::Version(to), (*reason).clone()).await {
        Ok(moved) => moved.verdict,
        Err(Error::Diverges { verdict, .. }) => *verdict,
        Err(Error::Closed { .. } | Error::NotFound { what: "run", .. }) => Verdict::Ended,
        Err(error) => {
            shared.check_open()?;
            Verdict::Unavailable(error.to_string())
        }
    };
    let Some(stored) = rows::find_head(&*shared.store, &key)? else { return Ok(None) };
    Ok(Some(JudgedRun {
        workflow_id: started.workflow_id,
        run_id: key.run,
        workflow: started.workflow,
        status: stored.head.status,
        version,
        steps: stored.head.records,
        tried: verdict.into(),
    }))
}
