//! Where runs live: a narrow, ordered key-value store with atomic commits.
//!
//! Everything Refrain keeps goes through one trait, [`Store`]: [`commit`](Store::commit) a [`Batch`] of changes that
//! is carried out whole or not at all and only if its preconditions hold, read one key, read a range of keys. What the
//! keys and values mean is said by the records above this trait; nothing below it knows.
//!
//! | implementation | for |
//! |---|---|
//! | [`RedbStore`] | production on one host: a commit log and a state database in one directory, see `FORMAT.md` |
//! | [`MemoryStore`] | tests, and the bench's "same load without a disk" |
//! | `FaultyStore` | crash sweeps: fails, delays or stops another store at its n-th write (feature `testing`) |
//!
//! All of them pass the one suite in `conformance` (feature `testing`).
//!
//! Three promises hold for every implementation:
//!
//! * **A commit that answered `Ok` is durable**, and every later read sees it.
//! * **A read never sees a commit that is not durable**, so nothing can leave the host before its cause is on disk.
//! * **Commits are decided in the order of the calls**: a batch's preconditions see every batch accepted before it.
//!
//! This crate knows no async runtime, no HTTP and no WebAssembly.

mod batch;
mod blobs;
#[cfg(feature = "testing")]
pub mod conformance;
mod durable;
#[cfg(feature = "testing")]
mod faulty;
mod memory;
#[cfg(any(test, feature = "testing"))]
mod random;
pub mod schema;
mod store;
#[cfg(feature = "testing")]
mod wrapper;

pub use batch::{Batch, Change, Class, Expect, Precondition, Table};
pub use blobs::Blobs;
#[cfg(any(test, feature = "testing"))]
pub use durable::SimMachine;
pub use durable::{FORMAT, MAX_BATCH_BYTES, RedbOptions, RedbStore};
#[cfg(feature = "testing")]
pub use faulty::{Fault, FaultyStore};
pub use memory::MemoryStore;
pub use store::{Answer, Commit, CommitError, Health, Order, Row, Store, StoreError};
#[cfg(feature = "testing")]
pub use wrapper::Wrapper;
