//! One run: answers its guest's calls, from the journal while it replays and by making entries when it is
//! live, and closes steps into what its owner commits.
//!
//! | event            | Executing                       | Waiting   | Finished | Halted |
//! |------------------|---------------------------------|-----------|----------|--------|
//! | `wait.next`      | Executing or Waiting or Halted  | -         | -        | Halted |
//! | `control.finish` | Executing or Finished or Halted | -         | -        | Halted |
//! | other calls      | Executing or Halted             | -         | -        | Halted |
//! | `close_step`     | -                               | Waiting   | Finished | -      |
//! | `resume`         | -                               | Executing | -        | -      |
//!
//! What a `-` marks is a mistake of the host and panics. In replay a wait goes on executing at once, with
//! the events that the journal has; at the journal's end the run waits or executes live. A run that was made
//! for a query neither waits nor finishes: it executes until it is halted. See [`Query`]. One that is looked at is halted
//! at the call that is looked for. See [`Watch`].

mod calls;
mod checks;
mod query;
mod watch;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::call::{ActivityCommand, Call, Completion, Interest, Reply};
use crate::child::ChildCommand;
use crate::codec::{self, DecodeError};
use crate::failure::{Failure, Outcome};
use crate::ids::{Digest, Namespace, Op, RunId, WorkflowId};
use crate::journal::{End, Entry, ExecutionRef, Record, Started, Step};
use crate::limits::{Excess, Profile};
use crate::mailbox::{Event, Item, MailboxEntry};
use crate::mismatch::{Attempt, Mismatch};
use crate::ops::{OpError, Ops};
use crate::payload::Payload;
use crate::random::Random;
use crate::replay::{Cursor, Markers, Tape, WHAT};
use crate::time::Timestamp;
use crate::updates::Updates;
use query::Inquiry;
use watch::Watcher;

pub use query::{NOT_HANDLED, NOT_SERVED, Query, TRIED_TO_CHANGE};
pub use watch::{Moment, Pending, SeenCall, Watch};

/// How far a second read of the clock in a step is from the first.
const CLOCK_TICK: Duration = Duration::from_micros(1);

/// Lines of last words. A language's own report of what it cannot go on with is a dozen or two.
const LAST_WORDS: usize = 40;

/// Why a call does not answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// The run waits: hand it to its owner.
    Wait,
    /// The run has ended: hand it to its owner.
    Finished,
    /// The code differs from the journal.
    Mismatch(Box<Mismatch>),
    /// The step is too large.
    Limit(Excess),
    /// The guest's mistake: a trap. The text names the field, the value and the remedy.
    Misuse(String),
    /// The query that the run was made for has come to its end.
    Answered(Box<Outcome>),
    /// The run is looked at, and has come to the call that is looked for.
    Reached,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait => f.write_str("waits"),
            Self::Finished => f.write_str("ends"),
            Self::Mismatch(mismatch) => mismatch.fmt(f),
            Self::Limit(excess) => excess.fmt(f),
            Self::Misuse(text) => f.write_str(text),
            Self::Answered(_) => f.write_str("has answered"),
            Self::Reached => f.write_str("stops here"),
        }
    }
}

/// What a run knows about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunInfo {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its execution.
    pub workflow_id: WorkflowId,
    /// The run.
    pub run_id: RunId,
    /// The first run of this chain of continue-as-new, retry and reset.
    pub first_run_id: RunId,
    /// The run that this one continues.
    pub continued_run_id: Option<RunId>,
    /// The workflow's type.
    pub workflow: String,
    /// Where activities go that name no queue.
    pub task_queue: String,
    /// From 1.
    pub attempt: u32,
    /// Why the attempt before this one failed.
    pub last_failure: Option<Failure>,
    /// When the run started.
    pub started_at: Timestamp,
    /// The run that started this one as its child.
    pub parent: Option<ExecutionRef>,
    /// The top of the tree of parents.
    pub root: Option<ExecutionRef>,
    /// The journal's entries when the latest wait returned.
    pub journal_entries: u64,
    /// The journal's bytes when the latest wait returned.
    pub journal_bytes: u64,
    /// The journal is past half of its limit.
    pub continue_as_new_suggested: bool,
}

