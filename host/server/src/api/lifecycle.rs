//! What operators do to runs besides ending them: pause, unpause, delete. And what a start says about its run's
//! lifecycle, as the runtime takes it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use refrain_engine::retry;
use refrain_runtime::{IdConflictPolicy, IdReusePolicy, StartSignal};
use serde::Deserialize;

use super::Host;
use super::convert;
use super::extract::{ApiJson, ApiPath, ApiQuery, Scope, length_of_time, target};
use super::problem::Refusal;
use super::workflows::IdPath;
use crate::wire::{self, Deleted, PauseRequest, Problem, StartRequest, UnpauseRequest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    run_id: Option<String>,
}

/// Let a run make no step until it is unpaused
///
/// A step that is under way is finished. Timers fire, activities run and are tried again, messages are taken, and
/// timeouts of the run go on; all that arrives waits for the run. A parked run stays parked, and is paused when it is
/// resumed.
#[utoipa::path(
    post,
    path = "/workflows/{id}/pause",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = PauseRequest,
    responses(
        (status = 204, description = "It is paused"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<PauseRequest>,
) -> Result<StatusCode, Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    host.runtime().pause(&namespace, &target, request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a paused run go on
#[utoipa::path(
    post,
    path = "/workflows/{id}/unpause",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = UnpauseRequest,
    responses(
        (status = 204, description = "It goes on"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unpause_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<UnpauseRequest>,
) -> Result<StatusCode, Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    host.runtime().unpause(&namespace, &target).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete the data of runs that have ended
///
/// Input, history, result and place in lists; for good. A request whose answer was lost can be repeated: it then
/// answers 404.
#[utoipa::path(
    delete,
    path = "/workflows/{id}",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("run_id" = Option<String>, Query, description = "The run; all runs of the execution when absent"),
    ),
    responses(
        (status = 200, description = "It is deleted", body = Deleted),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run has not ended (`not-closed`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Result<Json<Deleted>, Refusal> {
    let target = target(id, query.run_id.as_deref())?;
    let runs = host.runtime().delete(&namespace, &target).await?;
    Ok(Json(Deleted { runs }))
}

/// The signal of a signal-with-start, if the request is one. Takes its fields.
pub(super) fn signal_in(request: &mut StartRequest) -> Result<Option<StartSignal>, Refusal> {
    let (json, encoded) = (request.signal_input.take(), request.signal_input_payload.take());
    let input = convert::optional_payload_in("signal_input", json, encoded)?;
    match (request.signal.take(), input) {
        (Some(name), input) => {
            let input = input.unwrap_or_else(refrain_engine::payload::Payload::null);
            Ok(Some(StartSignal { name, input }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Refusal::invalid(
            "signal_input",
            "there is an input and no signal that it is for",
            "name the signal in the field `signal`",
        )),
    }
}

pub(super) fn reuse_in(policy: Option<wire::IdReusePolicy>) -> IdReusePolicy {
    match policy {
        None | Some(wire::IdReusePolicy::Allow) => IdReusePolicy::AllowDuplicate,
        Some(wire::IdReusePolicy::AllowFailedOnly) => IdReusePolicy::AllowDuplicateFailedOnly,
        Some(wire::IdReusePolicy::Reject) => IdReusePolicy::RejectDuplicate,
    }
}

pub(super) fn conflict_in(policy: wire::IdConflictPolicy) -> IdConflictPolicy {
    match policy {
        wire::IdConflictPolicy::Fail => IdConflictPolicy::Fail,
        wire::IdConflictPolicy::UseExisting => IdConflictPolicy::UseExisting,
        wire::IdConflictPolicy::TerminateExisting => IdConflictPolicy::TerminateExisting,
    }
}

/// A length of time, if there is one.
pub(super) fn length_in(field: &str, text: Option<&str>) -> Result<Option<Duration>, Refusal> {
    text.map(|text| length_of_time(field, text)).transpose()
}

pub(super) fn retry_in(policy: wire::RetryPolicy) -> Result<retry::RetryPolicy, Refusal> {
    let default = retry::RetryPolicy::default();
    let initial = length_in("retry.initial_interval", policy.initial_interval.as_deref())?;
    Ok(retry::RetryPolicy {
        initial_interval: initial.unwrap_or(default.initial_interval),
        backoff_coefficient: policy.backoff_coefficient.unwrap_or(default.backoff_coefficient),
        maximum_interval: length_in("retry.maximum_interval", policy.maximum_interval.as_deref())?,
        maximum_attempts: policy.maximum_attempts.unwrap_or(default.maximum_attempts),
        non_retryable_error_types: policy.non_retryable_error_types,
        jitter: policy.jitter.unwrap_or(default.jitter),
    })
}

/// A policy with all that holds.
pub(super) fn retry_out(policy: &retry::RetryPolicy) -> wire::RetryPolicy {
    wire::RetryPolicy {
        initial_interval: Some(length_out(policy.initial_interval)),
        backoff_coefficient: Some(policy.backoff_coefficient),
        maximum_interval: policy.maximum_interval.map(length_out),
        maximum_attempts: Some(policy.maximum_attempts),
        non_retryable_error_types: policy.non_retryable_error_types.clone(),
        jitter: (policy.jitter != 0.0).then_some(policy.jitter),
    }
}

/// A length of time as it can be sent back.
pub(super) fn length_out(length: Duration) -> String {
    jiff::SignedDuration::try_from(length)
        .map_or_else(|_| format!("{}s", length.as_secs()), |length| format!("{length:#}"))
}
