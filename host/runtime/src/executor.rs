//! Attempts of activities in this process: contexts, panics, heartbeats.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use refrain_engine::activity::{Activity, Phase};
use refrain_engine::failure::{Cause, Failure, FailureKind};
use refrain_engine::ids::Op;
use refrain_engine::journal::Started;
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_plugin::{ActivityError, CancelSource, Context, ContextParts, HostHooks, Kind, Plugin};
use refrain_store::schema::RunKey;
use tracing::Instrument;

use crate::attempts::{Attempt, Beat};
use crate::error::Error;
use crate::owner::Message;
use crate::queues::Permit;
use crate::shared::Shared;
use crate::task_token::TaskToken;

/// The activities that this process offers.
pub(crate) struct Executor {
    activities: HashMap<String, refrain_plugin::Activity>,
    /// Names that begin with a plugin's own are that plugin's, or a mistake.
    plugins: BTreeSet<String>,
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
    /// Somebody else will say how.
    Pending,
}

/// The error type of an attempt that panicked.
const PANICKED: &str = "Panicked";

impl Executor {
    /// # Errors
    /// When two plugins offer an activity of the same name.
    pub(crate) fn new(plugins: &[Box<dyn Plugin>]) -> Result<Self, Error> {
        let mut activities = HashMap::new();
        for plugin in plugins {
            for activity in plugin.activities() {
                let name = activity.name().to_owned();
                if activities.insert(name.clone(), activity).is_some() {
                    let plugin = plugin.name();
                    let message =
                        format!("{name:?} is offered twice: plugin {plugin:?} and another one have it");
                    return Err(Error::Invalid { field: "activity".to_owned(), message });
                }
            }
        }
        let plugins = plugins.iter().map(|plugin| plugin.name().to_owned()).collect();
        Ok(Self { activities, plugins })
    }

    /// The types that there are, with where they run.
    pub(crate) fn offers(&self) -> HashMap<String, Kind> {
        self.activities.iter().map(|(name, code)| (name.clone(), code.kind())).collect()
    }

    /// Why no attempt of this activity will ever be made; `None` when one can be, here or by a worker.
    pub(crate) fn refuses(&self, activity: &Activity) -> Option<Failure> {
        let name = &activity.command.name;
        if self.activities.contains_key(name) {
            return None;
        }
        let owner =
            name.split_once('.').map(|(prefix, _)| prefix).filter(|prefix| self.plugins.contains(*prefix));
        if owner.is_none() && !activity.command.options.local {
            return None;
        }
        let mut known: Vec<&str> = self.activities.keys().map(String::as_str).collect();
        known.sort_unstable();
        let message =
            format!("no plugin of this host has an activity {name:?}: there are {}", known.join(", "));
        Some(Failure { non_retryable: true, ..Failure::new(FailureKind::Host, "not-found", message) })
    }

    /// Begins the attempt that the activity's row says is running. Its end is sent to the run's owner.
    ///
    /// # Panics
    /// When no plugin offers the activity: the queues know which are offered.
    pub(crate) fn launch(
        &self,
        shared: &Arc<Shared>,
        started: &Started,
        activity: &Activity,
        permit: Permit,
    ) {
        let code = self.activities.get(&activity.command.name).expect("the activity is known").clone();
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        let (op, starts) = (activity.op, activity.starts);
        let cancel = CancelSource::new();
        let cancellation = cancel.cancellation();
        let attempt = Arc::new(Attempt::in_process(starts, cancel).told_of(activity));
        shared.attempts.insert(&key, op, Arc::clone(&attempt));
        let line = Line { shared: Arc::clone(shared), key: key.clone(), op, attempt: Arc::clone(&attempt) };
        let context = Context::new(ContextParts {
            namespace: started.namespace.to_string(),
            workflow_id: started.workflow_id.to_string(),
            run_id: started.run_id.to_string(),
            op,
            activity: activity.command.name.clone(),
            attempt: activity.attempt,
            task_token: TaskToken::new(&key, op, starts).encode(),
            deadline: until(deadline(activity), shared.now()),
            heartbeat_timeout: activity.options().heartbeat,
            last_heartbeat: activity.heartbeat.clone().map(to_plugin),
            cancellation,
            hooks: Arc::new(line),
        });
        let input = to_plugin(activity.command.input.clone());
        let span = tracing::info_span!(
            "attempt", run_id = %started.run_id, workflow_id = %started.workflow_id,
            activity = %activity.command.name, op, attempt = activity.attempt
        );
        let shared = Arc::clone(shared);
        let task = async move {
            let end = execute(&code, context, input).await;
            // What it counted against is free before the owner hears of the end, so that it can have it at once.
            drop(permit);
            if let AttemptEnd::Failed { failure, benign: false, .. } = &end {
                tracing::warn!(error_type = failure.error_type, "{failure}");
            }
            shared.registry.send(&shared, &key, Message::AttemptEnded { op, attempt, end });
        };
        tokio::spawn(task.instrument(span));
    }
}

/// The line of an attempt in this process back to its run.
struct Line {
    shared: Arc<Shared>,
    key: RunKey,
    op: Op,
    attempt: Arc<Attempt>,
}

impl HostHooks for Line {
    fn heartbeat(&self, details: refrain_plugin::Payload) {
        let beat = Beat { at: self.shared.now(), details: Some(from_plugin(details)) };
        let (_, is_news) = self.attempt.beat(beat);
        if is_news {
            self.shared.registry.send_if_present(&self.key, Message::Beat { op: self.op });
        }
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
        Ok(Err(error)) if error.is_pending() => AttemptEnd::Pending,
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
pub(crate) fn deadline(activity: &Activity) -> Option<Timestamp> {
    let own = match activity.phase {
        Phase::Running { started_at, .. } => {
            activity.options().start_to_close.map(|limit| started_at.after(limit))
        }
        Phase::Scheduled { .. } | Phase::Backoff { .. } => None,
    };
    own.into_iter().chain(activity.schedule_to_close_deadline()).min()
}

fn until(deadline: Option<Timestamp>, now: Timestamp) -> Option<Instant> {
    Instant::now().checked_add(deadline?.since(now))
}

fn to_plugin(payload: Payload) -> refrain_plugin::Payload {
    refrain_plugin::Payload { content_type: payload.content_type, data: payload.data }
}

fn from_plugin(payload: refrain_plugin::Payload) -> Payload {
    Payload { content_type: payload.content_type, data: payload.data }
}