/// A live step that ended, with all that its owner must make durable.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedStep {
    /// The number of the step.
    pub number: u64,
    /// The step's time.
    pub time: Timestamp,
    /// The stored form of the step's record.
    pub record: Bytes,
    /// The numbers of the mailbox entries that the step's opening wait delivered, and of those that its
    /// detaches dropped.
    pub consumed: Vec<u64>,
    /// What the step started, canceled and gave up, in call order.
    pub effects: Vec<Effect>,
    /// How the run ended, if it did.
    pub completion: Option<Completion>,
    /// The journal with this step.
    pub size: JournalSize,
}

/// What a step's commands imply outside of the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Schedule an activity.
    StartActivity {
        /// Its op.
        op: Op,
        /// What to run.
        command: ActivityCommand,
    },
    /// Start a timer.
    StartTimer {
        /// Its op.
        op: Op,
        /// When it fires.
        deadline: Timestamp,
        /// One line for people.
        summary: Option<String>,
    },
    /// Cancel a timer: its op ends as canceled.
    CancelTimer {
        /// Its op.
        op: Op,
        /// For people.
        reason: String,
    },
    /// Cancel an activity.
    CancelActivity {
        /// Its op.
        op: Op,
        /// For people.
        reason: String,
    },
    /// Start a child.
    StartChild {
        /// The op of its start.
        started: Op,
        /// The op of its end.
        finished: Op,
        /// What to run.
        command: Box<ChildCommand>,
    },
    /// Cancel a child.
    CancelChild {
        /// The op of its end.
        op: Op,
        /// For people.
        reason: String,
    },
    /// Send a signal to another execution.
    Signal {
        /// Its op.
        op: Op,
        /// Whose.
        target: ExecutionRef,
        /// Which.
        name: String,
        /// Its argument.
        input: Payload,
    },
    /// Ask another execution to cancel itself.
    RequestCancel {
        /// Its op.
        op: Op,
        /// Which.
        target: ExecutionRef,
        /// For people.
        reason: String,
    },
    /// An update has come to another stage.
    Update {
        /// The caller's own id of it.
        update_id: String,
        /// Which stage.
        stage: UpdateStage,
    },
    /// The op's outcome is not wanted any more.
    Detach {
        /// Which.
        op: Op,
    },
}

/// What the code said to an update.
#[derive(Clone, Debug, PartialEq)]
pub enum UpdateStage {
    /// It will be completed.
    Accepted,
    /// It was turned down.
    Rejected(Failure),
    /// It was answered.
    Completed(Outcome),
}

/// How long a journal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalSize {
    /// Delivered mailbox entries and calls; equal reads in a row count once.
    pub entries: u64,
    /// Bytes of the stored records.
    pub bytes: u64,
}

/// One run, in the hands of its owner or of its guest. See the module's documentation.
#[derive(Debug)]
pub struct Run {
    started: Arc<Started>,
    profile: &'static Profile,
    boot: u64,
    random: Random,
    ops: Ops,
    updates: Updates,
    markers: Markers,
    tape: Tape,
    /// What executes the run. Steps that other code has made are compared without their reads.
    code: Digest,
    /// Whether a read of this code was another than that of the code before it.
    reads_differ: bool,
    mode: Mode,
    state: State,
    /// The steps before the current one.
    size: JournalSize,
    mailbox: VecDeque<MailboxEntry>,
    /// What the latest wait delivered and the guest has not taken yet.
    events: Vec<Event>,
    /// Whether the latest wait took messages.
    listening: bool,
    /// Whether any wait did.
    has_listened: bool,
    number: u64,
    time: Timestamp,
    clock_reads: u32,
    /// What the run is asked where its journal ends.
    query: Option<Query>,
    /// Who looks at its calls.
    watcher: Option<Box<Watcher>>,
}

#[derive(Debug)]
enum Mode {
    /// With the size of the step's record, which counts when the step has ended.
    Replay(Cursor, JournalSize),
    Live(LiveStep),
    /// Past the journal's end, for a query.
    Query(Inquiry),
}

#[derive(Debug)]
enum State {
    Executing,
    Waiting(Interest),
    Finished,
    Halted(Halt),
}

