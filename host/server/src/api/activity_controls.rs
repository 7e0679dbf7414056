//! What people and programs do to an activity that they know by its ids, whichever attempt it is at: end it by hand,
//! keep it alive, and what operators have at hand besides.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use refrain_engine::ids::{Namespace, Op};
use refrain_runtime::{
    ActivityRef, Control, Error, OptionsPatch, Report, ResetRequest, RetryPatch, Target, Unpause,
};
use serde::Deserialize;

use super::Host;
use super::activities::{canceled, completed, failed};
use super::convert::{self, optional_payload_in};
use super::extract::{ApiJson, ApiPath, Scope, length_of_time, target};
use super::problem::{Kind, Refusal};
use crate::wire::{
    CancelActivity, CompleteActivity, Done, FailActivity, HeartbeatActivity, HeartbeatAnswer, PauseActivity,
    Problem, ResetActivity, RetryUpdate, UnpauseActivity, UpdateActivityOptions,
};

#[derive(Deserialize)]
pub(super) struct ActivityPath {
    id: String,
    activity_id: String,
}

impl ActivityPath {
    /// The run and the activity in it.
    fn activity(self, run_id: Option<&str>) -> Result<(Target, Op), Refusal> {
        let target = target(self.id, run_id)?;
        let op = self.activity_id.parse().map_err(|_| {
            Refusal::invalid(
                "activity_id",
                format!("{:?} is not an activity's id", self.activity_id),
                "use its number in the run, as the history and the run's description show it",
            )
        })?;
        Ok((target, op))
    }
}

async fn report(
    host: &Host,
    namespace: &Namespace,
    (target, op): (Target, Op),
    report: Report,
) -> Result<Json<Done>, Refusal> {
    let activity = ActivityRef::Id { target, op };
    host.runtime().report_activity(namespace, &activity, report).await.map_err(refusal)?;
    Ok(Json(Done {}))
}

async fn control(
    host: &Host,
    namespace: &Namespace,
    (target, op): (Target, Op),
    control: Control,
) -> Result<Json<Done>, Refusal> {
    host.runtime().control_activity(namespace, &target, op, control).await.map_err(refusal)?;
    Ok(Json(Done {}))
}

/// Who asks by ids is no worker that has a task.
fn refusal(error: Error) -> Refusal {
    match error {
        Error::Stale { activity, reason } => Refusal::new(
            Kind::StaleTask,
            format!("activity {activity}: {reason}"),
            "the run's description lists the activities that have not ended",
        ),
        error => error.into(),
    }
}

/// Complete an activity by hand
///
/// Also one that waits for its next attempt. An attempt that runs is not wanted any more.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/complete",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = CompleteActivity,
    responses(
        (status = 200, description = "The activity has this result", body = Done),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn complete_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<CompleteActivity>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    report(&host, &namespace, activity, completed(request.result, request.result_payload)?).await
}

/// Fail an activity by hand
///
/// Where an attempt runs, that attempt fails, and the retry policy says whether another one follows. An activity that
/// waits for its first or its next attempt, in its task queue or in backoff, ends for good. The run's description shows the
/// next attempt if one follows, its history the end if none does.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/fail",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = FailActivity,
    responses(
        (status = 200, description = "The failure is durable", body = Done),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fail_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<FailActivity>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    let failure = failed(request.failure, request.next_retry_delay.as_deref(), request.benign)?;
    report(&host, &namespace, activity, failure).await
}

/// End an activity by hand, as canceled
///
/// It ends for good, also one that waits for its next attempt, and whether or not somebody asked for it. An attempt that
/// runs is not wanted any more.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/cancel",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = CancelActivity,
    responses(
        (status = 200, description = "The activity is canceled", body = Done),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<CancelActivity>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    report(&host, &namespace, activity, canceled(request.details, request.details_payload)?).await
}

