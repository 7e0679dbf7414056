//! Scenarios: tests of workflows that are written down and not programmed, in any guest language, for `refrain test`.
//!
//! | module | concept |
//! |---|---|
//! | [`mod@file`] | the files |
//! | [`load`] | the files and their components, taken up |
//! | `answers` | what activities and children answer |
//! | `play` | a scenario on a host in virtual time: what is observed |
//! | `expect` | what is observed beside what was expected |
//! | `remarks` | what may be why it is otherwise |
//! | [`suite`] | many scenarios: seeds, crashes, snapshots |
//! | [`certify`] | whether a component is deterministic: scenarios on hosts that it cannot tell apart |
//!
//! The host is `refrain-testkit`'s. Nothing here knows a terminal.

mod answers;
pub mod certify;
mod expect;
pub mod file;
pub mod load;
mod play;
mod remarks;
pub mod suite;
