//! Attempts of activities in this process: slots, contexts, panics, heartbeats.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use refrain_engine::activity::{Activity, Phase};
use refrain_engine::failure::{Cause, Failure, FailureKind};
use refrain_engine::ids::Op;
use refrain_engine::journal::Started;
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_plugin::{
    ActivityError, CancelReason, CancelSource, Context, ContextParts, HostHooks, Kind, Plugin,
};
use refrain_store::schema::RunKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use crate::clock::Clock;
use crate::options::Options;
use crate::owner::Message;
use crate::shared::Shared;

/// The activities that this process offers, and the slots that their attempts run in.
pub(crate) struct Executor {
    activities: HashMap<String, refrain_plugin::Activity>,
    slots: Arc<Semaphore>,
    blocking_slots: Arc<Semaphore>,
}

/// An attempt that runs.
pub(crate) struct Attempt {
    cancel: CancelSource,
    pulse: Arc<Pulse>,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum AttemptEnd {
    Completed(Payload),
    Failed {
        failure: Failure,
        /// Takes the place of the retry policy's interval.
        next_retry_delay: Option<std::time::Duration>,
        /// Not worth a warning.
        benign: bool,
    },
}

/// The error type of an attempt that panicked.
const PANICKED: &str = "Panicked";

impl Executor {
    pub(crate) fn new(plugins: &[Box<dyn Plugin>], options: &Options) -> Self {
        let activities = plugins
            .iter()
            .flat_map(|plugin| plugin.activities())
            .map(|activity| (activity.name().to_owned(), activity))
            .collect();
        Self {
            activities,
            slots: Arc::new(Semaphore::new(options.activity_slots)),
            blocking_slots: Arc::new(Semaphore::new(options.blocking_activity_slots)),
        }
    }

    /// Why no attempt of this activity can be made here; `None` when one can.
    pub(crate) fn refuses(&self, name: &str) -> Option<Failure> {
        if self.activities.contains_key(name) {
            return None;
        }
        let mut known: Vec<&str> = self.activities.keys().map(String::as_str).collect();
        known.sort_unstable();
        let message =
            format!("no plugin of this host has an activity {name:?}: there are {}", known.join(", "));
        Some(Failure { non_retryable: true, ..Failure::new(FailureKind::Host, "not-found", message) })
    }

    /// The slots of the activity's kind.
    fn slots_of(&self, name: &str) -> Arc<Semaphore> {
        let is_blocking = self.activities.get(name).is_some_and(|code| code.kind() == Kind::Blocking);
        Arc::clone(if is_blocking { &self.blocking_slots } else { &self.slots })
    }

    /// A slot for an activity, if one is free now.
    pub(crate) fn try_slot(&self, name: &str) -> Option<OwnedSemaphorePermit> {
        self.slots_of(name).try_acquire_owned().ok()
    }

    /// Waits for a slot for an activity, and sends it to the run's owner.
    pub(crate) fn wait_for_slot(&self, shared: &Arc<Shared>, key: &RunKey, op: Op, name: &str) {
        let (slots, shared, key) = (self.slots_of(name), Arc::clone(shared), key.clone());
        tokio::spawn(async move {
            if let Ok(slot) = slots.acquire_owned().await {
                shared.registry.send(&shared, &key, Message::SlotGranted { op, slot });
            }
        });
    }

