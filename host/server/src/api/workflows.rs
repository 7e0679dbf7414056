//! Executions: start, list, describe, wait for the result, and what is done to a run from outside.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use refrain_runtime::{ListFilter, RunResult, SendSignal, StartWorkflow, Target};
use serde::Deserialize;

use super::extract::{ApiJson, ApiPath, ApiQuery, Scope, path_segment, target, wait_time, workflow_id};
use super::problem::Refusal;
use super::{Host, changes, convert, lifecycle, sse, updates, versions};
use crate::suggest::nearest;
use crate::wire::{
    self, CancelRequest, Description, Problem, ResumeRequest, SignalRequest, StartRequest, StartedRun,
    Status, TerminateRequest, WorkflowList,
};

/// Entries of a page unless the request says otherwise.
const PAGE_SIZE: usize = 100;
/// Entries of a page at most: one answer stays well below a megabyte.
const MAX_PAGE_SIZE: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct IdPath {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct SignalPath {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    status: Option<String>,
    workflow: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribeQuery {
    run_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultQuery {
    run_id: Option<String>,
    wait: Option<String>,
}

/// The size of a page that a request asks for.
pub(super) fn page_size(limit: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = limit else { return Ok(PAGE_SIZE) };
    match text.parse() {
        Ok(limit @ 1..=MAX_PAGE_SIZE) => Ok(limit),
        _ => Err(Refusal::invalid(
            "limit",
            format!("{text:?} is not a page size"),
            format!("use a whole number from 1 to {MAX_PAGE_SIZE}, and `cursor` for the next page"),
        )),
    }
}

/// Start an execution
///
/// The answer comes when the start is durable. Of many starts with one id a single run is open at any time: what
/// becomes of a start that finds one says `id_conflict_policy`, and of one that finds a run that has ended
/// `id_reuse_policy`. With an update the answer comes when that has come as far as is waited for, or the wait is over;
/// its stage says which.
#[utoipa::path(
    post,
    path = "/workflows",
    tag = "workflows",
    request_body = StartRequest,
    responses(
        (status = 201, description = "A new run", body = StartedRun),
        (status = 200, description = "A start with the same `request_id` had made this run, or the id conflict policy uses it", body = StartedRun),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No component defines the type", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The execution is running (`already-running`), its id may not be used again (`already-ran`), or several components define the type", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The task queue has no room (`queue-full`), or the run takes no more messages (`busy`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn start_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiJson(mut request): ApiJson<StartRequest>,
) -> Result<(StatusCode, Json<StartedRun>), Refusal> {
    let signal = lifecycle::signal_in(&mut request)?;
    let update = request.update.take();
    let update =
        update.map(|update| updates::start_in(&host, update, request.request_id.as_deref())).transpose()?;
    let start_delay = lifecycle::length_in("start_delay", request.start_delay.as_deref())?;
    let start = StartWorkflow {
        workflow: request.workflow,
        id: request.id.map(workflow_id).transpose()?,
        input: convert::payload_in("input", request.input, request.input_payload)?,
        component: request.component,
        version: request.version,
        digest: request.digest.as_deref().map(versions::digest_in).transpose()?,
        request_id: request.request_id,
        task_queue: request.task_queue,
        memo: convert::memo_in(request.memo),
        id_reuse_policy: lifecycle::reuse_in(request.id_reuse_policy),
        id_conflict_policy: request.id_conflict_policy.map(lifecycle::conflict_in),
        execution_timeout: lifecycle::length_in("execution_timeout", request.execution_timeout.as_deref())?,
        run_timeout: lifecycle::length_in("run_timeout", request.run_timeout.as_deref())?,
        retry: request.retry.map(lifecycle::retry_in).transpose()?,
        start_delay: start_delay.unwrap_or_default(),
        signal,
        update: update.as_ref().map(|update| update.update.clone()),
    };
    let started = host.runtime().start_workflow(&namespace, start).await?;
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    let run = Target { workflow_id: started.workflow_id.clone(), run_id: Some(started.run_id) };
    let update = match update {
        Some(update) => Some(update.answer(&host, &namespace, &run).await?),
        None => None,
    };
    let body = StartedRun {
        id: started.workflow_id.to_string(),
        run_id: started.run_id.to_string(),
        created: started.created,
        update,
    };
    Ok((status, Json(body)))
}

/// List runs
///
/// With `Accept: text/event-stream` the answer is a stream of runs as they change, from the request on: each event
/// `run` has as its `data` the JSON of a `RunSummary`, when the run begins, with each step that it makes, and when it
/// is parked, paused or ends. Of runs that change quickly not each change is told, and the last one always is. An event
/// `missed` says that there were more than could be told: the list has them. Who begins to listen first and lists
/// afterwards misses nothing.
#[utoipa::path(
    get,
    path = "/workflows",
    tag = "workflows",
    params(
        ("status" = Option<Status>, Query, description = "Only runs that stand so"),
        ("workflow" = Option<String>, Query, description = "Only runs of this type"),
        ("limit" = Option<u32>, Query, description = "How many, at most 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "One page, newest first", content(
            (WorkflowList = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_workflows(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiQuery(query): ApiQuery<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let limit = page_size(query.limit.as_deref())?;
    let filter = ListFilter {
        status: query.status.as_deref().map(status).transpose()?.map(convert::status_in),
        workflow: query.workflow,
    };
    if sse::is_wanted(&headers) {
        if let Some(field) = query.limit.and(Some("limit")).or(query.cursor.and(Some("cursor"))) {
            let detail = format!("{field} is given, and a stream of runs has no pages");
            return Err(Refusal::invalid(field, detail, "leave it out, or ask for application/json"));
        }
        return changes::stream(host, &namespace, filter);
    }
    let page = host.runtime().list(&namespace, &filter, limit, query.cursor.as_deref())?;
    Ok(Json(WorkflowList {
        workflows: page.items.into_iter().map(convert::summary).collect(),
        next_cursor: page.next_cursor,
    })
    .into_response())
}

fn status(name: &str) -> Result<Status, Refusal> {
    Status::from_name(name).ok_or_else(|| {
        let names = Status::ALL.map(Status::as_str);
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", names.join(", ")),
        };
        Refusal::invalid("status", format!("{name:?} is not a status"), hint)
    })
}

/// Describe a run
#[utoipa::path(
    get,
    path = "/workflows/{id}",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("run_id" = Option<String>, Query, description = "The run; the execution's latest one when absent"),
    ),
    responses(
        (status = 200, description = "All that is known of it, except its history", body = Description),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn describe_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiQuery(query): ApiQuery<DescribeQuery>,
) -> Result<Json<Description>, Refusal> {
    let target = target(id, query.run_id.as_deref())?;
    let description = host.runtime().describe(&namespace, &target).await?;
    Ok(Json(convert::description(description)))
}

/// Wait for a run's result
///
/// Follows the execution from run to run where one continued as new or was tried again, unless `run_id` is given.
#[utoipa::path(
    get,
    path = "/workflows/{id}/result",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("run_id" = Option<String>, Query, description = "The run; the execution's latest one when absent"),
        ("wait" = Option<String>, Query, description = "How long to wait for its end, such as `30s`; at most 60 s, and not at all when absent"),
    ),
    responses(
        (status = 200, description = "It is over", body = wire::RunResult),
        (status = 202, description = "It is not over yet: ask again", body = wire::RunResult),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn workflow_result(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiQuery(query): ApiQuery<ResultQuery>,
) -> Result<(StatusCode, Json<wire::RunResult>), Refusal> {
    let wait = wait_time(query.wait.as_deref(), Duration::ZERO)?;
    let target = target(id, query.run_id.as_deref())?;
    let runtime = host.runtime();
    let result = match host.while_open(runtime.result(&namespace, &target, wait)).await {
        Some(result) => result?,
        // The host is going down: say how it stands, so that nobody waits for the deadline.
        None => runtime.result(&namespace, &target, Duration::ZERO).await?,
    };
    let status = match &result {
        RunResult::Running { .. } => StatusCode::ACCEPTED,
        RunResult::Closed { .. } => StatusCode::OK,
    };
    Ok((status, Json(convert::result(target.workflow_id.to_string(), &result))))
}

/// Send a signal to a run
///
/// The answer comes when the signal is durable in the run's mailbox.
#[utoipa::path(
    post,
    path = "/workflows/{id}/signals/{name}",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("name" = String, Path, description = "The signal's name, percent-encoded"),
    ),
    request_body = SignalRequest,
    responses(
        (status = 204, description = "The run will get it"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is over", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The run's mailbox is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn signal_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(SignalPath { id, name }): ApiPath<SignalPath>,
    ApiJson(request): ApiJson<SignalRequest>,
) -> Result<StatusCode, Refusal> {
    path_segment("name", &name)?;
    let target = target(id, request.run_id.as_deref())?;
    let input = convert::payload_in("input", request.input, request.input_payload)?;
    let signal = SendSignal { name, input, request_id: request.request_id };
    host.runtime().signal(&namespace, &target, signal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask a run to end early
///
/// The run decides what to do about it; it may clean up first.
#[utoipa::path(
    post,
    path = "/workflows/{id}/cancel",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = CancelRequest,
    responses(
        (status = 204, description = "The run will get the request"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<CancelRequest>,
) -> Result<StatusCode, Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    host.runtime().cancel(&namespace, &target, request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a run at once
///
/// The run is not asked and cannot clean up.
#[utoipa::path(
    post,
    path = "/workflows/{id}/terminate",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = TerminateRequest,
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run was over already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn terminate_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<TerminateRequest>,
) -> Result<StatusCode, Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    host.runtime().terminate(&namespace, &target, request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a parked run try its step again
#[utoipa::path(
    post,
    path = "/workflows/{id}/resume",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = ResumeRequest,
    responses(
        (status = 204, description = "It tries again"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<ResumeRequest>,
) -> Result<StatusCode, Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    host.runtime().resume(&namespace, &target).await?;
    Ok(StatusCode::NO_CONTENT)
}
