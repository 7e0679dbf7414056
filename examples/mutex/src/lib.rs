//! A lock for workflows, and one who uses it: who holds the lock is alone in the room.
//!
//! The lock is a workflow too. Others ask it for their turn by a signal, and it answers by one; so neither holds anything
//! that a crash could take away, and each can be looked at while it waits. Who holds the lock and never releases it, as it
//! was terminated, loses it when its lease is over.
//!
//! A lease is a promise of the clock's, and a holder may have been away for longer than it knows. So each grant has a
//! number, which only grows: what the lock protects should refuse whoever comes with a smaller one than it has seen.
//!
//! It needs the host's `fs` plugin, with a directory `target` for the room.

use refrain_sdk::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod lock;
mod visit;

/// A wish for the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Request {
    /// The id of the workflow that is to have the lock.
    by: String,
    /// For how many milliseconds at most, from the grant on.
    lease_ms: u64,
}

/// The lock is someone's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Granted {
    /// Which lock.
    lock: String,
    /// The number of the grant, from 1: larger than all before it.
    number: u64,
}

/// The lock is no longer needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Release {
    /// The number of the grant. Another one than the latest has been released before.
    number: u64,
}

const REQUEST: Signal<Request> = Signal::new("request").doc("A workflow wants the lock, once.");
const RELEASE: Signal<Release> = Signal::new("release").doc("Who holds the lock does not need it any more.");
const GRANTED: Signal<Granted> = Signal::new("granted").doc("The lock is yours.");

refrain_sdk::component!(lock::lock, visit::visit);

#[cfg(test)]
mod tests;
