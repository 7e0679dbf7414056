//! A run whose steps another one is to begin with, and where they are cut.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use refrain_engine::codec;
use refrain_engine::fork::ForkPoint;
use refrain_engine::ids::Op;
use refrain_engine::journal::{Code, Moved, Record, Started};
use refrain_engine::lifecycle::Lifecycle;
use refrain_engine::limits;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_store::Store;
use refrain_store::schema::{Head, RunKey};

use crate::copies::Copied;
use crate::error::Error;
use crate::inspect::{read_head, read_started};
use crate::owner::{MAILBOX_BYTES, message_size};
use crate::queries::records_up_to;
use crate::rows::{self, Unreadable};
use crate::shared::Shared;

/// The field in which an event comes.
const EVENT: &str = "event";

/// A run, as it was when it was read.
pub(crate) struct Base {
    pub(crate) key: RunKey,
    pub(crate) started: Started,
    pub(crate) head: Head,
    records: Vec<Bytes>,
}

/// Where its journal is cut.
pub(crate) struct Cut {
    /// How many records are kept.
    pub(crate) kept: usize,
    pub(crate) point: ForkPoint,
}

impl Cut {
    /// The last step that is kept.
    pub(crate) fn step(&self) -> Option<u64> {
        self.point.step.checked_sub(1)
    }
}

impl Base {
    /// Reads a run.
    pub(crate) fn read(shared: &Shared, key: &RunKey) -> Result<Self, Error> {
        Ok(Self {
            key: key.clone(),
            started: read_started(shared, key)?,
            head: read_head(shared, key)?.head,
            records: rows::read_journal(&*shared.store, key)?,
        })
    }

    /// The code that executes the run.
    pub(crate) fn code(&self) -> Code {
        self.head.code.clone().unwrap_or_else(|| self.started.code())
    }

    /// The records that a cut keeps.
    pub(crate) fn kept(&self, cut: &Cut) -> Vec<Bytes> {
        self.records[..cut.kept].to_vec()
    }

    /// Cuts at the end of the step of this event; 0: before the first step.
    pub(crate) fn cut_at(&self, event: u64) -> Result<Cut, Error> {
        let kept = match event {
            0 => 0,
            event => records_up_to(&self.started, &self.records, EVENT, event)?,
        };
        let cut = self.cut(kept)?;
        if cut.point.is_end() {
            let message = format!(
                "is {event}, and with that the run ended: give an event of an earlier step, or 0 for the beginning"
            );
            return Err(Error::Invalid { field: EVENT.to_owned(), message });
        }
        Ok(cut)
    }

    /// Keeps as much as a run can go on from.
    pub(crate) fn cut_at_last_wait(&self) -> Result<Cut, Error> {
        let mut kept = self.records.len();
        loop {
            let cut = self.cut(kept)?;
            if !cut.point.is_end() {
                return Ok(cut);
            }
            kept -= 1;
        }
    }

    /// Keeps the records before the step with this number.
    pub(crate) fn cut_before(&self, step: u64) -> Result<Cut, Error> {
        let mut kept = 0;
        for (index, record) in self.records.iter().enumerate() {
            match codec::decode("journal record", record)? {
                Record::Step(made) if made.number < step => kept = index + 1,
                Record::Step(_) => break,
                Record::Moved(_)
                | Record::Terminated(_)
                | Record::Failed(_)
                | Record::TimedOut(_)
                | Record::Canceled(_) => {}
            }
        }
        self.cut(kept)
    }

    fn cut(&self, kept: usize) -> Result<Cut, Error> {
        let mut point = ForkPoint::default();
        for record in &self.records[..kept] {
            point.record(&codec::decode("journal record", record)?, record.len());
        }
        Ok(Cut { kept, point })
    }

    /// The step of an event.
    pub(crate) fn step_of(&self, event: u64) -> Result<u64, Error> {
        let kept = records_up_to(&self.started, &self.records, EVENT, event)?;
        Ok(self.cut(kept)?.step().unwrap_or_default())
    }

    /// The step that was given the outcome of an activity.
    pub(crate) fn step_given(&self, of: Op) -> Result<Option<u64>, Error> {
        for record in &self.records {
            let Record::Step(step) = codec::decode("journal record", record)? else { continue };
            let ends =
                |entry: &MailboxEntry| matches!(entry.item, Item::ActivityClosed { op, .. } if op == of);
            if step.delivered.iter().any(ends) {
                return Ok(Some(step.number));
            }
        }
        Ok(None)
    }

    /// What was delivered by the wait that began a step.
    pub(crate) fn delivered(&self, step: u64) -> Result<Vec<MailboxEntry>, Error> {
        for record in &self.records {
            if let Record::Step(made) = codec::decode("journal record", record)?
                && made.number == step
            {
                return Ok(made.delivered);
            }
        }
        Ok(Vec::new())
    }

