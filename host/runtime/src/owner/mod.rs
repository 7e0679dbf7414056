//! The task that owns one run, and orders all that reaches it.
//!
//! An owner exists while there is something to do for its run, or while the run's instance waits in memory.
//! It takes messages, turns them into arrivals in the run's mailbox, lets the guest execute, and makes each
//! step durable as one batch together with what the step implies. Only what is durable is acted upon.
//!
//! * [`messages`](self): what may reach a run, and what follows from it
//! * [`books`]: what the owner knows of its run's rows, and the batch that it is about to commit
//! * [`steps`]: loading, executing, closing steps
//! * [`closing`]: the end of a run
//! * [`canceling`]: the end of a run that was asked to cancel itself and cannot hear it
//! * [`moving`]: other code for a run
//! * [`resetting`]: the end of a run that goes on as another one, from an earlier step
//! * [`activities`]: activities that have not closed
//! * [`children`]: children, and what the run wants from other executions
//! * [`reports`]: what others say about them
//! * [`updates`]: updates, and how far each has come

mod activities;
mod books;
mod canceling;
mod children;
mod closing;
mod messages;
mod moving;
mod reports;
mod resetting;
mod steps;
mod updates;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use refrain_engine::codec;
use refrain_engine::guest::Guest;
use refrain_engine::journal::{Code, Started};
use refrain_engine::lifecycle::RUN_ITSELF;
use refrain_engine::planted;
use refrain_engine::run::Run;
use refrain_engine::time::Timestamp;
use refrain_store::schema::{Head, HeadVersion, Parked, RunKey, RunStatus, StoredHead};
use refrain_store::{CommitError, StoreError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::Instrument;

use crate::delete;
use crate::error::Error;
use crate::executor::panic_message;
use crate::new_run::deadlines;
use crate::rows::{self, Unreadable};
use crate::shared::Shared;
use crate::stale;
use activities::Activities;
use books::Books;
pub(crate) use books::{delete, message_size, put};
pub(crate) use messages::{MAILBOX_BYTES, Message, Reply};
pub(crate) use moving::MoveRequest;
use updates::Updates;
pub(crate) use updates::update_row;

/// Messages that are taken together, so that what arrived at once is delivered at once.
const MESSAGES_AT_ONCE: usize = 1_000;

/// A run whose owner failed is looked at again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The kind of parking of a run over which the host panicked.
const HOST_PANIC: &str = "host-panic";

fn panicked(message: &str) -> String {
    format!("the host panicked: {message}; this is a bug of Refrain, please report it")
}

/// Why an owner cannot go on. Its run is untouched: the next message finds it as the store has it.
#[derive(Debug)]
enum Gone {
    /// The store refused a commit for good.
    Store(Error),
    /// The store cannot be read. What the owner was told is in no message any more, so the host exits, and its
    /// next boot does what the store says.
    Unreadable(StoreError),
    /// What the store has of the run is not what was written.
    Damaged(codec::DecodeError),
    /// Another owner has written the run.
    Overtaken,
}

impl From<CommitError> for Gone {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { .. } => Self::Overtaken,
            other => Self::Store(other.into()),
        }
    }
}

impl From<Unreadable> for Gone {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Store(error) => error.into(),
            Unreadable::Damaged(error) => error.into(),
        }
    }
}

