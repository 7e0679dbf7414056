//! Carries what runs want from each other: the starts and the ends of children, signals, cancel requests.
//!
//! What a run wants lies in its outbox, in the batch of the step that wants it, and is carried once that is durable:
//!
//! | row          | carried to                        | and then                                          |
//! |--------------|-----------------------------------|---------------------------------------------------|
//! | StartChild   | the child's first rows            | `ChildStarted` to the run, which drops the row    |
//! | EndChild     | the child's current run           | the row is dropped; so that a child that never began ends, `ChildStarted` |
//! | TellParent   | `ChildClosed` to the parent's run | the row is dropped                                |
//! | Signal, RequestCancel | the target's current run, or the one that is named | `Sent` to the run, which drops the row |
//!
//! A crash at any point leaves the row, and the next boot carries it again: a child is known by its run id, a signal by
//! a request id, an end by the row of the child. What passes, like a full mailbox, is tried again. What one run sends to
//! one execution is carried in its order; beside that nothing waits for anything else.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use refrain_engine::child::IdReusePolicy;
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Namespace, Op, RunId, WorkflowId};
use refrain_engine::journal::{ExecutionRef, Started};
use refrain_engine::payload::Payload;
use refrain_store::schema::{ChildRow, EndChild, Key, OutboxRow, Prefix, RunKey, after};
use refrain_store::{Batch, CommitError, Order, Table};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::delete;
use crate::error::Error;
use crate::new_run::NewRun;
use crate::owner::{Message, Reply};
use crate::rows;
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::start;
use crate::types::{SendSignal, Target};

/// Deliveries at once. Each waits for a commit or for an owner, and what is committed at once shares a write.
const DELIVERIES: usize = 256;

/// Lanes that a boot has begun and that have not tried once: a long backlog is not all in memory.
const FOUND: usize = 1_000;

/// Rows of one read at a boot: each can be as large as a payload.
const PIECE: usize = 16;

/// The pause before what could not be delivered is tried again; doubled each time. A full mailbox has room as soon as
/// its run has taken a step.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest of those pauses: what stands in the way for long, like a full disk, is lifted by people.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often a child's start or end follows its execution to another run at once: each time means that another one
/// has begun.
const CONTINUATIONS: usize = 16;

/// What is under way.
pub(crate) struct Courier {
    slots: Arc<Semaphore>,
    found: Arc<Semaphore>,
    /// The ops of the rows that wait in each lane.
    lanes: Mutex<HashMap<Lane, VecDeque<Op>>>,
    /// All that the last boot left is in a lane.
    caught_up: AtomicBool,
}

/// What is carried in its order.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Lane {
    from: RunKey,
    to: To,
}

/// Where something is carried to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum To {
    /// The run's parent.
    Parent,
    /// An execution that is begun, or takes messages.
    Execution(WorkflowId),
    /// A child that is ended. That waits behind no message: a child that takes none is ended all the same.
    End(WorkflowId),
}

/// Who drops a row that is delivered.
enum Row {
    /// The run that wants it has, with what it was told.
    Dropped,
    /// The courier is to.
    Done,
    /// There is another one by now.
    Replaced,
}

impl Default for Courier {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(DELIVERIES)),
            found: Arc::new(Semaphore::new(FOUND)),
            lanes: Mutex::default(),
            caught_up: AtomicBool::new(false),
        }
    }
}

impl Courier {
    /// What is next in the lane; there is no such lane any more when nothing is.
    fn next(&self, lane: &Lane) -> Option<Op> {
        let mut lanes = self.lock();
        let next = lanes.get_mut(lane).and_then(VecDeque::pop_front);
        if next.is_none() {
            lanes.remove(lane);
        }
        next
    }

