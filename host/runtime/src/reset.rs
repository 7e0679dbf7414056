//! Resets: an execution goes on as a new run, from the end of an earlier step of one of its runs.
//!
//! The steps that are kept are copied first, where nobody sees them. Then one batch ends the old run, if it has
//! not ended, and begins the new one: through the old run's owner, or, where that run has ended, guarded by its
//! head and by the row of the execution's current run, so that no two runs of it are open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refrain_engine::codec;
use refrain_engine::fork::OpenChild;
use refrain_engine::ids::{Namespace, Op, RunId, check_name};
use refrain_engine::journal::Code;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_store::schema::{ChildRow, CurrentRun, HeadVersion, Key, OutboxRow, Prefix, RunKey, StoredHead};
use refrain_store::{Batch, Change, Health, MAX_BATCH_BYTES};
use tokio::sync::oneshot;

use crate::base::{Base, Cut, Later, within_mailbox};
use crate::copies::Copied;
use crate::error::Error;
use crate::inspect;
use crate::new_run::NewRun;
use crate::owner::{Message, delete, put};
use crate::reset_types::{ForkedRun, ResetChildren, ResetWorkflow};
use crate::rows;
use crate::runtime::{blocking, check_reason};
use crate::shared::Shared;
use crate::start::check_code;
use crate::types::Target;

/// How often a reset that lost a race looks again: each loss means that somebody else has written.
const TRIES: usize = 100;

/// What the batch may have that begins a run: it ends another one too, whose rows it deletes.
const BEGIN_BYTES: usize = 12 << 20;

const _: () = assert!(BEGIN_BYTES < MAX_BATCH_BYTES);

/// A reset whose copy is made.
pub(crate) struct Reset {
    copied: Copied,
    /// How many records of the old run are kept.
    kept: usize,
    exclude_signals: bool,
    children: ResetChildren,
    /// Why the old run ends.
    pub(crate) reason: String,
    /// The row that makes a repeated request the same one.
    request: Option<Key>,
}

/// Resets an execution.
pub(crate) async fn reset(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    target: &Target,
    request: ResetWorkflow,
) -> Result<ForkedRun, Error> {
    check_reason(&request.reason)?;
    request.request_id.as_deref().map_or(Ok(()), |id| check_name("request_id", id))?;
    let key = inspect::resolve(shared, namespace, target)?;
    let (reading, of) = (Arc::clone(shared), key.clone());
    let base = blocking(move || Base::read(&reading, &of)).await?;
    let chain = RunKey::new(namespace.clone(), base.started.first_run_id);
    let row = request.request_id.as_deref().map(|request_id| chain.request(request_id));
    if let Some(answer) = answered(shared, namespace, row.as_ref())? {
        return Ok(answer);
    }
    if shared.store.health() == Health::Full {
        return Err(Error::Full);
    }
    if base.head.status.is_closed() {
        check_none_open(shared, &base)?;
    }
    let cut = base.cut_at(request.event)?;
    let reset = Reset::copy(shared, &base, cut, request, row).await?;
    let settled = reset.settle(shared, &base).await;
    if !matches!(settled, Ok(None)) {
        reset.copied.clone().discard(shared).await;
    }
    Ok(settled?.unwrap_or_else(|| answer_of(&reset.copied)))
}

/// The answer that a request was given before.
fn answered(shared: &Shared, namespace: &Namespace, row: Option<&Key>) -> Result<Option<ForkedRun>, Error> {
    let Some(row) = row else { return Ok(None) };
    let Some(found) = shared.store.get(row.table, &row.bytes)? else { return Ok(None) };
    let other = || Error::Invalid {
        field: "request_id".to_owned(),
        message: "is that of another request to this execution: choose another one".to_owned(),
    };
    // Signals and starts leave empty rows.
    let CurrentRun { run } = codec::decode("request", &found).map_err(|_| other())?;
    let started =
        rows::find_started(&*shared.store, &RunKey::new(namespace.clone(), run))?.ok_or_else(other)?;
    let step = started.forks.last().and_then(|fork| fork.step.checked_sub(1));
    Ok(Some(ForkedRun { workflow_id: started.workflow_id, run_id: run, step }))
}

