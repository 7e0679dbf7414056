//! The sandbox with the real engine and small guests.

mod activities;
mod cache;
mod children;
mod determinism;
mod hostile;
mod http;
mod images;
mod owner;
mod queries;
mod residency;
mod text_guest;
mod upload;
mod wasi;
