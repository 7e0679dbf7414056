//! Where an activity that has not closed belongs, from its row alone: for a boot, and for an owner that comes back.

use std::sync::Arc;

use refrain_engine::activity::{Activity, Phase, Runner};
use refrain_engine::call::DEFAULT_FAIRNESS_WEIGHT;
use refrain_engine::failure::Failure;
use refrain_engine::time::Timestamp;
use refrain_store::schema::RunKey;

use crate::attempts::{Attempt, Beat, PollKey};
use crate::queues::Task;
use crate::shared::Shared;

/// The priority of an activity that names none: the middle of 1 to 5.
const DEFAULT_PRIORITY: u8 = 3;

/// Where an activity belongs.
pub(crate) enum Place {
    /// In its task queue.
    Queue,
    /// In this process at once: it is a local one.
    Here,
    /// Its attempt runs.
    Runs,
    /// It waits for a time, or for an operator.
    Waits,
    /// Its attempt has ended without a word.
    Lost,
    /// No attempt of it will ever be made here.
    Refused(Failure),
}

/// Finds an activity's place. The attempt of a worker that an earlier boot has started, or that nobody runs any
/// more, is put among those that run.
pub(crate) fn place(shared: &Arc<Shared>, key: &RunKey, run_queue: &str, activity: &Activity) -> Place {
    match &activity.phase {
        Phase::Scheduled { .. } | Phase::Backoff { .. } => match shared.executor.refuses(activity) {
            // The last boot had a plugin for it.
            Some(failure) => Place::Refused(failure),
            None if activity.paused.is_some() || matches!(activity.phase, Phase::Backoff { .. }) => {
                Place::Waits
            }
            None if activity.command.options.local => Place::Here,
            None => Place::Queue,
        },
        Phase::Running { runner: Runner::Host, boot, .. } => {
            let runs = *boot == shared.boot && shared.attempts.of(key, activity).is_some();
            if runs { Place::Runs } else { Place::Lost }
        }
        Phase::Running { runner: Runner::Worker { poll_id, .. }, .. } => {
            resume(shared, key, activity, || {
                let task = task(key, run_queue, activity);
                let queue = task.queue.clone();
                let poll = PollKey { namespace: key.namespace.clone(), queue, poll_id: poll_id.clone() };
                Attempt::of_worker(activity.starts, poll, shared.queues.resume(&task))
            });
            Place::Runs
        }
        Phase::Running { runner: Runner::Outside, .. } => {
            resume(shared, key, activity, || Attempt::outside(activity.starts));
            Place::Runs
        }
    }
}

/// Puts an attempt among those that run, unless it is there. It had no host to send heartbeats to, so its silence
/// begins now.
fn resume(shared: &Shared, key: &RunKey, activity: &Activity, attempt: impl FnOnce() -> Attempt) {
    if shared.attempts.of(key, activity).is_some() {
        return;
    }
    let attempt = attempt().silent_since(shared.now()).told_of(activity);
    let attempt = match activity.heartbeat_at {
        Some(at) => attempt.heard_at(Beat { at, details: activity.heartbeat.clone() }),
        None => attempt,
    };
    shared.attempts.insert(key, activity.op, Arc::new(attempt));
}

/// When something is due for an activity that nobody brings about: a timeout, or its next attempt.
pub(crate) fn due(activity: &Activity, attempt: Option<&Attempt>) -> Option<Timestamp> {
    let timeout = activity.next_timeout(attempt.and_then(Attempt::heard)).map(|(at, _)| at);
    let retry = match activity.phase {
        Phase::Backoff { .. } => activity.ready_at(),
        Phase::Scheduled { .. } | Phase::Running { .. } => None,
    };
    [timeout, retry, attempt.and_then(Attempt::keep_at)].into_iter().flatten().min()
}

/// An activity as its task queue sees it.
pub(crate) fn task(key: &RunKey, run_queue: &str, activity: &Activity) -> Task {
    let options = activity.options();
    let since = activity.ready_at().unwrap_or(activity.scheduled_at);
    Task {
        run: key.clone(),
        op: activity.op,
        queue: activity.queue(run_queue).to_owned(),
        activity: activity.command.name.clone(),
        priority: options.priority.unwrap_or(DEFAULT_PRIORITY),
        fairness_key: options.fairness.as_ref().map(|fairness| fairness.key.clone()).unwrap_or_default(),
        fairness_weight: options
            .fairness
            .as_ref()
            .map_or(DEFAULT_FAIRNESS_WEIGHT, |fairness| fairness.weight),
        since,
    }
}
