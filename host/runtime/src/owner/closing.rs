//! The end of a run: by its own word, by the host, or by someone outside.

use std::sync::Arc;

use refrain_engine::call::{Completion, NextRun};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, Outcome};
use refrain_engine::journal::{Code, FailedByHost, Record, Started, Terminated};
use refrain_engine::lifecycle::{Lifecycle, RUN_ITSELF, Timeout};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::planted;
use refrain_engine::run::Run;
use refrain_store::Change;
use refrain_store::schema::{RunKey, RunStatus};

use super::books::After;
use super::{Gone, Owner, Reply};
use crate::inspect::{canceled, terminated};
use crate::new_run::{NewRun, deadlines};
use crate::rows;

/// Why a run ended whose place a new start took.
const REPLACED: &str = "a new start of the same id took its place (id_conflict_policy terminate-existing)";

impl Owner<'_> {
    /// The run ended by its own word. Its last step is drafted.
    pub(super) async fn complete(&mut self, completion: Completion, run: &Run) -> Result<(), Gone> {
        let status = match completion {
            Completion::Completed(result) => {
                self.tell_parent(RunStatus::Completed, Outcome::Completed(result));
                RunStatus::Completed
            }
            Completion::Failed(failure) => {
                self.try_again(&failure, run.undelivered().cloned().collect())?;
                self.tell_parent(RunStatus::Failed, Outcome::Failed(failure));
                RunStatus::Failed
            }
            Completion::Canceled(details) => {
                self.tell_parent(RunStatus::Canceled, Outcome::Failed(canceled(details)));
                RunStatus::Canceled
            }
            Completion::ContinueAsNew(next) => {
                // What the guest has had and not used came before all that it was not given.
                let at = self.shared.now();
                let unread = next.unread.iter().cloned().map(|(name, input)| MailboxEntry {
                    number: 0,
                    at,
                    item: Item::Signal { name, input },
                });
                let undelivered = unread.chain(run.undelivered().cloned()).collect();
                self.continue_as_new(next, undelivered)?;
                RunStatus::ContinuedAsNew
            }
        };
        self.close(status).await
    }

    /// The host ends the run.
    pub(super) async fn fail(&mut self, failure: Failure) -> Result<(), Gone> {
        self.end(RunStatus::Failed, failure, Record::Failed).await
    }

    /// A timeout ends the run.
    pub(super) async fn time_out(&mut self, timeout: Timeout) -> Result<(), Gone> {
        let failure = self.started.lifecycle.timed_out(timeout);
        self.end(RunStatus::TimedOut, failure, Record::TimedOut).await
    }

    async fn end(
        &mut self,
        status: RunStatus,
        failure: Failure,
        record: fn(FailedByHost) -> Record,
    ) -> Result<(), Gone> {
        if self.started.lifecycle.retry.is_some() {
            // What a guest was given in a step that is not recorded counts as not delivered. All of it is
            // durable, and read from there.
            self.flush().await?;
            let undelivered = rows::read_mailbox(&*self.shared.store, self.key)?;
            self.try_again(&failure, undelivered)?;
        }
        self.tell_parent(status, Outcome::Failed(failure.clone()));
        let time = self.shared.now();
        self.append(&record(FailedByHost { time, boot: self.shared.boot, failure }));
        self.close(status).await
    }

    /// Someone ends the run.
    pub(super) async fn terminate(&mut self, reason: String, reply: Reply) -> Result<(), Gone> {
        self.books.reply(reply, Ok(()));
        self.end_from_outside(reason).await
    }

    /// A start takes the run's place: the one ends and the other begins in the same batch.
    pub(super) async fn replace(
        &mut self,
        next: Box<NewRun>,
        changes: Vec<Change>,
        reply: Reply,
    ) -> Result<(), Gone> {
        self.draft_run(next);
        self.books.extend(changes);
        self.books.reply(reply, Ok(()));
        self.end_from_outside(REPLACED.to_owned()).await
    }

    /// The host ends the run as canceled.
    pub(super) async fn cancel_from_outside(&mut self, reason: String) -> Result<(), Gone> {
        self.tell_parent(RunStatus::Canceled, Outcome::Failed(canceled(None)));
        let time = self.shared.now();
        self.append(&Record::Canceled(Terminated { time, boot: self.shared.boot, reason }));
        self.close(RunStatus::Canceled).await
    }

    pub(super) async fn end_from_outside(&mut self, reason: String) -> Result<(), Gone> {
        self.tell_parent(RunStatus::Terminated, Outcome::Failed(terminated(reason.clone())));
        let time = self.shared.now();
        self.append(&Record::Terminated(Terminated { time, boot: self.shared.boot, reason }));
        self.close(RunStatus::Terminated).await
    }

    pub(super) fn append(&mut self, record: &Record) {
        let head = self.books.head_mut();
        let number = head.records;
        head.records += 1;
        self.books.put(self.key.record(number), codec::encode(record));
    }

    /// Commits the end: nothing of the run is left but its journal and the signals that it has not taken, and who still
    /// had something to say is told.
    async fn close(&mut self, status: RunStatus) -> Result<(), Gone> {
        self.know_rows()?;
        self.drop_instance();
        self.dirty = false;
        self.set_status(status, Some(self.shared.now()));
        for (entry, _, reply) in self.books.take_fresh_messages() {
            self.forget_update(&entry);
            if let (Some(reply), Some(error)) = (reply, self.closed()) {
                self.books.reply(reply, Err(error));
            }
        }
        self.books.drop_fresh();
        self.end_updates(status);
        for (op, deadline) in self.books.take_timers() {
            if !planted!("keep-timer-rows") {
                self.books.delete(self.key.timer(deadline, op));
            }
            self.books.after(After::TimerRemoved(deadline, op));
        }
        // A reset or a fork gets the signals that nobody has taken: they were acknowledged, and the execution may go on.
        // Where a next run of the chain has them, they are not to come twice.
        let head = self.books.head();
        let keeps_signals = head.continued_to.is_none() || head.reset_to.is_some();
        for number in self.books.take_mailbox(keeps_signals) {
            self.books.delete(self.key.arrival(number));
        }
        for deadline in deadlines(&self.started, self.books.head()) {
            self.books.delete(self.key.timer(deadline, RUN_ITSELF));
            self.books.after(After::TimerRemoved(deadline, RUN_ITSELF));
        }
        self.close_activities()?;
        self.close_children(status)?;
        self.books.delete(self.key.pinned(&self.code()));
        let head = self.books.head_mut();
        (head.delayed_until, head.cancel_due, head.parked, head.paused) = (None, None, None, None);
        self.flush().await
    }

    /// Drafts the run that follows by the guest's own word.
    fn continue_as_new(&mut self, next: NextRun, undelivered: Vec<MailboxEntry>) -> Result<(), Gone> {
        let old = Arc::clone(&self.started);
        let workflow = next.workflow.unwrap_or_else(|| old.workflow.clone());
        let newest = next
            .newest_version
            .then(|| self.shared.components.current(&self.key.namespace, &self.code().component))
            .flatten()
            .filter(|version| version.defines(&workflow));
        let Code { component, version, digest } = match newest {
            Some(newest) => {
                Code { component: newest.name.clone(), version: newest.version, digest: newest.digest }
            }
            None => self.code(),
        };
        let lifecycle = Lifecycle {
            run_timeout: next.run_timeout.or(old.lifecycle.run_timeout),
            begins_at: None,
            last_failure: None,
            ..old.lifecycle.clone()
        };
        let started = Started {
            workflow,
            input: next.input,
            component,
            version,
            digest,
            profile: refrain_engine::limits::CURRENT.number,
            attempt: 1,
            lifecycle,
            ..(*old).clone()
        };
        self.continue_with(started, undelivered)
    }

    /// Drafts another attempt, if the run's retry policy allows one. It has the same code and the same input,
    /// and gets the messages that were not delivered.
    fn try_again(&mut self, failure: &Failure, undelivered: Vec<MailboxEntry>) -> Result<(), Gone> {
        let old = Arc::clone(&self.started);
        let now = self.shared.now();
        let Some(begins_at) = old.lifecycle.next_attempt(old.attempt, old.at, failure, now) else {
            return Ok(());
        };
        let lifecycle = Lifecycle {
            begins_at: Some(begins_at),
            last_failure: Some(failure.clone()),
            ..old.lifecycle.clone()
        };
        let Code { component, version, digest } = self.code();
        let attempt = old.attempt.saturating_add(1);
        let started = Started { component, version, digest, attempt, lifecycle, ..(*old).clone() };
        self.continue_with(started, undelivered)
    }

    /// Drafts the next run of the chain. Messages that were not delivered go with it.
    fn continue_with(&mut self, started: Started, undelivered: Vec<MailboxEntry>) -> Result<(), Gone> {
        self.know_rows()?;
        let started = Arc::new(Started {
            run_id: self.shared.new_run_id(&self.started.seed).map_err(Gone::Store)?,
            continued_run_id: Some(self.started.run_id),
            at: self.shared.now(),
            seed: self.shared.options.entropy.draw(&self.started.seed).map_err(Gone::Store)?,
            boot: self.shared.boot,
            // It makes all its steps itself.
            forks: Vec::new(),
            ..started
        });
        let messages: Vec<MailboxEntry> =
            undelivered.into_iter().filter(|entry| entry.item.op().is_none()).collect();
        let messages = if planted!("continue-without-signals") { Vec::new() } else { messages };
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
        let next = RunKey::new(self.key.namespace.clone(), started.run_id);
        messages.iter().for_each(|message| self.move_update(message, &next));
        self.books.head_mut().continued_to = Some(started.run_id);
        self.draft_run(Box::new(NewRun::new(self.shared.boot, started, messages)));
        Ok(())
    }

    /// Drafts a run, which begins once this batch is durable.
    pub(super) fn draft_run(&mut self, run: Box<NewRun>) {
        self.books.require(run.requires());
        self.books.extend(run.changes());
        self.books.after(After::Begin(run));
    }
}
