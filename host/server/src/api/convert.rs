//! Between the engine's and the runtime's types and the JSON of the API.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use refrain_engine::failure;
use refrain_engine::ids::Digest;
use refrain_engine::journal::ExecutionRef;
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_runtime::{self as runtime, OnTrap, RunStatus};
use refrain_sandbox as sandbox;
use serde_json::value::RawValue;

use super::problem::Refusal;
use super::{lifecycle, updates};
use crate::wire::{self, EncodedPayload, Json};

/// A payload as its two fields: JSON as it is, or anything else encoded. Exactly one of them is there.
pub(super) fn payload_out(payload: &Payload) -> (Option<Json>, Option<EncodedPayload>) {
    match json_text(payload) {
        Some(json) => (Some(json), None),
        None => {
            let data_base64 = BASE64.encode(&payload.data);
            (None, Some(EncodedPayload { content_type: payload.content_type.clone(), data_base64 }))
        }
    }
}

pub(super) fn optional_payload_out(payload: Option<&Payload>) -> (Option<Json>, Option<EncodedPayload>) {
    payload.map_or((None, None), payload_out)
}

/// The payload's own text, if it is JSON indeed: guests may call anything JSON.
fn json_text(payload: &Payload) -> Option<Json> {
    let text = if payload.is_json() { std::str::from_utf8(&payload.data).ok()? } else { return None };
    RawValue::from_string(text.to_owned()).ok()
}

/// The payload that a request means with its two fields; `null` when it has neither.
pub(super) fn payload_in(
    field: &str,
    json: Option<Json>,
    encoded: Option<EncodedPayload>,
) -> Result<Payload, Refusal> {
    Ok(optional_payload_in(field, json, encoded)?.unwrap_or_else(Payload::null))
}

/// The payload that a request means with its two fields, if it has one of them.
pub(super) fn optional_payload_in(
    field: &str,
    json: Option<Json>,
    encoded: Option<EncodedPayload>,
) -> Result<Option<Payload>, Refusal> {
    match (json, encoded) {
        (Some(json), None) => Ok(Some(Payload::json(Bytes::from(String::from(Box::<str>::from(json)))))),
        (None, Some(encoded)) => decode(field, encoded).map(Some),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Refusal::invalid(
            format!("{field}_payload"),
            format!("{field} and {field}_payload are both there"),
            format!("send JSON as {field}, any other value as {field}_payload"),
        )),
    }
}

fn decode(field: &str, encoded: EncodedPayload) -> Result<Payload, Refusal> {
    if encoded.content_type == Payload::JSON {
        return Err(Refusal::invalid(
            format!("{field}_payload.content_type"),
            format!("{field}_payload is for values that are not JSON"),
            format!("send JSON as it is, in the field {field}"),
        ));
    }
    if !encoded.content_type.contains('/') {
        return Err(Refusal::invalid(
            format!("{field}_payload.content_type"),
            format!("{:?} is not a media type", encoded.content_type),
            "use one like application/cbor or application/octet-stream",
        ));
    }
    let data = BASE64.decode(&encoded.data_base64).map_err(|error| {
        Refusal::invalid(
            format!("{field}_payload.data_base64"),
            format!("it is not base64: {error}"),
            "use the standard alphabet, with padding",
        )
    })?;
    Ok(Payload { content_type: encoded.content_type, data: data.into() })
}

/// A memo as a request means it.
pub(super) fn memo_in(memo: wire::Memo) -> Vec<(String, Payload)> {
    memo.into_iter()
        .map(|(name, json)| (name, Payload::json(Bytes::from(String::from(Box::<str>::from(json))))))
        .collect()
}

/// A time, exact to the nanosecond.
pub(super) fn time(time: Timestamp) -> jiff::Timestamp {
    // The engine's times end in the year 2554, jiff's in 9999.
    jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::MAX)
}

