//! Refrain's HTTP API, its command line, and the wiring of a host.
//!
//! | module | concept |
//! |---|---|
//! | [`wire`] | the JSON of the API, as types |
//! | [`api`] | the API: a router over a running host |
//! | [`config`] | what can be configured, and from where |
//! | [`serve`] | a host's life: wired, served, stopped |
//! | [`client`] | a typed client of the API |
//! | [`project`] | folders with the source of workflows: what is in a new one, and how one is built |
//! | [`replay`] | histories replayed here, without a host |
//! | [`scenario`] | tests of workflows that are written down, played on a host in virtual time |
//! | [`debug`](mod@debug) | a run, looked at call by call |
//! | [`bench`](mod@bench) | the host's own load, measured |
//! | [`cli`], [`render`] | the command line, and what people read there |
//!
//! This crate wires: what a run is, where it lives and how it executes is known below it.

pub mod api;
pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod debug;
pub mod project;
pub mod render;
pub mod replay;
pub mod scenario;
pub mod serve;
mod suggest;
pub mod wire;
