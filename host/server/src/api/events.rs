//! A history event as JSON: its type and its attributes.
//!
//! Attributes are written as text, one by one, so that payloads keep their bytes.

use std::collections::BTreeMap;

use refrain_engine::history::{HistoryEvent, HistoryKind};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::convert::{execution, failure, payload_out, time};
use crate::wire::{self, Json};

/// The two fields of a payload: for JSON, and for anything else.
const INPUT: [&str; 2] = ["input", "input_payload"];
const RESULT: [&str; 2] = ["result", "result_payload"];

pub(super) fn event(event: &HistoryEvent) -> wire::HistoryEvent {
    wire::HistoryEvent {
        number: event.number,
        step: event.step,
        time: time(event.time),
        boot: event.boot,
        event_type: event.kind.name().to_owned(),
        attributes: attributes(&event.kind),
    }
}

fn attributes(kind: &HistoryKind) -> Json {
    let mut object = Object(String::new());
    match kind {
        HistoryKind::WorkflowStarted { workflow, input, component, version } => object
            .field("workflow", workflow)
            .field("component", component)
            .field("version", version)
            .payload(INPUT, input),
        HistoryKind::WorkflowDelayed { until, attempt, last_failure } => object
            .field("until", &time(*until))
            .field("attempt", attempt)
            .optional("last_failure", last_failure.as_ref().map(failure)),
        HistoryKind::ActivityScheduled { op, name, input, summary } => object
            .field("op", op)
            .field("name", name)
            .optional("summary", summary.as_ref())
            .payload(INPUT, input),
        HistoryKind::ActivityCompleted { op, name, attempt, started_at, result } => object
            .field("op", op)
            .field("name", name)
            .field("attempt", attempt)
            .optional("started_at", rfc3339(*started_at))
            .payload(RESULT, result),
        HistoryKind::ActivityFailed { op, name, attempt, started_at, failure: why } => object
            .field("op", op)
            .field("name", name)
            .field("attempt", attempt)
            .optional("started_at", rfc3339(*started_at))
            .field("failure", &failure(why)),
        HistoryKind::TimerStarted { op, deadline, summary } => {
            object.field("op", op).field("deadline", &time(*deadline)).optional("summary", summary.as_ref())
        }
        HistoryKind::TimerFired { op } | HistoryKind::OpDetached { op } => object.field("op", op),
        HistoryKind::OpCancelRequested { op, reason } | HistoryKind::OpCanceled { op, reason } => {
            object.field("op", op).field("reason", reason)
        }
        HistoryKind::ChildInitiated { op, name, input, summary } => object
            .field("op", op)
            .field("name", name)
            .optional("summary", summary.as_ref())
            .payload(INPUT, input),
        HistoryKind::ChildStarted { op, name, child } => {
            object.field("op", op).field("name", name).field("child", &execution(child))
        }
        HistoryKind::ChildStartFailed { op, name, failure: why }
        | HistoryKind::ChildFailed { op, name, failure: why } => {
            object.field("op", op).field("name", name).field("failure", &failure(why))
        }
        HistoryKind::ChildCompleted { op, name, result } => {
            object.field("op", op).field("name", name).payload(RESULT, result)
        }
        HistoryKind::SignalSent { op, target, name, input } => object
            .field("op", op)
            .field("target", &execution(target))
            .field("name", name)
            .payload(INPUT, input),
        HistoryKind::CancelSent { op, target, reason } => {
            object.field("op", op).field("target", &execution(target)).field("reason", reason)
        }
        HistoryKind::SendingCompleted { op } => object.field("op", op),
        HistoryKind::SendingFailed { op, failure: why } => {
            object.field("op", op).field("failure", &failure(why))
        }
        HistoryKind::UpdateReceived { update_id, name, input } => {
            object.field("update_id", update_id).field("name", name).payload(INPUT, input)
        }
        HistoryKind::UpdateAccepted { update_id } => object.field("update_id", update_id),
        HistoryKind::UpdateCompleted { update_id, result } => {
            object.field("update_id", update_id).payload(RESULT, result)
        }
        HistoryKind::UpdateRejected { update_id, failure: why }
        | HistoryKind::UpdateFailed { update_id, failure: why } => {
            object.field("update_id", update_id).field("failure", &failure(why))
        }
        HistoryKind::WorkflowForked { of } => object.field("of", &execution(of)),
        HistoryKind::WorkflowMoved { component, version, digest, reason } => object
            .field("component", component)
            .field("version", version)
            .field("digest", &digest.to_string())
            .field("reason", reason),
        HistoryKind::SignalReceived { name, input } => object.field("name", name).payload(INPUT, input),
        HistoryKind::CancelRequested { reason } | HistoryKind::WorkflowTerminated { reason } => {
            object.field("reason", reason)
        }
        HistoryKind::HostRestarted { previous } => object.field("previous_boot", previous),
        HistoryKind::Logged { level, message, fields } => object
            .field("level", level.as_str())
            .field("message", message)
            .field("fields", &fields.iter().map(|(name, value)| (name, value)).collect::<BTreeMap<_, _>>()),
        HistoryKind::MarkerRecorded { id, version } => object.field("id", id).field("version", version),
        HistoryKind::Read { import, count } => object.field("import", import).field("count", count),
        HistoryKind::Waited { interest } => object.field("interest", interest),
        HistoryKind::WorkflowCompleted { result } => object.payload(RESULT, result),
        HistoryKind::WorkflowFailed { failure: why } | HistoryKind::WorkflowTimedOut { failure: why } => {
            object.field("failure", &failure(why))
        }
        HistoryKind::WorkflowCanceled { result: Some(result), .. } => object.payload(RESULT, result),
        HistoryKind::WorkflowCanceled { result: None, reason: Some(reason) } => {
            object.field("reason", reason)
        }
        HistoryKind::WorkflowCanceled { result: None, reason: None } => &mut object,
        HistoryKind::WorkflowContinuedAsNew { input } => object.payload(INPUT, input),
    };
    object.finish()
}

fn rfc3339(at: Option<Timestamp>) -> Option<jiff::Timestamp> {
    at.map(time)
}

/// A JSON object that is being written.
struct Object(String);

impl Object {
    fn field(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> &mut Self {
        // Strings, numbers and structures of them always serialise.
        if let Ok(value) = to_raw_value(value) {
            self.0.push_str(if self.0.is_empty() { "{\"" } else { ",\"" });
            self.0.push_str(name);
            self.0.push_str("\":");
            self.0.push_str(value.get());
        }
        self
    }

    fn optional(&mut self, name: &'static str, value: Option<impl Serialize>) -> &mut Self {
        match value {
            Some(value) => self.field(name, &value),
            None => self,
        }
    }

    fn payload(&mut self, [json, encoded]: [&'static str; 2], payload: &Payload) -> &mut Self {
        let (as_json, as_encoded) = payload_out(payload);
        self.optional(json, as_json).optional(encoded, as_encoded)
    }

    fn finish(mut self) -> Json {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        RawValue::from_string(self.0).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}