impl From<StoreError> for Gone {
    fn from(error: StoreError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<codec::DecodeError> for Gone {
    fn from(error: codec::DecodeError) -> Self {
        Self::Damaged(error)
    }
}

/// Owns a run until nothing is left to do for it.
pub(crate) async fn own(shared: Arc<Shared>, key: RunKey, mut inbox: mpsc::UnboundedReceiver<Message>) {
    let span = tracing::info_span!("run", run_id = %key.run, namespace = %key.namespace);
    let owned =
        AssertUnwindSafe(open_and_run(&shared, &key, &mut inbox)).catch_unwind().instrument(span.clone());
    match owned.await {
        Ok(Ok(())) => {}
        Ok(Err(gone)) => {
            span.in_scope(|| tracing::warn!(reason = ?gone, "the run's owner lets go"));
            match &gone {
                Gone::Store(Error::Poisoned(reason)) => shared.fail(reason),
                Gone::Store(error @ Error::TooLarge { .. }) => {
                    let message =
                        format!("{error}: pass large values by reference, in a file or an object store");
                    park(&shared, &key, "limit", &message).instrument(span.clone()).await;
                }
                Gone::Unreadable(error) => shared.fail(&error.to_string()),
                Gone::Damaged(error) => {
                    let message = format!("{error}: restore the data directory from a backup");
                    park(&shared, &key, "journal", &message).instrument(span.clone()).await;
                }
                Gone::Store(_) | Gone::Overtaken => {}
            }
            // What is damaged stays so until someone looks at it.
            leave_failed(&shared, &key, inbox, !matches!(gone, Gone::Damaged(_)));
        }
        Err(panic) => {
            let message = panic_message(&*panic).to_owned();
            span.in_scope(|| tracing::error!(message, "the host panicked over this run"));
            park(&shared, &key, HOST_PANIC, &panicked(&message)).instrument(span).await;
            leave_failed(&shared, &key, inbox, true);
        }
    }
}

/// Ends an owner that failed. What it has not taken in goes to the next one; each takes at least one message,
/// so that this comes to an end. A store that has failed has no next one.
fn leave_failed(
    shared: &Arc<Shared>,
    key: &RunKey,
    mut inbox: mpsc::UnboundedReceiver<Message>,
    looks_again: bool,
) {
    shared.residents.leaves(key);
    if looks_again {
        // What its activities wait for must not be forgotten with it.
        shared.alarms.set(key, Some(shared.now().after(LOOK_AGAIN)));
    }
    shared.registry.remove(key);
    inbox.close();
    while let Ok(message) = inbox.try_recv() {
        match shared.failure().borrow().clone() {
            Some(reason) => message.refuse(Error::Poisoned(reason)),
            None => shared.registry.send(shared, key, message),
        }
    }
}

async fn open_and_run(
    shared: &Arc<Shared>,
    key: &RunKey,
    inbox: &mut mpsc::UnboundedReceiver<Message>,
) -> Result<(), Gone> {
    loop {
        let Some(first) = inbox.recv().await else { return Ok(()) };
        shared.alarms.set(key, None);
        let opened = match first {
            // Who found the new run in the store may have been here before, and have gone again.
            Message::Begin { started, stored } => {
                let stored = rows::find_head(&*shared.store, key)?.unwrap_or(*stored);
                Some((started, stored, None))
            }
            other => match read(shared, key)? {
                Some((started, stored)) if !stored.head.deleting => {
                    // One that fires is not put in again.
                    if !matches!(other, Message::TimerFired { op: RUN_ITSELF, .. }) {
                        arm(shared, key, &started, &stored.head);
                    }
                    Some((started, stored, Some(other)))
                }
                // Or something outlived its run: a timer's row, or a client's task token.
                deleting => {
                    refuse_for_good(key, other);
                    // Unless it is a copy that somebody makes.
                    if let Some((started, _)) = deleting.filter(|_| !shared.copies.contains(key)) {
                        delete::finish(shared, key, &started).await.map_err(Gone::Store)?;
                    }
                    None
                }
            },
        };
        let Some((started, stored, first)) = opened else {
            if shared.registry.leave(key, inbox) {
                return Ok(());
            }
            continue;
        };
        return Owner::new(shared, key, started, stored, inbox).run(first).await;
    }
}

/// Tells who addresses a run that is not there any more. A worker hears that nobody waits for what it does.
fn refuse_for_good(key: &RunKey, message: Message) {
    let error = match &message {
        Message::Report { op, .. } => stale::no_run(key, *op),
        _ => Error::NotFound { what: "run", id: key.run.to_string() },
    };
    message.refuse(error);
}

/// The deadlines of a run are in place: an owner that failed may have taken firings in that it did not commit.
fn arm(shared: &Shared, key: &RunKey, started: &Started, head: &Head) {
    if !head.status.is_closed() {
        deadlines(started, head).into_iter().for_each(|at| shared.timer_started(key, at, RUN_ITSELF));
    }
}

fn read(shared: &Shared, key: &RunKey) -> Result<Option<(Arc<Started>, StoredHead)>, Gone> {
    Ok(rows::find(&*shared.store, key)?.map(|(started, stored)| (Arc::new(started), stored)))
}

/// Parks the run of an owner that failed, as the store has it, so that it does not fail again and again.
async fn park(shared: &Arc<Shared>, key: &RunKey, kind: &str, message: &str) {
    if let Err(error) = park_as_stored(shared, key, kind, message).await {
        tracing::error!(?error, "the run could not be parked");
        if let Gone::Unreadable(error) = error {
            shared.fail(&error.to_string());
        }
    }
}

async fn park_as_stored(shared: &Arc<Shared>, key: &RunKey, kind: &str, message: &str) -> Result<(), Gone> {
    let Some((started, stored)) = read(shared, key)? else { return Ok(()) };
    let (_, mut nobody) = mpsc::unbounded_channel();
    let mut owner = Owner::new(shared, key, started, stored, &mut nobody);
    // One that is paused is parked too: both are to be lifted.
    if !matches!(owner.books.head().status, RunStatus::Running | RunStatus::Paused) {
        return Ok(());
    }
    owner.park(Parked { kind: kind.to_owned(), message: message.to_owned(), ..owner.parked() });
    owner.flush().await
}

/// One run in the hands of its task.
struct Owner<'a> {
    shared: &'a Arc<Shared>,
    key: &'a RunKey,
    started: Arc<Started>,
    inbox: &'a mut mpsc::UnboundedReceiver<Message>,
    books: Books,
    activities: Activities,
    updates: Updates,
    /// The guest that waits, with the run it will go on with.
    instance: Option<Instance>,
    /// There may be something to deliver, or the first step is to be made.
    dirty: bool,
    /// The machine could not execute the guest, or a step ran too long: not before this time.
    retry_at: Option<Timestamp>,
    /// How often in a row that has happened.
    retries: u32,
    /// How often in a row a step ran longer than its budget.
    overruns: u32,
    /// How often in a row the closing step was thrown away for a message that came in while it executed.
    redone: u32,
    /// Senders wait until the step has ended.
    holds_back: bool,
    /// Messages of senders that wait.
    held: Vec<Message>,
    /// Moves that wait until the step has ended.
    moves: VecDeque<MoveRequest>,
    /// What bounds the runs that a boot or a timer wakes at once; given back when this one has looked around.
    permits: Vec<OwnedSemaphorePermit>,
    /// A boot waits until the activities are in their places.
    placing: Option<OwnedSemaphorePermit>,
    /// When there was something to do last.
    active_at: Timestamp,
    /// The guest has executed since its instance was counted among those that wait.
    advanced: bool,
}

struct Instance {
    guest: Box<dyn Guest>,
    run: Box<Run>,
}

impl<'a> Owner<'a> {
    fn new(
        shared: &'a Arc<Shared>,
        key: &'a RunKey,
        started: Arc<Started>,
        stored: StoredHead,
        inbox: &'a mut mpsc::UnboundedReceiver<Message>,
    ) -> Self {
        let dirty = stored.head.has_work();
        let StoredHead { version: HeadVersion { version, .. }, .. } = stored;
        let fresh = version == 1 && stored.head.records == 0;
        Self {
            shared,
            key,
            started,
            inbox,
            books: Books::new(stored, fresh),
            activities: Activities::default(),
            updates: Updates::default(),
            instance: None,
            dirty,
            retry_at: None,
            retries: 0,
            overruns: 0,
            redone: 0,
            holds_back: false,
            held: Vec::new(),
            moves: VecDeque::new(),
            permits: Vec::new(),
            placing: None,
            active_at: shared.now(),
            advanced: false,
        }
    }

