//! A run's history as a file.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde::Deserialize;

use super::Host;
use super::extract::{ApiPath, ApiQuery, Scope, target};
use super::problem::Refusal;
use super::sweeps::JSON_LINES;
use super::workflows::IdPath;
use crate::wire::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    run_id: Option<String>,
    redact: Option<String>,
}

/// Export a run's history
///
/// The answer is a file of JSON lines that `refrain replay` replays anywhere: the format's name and number, what the run
/// began with, each record of its journal, and a checksum. A run that has not ended is exported as far as it has come. An
/// answer that was cut lacks the last line, and is refused when it is read.
#[utoipa::path(
    get,
    path = "/workflows/{id}/export",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("run_id" = Option<String>, Query, description = "The run; the execution's latest one when absent"),
        ("redact" = Option<bool>, Query, description = "Replace every payload. The file then says of itself that it cannot be replayed"),
    ),
    responses(
        (status = 200, description = "The history, a JSON value on each line", body = String, content_type = "application/x-ndjson"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn export_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiQuery(query): ApiQuery<ExportQuery>,
) -> Result<Response, Refusal> {
    let target = target(id, query.run_id.as_deref())?;
    let redacts = match query.redact.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Refusal::invalid("redact", format!("{other:?} is no choice"), "use true or false"));
        }
    };
    let export = host.runtime().export(&namespace, &target, redacts).await?;
    // The answer has begun when something goes wrong, so all that can be done is to break it off.
    let lines = stream::try_unfold(export, |export| async {
        let next = export.next().await.map_err(|error| io::Error::other(error.to_string()))?;
        Ok::<_, io::Error>(next.map(|(lines, export)| (Bytes::from(lines), export)))
    });
    Ok(([(CONTENT_TYPE, JSON_LINES)], Body::from_stream(lines)).into_response())
}
