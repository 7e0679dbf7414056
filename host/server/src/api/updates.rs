//! Updates: messages whose senders wait for an answer.
//!
//! What becomes of an update is the content of an answer and never its status: a workflow that turns one down has
//! done what it was asked, and whoever asks again later hears the same.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use refrain_engine::failure::Outcome;
use refrain_engine::ids::Namespace;
use refrain_runtime::{SendUpdate, Target, UpdateProgress, UpdateStatus, WaitStage};
use serde::Deserialize;

use super::extract::{ApiJson, ApiPath, ApiQuery, Scope, path_segment, target, wait_time};
use super::problem::Refusal;
use super::{Host, convert};
use crate::suggest::nearest;
use crate::wire::{
    PendingUpdate, Problem, StartUpdate, UpdateRequest, UpdateResult, UpdateStage, WaitForStage,
};

/// How long an update waits for its answer unless the request says otherwise: longer than most handlers take, and less
/// than proxies give up after.
const WAIT: Duration = Duration::from_secs(30);

/// The last segment is the update's name where it is sent, and its id where it is asked for.
#[derive(Deserialize)]
pub(super) struct UpdatePath {
    id: String,
    update: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgressQuery {
    run_id: Option<String>,
    wait_for_stage: Option<String>,
    wait: Option<String>,
}

/// Send an update to a run, and wait for its answer
///
/// The update is durable in the run's mailbox before anything is answered. A workflow that takes it accepts or rejects
/// it in the same step, and completes it then or later; one that takes no messages meanwhile leaves it `admitted`.
/// A rejected update and one that failed are answers like any other: see `stage` and `failure`. When a run
/// continues as new, or is followed by another attempt, the updates that it was not given go along; with any other end
/// of it, and once they are accepted, they fail as `run-ended`.
#[utoipa::path(
    post,
    path = "/workflows/{id}/updates/{update}",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("update" = String, Path, description = "The update's name, percent-encoded"),
    ),
    request_body = UpdateRequest,
    responses(
        (status = 200, description = "It has come as far as was asked for, or was rejected", body = UpdateResult),
        (status = 202, description = "It has not come so far yet: ask for it by its `update_id`", body = UpdateResult),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is over", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The run's mailbox is full, too many of its updates wait for an answer, or it has rejected too many just now", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The host's disk is nearly full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(UpdatePath { id, update: name }): ApiPath<UpdatePath>,
    ApiJson(request): ApiJson<UpdateRequest>,
) -> Result<(StatusCode, Json<UpdateResult>), Refusal> {
    path_segment("name", &name)?;
    let target = target(id, request.run_id.as_deref())?;
    let wait = wait_time(request.wait.as_deref(), WAIT)?;
    let input = convert::payload_in("input", request.input, request.input_payload)?;
    let update_id = update_id(&host, request.update_id)?;
    let update = SendUpdate { update_id: update_id.clone(), name, input };
    let run_id = host.runtime().update(&namespace, &target, update).await?;
    let target = Target { run_id: Some(run_id), ..target };
    answer(&host, &namespace, &target, update_id, request.wait_for_stage, wait).await
}

