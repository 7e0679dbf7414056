//! End-to-end tests: the real binary, as a process that is really killed, over real HTTP.
//!
//! The tests are in `tests/e2e`; this library is what they stand on. It knows the host from outside only, by its
//! command line and its API, and none of the project's crates: a test here sees what a user sees.
//!
//! Nothing waits by sleeping. What is waited for is an observed event, at most for as long as [`PATIENCE`].

mod built;
pub mod checker;
mod client;
mod host;
pub mod random;

use std::time::Duration;

pub use built::{guest, guest_path};
pub use client::{Answer, Client, Event, encode};
pub use host::{Host, HostOptions};

/// How long a test waits for what must happen. Far more than it takes on a busy machine; only a failing test waits it out.
pub const PATIENCE: Duration = Duration::from_secs(120);
