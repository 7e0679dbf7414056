//! Values and failures on the wire.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A JSON text that is passed on as it is: neither parsed nor written again.
pub type Json = Box<RawValue>;

/// Reads a field that is there: `null` is a value like any other, and not its absence.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// A value that is not JSON, or that claims to be and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodedPayload {
    /// The media type of the value.
    #[schema(example = "application/cbor")]
    pub content_type: String,
    /// The value in base64: the standard alphabet, with padding.
    #[schema(example = "oWFhAQ==")]
    pub data_base64: String,
}

/// Why something failed, with the whole chain of causes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Who says so: `application`, `canceled`, `timeout`, `terminated`, `host` or `other`.
    pub kind: String,
    /// What kind of error, for code and for retry policies.
    #[serde(rename = "type")]
    pub error_type: String,
    /// What this level was doing, for people.
    pub message: String,
    /// No retry policy retries this failure.
    #[serde(default)]
    pub non_retryable: bool,
    /// The language's own stack trace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stack: String,
    /// More about it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// More about it, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
    /// Why, outermost first.
    #[serde(default)]
    pub causes: Vec<Cause>,
}

impl Failure {
    /// `message: cause: cause`, as people say it.
    pub fn chain(&self) -> String {
        self.causes.iter().fold(self.message.clone(), |chain, cause| chain + ": " + &cause.message)
    }
}

/// One link of a failure's chain.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// Who says so.
    pub kind: String,
    /// What kind of error, for code.
    #[serde(rename = "type")]
    pub error_type: String,
    /// What happened, for people.
    pub message: String,
    /// The language's own stack trace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stack: String,
    /// More about it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<Json>,
    /// More about it, when that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details_payload: Option<EncodedPayload>,
}