/// What a live step has made so far.
#[derive(Debug, Default)]
struct LiveStep {
    delivered: Vec<MailboxEntry>,
    /// The numbers of the outcomes of detached ops that were in the mailbox.
    dropped: Vec<u64>,
    entries: Vec<Entry>,
    effects: Vec<Effect>,
    bytes: usize,
    log_bytes: usize,
    end: Option<End>,
}

impl Run {
    /// A run that begins: step 0, live, at the time of its start.
    pub fn new(started: Arc<Started>, boot: u64) -> Self {
        let code = started.digest;
        Self::replay(started, Vec::new(), code, boot).expect("an empty journal has nothing to decode")
    }

    /// A run that begins with a replay of these records of its journal, executed by this code. What other code
    /// has recorded must be the same commands; its reads are answered from the step's time and the run's seed.
    ///
    /// # Errors
    /// When the first record does not decode. Damage further on halts the run where it is met.
    ///
    /// # Panics
    /// When the profile does not exist: the store refuses newer formats before it comes to this.
    pub fn replay(
        started: Arc<Started>,
        records: Vec<Bytes>,
        code: Digest,
        boot: u64,
    ) -> Result<Self, DecodeError> {
        let profile = Profile::get(started.profile).expect("a stored run has a known profile");
        let mut run = Self {
            profile,
            boot,
            random: Random::from_seed(started.identity(0).seed),
            ops: Ops::default(),
            updates: Updates::default(),
            markers: Markers::new(),
            tape: Tape::new(started.digest, records),
            code,
            reads_differ: false,
            mode: Mode::Live(LiveStep::default()),
            state: State::Executing,
            size: JournalSize::default(),
            mailbox: VecDeque::new(),
            events: Vec::new(),
            listening: false,
            has_listened: false,
            number: 0,
            time: started.at,
            clock_reads: 0,
            query: None,
            watcher: None,
            started,
        };
        run.begin_recorded_step()?;
        Ok(run)
    }

    /// The first step of a run that was held back until now has this time, and not that of the run's start.
    pub fn begin_at(&mut self, now: Timestamp) {
        if self.number == 0 && matches!(self.mode, Mode::Live(_)) {
            self.time = self.time.max(now);
        }
    }

    /// Answers a call of the guest.
    ///
    /// # Errors
    /// When the guest must not go on; see [`Halt`]. After any but a wait and the run's end every later
    /// call answers the same.
    ///
    /// # Panics
    /// When the run waits or has ended: its guest must not be executing.
    pub fn call(&mut self, call: Call) -> Result<Reply, Halt> {
        match &self.state {
            State::Executing => {}
            State::Halted(halt) => return Err(halt.clone()),
            state @ (State::Waiting(_) | State::Finished) => {
                panic!("a guest calls {call:?} while its run is {state:?}")
            }
        }
        match self.watcher.take() {
            Some(watcher) => self.watched(watcher, call),
            None => self.answer(call),
        }
    }

    fn answer(&mut self, call: Call) -> Result<Reply, Halt> {
        let answer = match call {
            call if matches!(self.mode, Mode::Query(_)) => self.inquire(call),
            Call::Command(command) => self.command(command),
            Call::Read(read) => self.read(read),
            Call::Note(note) => {
                self.note(note);
                Ok(Reply::Done)
            }
            Call::Marker(marker) => self.marker(&marker),
            Call::Answer { request, .. } => Err(checks::misuse("messages.answer")(query::no_query(request))),
        };
        // The recorded code was not stopped here, so in a replay a misuse is a difference.
        let answer = match answer {
            Err(Halt::Misuse(text)) => Err(self.trapped(&text).map_or(Halt::Misuse(text), Halt::Mismatch)),
            other => other,
        };
        if let Err(halt @ (Halt::Mismatch(_) | Halt::Limit(_) | Halt::Misuse(_) | Halt::Answered(_))) =
            &answer
        {
            self.state = State::Halted(halt.clone());
        }
        answer
    }

    /// What the latest wait delivered, for the host function that waited.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The code trapped. In a replay of recorded entries that is a mismatch.
    pub fn trapped(&self, message: &str) -> Option<Box<Mismatch>> {
        match &self.mode {
            Mode::Replay(cursor, _) => Some(cursor.mismatch(&Attempt::Trap(message))),
            Mode::Live(_) | Mode::Query(_) => None,
        }
    }

