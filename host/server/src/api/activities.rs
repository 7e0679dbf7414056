//! What workers ask: a task of a queue, and how its attempt goes on and ends. Attempts are named by their task tokens.
//!
//! A task that is handed out has durably begun, and a report that is answered is durable. A worker that goes away while
//! it polls loses nothing: the runtime gives the task to the next poll with the same id, or takes it back after its
//! timeout.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use refrain_engine::failure::{Cause, Failure, FailureKind};
use refrain_runtime::{ActivityRef, PollTask, Report};
use serde::Deserialize;

use super::convert::{self, optional_payload_in};
use super::extract::{ApiJson, ApiPath, Scope, length_of_time, path_segment, wait_time};
use super::problem::Refusal;
use super::{Host, MAX_WAIT};
use crate::wire::{
    ActivityFailure, ActivityTask, CancelTask, CompleteTask, Done, EncodedPayload, FailTask, HeartbeatAnswer,
    HeartbeatTask, Json as JsonText, PendingTask, PollRequest, Problem,
};

/// How long a poll waits unless it says so: long enough that an idle worker asks seldom, short enough that what sits
/// between keeps the connection.
const POLL_WAIT: Duration = Duration::from_secs(30);
const _: () = assert!(POLL_WAIT.as_secs() <= MAX_WAIT.as_secs());

#[derive(Deserialize)]
pub(super) struct QueuePath {
    pub(super) queue: String,
}

