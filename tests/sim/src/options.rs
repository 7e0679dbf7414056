//! What a seed is allowed to draw.

use std::time::Duration;

/// The size of a simulation. The same seed with other options is another simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Executions that clients start. Default 6: with their children some 20 runs.
    pub executions: u64,
    /// Lives of the host that end by a crash, before the last one. At most; how many is drawn. Default 6.
    pub crashes: u64,
    /// The time within which clients begin to ask. Default 10 minutes.
    pub within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { executions: 6, crashes: 6, within: Duration::from_secs(600) }
    }
}
