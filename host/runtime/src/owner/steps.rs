//! Loading, executing, closing steps.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::task::Poll;
use std::time::Duration;

use futures::{FutureExt, poll};
use refrain_engine::definition::OnTrap;
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::guest::{Guest, OpenError, Stop, Trap};
use refrain_engine::ids::Op;
use refrain_engine::journal::Code;
use refrain_engine::limits::Profile;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::run::{ClosedStep, Effect, Run};
use refrain_store::schema::{Parked, StoredMismatch};
use tracing::Instrument;

use super::books::{After, delete};
use super::children::outlives_its_run;
use super::{Gone, Instance, Owner};
use crate::executor::panic_message;
use crate::rows;

/// A step that has not reached a wait by then gets what it was given committed alone, so that no outcome
/// waits for a slow guest and no client for its answer.
const EARLY_COMMIT: Duration = Duration::from_millis(5);

/// The pause before a step that could not be executed is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest of those pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often in a row a step may run out of its budget: once can be the machine's fault.
const BUDGET_TRIES: u32 = 2;

/// How often in a row a closing step is thrown away for messages that came in while it executed. After that
/// senders wait until the step has ended, and are told so if the run has.
const CLOSING_TRIES: u32 = 3;

/// How an execution came to its end.
pub(super) enum Executed {
    Stopped(Instance, Stop),
    /// Someone ended the run meanwhile.
    Terminated,
    /// The host panicked while it executed the guest, which is gone with its run in memory.
    Panicked(String),
}

impl Executed {
    fn ended(guest: Box<dyn Guest>, ended: Result<(Box<Run>, Stop), Box<dyn Any + Send>>) -> Self {
        match ended {
            Ok((run, stop)) => Self::Stopped(Instance { guest, run }, stop),
            Err(panic) => Self::Panicked(panic_message(&*panic).to_owned()),
        }
    }
}

