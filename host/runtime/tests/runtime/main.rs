//! The runtime over scripted guests, stores in memory that fail when they are told to, and a virtual time.
//!
//! A [`world::World`] outlives the host; each life of the host in it is a tokio runtime of its own, and a crash is
//! the end of that: no task of it does anything more.

mod activities;
mod basics;
mod changes;
mod child_table;
mod children;
mod clients;
mod controls;
mod crashes;
mod external;
mod forks;
mod heartbeats;
mod histories;
mod large;
mod lifecycle;
mod local;
mod moves;
mod outside;
mod parking;
mod preflight;
mod queries;
mod queues;
mod races;
mod requests;
mod reset_children;
mod resets;
mod scale;
mod shutdown;
mod threads;
mod unheard;
mod update_with_start;
mod updates;
mod versions;
mod workers;
mod world;
