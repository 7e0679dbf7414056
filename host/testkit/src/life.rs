//! One life of a host, and what a test does with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use refrain_engine::failure::{Failure, Outcome};
use refrain_engine::history::HistoryEvent;
use refrain_engine::ids::{Namespace, RunId, WorkflowId};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_runtime::{
    Clock, Consistency, Description, Error, ListFilter, QueryRequest, RunResult, RunStatus, RunSummary,
    Runtime, SendSignal, SendUpdate, StartWorkflow, StartedWorkflow, Target, TokioClock, UpdateStatus,
    WaitStage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TestError;
use crate::time::length;

/// A living host. Clones are the same life.
///
/// Requests have ids that follow from their order, so that a test that says the same again in the host's next life says
/// it once.
#[derive(Clone)]
pub struct Life {
    runtime: Runtime,
    clock: TokioClock,
    began: Timestamp,
    limit: Duration,
    /// What was said to a host before this one is said again, and may have had its effect.
    repeats: bool,
    requests: Arc<AtomicU64>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The last run.
    pub run_id: RunId,
    /// How that ended.
    pub status: RunStatus,
    /// With what.
    pub outcome: Result<Payload, Failure>,
}

impl Ended {
    /// The result, as JSON.
    ///
    /// # Errors
    /// When it failed, or the result is something else.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, TestError> {
        match &self.outcome {
            Ok(result) => parse("the result", result),
            Err(failure) => Err(TestError::Answer {
                what: "the outcome".to_owned(),
                reason: "a failure".to_owned(),
                text: failure.to_string(),
            }),
        }
    }
}

impl Life {
    pub(crate) fn new(
        runtime: Runtime,
        clock: TokioClock,
        began: Timestamp,
        limit: Duration,
        repeats: bool,
    ) -> Self {
        Self { runtime, clock, began, limit, repeats, requests: Arc::default() }
    }

    /// The host itself, for all that has no method here.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The virtual time since the test began.
    pub fn elapsed(&self) -> Duration {
        self.clock.now().since(self.began)
    }

    /// Waits until so much virtual time has passed since the test began; not at all if it has.
    pub async fn until(&self, since_the_beginning: Duration) {
        self.clock.sleep_until(self.began.after(since_the_beginning)).await;
    }

