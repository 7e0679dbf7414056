//! What an owner knows of its run's rows, and the batch that it is about to commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use refrain_engine::codec::{self, DecodeError};
use refrain_engine::ids::Op;
use refrain_engine::journal::Record;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::outline::Outline;
use refrain_engine::planted;
use refrain_engine::time::Timestamp;
use refrain_plugin::CancelReason;
use refrain_store::schema::{Head, HeadVersion, Key, Prefix, RunStatus, StoredHead, VisibilityRow};
use refrain_store::{Batch, Change, Store, StoreError, Table};

use super::{Gone, Owner, Reply};
use crate::attempts::Attempt;
use crate::courier;
use crate::error::Error;
use crate::new_run::NewRun;
use crate::queues::{Offer, Permit};
use crate::rows::{self, Unreadable};

/// Arrivals and drafted rows of this size together do not wait for the next step, so that a step's batch, in
/// which they would be, stays below the store's limit.
const HEAVY_BYTES: usize = 1 << 20;

/// The tables whose rows an owner reads one by one, also while changes of them are drafted.
const READ_BACK: [Table; 2] = [Table::Children, Table::Outbox];

/// The run's rows, and what is about to change about them.
pub(super) struct Books {
    stored: StoredHead,
    /// Arrivals that are not durable, in order.
    fresh: BTreeMap<u64, Fresh>,
    /// The size of `fresh`.
    fresh_bytes: usize,
    /// Arrivals that the run's mailbox in memory does not have yet.
    unpushed: Vec<MailboxEntry>,
    draft: Draft,
    /// The run's row among those that a boot wakes.
    ready: bool,
    /// What must be read before it is used; `None` until then.
    rows: Option<Rows>,
}

/// The rows of a run that has not ended.
#[derive(Default)]
struct Rows {
    /// The arrivals in the mailbox table, by number.
    mailbox: BTreeMap<u64, Waiting>,
    timers: BTreeMap<Op, Timestamp>,
}

/// What is known of an arrival in the mailbox table.
#[derive(Clone, Copy)]
enum Waiting {
    /// The end of an op; or nobody can read what it is.
    News,
    /// A message of this size.
    Message { bytes: u64, is_signal: bool },
}

impl Waiting {
    fn of(item: &Item) -> Self {
        match message_size(item) {
            Some(bytes) => Self::Message { bytes, is_signal: matches!(item, Item::Signal { .. }) },
            None => Self::News,
        }
    }
}

/// An arrival that is not durable.
struct Fresh {
    entry: MailboxEntry,
    /// What becomes true with it.
    changes: Vec<Change>,
    /// Who waits for its being durable.
    reply: Option<Reply>,
}

/// Changes that wait for the next commit, and what follows it.
#[derive(Default)]
struct Draft {
    /// Rows that must be there.
    requires: Vec<Key>,
    changes: Vec<Change>,
    /// The size of the changes.
    bytes: usize,
    /// What the changes make of the rows that owners read again before they are durable.
    read_back: HashMap<(Table, bytes::Bytes), Option<bytes::Bytes>>,
    replies: Vec<(Reply, Result<(), Error>)>,
    after: Vec<After>,
}

impl Draft {
    fn push(&mut self, change: Change) {
        self.bytes += change.bytes();
        let (table, key, value) = change.parts();
        if READ_BACK.contains(&table) {
            self.read_back.insert((table, key.clone()), value.cloned());
        }
        self.changes.push(change);
    }

    fn extend(&mut self, changes: Vec<Change>) {
        changes.into_iter().for_each(|change| self.push(change));
    }
}

/// What is done once the batch is durable.
pub(super) enum After {
    /// The attempt that is the activity's so-many-th begins in this process.
    Launch(Op, u32, Permit),
    /// It is handed to the worker that polled for it.
    HandOver(Op, u32, Permit, Offer),
    /// The activity waits in its task queue.
    Enqueue(Op),
    /// The attempt hears why it is to stop.
    Tell(Arc<Attempt>, CancelReason),
    /// Nobody waits for the attempt any more.
    Forget(Op, Arc<Attempt>),
    TimerStarted(Timestamp, Op),
    TimerRemoved(Timestamp, Op),
    /// The next run of the execution begins.
    Begin(Box<NewRun>),
    /// What lies in the outbox under this op is carried there.
    Deliver(Op, courier::To),
}