pub(super) fn failure(failure: &failure::Failure) -> wire::Failure {
    let (details, details_payload) = optional_payload_out(failure.details.as_ref());
    wire::Failure {
        kind: failure.kind.as_str().to_owned(),
        error_type: failure.error_type.clone(),
        message: failure.message.clone(),
        non_retryable: failure.non_retryable,
        stack: failure.stack.clone(),
        details,
        details_payload,
        causes: failure.causes.iter().map(cause).collect(),
    }
}

fn cause(cause: &failure::Cause) -> wire::Cause {
    let (details, details_payload) = optional_payload_out(cause.details.as_ref());
    wire::Cause {
        kind: cause.kind.as_str().to_owned(),
        error_type: cause.error_type.clone(),
        message: cause.message.clone(),
        stack: cause.stack.clone(),
        details,
        details_payload,
    }
}

pub(crate) fn status(status: RunStatus) -> wire::Status {
    match status {
        RunStatus::Running => wire::Status::Running,
        RunStatus::Parked => wire::Status::Parked,
        RunStatus::Completed => wire::Status::Completed,
        RunStatus::Failed => wire::Status::Failed,
        RunStatus::Canceled => wire::Status::Canceled,
        RunStatus::Terminated => wire::Status::Terminated,
        RunStatus::ContinuedAsNew => wire::Status::ContinuedAsNew,
        RunStatus::TimedOut => wire::Status::TimedOut,
        RunStatus::Paused => wire::Status::Paused,
    }
}

pub(super) fn status_in(status: wire::Status) -> RunStatus {
    match status {
        wire::Status::Running => RunStatus::Running,
        wire::Status::Parked => RunStatus::Parked,
        wire::Status::Completed => RunStatus::Completed,
        wire::Status::Failed => RunStatus::Failed,
        wire::Status::Canceled => RunStatus::Canceled,
        wire::Status::Terminated => RunStatus::Terminated,
        wire::Status::ContinuedAsNew => RunStatus::ContinuedAsNew,
        wire::Status::TimedOut => RunStatus::TimedOut,
        wire::Status::Paused => RunStatus::Paused,
    }
}

pub(super) fn summary(run: runtime::RunSummary) -> wire::RunSummary {
    wire::RunSummary {
        id: run.workflow_id.to_string(),
        run_id: run.run_id.to_string(),
        workflow: run.workflow,
        status: status(run.status),
        started_at: time(run.started_at),
        closed_at: run.closed_at.map(time),
    }
}

pub(super) fn result(id: String, result: &runtime::RunResult) -> wire::RunResult {
    match result {
        runtime::RunResult::Running { status: now, run_id } => wire::RunResult {
            id,
            run_id: run_id.to_string(),
            status: status(*now),
            result: None,
            result_payload: None,
            failure: None,
        },
        runtime::RunResult::Closed { run_id, status: end, outcome } => {
            let (result, result_payload) = optional_payload_out(outcome.as_ref().ok());
            wire::RunResult {
                id,
                run_id: run_id.to_string(),
                status: status(*end),
                result,
                result_payload,
                failure: outcome.as_ref().err().map(failure),
            }
        }
    }
}

