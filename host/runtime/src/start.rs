//! Starting workflows.

use std::sync::Arc;

use bytes::Bytes;
use refrain_engine::activity::check_size;
use refrain_engine::codec;
use refrain_engine::ids::{Namespace, RunId, WorkflowId, check_name};
use refrain_engine::journal::{Code, Started};
use refrain_engine::lifecycle::Lifecycle;
use refrain_engine::limits::{self, Profile};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::outline::OpenUpdate;
use refrain_store::schema::{ComponentVersion, CurrentRun, Key, RunKey, RunStatus, StoredHead, UpdateStatus};
use refrain_store::{Batch, Change, Health};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::new_run::NewRun;
use crate::owner::{Message, put, update_row};
use crate::rows;
use crate::shared::Shared;
use crate::types::{
    IdConflictPolicy, IdReusePolicy, SendSignal, StartSignal, StartWorkflow, StartedWorkflow,
};
use crate::updates::{self, SendUpdate};

/// The task queue of a start that names none.
const DEFAULT_TASK_QUEUE: &str = "default";

/// How often a start that lost a race looks again: each loss means that another start has won.
const TRIES: usize = 1_000;

/// Starts a run. When this answers, the run is durable and its owner has it.
pub(crate) async fn start_workflow(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    request: StartWorkflow,
) -> Result<StartedWorkflow, Error> {
    check(&request)?;
    let StartWorkflow { workflow, component, version, digest, .. } = &request;
    let component = match digest {
        None => shared.components.resolve(namespace, workflow, component.as_deref(), *version),
        Some(digest) => shared.components.resolve_code(namespace, workflow, component.as_deref(), *digest),
    }?;
    let name =
        request.id.as_ref().map(WorkflowId::as_str).or(request.request_id.as_deref()).unwrap_or_default();
    let run_id = shared.new_run_id(name.as_bytes())?;
    // Where the id is made here, a repeated start can be known by its request alone.
    let anonymous = request.request_id.as_deref().filter(|_| request.id.is_none());
    let repeated = anonymous.map(|request_id| Key::start_request(namespace, request_id));
    let workflow_id = match &request.id {
        Some(id) => id.clone(),
        None => WorkflowId::new(run_id.to_string())?,
    };
    let started = started(shared, namespace, &request, &component, workflow_id, run_id)?;
    let start = Start { request, started };
    for _ in 0..TRIES {
        if let Some(key) = &repeated
            && let Some(answer) = answered(shared, namespace, key)?
        {
            return Ok(answer);
        }
        let current = rows::find_current_run(&*shared.store, namespace, &start.started.workflow_id)?;
        let met = current.map_or(Ok(Met::Nothing), |current| start.meet(shared, current))?;
        if !matches!(met, Met::Answer(_) | Met::UseExisting(_)) {
            shared.queues.check_room(namespace, &start.started.task_queue)?;
        }
        let (done, answer) = match met {
            Met::Answer(answer) => return Ok(answer),
            Met::Nothing => {
                (start.commit(shared, current, repeated.as_ref()).await?, start.answer(run_id, true))
            }
            Met::UseExisting(existing) => {
                (start.join(shared, &existing).await?, start.answer(existing.run, false))
            }
            Met::TerminateExisting(existing) => {
                (start.replace(shared, &existing).await?, start.answer(run_id, true))
            }
        };
        if done {
            return Ok(answer);
        }
    }
    let id = &start.started.workflow_id;
    Err(Error::Internal(format!("the start of {id:?} lost {TRIES} races: try again")))
}

