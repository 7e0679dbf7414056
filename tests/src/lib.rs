//! End-to-end tests: the real binary, as a process that is really killed, over real HTTP.
//!
//! The tests are in `tests/e2e`; this library is what they stand on. It knows the host from outside only, by its
//! command line and its API, and none of the project's crates: a test here sees what a user sees. Workers are real
//! processes too, written with the worker libraries as users write theirs (`src/bin/worker.rs`, `workers/`).
//!
//! Nothing waits by sleeping. What is waited for is an observed event, at most for as long as [`PATIENCE`]; a state
//! that the API has no long-poll for is looked at again and again.

mod activities;
mod built;
pub mod checker;
mod client;
mod dev;
mod host;
mod messages;
mod process;
mod proxy;
pub mod random;
pub mod siege;
pub mod stage;
mod terminal;
pub mod witness;
pub mod worker;

use std::time::Duration;

pub use activities::{call, calls};
pub use built::{cli, guest, guest_path, target_dir};
pub use client::{Answer, Client, Event, encode};
pub use dev::{Dev, SOURCE};
pub use host::{Host, HostOptions};
pub use proxy::{Cut, Exchange, Proxy};
pub use stage::{Puppet, Stage};
pub use terminal::Terminal;
pub use worker::{Language, Worker};

/// How long a test waits for what must happen. Far more than it takes on a busy machine; only a failing test waits it out.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The time between two looks at a state that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(20);