/// Say that an activity's attempt is alive
///
/// For one that is ended from outside: what waits for its end knows how far it has come.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/heartbeat",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = HeartbeatActivity,
    responses(
        (status = 200, description = "The host has heard it", body = HeartbeatAnswer),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No attempt runs, or the activity or the run is over (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn heartbeat_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<HeartbeatActivity>,
) -> Result<Json<HeartbeatAnswer>, Refusal> {
    let (target, op) = path.activity(request.run_id.as_deref())?;
    let details = optional_payload_in("details", request.details, request.details_payload)?;
    let activity = ActivityRef::Id { target, op };
    let answer = host.runtime().heartbeat_activity(&namespace, &activity, details).await.map_err(refusal)?;
    Ok(Json(convert::heartbeat_answer(answer)))
}

/// Pause an activity
///
/// No further attempt begins until it is unpaused. One that runs is told that it may stop: a worker's by the answer to its
/// next heartbeat, the host's own at once. If it goes on, its end counts as ever. If it stops, and reports itself as
/// canceled, it does not use up an attempt: the next one has its number. The schedule-to-close timeout goes on.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/pause",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = PauseActivity,
    responses(
        (status = 200, description = "It is paused", body = Done),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<PauseActivity>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    control(&host, &namespace, activity, Control::Pause { reason: request.reason }).await
}

/// Let a paused activity go on
///
/// Its next attempt may begin at once.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/unpause",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = UnpauseActivity,
    responses(
        (status = 200, description = "It goes on", body = Done),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn unpause_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<UnpauseActivity>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    let unpause =
        Unpause { reset_attempts: request.reset_attempts, reset_heartbeat: request.reset_heartbeat };
    control(&host, &namespace, activity, Control::Unpause(unpause)).await
}

/// Take an activity back to its first attempt
///
/// One that waits for its next attempt begins at once. An attempt that runs goes on and is told by its heartbeat's
/// answer; if it fails, attempt 1 follows at once.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/reset",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = ResetActivity,
    responses(
        (status = 200, description = "It is reset", body = Done),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn reset_activity(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<ResetActivity>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    let reset = ResetRequest { reset_heartbeat: request.reset_heartbeat, keep_paused: request.keep_paused };
    control(&host, &namespace, activity, Control::Reset(reset)).await
}

/// Give an activity other options
///
/// They are in force at once, also for an attempt that runs; a wait for the next attempt is computed anew from the
/// failure that it follows.
#[utoipa::path(
    post,
    path = "/workflows/{id}/activities/{activity_id}/update-options",
    tag = "activities",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("activity_id" = String, Path, description = "The activity's number in its run"),
    ),
    request_body = UpdateActivityOptions,
    responses(
        (status = 200, description = "They are in force", body = Done),
        (status = 400, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The activity or the run is over, or there never was an activity of this id (`stale-task`)", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn update_activity_options(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(path): ApiPath<ActivityPath>,
    ApiJson(request): ApiJson<UpdateActivityOptions>,
) -> Result<Json<Done>, Refusal> {
    let activity = path.activity(request.run_id.as_deref())?;
    let patch = options_patch(request)?;
    control(&host, &namespace, activity, Control::UpdateOptions(Box::new(patch))).await
}

fn options_patch(update: UpdateActivityOptions) -> Result<OptionsPatch, Refusal> {
    Ok(OptionsPatch {
        task_queue: update.task_queue,
        schedule_to_close: removable("schedule_to_close_timeout", update.schedule_to_close_timeout)?,
        schedule_to_start: removable("schedule_to_start_timeout", update.schedule_to_start_timeout)?,
        start_to_close: removable("start_to_close_timeout", update.start_to_close_timeout)?,
        heartbeat: removable("heartbeat_timeout", update.heartbeat_timeout)?,
        priority: update.priority,
        retry: update.retry.map(retry_patch).transpose()?,
    })
}

fn retry_patch(update: RetryUpdate) -> Result<RetryPatch, Refusal> {
    let initial = update.initial_interval.as_deref();
    Ok(RetryPatch {
        initial_interval: initial.map(|text| length_of_time("retry.initial_interval", text)).transpose()?,
        backoff_coefficient: update.backoff_coefficient,
        maximum_interval: removable("retry.maximum_interval", update.maximum_interval)?,
        maximum_attempts: update.maximum_attempts,
        non_retryable_error_types: update.non_retryable_error_types,
        jitter: update.jitter,
    })
}

/// A length of time that can be left as it is (`None`), taken away (`Some(None)`) or set.
fn removable(field: &str, value: Option<Option<String>>) -> Result<Option<Option<Duration>>, Refusal> {
    value.map(|value| value.map(|text| length_of_time(field, &text)).transpose()).transpose()
}
