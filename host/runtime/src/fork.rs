//! Forks: new executions that begin with steps of a run, which does not notice. For what-if: with another argument,
//! other outcomes of activities, or other code.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use refrain_engine::guest::Stop;
use refrain_engine::ids::{Namespace, RunId, WorkflowId};
use refrain_engine::journal::{Code, Started};
use refrain_engine::lifecycle::Lifecycle;
use refrain_engine::limits::Profile;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::run::Run;
use refrain_store::schema::RunKey;
use refrain_store::{Batch, Health};

use crate::base::{Base, Cut, Later, within_mailbox};
use crate::copies::Copied;
use crate::error::Error;
use crate::executor::panic_message;
use crate::inspect;
use crate::new_run::NewRun;
use crate::reset::within_one_batch;
use crate::reset_types::{ForkWorkflow, ForkedRun};
use crate::rows;
use crate::runtime::{blocking, check_reason};
use crate::shared::Shared;
use crate::start::{check_code, within_payload_limit};
use crate::types::Target;

/// How often a fork that lost a race for its id looks again: each loss means that another run has begun.
const TRIES: usize = 100;

/// Forks a run.
pub(crate) async fn fork(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    target: &Target,
    request: ForkWorkflow,
) -> Result<ForkedRun, Error> {
    check(&request)?;
    let key = inspect::resolve(shared, namespace, target)?;
    let (reading, of) = (Arc::clone(shared), key.clone());
    let base = blocking(move || Base::read(&reading, &of)).await?;
    if shared.store.health() == Health::Full {
        return Err(Error::Full);
    }
    shared.queues.check_room(namespace, &base.started.task_queue)?;
    let code = code(shared, &base, &request)?;
    let (cut, changed) = cut(&base, &request)?;
    let (kept, step) = (cut.kept, cut.step());
    let started = started(shared, &base, &cut, &code, &request)?;
    let (workflow_id, run_id) = (started.workflow_id.clone(), started.run_id);
    if let Some(id) = &request.id {
        check_free(shared, namespace, id)?;
    }
    if kept > 0 && code != base.code() {
        check_replay(shared, &started, &base, &cut, &code).await?;
    }
    let copied = base.copy(shared, started, cut, code, &request.reason).await?;
    let begun = begin(shared, &base.key, copied.clone(), kept, changed, request.exclude_signals).await;
    if begun.is_err() {
        copied.discard(shared).await;
    }
    begun.map(|()| ForkedRun { workflow_id, run_id, step })
}

fn check(request: &ForkWorkflow) -> Result<(), Error> {
    check_reason(&request.reason)?;
    let Some(input) = &request.input else { return Ok(()) };
    within_payload_limit("input", input.size())?;
    if request.activity_results.is_empty() {
        return Ok(());
    }
    let message =
        "does not go with another input: with that no step is kept, and no activity has an outcome yet";
    Err(Error::Invalid { field: "activity_results".to_owned(), message: message.to_owned() })
}

/// The code that is to execute the new run.
fn code(shared: &Shared, base: &Base, request: &ForkWorkflow) -> Result<Code, Error> {
    let code = base.code();
    if request.component.is_none() && request.version.is_none() {
        return Ok(code);
    }
    let component = request.component.as_deref().unwrap_or(&code.component);
    let (namespace, workflow) = (&base.key.namespace, &base.started.workflow);
    let found = shared.components.resolve(namespace, workflow, Some(component), request.version)?;
    Ok(Code { component: found.name.clone(), version: found.version, digest: found.digest })
}

/// What is kept, and what the first wait after it is given.
fn cut(base: &Base, request: &ForkWorkflow) -> Result<(Cut, Vec<MailboxEntry>), Error> {
    if request.input.is_some() {
        return cut_for_input(base, request.event).map(|cut| (cut, Vec::new()));
    }
    if !request.activity_results.is_empty() {
        return cut_for_results(base, request);
    }
    let cut = match request.event {
        Some(event) => base.cut_at(event)?,
        None => base.cut_at_last_wait()?,
    };
    Ok((cut, Vec::new()))
}