fn answer_of(copied: &Copied) -> ForkedRun {
    let step = copied.point.step.checked_sub(1);
    ForkedRun { workflow_id: copied.started.workflow_id.clone(), run_id: copied.key.run, step }
}

/// Refuses where another run of the execution is open. Answers its current run.
fn check_none_open(shared: &Shared, base: &Base) -> Result<Option<RunId>, Error> {
    let Some(current) =
        rows::find_current_run(&*shared.store, &base.key.namespace, &base.started.workflow_id)?
    else {
        return Ok(None);
    };
    let key = RunKey::new(base.key.namespace.clone(), current);
    let stored = inspect::read_head(shared, &key)?;
    if current != base.key.run && !stored.head.status.is_closed() {
        let id = base.started.workflow_id.to_string();
        return Err(Error::NotClosed { id, run_id: current, status: stored.head.status });
    }
    Ok(Some(current))
}

impl Reset {
    async fn copy(
        shared: &Arc<Shared>,
        base: &Base,
        cut: Cut,
        request: ResetWorkflow,
        row: Option<Key>,
    ) -> Result<Self, Error> {
        let ResetWorkflow { event, reason, exclude_signals, children, .. } = request;
        let (code, kept) = (base.code(), cut.kept);
        let started = base.next_started(shared, &cut, &code)?;
        let run = started.run_id;
        let moved = format!("run {} had been moved there when it was reset", base.key.run);
        let copied = base.copy(shared, started, cut, code, &moved).await?;
        let colon = if reason.is_empty() { "" } else { ": " };
        let reason = format!("reset to event {event}: run {run} goes on{colon}{reason}");
        Ok(Self { copied, kept, exclude_signals, children, reason, request: row })
    }

    /// What executes the new run.
    pub(crate) fn code(&self) -> Code {
        self.copied.code.clone().unwrap_or_else(|| self.copied.started.code())
    }

    /// The new run.
    pub(crate) fn run_id(&self) -> RunId {
        self.copied.key.run
    }

    /// Ends the old run and begins the new one. Answers what the same request was answered meanwhile, if it was.
    async fn settle(&self, shared: &Arc<Shared>, base: &Base) -> Result<Option<ForkedRun>, Error> {
        let key = &base.key;
        for _ in 0..TRIES {
            shared.check_open()?;
            if self.has_begun(shared)? {
                // An owner that failed before it could say so had begun it.
                return Ok(None);
            }
            if let Some(answer) = answered(shared, &key.namespace, self.request.as_ref())? {
                return Ok(Some(answer));
            }
            let stored = inspect::read_head(shared, key)?;
            if stored.head.deleting {
                return Err(Error::NotFound { what: "run of this workflow", id: key.run.to_string() });
            }
            let done = if stored.head.status.is_closed() {
                self.begin(shared, base, stored).await?
            } else {
                self.replace(shared, key).await?
            };
            if done {
                return Ok(None);
            }
        }
        let id = &base.started.workflow_id;
        Err(Error::Internal(format!("the reset of {id:?} lost {TRIES} races: try again")))
    }

    fn has_begun(&self, shared: &Shared) -> Result<bool, Error> {
        Ok(!inspect::read_head(shared, &self.copied.key)?.head.deleting)
    }