    /// Begins the attempt that the activity's durable row says is running. Its end is sent to the run's
    /// owner.
    ///
    /// # Panics
    /// When [`Self::refuses`] was not asked.
    pub(crate) fn launch(
        &self,
        shared: &Arc<Shared>,
        started: &Started,
        activity: &Activity,
        slot: OwnedSemaphorePermit,
    ) -> Attempt {
        let code = self.activities.get(&activity.command.name).expect("the activity is known").clone();
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        let cancel = CancelSource::new();
        let pulse = Arc::new(Pulse { clock: Arc::clone(&shared.clock), latest: Mutex::default() });
        let context = Context::new(ContextParts {
            namespace: started.namespace.to_string(),
            workflow_id: started.workflow_id.to_string(),
            run_id: started.run_id.to_string(),
            op: activity.op,
            activity: activity.command.name.clone(),
            attempt: activity.attempt,
            task_token: String::new(),
            deadline: deadline(activity, shared.now()),
            heartbeat_timeout: activity.command.options.heartbeat,
            last_heartbeat: activity.heartbeat.clone().map(to_plugin),
            cancellation: cancel.cancellation(),
            hooks: Arc::clone(&pulse) as Arc<dyn HostHooks>,
        });
        let input = to_plugin(activity.command.input.clone());
        let (op, attempt) = (activity.op, activity.attempt);
        let span = tracing::info_span!(
            "attempt", run_id = %started.run_id, workflow_id = %started.workflow_id,
            activity = %activity.command.name, op, attempt
        );
        let shared = Arc::clone(shared);
        let task = async move {
            let end = execute(&code, context, input).await;
            // The slot is free before the owner hears of the end, so that it can have it at once.
            drop(slot);
            if let AttemptEnd::Failed { failure, benign: false, .. } = &end {
                tracing::warn!(error_type = failure.error_type, "{failure}");
            }
            shared.registry.send(&shared, &key, Message::AttemptEnded { op, attempt, end });
        };
        tokio::spawn(task.instrument(span));
        Attempt { cancel, pulse }
    }
}

impl Attempt {
    pub(crate) fn cancel(&self, reason: CancelReason) {
        self.cancel.cancel(reason);
    }

    /// The latest heartbeat, with its details.
    pub(crate) fn heartbeat(&self) -> Option<(Timestamp, Payload)> {
        self.pulse.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The heartbeats of one attempt.
struct Pulse {
    clock: Arc<dyn Clock>,
    latest: Mutex<Option<(Timestamp, Payload)>>,
}

impl HostHooks for Pulse {
    fn heartbeat(&self, details: refrain_plugin::Payload) {
        let beat = (self.clock.now(), from_plugin(details));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(beat);
    }
}

async fn execute(
    code: &refrain_plugin::Activity,
    context: Context,
    input: refrain_plugin::Payload,
) -> AttemptEnd {
    // The call itself is the plugin's code too, and may panic.
    let code = code.clone();
    let running = match code.kind() {
        Kind::Async => tokio::spawn(async move { code.call(context, input).await }),
        // All of the work is in the first poll, on a thread that may block.
        Kind::Blocking => {
            tokio::task::spawn_blocking(move || futures::executor::block_on(code.call(context, input)))
        }
    };
    match running.await {
        Ok(Ok(result)) => AttemptEnd::Completed(from_plugin(result)),
        Ok(Err(error)) => failed(error),
        Err(lost) => {
            let message = lost.try_into_panic().map_or_else(
                |error| format!("the activity's task was lost: {error}"),
                |panic| format!("the activity panicked: {}", panic_message(&*panic)),
            );
            let failure = Failure::new(FailureKind::Application, PANICKED, message);
            AttemptEnd::Failed { failure, next_retry_delay: None, benign: false }
        }
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

fn failed(error: ActivityError) -> AttemptEnd {
    let kind = if error.is_cancelled() { FailureKind::Canceled } else { FailureKind::Application };
    let causes = error
        .causes
        .into_iter()
        .map(|cause| Cause {
            kind: FailureKind::Application,
            error_type: cause.error_type,
            message: cause.message,
            stack: String::new(),
            details: None,
        })
        .collect();
    let failure = Failure {
        details: error.details.map(|details| from_plugin(*details)),
        non_retryable: error.non_retryable,
        causes,
        ..Failure::new(kind, error.error_type, error.message)
    };
    AttemptEnd::Failed { failure, next_retry_delay: error.next_retry_delay, benign: error.benign }
}

/// When the attempt must be over: the earlier of its own timeout and the whole activity's.
fn deadline(activity: &Activity, now: Timestamp) -> Option<Instant> {
    let own = match activity.phase {
        Phase::Running { started_at, .. } => {
            activity.command.options.start_to_close.map(|limit| started_at.after(limit))
        }
        Phase::Scheduled { .. } | Phase::Backoff { .. } => None,
    };
    let whole = activity.schedule_to_close_deadline();
    let earliest = own.into_iter().chain(whole).min()?;
    Instant::now().checked_add(earliest.since(now))
}

fn to_plugin(payload: Payload) -> refrain_plugin::Payload {
    refrain_plugin::Payload { content_type: payload.content_type, data: payload.data }
}

fn from_plugin(payload: refrain_plugin::Payload) -> Payload {
    Payload { content_type: payload.content_type, data: payload.data }
}
