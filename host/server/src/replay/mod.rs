//! Histories replayed in this process, with the engine and the sandbox of a host and without its store: what CI needs
//! to know of a component before any host sees it.

pub mod files;
pub mod line;

use std::sync::Arc;

use bytes::Bytes;
use refrain_engine::export::{ExportError, Exported};
use refrain_engine::guest::Guests;
use refrain_engine::ids::Digest;
use refrain_engine::journal::{End, Record};
use refrain_runtime::{Debugger, RunStatus, SystemClock, Trial};
use refrain_sandbox::{Building, ComponentSource, Refusal, Sandbox, SandboxError, SandboxOptions};

use crate::api::judged::judged;
use crate::wire::JudgedRun;

/// A component that histories are replayed with.
pub struct Candidate {
    guests: Arc<dyn Guests>,
    digest: Digest,
    trial: Trial,
    /// The workflow types that it defines.
    pub workflows: Vec<String>,
}

/// Why nothing can be replayed with a component.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// Code cannot be executed here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No host would take it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Candidate {
    /// Takes a component as a host takes an upload. `at_once` histories are replayed at a time.
    ///
    /// # Errors
    /// When it is no component that can run here.
    pub async fn inspect(
        component: Bytes,
        at_once: usize,
        building: Building,
    ) -> Result<Self, CandidateError> {
        let options = SandboxOptions { max_instances: Some(at_once), building, ..SandboxOptions::default() };
        // What was inspected is ready, and nothing else is asked for.
        let source: ComponentSource = Arc::new(|_| Ok(None));
        let sandbox = Sandbox::new(options, source)?;
        let inspected = sandbox.inspect(component).await?;
        let workflows: Vec<String> =
            inspected.definition.workflows.into_iter().map(|workflow| workflow.name).collect();
        let types = workflows.iter().cloned().collect();
        let (guests, digest): (Arc<dyn Guests>, _) = (Arc::new(sandbox), inspected.digest);
        let trial = Trial::new(Arc::clone(&guests), Arc::new(SystemClock), digest, types);
        Ok(Self { guests, digest, trial, workflows })
    }

    /// Looks at a history. With `is_its_own` the component is what has made it, whatever its bytes say.
    ///
    /// # Errors
    /// When it is one that nobody can replay.
    pub fn debugger(&self, history: Exported, is_its_own: bool) -> Result<Debugger, ExportError> {
        history.check_replayable()?;
        let Exported { started, records, code, .. } = history;
        let code = if is_its_own { code.digest } else { self.digest };
        Ok(Debugger::new(Arc::clone(&self.guests), self.digest, code, Arc::new(started), records))
    }

    /// Replays a history.
    ///
    /// # Errors
    /// When it is one that nobody can replay.
    pub async fn replay(&self, history: Exported) -> Result<JudgedRun, ExportError> {
        history.check_replayable()?;
        let Exported { started, records, end, code, .. } = history;
        let (started, steps) = (Arc::new(started), records.len() as u64);
        let tried = self.trial.replay(&started, records).await;
        let run = refrain_runtime::JudgedRun {
            workflow_id: started.workflow_id.clone(),
            run_id: started.run_id,
            workflow: started.workflow.clone(),
            status: status(end.as_ref()),
            version: code.version,
            steps,
            tried,
        };
        Ok(judged(run, false))
    }
}

/// Where a run stood whose history ends so. Whether it was parked or paused is in no journal.
fn status(end: Option<&Record>) -> RunStatus {
    use refrain_engine::call::Completion;
    match end {
        Some(Record::Step(step)) => match &step.end {
            End::Wait(_) => RunStatus::Running,
            End::Finish(Completion::Completed(_)) => RunStatus::Completed,
            End::Finish(Completion::Failed(_)) => RunStatus::Failed,
            End::Finish(Completion::Canceled(_)) => RunStatus::Canceled,
            End::Finish(Completion::ContinueAsNew(_)) => RunStatus::ContinuedAsNew,
        },
        Some(Record::Terminated(_)) => RunStatus::Terminated,
        Some(Record::Failed(_)) => RunStatus::Failed,
        Some(Record::TimedOut(_)) => RunStatus::TimedOut,
        Some(Record::Canceled(_)) => RunStatus::Canceled,
        Some(Record::Moved(_)) | None => RunStatus::Running,
    }
}
