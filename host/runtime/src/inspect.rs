//! Looking at runs: descriptions, results, histories, lists. All of it is read from what is durable.

use std::collections::BTreeSet;
use std::time::Duration;

use refrain_engine::activity::{Activity, Phase, Runner};
use refrain_engine::call::{Completion, Interest};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::history::describe_interest;
use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_engine::journal::{End, ExecutionRef, Fork, Record, Started};
use refrain_engine::mailbox::MailboxEntry;
use refrain_engine::outline::Outline;
use refrain_engine::payload::Payload;
use refrain_store::schema::{ChildRow, Prefix, RunKey, StoredHead, VisibilityRow, after};
use refrain_store::{Order, Table};

use crate::error::Error;
use crate::rows;
use crate::shared::Shared;
use crate::types::{
    Description, ListFilter, Page, PendingActivity, PendingChild, PendingTimer, RunResult, RunSummary, Target,
};
use crate::updates;

/// Rows that one list request looks at: a filter that few rows pass answers short pages instead of reading
/// everything.
const LIST_ROWS: usize = 10_000;

/// Rows of one read of a list.
const LIST_PIECE: usize = 500;

/// The run that is meant.
pub(crate) fn resolve(shared: &Shared, namespace: &Namespace, target: &Target) -> Result<RunKey, Error> {
    shared.check_namespace(namespace)?;
    let not_found = || Error::NotFound { what: "workflow", id: target.workflow_id.to_string() };
    let Some(run) = target.run_id else {
        let current = rows::find_current_run(&*shared.store, namespace, &target.workflow_id)?;
        return Ok(RunKey::new(namespace.clone(), current.ok_or_else(not_found)?));
    };
    let key = RunKey::new(namespace.clone(), run);
    match rows::find(&*shared.store, &key)? {
        Some((started, stored)) if started.workflow_id == target.workflow_id && !stored.head.deleting => {
            Ok(key)
        }
        Some(_) | None => Err(Error::NotFound { what: "run of this workflow", id: run.to_string() }),
    }
}

/// What the run began with.
pub(crate) fn read_started(shared: &Shared, key: &RunKey) -> Result<Started, Error> {
    rows::find_started(&*shared.store, key)?.ok_or_else(|| not_found(key))
}

/// Where the run stands.
pub(crate) fn read_head(shared: &Shared, key: &RunKey) -> Result<StoredHead, Error> {
    rows::find_head(&*shared.store, key)?.ok_or_else(|| not_found(key))
}

fn not_found(key: &RunKey) -> Error {
    Error::NotFound { what: "run", id: key.run.to_string() }
}

fn read_records(shared: &Shared, key: &RunKey) -> Result<Vec<Record>, Error> {
    let records = rows::read_journal(&*shared.store, key)?;
    records.iter().map(|record| Ok(codec::decode("journal record", record)?)).collect()
}

/// A run as in a list; `None` when it is deleted.
pub(crate) fn summary(shared: &Shared, key: &RunKey) -> Result<Option<RunSummary>, Error> {
    let Some((started, StoredHead { head, .. })) = rows::find(&*shared.store, key)? else { return Ok(None) };
    if head.deleting {
        return Ok(None);
    }
    Ok(Some(RunSummary {
        workflow_id: started.workflow_id,
        run_id: started.run_id,
        workflow: started.workflow,
        status: head.status,
        started_at: started.at,
        closed_at: head.closed_at,
    }))
}

