//! The end of a run: by its own word, by the host, or by someone outside.

use std::sync::Arc;

use refrain_engine::call::{Completion, NextRun};
use refrain_engine::codec;
use refrain_engine::failure::Failure;
use refrain_engine::journal::{FailedByHost, Record, Started, Terminated};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::run::Run;
use refrain_store::schema::{
    CurrentRun, Head, HeadVersion, Key, RunKey, RunStatus, StoredHead, VisibilityRow,
};

use super::books::{After, message_size};
use super::{Gone, Message, Owner, Reply};
use crate::shared::random;

impl Owner<'_> {
    /// The run ended by its own word. Its last step is drafted.
    pub(super) async fn complete(&mut self, completion: Completion, run: &Run) -> Result<(), Gone> {
        let status = match completion {
            Completion::Completed(_) => RunStatus::Completed,
            Completion::Failed(_) => RunStatus::Failed,
            Completion::Canceled(_) => RunStatus::Canceled,
            Completion::ContinueAsNew(next) => {
                let undelivered: Vec<MailboxEntry> = run.undelivered().cloned().collect();
                self.continue_as_new(next, undelivered)?;
                RunStatus::ContinuedAsNew
            }
        };
        self.close(status).await
    }

    /// The host ends the run.
    pub(super) async fn fail(&mut self, failure: Failure) -> Result<(), Gone> {
        let time = self.shared.now();
        self.append(&Record::Failed(FailedByHost { time, boot: self.shared.boot, failure }));
        self.close(RunStatus::Failed).await
    }

    /// Someone ends the run.
    pub(super) async fn terminate(&mut self, reason: String, reply: Reply) -> Result<(), Gone> {
        let time = self.shared.now();
        self.append(&Record::Terminated(Terminated { time, boot: self.shared.boot, reason }));
        self.books.reply(reply, Ok(()));
        self.close(RunStatus::Terminated).await
    }

    fn append(&mut self, record: &Record) {
        let head = self.books.head_mut();
        let number = head.records;
        head.records += 1;
        self.books.put(self.key.record(number), codec::encode(record));
    }

    /// Commits the end: nothing of the run is left but its journal, and who still had something to say is
    /// told.
    async fn close(&mut self, status: RunStatus) -> Result<(), Gone> {
        self.know_rows()?;
        self.drop_instance();
        self.dirty = false;
        self.set_status(status, Some(self.shared.now()));
        for (_, _, reply) in self.books.take_fresh_messages() {
            if let (Some(reply), Some(error)) = (reply, self.closed()) {
                self.books.reply(reply, Err(error));
            }
        }
        self.books.drop_fresh();
        for (op, deadline) in self.books.take_timers() {
            self.books.delete(self.key.timer(deadline, op));
            self.books.after(After::TimerRemoved(deadline, op));
        }
        for number in self.books.take_mailbox() {
            self.books.delete(self.key.arrival(number));
        }
        self.close_activities()?;
        self.books.set_parked(None);
        self.flush().await
    }

    /// Drafts the run that follows. Messages that were not delivered go with it.
    fn continue_as_new(&mut self, next: NextRun, undelivered: Vec<MailboxEntry>) -> Result<(), Gone> {
        let (old, now) = (Arc::clone(&self.started), self.shared.now());
        let workflow = next.workflow.unwrap_or_else(|| old.workflow.clone());
        let newest = next
            .newest_version
            .then(|| self.shared.components.current(&self.key.namespace, &old.component))
            .flatten()
            .filter(|version| version.defines(&workflow));
        let (version, digest) =
            newest.map_or((old.version, old.digest), |newest| (newest.version, newest.digest));
        let started = Arc::new(Started {
            run_id: self.shared.new_run_id().map_err(Gone::Store)?,
            continued_run_id: Some(old.run_id),
            workflow,
            input: next.input,
            version,
            digest,
            profile: refrain_engine::limits::CURRENT.number,
            attempt: 1,
            at: now,
            seed: random().map_err(Gone::Store)?,
            boot: self.shared.boot,
            ..(*old).clone()
        });
        let key = RunKey::new(self.key.namespace.clone(), started.run_id);
        let messages: Vec<MailboxEntry> =
            undelivered.into_iter().filter(|entry| entry.item.op().is_none()).collect();
        // Those of them that are not durable here become so there, and their senders are answered with it.
        for (entry, changes, reply) in self.books.take_fresh_messages() {
            self.books.extend(changes);
            debug_assert!(
                messages.iter().any(|message| message.number == entry.number),
                "each message moves"
            );
            if let Some(reply) = reply {
                self.books.reply(reply, Ok(()));
            }
        }
        let stored = first_head(self.shared.boot, &messages);
        for (number, entry) in (1..).zip(messages) {
            self.books.put(key.arrival(number), codec::encode(&MailboxEntry { number, ..entry }));
        }
        for (key, row) in first_rows(&key, &started, &stored) {
            self.books.put(key, row);
        }
        self.books.head_mut().continued_to = Some(started.run_id);
        self.books.after(After::Begin(key, Box::new(Message::Begin { started, stored })));
        Ok(())
    }
}

/// The head of a run that begins with these messages in its mailbox.
pub(crate) fn first_head(boot: u64, messages: &[MailboxEntry]) -> StoredHead {
    let arrivals = messages.len() as u64;
    let head = Head {
        status: RunStatus::Running,
        records: 0,
        next_arrival: arrivals + 1,
        arrivals,
        journal_entries: 0,
        journal_bytes: 0,
        closed_at: None,
        parked: None,
        continued_to: None,
        // A request that the run before has taken was meant for that one alone.
        cancel_requested: messages.iter().any(|entry| matches!(entry.item, Item::CancelRequest { .. })),
        messages: arrivals,
        message_bytes: messages.iter().filter_map(|entry| message_size(&entry.item)).sum(),
    };
    StoredHead { version: HeadVersion { version: 1, fence: boot }, head }
}

/// The rows of a run that begins.
pub(crate) fn first_rows(key: &RunKey, started: &Started, stored: &StoredHead) -> [(Key, bytes::Bytes); 6] {
    let row = codec::encode(&VisibilityRow {
        workflow_id: started.workflow_id.clone(),
        workflow: started.workflow.clone(),
        status: RunStatus::Running,
        started_at: started.at,
        closed_at: None,
    });
    [
        (key.started(), codec::encode(started)),
        (key.head(), stored.encode()),
        (Key::current_run(&key.namespace, &started.workflow_id), codec::encode(&CurrentRun { run: key.run })),
        (key.visibility(None, started.at), row.clone()),
        (key.visibility(Some(RunStatus::Running), started.at), row),
        (key.ready(), bytes::Bytes::new()),
    ]
}