impl Books {
    /// The books of a run as the store has it. A fresh run has no rows yet.
    pub(super) fn new(stored: StoredHead, fresh: bool) -> Self {
        let ready = stored.head.is_ready();
        let rows = fresh.then(Rows::default).filter(|_| stored.head.arrivals == 0);
        Self {
            stored,
            fresh: BTreeMap::new(),
            fresh_bytes: 0,
            unpushed: Vec::new(),
            draft: Draft::default(),
            ready,
            rows,
        }
    }

    pub(super) fn head(&self) -> &Head {
        &self.stored.head
    }

    pub(super) fn head_mut(&mut self) -> &mut Head {
        &mut self.stored.head
    }

    pub(super) fn put(&mut self, key: Key, value: bytes::Bytes) {
        self.draft.push(put(key, value));
    }

    /// What is drafted becomes true only if this row is there; else the owner begins anew, from what the store has.
    pub(super) fn require(&mut self, key: Key) {
        self.draft.requires.push(key);
    }

    pub(super) fn extend(&mut self, changes: Vec<Change>) {
        self.draft.extend(changes);
    }

    pub(super) fn delete(&mut self, key: Key) {
        self.draft.push(delete(key));
    }

    /// What will be under this key, in one of the tables that are read back, once the draft is durable.
    pub(super) fn row(&self, store: &dyn Store, key: &Key) -> Result<Option<bytes::Bytes>, StoreError> {
        debug_assert!(READ_BACK.contains(&key.table), "drafts of {:?} are not read back", key.table);
        match self.draft.read_back.get(&(key.table, key.bytes.clone())) {
            Some(drafted) => Ok(drafted.clone()),
            None => store.get(key.table, &key.bytes),
        }
    }

    /// As [`Self::row`], of all keys that begin so.
    pub(super) fn rows_under(
        &self,
        store: &dyn Store,
        prefix: &Prefix,
    ) -> Result<BTreeMap<bytes::Bytes, bytes::Bytes>, StoreError> {
        debug_assert!(READ_BACK.contains(&prefix.table), "drafts of {:?} are not read back", prefix.table);
        let mut found: BTreeMap<_, _> = rows::read_all(store, prefix)?.into_iter().collect();
        for ((table, key), value) in &self.draft.read_back {
            if *table != prefix.table || !key.starts_with(&prefix.bytes) {
                continue;
            }
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found)
    }

    pub(super) fn reply(&mut self, reply: Reply, answer: Result<(), Error>) {
        self.draft.replies.push((reply, answer));
    }

    /// Who waits for what is drafted, if somebody does, is told once it is durable.
    pub(super) fn reply_to(&mut self, reply: Option<Reply>) {
        self.draft.replies.extend(reply.map(|reply| (reply, Ok(()))));
    }

    pub(super) fn after(&mut self, after: After) {
        self.draft.after.push(after);
    }

    /// The attempt, if there is one, hears why it is to stop.
    pub(super) fn tell_after(&mut self, attempt: Option<Arc<Attempt>>, reason: CancelReason) {
        self.draft.after.extend(attempt.map(|attempt| After::Tell(attempt, reason)));
    }

    /// Nobody waits for the attempt any more, if there is one.
    pub(super) fn forget_after(&mut self, op: Op, attempt: Option<Arc<Attempt>>) {
        self.draft.after.extend(attempt.map(|attempt| After::Forget(op, attempt)));
    }

    /// Something arrived. It becomes durable with the next commit: with the step that takes it, or alone.
    pub(super) fn arrive(&mut self, at: Timestamp, item: Item, changes: Vec<Change>, reply: Option<Reply>) {
        let number = self.stored.head.next_arrival;
        self.stored.head.next_arrival += 1;
        let entry = MailboxEntry { number, at, item };
        if let Some(bytes) = message_size(&entry.item) {
            self.stored.head.messages += 1;
            self.stored.head.message_bytes += bytes;
        }
        self.unpushed.push(entry.clone());
        self.fresh_bytes += entry.item.size();
        self.fresh.insert(number, Fresh { entry, changes, reply });
    }

