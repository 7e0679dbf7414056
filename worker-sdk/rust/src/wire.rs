//! The JSON that workers and hosts exchange.
//!
//! These types are the worker's own: it is compiled without the host. Only fields that the worker uses are listed in
//! answers, and unknown ones are passed over, so that a newer host may say more.
//!
//! A payload whose content type is JSON stands in a field (`input`, `result`, `details`) as it is, byte for byte; any
//! other stands in the field of the same name with `_payload` appended, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use refrain_plugin::{ActivityError, Payload};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A JSON text that is passed on as it is.
pub(crate) type Json = Box<RawValue>;

/// A payload that is not JSON, or that claims to be and is not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EncodedPayload {
    content_type: String,
    data_base64: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct PollRequest<'a> {
    pub(crate) worker: &'a str,
    pub(crate) poll_id: &'a str,
    pub(crate) activities: &'a [String],
    pub(crate) wait: String,
}

/// A task as the host hands it out.
#[derive(Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) task_token: String,
    pub(crate) activity: String,
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    input_payload: Option<EncodedPayload>,
    pub(crate) attempt: u32,
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    /// The number of the activity's op, as a string.
    #[serde(deserialize_with = "op")]
    pub(crate) activity_id: u64,
    pub(crate) namespace: String,
    started_at: Timestamp,
    deadline: Option<Timestamp>,
    heartbeat_timeout: Option<SignedDuration>,
    #[serde(default, deserialize_with = "present")]
    last_heartbeat: Option<Json>,
    last_heartbeat_payload: Option<EncodedPayload>,
}

impl Task {
    pub(crate) fn input(&self) -> Result<Payload, base64::DecodeError> {
        let none = || Payload { content_type: Payload::JSON.to_owned(), data: Vec::new().into() };
        Ok(join(self.input.as_ref(), self.input_payload.as_ref())?.unwrap_or_else(none))
    }

    pub(crate) fn last_heartbeat(&self) -> Result<Option<Payload>, base64::DecodeError> {
        join(self.last_heartbeat.as_ref(), self.last_heartbeat_payload.as_ref())
    }

    /// How long the attempt is of interest, from its start. Two times of the host's clock are compared, never one of
    /// them with this machine's.
    pub(crate) fn time_limit(&self) -> Option<std::time::Duration> {
        Some(self.deadline?.duration_since(self.started_at).try_into().unwrap_or_default())
    }

    pub(crate) fn heartbeat_timeout(&self) -> Option<std::time::Duration> {
        self.heartbeat_timeout?.try_into().ok()
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct CompleteRequest<'a> {
    pub(crate) task_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result_payload: Option<EncodedPayload>,
}

/// A beat, the confirmation of a cancellation, or the message that somebody else will end the attempt: a token with
/// details, or without.
#[derive(Debug, Serialize)]
pub(crate) struct DetailsRequest<'a> {
    pub(crate) task_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details_payload: Option<EncodedPayload>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FailRequest<'a> {
    pub(crate) task_token: &'a str,
    pub(crate) failure: Failure<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_retry_delay: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) benign: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Failure<'a> {
    #[serde(rename = "type")]
    error_type: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    non_retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details_payload: Option<EncodedPayload>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<Cause<'a>>,
}

#[derive(Debug, Serialize)]
struct Cause<'a> {
    #[serde(rename = "type")]
    error_type: &'a str,
    message: &'a str,
}

impl<'a> CompleteRequest<'a> {
    pub(crate) fn new(task_token: &'a str, result: &Payload) -> Self {
        let (result, result_payload) = split(result);
        Self { task_token, result, result_payload }
    }
}

impl<'a> DetailsRequest<'a> {
    pub(crate) fn new(task_token: &'a str, details: Option<&Payload>) -> Self {
        let (details, details_payload) = details.map(split).unwrap_or_default();
        Self { task_token, details, details_payload }
    }
}

impl<'a> FailRequest<'a> {
    pub(crate) fn new(task_token: &'a str, error: &'a ActivityError) -> Self {
        let (details, details_payload) = error.details.as_deref().map(split).unwrap_or_default();
        let failure = Failure {
            error_type: &error.error_type,
            message: &error.message,
            non_retryable: error.non_retryable,
            details,
            details_payload,
            causes: error
                .causes
                .iter()
                .map(|cause| Cause { error_type: &cause.error_type, message: &cause.message })
                .collect(),
        };
        let next_retry_delay = error.next_retry_delay.map(in_milliseconds);
        Self { task_token, failure, next_retry_delay, benign: error.benign }
    }
}