    async fn run(mut self, first: Option<Message>) -> Result<(), Gone> {
        // A run that is ended needs none of them, and can be ended whatever they are.
        if !matches!(first, Some(Message::Terminate { .. })) {
            self.restore_activities().await?;
        }
        if let Some(first) = first {
            self.handle(first).await?;
        }
        loop {
            self.take_messages().await?;
            self.work().await?;
            if self.shared.is_shutting_down() {
                self.stop_activities();
                self.flush().await?;
            }
            let idle_at = self.active_at.after(self.shared.options.idle_timeout);
            let idle = self.shared.now() >= idle_at;
            if idle {
                self.drop_instance();
            }
            // Attempts that run elsewhere, and tasks that wait, need no owner.
            let lingers = self.activities.run_in_process() || !self.activities.is_empty() && !idle;
            let asleep = self.instance.is_none() && !lingers && self.retry_at.is_none();
            if asleep || self.shared.is_shutting_down() && self.activities.is_empty() {
                self.keep_heartbeats();
                self.flush().await?;
                self.set_alarm();
                if self.shared.registry.leave(self.key, self.inbox) {
                    return Ok(());
                }
            }
            let wake_at = self.activities.next_deadline().into_iter().chain(self.retry_at).min();
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(message) => {
                        // Heartbeats are no reason to stay.
                        if !matches!(message, Message::Beat { .. }) {
                            self.active_at = self.shared.now();
                        }
                        self.handle(message).await?;
                    }
                    None => return Ok(()),
                },
                () = self.shared.clock.sleep_until(wake_at.unwrap_or(idle_at)), if wake_at.is_some() => {
                    self.activities_due().await?;
                    self.retry_at = self.retry_at.filter(|at| *at > self.shared.now());
                }
                () = self.shared.clock.sleep_until(idle_at), if !idle && (self.instance.is_some() || lingers) => {}
            }
        }
    }

    /// Takes what has come in meanwhile.
    async fn take_messages(&mut self) -> Result<(), Gone> {
        for _ in 0..MESSAGES_AT_ONCE {
            let Ok(message) = self.inbox.try_recv() else { break };
            self.handle(message).await?;
        }
        Ok(())
    }

    /// Executes while there is something to deliver, and makes durable what is not.
    async fn work(&mut self) -> Result<(), Gone> {
        loop {
            self.make_moves().await?;
            while self.dirty && self.retry_at.is_none() && self.may_step() && !self.shared.is_shutting_down()
            {
                self.advance().await?;
                self.take_messages().await?;
                self.make_moves().await?;
            }
            if !self.wait_for_local_activities().await? {
                break;
            }
        }
        self.flush().await?;
        self.permits.clear();
        match &self.instance {
            // What only looked around has not used it.
            Some(instance) if std::mem::take(&mut self.advanced) => {
                let bytes = instance.guest.resident_bytes();
                for evicted in self.shared.residents.waits(self.key, bytes) {
                    self.shared.registry.send_if_present(&evicted, Message::Evict);
                }
            }
            Some(_) => {}
            None => self.shared.residents.leaves(self.key),
        }
        Ok(())
    }

    /// What executes the run.
    fn code(&self) -> Code {
        self.books.head().code.clone().unwrap_or_else(|| self.started.code())
    }

    /// Commits what there is, once it is as much as one batch should have.
    async fn flush_if_heavy(&mut self) -> Result<(), Gone> {
        if self.books.is_heavy() { self.flush().await } else { Ok(()) }
    }

    /// Whether the run is one that makes steps now: nobody has taken it out of execution, and no delay holds it.
    fn may_step(&self) -> bool {
        let head = self.books.head();
        head.status == RunStatus::Running && head.delayed_until.is_none()
    }

    fn drop_instance(&mut self) {
        self.instance = None;
        if planted!("lose-outcomes-on-eviction") {
            self.books.drop_fresh();
        }
        self.shared.residents.leaves(self.key);
    }

    /// A reason to park, to be filled in.
    fn parked(&self) -> Parked {
        Parked {
            kind: String::new(),
            message: String::new(),
            backtrace: Vec::new(),
            mismatch: None,
            at: self.shared.now(),
        }
    }

    /// Parks a run over which the host panicked, so that it does not do so again and again.
    fn park_for_panic(&mut self, message: &str) {
        self.park(Parked { kind: HOST_PANIC.to_owned(), message: panicked(message), ..self.parked() });
    }

    /// Takes the run out of execution until someone helps. Its journal stays as it is.
    fn park(&mut self, parked: Parked) {
        tracing::warn!(
            workflow_id = %self.started.workflow_id, kind = parked.kind, message = parked.message,
            "the run is parked"
        );
        self.instance = None;
        self.books.head_mut().parked = Some(parked);
        self.show_status();
    }

    /// Moves the run to the list that it belongs in, while it has not ended.
    fn show_status(&mut self) {
        let head = self.books.head();
        let status = match (&head.parked, &head.paused) {
            (Some(_), _) => RunStatus::Parked,
            (None, Some(_)) => RunStatus::Paused,
            (None, None) => RunStatus::Running,
        };
        self.set_status(status, None);
    }
}