    /// All that the last boot left is in a lane.
    pub(crate) fn caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, VecDeque<Op>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries what lies in a run's outbox under this op, durably.
pub(crate) fn deliver(shared: &Arc<Shared>, from: &RunKey, op: Op, to: To) {
    let lane = Lane { from: from.clone(), to };
    if !shared.courier.caught_up.load(Ordering::Acquire) {
        // What the last boot left goes first. The boot comes to it again, and finds it done.
        let rows = rows::read_all(&*shared.store, &from.outboxes()).unwrap_or_default();
        let earlier = rows.iter().filter(|(_, row)| read_destination(row) == lane.to);
        for earlier in earlier.filter_map(|(key, _)| Prefix::last_number(key)).filter(|other| *other < op) {
            send(shared, lane.clone(), earlier, None);
        }
    }
    send(shared, lane, op, None);
}

fn send(shared: &Arc<Shared>, lane: Lane, op: Op, permit: Option<OwnedSemaphorePermit>) {
    match shared.courier.lock().entry(lane) {
        // However long the lane is held up, nothing else of what a boot finds waits for it.
        Entry::Occupied(mut waiting) => waiting.get_mut().push_back(op),
        Entry::Vacant(vacant) => {
            tokio::spawn(walk(Arc::clone(shared), vacant.key().clone(), permit));
            vacant.insert(VecDeque::from([op]));
        }
    }
}

/// Carries all that lies in a run's outbox. What cannot be read now the next boot carries.
pub(crate) fn deliver_all(shared: &Arc<Shared>, from: &RunKey) {
    let rows = rows::read_all(&*shared.store, &from.outboxes()).unwrap_or_default();
    for (key, row) in rows {
        let Some(op) = Prefix::last_number(&key) else { continue };
        deliver(shared, from, op, read_destination(&row));
    }
}

/// Carries all that the last boot left.
pub(crate) async fn deliver_again(shared: &Arc<Shared>, namespace: &Namespace) -> Result<(), Error> {
    let prefix = Prefix::namespace(Table::Outbox, namespace);
    let (mut from, to) = (prefix.bytes.clone(), prefix.end());
    loop {
        let rows = shared.store.range(Table::Outbox, &from, &to, Order::Ascending, PIECE)?;
        let Some((last, _)) = rows.last() else { return Ok(()) };
        from = after(last);
        for (key, row) in &rows {
            let (Some(run), Some(op)) = (Prefix::run_of(namespace, key), Prefix::last_number(key)) else {
                continue;
            };
            if shared.is_shutting_down() {
                return Ok(());
            }
            let Ok(permit) = Arc::clone(&shared.courier.found).acquire_owned().await else { return Ok(()) };
            let lane = Lane { from: RunKey::new(namespace.clone(), run), to: read_destination(row) };
            send(shared, lane, op, Some(permit));
        }
    }
}

/// Where what a row wants is carried to. What cannot be read says so in its lane.
fn read_destination(row: &[u8]) -> To {
    codec::decode("outbox row", row).map_or(To::Parent, |row| destination(&row))
}

/// Where what is wanted is carried to.
pub(crate) fn destination(row: &OutboxRow) -> To {
    match row {
        OutboxRow::StartChild { started: Started { workflow_id, .. }, .. }
        | OutboxRow::Signal { target: ExecutionRef { workflow_id, .. }, .. }
        | OutboxRow::RequestCancel { target: ExecutionRef { workflow_id, .. }, .. } => {
            To::Execution(workflow_id.clone())
        }
        OutboxRow::EndChild { workflow_id, .. } => To::End(workflow_id.clone()),
        OutboxRow::TellParent { .. } => To::Parent,
    }
}

/// Carries what is in the lane, until nothing is, or the host stops.
async fn walk(shared: Arc<Shared>, lane: Lane, mut permit: Option<OwnedSemaphorePermit>) {
    while let Some(op) = shared.courier.next(&lane) {
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            () = carry(&shared, &lane.from, op, permit.take()) => {}
        }
    }
}