    /// What the code wrote to its log as the last thing in this step, if that were last words: of code that
    /// panicked, its message. A step that trapped is not recorded, so whoever reports the trap says it.
    pub fn last_words(&self) -> Option<String> {
        match &self.mode {
            Mode::Replay(..) => None,
            Mode::Query(inquiry) => inquiry.last_words().map(str::to_owned),
            Mode::Live(live) => {
                let notes = live.entries.iter().rev().map_while(|entry| match entry {
                    Entry::Note(note) => Some(note).filter(|note| note.last_words().is_some()),
                    Entry::Command(_) | Entry::Read { .. } | Entry::Marker { .. } => None,
                });
                let notes: Vec<_> = notes.take(LAST_WORDS).collect();
                // What a runtime prints once the code has said what is wrong adds nothing.
                if let Some(error) = notes.iter().find(|note| note.is_error()) {
                    return error.last_words().map(str::to_owned);
                }
                let lines: Vec<_> = notes.iter().rev().filter_map(|note| note.last_words()).collect();
                (!lines.is_empty()).then(|| lines.join("\n"))
            }
        }
    }

    /// Whether calls are answered from the journal.
    pub fn is_replaying(&self) -> bool {
        matches!(self.mode, Mode::Replay(..))
    }

    /// Whether a read in the replay was not the recorded one. Only the reads of other code may differ.
    pub fn reads_differ(&self) -> bool {
        self.reads_differ
    }

    /// The workflow's type.
    pub fn workflow(&self) -> &str {
        &self.started.workflow
    }

    /// The workflow's argument.
    pub fn input(&self) -> &Payload {
        &self.started.input
    }

    /// What the run began with.
    pub fn started(&self) -> &Arc<Started> {
        &self.started
    }

    /// The limits of this run.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The interest of the wait that the run is in.
    pub fn waiting(&self) -> Option<&Interest> {
        match &self.state {
            State::Waiting(interest) => Some(interest),
            State::Executing | State::Finished | State::Halted(_) => None,
        }
    }

    /// Whether the latest wait took messages: a message that came in since then would have been delivered
    /// had it come earlier.
    pub fn is_listening(&self) -> bool {
        self.listening
    }

    /// Whether any wait so far took messages. A program that knows only its language's own sleep never does.
    pub fn has_listened(&self) -> bool {
        self.has_listened
    }

    /// The arrivals that no wait has taken, in mailbox order.
    pub fn undelivered(&self) -> impl Iterator<Item = &MailboxEntry> {
        self.mailbox.iter()
    }

    /// Puts an arrival into the mailbox. Answers whether it is kept: the outcome of an op that was detached
    /// or has one already is not.
    ///
    /// # Panics
    /// In a replay: the ops it could belong to do not exist yet.
    pub fn push(&mut self, entry: MailboxEntry) -> bool {
        assert!(!self.is_replaying(), "the mailbox is filled after the replay");
        let kept = entry.item.op().is_none_or(|op| self.ops.settle(op));
        if kept {
            self.mailbox.push_back(entry);
        }
        kept
    }

    /// Whether the run waits, and something that ends the wait is in the mailbox.
    pub fn can_resume(&self) -> bool {
        match &self.state {
            State::Waiting(interest) => interest.takes_any(&self.mailbox),
            State::Executing | State::Finished | State::Halted(_) => false,
        }
    }

    /// Ends the wait: delivers what is of interest, in mailbox order, of the ends of ops as many as one wait may,
    /// and begins the next step at the latest of `now`, the next read of the last step's clock and the deadlines
    /// delivered.
    ///
    /// # Panics
    /// When [`Self::can_resume`] is false or a closed step was not taken.
    pub fn resume(&mut self, now: Timestamp) {
        let State::Waiting(interest) = std::mem::replace(&mut self.state, State::Executing) else {
            panic!("only a waiting run is resumed");
        };
        let delivered = self.take_from_mailbox(&Wants::new(&interest));
        assert!(!delivered.is_empty(), "a wait delivers at least one event");
        self.begin_step(self.number + 1, now.max(self.clock()), &delivered)
            .expect("the mailbox keeps what may be delivered");
        let previous =
            std::mem::replace(&mut self.mode, Mode::Live(LiveStep { delivered, ..LiveStep::default() }));
        assert!(
            matches!(&previous, Mode::Live(step) if step.end.is_none() && step.entries.is_empty()),
            "the step before was taken and committed"
        );
    }

