//! What may reach a run, and what follows from it.

use std::sync::Arc;

use refrain_engine::activity::Pause;
use refrain_engine::failure::{Failure, Outcome};
use refrain_engine::ids::{Op, RunId};
use refrain_engine::journal::Started;
use refrain_engine::lifecycle::RUN_ITSELF;
use refrain_engine::mailbox::Item;
use refrain_engine::planted;
use refrain_engine::time::Timestamp;
use refrain_store::schema::{Key, RunKey, StoredHead};
use refrain_store::{Change, Health};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::books::{After, delete, message_size, put};
use super::moving::MoveRequest;
use super::{Gone, Owner};
use crate::activity_types::{Control, Report};
use crate::attempts::Attempt;
use crate::error::Error;
use crate::executor::AttemptEnd;
use crate::new_run::NewRun;
use crate::queues::Assignment;
use crate::reset::Reset;
use crate::types::SendSignal;
use crate::updates::SendUpdate;

/// Bytes of the messages that may wait in a run's mailbox. They are read together when the run is loaded, come
/// with one wait, and move in one batch to the run that continues it: beside that step's record, the ends that
/// it took, and the rows of what it starts, they stay below the store's largest batch.
pub(crate) const MAILBOX_BYTES: u64 = 4 << 20;

/// Who waits for a message's effect being durable.
pub(crate) type Reply = oneshot::Sender<Result<(), Error>>;

/// What is sent to a run's owner.
pub(crate) enum Message {
    /// The run has just been started, durably. Only ever the first message.
    Begin { started: Arc<Started>, stored: Box<StoredHead> },
    /// Look whether there is something to do. The permit bounds how many look at once.
    Wake(OwnedSemaphorePermit),
    /// Put the activities that the last boot left where they belong. The permit says that they are not there yet.
    Place(OwnedSemaphorePermit),
    /// A timer is due. The permit bounds how many are on their way at once.
    TimerFired { op: Op, deadline: Timestamp, permit: OwnedSemaphorePermit },
    /// An attempt of an activity ended in this process.
    AttemptEnded { op: Op, attempt: Arc<Attempt>, end: AttemptEnd },
    /// An activity that waited in its queue may begin its next attempt.
    Assigned { op: Op, assignment: Assignment },
    /// An attempt has sent a heartbeat that is to be made durable.
    Beat { op: Op },
    /// Someone says how an attempt ended. `starts`: which one; without it, whichever it is.
    Report { op: Op, starts: Option<u32>, report: Report, reply: Reply },
    /// An operator does something to an activity.
    Control { op: Op, control: Control, reply: Reply },
    /// Someone sends a signal. `begins`: with a start, which does not wait for a start delay's end.
    Signal { signal: SendSignal, begins: bool, reply: Reply },
    /// Someone sends an update. `begins`: as with a signal.
    Update { update: SendUpdate, begins: bool, reply: Reply },
    /// Someone wants the run to end early.
    Cancel { reason: String, reply: Reply },
    /// Someone ends the run.
    Terminate { reason: String, reply: Reply },
    /// The courier has begun a child, the one whose first run this is, or could not.
    ChildStarted { op: Op, child: RunId, result: Box<Result<(), Failure>>, reply: Reply },
    /// A child has ended, after its last run.
    ChildClosed { op: Op, child: RunId, outcome: Box<Outcome>, reply: Reply },
    /// A signal or a cancel request of the run has reached another execution, or cannot.
    Sent { op: Op, outcome: Box<Outcome>, reply: Reply },
    /// A start is answered with this run.
    Join { request_id: String, reply: Reply },
    /// A new start takes the run's place; `changes` become true with it.
    Replace { next: Box<NewRun>, changes: Vec<Change>, reply: Reply },
    /// The run goes on as another one, from an earlier step.
    Reset { reset: Box<Reset>, reply: Reply },
    /// Someone wants a parked run to try again.
    Resume { reply: Reply },
    /// An operator lets the run make no step.
    Pause { reason: String, reply: Reply },
    /// An operator lets it go on.
    Unpause { reply: Reply },
    /// Someone gives the run other code.
    Move(MoveRequest),
    /// Others need the memory.
    Evict,
    /// The host is stopping.
    Shutdown,
}

impl Message {
    /// Answers who waits, if somebody does.
    pub(crate) fn refuse(self, error: Error) {
        let reply = match self {
            Self::Signal { reply, .. }
            | Self::Update { reply, .. }
            | Self::Cancel { reply, .. }
            | Self::Terminate { reply, .. }
            | Self::Join { reply, .. }
            | Self::Replace { reply, .. }
            | Self::ChildStarted { reply, .. }
            | Self::ChildClosed { reply, .. }
            | Self::Sent { reply, .. }
            | Self::Reset { reply, .. }
            | Self::Report { reply, .. }
            | Self::Control { reply, .. }
            | Self::Pause { reply, .. }
            | Self::Unpause { reply }
            | Self::Resume { reply } => reply,
            Self::Move(request) => return request.answer(Err(error)),
            Self::Begin { .. }
            | Self::Wake(_)
            | Self::Place(_)
            | Self::TimerFired { .. }
            | Self::AttemptEnded { .. }
            | Self::Assigned { .. }
            | Self::Beat { .. }
            | Self::Evict
            | Self::Shutdown => return,
        };
        let _answered = reply.send(Err(error));
    }
}

