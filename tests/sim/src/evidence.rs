//! What a simulation leaves for the checkers: the trace, and the store's rows at the end, decoded.

use std::collections::BTreeMap;
use std::sync::Arc;

use refrain_engine::codec;
use refrain_engine::guest::Guests;
use refrain_engine::ids::{Digest, Namespace, Op, RunId};
use refrain_engine::journal::{Entry as Call, Record, Started, Step};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_store::schema::{Head, Key, Prefix, RunKey, StoredHead};
use refrain_store::{Change, Order, Row, Store, Table};

use crate::trace::Entry;

/// All that checkers may look at.
pub struct Evidence {
    /// What happened, in order.
    pub trace: Vec<Entry>,
    /// The runs that are left, by id.
    pub runs: BTreeMap<RunId, RunEvidence>,
    /// The rows of each table of the namespace.
    pub rows: BTreeMap<&'static str, Vec<Row>>,
    /// The code, for replays.
    pub guests: Arc<dyn Guests>,
}

/// A run as the store has it.
pub struct RunEvidence {
    /// What it began with.
    pub started: Started,
    /// Where it stands.
    pub head: Head,
    /// Its journal as it lies there.
    pub journal: Vec<bytes::Bytes>,
    /// The same, decoded.
    pub records: Vec<Record>,
    /// What nobody has taken.
    pub mailbox: Vec<MailboxEntry>,
}

impl Evidence {
    /// Reads a store in which nothing happens any more.
    pub fn read(store: &dyn Store, trace: Vec<Entry>, guests: Arc<dyn Guests>) -> Self {
        let namespace = Namespace::default();
        let rows = Table::ALL
            .iter()
            .filter(|table| **table != Table::Meta)
            .map(|table| (table.name(), under(store, &Prefix::namespace(*table, &namespace))))
            .collect::<BTreeMap<_, _>>();
        let runs = rows[Table::Runs.name()]
            .iter()
            .map(|(_, row)| {
                let started: Started = codec::decode("start", row).expect("a run's start");
                (started.run_id, RunEvidence::read(store, started))
            })
            .filter(|(_, run)| !run.head.deleting)
            .collect();
        Self { trace, runs, rows, guests }
    }
}

impl RunEvidence {
    fn read(store: &dyn Store, started: Started) -> Self {
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        let head = get(store, &key.head()).expect("a run's head");
        let head = StoredHead::decode(&head).expect("a head").head;
        let journal: Vec<_> = under(store, &key.journal()).into_iter().map(|(_, record)| record).collect();
        let records =
            journal.iter().map(|record| codec::decode("record", record).expect("a record")).collect();
        let mailbox = under(store, &key.mailbox())
            .iter()
            .map(|(_, entry)| codec::decode("arrival", entry).expect("an arrival"))
            .collect();
        Self { started, head, journal, records, mailbox }
    }

    /// The code that executes it, or did at its end.
    pub fn code(&self) -> Digest {
        let moved = self.records.iter().rev().find_map(|record| match record {
            Record::Moved(moved) => Some(moved.code.digest),
            _ => None,
        });
        moved.unwrap_or(self.started.digest)
    }

    /// Its steps.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.records.iter().filter_map(|record| match record {
            Record::Step(step) => Some(step),
            _ => None,
        })
    }

    /// What its guest was given.
    pub fn delivered(&self) -> impl Iterator<Item = &MailboxEntry> {
        self.steps().flat_map(|step| &step.delivered)
    }

    /// The commands of its guest, each with its step and with the first op that it began, if it began one.
    pub fn commands(&self) -> Vec<(&Step, Option<Op>, &refrain_engine::call::Command)> {
        use refrain_engine::call::Command;
        let mut next: Op = 1;
        let mut commands = Vec::new();
        for step in self.steps() {
            for entry in &step.entries {
                let Call::Command(command) = entry else { continue };
                let begins = match command {
                    Command::StartChild(_) => 2,
                    Command::StartActivity(_)
                    | Command::StartTimer { .. }
                    | Command::Signal { .. }
                    | Command::RequestCancel { .. } => 1,
                    _ => 0,
                };
                commands.push((step, (begins > 0).then_some(next), command));
                next += begins;
            }
        }
        commands
    }
}

/// The arrivals that a durable batch brings, with the runs that they are for: into a mailbox, or with a step.
pub fn arrivals(changes: &[Change]) -> Vec<(RunId, MailboxEntry)> {
    let namespace = Namespace::default();
    let mut arrivals = Vec::new();
    for change in changes {
        let (table, key, Some(value)) = change.parts() else { continue };
        let run = || Prefix::run_of(&namespace, key).expect("a run's row");
        if table == Table::Mailbox {
            arrivals.push((run(), codec::decode("arrival", value).expect("an arrival")));
        } else if table == Table::Journal
            && let Ok(Record::Step(step)) = codec::decode::<Record>("record", value)
        {
            arrivals.extend(step.delivered.into_iter().map(|entry| (run(), entry)));
        }
    }
    arrivals
}

/// The number of the request that sent this signal.
pub fn signal_number(item: &Item) -> Option<usize> {
    match item {
        Item::Signal { input, .. } => std::str::from_utf8(&input.data).ok()?.parse().ok(),
        _ => None,
    }
}

fn get(store: &dyn Store, key: &Key) -> Option<bytes::Bytes> {
    store.get(key.table, &key.bytes).expect("a store that reads")
}

fn under(store: &dyn Store, prefix: &Prefix) -> Vec<Row> {
    let rows = store.range(prefix.table, &prefix.bytes, &prefix.end(), Order::Ascending, usize::MAX);
    rows.expect("a store that reads")
}