/// What the run begins with.
fn started(
    shared: &Shared,
    namespace: &Namespace,
    request: &StartWorkflow,
    component: &ComponentVersion,
    workflow_id: WorkflowId,
    run_id: RunId,
) -> Result<Arc<Started>, Error> {
    let at = shared.now();
    let seed = shared.options.entropy.draw(workflow_id.as_str().as_bytes())?;
    Ok(Arc::new(Started {
        namespace: namespace.clone(),
        workflow_id,
        run_id,
        first_run_id: run_id,
        continued_run_id: None,
        workflow: request.workflow.clone(),
        input: request.input.clone(),
        component: component.name.clone(),
        version: component.version,
        digest: component.digest,
        profile: limits::CURRENT.number,
        task_queue: request.task_queue.clone().unwrap_or_else(|| DEFAULT_TASK_QUEUE.to_owned()),
        attempt: 1,
        at,
        seed,
        parent: None,
        root: None,
        parent_op: None,
        forks: Vec::new(),
        surroundings: shared.options.surroundings_of(&component.name),
        request_id: request.request_id.clone(),
        memo: request.memo.clone(),
        boot: shared.boot,
        lifecycle: Lifecycle {
            execution_deadline: request.execution_timeout.map(|timeout| at.after(timeout)),
            run_timeout: request.run_timeout,
            retry: request.retry.clone(),
            begins_at: (!request.start_delay.is_zero()).then(|| at.after(request.start_delay)),
            last_failure: None,
        },
    }))
}

/// A start, and the run that it will make if it makes one.
struct Start {
    request: StartWorkflow,
    started: Arc<Started>,
}

/// What a start finds under its id.
enum Met {
    /// No run that is in its way.
    Nothing,
    /// It was answered before.
    Answer(StartedWorkflow),
    /// A run that it is answered with.
    UseExisting(RunKey),
    /// A run whose place it takes.
    TerminateExisting(RunKey),
}

impl Start {
    fn answer(&self, run_id: RunId, created: bool) -> StartedWorkflow {
        StartedWorkflow { workflow_id: self.started.workflow_id.clone(), run_id, created }
    }

    /// What its policies say to a run of the id.
    fn meet(&self, shared: &Shared, current: RunId) -> Result<Met, Error> {
        if current == self.started.run_id {
            // An owner that failed before it could say so had begun it.
            return Ok(Met::Answer(self.answer(current, true)));
        }
        let key = RunKey::new(self.started.namespace.clone(), current);
        let Some((existing, StoredHead { head, .. })) = rows::find(&*shared.store, &key)? else {
            return Ok(Met::Nothing);
        };
        let request_id = self.request.request_id.as_ref();
        if request_id.is_some() && existing.request_id.as_ref() == request_id {
            return Ok(match &self.request.update {
                // The same start with another update, which the run that it made is to get.
                Some(update)
                    if !head.status.is_closed() && !self.has_update(shared, &existing, update)? =>
                {
                    Met::UseExisting(key)
                }
                Some(_) | None => Met::Answer(self.answer(current, false)),
            });
        }
        if let Some(update) = &self.request.update
            && self.has_update(shared, &existing, update)?
        {
            return Ok(Met::Answer(self.answer(current, false)));
        }
        let policy = self.conflict_policy();
        if let Some(request_id) = request_id.filter(|_| policy == IdConflictPolicy::UseExisting) {
            let chain = RunKey::new(key.namespace.clone(), existing.first_run_id);
            let joined = chain.request(request_id);
            if shared.store.get(joined.table, &joined.bytes)?.is_some() {
                return Ok(Met::Answer(self.answer(current, false)));
            }
        }
        if head.status.is_closed() {
            check_reuse(&existing, head.status, self.request.id_reuse_policy)?;
            return Ok(Met::Nothing);
        }
        match policy {
            IdConflictPolicy::Fail => Err(already_running(&existing)),
            IdConflictPolicy::UseExisting => Ok(Met::UseExisting(key)),
            IdConflictPolicy::TerminateExisting => Ok(Met::TerminateExisting(key)),
        }
    }

    fn conflict_policy(&self) -> IdConflictPolicy {
        let with_message = self.request.signal.is_some() || self.request.update.is_some();
        let policy = with_message.then_some(IdConflictPolicy::UseExisting);
        self.request.id_conflict_policy.or(policy).unwrap_or_default()
    }

    /// Whether the chain that this run is of has the update.
    fn has_update(&self, shared: &Shared, run: &Started, update: &SendUpdate) -> Result<bool, Error> {
        let chain = RunKey::new(run.namespace.clone(), run.first_run_id);
        Ok(updates::find(shared, &chain, &update.update_id)?.is_some())
    }