impl Owner<'_> {
    /// Takes a message in. What follows from it waits for the next commit, unless that is to be made at once.
    pub(super) async fn handle(&mut self, message: Message) -> Result<(), Gone> {
        self.take_in(message).await?;
        self.flush_if_heavy().await
    }

    async fn take_in(&mut self, message: Message) -> Result<(), Gone> {
        match message {
            Message::Begin { .. } => {}
            Message::Wake(permit) => self.permits.push(permit),
            // Each owner begins with that; what follows from it is in the next commit.
            Message::Place(permit) => self.placing = Some(permit),
            Message::TimerFired { op, deadline, permit } => {
                self.permits.push(permit);
                if op == RUN_ITSELF {
                    self.deadline_passed(deadline).await?;
                } else {
                    self.timer_fired(op, deadline)?;
                }
            }
            Message::AttemptEnded { op, attempt, end } => self.attempt_ended(op, &attempt, end),
            Message::Assigned { op, assignment } => self.assigned(op, assignment),
            Message::Beat { op } => self.beat(op),
            Message::Report { op, starts, report, reply } => self.report(op, starts, report, reply),
            Message::Control { op, control, reply } => self.control(op, control, reply),
            message @ (Message::Signal { .. } | Message::Update { .. } | Message::Cancel { .. })
                if self.holds_back =>
            {
                self.held.push(message);
            }
            Message::Signal { signal, begins, reply } => self.signal(signal, begins, reply)?,
            Message::Update { update, begins, reply } => self.update(update, begins, reply).await?,
            Message::Cancel { reason, reply } => self.cancel(reason, reply),
            Message::Terminate { reason, reply } => {
                if let Some(reply) = self.unless_closed(reply) {
                    self.terminate(reason, reply).await?;
                }
            }
            Message::Replace { next, changes, reply } => {
                if let Some(reply) = self.unless_closed(reply) {
                    self.replace(next, changes, reply).await?;
                }
            }
            Message::ChildStarted { op, child, result, reply } => {
                self.child_started(op, child, *result, reply)?;
            }
            Message::ChildClosed { op, child, outcome, reply } => {
                self.child_closed(op, child, *outcome, reply)?;
            }
            Message::Sent { op, outcome, reply } => self.sent(op, *outcome, reply),
            Message::Reset { reset, reply } => {
                if let Some(reply) = self.unless_closed(reply) {
                    self.reset(&reset, reply).await?;
                }
            }
            Message::Join { request_id, reply } => self.do_unless_closed(reply, |owner| {
                owner.books.put(owner.chain_request(&request_id), bytes::Bytes::new());
            }),
            Message::Resume { reply } => self.do_unless_closed(reply, Self::resume),
            Message::Pause { reason, reply } => self.do_unless_closed(reply, |owner| owner.pause(reason)),
            Message::Unpause { reply } => self.do_unless_closed(reply, Self::unpause),
            // Between two steps, and one may be under way.
            Message::Move(request) => self.moves.push_back(request),
            Message::Evict => self.drop_instance(),
            // The owner looks whether the host is stopping after each message.
            Message::Shutdown => {}
        }
        Ok(())
    }

    /// Something arrived for the run.
    pub(super) fn arrive(&mut self, item: Item, changes: Vec<Change>, reply: Option<Reply>) {
        self.books.arrive(self.shared.now(), item, changes, reply);
        self.dirty = true;
    }

    /// Who loads a run puts its timers in again, also one whose firing is on its way: the second one is none.
    fn timer_fired(&mut self, op: Op, deadline: Timestamp) -> Result<(), Gone> {
        let row = self.key.timer(deadline, op);
        let was_open = self.books.remove_timer(op).is_some();
        if self.books.head().status.is_closed() {
            self.books.delete(row);
            return Ok(());
        }
        let is_open = if self.books.knows_rows() {
            was_open
        } else {
            !self.books.requests(&row) && self.shared.store.get(row.table, &row.bytes)?.is_some()
        };
        if is_open {
            if planted!("timer-twice") {
                self.arrive(Item::TimerFired { op, deadline }, Vec::new(), None);
            }
            self.arrive(Item::TimerFired { op, deadline }, vec![delete(row)], None);
        }
        Ok(())
    }

    /// A deadline of the run itself has passed: its delay is over, its time is up, or a cancel request has waited long
    /// enough.
    async fn deadline_passed(&mut self, deadline: Timestamp) -> Result<(), Gone> {
        self.books.delete(self.key.timer(deadline, RUN_ITSELF));
        if self.closed().is_some() {
            return Ok(());
        }
        if self.books.head().delayed_until.is_some_and(|until| until <= deadline) {
            self.end_delay();
        }
        if self.books.head().cancel_due.is_some_and(|due| due <= deadline) {
            self.end_cancel_grace().await?;
        }
        if self.closed().is_some() {
            return Ok(());
        }
        match self.started.lifecycle.deadline(self.started.at) {
            Some((at, timeout)) if at <= deadline => self.time_out(timeout).await,
            Some(_) | None => Ok(()),
        }
    }

    fn end_delay(&mut self) {
        if let Some(until) = self.books.head_mut().delayed_until.take() {
            self.books.delete(self.key.timer(until, RUN_ITSELF));
            self.books.after(After::TimerRemoved(until, RUN_ITSELF));
            self.dirty = true;
        }
    }

    /// A message has come with a start. A backoff goes on: another start is no reason to believe that the next
    /// attempt fares better.
    pub(super) fn end_start_delay(&mut self) {
        if self.started.attempt == 1 {
            self.end_delay();
        }
    }

    fn signal(&mut self, signal: SendSignal, begins: bool, reply: Reply) -> Result<(), Gone> {
        let SendSignal { name, input, request_id } = signal;
        let mut changes = Vec::new();
        if let Some(request_id) = request_id.as_ref().filter(|_| !planted!("forget-requests")) {
            let key = self.chain_request(request_id);
            if let Some(row) = self.shared.store.get(key.table, &key.bytes)? {
                // That of a reset names the run that it made.
                let other = (!row.is_empty()).then(|| Error::Invalid {
                    field: "request_id".to_owned(),
                    message: "is that of another request to this execution: choose another one".to_owned(),
                });
                self.books.reply(reply, other.map_or(Ok(()), Err));
                return Ok(());
            }
            if self.books.requests(&key) {
                self.books.reply(reply, Ok(()));
                return Ok(());
            }
            changes.push(put(key, bytes::Bytes::new()));
        }
        let item = Item::Signal { name, input };
        match self.refuse_message().or_else(|| self.refuse_more(&item)) {
            Some(error) => self.books.reply(reply, Err(error)),
            None => {
                self.arrive(item, changes, Some(reply));
                if begins {
                    self.end_start_delay();
                }
            }
        }
        Ok(())
    }

    /// Kept with the first run of the chain: a repeated request may meet a later one.
    fn chain_request(&self, request_id: &str) -> Key {
        RunKey::new(self.key.namespace.clone(), self.started.first_run_id).request(request_id)
    }

    /// A run takes one cancel request, which has room in the fullest mailbox.
    fn cancel(&mut self, reason: String, reply: Reply) {
        if let Some(error) = self.refuse_message() {
            self.books.reply(reply, Err(error));
        } else if self.books.head().cancel_requested {
            self.books.reply(reply, Ok(()));
        } else {
            self.books.head_mut().cancel_requested = true;
            self.arrive(Item::CancelRequest { reason }, Vec::new(), Some(reply));
        }
    }

    /// Who asks something of a run that has ended is told so.
    pub(super) fn unless_closed(&mut self, reply: Reply) -> Option<Reply> {
        let Some(error) = self.closed() else { return Some(reply) };
        self.books.reply(reply, Err(error));
        None
    }

    fn do_unless_closed(&mut self, reply: Reply, change: impl FnOnce(&mut Self)) {
        if let Some(reply) = self.unless_closed(reply) {
            change(self);
            self.books.reply(reply, Ok(()));
        }
    }

    pub(super) fn resume(&mut self) {
        if self.books.head_mut().parked.take().is_some() {
            self.show_status();
        }
        self.dirty = true;
        self.retry_at = None;
        (self.retries, self.overruns) = (0, 0);
    }

    /// A step that is under way is finished. A parked run stays parked, and is paused when it is resumed.
    fn pause(&mut self, reason: String) {
        if self.books.head().paused.is_none() {
            self.books.head_mut().paused = Some(Pause { at: self.shared.now(), reason });
            self.show_status();
        }
    }

    fn unpause(&mut self) {
        if self.books.head_mut().paused.take().is_some() {
            self.show_status();
            self.dirty = true;
        }
    }

    /// Why the run takes no messages, if it takes none.
    pub(super) fn refuse_message(&self) -> Option<Error> {
        if let Some(error) = self.closed() {
            return Some(error);
        }
        if self.shared.store.health() == Health::Full {
            return Some(Error::Full);
        }
        None
    }

    /// Why the run's mailbox has no room for one more message, if it has none.
    pub(super) fn refuse_more(&self, item: &Item) -> Option<Error> {
        let head = self.books.head();
        let bytes = head.message_bytes + message_size(item).unwrap_or_default();
        let full = head.messages >= self.shared.options.mailbox_messages || bytes > MAILBOX_BYTES;
        full.then(|| Error::Busy { id: self.started.workflow_id.to_string(), waiting: head.messages })
    }

    /// The error of who addresses a run that has ended.
    pub(super) fn closed(&self) -> Option<Error> {
        Error::closed(&self.started, self.books.head().status)
    }
}