/// All that can be told of a run without its guest.
pub(crate) fn describe(shared: &Shared, key: &RunKey) -> Result<Description, Error> {
    let (started, head) = (read_started(shared, key)?, read_head(shared, key)?.head);
    let (outline, activities, arrivals) = if head.status.is_closed() {
        (Outline::default(), Vec::new(), Vec::new())
    } else {
        read_open(shared, key, &started)?
    };
    let arrived: BTreeSet<Op> = arrivals.iter().filter_map(|entry| entry.item.op()).collect();
    let pending_updates = updates::pending(&outline, &arrivals);
    let pending_timers = outline
        .timers
        .into_iter()
        .filter(|(op, _)| !arrived.contains(op))
        .map(|(op, (deadline, summary))| PendingTimer { op, deadline, summary })
        .collect();
    // A run that has ended has none.
    let children = rows::read_children(&*shared.store, key)?;
    let code = head.code.unwrap_or_else(|| started.code());
    Ok(Description {
        summary: RunSummary {
            workflow_id: started.workflow_id,
            run_id: started.run_id,
            workflow: started.workflow,
            status: head.status,
            started_at: started.at,
            closed_at: head.closed_at,
        },
        task_queue: started.task_queue.clone(),
        attempt: started.attempt,
        component: code.component,
        version: code.version,
        digest: code.digest,
        started_version: started.version,
        input: started.input,
        parent: started.parent,
        root: started.root,
        continued_run_id: started.continued_run_id,
        continued_to: head.continued_to,
        reset_to: head.reset_to,
        forked_from: started.forks.into_iter().next_back().map(|Fork { step, of }| {
            let of = ExecutionRef { workflow_id: of.workflow_id, run_id: Some(of.run_id) };
            (of, step.saturating_sub(1))
        }),
        deadline: started.lifecycle.deadline(started.at).map(|(at, _)| at),
        lifecycle: started.lifecycle,
        delayed_until: head.delayed_until,
        paused: head.paused.map(|pause| (pause.at, pause.reason)),
        parked: head.parked,
        waiting: outline.waiting.as_ref().map(describe_interest),
        listening: outline.waiting.as_ref().map(Interest::takes_messages),
        pending_activities: activities
            .into_iter()
            .map(|activity| pending(activity, &started.task_queue))
            .collect(),
        pending_timers,
        pending_children: children.into_iter().map(pending_child).collect(),
        pending_updates,
        mailbox_waiting: head.arrivals,
        cancel_requested: head.cancel_requested,
        journal_steps: head.records,
        journal_entries: head.journal_entries,
        journal_bytes: head.journal_bytes,
        resident: shared.registry.contains(key),
        memo: started.memo,
    })
}

/// What a run that has not ended has open, and what lies in its mailbox.
fn read_open(
    shared: &Shared,
    key: &RunKey,
    started: &Started,
) -> Result<(Outline, Vec<Activity>, Vec<MailboxEntry>), Error> {
    let mut outline = Outline::of(started);
    read_records(shared, key)?.iter().for_each(|record| outline.record(record));
    let activities = rows::read_activities(&*shared.store, key)?;
    let arrivals = rows::read_mailbox(&*shared.store, key)?;
    Ok((outline, activities.into_iter().map(|(activity, _)| activity).collect(), arrivals))
}

fn pending_child((op, row): (Op, ChildRow)) -> PendingChild {
    PendingChild {
        op,
        workflow: row.workflow,
        workflow_id: row.workflow_id,
        run_id: row.run_id,
        state: if row.started { "started" } else { "starting" },
        parent_close_policy: row.parent_close.as_str(),
    }
}

fn pending(activity: Activity, run_queue: &str) -> PendingActivity {
    let queue = activity.queue(run_queue).to_owned();
    let maximum_attempts = activity.options().retry.maximum_attempts;
    let next_attempt_at = activity.ready_at();
    let (state, started_at, next_attempt_at, runner) = match activity.phase {
        Phase::Running { started_at, runner, .. } => ("running", Some(started_at), None, Some(runner)),
        Phase::Scheduled { .. } | Phase::Backoff { .. } if activity.paused.is_some() => {
            ("paused", None, None, None)
        }
        Phase::Scheduled { .. } => ("scheduled", None, None, None),
        Phase::Backoff { .. } => ("backoff", None, next_attempt_at, None),
    };
    let (runner, worker) = match runner {
        None => (None, None),
        Some(Runner::Host) => (Some("host"), None),
        Some(Runner::Worker { identity, .. }) => (Some("worker"), Some(identity)),
        Some(Runner::Outside) => (Some("outside"), None),
    };
    PendingActivity {
        op: activity.op,
        name: activity.command.name,
        attempt: activity.attempt,
        state,
        scheduled_at: activity.scheduled_at,
        started_at,
        next_attempt_at,
        last_failure: activity.last_failure,
        last_heartbeat: activity.heartbeat,
        last_heartbeat_at: activity.heartbeat_at,
        queue,
        runner,
        worker,
        paused: activity.paused.map(|pause| (pause.at, pause.reason)),
        maximum_attempts,
    }
}

