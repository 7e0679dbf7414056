//! What lies in which table, under which key: the typed layer above the key-value [`Store`](crate::Store).
//!
//! Every key but the store's own facts begins with a namespace. Numbers in keys are big-endian, so that byte
//! order is number order. `FORMAT.md` has the whole list; the records here are CBOR with numbered fields.

mod between_runs;
mod keys;
mod records;

pub use between_runs::{ChildRow, EndChild, OutboxRow, UpdateRow, UpdateStatus};
pub use keys::{Key, Prefix, RunKey, after};
pub use records::{
    ComponentName, ComponentVersion, CurrentRun, Head, HeadVersion, HeartbeatRow, Parked, RunStatus,
    StoredHead, StoredMismatch, TimerRow, VisibilityRow,
};