    /// What a run of the same execution begins with that goes on from there, executed by this code.
    pub(crate) fn next_started(&self, shared: &Shared, cut: &Cut, code: &Code) -> Result<Started, Error> {
        let base = &self.started;
        // Kept steps were made by the code that the base has started with.
        let (Code { component, version, digest }, profile) = match cut.kept {
            0 => (code.clone(), limits::CURRENT.number),
            _ => (base.code(), base.profile),
        };
        Ok(Started {
            run_id: shared.new_run_id(&base.seed)?,
            continued_run_id: Some(base.run_id),
            component,
            version,
            digest,
            profile,
            at: shared.now(),
            seed: shared.options.entropy.draw(&base.seed)?,
            boot: shared.boot,
            lifecycle: Lifecycle { begins_at: None, ..base.lifecycle.clone() },
            forks: base.forks_at(cut.point.step),
            ..base.clone()
        })
    }

    /// Copies what is kept for a new run that begins so. That other code executes it from here on is recorded.
    pub(crate) async fn copy(
        &self,
        shared: &Arc<Shared>,
        started: Started,
        mut cut: Cut,
        code: Code,
        reason: &str,
    ) -> Result<Copied, Error> {
        let mut records = self.kept(&cut);
        let made_by = cut.point.moved_to.clone().unwrap_or_else(|| started.code());
        if cut.kept > 0 && made_by != code {
            let (time, boot, reason) = (shared.now(), shared.boot, reason.to_owned());
            let moved = Moved { time, boot, code: code.clone(), reason };
            records.push(codec::encode(&Record::Moved(moved)));
            cut.point.moved_to = Some(code);
        }
        Copied::write(shared, self.key.run, started, records, cut.point).await
    }
}

/// What came to a run after the steps that are kept, as far as it may concern a run that goes on from there.
pub(crate) struct Later {
    /// In the order of their delivery.
    delivered: Vec<MailboxEntry>,
    /// What lies in the mailbox.
    waiting: Vec<MailboxEntry>,
}

impl Later {
    /// Reads what came after so many records.
    pub(crate) fn read(store: &dyn Store, key: &RunKey, kept: usize) -> Result<Self, Unreadable> {
        // The mailbox first: what a step takes meanwhile is in the journal then, and is found once.
        let mut waiting = rows::read_mailbox(store, key)?;
        let mut delivered = Vec::new();
        for record in rows::read_journal_from(store, key, kept as u64)? {
            if let Record::Step(step) = codec::decode("journal record", &record)? {
                let concerns = |entry: &MailboxEntry| match &entry.item {
                    Item::Signal { .. }
                    | Item::ChildStarted { .. }
                    | Item::ChildNotStarted { .. }
                    | Item::ChildClosed { .. } => true,
                    Item::ActivityClosed { .. }
                    | Item::TimerFired { .. }
                    | Item::Canceled { .. }
                    | Item::CancelRequest { .. }
                    | Item::Sent { .. }
                    | Item::Update { .. } => false,
                };
                let taken: BTreeSet<u64> = step.delivered.iter().map(|entry| entry.number).collect();
                waiting.retain(|entry| !taken.contains(&entry.number));
                delivered.extend(step.delivered.into_iter().filter(concerns));
            }
        }
        Ok(Self { delivered, waiting })
    }

    /// All signals, in order.
    pub(crate) fn signals(&self) -> Vec<MailboxEntry> {
        let all = self.delivered.iter().chain(&self.waiting);
        all.filter(|entry| matches!(entry.item, Item::Signal { .. })).cloned().collect()
    }

    /// The messages that another run of the execution gets, in order. What was asked of the run itself is not among
    /// them: that it cancels itself, and updates that it was given.
    pub(crate) fn messages(&self, exclude_signals: bool) -> Vec<MailboxEntry> {
        let goes_on = |entry: &&MailboxEntry| match &entry.item {
            Item::Signal { .. } => !exclude_signals,
            Item::Update { .. } => true,
            Item::CancelRequest { .. }
            | Item::ActivityClosed { .. }
            | Item::TimerFired { .. }
            | Item::Canceled { .. }
            | Item::ChildStarted { .. }
            | Item::ChildNotStarted { .. }
            | Item::ChildClosed { .. }
            | Item::Sent { .. } => false,
        };
        let delivered = self.delivered.iter().filter(goes_on);
        delivered.chain(self.waiting.iter().filter(goes_on)).cloned().collect()
    }

    /// How an op of a child has ended.
    pub(crate) fn end_of(&self, op: Op) -> Option<MailboxEntry> {
        let mut all = self.delivered.iter().chain(&self.waiting);
        all.find(|entry| entry.item.op() == Some(op)).cloned()
    }
}

/// Refuses more messages than a mailbox holds.
pub(crate) fn within_mailbox(shared: &Shared, arrived: &[MailboxEntry]) -> Result<(), Error> {
    let sizes: Vec<u64> = arrived.iter().filter_map(|entry| message_size(&entry.item)).collect();
    let (messages, bytes) = (sizes.len() as u64, sizes.iter().sum::<u64>());
    let limit = shared.options.mailbox_messages;
    if messages <= limit && bytes <= MAILBOX_BYTES {
        return Ok(());
    }
    let message = format!(
        "is not set, and the {messages} messages of {bytes} bytes that came after the event are more than a mailbox \
         holds ({limit} messages, {MAILBOX_BYTES} bytes): set it, or give a later event"
    );
    Err(Error::Invalid { field: "exclude_signals".to_owned(), message })
}