    /// Takes the live step that ended; `None` when the latest step came from the journal, or was taken.
    /// Cancels of ops whose outcome has come into the mailbox meanwhile have no effect: the outcome stands.
    ///
    /// # Panics
    /// While the guest executes.
    pub fn close_step(&mut self) -> Option<ClosedStep> {
        assert!(matches!(self.state, State::Waiting(_) | State::Finished), "a step is closed at its end");
        let Mode::Live(live) = &mut self.mode else { unreachable!("a replay ends live") };
        let end = live.end.take()?;
        let LiveStep { delivered, dropped, entries, effects, .. } = std::mem::take(live);
        let calls = delivered.len() + entries.len() + 1;
        let consumed = delivered.iter().map(|entry| entry.number).chain(dropped).collect();
        let completion = match &end {
            End::Wait(_) => None,
            End::Finish(completion) => Some(completion.clone()),
        };
        let step = Step { number: self.number, time: self.time, boot: self.boot, delivered, entries, end };
        let record = codec::encode(&Record::Step(step));
        self.size.add(JournalSize::of(calls, record.len()));
        let effects = effects
            .into_iter()
            .filter(|effect| match effect {
                Effect::CancelTimer { op, .. }
                | Effect::CancelActivity { op, .. }
                | Effect::CancelChild { op, .. } => !self.ops.is_settled(*op),
                Effect::StartActivity { .. }
                | Effect::StartTimer { .. }
                | Effect::StartChild { .. }
                | Effect::Signal { .. }
                | Effect::RequestCancel { .. }
                | Effect::Update { .. }
                | Effect::Detach { .. } => true,
            })
            .collect();
        Some(ClosedStep {
            number: self.number,
            time: self.time,
            record,
            consumed,
            effects,
            completion,
            size: self.size,
        })
    }

    /// The journal's length, without a live step that has not closed.
    pub fn size(&self) -> JournalSize {
        self.size
    }

    /// The number of the current step, or of the latest when the run waits.
    pub fn step(&self) -> u64 {
        self.number
    }

    /// The time of the current step, or of the latest when the run waits.
    pub fn time(&self) -> Timestamp {
        self.time
    }
}

impl Run {
    /// Takes what the wait delivers. All messages that it wants are among it, so that none is left behind by a
    /// run that listens until it ends; how many there can be is bounded where they are let in. The ends of ops
    /// have the limits of one wait, and keep their order.
    fn take_from_mailbox(&mut self, wants: &Wants<'_>) -> Vec<MailboxEntry> {
        let mut taken = Vec::new();
        let mut left = VecDeque::with_capacity(self.mailbox.len());
        let (mut ends, mut bytes, mut full) = (0, 0, false);
        for entry in std::mem::take(&mut self.mailbox) {
            let mut takes = wants.takes(&entry);
            if takes && entry.item.op().is_some() {
                bytes += entry.item.size();
                full |= ends == self.profile.wait_events || bytes > self.profile.wait_bytes && ends > 0;
                ends += 1;
                takes = !full;
            }
            if takes {
                taken.push(entry);
            } else {
                left.push_back(entry);
            }
        }
        self.mailbox = left;
        taken
    }

    /// Begins the next step of the journal, if there is one.
    fn begin_recorded_step(&mut self) -> Result<bool, DecodeError> {
        let Some((step, bytes)) = self.tape.next()? else { return Ok(false) };
        let calls = step.delivered.len() + step.entries.len() + 1;
        self.begin_step(step.number, step.time, &step.delivered)
            .map_err(|error| DecodeError::misplaced(WHAT, error))?;
        let cursor = Cursor::new(step.number, step.entries, step.end, self.tape.code() == self.code);
        self.mode = Mode::Replay(cursor, JournalSize::of(calls, bytes));
        Ok(true)
    }

