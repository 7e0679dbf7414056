//! What `refrain replay --json` says: one JSON value on each line.

use serde::Serialize;

use crate::render::sweep::REMEDIES;
use crate::wire::{JudgedRun, SweepSummary};

/// A line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ReplayLine<'a> {
    /// What became of one history.
    Run {
        /// Where it was read; absent when a host was asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<&'a str>,
        /// As of a check of open runs.
        #[serde(flatten)]
        run: &'a JudgedRun,
        /// What can be done where the code differs.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        remedies: Vec<&'static str>,
    },
    /// A history that nobody can replay.
    Unreadable {
        /// Where it is.
        file: &'a str,
        /// What is wrong with it.
        message: &'a str,
    },
    /// The last line.
    Summary {
        /// As of a check of open runs; `safe` only if every history could be read.
        #[serde(flatten)]
        summary: &'a SweepSummary,
        /// Histories that nobody can replay.
        unreadable: u64,
    },
}

impl<'a> ReplayLine<'a> {
    /// The line of a run.
    pub fn run(file: Option<&'a str>, run: &'a JudgedRun) -> Self {
        let remedies =
            if run.mismatch.is_some() { REMEDIES.map(|(_, remedy)| remedy).to_vec() } else { Vec::new() };
        Self::Run { file, run, remedies }
    }
}
