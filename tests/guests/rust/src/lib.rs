//! The language suite in Rust: small workflows that together use all that an SDK does.
//!
//! Every language that Refrain has an SDK for has a component with these workflows, and all must leave the same
//! history. This one is the reference, where the description in `tests/guests/README.md` leaves something open.

mod activities;
mod context;
mod failures;
mod lives;
mod messages;

refrain_sdk::component!(
    activities::sequence,
    activities::parallel,
    activities::fan_out,
    failures::retries,
    context::timer,
    messages::select,
    failures::saga,
    context::reads,
    context::log,
    messages::query,
    messages::update,
    lives::child,
    lives::continue_as_new,
    lives::cancel_cleanup,
    lives::patched,
    failures::bug,
);
