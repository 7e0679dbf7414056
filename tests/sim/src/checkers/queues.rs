//! What is only there until something is done is gone when all is done: timers, activities, mailboxes, outboxes.

use refrain_store::Table;

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
        .map(|table| (table.name(), evidence.rows[table.name()].len()))
        .filter(|(_, rows)| *rows > 0)
        .map(|(table, rows)| format!("{rows} rows are left in {table}"))
        .collect()
}