/// Waits for a run's end, at most so long. Follows to the next run where `follow` says so.
pub(crate) async fn result(
    shared: &Shared,
    mut key: RunKey,
    follow: bool,
    wait: Duration,
) -> Result<RunResult, Error> {
    let deadline = shared.now().after(wait);
    loop {
        let mut changes = shared.watchers.subscribe(&key);
        let StoredHead { head, .. } = read_head(shared, &key)?;
        if let Some(next) = head.continued_to.filter(|_| follow) {
            key = RunKey::new(key.namespace, next);
            continue;
        }
        if head.status.is_closed() {
            let outcome = outcome(shared, &key, head.records)?;
            return Ok(RunResult::Closed { run_id: key.run, status: head.status, outcome });
        }
        let changed = tokio::select! {
            () = changes.changed() => true,
            () = shared.stopping() => false,
            () = shared.clock.sleep_until(deadline) => false,
        };
        if !changed {
            return Ok(RunResult::Running { status: head.status, run_id: key.run });
        }
    }
}

/// What the last record of a run that has ended says.
fn outcome(shared: &Shared, key: &RunKey, records: u64) -> Result<Result<Payload, Failure>, Error> {
    let damaged = || Error::Internal(format!("run {} has ended without a last record", key.run));
    let row = key.record(records.checked_sub(1).ok_or_else(damaged)?);
    let record = shared.store.get(row.table, &row.bytes)?.ok_or_else(damaged)?;
    Ok(match codec::decode("journal record", &record)? {
        Record::Step(step) => match step.end {
            End::Wait(_) => return Err(damaged()),
            End::Finish(Completion::Completed(result)) => Ok(result),
            End::Finish(Completion::Failed(failure)) => Err(failure),
            End::Finish(Completion::Canceled(details)) => Err(canceled(details)),
            End::Finish(Completion::ContinueAsNew(_)) => Ok(Payload::null()),
        },
        Record::Moved(_) => return Err(damaged()),
        Record::Terminated(ended) => Err(terminated(ended.reason)),
        Record::Canceled(_) => Err(canceled(None)),
        Record::Failed(failed) | Record::TimedOut(failed) => Err(failed.failure),
    })
}

/// How a run ended that ended as the answer to a cancel request.
pub(crate) fn canceled(details: Option<Payload>) -> Failure {
    Failure { details, ..Failure::new(FailureKind::Canceled, "canceled", "the workflow was canceled") }
}

/// How a run ended that somebody ended.
pub(crate) fn terminated(reason: String) -> Failure {
    Failure::new(FailureKind::Terminated, "terminated", reason)
}

/// Runs, newest first. The cursor is the last key that was looked at, in hexadecimal.
pub(crate) fn list(
    shared: &Shared,
    namespace: &Namespace,
    filter: &ListFilter,
    limit: usize,
    cursor: Option<&str>,
) -> Result<Page<RunSummary>, Error> {
    shared.check_namespace(namespace)?;
    let prefix = Prefix::visibility(namespace, filter.status);
    let mut from = match cursor {
        None => prefix.bytes.clone(),
        Some(cursor) => after(&parse_cursor(&prefix, cursor)?),
    };
    let mut items = Vec::new();
    let mut looked_at = 0;
    loop {
        let rows =
            shared.store.range(Table::Visibility, &from, &prefix.end(), Order::Ascending, LIST_PIECE)?;
        let full = rows.len() == LIST_PIECE;
        for (key, row) in rows {
            looked_at += 1;
            if let Some(run) = Prefix::run_in_list(namespace, &key) {
                items.extend(listed(run, &row, filter)?);
            }
            if items.len() == limit || looked_at == LIST_ROWS {
                return Ok(Page { items, next_cursor: Some(write_cursor(&key)) });
            }
            from = after(&key);
        }
        if !full {
            return Ok(Page { items, next_cursor: None });
        }
    }
}

fn listed(run: RunId, row: &[u8], filter: &ListFilter) -> Result<Option<RunSummary>, Error> {
    let row: VisibilityRow = codec::decode("run in the list", row)?;
    if filter.workflow.as_ref().is_some_and(|workflow| *workflow != row.workflow) {
        return Ok(None);
    }
    Ok(Some(RunSummary {
        workflow_id: row.workflow_id,
        run_id: run,
        workflow: row.workflow,
        status: row.status,
        started_at: row.started_at,
        closed_at: row.closed_at,
    }))
}

fn write_cursor(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_cursor(prefix: &Prefix, cursor: &str) -> Result<Vec<u8>, Error> {
    let bytes: Option<Vec<u8>> = cursor
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok()
        })
        .collect();
    bytes.filter(|bytes| bytes.starts_with(&prefix.bytes)).ok_or_else(|| Error::Invalid {
        field: "cursor".to_owned(),
        message: format!("{cursor:?} is not from a list with the same filter: begin again without one"),
    })
}