    /// Takes the place of a run that has not ended. False: it has ended meanwhile.
    async fn replace(&self, shared: &Arc<Shared>, base: &RunKey) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        let reset = Box::new(self.again());
        shared.registry.send(shared, base, Message::Reset { reset, reply });
        match answer.await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(Error::Closed { .. })) => Ok(false),
            Ok(Err(error)) => Err(error),
            // Its owner has failed; the next one may do better.
            Err(_) => shared.check_open().map(|()| false),
        }
    }

    fn again(&self) -> Self {
        Self {
            copied: self.copied.clone(),
            reason: self.reason.clone(),
            request: self.request.clone(),
            ..*self
        }
    }

    /// Begins the new run where the old one has ended. False: somebody else has written.
    async fn begin(&self, shared: &Arc<Shared>, base: &Base, stored: StoredHead) -> Result<bool, Error> {
        let current = check_none_open(shared, base)?;
        let (next, changes) = self.draft(shared, &base.key)?;
        let mut batch = Batch::new();
        if let Some(Key { table, bytes }) = &self.request {
            batch = batch.require_absent(*table, bytes.clone());
        }
        // Who holds to a run that follows from the old one is led on.
        let last = last_of_chain(shared, &base.key)?.filter(|(key, _)| *key != base.key);
        for (key, stored, is_base) in [(base.key.clone(), stored, true)]
            .into_iter()
            .chain(last.map(|(key, stored)| (key, stored, false)))
        {
            let StoredHead { version, mut head } = stored;
            head.continued_to.get_or_insert(self.run_id());
            if is_base {
                head.reset_to = Some(self.run_id());
            }
            let next = HeadVersion { version: version.version + 1, fence: shared.boot };
            let row = key.head();
            batch = batch.require_prefix(row.table, row.bytes.clone(), version.prefix()).put(
                row.table,
                row.bytes,
                StoredHead { version: next, head }.encode(),
            );
        }
        batch.changes.extend(changes);
        if !next.commit(shared, current, batch).await? {
            return check_code(shared, &base.key.namespace, &self.code()).await.map(|()| false);
        }
        shared.watchers.notify(&base.key);
        Ok(true)
    }

    /// The new run, and what becomes true with its begin. All that has arrived for the old one is durable.
    pub(crate) fn draft(&self, shared: &Shared, base: &RunKey) -> Result<(NewRun, Vec<Change>), Error> {
        let later = Later::read(&*shared.store, base, self.kept)?;
        let at = shared.now();
        let now = |item: Item| MailboxEntry { number: 0, at, item };
        let mut arrived: Vec<MailboxEntry> = self.copied.point.canceled_items().map(now).collect();
        let mut changes = self.move_children(shared, base, &later, &mut arrived)?;
        let children = self.copied.key.children();
        let is_child = |change: &&Change| {
            let (table, key, _) = change.parts();
            table == children.table && key.starts_with(&children.bytes)
        };
        let adopted = changes.iter().filter(is_child).count() as u64;
        changes.extend(self.move_outbox(shared, base)?);
        arrived.extend(later.messages(self.exclude_signals));
        within_mailbox(shared, &arrived)?;
        if let Some(row) = &self.request {
            changes.push(put(row.clone(), codec::encode(&CurrentRun { run: self.run_id() })));
        }
        let next = NewRun::of_copy(shared.boot, self.copied.clone(), arrived)
            .with_children(adopted)
            .with_pause(inspect::read_head(shared, base)?.head.paused);
        within_one_batch(&next, &changes)?;
        Ok((next, changes))
    }

    /// What becomes of the old run's children. Those that it started later, and those that are left, are nobody's
    /// from here on: no policy of it ends them.
    fn move_children(
        &self,
        shared: &Shared,
        base: &RunKey,
        later: &Later,
        arrived: &mut Vec<MailboxEntry>,
    ) -> Result<Vec<Change>, Error> {
        let at = shared.now();
        let now = |item: Item| MailboxEntry { number: 0, at, item };
        let mut changes = Vec::new();
        let mut known: BTreeMap<Op, ChildRow> = BTreeMap::new();
        for (key, row) in rows::read_all(&*shared.store, &base.children())? {
            if let Some(op) = Prefix::last_number(&key) {
                known.insert(op, codec::decode("child", &row)?);
                changes.push(delete(base.child(op)));
            }
        }
        let mut starting = BTreeSet::new();
        for (key, row) in rows::read_all(&*shared.store, &base.outboxes())? {
            if let OutboxRow::StartChild { .. } = codec::decode("outbox", &row)? {
                starting.extend(Prefix::last_number(&key));
            }
        }
        for (op, child) in &self.copied.point.children {
            // One whose start was called off will never begin.
            let row = known.remove(op).filter(|row| row.started || starting.contains(op));
            let adopts = self.children == ResetChildren::Adopt;
            let news = |op: Op, wanted: bool| later.end_of(op).filter(|_| adopts && wanted);
            let (start, end) = (news(child.started, child.start_wanted), news(*op, child.end_wanted));
            match row.filter(|_| adopts) {
                Some(row) => {
                    // The old run may have given that news up since.
                    let start = start
                        .or_else(|| (row.started && child.start_wanted).then(|| now(started(child, &row))));
                    let row = ChildRow { wanted: child.end_wanted, ..row };
                    changes.push(put(self.copied.key.child(*op), codec::encode(&row)));
                    arrived.extend(start);
                }
                // It has ended, and the new run hears how.
                None if end.is_some() => {
                    let never = || self.copied.point.lost_child(*op).into_iter().map(now);
                    let start =
                        start.or_else(|| never().find(|entry| entry.item.op() == Some(child.started)));
                    arrived.extend(start.into_iter().chain(end));
                }
                None => {
                    arrived.extend(self.copied.point.lost_child(*op).into_iter().map(now));
                }
            }
        }
        Ok(changes)
    }

    /// What the old run has not had done yet in others: what is open where it is cut, the new run has done. The
    /// starts of children that it takes over are its own, and the others are not made.
    fn move_outbox(&self, shared: &Shared, base: &RunKey) -> Result<Vec<Change>, Error> {
        let point = &*self.copied.point;
        let mut changes = Vec::new();
        for (key, row) in rows::read_all(&*shared.store, &base.outboxes())? {
            let Some(op) = Prefix::last_number(&key) else { continue };
            match codec::decode("outbox", &row)? {
                OutboxRow::StartChild { .. } => {
                    changes.push(delete(base.outbox(op)));
                    let open = point.children.iter().any(|(end, child)| op == *end || op == child.started);
                    if open && self.children == ResetChildren::Adopt {
                        changes.push(put(self.copied.key.outbox(op), row));
                    }
                }
                OutboxRow::Signal { .. } | OutboxRow::RequestCancel { .. } => {
                    if point.sendings.contains_key(&op) {
                        changes.push(delete(base.outbox(op)));
                    }
                }
                OutboxRow::EndChild { .. } | OutboxRow::TellParent { .. } => {}
            }
        }
        Ok(changes)
    }
}

/// The last run that follows from this one and is there.
fn last_of_chain(shared: &Shared, base: &RunKey) -> Result<Option<(RunKey, StoredHead)>, Error> {
    let (mut key, mut last) = (base.clone(), None);
    while let Some(stored) = rows::find_head(&*shared.store, &key)? {
        let next = stored.head.continued_to.map(|run| RunKey::new(base.namespace.clone(), run));
        last = Some((key, stored));
        let Some(next) = next else { break };
        key = next;
    }
    Ok(last)
}

/// The news that a child exists.
fn started(child: &OpenChild, row: &ChildRow) -> Item {
    Item::ChildStarted { op: child.started, workflow_id: row.workflow_id.clone(), run_id: row.run_id }
}

/// Refuses a run that does not begin in one batch, together with these changes.
pub(crate) fn within_one_batch(next: &NewRun, changes: &[Change]) -> Result<(), Error> {
    let what = "what is open, and what has arrived, where the new run goes on";
    let bytes = next.changes().iter().chain(changes).map(Change::bytes).sum();
    if bytes <= BEGIN_BYTES { Ok(()) } else { Err(Error::TooLarge { what, bytes, limit: BEGIN_BYTES }) }
}
