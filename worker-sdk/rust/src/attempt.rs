//! From a task to its report: one attempt of an activity.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use refrain_plugin::{
    Activity, ActivityError, CancelReason, CancelSource, Context, ContextParts, HostHooks, Kind, Payload,
};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::client::{CallError, Client, to_json};
use crate::heartbeat::Heart;
use crate::report::{self, Report};
use crate::wire::{DetailsRequest, HeartbeatAnswer, Task};
use crate::worker::{Phase, Stop};

/// How long a report is repeated for an attempt without a deadline. A host that is away for longer than this is
/// looked after by people, who find the failed reports in the worker's log.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a report is repeated at least. The host does not time attempts out while it is away itself, so an attempt
/// that ends late may still be wanted.
const MIN_PATIENCE: Duration = Duration::from_secs(30);

/// A task in the hands of this worker.
pub(crate) struct Attempt {
    pub(crate) task: Task,
    /// The activity's code; `None` if this worker has none of that name.
    pub(crate) code: Option<Activity>,
    pub(crate) client: Arc<Client>,
    pub(crate) max_heartbeat_interval: Duration,
    pub(crate) stop: Stop,
}

/// How the activity's code ended.
pub(crate) enum End {
    Returned(Result<Payload, ActivityError>),
    Panicked(String),
    /// It did not, and the worker no longer waits for it.
    Abandoned,
}

impl Attempt {
    /// Runs the activity, and tells the host how it ended unless it does not want to know. Returns the task token.
    pub(crate) async fn run(self) -> String {
        let deadline = self.task.time_limit().and_then(|limit| Instant::now().checked_add(limit));
        let (hooks, mut heart) = Heart::new(self.task.heartbeat_timeout(), self.max_heartbeat_interval);
        let cancel = CancelSource::new();
        let report = match &self.code {
            Some(code) => {
                let context = self.context(&cancel, hooks, deadline);
                let end = self.execute(code, context, &mut heart, &cancel, deadline).await;
                end.map(|end| Report::of(end, cancel.cancellation().reason()))
            }
            None => Some(self.unknown()),
        };
        if let Some(report) = report {
            let patience = MIN_PATIENCE
                .max(deadline.map_or(PATIENCE, |at| at.saturating_duration_since(Instant::now())));
            self.tell(report, heart, Instant::now() + patience).await;
        }
        self.task.task_token
    }

    fn context(
        &self,
        cancel: &CancelSource,
        hooks: Arc<dyn HostHooks>,
        deadline: Option<Instant>,
    ) -> Context {
        let task = &self.task;
        Context::new(ContextParts {
            namespace: task.namespace.clone(),
            workflow_id: task.workflow_id.clone(),
            run_id: task.run_id.clone(),
            op: task.activity_id,
            activity: task.activity.clone(),
            attempt: task.attempt,
            task_token: task.task_token.clone(),
            deadline: deadline.map(Instant::into_std),
            heartbeat_timeout: task.heartbeat_timeout(),
            // The client hands out no task whose payloads cannot be read.
            last_heartbeat: task.last_heartbeat().ok().flatten(),
            cancellation: cancel.cancellation(),
            hooks,
        })
    }

    /// Runs the code, sends its heartbeats, and tells it when to stop. `None` when nobody wants the attempt's outcome.
    async fn execute(
        &self,
        code: &Activity,
        context: Context,
        heart: &mut Heart,
        cancel: &CancelSource,
        deadline: Option<Instant>,
    ) -> Option<End> {
        let running = self.spawn(code.clone(), context);
        let mut stale = None;
        let end = {
            let beats = async {
                stale = Some(heart.beat(cancel, |details| self.beat(details)).await);
                cancel.cancel(CancelReason::Stale);
            };
            let overdue = async {
                if let Some(deadline) = deadline {
                    sleep_until(deadline).await;
                    cancel.cancel(CancelReason::TimedOut);
                }
            };
            let stopping = async {
                self.stop.reached(Phase::Cancelling).await;
                cancel.cancel(CancelReason::Shutdown);
            };
            // All three only ever tell the activity; it ends when it does.
            let told = async {
                tokio::join!(beats, overdue, stopping);
                std::future::pending::<End>().await
            };
            tokio::select! {
                end = running => returned(end),
                () = self.stop.reached(Phase::Abandoning) => End::Abandoned,
                end = told => end,
            }
        };
        if let Some(reason) = stale {
            tracing::info!(reason, "the attempt is not wanted any more: nothing is reported");
            return None;
        }
        Some(end)
    }

    /// Begins the activity's code, where its panics and its blocking harm nobody. Dropping the handle ends async code.
    fn spawn(&self, code: Activity, context: Context) -> AbortOnDropHandle<Result<Payload, ActivityError>> {
        // As with the last heartbeat.
        let input = self
            .task
            .input()
            .unwrap_or_else(|_| Payload { content_type: String::new(), data: Vec::new().into() });
        let span = tracing::Span::current();
        AbortOnDropHandle::new(match code.kind() {
            // The call itself is the plugin's code too, and may panic.
            Kind::Async => tokio::spawn(async move { code.call(context, input).await }.instrument(span)),
            // All of the work is in the first poll, on a thread that may block.
            Kind::Blocking => tokio::task::spawn_blocking(move || {
                span.in_scope(|| futures::executor::block_on(code.call(context, input)))
            }),
        })
    }

    async fn beat(&self, details: Payload) -> Result<HeartbeatAnswer, CallError> {
        let body = to_json(&DetailsRequest::new(&self.task.task_token, Some(&details)))?;
        self.client.heartbeat(body).await
    }

    /// Reports, after the newest heartbeat if the next attempt may need it.
    async fn tell(&self, report: Report, mut heart: Heart, until: Instant) {
        if let Report::Failed(error) = &report
            && !error.benign
        {
            tracing::warn!(error_type = error.error_type, "{error}");
        }
        let token = &self.task.task_token;
        if !matches!(report, Report::Completed(_))
            && let Some(details) = heart.unsent()
        {
            let sent = match to_json(&DetailsRequest::new(token, Some(&details))) {
                Ok(body) => report::repeat(until, || self.client.report("heartbeat", body.clone())).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                tracing::warn!(%error, "the attempt's last heartbeat is lost");
            }
        }
        report::deliver(&self.client, token, report, until).await;
    }

    /// The report of a task that the host should not have given to this worker.
    fn unknown(&self) -> Report {
        let message = format!("this worker has no activity {:?}", self.task.activity);
        Report::Failed(ActivityError::new("not-found", message))
    }
}

fn returned(ended: Result<Result<Payload, ActivityError>, JoinError>) -> End {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(result) => End::Returned(result),
        Err(Ok(panic)) => End::Panicked(panic_message(&*panic).to_owned()),
        // Tokio's runtime is going down, and takes the activity with it.
        Err(Err(_)) => End::Abandoned,
    }
}

/// What a panic said.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
