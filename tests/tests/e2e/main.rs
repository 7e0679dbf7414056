//! End-to-end tests of the host; see the library of this package for how they work.

mod backup;
mod bad_input;
mod bench;
mod cli;
mod components;
mod determinism;
mod ends;
mod eviction;
mod kills;
mod list;
mod parked;
mod reminder;
mod shutdown;
mod starts;