/// What the host answers to a beat.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct HeartbeatAnswer {
    pub(crate) cancel_requested: bool,
    pub(crate) paused: bool,
    pub(crate) reset: bool,
}

/// A refusal (RFC 9457), as far as people want to read it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) detail: String,
    pub(crate) hint: String,
}

/// A length of time as the API writes it.
pub(crate) fn in_milliseconds(time: std::time::Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// The two fields that a payload may stand in.
fn split(payload: &Payload) -> (Option<Json>, Option<EncodedPayload>) {
    let json = (payload.content_type == Payload::JSON)
        .then(|| serde_json::from_slice::<Json>(&payload.data).ok())
        .flatten();
    let encoded = json.is_none().then(|| EncodedPayload {
        content_type: payload.content_type.clone(),
        data_base64: STANDARD.encode(&payload.data),
    });
    (json, encoded)
}

fn join(
    json: Option<&Json>,
    encoded: Option<&EncodedPayload>,
) -> Result<Option<Payload>, base64::DecodeError> {
    if let Some(json) = json {
        let data = json.get().as_bytes().to_vec().into();
        return Ok(Some(Payload { content_type: Payload::JSON.to_owned(), data }));
    }
    let Some(encoded) = encoded else { return Ok(None) };
    let data = STANDARD.decode(&encoded.data_base64)?.into();
    Ok(Some(Payload { content_type: encoded.content_type.clone(), data }))
}

/// Reads a field that is there: `null` is a value like any other, and not its absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

fn op<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no activity id")))
}

// The form that serde's `skip_serializing_if` wants.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_stand_in_the_field_that_fits_them_and_come_back_as_they_were() {
        let payload = |content_type: &str, data: &[u8]| Payload {
            content_type: content_type.to_owned(),
            data: data.to_vec().into(),
        };
        let cases = [
            (payload(Payload::JSON, b"{\"b\": 1.50,  \"a\": null}"), true),
            (payload(Payload::JSON, b"null"), true),
            (payload(Payload::JSON, b"no json"), false),
            (payload(Payload::JSON, b""), false),
            (payload("image/png", &[0, 159]), false),
        ];
        for (payload, is_json) in cases {
            let (json, encoded) = split(&payload);
            assert_eq!((json.is_some(), encoded.is_some()), (is_json, !is_json), "{payload:?}");
            let back = join(json.as_ref(), encoded.as_ref()).unwrap();
            assert_eq!(back.as_ref(), Some(&payload));
        }
    }

    #[test]
    fn a_task_is_read_with_what_may_be_absent_and_what_is_not_known() {
        let text = |more: &str| {
            format!(
                r#"{{"task_token": "t", "activity": "a", "attempt": 2, "workflow_id": "w", "run_id": "r",
                "activity_id": "7", "namespace": "default", "started_at": "2026-01-01T00:00:00Z", "new": 1{more}}}"#
            )
        };
        let task: Task = serde_json::from_str(&text("")).unwrap();
        assert_eq!((task.activity_id, task.attempt), (7, 2));
        assert_eq!(task.input().unwrap().parse(), Ok(()));
        assert_eq!(
            (task.last_heartbeat().unwrap(), task.time_limit(), task.heartbeat_timeout()),
            (None, None, None)
        );

        let more = r#", "input": null, "deadline": "2026-01-01T00:01:30.5Z", "heartbeat_timeout": "1500ms",
            "last_heartbeat_payload": {"content_type": "x/y", "data_base64": "AAE="}"#;
        let task: Task = serde_json::from_str(&text(more)).unwrap();
        assert_eq!(&task.input().unwrap().data[..], b"null");
        assert_eq!(&task.last_heartbeat().unwrap().unwrap().data[..], [0, 1]);
        assert_eq!(task.time_limit(), Some(std::time::Duration::from_millis(90_500)));
        assert_eq!(task.heartbeat_timeout(), Some(std::time::Duration::from_millis(1500)));
    }
}
