//! A run that begins: its first rows, and what follows once they are durable. Whoever makes one, a start, a
//! run that is continued or tried again, a start that takes another run's place, or a copy of some steps of
//! another run, writes the same rows, in one batch with whatever the run follows from.

use std::sync::Arc;

use bytes::Bytes;
use refrain_engine::activity::Pause;
use refrain_engine::codec;
use refrain_engine::ids::RunId;
use refrain_engine::journal::{Code, Started};
use refrain_engine::lifecycle::RUN_ITSELF;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::time::Timestamp;
use refrain_store::schema::{
    CurrentRun, Head, HeadVersion, Key, RunKey, RunStatus, StoredHead, TimerRow, VisibilityRow,
};
use refrain_store::{Batch, Change, Class, CommitError};

use crate::copies::{self, Copied};
use crate::courier;
use crate::error::Error;
use crate::owner::{Message, delete, message_size, put};
use crate::shared::Shared;

/// A run that is about to begin.
pub(crate) struct NewRun {
    key: RunKey,
    started: Arc<Started>,
    stored: StoredHead,
    /// What lies in its mailbox from the start, in order.
    messages: Vec<MailboxEntry>,
    /// The steps that it begins with, if another run has made them.
    copy: Option<Copied>,
}

impl NewRun {
    /// A run that begins so. The numbers of the messages are its own from here on.
    pub(crate) fn new(boot: u64, started: Arc<Started>, messages: Vec<MailboxEntry>) -> Self {
        Self::numbered(boot, started, 1, messages)
    }

    /// A run that goes on after the steps that were copied for it.
    pub(crate) fn of_copy(boot: u64, copy: Copied, arrived: Vec<MailboxEntry>) -> Self {
        let first = copy.point.last_arrival + 1;
        let mut run = Self::numbered(boot, Arc::clone(&copy.started), first, arrived);
        let head = &mut run.stored.head;
        head.records = copy.records;
        (head.journal_entries, head.journal_bytes) = (copy.point.size.entries, copy.point.size.bytes);
        head.code = copy.code.clone();
        head.cancel_requested |= copy.point.cancel_requested;
        run.stored.version.version = copies::VERSION + 1;
        Self { copy: Some(copy), ..run }
    }

    /// The run makes no step before an operator lets it.
    pub(crate) fn with_pause(mut self, pause: Option<Pause>) -> Self {
        if pause.is_some() {
            self.stored.head.status = RunStatus::Paused;
            self.stored.head.paused = pause;
        }
        self
    }

    /// The run takes over so many children.
    pub(crate) fn with_children(mut self, children: u64) -> Self {
        self.stored.head.children = children;
        self
    }

    fn numbered(boot: u64, started: Arc<Started>, first: u64, messages: Vec<MailboxEntry>) -> Self {
        let messages: Vec<MailboxEntry> =
            (first..).zip(messages).map(|(number, entry)| MailboxEntry { number, ..entry }).collect();
        let sizes = messages.iter().filter_map(|entry| message_size(&entry.item));
        let arrivals = messages.len() as u64;
        let head = Head {
            status: RunStatus::Running,
            records: 0,
            next_arrival: first + arrivals,
            arrivals,
            journal_entries: 0,
            journal_bytes: 0,
            closed_at: None,
            parked: None,
            continued_to: None,
            // A request that the run before has taken was meant for that one alone.
            cancel_requested: messages.iter().any(|entry| matches!(entry.item, Item::CancelRequest { .. })),
            messages: sizes.clone().count() as u64,
            message_bytes: sizes.sum(),
            delayed_until: started.lifecycle.begins_at,
            paused: None,
            deleting: false,
            code: None,
            reset_to: None,
            children: 0,
            cancel_due: None,
        };
        let stored = StoredHead { version: HeadVersion { version: 1, fence: boot }, head };
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        Self { key, started, stored, messages, copy: None }
    }

    /// What must be there for it to begin: the row of its code. Else it would begin without one when that is deleted
    /// at the same time.
    pub(crate) fn requires(&self) -> Key {
        let Code { component, version, .. } = self.code();
        Key::component_version(&self.key.namespace, &component, version)
    }

