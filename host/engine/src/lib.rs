//! The engine of Refrain: what a run *is*, without anything that could make two replays differ.
//!
//! The engine knows journals, mailboxes, the classes of calls and how a replay compares them, the state
//! machines of runs, ops and activities, and the seam behind which guests execute. It has no clock, no
//! source of randomness, no tokio, no wasmtime and no store: time comes in as an argument, randomness from
//! a run's recorded seed, and everything it wants done goes out as data. Cargo proves it: see this crate's
//! dependencies.
//!
//! The words used here are defined in `ARCHITECTURE.md`.
//!
//! | module | concept |
//! |---|---|
//! | [`run`] | one run: answers a guest's calls, live or from the journal |
//! | [`journal`], [`mailbox`] | the two durable records of a run |
//! | [`call`] | what a guest may ask, in four classes |
//! | [`mismatch`] | what a replay says when the code no longer makes the recorded calls |
//! | [`ops`], [`activity`], [`retry`], [`child`] | the machines of what was started and finishes later |
//! | [`updates`] | the machine of what a run was asked to do and answers |
//! | [`guest`], [`scripted`] | the seam to code that executes workflows, and a guest made of Rust closures |
//! | [`history`], [`outline`] | the journal as people read it, and what it leaves open |
//! | [`export`] | a run as a file that replays anywhere |
//! | [`definition`] | what a component says of its workflows |
//! | [`fork`] | where a journal is cut for another run |
//! | [`mod@planted`] | bugs for the simulation to find |
//! | [`limits`] | every limit a run can meet, in numbered profiles |

pub mod activity;
pub mod call;
pub mod child;
pub mod codec;
pub mod definition;
pub mod export;
pub mod failure;
pub mod fork;
pub mod guest;
pub mod history;
pub mod ids;
pub mod journal;
pub mod lifecycle;
pub mod limits;
pub mod mailbox;
pub mod mismatch;
pub mod ops;
pub mod outline;
pub mod payload;
pub mod planted;
pub mod random;
mod replay;
pub mod retry;
pub mod run;
pub mod scripted;
pub mod time;
pub mod updates;
