//! What a simulation saw from outside of the host, in order. The checkers read nothing else but this and the store's
//! rows at the end.

use std::fmt::Write as _;
use std::hash::Hasher;
use std::sync::{Arc, Mutex};

use refrain_engine::time::Timestamp;
use refrain_store::Change;

use crate::clients::{Answer, Request};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A host began its so-many-th life.
    Boot(u64),
    /// It ended, as by a crash, for this reason.
    Crash(String),
    /// The store made a batch durable.
    Durable(Arc<Vec<Change>>),
    /// An attempt of an activity began: its idempotency key, and its number.
    Attempt {
        /// The run's id and the op.
        key: String,
        /// Counts from 1.
        attempt: u32,
        /// Whether it may begin before its step is durable.
        local: bool,
    },
    /// A client asks for something, possibly again.
    Asked(Request),
    /// It was told this.
    Told(Request, Answer),
}

/// An event with the time at which it happened, by the host's clock.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// The record of a simulation. Clones are the same trace.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Entry>>>);

impl Trace {
    /// Something happened.
    pub fn record(&self, at: Timestamp, event: Event) {
        self.0.lock().expect("sound").push(Entry { at, event });
    }

    /// All that has happened.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().expect("sound").clone()
    }

    /// The trace as text, a line for each event.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Entry { at, event } in self.0.lock().expect("sound").iter() {
            let at = at.since(crate::clock::BEGINNING).as_secs_f64();
            let _to_a_string = writeln!(text, "{at:12.6} {}", line(event));
        }
        text
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Durable(changes) => {
            let mut digest = Digest(0xcbf2_9ce4_8422_2325);
            for change in changes.iter() {
                let (table, key, value) = change.parts();
                digest.write(table.name().as_bytes());
                digest.write(key);
                digest.write(value.map_or(&[], |value| value));
            }
            let tables = changes.iter().map(|change| change.parts().0.name()).collect::<Vec<_>>().join(" ");
            format!("durable {:016x} {tables}", digest.finish())
        }
        other => format!("{other:?}"),
    }
}

/// FNV-1a: the same in every process, as the standard library's is not.
struct Digest(u64);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A number by which two traces are compared.
pub fn fingerprint(text: &str) -> u64 {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    digest.write(text.as_bytes());
    digest.finish()
}
