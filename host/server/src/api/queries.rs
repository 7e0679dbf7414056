//! Queries: a run is asked, and does not notice.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::extract::{ApiJson, ApiPath, Scope, path_segment, target};
use super::problem::Refusal;
use super::{Host, convert};
use crate::wire::{Consistency, Problem, QueryRequest, QueryResult};

#[derive(Deserialize)]
pub(super) struct QueryPath {
    id: String,
    name: String,
}

/// Ask a run
///
/// An instance of its own is replayed from the run's journal, answers, and is dropped: the run does not notice,
/// whether it works, sleeps, is parked or is over. With `at` it is asked about its past.
#[utoipa::path(
    post,
    path = "/workflows/{id}/queries/{name}",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("name" = String, Path, description = "The query's name, percent-encoded"),
    ),
    request_body = QueryRequest,
    responses(
        (status = 200, description = "The answer", body = QueryResult),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run takes no queries where it stands (`not-served`)", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The workflow's code did not answer it (`not-handled`, `query-tried-to-change`, `query-failed`); `failure` says more", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries at once, or the run does not come to its next wait", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn query_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(QueryPath { id, name }): ApiPath<QueryPath>,
    ApiJson(request): ApiJson<QueryRequest>,
) -> Result<Json<QueryResult>, Refusal> {
    path_segment("name", &name)?;
    let target = target(id, request.run_id.as_deref())?;
    let query = refrain_runtime::QueryRequest {
        name,
        input: convert::payload_in("input", request.input, request.input_payload)?,
        consistency: match request.consistency {
            Consistency::Latest => refrain_runtime::Consistency::Latest,
            Consistency::Stale => refrain_runtime::Consistency::Stale,
        },
        at: request.at,
    };
    let answer = host.runtime().query(&namespace, &target, query).await?;
    let (result, result_payload) = convert::payload_out(&answer.result);
    Ok(Json(QueryResult { run_id: answer.run_id.to_string(), step: answer.step, result, result_payload }))
}
