//! Tasks: attempts as workers get them.

use refrain_engine::activity::{Activity, Phase};
use refrain_engine::journal::Started;
use refrain_store::schema::RunKey;

use crate::activity_types::ActivityTask;
use crate::executor::deadline;
use crate::placing;
use crate::task_token::TaskToken;

/// The attempt of an activity that runs.
pub(crate) fn of(started: &Started, activity: &Activity) -> ActivityTask {
    let key = RunKey::new(started.namespace.clone(), started.run_id);
    let task = placing::task(&key, &started.task_queue, activity);
    let started_at = match activity.phase {
        Phase::Running { started_at, .. } => started_at,
        Phase::Scheduled { .. } | Phase::Backoff { .. } => {
            unreachable!("a task is made of an attempt that runs")
        }
    };
    ActivityTask {
        task_token: TaskToken::new(&key, activity.op, activity.starts).encode(),
        activity: task.activity,
        input: activity.command.input.clone(),
        attempt: activity.attempt,
        namespace: key.namespace,
        workflow_id: started.workflow_id.clone(),
        run_id: started.run_id,
        op: activity.op,
        workflow: started.workflow.clone(),
        queue: task.queue,
        idempotency_key: format!("{}/{}", started.run_id, activity.op),
        scheduled_at: activity.scheduled_at,
        started_at,
        deadline: deadline(activity),
        heartbeat_timeout: activity.options().heartbeat,
        last_heartbeat: activity.heartbeat.clone(),
        priority: task.priority,
    }
}
