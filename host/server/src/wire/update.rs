//! Updates on the wire.

use std::fmt;

use clap::ValueEnum;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payload::present;
use super::{EncodedPayload, Failure, Json};

/// Sends an update to a run, and waits for its answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRequest {
    /// The update's argument, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// The update's argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// The sender's own id of it; the host makes one when it is absent. Makes the request safe to repeat: the same id
    /// is the same update, however far that has come and whichever run of the chain has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_id: Option<String>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// How far it must have come for the answer.
    #[serde(default)]
    pub wait_for_stage: WaitForStage,
    /// How long to wait for that, at most 60 s; 30 s when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30s")]
    pub wait: Option<String>,
}

/// The update of an update-with-start.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartUpdate {
    /// The update's name.
    pub name: String,
    /// The update's argument, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// The update's argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// The sender's own id of it; when it is absent the start's `request_id`, or one that the host makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_id: Option<String>,
    /// How far it must have come for the answer.
    #[serde(default)]
    pub wait_for_stage: WaitForStage,
    /// How long to wait for that, at most 60 s; 30 s when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30s")]
    pub wait: Option<String>,
}

/// How far an update must have come for who waits for it. One that was rejected has come as far as it ever will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum WaitForStage {
    /// It lies in the run's mailbox.
    Admitted,
    /// The workflow has let it in.
    Accepted,
    /// It has an answer.
    #[default]
    Completed,
}

impl WaitForStage {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Admitted, Self::Accepted, Self::Completed];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Accepted => "accepted",
            Self::Completed => "completed",
        }
    }

    /// The stage with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }
}

/// How far an update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UpdateStage {
    /// It lies in the run's mailbox.
    Admitted,
    /// The workflow has let it in.
    Accepted,
    /// The workflow has turned it down.
    Rejected,
    /// It has an answer, or the run has ended without one.
    Completed,
}

impl UpdateStage {
    /// Whether that is as far as somebody waits for.
    pub fn has_reached(self, wanted: WaitForStage) -> bool {
        match self {
            Self::Admitted => wanted == WaitForStage::Admitted,
            Self::Accepted => wanted != WaitForStage::Completed,
            Self::Rejected | Self::Completed => true,
        }
    }
}

impl fmt::Display for UpdateStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Admitted => "admitted",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Completed => "completed",
        })
    }
}

/// How far an update has come. One that is completed has exactly one of `result`, `result_payload` and `failure`, one
/// that is rejected has `failure`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UpdateResult {
    /// The update's id.
    pub update_id: String,
    /// The run that has it, or had it.
    pub run_id: String,
    /// How far it has come.
    pub stage: UpdateStage,
    /// The answer, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Json>,
    /// The answer, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_payload: Option<EncodedPayload>,
    /// Why it was rejected, or failed. Of the types `not-handled`, when the workflow took no notice of it, and
    /// `run-ended`, when its run ended without an answer, the host speaks; all others are the workflow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// An update that has no answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingUpdate {
    /// Its id.
    pub update_id: String,
    /// Its name.
    pub name: String,
    /// `admitted`, while it lies in the mailbox, or `accepted`.
    pub stage: UpdateStage,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}
