//! What must hold, whatever a seed draws: one file for each promise. A checker reads the evidence and nothing of the
//! host's own opinion about itself, and says what is wrong in lines.

use crate::evidence::Evidence;

mod acknowledged;
mod liveness;
mod outcomes;
mod output;
mod parent_close;
mod queues;
mod replay;
mod signals;
mod timers;
mod updates;

/// Says what is wrong, in a line each.
pub type Checker = fn(&Evidence) -> Vec<String>;

/// All of them, by name.
pub const ALL: &[(&str, Checker)] = &[
    ("acknowledged", acknowledged::check),
    ("liveness", liveness::check),
    ("outcomes", outcomes::check),
    ("output", output::check),
    ("parent-close", parent_close::check),
    ("queues", queues::check),
    ("replay", replay::check),
    ("signals", signals::check),
    ("timers", timers::check),
    ("updates", updates::check),
];