pub(super) fn description(run: runtime::Description) -> wire::Description {
    let (input, input_payload) = payload_out(&run.input);
    let (mut memo, mut memo_payload) = (BTreeMap::new(), BTreeMap::new());
    for (name, value) in &run.memo {
        match payload_out(value) {
            (Some(json), _) => drop(memo.insert(name.clone(), json)),
            (None, Some(encoded)) => drop(memo_payload.insert(name.clone(), encoded)),
            (None, None) => {}
        }
    }
    wire::Description {
        id: run.summary.workflow_id.to_string(),
        run_id: run.summary.run_id.to_string(),
        workflow: run.summary.workflow,
        status: status(run.summary.status),
        started_at: time(run.summary.started_at),
        closed_at: run.summary.closed_at.map(time),
        component: run.component,
        version: run.version,
        digest: run.digest.to_string(),
        started_version: run.started_version,
        task_queue: run.task_queue,
        attempt: run.attempt,
        input,
        input_payload,
        parent: run.parent.as_ref().map(execution),
        root: run.root.as_ref().map(execution),
        continued_run_id: run.continued_run_id.map(|id| id.to_string()),
        continued_to: run.continued_to.map(|id| id.to_string()),
        reset_to: run.reset_to.map(|id| id.to_string()),
        forked_step: run.forked_from.as_ref().map(|(_, step)| *step),
        forked_from: run.forked_from.map(|(of, _)| execution(&of)),
        execution_deadline: run.lifecycle.execution_deadline.map(time),
        run_timeout: run.lifecycle.run_timeout.map(lifecycle::length_out),
        deadline: run.deadline.map(time),
        retry: run.lifecycle.retry.as_ref().map(lifecycle::retry_out),
        delayed_until: run.delayed_until.map(time),
        last_failure: run.lifecycle.last_failure.as_ref().map(failure),
        paused: run.paused.map(|(at, reason)| wire::Paused { at: time(at), reason }),
        memo,
        memo_payload,
        parked: run.parked.map(parked),
        waiting: run.waiting,
        listening: run.listening,
        pending_activities: run.pending_activities.iter().map(pending_activity).collect(),
        pending_timers: run.pending_timers.into_iter().map(pending_timer).collect(),
        pending_children: run.pending_children.into_iter().map(pending_child).collect(),
        pending_updates: run.pending_updates.into_iter().map(updates::pending_out).collect(),
        mailbox_waiting: run.mailbox_waiting,
        cancel_requested: run.cancel_requested,
        journal_steps: run.journal_steps,
        journal_entries: run.journal_entries,
        journal_bytes: run.journal_bytes,
        resident: run.resident,
    }
}

fn parked(parked: runtime::Parked) -> wire::Parked {
    wire::Parked {
        kind: parked.kind,
        message: parked.message,
        at: time(parked.at),
        backtrace: parked.backtrace,
        mismatch: parked.mismatch.map(mismatch),
    }
}

pub(super) fn mismatch(mismatch: runtime::StoredMismatch) -> wire::Mismatch {
    let difference = |(field, recorded, attempted)| wire::Difference { field, recorded, attempted };
    wire::Mismatch {
        position: mismatch.position,
        recorded: mismatch.recorded,
        attempted: mismatch.attempted,
        differences: mismatch.differences.into_iter().map(difference).collect(),
        likely_causes: mismatch.likely_causes,
    }
}

pub(super) fn execution(execution: &ExecutionRef) -> wire::ExecutionRef {
    wire::ExecutionRef {
        id: execution.workflow_id.to_string(),
        run_id: execution.run_id.map(|id| id.to_string()),
    }
}

fn pending_activity(activity: &runtime::PendingActivity) -> wire::PendingActivity {
    let (last_heartbeat, last_heartbeat_payload) = optional_payload_out(activity.last_heartbeat.as_ref());
    wire::PendingActivity {
        op: activity.op,
        name: activity.name.clone(),
        state: activity.state.to_owned(),
        task_queue: activity.queue.clone(),
        runner: activity.runner.map(str::to_owned),
        worker: activity.worker.clone(),
        paused: activity
            .paused
            .as_ref()
            .map(|(at, reason)| wire::Paused { at: time(*at), reason: reason.clone() }),
        attempt: activity.attempt,
        maximum_attempts: (activity.maximum_attempts > 0).then_some(activity.maximum_attempts),
        scheduled_at: time(activity.scheduled_at),
        started_at: activity.started_at.map(time),
        next_attempt_at: activity.next_attempt_at.map(time),
        last_failure: activity.last_failure.as_ref().map(failure),
        last_heartbeat,
        last_heartbeat_payload,
        last_heartbeat_at: activity.last_heartbeat_at.map(time),
    }
}