impl Owner<'_> {
    /// Lets the run take one step, if there is one to take.
    pub(super) async fn advance(&mut self) -> Result<(), Gone> {
        let instance = match self.instance.take() {
            Some(instance) => Some(instance),
            None => self.load().await?,
        };
        let Some(mut instance) = instance else { return Ok(()) };
        if !self.may_step() {
            // It was paused while it was loaded, which was no step.
            self.instance = Some(instance).filter(|_| !self.books.head().status.is_closed());
            return Ok(());
        }
        self.active_at = self.shared.now();
        self.advanced = true;
        self.shared.residents.leaves(self.key);
        self.push_arrivals(&mut instance.run);
        if instance.run.waiting().is_some() {
            if !instance.run.can_resume() {
                self.mind_cancel_request(&instance.run);
                self.dirty = false;
                self.instance = Some(instance);
                return Ok(());
            }
            instance.run.resume(self.shared.now());
        }
        let step = instance.run.step();
        let span = tracing::debug_span!("step", step, workflow_id = %self.started.workflow_id);
        self.holds_back = self.redone >= CLOSING_TRIES;
        match self.execute(instance).instrument(span).await? {
            Executed::Stopped(instance, stop) => self.stopped(instance, stop).await?,
            Executed::Terminated => {}
            Executed::Panicked(message) => self.panicked(&message).await?,
        }
        self.holds_back = false;
        for message in std::mem::take(&mut self.held) {
            self.handle(message).await?;
        }
        Ok(())
    }

    /// Waits a little for the local activities of a step that has ended, so that what they answer is recorded with
    /// it. Answers whether something has come in.
    pub(super) async fn wait_for_local_activities(&mut self) -> Result<bool, Gone> {
        let Some(until) = self.activities.local_until() else { return Ok(false) };
        if until <= self.shared.now() || self.books.is_heavy() || self.shared.is_shutting_down() {
            return Ok(false);
        }
        let wake_at = self.activities.next_deadline().map_or(until, |due| due.min(until));
        tokio::select! {
            biased;
            Some(message) = self.inbox.recv() => self.handle(message).await?,
            () = self.shared.clock.sleep_until(wake_at) => self.activities_due().await?,
        }
        Ok(true)
    }

    /// Gives the run what it has not been given. What nobody wants is gone with the next commit.
    fn push_arrivals(&mut self, run: &mut Run) {
        let arrivals = self.books.take_unpushed();
        self.push(run, arrivals);
    }

    pub(super) fn push(&mut self, run: &mut Run, arrivals: Vec<MailboxEntry>) {
        for entry in arrivals {
            let number = entry.number;
            if !run.push(entry) {
                self.books.consume(self.key.arrival(number), number);
            }
        }
    }

    /// Opens a guest and brings it to where the journal ends. `None` when that cannot be done now.
    async fn load(&mut self) -> Result<Option<Instance>, Gone> {
        // Nobody who waits for an answer waits for a replay. What has arrived so far is read with the mailbox,
        // what arrives from here on is pushed after it.
        self.flush().await?;
        drop(self.books.take_unpushed());
        let Some(profile) = Profile::get(self.started.profile) else {
            let message = format!(
                "determinism profile {} is not of this host: use a newer refrain",
                self.started.profile
            );
            self.park(Parked { kind: "component".to_owned(), message, ..self.parked() });
            return Ok(None);
        };
        let code = self.code().digest;
        let guest = match self.shared.guests.open(code, profile).await {
            Ok(guest) => guest,
            Err(error @ (OpenError::Unknown(_) | OpenError::Unusable { .. })) => {
                let message = error.to_string();
                self.park(Parked { kind: "component".to_owned(), message, ..self.parked() });
                return Ok(None);
            }
            Err(error @ OpenError::Unavailable(_)) => {
                self.try_again_later(&error.to_string());
                return Ok(None);
            }
        };
        // Taken only now: who waits for code to be compiled keeps nobody else from loading.
        let Ok(_permit) = self.shared.loading.clone().acquire_owned().await else { return Ok(None) };
        let store = &*self.shared.store;
        let (journal, mailbox) = (rows::read_journal(store, self.key)?, rows::read_mailbox(store, self.key)?);
        let learned = self.learn_rows(&journal, &mailbox);
        let run =
            match learned.and_then(|()| Run::replay(self.started.clone(), journal, code, self.shared.boot)) {
                Ok(run) => Box::new(run),
                Err(error) => {
                    let message = format!("{error}: restore the data directory from a backup");
                    self.park(Parked { kind: "journal".to_owned(), message, ..self.parked() });
                    return Ok(None);
                }
            };
        // A run that was moved before its first step has a record, and nothing to replay.
        let replays = run.is_replaying();
        let mut instance = Instance { guest, run };
        if self.started.lifecycle.begins_at.is_some() {
            instance.run.begin_at(self.shared.now());
        }
        if replays {
            let span = tracing::debug_span!("replay", workflow_id = %self.started.workflow_id);
            match self.execute(instance).instrument(span).await? {
                Executed::Stopped(reached, Stop::Wait) => instance = reached,
                Executed::Stopped(reached, stop) => {
                    self.stopped(reached, stop).await?;
                    return Ok(None);
                }
                Executed::Terminated => return Ok(None),
                Executed::Panicked(message) => {
                    self.panicked(&message).await?;
                    return Ok(None);
                }
            }
        }
        self.push(&mut instance.run, mailbox);
        Ok(Some(instance))
    }

    /// Drives the guest until it stops, and meanwhile takes messages in.
    pub(super) async fn execute(&mut self, instance: Instance) -> Result<Executed, Gone> {
        let Instance { mut guest, run } = instance;
        // A panic of the host's functions ends here, so that what the owner knows outlives it.
        let running = AssertUnwindSafe(async { guest.run(run).await }).catch_unwind();
        let mut executing = Box::pin(running);
        // Most steps end at once, and need neither a clock nor the inbox.
        if let Poll::Ready(ended) = poll!(&mut executing) {
            drop(executing);
            return Ok(Executed::ended(guest, ended));
        }
        let mut early = self.shared.clock.sleep_until(self.shared.now().after(EARLY_COMMIT)).fuse();
        let mut is_slow = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut executing => {
                    drop(executing);
                    return Ok(Executed::ended(guest, ended));
                }
                () = &mut early => {
                    is_slow = true;
                    self.permits.clear();
                    self.flush().await?;
                }
                Some(message) = self.inbox.recv() => {
                    self.handle(message).await?;
                    if self.books.head().status.is_closed() {
                        return Ok(Executed::Terminated);
                    }
                    if is_slow {
                        self.permits.clear();
                        self.flush().await?;
                    }
                }
            }
        }
    }

    async fn stopped(&mut self, mut instance: Instance, stop: Stop) -> Result<(), Gone> {
        match stop {
            Stop::Wait => {
                (self.retries, self.overruns) = (0, 0);
                self.push_arrivals(&mut instance.run);
                self.mind_cancel_request(&instance.run);
                if let Some(step) = instance.run.close_step() {
                    self.redone = 0;
                    self.close_step(step)?;
                    let waits = self.activities.local_until().is_some_and(|until| until > self.shared.now());
                    if !waits || self.books.is_heavy() {
                        self.flush().await?;
                    }
                    self.push_arrivals(&mut instance.run);
                }
                self.instance = Some(instance);
                Ok(())
            }
            Stop::Finished => self.finished(instance).await,
            Stop::Trap(trap) => self.trapped(trap).await,
            Stop::Mismatch(mismatch) => {
                let parked = Parked {
                    kind: "mismatch".to_owned(),
                    message: mismatch.to_string(),
                    backtrace: mismatch.backtrace.clone(),
                    mismatch: Some(StoredMismatch::from(&*mismatch)),
                    ..self.parked()
                };
                self.park(parked);
                self.flush().await
            }
            Stop::Limit(excess) => {
                self.park(Parked { kind: "limit".to_owned(), message: excess.to_string(), ..self.parked() });
                self.flush().await
            }
            Stop::Budget if self.overruns + 1 < BUDGET_TRIES => {
                self.overruns += 1;
                self.try_again_later("the step ran longer than its budget");
                self.flush().await
            }
            Stop::Budget => {
                let message = "the step ran longer than its budget, twice: it may loop for ever; \
                               wait between parts of long work, or do it in an activity"
                    .to_owned();
                self.park(Parked { kind: "budget".to_owned(), message, ..self.parked() });
                self.flush().await
            }
            Stop::Unavailable(reason) => {
                self.try_again_later(&reason);
                self.flush().await
            }
            Stop::Answered(_) | Stop::Reached(_) => {
                unreachable!("a run that is asked something or looked at is never an owner's")
            }
        }
    }

    fn try_again_later(&mut self, reason: &str) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.retries.min(16)).min(LONGEST_PAUSE);
        tracing::warn!(workflow_id = %self.started.workflow_id, reason, ?pause, "the step will be tried again");
        self.retries += 1;
        self.retry_at = Some(self.shared.now().after(pause));
        self.dirty = true;
    }

    async fn panicked(&mut self, message: &str) -> Result<(), Gone> {
        tracing::error!(message, "the host panicked over this run");
        self.park_for_panic(message);
        self.flush().await
    }

    async fn trapped(&mut self, trap: Trap) -> Result<(), Gone> {
        let started = &self.started;
        let Code { component, digest, .. } = self.code();
        let on_trap =
            self.shared.components.on_trap(&self.key.namespace, &component, digest, &started.workflow);
        if on_trap == OnTrap::Fail && !trap.stack_overflow {
            let failure = Failure {
                stack: trap.backtrace.join("\n"),
                ..Failure::new(FailureKind::Host, "trap", format!("the workflow's code trapped: {trap}"))
            };
            return self.fail(failure).await;
        }
        let parked = Parked {
            kind: "trap".to_owned(),
            message: trap.message,
            backtrace: trap.backtrace,
            ..self.parked()
        };
        self.park(parked);
        self.flush().await
    }

    async fn finished(&mut self, mut instance: Instance) -> Result<(), Gone> {
        self.take_messages().await?;
        if self.books.head().status.is_closed() {
            return Ok(());
        }
        let late = instance.run.is_listening() && self.books.has_unpushed_message();
        if late && self.redone < CLOSING_TRIES {
            // The message is durable first; then the last wait is entered again, and takes it.
            self.redone += 1;
            self.dirty = true;
            return self.flush().await;
        }
        let Some(step) = instance.run.close_step() else { return Ok(()) };
        let completion = step.completion.clone();
        self.close_step(step)?;
        // What came in meanwhile goes to the next run, if one follows.
        self.push_arrivals(&mut instance.run);
        match completion {
            Some(completion) => self.complete(completion, &instance.run).await,
            None => unreachable!("a run that finished has a completion"),
        }
    }

    /// Drafts the batch of a step: its record, what it took from the mailbox, and what it implies.
    fn close_step(&mut self, step: ClosedStep) -> Result<(), Gone> {
        let head = self.books.head_mut();
        let number = head.records;
        head.records += 1;
        head.journal_entries = step.size.entries;
        head.journal_bytes = step.size.bytes;
        self.books.put(self.key.record(number), step.record);
        for number in step.consumed {
            self.books.consume(self.key.arrival(number), number);
        }
        let closes = step.completion.is_some();
        for effect in step.effects {
            // What its last step began for the run alone would end with the same batch.
            if !closes || outlives_its_run(&effect) {
                self.imply(effect, step.time)?;
            }
        }
        Ok(())
    }

    fn imply(&mut self, effect: Effect, time: refrain_engine::time::Timestamp) -> Result<(), Gone> {
        match effect {
            Effect::StartActivity { op, command } => self.start_activity(op, command, time),
            Effect::StartTimer { op, deadline, summary } => {
                let row = refrain_engine::codec::encode(&refrain_store::schema::TimerRow { summary });
                self.books.put(self.key.timer(deadline, op), row);
                self.books.add_timer(op, deadline);
                self.books.after(After::TimerStarted(deadline, op));
            }
            Effect::CancelTimer { op, reason } => {
                let changes = self.cancel_timer(op);
                self.arrive(Item::Canceled { op, reason }, changes, None);
            }
            Effect::CancelActivity { op, reason } => self.cancel_activity(op, reason),
            Effect::StartChild { started: _, finished, command } => self.start_child(finished, *command)?,
            Effect::CancelChild { op, reason } => self.cancel_child(op, reason)?,
            Effect::Signal { op, target, name, input } => self.send_signal(op, target, name, input),
            Effect::RequestCancel { op, target, reason } => self.send_cancel(op, target, &reason),
            Effect::Update { update_id, stage } => self.update_came_to(&update_id, stage),
            Effect::Detach { op } => {
                let changes = self.cancel_timer(op);
                self.books.extend(changes);
                self.detach_activity(op);
                self.detach_child(op)?;
            }
        }
        Ok(())
    }

    fn cancel_timer(&mut self, op: Op) -> Vec<refrain_store::Change> {
        let Some(deadline) = self.books.remove_timer(op) else { return Vec::new() };
        self.books.after(After::TimerRemoved(deadline, op));
        vec![delete(self.key.timer(deadline, op))]
    }
}
