//! Starting workflows.

use std::sync::Arc;

use refrain_engine::activity::check_size;
use refrain_engine::codec;
use refrain_engine::ids::{Namespace, RunId, WorkflowId, check_name};
use refrain_engine::journal::Started;
use refrain_engine::limits::{self, Profile};
use refrain_store::schema::{CurrentRun, Key, RunKey, StoredHead};
use refrain_store::{Batch, Class, CommitError};

use crate::error::Error;
use crate::owner::{Message, closing};
use crate::shared::{Shared, random};
use crate::types::{StartWorkflow, StartedWorkflow};

/// The task queue of a start that names none.
const DEFAULT_TASK_QUEUE: &str = "default";

/// How often a start that lost a race looks again: each loss means that another start has won.
const TRIES: usize = 16;

/// Starts a run. When this answers, the run is durable and its owner has it.
pub(crate) async fn start_workflow(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    request: StartWorkflow,
) -> Result<StartedWorkflow, Error> {
    check(&request)?;
    let component = shared.components.resolve(
        namespace,
        &request.workflow,
        request.component.as_deref(),
        request.version,
    )?;
    let task_queue = request.task_queue.unwrap_or_else(|| DEFAULT_TASK_QUEUE.to_owned());
    let run_id = shared.new_run_id()?;
    // Where the id is made here, a repeated start can be known by its request alone.
    let anonymous = request.request_id.as_deref().filter(|_| request.id.is_none());
    let repeated = anonymous.map(|request_id| Key::start_request(namespace, request_id));
    let workflow_id = match request.id {
        Some(id) => id,
        None => WorkflowId::new(run_id.to_string())?,
    };
    let started = Arc::new(Started {
        namespace: namespace.clone(),
        workflow_id: workflow_id.clone(),
        run_id,
        first_run_id: run_id,
        continued_run_id: None,
        workflow: request.workflow,
        input: request.input,
        component: component.name.clone(),
        version: component.version,
        digest: component.digest,
        profile: limits::CURRENT.number,
        task_queue,
        attempt: 1,
        at: shared.now(),
        seed: random()?,
        parent: None,
        root: None,
        request_id: request.request_id,
        memo: request.memo,
        boot: shared.boot,
    });
    for _ in 0..TRIES {
        if let Some(key) = &repeated
            && let Some(answer) = answered(shared, namespace, key)?
        {
            return Ok(answer);
        }
        let current = current_run(shared, namespace, &workflow_id)?;
        if let Some(current) = current
            && let Some(answer) = meet(shared, &started, current)?
        {
            return Ok(answer);
        }
        shared.queues.check_room(namespace, &started.task_queue)?;
        match commit(shared, &started, current, repeated.as_ref()).await {
            Ok(()) => return Ok(StartedWorkflow { workflow_id, run_id, created: true }),
            Err(CommitError::Conflict { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(Error::Internal(format!("the start of {workflow_id:?} lost {TRIES} races: try again")))
}

fn check(request: &StartWorkflow) -> Result<(), Error> {
    check_name("workflow", &request.workflow)?;
    for (what, name) in [("task_queue", &request.task_queue), ("request_id", &request.request_id)] {
        name.as_deref().map_or(Ok(()), |name| check_name(what, name))?;
    }
    let memo: usize = request.memo.iter().map(|(key, value)| key.len() + value.size()).sum();
    within_payload_limit("input", request.input.size())?;
    within_payload_limit("memo", memo)
}

/// Refuses what no payload may be.
pub(crate) fn within_payload_limit(what: &'static str, bytes: usize) -> Result<(), Error> {
    let profile: &Profile = limits::CURRENT;
    check_size(what, bytes, profile).map_err(|_| Error::TooLarge {
        what,
        bytes,
        limit: profile.payload_bytes,
    })
}

/// The latest run of an execution.
pub(crate) fn current_run(
    shared: &Shared,
    namespace: &Namespace,
    id: &WorkflowId,
) -> Result<Option<RunId>, Error> {
    let key = Key::current_run(namespace, id);
    let Some(row) = shared.store.get(key.table, &key.bytes)? else { return Ok(None) };
    let CurrentRun { run } = codec::decode("execution", &row)?;
    Ok(Some(run))
}

/// The answer to a start that finds a run of its execution; `None` when a new run may take its place.
fn meet(shared: &Shared, new: &Started, current: RunId) -> Result<Option<StartedWorkflow>, Error> {
    let key = RunKey::new(new.namespace.clone(), current);
    let (start, head) = (key.started(), key.head());
    let rows = (shared.store.get(start.table, &start.bytes)?, shared.store.get(head.table, &head.bytes)?);
    let (Some(start), Some(head)) = rows else { return Ok(None) };
    let existing: Started = codec::decode("run's start", &start)?;
    if new.request_id.is_some() && existing.request_id == new.request_id {
        let workflow_id = existing.workflow_id;
        return Ok(Some(StartedWorkflow { workflow_id, run_id: current, created: false }));
    }
    if StoredHead::decode(&head)?.head.status.is_closed() {
        return Ok(None);
    }
    Err(Error::AlreadyRunning { id: new.workflow_id.to_string(), run_id: current })
}

/// The answer that a start without a workflow id was given.
fn answered(shared: &Shared, namespace: &Namespace, request: &Key) -> Result<Option<StartedWorkflow>, Error> {
    let Some(row) = shared.store.get(request.table, &request.bytes)? else { return Ok(None) };
    let CurrentRun { run } = codec::decode("start request", &row)?;
    let key = RunKey::new(namespace.clone(), run).started();
    let Some(started) = shared.store.get(key.table, &key.bytes)? else { return Ok(None) };
    let Started { workflow_id, .. } = codec::decode("run's start", &started)?;
    Ok(Some(StartedWorkflow { workflow_id, run_id: run, created: false }))
}

async fn commit(
    shared: &Arc<Shared>,
    started: &Arc<Started>,
    current: Option<RunId>,
    request: Option<&Key>,
) -> Result<(), CommitError> {
    let key = RunKey::new(started.namespace.clone(), started.run_id);
    let execution = Key::current_run(&started.namespace, &started.workflow_id);
    let batch = Batch::new().class(Class::Intake);
    let mut batch = match current {
        None => batch.require_absent(execution.table, execution.bytes),
        Some(run) => {
            batch.require_prefix(execution.table, execution.bytes, codec::encode(&CurrentRun { run }))
        }
    };
    if let Some(Key { table, bytes }) = request {
        let row = codec::encode(&CurrentRun { run: started.run_id });
        batch = batch.require_absent(*table, bytes.clone()).put(*table, bytes.clone(), row);
    }
    let stored = closing::first_head(shared.boot, &[]);
    for (key, row) in closing::first_rows(&key, started, &stored) {
        batch = batch.put(key.table, key.bytes, row);
    }
    shared.store.commit(batch).await.inspect_err(|error| shared.note_failure(error))?;
    let begin = Message::Begin { started: Arc::clone(started), stored };
    shared.registry.send(shared, &key, begin);
    Ok(())
}
