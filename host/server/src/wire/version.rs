//! Versions of components on the wire: what needs them, and other code for runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::workflow::{Mismatch, Status};

/// The verdict of a run that has ended meanwhile. It says nothing about the code.
pub const ENDED: &str = "ended";

/// The versions of a component.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionList {
    /// The component's name.
    pub name: String,
    /// The version that new runs get.
    pub current: u32,
    /// All versions, oldest first.
    pub versions: Vec<VersionSummary>,
}

/// A version of a component, and what needs it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionSummary {
    /// Its number.
    pub version: u32,
    /// SHA-256 of the uploaded bytes, in hexadecimal.
    pub digest: String,
    /// When it was uploaded.
    #[schema(value_type = String, format = DateTime)]
    pub uploaded_at: Timestamp,
    /// Whether new runs get this version.
    pub is_current: bool,
    /// How many runs that have not ended it executes. A version without any can be deleted, unless it is the current
    /// one.
    pub open_runs: u64,
}

/// Makes a version the current one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {}

/// Checks open runs against a version.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// So many runs at most, evenly over all of them; every one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub sample: Option<u64>,
    /// Only these runs, by run id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// Only runs of this workflow type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only runs that this version executes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<u32>,
}

/// Moves a component's open runs to a version, as far as that replays them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRunsRequest {
    /// The version.
    pub to_version: u32,
    /// So many of a hundred runs; all when absent. A run's id alone decides whether it is among them, so that a
    /// higher number means the same runs and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub percent: Option<u8>,
    /// Only runs of this workflow type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Only runs that this version executes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<u32>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Gives a run other code. One of `version`, `digest` and `undo` says which.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    /// This version of its component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The newest version of its component with this digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The code before its latest move, if nothing was recorded since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// A run that was moved.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MovedRun {
    /// The run.
    pub run_id: String,
    /// The component that executes it now.
    pub component: String,
    /// The version of that.
    pub version: u32,
    /// The digest of that version.
    pub digest: String,
    /// `identical` or `compatible`: how it replayed.
    pub verdict: String,
    /// False when that version executed it already.
    pub moved: bool,
}

/// A line of the answer of who checks or moves the open runs of a component.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SweepLine {
    /// The first line.
    Begun(SweepBegun),
    /// What became of one run.
    Run(Box<JudgedRun>),
    /// It goes on; nothing else was to be said for a while.
    Progress(SweepProgress),
    /// The last line, when every run was looked at.
    Summary(SweepSummary),
    /// The last line, when it could not go on.
    Failed {
        /// Why.
        problem: Box<Problem>,
    },
}

/// How many runs there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SweepBegun {
    /// Runs of the component that have not ended.
    pub open_runs: u64,
    /// Those of them that are looked at.
    pub selected: u64,
}

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SweepProgress {
    /// Runs that were looked at.
    pub looked_at: u64,
    /// Runs that are.
    pub selected: u64,
}

/// What became of one run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JudgedRun {
    /// The execution's id.
    pub id: String,
    /// The run's id.
    pub run_id: String,
    /// Its type.
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// The version that executed it.
    pub version: u32,
    /// The records of its journal.
    pub steps: u64,
    /// How it replayed: `identical` (every call), `compatible` (commands and markers; other reads), `diverged`,
    /// `trapped`, `budget` (it computed too long), `unavailable` (it could not be tried) or `ended` (meanwhile).
    pub verdict: String,
    /// Whether it has the version now. Absent where runs are only checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<bool>,
    /// What happened, for people; absent where it replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the journal has where the code differs, and what the code did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
    /// The number of the event that the code differs at, in the run's history; of a call that is no event, such as a
    /// wait, that of the latest event before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// The line of the workflow's own code that made the other call, where its debug information says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The functions that were active when it differed or trapped, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<String>,
}

/// What became of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SweepSummary {
    /// Runs that were looked at.
    pub looked_at: u64,
    /// Whether each of them replayed, those left out that ended meanwhile.
    pub safe: bool,
    /// How many runs have which verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// The same for each workflow type.
    pub workflows: BTreeMap<String, BTreeMap<String, u64>>,
}

impl JudgedRun {
    /// Whether the code makes every command that the journal has.
    pub fn would_replay(&self) -> bool {
        matches!(self.verdict.as_str(), "identical" | "compatible")
    }
}

impl SweepSummary {
    /// How many runs the code would go on with: those that a move has moved.
    pub fn moved(&self) -> u64 {
        ["identical", "compatible"].iter().filter_map(|verdict| self.verdicts.get(*verdict)).sum()
    }

    /// Counts a run.
    pub fn count(&mut self, run: &JudgedRun) {
        self.looked_at += 1;
        *self.verdicts.entry(run.verdict.clone()).or_default() += 1;
        let of_type = self.workflows.entry(run.workflow.clone()).or_default();
        *of_type.entry(run.verdict.clone()).or_default() += 1;
        self.safe &= run.would_replay() || run.verdict == ENDED;
    }
}