/// Delivers a row, however often that has to be tried. The permit is given back after the first time.
async fn carry(shared: &Arc<Shared>, from: &RunKey, op: Op, mut permit: Option<OwnedSemaphorePermit>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Ok(slot) = shared.courier.slots.acquire().await else { return };
        let Err(error) = try_to_deliver(shared, from, op).await else { return };
        drop((slot, permit.take()));
        shared.note_error(&error);
        match &error {
            Error::Internal(_) => {
                tracing::warn!(run_id = %from.run, op, %error, "an outbox row stays where it is");
            }
            passes => tracing::debug!(run_id = %from.run, op, %passes, ?pause, "an outbox row has to wait"),
        }
        shared.clock.sleep_until(shared.now().after(pause)).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Delivers what lies under the op now, until nothing does.
async fn try_to_deliver(shared: &Arc<Shared>, from: &RunKey, op: Op) -> Result<(), Error> {
    let key = from.outbox(op);
    while let Some(bytes) = shared.store.get(key.table, &key.bytes)? {
        let done = match codec::decode("outbox row", &bytes)? {
            OutboxRow::StartChild { started, id_reuse } => {
                let child = started.run_id;
                match begin_child(shared, &key, &bytes, started, id_reuse).await? {
                    None => Row::Replaced,
                    Some(result) => {
                        tell(shared, from, |reply| child_started(op, child, &result, reply)).await?
                    }
                }
            }
            OutboxRow::EndChild { workflow_id, run_id, how, reason } => {
                let there = end_child(shared, &from.namespace, &workflow_id, run_id, how, &reason).await?;
                if awaits_start(shared, from, op)? {
                    let result = there.then_some(()).ok_or_else(|| never_began(&workflow_id, &reason));
                    tell(shared, from, |reply| child_started(op, run_id, &result, reply)).await?;
                }
                Row::Done
            }
            OutboxRow::TellParent { parent, op: waits, outcome } => {
                tell_parent(shared, from, RunKey::new(from.namespace.clone(), parent), waits, &outcome)
                    .await?;
                Row::Done
            }
            OutboxRow::Signal { target, name, input } => {
                let request_id = format!("{}/{op}", from.run);
                let answer = signal(shared, &from.namespace, target, name, input, &request_id).await;
                let outcome = sent(answer)?;
                tell_sender(shared, from, op, outcome).await?
            }
            OutboxRow::RequestCancel { target, reason } => {
                let message = |reply| Message::Cancel { reason: reason.clone(), reply };
                let outcome = sent(ask(shared, &from.namespace, target, message).await)?;
                tell_sender(shared, from, op, outcome).await?
            }
        };
        match done {
            Row::Dropped | Row::Replaced => {}
            Row::Done => {
                drop_row(shared, &key, bytes).await?;
                go_on_deleting(shared, from).await?;
            }
        }
    }
    Ok(())
}

/// Tells the run that wants something what became of it. Where it has ended nobody waits for that, and the row is the
/// courier's to drop.
async fn tell(shared: &Arc<Shared>, from: &RunKey, message: impl Fn(Reply) -> Message) -> Result<Row, Error> {
    let heard = tell_run(shared, from, message).await?;
    Ok(if heard.as_ref() == Some(from) { Row::Dropped } else { Row::Done })
}

/// Tells the run that has sent something what became of that. No run that a reset has made of it hears it: that has
/// sent what it wants to have sent itself, and may know something else under this op.
async fn tell_sender(shared: &Arc<Shared>, from: &RunKey, op: Op, outcome: Outcome) -> Result<Row, Error> {
    let runtime = Runtime { shared: Arc::clone(shared) };
    match runtime.tell(from, |reply| Message::Sent { op, outcome: Box::new(outcome), reply }).await {
        Ok(()) => Ok(Row::Dropped),
        Err(Error::NotFound { .. } | Error::Closed { .. }) => Ok(Row::Done),
        Err(other) => Err(other),
    }
}

/// Tells a run something, or the run that a reset has made of it. Answers which of them has heard it; `None`: there is
/// none that has not ended.
async fn tell_run(
    shared: &Arc<Shared>,
    run: &RunKey,
    message: impl Fn(Reply) -> Message,
) -> Result<Option<RunKey>, Error> {
    let (runtime, mut run) = (Runtime { shared: Arc::clone(shared) }, run.clone());
    loop {
        match runtime.tell(&run, &message).await {
            Ok(()) => return Ok(Some(run)),
            Err(Error::NotFound { .. } | Error::Closed { .. }) => {}
            Err(other) => return Err(other),
        }
        match rows::find_head(&*shared.store, &run)?.and_then(|stored| stored.head.reset_to) {
            Some(reset) => run = RunKey::new(run.namespace, reset),
            None => return Ok(None),
        }
    }
}

/// Sends a message to another execution, or to the run of it that is named.
async fn ask(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    target: ExecutionRef,
    message: impl Fn(Reply) -> Message,
) -> Result<(), Error> {
    let ExecutionRef { workflow_id, run_id } = target;
    Runtime { shared: Arc::clone(shared) }.ask(namespace, &Target { workflow_id, run_id }, message).await
}

/// Sends a signal. The target's chain knows the request, however often it is sent.
async fn signal(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    target: ExecutionRef,
    name: String,
    input: Payload,
    request_id: &str,
) -> Result<(), Error> {
    let signal = SendSignal { name, input, request_id: Some(request_id.to_owned()) };
    let message = |reply| Message::Signal { signal: signal.clone(), begins: false, reply };
    let answer = ask(shared, namespace, target, message).await;
    if let Err(Error::Closed { run_id, .. }) = &answer {
        // The run may have ended after it took the signal from a host that could not say so any more.
        let run = RunKey::new(namespace.clone(), *run_id);
        if let Some(started) = rows::find_started(&*shared.store, &run)? {
            let taken = RunKey::new(namespace.clone(), started.first_run_id).request(request_id);
            if shared.store.get(taken.table, &taken.bytes)?.is_some() {
                return Ok(());
            }
        }
    }
    answer
}

/// What the sender of a message is told; an error when the message is to be sent again.
fn sent(answer: Result<(), Error>) -> Result<Outcome, Error> {
    let (error_type, error) = match answer {
        Ok(()) => return Ok(Outcome::Completed(Payload::null())),
        Err(error @ Error::NotFound { .. }) => ("not-found", error),
        Err(error @ Error::Closed { .. }) => ("closed", error),
        Err(other) => return Err(other),
    };
    let message = format!("{error}; {}", error.hint());
    Ok(Outcome::Failed(Failure::new(FailureKind::Host, error_type, message)))
}

fn child_started(op: Op, child: RunId, result: &Result<(), Failure>, reply: Reply) -> Message {
    Message::ChildStarted { op, child, result: Box::new(result.clone()), reply }
}

/// Begins a child, while the row that wants it is there. `None`: it is not there any more.
async fn begin_child(
    shared: &Arc<Shared>,
    key: &Key,
    row: &Bytes,
    wanted: Started,
    id_reuse: IdReusePolicy,
) -> Result<Option<Result<(), Failure>>, Error> {
    let (store, namespace) = (&*shared.store, wanted.namespace.clone());
    let child = RunKey::new(namespace.clone(), wanted.run_id);
    for _ in 0..CONTINUATIONS {
        if store.get(key.table, &key.bytes)?.as_ref() != Some(row) {
            return Ok(None);
        }
        if rows::find_started(store, &child)?.is_some() {
            // A host that has stopped meanwhile had begun it.
            return Ok(Some(Ok(())));
        }
        let current = rows::find_current_run(store, &namespace, &wanted.workflow_id)?;
        let current_key = current.map(|run| RunKey::new(namespace.clone(), run));
        let existing = current_key.map_or(Ok(None), |run| rows::find(store, &run))?;
        if let Some((existing, stored)) = existing {
            if existing.first_run_id == wanted.run_id {
                return Ok(Some(Ok(())));
            }
            let status = stored.head.status;
            let may_follow = if status.is_closed() {
                start::check_reuse(&existing, status, id_reuse)
            } else {
                Err(start::already_running(&existing))
            };
            if let Err(error) = may_follow {
                return Ok(Some(Err(already_exists(&wanted, &error))));
            }
        }
        shared.queues.check_room(&namespace, &wanted.task_queue)?;
        let started = Arc::new(beginning_now(shared, wanted.clone()));
        let run = NewRun::new(shared.boot, Arc::clone(&started), Vec::new());
        let wants = Batch::new().require_prefix(key.table, key.bytes.clone(), row.clone());
        if run.commit(shared, current, wants).await? {
            return Ok(Some(Ok(())));
        }
        match start::check_code(shared, &namespace, &started.code()).await {
            Ok(()) => {}
            Err(error @ Error::NotFound { .. }) => return Ok(Some(Err(not_found(&wanted, &error)))),
            Err(other) => return Err(other),
        }
    }
    let id = wanted.workflow_id;
    Err(Error::Internal(format!("the start of {id:?} lost {CONTINUATIONS} races: try again")))
}

/// A child's times count from when it begins, however long its start lay in the outbox.
fn beginning_now(shared: &Shared, mut started: Started) -> Started {
    let now = shared.now();
    let deadline = started.lifecycle.execution_deadline;
    started.lifecycle.execution_deadline = deadline.map(|at| now.after(at.since(started.at)));
    (started.at, started.boot) = (now, shared.boot);
    started
}

fn already_exists(wanted: &Started, error: &Error) -> Failure {
    let message = format!(
        "child workflow {:?} was not started: {error}; give the child another id, or none",
        wanted.workflow
    );
    Failure::new(FailureKind::Host, "already-exists", message)
}

/// The child's code was deleted since its parent chose it.
fn not_found(wanted: &Started, error: &Error) -> Failure {
    let message = format!("child workflow {:?} was not started: {error}; {}", wanted.workflow, error.hint());
    Failure::new(FailureKind::Host, "not-found", message)
}

/// Both ops of a child that was canceled before it began end so.
fn never_began(id: &WorkflowId, reason: &str) -> Failure {
    let message = format!("the child (id {:?}) was canceled before it was started: {reason}", id.as_str());
    Failure::new(FailureKind::Canceled, "canceled", message)
}

/// Ends a child: the run that its chain has now. Answers whether there ever was one.
async fn end_child(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    id: &WorkflowId,
    first_run: RunId,
    how: EndChild,
    reason: &str,
) -> Result<bool, Error> {
    let runtime = Runtime { shared: Arc::clone(shared) };
    let mut ended = None;
    for _ in 0..CONTINUATIONS {
        let Some(run) = current_of_chain(shared, namespace, id, first_run)? else {
            let first = RunKey::new(namespace.clone(), first_run);
            return Ok(ended.is_some() || rows::find_started(&*shared.store, &first)?.is_some());
        };
        if ended.as_ref() == Some(&run) {
            return Ok(true);
        }
        let reason = reason.to_owned();
        let told = match how {
            EndChild::Terminate => runtime.tell(&run, |reply| Message::Terminate { reason, reply }).await,
            EndChild::RequestCancel => runtime.tell(&run, |reply| Message::Cancel { reason, reply }).await,
        };
        match told {
            Ok(()) => return Ok(true),
            // Another run of the chain may have followed it.
            Err(Error::Closed { .. } | Error::NotFound { .. }) => ended = Some(run),
            Err(other) => return Err(other),
        }
    }
    Err(Error::Internal(format!(
        "the runs of {id:?} follow each other faster than they can be ended: try again"
    )))
}

/// The run that an execution has now, if it is of the chain that began with this one.
fn current_of_chain(
    shared: &Shared,
    namespace: &Namespace,
    id: &WorkflowId,
    first_run: RunId,
) -> Result<Option<RunKey>, Error> {
    let Some(run) = rows::find_current_run(&*shared.store, namespace, id)? else { return Ok(None) };
    let key = RunKey::new(namespace.clone(), run);
    let started = rows::find_started(&*shared.store, &key)?;
    Ok(started.filter(|started| started.first_run_id == first_run).map(|_| key))
}

/// Whether the run has not been told yet that this child of it began.
fn awaits_start(shared: &Shared, from: &RunKey, op: Op) -> Result<bool, Error> {
    let key = from.child(op);
    let row = shared.store.get(key.table, &key.bytes)?;
    let row: Option<ChildRow> = row.map(|row| codec::decode("child", &row)).transpose()?;
    Ok(row.is_some_and(|row| !row.started))
}

/// Tells a parent that a child has ended.
async fn tell_parent(
    shared: &Arc<Shared>,
    child: &RunKey,
    parent: RunKey,
    op: Op,
    outcome: &Outcome,
) -> Result<(), Error> {
    let Some(started) = rows::find_started(&*shared.store, child)? else { return Ok(()) };
    let child = started.first_run_id;
    let message = |reply| Message::ChildClosed { op, child, outcome: Box::new(outcome.clone()), reply };
    if tell_run(shared, &parent, message).await?.as_ref() != Some(&parent) {
        // Nobody waits for the news of its start either: it is not to be started again once it is deleted.
        let key = parent.outbox(op);
        if let Some(bytes) = shared.store.get(key.table, &key.bytes)?
            && let OutboxRow::StartChild { started, .. } = codec::decode("outbox row", &bytes)?
            && started.run_id == child
        {
            drop_row(shared, &key, bytes).await?;
        }
    }
    Ok(())
}

/// Drops a row that is delivered, unless there is another one under its key by now.
async fn drop_row(shared: &Shared, key: &Key, row: Bytes) -> Result<(), Error> {
    let batch =
        Batch::new().require_prefix(key.table, key.bytes.clone(), row).delete(key.table, key.bytes.clone());
    match shared.store.commit(batch).await.inspect_err(|error| shared.note_failure(error)) {
        Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

/// A run that is being deleted has waited until nothing of it is left to deliver.
async fn go_on_deleting(shared: &Shared, run: &RunKey) -> Result<(), Error> {
    match rows::find(&*shared.store, run)? {
        Some((started, stored)) if stored.head.deleting => delete::finish(shared, run, &started).await,
        Some(_) | None => Ok(()),
    }
}
