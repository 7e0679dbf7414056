//! The `http` plugin as the host meets it: an activity by name, JSON in and out, real sockets on this machine.

#![cfg(feature = "http")]

mod config;
mod failures;
mod raw;
mod redirects;
mod refusals;
mod requests;
mod responses;
mod support;
mod tls;