fn cut_for_input(base: &Base, event: Option<u64>) -> Result<Cut, Error> {
    let beginning = base.cut_at(0)?;
    let Some(event) = event else { return Ok(beginning) };
    // The step that ended a run may be its first.
    if event == 0 || base.step_of(event)? == 0 {
        return Ok(beginning);
    }
    let message = format!(
        "is {event}: with another input no step can be kept: leave it out, or give an event of step 0"
    );
    Err(Error::Invalid { field: "event".to_owned(), message })
}

/// The step that was given the outcomes is not kept: it is made anew, with the others in their places.
fn cut_for_results(base: &Base, request: &ForkWorkflow) -> Result<(Cut, Vec<MailboxEntry>), Error> {
    let invalid =
        |op: &u64, message: String| Err(Error::Invalid { field: format!("activity_results.{op}"), message });
    let mut step = match request.event {
        Some(0) => Some(0),
        Some(event) => Some(base.step_of(event)?),
        None => None,
    };
    for (op, outcome) in &request.activity_results {
        within_payload_limit("activity_results", outcome.size())?;
        let Some(given) = base.step_given(*op)? else {
            let message =
                "is of no activity whose outcome the run was given: see the run's history".to_owned();
            return invalid(op, message);
        };
        match step {
            Some(step) if step != given => {
                let message = format!(
                    "is of an activity whose outcome step {given} was given, and not step {step}: only the outcomes \
                     of one step can be changed, give an event of that or leave `event` out"
                );
                return invalid(op, message);
            }
            Some(_) | None => step = Some(given),
        }
    }
    let step = step.unwrap_or_default();
    let mut cut = base.cut_before(step)?;
    let mut delivered = base.delivered(step)?;
    // What the run itself was asked, its fork is not.
    delivered.retain(|entry| match &entry.item {
        Item::CancelRequest { .. } | Item::Update { .. } => false,
        Item::Signal { .. } => !request.exclude_signals,
        Item::ActivityClosed { .. }
        | Item::TimerFired { .. }
        | Item::Canceled { .. }
        | Item::ChildStarted { .. }
        | Item::ChildNotStarted { .. }
        | Item::ChildClosed { .. }
        | Item::Sent { .. } => true,
    });
    for entry in &mut delivered {
        if let Item::ActivityClosed { op, outcome, .. } = &mut entry.item
            && let Some(other) = request.activity_results.get(op)
        {
            *outcome = other.clone();
        }
        cut.point.settle(&entry.item);
    }
    Ok((cut, delivered))
}

/// What the fork begins with: an execution of its own, with the options of the one that it is of.
fn started(
    shared: &Shared,
    base: &Base,
    cut: &Cut,
    code: &Code,
    request: &ForkWorkflow,
) -> Result<Started, Error> {
    let next = base.next_started(shared, cut, code)?;
    let workflow_id = match &request.id {
        Some(id) => id.clone(),
        None => WorkflowId::new(next.run_id.to_string())?,
    };
    let left = next.lifecycle.execution_deadline.map(|deadline| deadline.since(base.started.at));
    Ok(Started {
        workflow_id,
        first_run_id: next.run_id,
        continued_run_id: None,
        input: request.input.clone().unwrap_or_else(|| next.input.clone()),
        attempt: 1,
        parent: None,
        root: None,
        parent_op: None,
        request_id: None,
        lifecycle: Lifecycle {
            execution_deadline: left.map(|left| next.at.after(left)),
            ..next.lifecycle.clone()
        },
        ..next
    })
}

/// Refuses an id whose execution is open. Answers its current run.
fn check_free(shared: &Shared, namespace: &Namespace, id: &WorkflowId) -> Result<Option<RunId>, Error> {
    let Some(run) = rows::find_current_run(&*shared.store, namespace, id)? else { return Ok(None) };
    let current = RunKey::new(namespace.clone(), run);
    let open = rows::find_head(&*shared.store, &current)?.is_some_and(|found| !found.head.status.is_closed());
    if open {
        return Err(Error::AlreadyRunning { id: id.to_string(), run_id: run });
    }
    Ok(Some(run))
}

