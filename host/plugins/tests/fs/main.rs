//! The `fs` plugin as the host meets it: activities by name, JSON in and out, real directories.

#![cfg(feature = "fs")]
// Symbolic links, modes and named pipes are made as Unix makes them.
#![cfg(unix)]

mod archive;
mod config;
mod content;
mod list;
mod move_and_remove;
mod refusals;
mod support;
