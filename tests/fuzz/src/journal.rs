//! Stored rows. A disk may give back anything, and an older or newer version may have written them.

use minicbor::{Decode, Encode};
use refrain_engine::activity::Activity;
use refrain_engine::codec;
use refrain_engine::ids::Namespace;
use refrain_engine::journal::{Record, Started};
use refrain_engine::mailbox::MailboxEntry;
use refrain_store::Table;
use refrain_store::schema::{
    ChildRow, ComponentName, ComponentVersion, CurrentRun, Head, HeartbeatRow, OutboxRow, Prefix, StoredHead,
    TimerRow, UpdateRow, VisibilityRow,
};

/// Reads the bytes as each kind of row, and as a key.
pub fn journal(data: &[u8]) {
    row::<Activity>(data);
    row::<ChildRow>(data);
    row::<ComponentName>(data);
    row::<ComponentVersion>(data);
    row::<CurrentRun>(data);
    row::<Head>(data);
    row::<HeartbeatRow>(data);
    row::<OutboxRow>(data);
    row::<TimerRow>(data);
    row::<UpdateRow>(data);
    row::<VisibilityRow>(data);
    row::<Started>(data);
    row::<Record>(data);
    if let Some(entry) = row::<MailboxEntry>(data) {
        entry.event();
        entry.item.size();
    }
    if let Ok(head) = StoredHead::decode(data) {
        let stored = head.encode();
        let again = StoredHead::decode(&stored).expect("what was encoded decodes");
        assert_eq!(again.encode(), stored, "a head has one stored form");
    }
    key(data);
}

/// Takes a key apart, as the readers of ranges do.
fn key(data: &[u8]) {
    let namespace = Namespace::default();
    for table in Table::ALL {
        let range = Prefix::namespace(table, &namespace);
        assert!(range.bytes < range.end(), "a range ends after its beginning");
        range.pinned_run(data);
        range.run_of_execution(data);
        range.update_of(data);
    }
    Prefix::run_of(&namespace, data);
    Prefix::timer_of(&namespace, data);
    Prefix::run_in_list(&namespace, data);
    Prefix::last_number(data);
}

/// Reads a row, and answers it if it is one.
fn row<T>(data: &[u8]) -> Option<T>
where
    T: Encode<()> + for<'b> Decode<'b, ()>,
{
    let value: T = codec::decode("row", data).ok()?;
    // What is read may have been written by another version, in another form; this one writes it in one.
    let stored = codec::encode(&value);
    let again: T = codec::decode("row", &stored).expect("what was encoded decodes");
    // The bytes are compared, as not every number equals itself.
    assert_eq!(codec::encode(&again), stored, "a value has one stored form");
    Some(value)
}