    /// Leaves the recorded step; what comes next is live unless the journal has another one.
    fn end_recorded_step(&mut self) {
        let replayed = std::mem::replace(&mut self.mode, Mode::Live(LiveStep::default()));
        if let Mode::Replay(cursor, size) = replayed {
            self.size.add(size);
            self.reads_differ |= cursor.reads_differ();
        }
    }

    fn begin_step(
        &mut self,
        number: u64,
        time: Timestamp,
        delivered: &[MailboxEntry],
    ) -> Result<(), OpError> {
        for entry in delivered {
            match (&entry.item, entry.item.op()) {
                (_, Some(op)) => self.ops.deliver(op)?,
                (Item::Update { update_id, .. }, None) => self.updates.deliver(entry.number, update_id),
                (_, None) => {}
            }
        }
        let deadlines = delivered.iter().filter_map(|entry| match &entry.item {
            Item::TimerFired { deadline, .. } => Some(*deadline),
            Item::ActivityClosed { .. }
            | Item::Canceled { .. }
            | Item::ChildStarted { .. }
            | Item::ChildNotStarted { .. }
            | Item::ChildClosed { .. }
            | Item::Sent { .. }
            | Item::Signal { .. }
            | Item::Update { .. }
            | Item::CancelRequest { .. } => None,
        });
        self.time = deadlines.fold(time, Timestamp::max);
        self.number = number;
        self.clock_reads = 0;
        if self.started.forks.iter().any(|fork| fork.step == number) {
            // What was another run's is one of its own from here on: no two runs draw the same.
            self.random = Random::from_seed(self.started.identity(number).seed);
        }
        self.events = delivered.iter().map(MailboxEntry::event).collect();
        Ok(())
    }

    /// What the next read of the clock answers. To look at it is no read.
    pub fn clock(&self) -> Timestamp {
        self.time.after(CLOCK_TICK.saturating_mul(self.clock_reads))
    }

    fn info(&self) -> RunInfo {
        let started = &*self.started;
        let identity = started.identity(self.number);
        let half = |limit: u64| limit / 2;
        RunInfo {
            namespace: started.namespace.clone(),
            workflow_id: identity.workflow_id,
            run_id: identity.run_id,
            first_run_id: identity.first_run_id,
            continued_run_id: identity.continued_run_id,
            workflow: started.workflow.clone(),
            task_queue: identity.task_queue,
            attempt: identity.attempt,
            last_failure: started.lifecycle.last_failure.clone(),
            started_at: identity.at,
            parent: identity.parent,
            root: identity.root,
            journal_entries: self.size.entries,
            journal_bytes: self.size.bytes,
            continue_as_new_suggested: self.size.entries >= half(self.profile.journal_entries)
                || self.size.bytes >= half(self.profile.journal_bytes),
        }
    }
}

impl JournalSize {
    fn of(calls: usize, bytes: usize) -> Self {
        Self { entries: calls as u64, bytes: bytes as u64 }
    }

    fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}

impl Interest {
    /// Whether a wait for this takes messages.
    pub fn takes_messages(&self) -> bool {
        !matches!(self, Self::Ops(_))
    }

    /// Whether one of these arrivals would end a wait for this.
    pub fn takes_any<'a>(&self, entries: impl IntoIterator<Item = &'a MailboxEntry>) -> bool {
        let wants = Wants::new(self);
        entries.into_iter().any(|entry| wants.takes(entry))
    }
}

/// An interest, ready to be asked about many entries.
struct Wants<'a> {
    /// `None`: all of them.
    ops: Option<BTreeSet<&'a Op>>,
    messages: bool,
}

impl<'a> Wants<'a> {
    fn new(interest: &'a Interest) -> Self {
        match interest {
            Interest::Everything => Self { ops: None, messages: true },
            Interest::Ops(ops) => Self { ops: Some(ops.iter().collect()), messages: false },
            Interest::OpsAndMessages(ops) => Self { ops: Some(ops.iter().collect()), messages: true },
        }
    }

    fn takes(&self, entry: &MailboxEntry) -> bool {
        match entry.item.op() {
            Some(op) => self.ops.as_ref().is_none_or(|ops| ops.contains(&op)),
            None => self.messages,
        }
    }
}
