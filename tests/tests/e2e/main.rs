//! End-to-end tests of the host; see the library of this package for how they work.

mod backup;
mod bad_input;
mod bench;
mod by_hand;
mod children;
mod cli;
mod components;
mod determinism;
mod ends;
mod eviction;
mod flow_control;
mod kills;
mod lifecycle;
mod list;
mod local_activities;
mod lost_answers;
mod parked;
mod progress;
mod queries;
mod reminder;
mod shutdown;
mod signals;
mod starts;
mod tasks;
mod updates;
mod workers;
