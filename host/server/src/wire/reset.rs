//! Resets and forks on the wire: runs that go on from an earlier step of another run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payload::present;
use super::{ActivityFailure, EncodedPayload, Json};

/// Lets an execution go on as a new run, from the end of an earlier step of one of its runs. That run ends, if it has
/// not.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetWorkflow {
    /// The number of an event of the history: its step is the last one that is kept. 0: none is kept, and the run
    /// begins anew.
    #[schema(example = 120)]
    pub event: u64,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The new run does not get the signals that came after that step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclude_signals: bool,
    /// What becomes of the children that are open there.
    #[serde(default)]
    pub children: ResetChildren,
    /// A repeated reset with the same key is the same reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What becomes of children that are open where a run is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ResetChildren {
    /// They go on by themselves, and the new run is told that they have failed (`not-adopted`).
    #[default]
    Leave,
    /// They are the new run's.
    Adopt,
}

/// Begins a new execution with steps of a run, which does not notice: to see what would be if something were otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkWorkflow {
    /// The new execution's id; made by the host when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "order/42 at half price")]
    pub id: Option<String>,
    /// The run that is forked; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The number of an event of the history: its step is the last one that is kept. 0: none is kept. When absent, as
    /// much is kept as can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 120)]
    pub event: Option<u64>,
    /// Another argument, as JSON. With it no step is kept.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// Another argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// Other outcomes of activities, by their numbers in the run. One step was given the outcomes of all of them: it is
    /// that of the event, and is made anew with these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub activity_results: BTreeMap<String, ActivityOutcome>,
    /// Another component that defines the workflow; the run's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Another version of the component. The steps that are kept must be such as it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The new run does not get the signals that came after the last step that is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclude_signals: bool,
    /// Why, for people: shown in the new run's history where other code goes on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// How an activity is said to have ended: with a result or a failure.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivityOutcome {
    /// The result, as JSON; `null` when there is neither a result nor a failure.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Json>,
    /// The result, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_payload: Option<EncodedPayload>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ActivityFailure>,
}

/// The run that a reset or a fork began.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ForkedRun {
    /// The execution's id.
    pub id: String,
    /// The new run's id.
    pub run_id: String,
    /// The last step that is kept; absent: the run begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// The event that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
}
