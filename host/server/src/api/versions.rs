//! Versions of a component: what needs them, which is current, deleting them; and other code for open runs, checked
//! before it is given.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use refrain_engine::ids::{Digest, RunId};
use refrain_runtime::{Against, MoveTo, Selection};
use serde::Deserialize;

use super::components::{
    self, NamePath, Upload, VersionPath, WASM_TYPES, not_wasm, take_upload, versions_of,
};
use super::extract::{ApiJson, ApiPath, ApiQuery, Scope, media_type, target};
use super::problem::Refusal;
use super::workflows::IdPath;
use super::{Host, sweeps};
use crate::wire::{
    ActivateRequest, CheckRequest, MoveRequest, MoveRunsRequest, MovedRun, Problem, SweepLine, VersionList,
    VersionSummary,
};

/// Runs that one request can name.
const MAX_NAMED_RUNS: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckQuery {
    sample: Option<String>,
    runs: Option<String>,
    workflow: Option<String>,
    from_version: Option<String>,
}

/// List a component's versions with what needs them
#[utoipa::path(
    get,
    path = "/components/{name}/versions",
    tag = "components",
    params(("name" = String, Path, description = "The component's name")),
    responses(
        (status = 200, description = "All versions, oldest first", body = VersionList),
        (status = 404, description = "No component has this name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_versions(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(NamePath { name }): ApiPath<NamePath>,
) -> Result<Json<VersionList>, Refusal> {
    let (current, versions) = versions_of(&host, &namespace, &name).await?;
    let versions = versions.into_iter().map(|version| VersionSummary {
        version: version.version,
        digest: version.digest,
        uploaded_at: version.uploaded_at,
        is_current: version.is_current,
        open_runs: version.open_runs,
    });
    let versions = versions.collect();
    Ok(Json(VersionList { name, current, versions }))
}

/// Make a version the one that new runs get
///
/// An older one for a rollback. Runs keep the versions that execute them.
#[utoipa::path(
    post,
    path = "/components/{name}/versions/{version}/activate",
    tag = "components",
    params(
        ("name" = String, Path, description = "The component's name"),
        ("version" = u32, Path, description = "The version's number, from 1"),
    ),
    request_body = ActivateRequest,
    responses(
        (status = 204, description = "It is the current version"),
        (status = 404, description = "No such component or version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn activate_version(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(VersionPath { name, version }): ApiPath<VersionPath>,
    ApiJson(ActivateRequest {}): ApiJson<ActivateRequest>,
) -> Result<StatusCode, Refusal> {
    host.runtime().activate_component_version(&namespace, &name, version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a version that no open run needs
///
/// Its code goes with it unless another version has the same. Runs of it that have ended keep their histories and
/// results, and answer no queries any more. Its number is not given again.
#[utoipa::path(
    delete,
    path = "/components/{name}/versions/{version}",
    tag = "components",
    params(
        ("name" = String, Path, description = "The component's name"),
        ("version" = u32, Path, description = "The version's number, from 1"),
    ),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "No such component or version", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Open runs need it (`version-in-use`), or it is the current version (`current-version`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete_version(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(VersionPath { name, version }): ApiPath<VersionPath>,
) -> Result<StatusCode, Refusal> {
    let digest = host.runtime().delete_component_version(&namespace, &name, version).await?;
    host.hold(digest).await.let_go().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Check a component before it becomes a version
///
/// The body is a component as for an upload. It is checked like one and becomes no version: the journals of the open
/// runs of all versions are replayed with it, each in an instance of its own, while the runs go on. The answer is a
/// stream of JSON lines (`SweepLine`): one for each run as it is looked at, and at the end a summary, whose `safe`
/// says whether each of them would go on with it. A name that no component has yet has no runs.
#[utoipa::path(
    post,
    path = "/components/{name}/check",
    tag = "components",
    params(
        ("name" = String, Path, description = "The component's name"),
        ("sample" = Option<u64>, Query, description = "So many runs at most, evenly over all of them; every one when absent"),
        ("runs" = Option<String>, Query, description = "Only these runs: run ids with commas between them"),
        ("workflow" = Option<String>, Query, description = "Only runs of this type"),
        ("from_version" = Option<u32>, Query, description = "Only runs that this version executes"),
    ),
    request_body(content_type = "application/wasm", description = "The component's bytes"),
    responses(
        (status = 200, description = "What would become of each run, a JSON value on each line", body = SweepLine, content_type = "application/x-ndjson"),
        (status = 413, description = "Larger than the configured `max_upload_bytes`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a component that can run here", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Others are being checked", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn check_component(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(NamePath { name }): ApiPath<NamePath>,
    ApiQuery(query): ApiQuery<CheckQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    components::check_component(&name)?;
    // Unlike an upload, which is no request that a web page can make without asking.
    match media_type(request.headers()) {
        Some(given) if WASM_TYPES.contains(&given) => {}
        Some(given) => return Err(not_wasm(format!("the content type is {given:?}"))),
        None => return Err(not_wasm("there is no content type".to_owned())),
    }
    let number = |field: &str, text: Option<String>| {
        let parse = |text: String| {
            text.parse::<u32>().map_err(|_| {
                Refusal::invalid(field, format!("{text:?} is not a number"), "use a whole number")
            })
        };
        text.map(parse).transpose()
    };
    let runs = query.runs.map(|runs| runs.split(',').map(str::to_owned).collect());
    let selection = selection(CheckRequest {
        sample: number("sample", query.sample)?.map(u64::from),
        runs: runs.unwrap_or_default(),
        workflow: query.workflow,
        from_version: number("from_version", query.from_version)?,
    })?;
    let Upload { inspected, held, .. } = take_upload(&host, request).await?;
    let workflows = inspected.definition.workflows.into_iter().map(|workflow| workflow.name).collect();
    let against = Against::Candidate { digest: inspected.digest, workflows };
    let events = host.runtime().check_runs(&namespace, &name, against, selection)?;
    Ok(sweeps::lines(host, events, false, Some(held)))
}

/// Check whether a version would go on with the open runs of others
///
/// As with a component that is not a version yet: nothing is moved, and the runs go on meanwhile.
#[utoipa::path(
    post,
    path = "/components/{name}/versions/{version}/check",
    tag = "components",
    params(
        ("name" = String, Path, description = "The component's name"),
        ("version" = u32, Path, description = "The version's number, from 1"),
    ),
    request_body = CheckRequest,
    responses(
        (status = 200, description = "What would become of each run, a JSON value on each line", body = SweepLine, content_type = "application/x-ndjson"),
        (status = 404, description = "No such component or version", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Others are being checked", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn check_version(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(VersionPath { name, version }): ApiPath<VersionPath>,
    ApiJson(request): ApiJson<CheckRequest>,
) -> Result<Response, Refusal> {
    let selection = selection(request)?;
    let events = host.runtime().check_runs(&namespace, &name, Against::Version(version), selection)?;
    Ok(sweeps::lines(host, events, false, None))
}

/// Move a component's open runs to a version
///
/// Each run is replayed with the version first, between two of its steps, and moved only if it would go on with it; the
/// others stay as they are. Parked runs that are moved go on. The answer is a stream of JSON lines, as of a check.
#[utoipa::path(
    post,
    path = "/components/{name}/move",
    tag = "components",
    params(("name" = String, Path, description = "The component's name")),
    request_body = MoveRunsRequest,
    responses(
        (status = 200, description = "What became of each run, a JSON value on each line", body = SweepLine, content_type = "application/x-ndjson"),
        (status = 404, description = "No such component or version", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Others are being moved", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn move_component(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(NamePath { name }): ApiPath<NamePath>,
    ApiJson(request): ApiJson<MoveRunsRequest>,
) -> Result<Response, Refusal> {
    let MoveRunsRequest { to_version, percent, workflow, from_version, reason } = request;
    if let Some(percent) = percent.filter(|percent| !(1..=100).contains(percent)) {
        return Err(Refusal::invalid(
            "percent",
            format!("{percent} is no part of a hundred"),
            "use a whole number from 1 to 100",
        ));
    }
    let selection = Selection { percent, workflow, from_version, ..Selection::default() };
    let events = host.runtime().move_runs(&namespace, &name, to_version, selection, reason)?;
    Ok(sweeps::lines(host, events, true, None))
}

/// Move a run to other code
///
/// The run's journal is replayed with it first, between two steps. Only if it makes every command that the journal has
/// is the run moved, which its history says; else it stays as it is, and the answer says where the code differs. A
/// parked run that is moved goes on. Moving back is a move as well, and `undo` one to the code before the latest, as
/// long as nothing was recorded since.
#[utoipa::path(
    post,
    path = "/workflows/{id}/move",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = MoveRequest,
    responses(
        (status = 200, description = "That code executes it", body = MovedRun),
        (status = 404, description = "No such execution, run or version", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The code would not replay it (`diverges`, with `mismatch`), the run is over, or there is no move to undo (`nothing-to-undo`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn move_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<MoveRequest>,
) -> Result<Json<MovedRun>, Refusal> {
    let MoveRequest { version, digest, undo, reason, run_id } = request;
    let target = target(id, run_id.as_deref())?;
    let digest = digest.as_deref().map(digest_in).transpose()?;
    let to = match (version, digest, undo) {
        (Some(version), None, false) => MoveTo::Version(version),
        (None, Some(digest), false) => MoveTo::Code(digest),
        (None, None, true) => MoveTo::Back,
        (_, _, _) => {
            return Err(Refusal::invalid(
                "version",
                "it is not said once which code the run is to have",
                "give one of `version`, `digest` and `undo`",
            ));
        }
    };
    let moved = host.runtime().move_run(&namespace, &target, to, reason).await?;
    Ok(Json(MovedRun {
        run_id: moved.run_id.to_string(),
        component: moved.code.component,
        version: moved.code.version,
        digest: moved.code.digest.to_string(),
        verdict: moved.verdict.as_str().to_owned(),
        moved: moved.moved,
    }))
}

/// A digest as requests write it.
pub(super) fn digest_in(text: &str) -> Result<Digest, Refusal> {
    let refuse = || {
        let hint = "give all 64 hexadecimal digits, as `GET /v1/components/{name}/versions` shows them";
        Refusal::invalid("digest", format!("{text:?} is not a digest"), hint)
    };
    text.parse().map_err(|_| refuse())
}

fn selection(request: CheckRequest) -> Result<Selection, Refusal> {
    let CheckRequest { sample, runs, workflow, from_version } = request;
    if sample == Some(0) {
        return Err(Refusal::invalid("sample", "0 runs tell nothing", "use a whole number from 1"));
    }
    if runs.len() > MAX_NAMED_RUNS {
        let hint = format!("name at most {MAX_NAMED_RUNS}, or leave `runs` out");
        return Err(Refusal::invalid("runs", format!("{} runs are named", runs.len()), hint));
    }
    let run = |text: &String| {
        let hint = "name runs by run id, as `refrain workflow describe` shows it";
        text.parse::<RunId>().map_err(|error| Refusal::invalid("runs", error.to_string(), hint))
    };
    let runs = runs.iter().map(run).collect::<Result<BTreeSet<RunId>, Refusal>>()?;
    Ok(Selection { sample, percent: None, runs, workflow, from_version })
}