    /// The run, with its signal or its update if it has one, and what makes a repeated request the same one.
    fn draft(&self, boot: u64) -> (NewRun, Vec<Change>) {
        let Self { request, started } = self;
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        let message = |item| MailboxEntry { number: 1, at: started.at, item };
        let (mut messages, mut changes) = (Vec::new(), Vec::new());
        if let Some(StartSignal { name, input }) = request.signal.clone() {
            messages.push(message(Item::Signal { name, input }));
            changes.extend(request.request_id.iter().map(|id| put(key.request(id), Bytes::new())));
        }
        if let Some(SendUpdate { update_id, name, input }) = request.update.clone() {
            let entry = message(Item::Update { update_id, name, input });
            let open = OpenUpdate::of(&entry);
            changes.extend(open.map(|open| {
                put(key.update(&open.update_id), update_row(&key, &open, UpdateStatus::Admitted))
            }));
            messages.push(entry);
        }
        (NewRun::new(boot, Arc::clone(started), messages), changes)
    }

    /// Begins the run where none is in its way. False: another start was faster.
    async fn commit(
        &self,
        shared: &Arc<Shared>,
        current: Option<RunId>,
        request: Option<&Key>,
    ) -> Result<bool, Error> {
        let mut batch = Batch::new();
        if let Some(Key { table, bytes }) = request {
            let row = codec::encode(&CurrentRun { run: self.started.run_id });
            batch = batch.require_absent(*table, bytes.clone()).put(*table, bytes.clone(), row);
        }
        let (run, changes) = self.draft(shared.boot);
        batch.changes.extend(changes);
        let begun = run.commit(shared, current, batch).await?;
        if !begun {
            check_code(shared, &self.started.namespace, &self.started.code()).await?;
        }
        Ok(begun)
    }

    /// Is answered with a run that has not ended, which gets the signal or the update. False: it has ended meanwhile.
    async fn join(&self, shared: &Arc<Shared>, existing: &RunKey) -> Result<bool, Error> {
        let request_id = self.request.request_id.clone();
        let (reply, answer) = oneshot::channel();
        let message = match (self.request.signal.clone(), self.request.update.clone(), request_id) {
            (Some(StartSignal { name, input }), _, request_id) => {
                Message::Signal { signal: SendSignal { name, input, request_id }, begins: true, reply }
            }
            (None, Some(update), _) => Message::Update { update, begins: true, reply },
            (None, None, Some(request_id)) => Message::Join { request_id, reply },
            (None, None, None) => return Ok(true),
        };
        self.send(shared, existing, message, answer).await
    }

    /// Takes the place of a run that has not ended. False: it has ended meanwhile.
    async fn replace(&self, shared: &Arc<Shared>, existing: &RunKey) -> Result<bool, Error> {
        if shared.store.health() == Health::Full {
            return Err(Error::Full);
        }
        let (next, changes) = self.draft(shared.boot);
        let (reply, answer) = oneshot::channel();
        let message = Message::Replace { next: Box::new(next), changes, reply };
        self.send(shared, existing, message, answer).await
    }

    async fn send(
        &self,
        shared: &Arc<Shared>,
        existing: &RunKey,
        message: Message,
        answer: oneshot::Receiver<Result<(), Error>>,
    ) -> Result<bool, Error> {
        shared.registry.send(shared, existing, message);
        match answer.await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(Error::Closed { .. } | Error::NotFound { .. })) => Ok(false),
            Ok(Err(error)) => Err(error),
            // Its owner has failed; the next one may do better.
            Err(_) => shared.check_open().map(|()| false),
        }
    }
}

/// Refuses a run whose code was deleted since it was chosen.
///
/// # Errors
/// [`Error::NotFound`] when it was.
pub(crate) async fn check_code(shared: &Shared, namespace: &Namespace, code: &Code) -> Result<(), Error> {
    let Code { component, version, .. } = code;
    let place = Key::component_version(namespace, component, *version);
    if shared.store.get(place.table, &place.bytes)?.is_some() {
        return Ok(());
    }
    shared.components.decided().await;
    shared.components.version(namespace, component, Some(*version)).map(drop)
}