fn pending_child(child: runtime::PendingChild) -> wire::PendingChild {
    wire::PendingChild {
        op: child.op,
        workflow: child.workflow,
        id: child.workflow_id.to_string(),
        run_id: child.run_id.to_string(),
        state: child.state.to_owned(),
        parent_close_policy: child.parent_close_policy.to_owned(),
    }
}

fn pending_timer(timer: runtime::PendingTimer) -> wire::PendingTimer {
    wire::PendingTimer { op: timer.op, deadline: time(timer.deadline), summary: timer.summary }
}

pub(super) fn activity_task(task: runtime::ActivityTask) -> wire::ActivityTask {
    let (input, input_payload) = payload_out(&task.input);
    let (last_heartbeat, last_heartbeat_payload) = optional_payload_out(task.last_heartbeat.as_ref());
    wire::ActivityTask {
        task_token: task.task_token,
        activity: task.activity,
        input,
        input_payload,
        attempt: task.attempt,
        workflow_id: task.workflow_id.to_string(),
        run_id: task.run_id.to_string(),
        activity_id: task.op.to_string(),
        workflow: task.workflow,
        task_queue: task.queue,
        namespace: task.namespace.to_string(),
        idempotency_key: task.idempotency_key,
        scheduled_at: time(task.scheduled_at),
        started_at: time(task.started_at),
        deadline: task.deadline.map(time),
        heartbeat_timeout: task.heartbeat_timeout.map(seconds),
        last_heartbeat,
        last_heartbeat_payload,
        priority: task.priority,
    }
}

pub(super) fn heartbeat_answer(answer: runtime::HeartbeatAnswer) -> wire::HeartbeatAnswer {
    let runtime::HeartbeatAnswer { cancel_requested, paused, reset } = answer;
    wire::HeartbeatAnswer { cancel_requested, paused, reset }
}

pub(super) fn heartbeat(progress: &runtime::ActivityProgress) -> wire::ActivityHeartbeat {
    let (details, details_payload) = optional_payload_out(progress.details.as_ref());
    wire::ActivityHeartbeat {
        event_type: wire::HEARTBEAT.to_owned(),
        activity_id: progress.op.to_string(),
        activity: progress.activity.clone(),
        attempt: progress.attempt,
        at: time(progress.at),
        details,
        details_payload,
    }
}

/// A task queue as it stands now. `offered` are the activity types of this host's plugins.
pub(super) fn task_queue(
    queue: runtime::TaskQueueInfo,
    now: jiff::Timestamp,
    offered: &BTreeSet<String>,
) -> wire::TaskQueueInfo {
    // Clocks may be set back; and nobody wants to know it to the nanosecond.
    let age = |since| now.duration_since(time(since)).as_millis().try_into().unwrap_or(0);
    let runtime::QueueLimits { limits, in_process } = queue.limits;
    wire::TaskQueueInfo {
        name: queue.name,
        backlog: queue.backlog,
        oldest_task_age: queue.oldest_since.map(|since| seconds(Duration::from_millis(age(since)))),
        running: queue.running,
        waiting_pollers: queue.waiting_pollers,
        pollers: queue.pollers.into_iter().map(poller).collect(),
        by_priority: (1_u8..).zip(queue.by_priority).map(|(n, backlog)| (n.to_string(), backlog)).collect(),
        by_activity: queue
            .by_activity
            .into_iter()
            .map(|queued| wire::QueuedActivity {
                in_process: in_process && offered.contains(&queued.activity),
                activity: queued.activity,
                backlog: queued.backlog,
                running: queued.running,
            })
            .collect(),
        limits: wire::QueueLimits {
            concurrency: limits.concurrency,
            rate: limits.rate,
            burst: limits.burst,
            in_process,
        },
    }
}

fn poller(poller: runtime::PollerInfo) -> wire::Poller {
    wire::Poller { worker: poller.worker, last_seen: time(poller.last_seen), activities: poller.activities }
}

/// A length of time in the one unit that every reader of the API can parse without a library: `90s`, `0.5s`.
fn seconds(length: Duration) -> String {
    format!("{}s", length.as_secs_f64())
}