    /// Lets virtual time pass. Whoever tests crashes says [`until`](Self::until), which means the same in each life.
    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now().after(time)).await;
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn start(
        &self,
        workflow: &str,
        id: &str,
        input: &impl Serialize,
    ) -> Result<StartedWorkflow, TestError> {
        let request =
            StartWorkflow { id: Some(name(id)?), ..StartWorkflow::new(workflow, payload("input", input)?) };
        self.start_with(request).await
    }

    /// Starts an execution with options. A request id is added if it has none.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn start_with(&self, mut request: StartWorkflow) -> Result<StartedWorkflow, TestError> {
        let request_id = self.request_id("start");
        request.request_id.get_or_insert(request_id);
        Ok(self.runtime.start_workflow(&Namespace::default(), request).await?)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn signal(&self, id: &str, signal: &str, input: &impl Serialize) -> Result<(), TestError> {
        let signal = SendSignal {
            name: signal.to_owned(),
            input: payload("input", input)?,
            request_id: Some(self.request_id("signal")),
        };
        self.unless_over(self.runtime.signal(&Namespace::default(), &target(id)?, signal).await)
    }

    /// Sends an update, and waits for its answer: what the workflow says, or its failure.
    ///
    /// # Errors
    /// When the host refuses, or no answer comes in the test's time.
    pub async fn update(
        &self,
        id: &str,
        update: &str,
        input: &impl Serialize,
    ) -> Result<Result<Payload, Failure>, TestError> {
        let update = SendUpdate {
            update_id: self.request_id("update"),
            name: update.to_owned(),
            input: payload("input", input)?,
        };
        let what = format!("update {:?} of {id}", update.name);
        let (namespace, target, update_id) = (Namespace::default(), target(id)?, update.update_id.clone());
        self.runtime.update(&namespace, &target, update).await?;
        let (stage, wait) = (WaitStage::Completed, self.left());
        let progress = self.runtime.update_progress(&namespace, &target, &update_id, stage, wait).await?;
        match progress.status {
            UpdateStatus::Completed(Outcome::Completed(result)) => Ok(Ok(result)),
            UpdateStatus::Completed(Outcome::Failed(failure)) | UpdateStatus::Rejected(failure) => {
                Ok(Err(failure))
            }
            UpdateStatus::Admitted | UpdateStatus::Accepted => Err(self.stuck(&what, id).await),
        }
    }

    /// Asks a run something.
    ///
    /// # Errors
    /// When the host refuses, or the answer is something else.
    pub async fn query<T: DeserializeOwned>(
        &self,
        id: &str,
        query: &str,
        input: &impl Serialize,
    ) -> Result<T, TestError> {
        parse(
            &format!("the answer to query {query:?}"),
            &self.query_payload(id, query, payload("input", input)?).await?,
        )
    }

    /// As [`query`](Self::query), with payloads as they are.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn query_payload(&self, id: &str, query: &str, input: Payload) -> Result<Payload, TestError> {
        let request =
            QueryRequest { name: query.to_owned(), input, consistency: Consistency::Latest, at: None };
        Ok(self.runtime.query(&Namespace::default(), &target(id)?, request).await?.result)
    }

    /// Asks an execution to cancel itself.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn cancel(&self, id: &str, reason: &str) -> Result<(), TestError> {
        self.unless_over(self.runtime.cancel(&Namespace::default(), &target(id)?, reason.to_owned()).await)
    }

    /// Ends an execution.
    ///
    /// # Errors
    /// When the host refuses.
    pub async fn terminate(&self, id: &str, reason: &str) -> Result<(), TestError> {
        self.unless_over(self.runtime.terminate(&Namespace::default(), &target(id)?, reason.to_owned()).await)
    }

    /// How an execution ended; waits for that, through all its runs. Time is skipped while nobody works.
    ///
    /// # Errors
    /// When it does not end in the test's time, which is told with what it waits for.
    pub async fn result(&self, id: &str) -> Result<Ended, TestError> {
        let namespace = Namespace::default();
        let target = target(id)?;
        match self.runtime.result(&namespace, &target, self.left()).await? {
            RunResult::Closed { run_id, status, outcome } => Ok(Ended { run_id, status, outcome }),
            RunResult::Running { .. } => Err(self.stuck(&format!("workflow {id:?}"), id).await),
        }
    }

    /// How an execution stands.
    ///
    /// # Errors
    /// When there is none.
    pub async fn describe(&self, id: &str) -> Result<Description, TestError> {
        Ok(self.runtime.describe(&Namespace::default(), &target(id)?).await?)
    }

    /// All runs that there are, the oldest first.
    ///
    /// # Errors
    /// When the host's store has failed.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, TestError> {
        let (mut runs, mut cursor) = (Vec::new(), None);
        loop {
            let page =
                self.runtime.list(&Namespace::default(), &ListFilter::default(), 1_000, cursor.as_deref())?;
            runs.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        runs.reverse();
        Ok(runs)
    }

    /// A run's history: that of the latest run of the execution, or of this one.
    ///
    /// # Errors
    /// When there is none.
    pub async fn history(&self, id: &str, run_id: Option<RunId>) -> Result<Vec<HistoryEvent>, TestError> {
        let target = Target { run_id, ..target(id)? };
        let mut events: Vec<HistoryEvent> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.number);
            let page =
                self.runtime.history(&Namespace::default(), &target, after, Duration::ZERO, false).await?;
            if page.events.is_empty() {
                return Ok(events);
            }
            events.extend(page.events);
        }
    }

    /// What a message came to. An execution that has ended in an earlier life may have ended by this very one.
    fn unless_over(&self, sent: Result<(), Error>) -> Result<(), TestError> {
        match sent {
            Err(Error::Closed { .. }) if self.repeats => Ok(()),
            sent => Ok(sent?),
        }
    }

    /// A run's journal, as `refrain workflow export` writes it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn export(&self, id: &str, run_id: Option<RunId>) -> Result<Vec<u8>, TestError> {
        let target = Target { run_id, ..target(id)? };
        let (mut text, mut rest) =
            (Vec::new(), Some(self.runtime.export(&Namespace::default(), &target, false).await?));
        while let Some(export) = rest.take() {
            if let Some((lines, more)) = export.next().await? {
                text.extend(lines);
                rest = Some(more);
            }
        }
        Ok(text)
    }

    /// What is left of the test's time.
    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    async fn stuck(&self, what: &str, id: &str) -> TestError {
        let state = match self.describe(id).await {
            Ok(description) => state(&description),
            Err(error) => error.to_string(),
        };
        TestError::Stuck { what: what.to_owned(), limit: length(self.limit), state }
    }

    fn request_id(&self, kind: &str) -> String {
        format!("{kind} {}", self.requests.fetch_add(1, Ordering::Relaxed))
    }
}

/// How a run stands that does not end, in a line.
fn state(description: &Description) -> String {
    let Description { summary, parked, waiting, pending_activities, pending_timers, .. } = description;
    let mut state = format!("it is {}", summary.status.as_str());
    if let Some(parked) = parked {
        state.push_str(&format!(", {}: {}", parked.kind, parked.message));
    }
    if let Some(waiting) = waiting {
        state.push_str(&format!(", and waits for {waiting}"));
    }
    for activity in pending_activities {
        state.push_str(&format!("; activity {} is open", activity.name));
    }
    for timer in pending_timers {
        state.push_str(&format!("; timer {} is open", timer.op));
    }
    state
}

fn name(id: &str) -> Result<WorkflowId, TestError> {
    Ok(WorkflowId::new(id).map_err(Error::from)?)
}

fn target(id: &str) -> Result<Target, TestError> {
    Ok(Target { workflow_id: name(id)?, run_id: None })
}

fn payload(what: &str, value: &impl Serialize) -> Result<Payload, TestError> {
    let text = serde_json::to_vec(value).map_err(|error| Error::Invalid {
        field: what.to_owned(),
        message: format!("has no JSON form: {error}"),
    })?;
    Ok(Payload::json(text))
}

fn parse<T: DeserializeOwned>(what: &str, payload: &Payload) -> Result<T, TestError> {
    serde_json::from_slice(&payload.data).map_err(|error| TestError::Answer {
        what: what.to_owned(),
        reason: error.to_string(),
        text: String::from_utf8_lossy(&payload.data).into_owned(),
    })
}