/// Whether an id may be used again whose latest run has ended so.
///
/// # Errors
/// [`Error::AlreadyRan`] when the policy says that it may not.
pub(crate) fn check_reuse(existing: &Started, status: RunStatus, policy: IdReusePolicy) -> Result<(), Error> {
    let may_follow = match policy {
        IdReusePolicy::AllowDuplicate => true,
        IdReusePolicy::AllowDuplicateFailedOnly => status != RunStatus::Completed,
        IdReusePolicy::RejectDuplicate => false,
    };
    if may_follow {
        return Ok(());
    }
    Err(Error::AlreadyRan { id: existing.workflow_id.to_string(), run_id: existing.run_id, status })
}

/// A run that has not ended is in the way.
pub(crate) fn already_running(existing: &Started) -> Error {
    Error::AlreadyRunning { id: existing.workflow_id.to_string(), run_id: existing.run_id }
}

fn check(request: &StartWorkflow) -> Result<(), Error> {
    check_name("workflow", &request.workflow)?;
    for (what, name) in [("task_queue", &request.task_queue), ("request_id", &request.request_id)] {
        name.as_deref().map_or(Ok(()), |name| check_name(what, name))?;
    }
    let memo: usize = request.memo.iter().map(|(key, value)| key.len() + value.size()).sum();
    within_payload_limit("input", request.input.size())?;
    within_payload_limit("memo", memo)?;
    if let (Some(version), Some(_)) = (request.version, request.digest) {
        return Err(Error::Invalid {
            field: "digest".to_owned(),
            message: format!("stands beside version {version}: give one of the two"),
        });
    }
    if let Some(signal) = &request.signal {
        check_name("signal", &signal.name)?;
        within_payload_limit("signal_input", signal.input.size())?;
    }
    if let Some(update) = &request.update {
        updates::check(update)?;
        if request.signal.is_some() {
            let message = "comes with a signal, and a start has one message at most: send the signal when the \
                           start is answered";
            return Err(Error::Invalid { field: "update".to_owned(), message: message.to_owned() });
        }
    }
    check_lifecycle(request)
}

fn check_lifecycle(request: &StartWorkflow) -> Result<(), Error> {
    let invalid = |field: &str, message: String| Err(Error::Invalid { field: field.to_owned(), message });
    let timeouts = [("execution_timeout", request.execution_timeout), ("run_timeout", request.run_timeout)];
    for (field, timeout) in timeouts {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return invalid(field, "is zero: give a length of time above zero, or leave it out".to_owned());
        }
    }
    if request.id_reuse_policy == IdReusePolicy::RejectDuplicate
        && request.id_conflict_policy == Some(IdConflictPolicy::TerminateExisting)
    {
        let message = "makes the id that of a run that has ended, and id_reuse_policy forbids to use such an id \
                       again: allow that, or choose another conflict policy";
        return invalid("id_conflict_policy", message.to_owned());
    }
    let delay = request.start_delay;
    if let Some(timeout) = request.execution_timeout.filter(|timeout| *timeout <= delay) {
        let message = format!(
            "is {delay:?}, and the execution timeout of {timeout:?} passes before it is over: give a longer timeout, which includes the delay"
        );
        return invalid("start_delay", message);
    }
    match request.retry.as_ref().map(|retry| retry.check()) {
        Some(Err(message)) => {
            // It begins with the field, as guests spell it.
            let (field, message) = message.split_once(' ').unwrap_or(("retry", &message));
            invalid(&field.replace('-', "_"), message.to_owned())
        }
        Some(Ok(())) | None => Ok(()),
    }
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

/// The answer that a start without a workflow id was given.
fn answered(shared: &Shared, namespace: &Namespace, request: &Key) -> Result<Option<StartedWorkflow>, Error> {
    let Some(run_id) = rows::find_run(&*shared.store, request)? else { return Ok(None) };
    let started = rows::find_started(&*shared.store, &RunKey::new(namespace.clone(), run_id))?;
    Ok(started.map(|Started { workflow_id, .. }| StartedWorkflow { workflow_id, run_id, created: false }))
}
