//! Queries on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payload::present;
use super::{EncodedPayload, Json};

/// Asks a run something.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// The query's argument, as JSON; `null` when it is absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// The query's argument, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<EncodedPayload>,
    /// The run; the execution's current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What the run must have taken before it is asked.
    #[serde(default)]
    pub consistency: Consistency,
    /// The number of an event of the history: the run is asked as it was at the end of that event's step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 120, minimum = 1)]
    pub at: Option<u64>,
}

/// What a run must have taken before it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// What had arrived when the query did, as far as the run waits for it.
    #[default]
    Latest,
    /// What its journal has.
    Stale,
}

/// What a run answers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueryResult {
    /// The run that was asked.
    pub run_id: String,
    /// The step at whose end it was asked.
    pub step: u64,
    /// The answer, as JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub result: Option<Json>,
    /// The answer, when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_payload: Option<EncodedPayload>,
}
