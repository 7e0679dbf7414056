//! Resets and forks: runs that go on from an earlier step of another run.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use refrain_engine::failure::Outcome;
use refrain_engine::ids::Op;
use refrain_runtime as runtime;

use super::Host;
use super::activities::failure_in;
use super::convert;
use super::extract::{ApiJson, ApiPath, Scope, target, workflow_id};
use super::problem::Refusal;
use super::workflows::IdPath;
use crate::wire::{ActivityOutcome, ForkWorkflow, ForkedRun, Problem, ResetChildren, ResetWorkflow};

/// Let an execution go on from an earlier step
///
/// The new run has the records of the run up to the end of the event's step, and goes on from there under an id of its
/// own: activities that are open there run again, timers keep their deadlines, signals that came later come again unless
/// they are excluded, and random values are drawn anew. The old run is terminated, if it has not ended; no parent-close
/// policy is applied, and a parent waits for the new run.
#[utoipa::path(
    post,
    path = "/workflows/{id}/reset",
    tag = "workflows",
    params(("id" = String, Path, description = "The execution's id, percent-encoded")),
    request_body = ResetWorkflow,
    responses(
        (status = 200, description = "The new run has begun", body = ForkedRun),
        (status = 400, description = "There is no such event, no run goes on from it, or more signals came since than a mailbox holds", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another run of the execution has not ended (`not-closed`)", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "What is open, or has arrived, is more than one batch of the store holds (`too-large`): nothing happens", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The run was moved meanwhile, or too much waits", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is nearly full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn reset_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<ResetWorkflow>,
) -> Result<Json<ForkedRun>, Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    let event = request.event;
    let reset = runtime::ResetWorkflow {
        event,
        reason: request.reason,
        exclude_signals: request.exclude_signals,
        children: match request.children {
            ResetChildren::Leave => runtime::ResetChildren::Leave,
            ResetChildren::Adopt => runtime::ResetChildren::Adopt,
        },
        request_id: request.request_id,
    };
    let run = host.runtime().reset(&namespace, &target, reset).await?;
    Ok(Json(forked(&run, Some(event))))
}

/// Begin a new execution with steps of a run
///
/// The run does not notice, whether it has ended or not. The new one goes on from the end of the event's step as after a
/// reset, with another argument, other outcomes of activities or other code where they are given. Children stay with the
/// run that started them: the new one is told that they have failed (`not-adopted`).
#[utoipa::path(
    post,
    path = "/workflows/{id}/fork",
    tag = "workflows",
    params(("id" = String, Path, description = "The id of the execution that is forked, percent-encoded")),
    request_body = ForkWorkflow,
    responses(
        (status = 201, description = "The new execution has begun", body = ForkedRun),
        (status = 400, description = "There is no such event, what is to be changed is not in its step, or the other code does not go on from there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such execution, run, component or version", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The new id is that of an execution which has not ended (`already-running`)", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "What is open, or has arrived, is more than one batch of the store holds (`too-large`): nothing happens", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The run was moved meanwhile, or too much waits", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is nearly full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn fork_workflow(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiJson(request): ApiJson<ForkWorkflow>,
) -> Result<(StatusCode, Json<ForkedRun>), Refusal> {
    let target = target(id, request.run_id.as_deref())?;
    let event = request.event;
    let fork = runtime::ForkWorkflow {
        id: request.id.map(workflow_id).transpose()?,
        event,
        input: convert::optional_payload_in("input", request.input, request.input_payload)?,
        activity_results: outcomes_in(request.activity_results)?,
        component: request.component,
        version: request.version,
        exclude_signals: request.exclude_signals,
        reason: request.reason,
    };
    let run = host.runtime().fork(&namespace, &target, fork).await?;
    Ok((StatusCode::CREATED, Json(forked(&run, event))))
}

fn outcomes_in(outcomes: BTreeMap<String, ActivityOutcome>) -> Result<BTreeMap<Op, Outcome>, Refusal> {
    let outcome_in = |(op, outcome): (String, ActivityOutcome)| {
        let field = format!("activity_results.{op}");
        let number = op.parse::<Op>().map_err(|_| {
            let remedy = "use its number in the run, as the history and the run's description show it";
            Refusal::invalid(&*field, format!("{op:?} is not an activity's id"), remedy)
        })?;
        let result =
            convert::optional_payload_in(&format!("{field}.result"), outcome.result, outcome.result_payload)?;
        match (result, outcome.failure) {
            (Some(_), Some(_)) => Err(Refusal::invalid(
                field,
                "there are a result and a failure",
                "an activity ends with one of them: leave the other out",
            )),
            (None, Some(failure)) => {
                Ok((number, Outcome::Failed(failure_in(&format!("{field}.failure"), failure)?)))
            }
            (result, None) => {
                let result = result.unwrap_or_else(refrain_engine::payload::Payload::null);
                Ok((number, Outcome::Completed(result)))
            }
        }
    };
    outcomes.into_iter().map(outcome_in).collect()
}

fn forked(run: &runtime::ForkedRun, event: Option<u64>) -> ForkedRun {
    ForkedRun { id: run.workflow_id.to_string(), run_id: run.run_id.to_string(), step: run.step, event }
}