pub(super) fn component_summary(component: runtime::ComponentSummary) -> wire::ComponentSummary {
    wire::ComponentSummary {
        name: component.name,
        current: component.current,
        digest: component.digest.to_string(),
        updated_at: time(component.updated_at),
        workflows: component.workflows,
    }
}

pub(super) fn component_version(
    version: runtime::ComponentVersion,
    current: u32,
    open_runs: u64,
) -> wire::ComponentVersion {
    wire::ComponentVersion {
        name: version.name,
        version: version.version,
        is_current: version.version == current,
        open_runs,
        digest: version.digest.to_string(),
        uploaded_at: time(version.uploaded_at),
        uploaded_bytes: version.uploaded_bytes,
        sdk: version.sdk,
        imports: version.imports,
        workflows: version.workflows.into_iter().map(workflow_definition).collect(),
    }
}

fn workflow_definition(workflow: runtime::WorkflowDefinition) -> wire::WorkflowDefinition {
    let messages = |messages: Vec<runtime::MessageDefinition>| messages.into_iter().map(message).collect();
    wire::WorkflowDefinition {
        name: workflow.name,
        doc: workflow.doc,
        input_schema: schema(workflow.input_schema),
        output_schema: schema(workflow.output_schema),
        signals: messages(workflow.signals),
        queries: messages(workflow.queries),
        updates: messages(workflow.updates),
        on_trap: match workflow.on_trap {
            OnTrap::Park => "park",
            OnTrap::Fail => "fail",
        }
        .to_owned(),
    }
}

fn message(message: runtime::MessageDefinition) -> wire::MessageDefinition {
    wire::MessageDefinition {
        name: message.name,
        doc: message.doc,
        input_schema: schema(message.input_schema),
        output_schema: schema(message.output_schema),
    }
}

/// What an upload registers.
pub(crate) fn new_component(
    digest: Digest,
    uploaded_bytes: u64,
    definition: sandbox::Definition,
    imports: Vec<String>,
) -> runtime::NewComponent {
    let sandbox::Definition { sdk, workflows } = definition;
    runtime::NewComponent { digest, uploaded_bytes, sdk, imports, workflows }
}

/// A schema's own text. Those that are not JSON were refused at upload.
fn schema(text: Option<String>) -> Option<Json> {
    text.and_then(|text| RawValue::from_string(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_passes_byte_for_byte_and_anything_else_is_encoded() {
        for text in
            ["{\"b\":1,  \"a\":1.0e2,\"b\":2}", "null", "\"\\u00e9é\"", "123456789012345678901234567890"]
        {
            let (json, encoded) = payload_out(&Payload::json(text));
            assert_eq!(json.as_deref().map(RawValue::get), Some(text));
            assert_eq!(encoded, None);
            let back = payload_in("input", json, encoded).expect("a payload");
            assert_eq!(back, Payload::json(text));
        }
        let cbor = Payload {
            content_type: "application/cbor".into(),
            data: Bytes::from_static(b"\xa1\x61\x61\x01"),
        };
        let (json, encoded) = payload_out(&cbor);
        assert!(json.is_none());
        assert_eq!(payload_in("input", json, encoded).expect("a payload"), cbor);
    }

    #[test]
    fn what_claims_to_be_json_and_is_not_is_encoded() {
        for bytes in [&b"{\"a\":"[..], b"\xff", b""] {
            let (json, encoded) = payload_out(&Payload::json(bytes));
            assert!(json.is_none());
            assert_eq!(encoded.map(|e| e.content_type).as_deref(), Some("application/json"));
        }
    }

    #[test]
    fn lengths_of_time_are_seconds() {
        for (millis, expected) in
            [(500, "0.5s"), (10_000, "10s"), (90_000, "90s"), (86_400_001, "86400.001s")]
        {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(time(Timestamp(1_700_000_000_123_456_789)).to_string(), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(time(Timestamp(u64::MAX)).to_string(), "2554-07-21T23:34:33.709551615Z");
    }
}