    /// Whether a commit has anything to do.
    fn has_draft(&self) -> bool {
        let Draft { changes, replies, after, .. } = &self.draft;
        !(self.fresh.is_empty() && changes.is_empty() && replies.is_empty() && after.is_empty())
    }

    /// Whether what has arrived and what is drafted is to be committed before there is more of it: one batch
    /// has its limit.
    pub(super) fn is_heavy(&self) -> bool {
        self.fresh_bytes + self.draft.bytes >= HEAVY_BYTES
    }

    /// Whether an arrival that is not durable yet writes this row (of a request, say), taken by a step or not.
    pub(super) fn requests(&self, request: &Key) -> bool {
        let answers =
            |change: &Change| change.parts().0 == request.table && *change.parts().1 == request.bytes;
        self.draft.changes.iter().any(answers)
            || self.fresh.values().any(|fresh| fresh.changes.iter().any(answers))
    }

    /// Whether the run's rows were read.
    pub(super) fn knows_rows(&self) -> bool {
        self.rows.is_some()
    }

    /// Arrivals that the run in memory has not been given.
    pub(super) fn take_unpushed(&mut self) -> Vec<MailboxEntry> {
        std::mem::take(&mut self.unpushed)
    }

    pub(super) fn has_unpushed_message(&self) -> bool {
        self.unpushed.iter().any(|entry| entry.item.op().is_none())
    }

    /// The guest has taken this arrival, or nobody wants it: there will be no row of it.
    pub(super) fn consume(&mut self, arrival: Key, number: u64) {
        let row = self.rows.as_mut().and_then(|rows| rows.mailbox.remove(&number));
        if let Some(waiting) = row {
            self.stored.head.arrivals -= 1;
            self.message_gone(waiting);
            self.delete(arrival);
        } else if let Some(fresh) = self.fresh.remove(&number) {
            self.fresh_bytes -= fresh.entry.item.size();
            self.message_gone(Waiting::of(&fresh.entry.item));
            self.draft.extend(fresh.changes);
            self.draft.replies.extend(fresh.reply.map(|reply| (reply, Ok(()))));
        }
    }

    /// A message does not wait any more. Heads of a time that did not count messages have none to take off.
    fn message_gone(&mut self, gone: Waiting) {
        if let Waiting::Message { bytes, .. } = gone {
            let head = &mut self.stored.head;
            head.messages = head.messages.saturating_sub(1);
            head.message_bytes = head.message_bytes.saturating_sub(bytes);
        }
    }

    /// Takes the messages that were not delivered and are not durable, for another run or for a refusal.
    pub(super) fn take_fresh_messages(&mut self) -> Vec<(MailboxEntry, Vec<Change>, Option<Reply>)> {
        let messages: Vec<Fresh> = self
            .fresh
            .extract_if(.., |_, fresh| fresh.entry.item.op().is_none())
            .map(|(_, fresh)| fresh)
            .collect();
        for Fresh { entry, .. } in &messages {
            self.fresh_bytes -= entry.item.size();
            self.message_gone(Waiting::of(&entry.item));
        }
        messages.into_iter().map(|fresh| (fresh.entry, fresh.changes, fresh.reply)).collect()
    }

    /// Drops the arrivals that are not durable: the run ends. What they imply stays.
    pub(super) fn drop_fresh(&mut self) {
        for fresh in self.take_fresh() {
            self.draft.extend(fresh.changes);
        }
        self.unpushed.clear();
    }

    fn take_fresh(&mut self) -> impl Iterator<Item = Fresh> + use<> {
        self.fresh_bytes = 0;
        std::mem::take(&mut self.fresh).into_values()
    }

    fn rows_mut(&mut self) -> &mut Rows {
        self.rows.as_mut().expect("the rows were read before they are used")
    }

