//! What callers give to resets and forks, and get from them.

use std::collections::BTreeMap;

use refrain_engine::failure::Outcome;
use refrain_engine::ids::{Op, RunId, WorkflowId};
use refrain_engine::payload::Payload;

/// A reset: the execution goes on as a new run, from the end of an earlier step of one of its runs.
#[derive(Clone, Debug, Default)]
pub struct ResetWorkflow {
    /// The number of an event in the run's history: its step is the last one that is kept. 0: none is kept.
    pub event: u64,
    /// Why, for people.
    pub reason: String,
    /// The new run does not get the signals that came after that step.
    pub exclude_signals: bool,
    /// What becomes of the children that are open there.
    pub children: ResetChildren,
    /// A repeated reset with the same key is the same reset.
    pub request_id: Option<String>,
}

/// What becomes of children that are open where a run is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetChildren {
    /// They stay with the old run, and the new one is told that they have failed.
    #[default]
    Leave,
    /// They are the new run's.
    Adopt,
}

/// A fork: a new execution that begins with steps of a run, which does not notice.
#[derive(Clone, Debug, Default)]
pub struct ForkWorkflow {
    /// The new execution's id; `None`: the host makes one.
    pub id: Option<WorkflowId>,
    /// As in [`ResetWorkflow`]; `None`: as much as can be kept.
    pub event: Option<u64>,
    /// Another argument. No step of a run with another one can be kept.
    pub input: Option<Payload>,
    /// Other outcomes of activities whose outcomes one step was given. That step is the first that is made anew.
    pub activity_results: BTreeMap<Op, Outcome>,
    /// Another component that defines the workflow; `None`: the same one.
    pub component: Option<String>,
    /// Another version; `None`: that which executes the run, or of another component the current one.
    pub version: Option<u32>,
    /// The new run does not get the signals that came after the last step that is kept.
    pub exclude_signals: bool,
    /// Why, for people: it is in the new run's history where the code changes.
    pub reason: String,
}

/// The answer to a reset or a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkedRun {
    /// The execution.
    pub workflow_id: WorkflowId,
    /// Its new run.
    pub run_id: RunId,
    /// The last step that is kept; `None`: the run begins anew.
    pub step: Option<u64>,
}
