//! A worker against a host that a test plays: each request waits until the test answers it.

mod drain;
mod heartbeats;
mod host;
mod polling;
mod reports;
