//! Task queues: what waits in them, what runs, and who polls.

use axum::Json;
use axum::extract::State;

use super::Host;
use super::activities::QueuePath;
use super::convert;
use super::extract::{ApiPath, Scope};
use super::problem::Refusal;
use crate::wire::{Problem, TaskQueueInfo, TaskQueueList};

/// List task queues
///
/// Those that have tasks or workers, or are configured.
#[utoipa::path(
    get,
    path = "/task-queues",
    tag = "task queues",
    responses((status = 200, description = "The task queues, by name", body = TaskQueueList))
)]
pub(super) async fn list_task_queues(
    State(host): State<Host>,
    Scope(namespace): Scope,
) -> Result<Json<TaskQueueList>, Refusal> {
    let now = jiff::Timestamp::now();
    let queues = host.runtime().task_queues(&namespace)?;
    let task_queues =
        queues.into_iter().map(|queue| convert::task_queue(queue, now, host.activities())).collect();
    Ok(Json(TaskQueueList { task_queues }))
}

/// Look at a task queue
///
/// One that nobody has used is empty.
#[utoipa::path(
    get,
    path = "/task-queues/{queue}",
    tag = "task queues",
    params(("queue" = String, Path, description = "The task queue, percent-encoded")),
    responses(
        (status = 200, description = "What waits in it, what runs, and who polls", body = TaskQueueInfo),
        (status = 400, description = "The name is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_task_queue(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(QueuePath { queue }): ApiPath<QueuePath>,
) -> Result<Json<TaskQueueInfo>, Refusal> {
    let info = host.runtime().task_queue(&namespace, &queue)?;
    Ok(Json(convert::task_queue(info, jiff::Timestamp::now(), host.activities())))
}