/// Wait for a task of a queue
///
/// The attempt has durably begun when this answers. A poll whose answer was lost is repeated with its `poll_id`, and
/// gets the same task again while that attempt runs.
#[utoipa::path(
    post,
    path = "/task-queues/{queue}/poll",
    tag = "activities",
    params(("queue" = String, Path, description = "The task queue, percent-encoded")),
    request_body = PollRequest,
    responses(
        (status = 200, description = "A task for this worker", body = ActivityTask),
        (status = 204, description = "Nothing came: ask again"),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn poll_task_queue(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(QueuePath { queue }): ApiPath<QueuePath>,
    ApiJson(request): ApiJson<PollRequest>,
) -> Result<Response, Refusal> {
    path_segment("queue", &queue)?;
    let wait = wait_time(request.wait.as_deref(), POLL_WAIT)?;
    let PollRequest { worker, poll_id, activities, .. } = request;
    let poll = PollTask { queue, worker, poll_id, activities, wait };
    // The runtime itself ends a poll when the host goes down: a task that is on its way then must arrive.
    let task = host.runtime().poll_task(&namespace, poll).await?;
    Ok(match task {
        Some(task) => Json(convert::activity_task(task)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Complete an attempt
///
/// The result is durable when this answers.
#[utoipa::path(
    post,
    path = "/activities/complete",
    tag = "activities",
    request_body = CompleteTask,
    responses(
        (status = 200, description = "The activity has this result", body = Done),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody waits for this attempt any more (`stale-task`): report nothing more of it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The result is too large", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn complete_task(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiJson(request): ApiJson<CompleteTask>,
) -> Result<Json<Done>, Refusal> {
    let report = completed(request.result, request.result_payload)?;
    host.runtime().report_activity(&namespace, &token(request.task_token), report).await?;
    Ok(Json(Done {}))
}

/// Fail an attempt
///
/// The activity's retry policy says whether another attempt follows. The failure is durable when this answers.
#[utoipa::path(
    post,
    path = "/activities/fail",
    tag = "activities",
    request_body = FailTask,
    responses(
        (status = 200, description = "The attempt has failed", body = Done),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody waits for this attempt any more (`stale-task`): report nothing more of it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The failure is too large", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fail_task(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiJson(request): ApiJson<FailTask>,
) -> Result<Json<Done>, Refusal> {
    let report = failed(request.failure, request.next_retry_delay.as_deref(), request.benign)?;
    host.runtime().report_activity(&namespace, &token(request.task_token), report).await?;
    Ok(Json(Done {}))
}

/// Report that an attempt stopped because it was asked to
///
/// If the run asked, the activity is canceled. If it was for a pause, the attempt does not count and is made again after
/// it; if it was for a reset, attempt 1 follows. An attempt that nobody asked to stop has failed, and is retried under its
/// policy. To end an activity for good, whoever wants it, cancel it by the ids of its workflow and its own.
#[utoipa::path(
    post,
    path = "/activities/cancel",
    tag = "activities",
    request_body = CancelTask,
    responses(
        (status = 200, description = "The attempt has stopped", body = Done),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody waits for this attempt any more (`stale-task`): report nothing more of it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel_task(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiJson(request): ApiJson<CancelTask>,
) -> Result<Json<Done>, Refusal> {
    let report = canceled(request.details, request.details_payload)?;
    host.runtime().report_activity(&namespace, &token(request.task_token), report).await?;
    Ok(Json(Done {}))
}

/// Leave an attempt to be ended later
///
/// Whoever has the task token, or knows the ids of the workflow and the activity, completes, fails or cancels it later:
/// a webhook, a person. Its timeouts go on.
#[utoipa::path(
    post,
    path = "/activities/pending",
    tag = "activities",
    request_body = PendingTask,
    responses(
        (status = 200, description = "The attempt goes on without the worker", body = Done),
        (status = 409, description = "Nobody waits for this attempt any more (`stale-task`): report nothing more of it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pending_task(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiJson(request): ApiJson<PendingTask>,
) -> Result<Json<Done>, Refusal> {
    host.runtime().report_activity(&namespace, &token(request.task_token), Report::Pending).await?;
    Ok(Json(Done {}))
}

/// Say that an attempt is alive, and how far it has come
///
/// The answer tells what the host wants of the attempt. Details are durable within a second, not at once.
#[utoipa::path(
    post,
    path = "/activities/heartbeat",
    tag = "activities",
    request_body = HeartbeatTask,
    responses(
        (status = 200, description = "The host has heard it", body = HeartbeatAnswer),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody waits for this attempt any more (`stale-task`): stop it, and report nothing more of it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The details are too large", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn heartbeat_task(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiJson(request): ApiJson<HeartbeatTask>,
) -> Result<Json<HeartbeatAnswer>, Refusal> {
    let details = optional_payload_in("details", request.details, request.details_payload)?;
    let answer = host.runtime().heartbeat_activity(&namespace, &token(request.task_token), details).await?;
    Ok(Json(convert::heartbeat_answer(answer)))
}

fn token(task_token: String) -> ActivityRef {
    ActivityRef::Token(task_token)
}

/// The report that a request with a result means.
pub(super) fn completed(
    result: Option<JsonText>,
    encoded: Option<EncodedPayload>,
) -> Result<Report, Refusal> {
    Ok(Report::Completed(convert::payload_in("result", result, encoded)?))
}

/// The report that a request with details of a canceled attempt means.
pub(super) fn canceled(
    details: Option<JsonText>,
    encoded: Option<EncodedPayload>,
) -> Result<Report, Refusal> {
    Ok(Report::Canceled { details: optional_payload_in("details", details, encoded)? })
}

/// The report that a request with a failure means.
pub(super) fn failed(
    failure: ActivityFailure,
    next_retry_delay: Option<&str>,
    benign: bool,
) -> Result<Report, Refusal> {
    Ok(Report::Failed {
        failure: failure_in("failure", failure)?,
        next_retry_delay: next_retry_delay
            .map(|delay| length_of_time("next_retry_delay", delay))
            .transpose()?,
        benign,
    })
}

/// The failure that a request means in this field.
pub(super) fn failure_in(field: &str, failure: ActivityFailure) -> Result<Failure, Refusal> {
    // Whatever goes wrong out there is the application's own, down to the last cause.
    let cause = |cause: crate::wire::ActivityCause| Cause {
        kind: FailureKind::Application,
        error_type: cause.error_type,
        message: cause.message,
        stack: String::new(),
        details: None,
    };
    let details = format!("{field}.details");
    Ok(Failure {
        kind: FailureKind::Application,
        error_type: failure.error_type,
        message: failure.message,
        stack: failure.stack,
        details: optional_payload_in(&details, failure.details, failure.details_payload)?,
        non_retryable: failure.non_retryable,
        causes: failure.causes.into_iter().map(cause).collect(),
    })
}