/// Replays what is kept with the other code, as the new run will: what does not fit is said before there is one.
async fn check_replay(
    shared: &Arc<Shared>,
    started: &Started,
    base: &Base,
    cut: &Cut,
    code: &Code,
) -> Result<(), Error> {
    let refused = |message: String| {
        let Code { component, version, .. } = code;
        let message = format!(
            "is {version} of component {component:?}, which does not go on from there: {message}; choose another \
             version, or an earlier event"
        );
        Error::Invalid { field: "version".to_owned(), message }
    };
    let profile = Profile::get(started.profile).ok_or_else(|| {
        Error::Internal(format!("determinism profile {} is not of this host", started.profile))
    })?;
    let run = Run::replay(Arc::new(started.clone()), base.kept(cut), code.digest, shared.boot)?;
    let mut guest =
        shared.guests.open(code.digest, profile).await.map_err(|error| refused(error.to_string()))?;
    let Ok(_permit) = shared.loading.clone().acquire_owned().await else { return Err(Error::ShuttingDown) };
    let executed = AssertUnwindSafe(async { guest.run(Box::new(run)).await }).catch_unwind().await;
    let (_, stop) = executed
        .map_err(|panic| Error::Internal(format!("a replay panicked: {}", panic_message(&*panic))))?;
    match stop {
        Stop::Wait => Ok(()),
        Stop::Mismatch(mismatch) => Err(refused(mismatch.to_string())),
        Stop::Trap(trap) => Err(refused(format!("its code trapped: {}", trap.message))),
        Stop::Budget => Err(refused("its code computes longer than a step may".to_owned())),
        Stop::Limit(excess) => Err(refused(excess.to_string())),
        Stop::Unavailable(what) => Err(Error::NotNow { what }),
        Stop::Finished | Stop::Answered(_) | Stop::Reached(_) => {
            Err(Error::Internal("a replay of steps that end with a wait went on".to_owned()))
        }
    }
}

/// Begins the new run, where none of its id is open.
async fn begin(
    shared: &Arc<Shared>,
    base: &RunKey,
    copied: Copied,
    kept: usize,
    changed: Vec<MailboxEntry>,
    exclude_signals: bool,
) -> Result<(), Error> {
    let (reading, of) = (Arc::clone(shared), base.clone());
    let later = blocking(move || Ok(Later::read(&*reading.store, &of, kept)?)).await?;
    let arrived = arrivals(shared, &copied, &later, changed, exclude_signals);
    within_mailbox(shared, &arrived)?;
    let id = copied.started.workflow_id.clone();
    for _ in 0..TRIES {
        let current = check_free(shared, &base.namespace, &id)?;
        let next = NewRun::of_copy(shared.boot, copied.clone(), arrived.clone());
        within_one_batch(&next, &[])?;
        let code = next.code();
        if next.commit(shared, current, Batch::new()).await? {
            return Ok(());
        }
        check_code(shared, &base.namespace, &code).await?;
    }
    Err(Error::Internal(format!("the fork to {id:?} lost {TRIES} races: try again")))
}

/// What lies in the mailbox of a fork. Children stay with the run that started them.
fn arrivals(
    shared: &Shared,
    copied: &Copied,
    later: &Later,
    changed: Vec<MailboxEntry>,
    exclude_signals: bool,
) -> Vec<MailboxEntry> {
    let at = shared.now();
    let point = &copied.point;
    let lost = point.children.keys().flat_map(|op| point.lost_child(*op));
    let at_once = point.canceled_items().chain(lost).map(|item| MailboxEntry { number: 0, at, item });
    // Signals of the step that is made anew are among what that is given.
    let given = |signal: &MailboxEntry| changed.iter().any(|entry| entry.number == signal.number);
    let signals = later.signals().into_iter().filter(|signal| !exclude_signals && !given(signal));
    let mut arrived: Vec<MailboxEntry> = at_once.chain(signals).collect();
    arrived.splice(0..0, changed);
    arrived
}