/// Ask how far an update has come
///
/// Its runs are all those of the chain that the run belongs to, continued as new or tried again.
#[utoipa::path(
    get,
    path = "/workflows/{id}/updates/{update}",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("update" = String, Path, description = "The update's id, percent-encoded"),
        ("run_id" = Option<String>, Query, description = "A run of the chain; the execution's latest one when absent"),
        ("wait_for_stage" = Option<WaitForStage>, Query, description = "How far it must have come for the answer; `completed` by default"),
        ("wait" = Option<String>, Query, description = "How long to wait for that, such as `30s`; at most 60 s, and not at all when absent"),
    ),
    responses(
        (status = 200, description = "It has come as far as was asked for, or was rejected", body = UpdateResult),
        (status = 202, description = "It has not come so far yet: ask again", body = UpdateResult),
        (status = 404, description = "No such execution, run or update", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_progress(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(UpdatePath { id, update }): ApiPath<UpdatePath>,
    ApiQuery(query): ApiQuery<ProgressQuery>,
) -> Result<(StatusCode, Json<UpdateResult>), Refusal> {
    let wait = wait_time(query.wait.as_deref(), Duration::ZERO)?;
    let stage = query.wait_for_stage.as_deref().map_or(Ok(WaitForStage::default()), stage)?;
    let target = target(id, query.run_id.as_deref())?;
    answer(&host, &namespace, &target, update, stage, wait).await
}

fn stage(name: &str) -> Result<WaitForStage, Refusal> {
    WaitForStage::from_name(name).ok_or_else(|| {
        let names = WaitForStage::ALL.map(WaitForStage::as_str);
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", names.join(", ")),
        };
        Refusal::invalid("wait_for_stage", format!("{name:?} is not a stage to wait for"), hint)
    })
}

/// The id that the sender gave, or a new one.
fn update_id(host: &Host, given: Option<String>) -> Result<String, Refusal> {
    let Some(id) = given else { return Ok(host.runtime().new_update_id()?) };
    path_segment("update_id", &id)?;
    Ok(id)
}

async fn answer(
    host: &Host,
    namespace: &Namespace,
    target: &Target,
    update_id: String,
    stage: WaitForStage,
    wait: Duration,
) -> Result<(StatusCode, Json<UpdateResult>), Refusal> {
    let stage = match stage {
        WaitForStage::Admitted => WaitStage::Admitted,
        WaitForStage::Accepted => WaitStage::Accepted,
        WaitForStage::Completed => WaitStage::Completed,
    };
    let progress = |wait| host.runtime().update_progress(namespace, target, &update_id, stage, wait);
    let progress = match host.while_open(progress(wait)).await {
        Some(progress) => progress?,
        // The host is going down: say how it stands, so that nobody waits for the deadline.
        None => progress(Duration::ZERO).await?,
    };
    let status = if progress.reached { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(result_out(update_id, &progress))))
}

fn result_out(update_id: String, progress: &UpdateProgress) -> UpdateResult {
    let (stage, answer, failure) = match &progress.status {
        UpdateStatus::Admitted => (UpdateStage::Admitted, None, None),
        UpdateStatus::Accepted => (UpdateStage::Accepted, None, None),
        UpdateStatus::Rejected(failure) => (UpdateStage::Rejected, None, Some(failure)),
        UpdateStatus::Completed(Outcome::Completed(answer)) => (UpdateStage::Completed, Some(answer), None),
        UpdateStatus::Completed(Outcome::Failed(failure)) => (UpdateStage::Completed, None, Some(failure)),
    };
    let (result, result_payload) = convert::optional_payload_out(answer);
    let (run_id, failure) = (progress.run_id.to_string(), failure.map(convert::failure));
    UpdateResult { update_id, run_id, stage, result, result_payload, failure }
}

/// The update of a start, with what it is waited for.
pub(super) struct StartsWith {
    pub(super) update: SendUpdate,
    stage: WaitForStage,
    wait: Duration,
}

/// The update of an update-with-start. Where it has no id of its own, a start that is repeated by its request id
/// repeats the update as well.
pub(super) fn start_in(
    host: &Host,
    update: StartUpdate,
    request_id: Option<&str>,
) -> Result<StartsWith, Refusal> {
    let input = convert::payload_in("update.input", update.input, update.input_payload)?;
    let wait = wait_time(update.wait.as_deref(), WAIT).map_err(|refusal| refusal.about("update.wait"))?;
    let update_id = update_id(host, update.update_id.or_else(|| request_id.map(str::to_owned)))?;
    let sent = SendUpdate { update_id, name: update.name, input };
    Ok(StartsWith { update: sent, stage: update.wait_for_stage, wait })
}

impl StartsWith {
    /// Waits for what the run makes of it.
    pub(super) async fn answer(
        self,
        host: &Host,
        namespace: &Namespace,
        run: &Target,
    ) -> Result<UpdateResult, Refusal> {
        let (_, Json(result)) =
            answer(host, namespace, run, self.update.update_id, self.stage, self.wait).await?;
        Ok(result)
    }
}

/// An update in the description of its run.
pub(super) fn pending_out(update: refrain_runtime::PendingUpdate) -> PendingUpdate {
    PendingUpdate {
        update_id: update.update_id,
        name: update.name,
        stage: if update.is_accepted { UpdateStage::Accepted } else { UpdateStage::Admitted },
        at: convert::time(update.at),
    }
}