    /// What executes it.
    pub(crate) fn code(&self) -> Code {
        self.stored.head.code.clone().unwrap_or_else(|| self.started.code())
    }

    /// What its begin changes: its rows, without those of its copy that go when it begins.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let waits = self.copy.is_some() && !self.stored.head.is_ready();
        let gone = waits.then(|| delete(self.key.ready()));
        gone.into_iter().chain(self.rows().into_iter().map(|(key, row)| put(key, row))).collect()
    }

    fn rows(&self) -> Vec<(Key, Bytes)> {
        let Self { key, started, stored, messages, copy } = self;
        let listed = codec::encode(&VisibilityRow {
            workflow_id: started.workflow_id.clone(),
            workflow: started.workflow.clone(),
            status: stored.head.status,
            started_at: started.at,
            closed_at: None,
        });
        let mut rows = vec![
            (key.started(), codec::encode(&**started)),
            (key.head(), stored.encode()),
            (
                Key::current_run(&key.namespace, &started.workflow_id),
                codec::encode(&CurrentRun { run: key.run }),
            ),
            (Key::run_of(&key.namespace, &started.workflow_id, &key.run), Bytes::new()),
            (key.visibility(None, started.at), listed.clone()),
            (key.visibility(Some(stored.head.status), started.at), listed),
            (key.pinned(&self.code()), Bytes::new()),
        ];
        if stored.head.is_ready() {
            rows.push((key.ready(), Bytes::new()));
        }
        rows.extend(messages.iter().map(|entry| (key.arrival(entry.number), codec::encode(entry))));
        let timers = deadlines(started, &stored.head).into_iter();
        rows.extend(timers.map(|at| (key.timer(at, RUN_ITSELF), codec::encode(&TimerRow::default()))));
        rows.extend(copy.iter().flat_map(Copied::rows));
        rows
    }

    /// Begins it where its execution still has this run, or none, and what the batch requires holds; the batch's own
    /// changes become true with it. False: it is not so any more, and nothing was changed.
    pub(crate) async fn commit(
        self,
        shared: &Arc<Shared>,
        current: Option<RunId>,
        batch: Batch,
    ) -> Result<bool, Error> {
        let execution = Key::current_run(&self.key.namespace, &self.started.workflow_id);
        let batch = match current {
            None => batch.require_absent(execution.table, execution.bytes),
            Some(run) => {
                batch.require_prefix(execution.table, execution.bytes, codec::encode(&CurrentRun { run }))
            }
        };
        let code = self.requires();
        let mut batch = batch.class(Class::Intake).require_present(code.table, code.bytes);
        batch.changes.extend(self.changes());
        match shared.store.commit(batch).await.inspect_err(|error| shared.note_failure(error)) {
            Ok(()) => {
                self.begin(shared);
                Ok(true)
            }
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// The rows are durable.
    pub(crate) fn begin(self, shared: &Arc<Shared>) {
        let Self { key, started, stored, copy, .. } = self;
        shared.watchers.notify(&key);
        for at in deadlines(&started, &stored.head) {
            shared.timer_started(&key, at, RUN_ITSELF);
        }
        for (op, at) in copy.iter().flat_map(Copied::timers) {
            shared.timer_started(&key, at, op);
        }
        if copy.is_some() {
            // What was sent to others and is not known to have reached them.
            courier::deliver_all(shared, &key);
        }
        // Until its delay is over a run needs no owner. That of a copy begins what is open where it goes on.
        if stored.head.has_work() || copy.is_some() {
            shared.registry.send(shared, &key, Message::Begin { started, stored: Box::new(stored) });
        }
    }
}

/// The times at which the host itself has something to do about a run that has not ended: the end of its delay, its
/// timeout, and the end of the grace of a cancel request that it cannot hear. Each has a row among the timers, under no op of the guest's.
pub(crate) fn deadlines(started: &Started, head: &Head) -> Vec<Timestamp> {
    let timeout = started.lifecycle.deadline(started.at).map(|(at, _)| at);
    head.delayed_until.into_iter().chain(timeout).chain(head.cancel_due).collect()
}