    pub(super) fn add_timer(&mut self, op: Op, deadline: Timestamp) {
        self.rows_mut().timers.insert(op, deadline);
    }

    /// The deadline of a timer that has a row; it has none any more.
    pub(super) fn remove_timer(&mut self, op: Op) -> Option<Timestamp> {
        self.rows.as_mut()?.timers.remove(&op)
    }

    pub(super) fn take_timers(&mut self) -> BTreeMap<Op, Timestamp> {
        std::mem::take(&mut self.rows_mut().timers)
    }

    /// Nothing waits for the run any more. The numbers of the arrivals whose rows are of no use to anybody else; the
    /// signals are not among them if they are to be kept.
    pub(super) fn take_mailbox(&mut self, keeps_signals: bool) -> impl Iterator<Item = u64> + use<> {
        let head = &mut self.stored.head;
        (head.arrivals, head.messages, head.message_bytes) = (0, 0, 0);
        let waiting = std::mem::take(&mut self.rows_mut().mailbox).into_iter();
        let is_kept =
            move |waiting| keeps_signals && matches!(waiting, Waiting::Message { is_signal: true, .. });
        waiting.filter(move |(_, waiting)| !is_kept(*waiting)).map(|(number, _)| number)
    }
}

/// What a message counts against the limit of a run's mailbox; `None` for the end of an op.
pub(crate) fn message_size(item: &Item) -> Option<u64> {
    item.op().is_none().then(|| item.size() as u64)
}

pub(crate) fn put(key: Key, value: bytes::Bytes) -> Change {
    Change::Put { table: key.table, key: key.bytes, value }
}

pub(crate) fn delete(key: Key) -> Change {
    Change::Delete { table: key.table, key: key.bytes }
}

