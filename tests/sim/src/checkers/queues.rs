//! What is only there until something is done is gone when all is done: timers, activities, mailboxes, outboxes. Signals
//! that a run did not take before its end are kept with it.

use refrain_engine::codec;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_store::{Row, Table};

use crate::evidence::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    if evidence.runs.values().any(|run| !run.head.status.is_closed()) {
        // Those are the liveness checker's, and what they have is not left over.
        return Vec::new();
    }
    let emptied = [
        Table::Timers,
        Table::Activities,
        Table::Heartbeats,
        Table::Mailbox,
        Table::Ready,
        Table::Outbox,
        Table::Children,
        Table::Pinned,
    ];
    emptied
        .iter()
        .map(|table| {
            let rows = evidence.rows[table.name()].iter();
            (table.name(), rows.filter(|row| *table != Table::Mailbox || !is_signal(row)).count())
        })
        .filter(|(_, rows)| *rows > 0)
        .map(|(table, rows)| format!("{rows} rows are left in {table}"))
        .collect()
}

fn is_signal((_, row): &Row) -> bool {
    let entry: MailboxEntry = codec::decode("arrival", row).expect("an arrival");
    matches!(entry.item, Item::Signal { .. })
}
