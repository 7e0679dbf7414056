//! What an answer says when it is a refusal.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Failure, Mismatch};

/// Problem details (RFC 9457), with the content type `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Which problem, for code: a stable URN.
    #[serde(rename = "type")]
    #[schema(example = "urn:refrain:problem:not-found")]
    pub problem_type: String,
    /// The last part of that URN.
    #[serde(default)]
    #[schema(example = "not-found")]
    pub code: String,
    /// The problem in a few words, the same for each occurrence.
    pub title: String,
    /// The HTTP status, again.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
    /// The field, query parameter or header that is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The run that is in the way, when one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What the workflow's code, or the host about it, says: of queries that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Failure>>,
    /// Where the code differs from the run's journal: of moves that would not replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Box<Mismatch>>,
}