impl Owner<'_> {
    /// Learns which rows the run has, from its journal and its mailbox.
    pub(super) fn learn_rows(
        &mut self,
        journal: &[bytes::Bytes],
        mailbox: &[MailboxEntry],
    ) -> Result<(), DecodeError> {
        if self.books.rows.is_some() {
            return Ok(());
        }
        let mut outline = Outline::of(&self.started);
        for record in journal {
            outline.record(&codec::decode::<Record>("journal record", record)?);
        }
        let timers = std::mem::take(&mut outline.timers);
        let mut timers: BTreeMap<Op, Timestamp> =
            timers.into_iter().map(|(op, (deadline, _))| (op, deadline)).collect();
        self.learn_updates(outline, mailbox);
        for op in mailbox.iter().filter_map(|entry| entry.item.op()) {
            timers.remove(&op);
        }
        // An owner that failed may have taken firings in that it did not commit.
        timers.iter().for_each(|(op, deadline)| self.shared.timer_started(self.key, *deadline, *op));
        let mailbox = mailbox.iter().map(|entry| (entry.number, Waiting::of(&entry.item))).collect();
        self.books.rows = Some(Rows { mailbox, timers });
        Ok(())
    }

    /// As [`Self::learn_rows`], for an owner that has not loaded its run.
    pub(super) fn know_rows(&mut self) -> Result<(), Gone> {
        if self.books.rows.is_some() {
            return Ok(());
        }
        let store = &*self.shared.store;
        let learned = match (rows::read_journal(store, self.key)?, rows::read_mailbox(store, self.key)) {
            (journal, Ok(mailbox)) => self.learn_rows(&journal, &mailbox),
            (_, Err(Unreadable::Damaged(error))) => Err(error),
            (_, Err(Unreadable::Store(error))) => return Err(error.into()),
        };
        if learned.is_err() {
            // A damaged run can be ended all the same. The rows of its timers go as they fire.
            let arrivals = rows::read_all(store, &self.key.mailbox())?;
            let numbers = arrivals.iter().filter_map(|(key, _)| Prefix::last_number(key));
            let mailbox = numbers.map(|number| (number, Waiting::News)).collect();
            self.books.rows = Some(Rows { mailbox, timers: BTreeMap::new() });
            self.learn_updates_of_damaged()?;
        }
        Ok(())
    }

    /// Moves the run between the lists.
    pub(super) fn set_status(&mut self, status: RunStatus, closed_at: Option<Timestamp>) {
        let started = &self.started;
        let old = self.key.visibility(Some(self.books.head().status), started.at);
        self.books.delete(old);
        let row = VisibilityRow {
            workflow_id: started.workflow_id.clone(),
            workflow: started.workflow.clone(),
            status,
            started_at: started.at,
            closed_at,
        };
        let row = codec::encode(&row);
        for list in [None, Some(status)] {
            self.books.put(self.key.visibility(list, started.at), row.clone());
        }
        let head = self.books.head_mut();
        head.status = status;
        head.closed_at = closed_at;
    }

    /// Commits what is drafted, with the arrivals that no step has taken, and then does what follows, until
    /// nothing follows any more.
    pub(super) async fn flush(&mut self) -> Result<(), Gone> {
        self.save_local_activities();
        while self.books.has_draft() {
            self.flush_once().await?;
        }
        self.placing = None;
        Ok(())
    }

    async fn flush_once(&mut self) -> Result<(), Gone> {
        let key = self.key;
        for Fresh { entry, changes, reply } in self.books.take_fresh() {
            self.books.put(key.arrival(entry.number), codec::encode(&entry));
            if let Some(rows) = &mut self.books.rows {
                rows.mailbox.insert(entry.number, Waiting::of(&entry.item));
            }
            self.books.stored.head.arrivals += 1;
            self.books.extend(changes);
            self.books.draft.replies.extend(reply.map(|reply| (reply, Ok(()))));
        }
        let Draft { requires, changes, mut replies, mut after, .. } = std::mem::take(&mut self.books.draft);
        if planted!("dispatch-before-commit") {
            after.drain(..).for_each(|after| self.follow(after));
        }
        if planted!("acknowledge-before-durable") {
            replies.drain(..).for_each(|(reply, answer)| drop(reply.send(answer)));
        }
        if !changes.is_empty() {
            self.commit(requires, changes).await?;
        }
        after.into_iter().for_each(|after| self.follow(after));
        for (reply, answer) in replies {
            // Who asked may have gone away.
            let _answered = reply.send(answer);
        }
        Ok(())
    }

    async fn commit(&mut self, requires: Vec<Key>, changes: Vec<Change>) -> Result<(), Gone> {
        let head_key = self.key.head();
        let guarded = self.books.stored.version;
        self.books.stored.version = HeadVersion { version: guarded.version + 1, fence: self.shared.boot };
        let guard = Batch::new().require_prefix(head_key.table, head_key.bytes.clone(), guarded.prefix());
        let mut batch =
            requires.into_iter().fold(guard, |batch, key| batch.require_present(key.table, key.bytes));
        batch.changes = changes;
        let head = &self.books.stored.head;
        let ready = head.is_ready();
        if ready != self.books.ready {
            let row = self.key.ready();
            batch.push(if ready { put(row, bytes::Bytes::new()) } else { delete(row) });
            self.books.ready = ready;
        }
        batch.push(put(head_key, self.books.stored.encode()));
        if let Err(error) = self.shared.store.commit(batch).await {
            // Before anybody hears of it: who asks why has the reason.
            self.shared.note_failure(&error);
            return Err(error.into());
        }
        self.shared.watchers.notify(self.key);
        Ok(())
    }

    fn follow(&mut self, after: After) {
        let (shared, key) = (self.shared, self.key);
        match after {
            After::Launch(op, starts, permit) => self.launch(op, starts, permit),
            After::HandOver(op, starts, permit, offer) => self.hand_over(op, starts, permit, offer),
            After::Enqueue(op) => self.enqueue(op),
            After::Tell(attempt, reason) => attempt.tell(reason),
            After::Forget(op, attempt) => shared.attempts.forget(key, op, &attempt),
            After::TimerStarted(deadline, op) => shared.timer_started(key, deadline, op),
            After::TimerRemoved(deadline, op) => shared.timer_removed(key, deadline, op),
            After::Begin(next) => next.begin(shared),
            After::Deliver(op, to) => courier::deliver(shared, key, op, to),
        }
    }
}
