//! A client of the HTTP API: one method for each route, typed. The command line and the tests use it.
//!
//! Every answer comes with its own text ([`Answer::text`]), so that what is printed as JSON is what the host said,
//! byte for byte.

mod lines;
mod stream;

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub use self::lines::LineStream;
use self::lines::SILENCE;
pub use self::stream::{EventStream, RunChange, RunStream, StreamEvent};
use crate::wire::{
    ActivateRequest, CancelActivity, CancelRequest, CheckRequest, CompleteActivity, ComponentDetail,
    ComponentList, Deleted, Description, Done, FailActivity, ForkWorkflow, ForkedRun, HeartbeatActivity,
    HeartbeatAnswer, HistoryPage, MoveRequest, MoveRunsRequest, MovedRun, PauseActivity, PauseRequest,
    Problem, QueryRequest, QueryResult, ResetActivity, ResetWorkflow, ResumeRequest, RunResult,
    SignalRequest, StartRequest, StartedRun, TaskQueueInfo, TaskQueueList, TerminateRequest, UnpauseActivity,
    UnpauseRequest, UpdateActivityOptions, UpdateRequest, UpdateResult, UploadedComponent, VersionList,
    WaitForStage, WorkflowList,
};

/// How long to try for a connection. Hosts are near; one that takes longer is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take, besides what the request itself wants to wait. Uploads compile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How much of an answer that nobody understands is shown.
const SHOWN_ANSWER: usize = 300;
/// The media type of requests and answers.
const JSON: &str = "application/json";
/// The media type of answers that are a JSON value on each line.
const JSON_LINES: &str = "application/x-ndjson";
/// The media type of components.
const WASM: &str = "application/wasm";
/// The media type of answers that are streams of events.
const EVENTS: &str = "text/event-stream";
/// The namespace whose paths need not name it.
const DEFAULT_NAMESPACE: &str = "default";

/// Talks to one host about one namespace.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    address: Url,
    namespace: String,
    api_key: Option<String>,
}

/// What the host answered.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// Its meaning.
    pub value: T,
    /// Its text.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The address cannot be used.
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No host answers there, or it stopped in the middle.
    Unreachable {
        /// Where.
        address: String,
        /// Whether it may have got the request.
        sent: bool,
        /// Why.
        reason: String,
    },
    /// The host says no.
    Refused(Box<Problem>),
    /// Whatever answers there is no Refrain host, or speaks of things that this version does not know.
    Unexpected {
        /// Where.
        address: String,
        /// What it answered.
        answer: String,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, reason } => {
                write!(f, "the address {address:?} cannot be used: {reason}")
            }
            Self::Unreachable { address, reason, .. } => write!(f, "no host answers at {address}: {reason}"),
            Self::Refused(problem) => f.write_str(&problem.detail),
            Self::Unexpected { address, answer } => {
                write!(f, "{address} gave an unexpected answer: {answer}")
            }
        }
    }
}

impl std::error::Error for ClientError {}

impl ClientError {
    /// Whether the same request may succeed when the host is there again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            Self::Address { .. } | Self::Unexpected { .. } => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Address { .. } => "use one like http://127.0.0.1:7420",
            Self::Unreachable { .. } => {
                "start one with `refrain server`, or name it with --address or REFRAIN_ADDRESS"
            }
            Self::Refused(problem) => &problem.hint,
            Self::Unexpected { .. } => "check --address, and that the host's version is this one's",
        }
    }
}

/// Which part of a run's history to read.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// The run; the execution's latest one when absent.
    pub run_id: Option<String>,
    /// Only events with greater numbers.
    pub after: u64,
    /// How long to wait for the first one.
    pub wait: Duration,
    /// Show reads and waits too.
    pub calls: bool,
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only runs that stand so.
    pub status: Option<String>,
    /// Only runs of this type.
    pub workflow: Option<String>,
    /// How many at most.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

type Query = Vec<(&'static str, String)>;

impl Client {
    /// A client of the host at this address.
    ///
    /// # Errors
    /// When the address is no `http` URL.
    pub fn new(address: &str, namespace: &str, api_key: Option<String>) -> Result<Self, ClientError> {
        let refuse = |reason: String| ClientError::Address { address: address.to_owned(), reason };
        let url = Url::parse(address).map_err(|error| refuse(error.to_string()))?;
        match url.scheme() {
            "http" if url.has_host() => {}
            "https" => {
                return Err(refuse("TLS is not supported: use http, through a tunnel if need be".to_owned()));
            }
            _ => return Err(refuse("it is not an http URL".to_owned())),
        }
        // The environment's proxies are for the outer world; hosts are reached directly.
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            // Without TLS, the machine's certificate authorities need not be read, nor be there.
            .tls_certs_only([])
            .build();
        let http = http.map_err(|error| refuse(reasons(&error)))?;
        Ok(Self { http, address: url, namespace: namespace.to_owned(), api_key })
    }

    /// The address of the host.
    pub fn address(&self) -> &str {
        self.address.as_str().trim_end_matches('/')
    }

    /// Uploads a component.
    ///
    /// # Errors
    /// As all methods: when no host answers, or it refuses.
    pub async fn put_component(
        &self,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<Answer<UploadedComponent>, ClientError> {
        let request = self.request(Method::PUT, &["components", name], JSON, Vec::new());
        self.read(request.header(CONTENT_TYPE, WASM).body(bytes), Duration::ZERO).await
    }

    /// Lists components.
    pub async fn components(
        &self,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Answer<ComponentList>, ClientError> {
        let query = optional("limit", limit).chain(optional("cursor", cursor)).collect();
        self.get(&["components"], query, Duration::ZERO).await
    }

    /// Looks at a component with its versions.
    pub async fn component(&self, name: &str) -> Result<Answer<ComponentDetail>, ClientError> {
        self.get(&["components", name], Vec::new(), Duration::ZERO).await
    }

    /// Lists a component's versions with what needs them.
    pub async fn versions(&self, name: &str) -> Result<Answer<VersionList>, ClientError> {
        self.get(&["components", name, "versions"], Vec::new(), Duration::ZERO).await
    }

    /// Downloads the code of a version.
    pub async fn component_code(&self, name: &str, version: u32) -> Result<Vec<u8>, ClientError> {
        let path = ["components", name, "versions", &version.to_string(), "code"];
        self.bytes(self.request(Method::GET, &path, WASM, Vec::new())).await
    }

    /// Makes a version of a component the current one.
    pub async fn activate_version(&self, name: &str, version: u32) -> Result<(), ClientError> {
        let path = ["components", name, "versions", &version.to_string(), "activate"];
        self.done(self.json(&path, &ActivateRequest {})?).await
    }

    /// Deletes a version of a component.
    pub async fn delete_version(&self, name: &str, version: u32) -> Result<(), ClientError> {
        let path = ["components", name, "versions", &version.to_string()];
        self.done(self.request(Method::DELETE, &path, JSON, Vec::new())).await
    }

    /// Checks open runs against a component that is no version yet.
    pub async fn check_component(
        &self,
        name: &str,
        bytes: Vec<u8>,
        request: CheckRequest,
    ) -> Result<LineStream, ClientError> {
        let CheckRequest { sample, runs, workflow, from_version } = request;
        let query = optional("sample", sample)
            .chain(optional("runs", (!runs.is_empty()).then(|| runs.join(","))))
            .chain(optional("workflow", workflow))
            .chain(optional("from_version", from_version))
            .collect();
        let request = self.request(Method::POST, &["components", name, "check"], JSON_LINES, query);
        self.lines(request.header(CONTENT_TYPE, WASM).body(bytes)).await
    }

    /// Checks open runs against a version of their component.
    pub async fn check_version(
        &self,
        name: &str,
        version: u32,
        request: &CheckRequest,
    ) -> Result<LineStream, ClientError> {
        let path = ["components", name, "versions", &version.to_string(), "check"];
        self.lines(self.json(&path, request)?).await
    }

    /// Moves the open runs of a component to one of its versions.
    pub async fn move_runs(&self, name: &str, request: &MoveRunsRequest) -> Result<LineStream, ClientError> {
        self.lines(self.json(&["components", name, "move"], request)?).await
    }

    /// Moves a run to other code.
    pub async fn move_run(&self, id: &str, request: &MoveRequest) -> Result<Answer<MovedRun>, ClientError> {
        self.read(self.json(&["workflows", id, "move"], request)?, ANSWER_TIMEOUT).await
    }

    /// Starts an execution.
    pub async fn start(&self, request: &StartRequest) -> Result<Answer<StartedRun>, ClientError> {
        self.read(self.json(&["workflows"], request)?, Duration::ZERO).await
    }

    /// Lists runs.
    pub async fn workflows(&self, query: ListQuery) -> Result<Answer<WorkflowList>, ClientError> {
        let query = optional("status", query.status)
            .chain(optional("workflow", query.workflow))
            .chain(optional("limit", query.limit))
            .chain(optional("cursor", query.cursor))
            .collect();
        self.get(&["workflows"], query, Duration::ZERO).await
    }

    /// Follows all runs: tells of each that changes from here on.
    pub async fn changes(&self) -> Result<RunStream, ClientError> {
        let request = self.request(Method::GET, &["workflows"], EVENTS, Vec::new());
        Ok(RunStream::new(self.address(), self.begun(request).await?))
    }

    /// Describes a run.
    pub async fn describe(&self, id: &str, run_id: Option<&str>) -> Result<Answer<Description>, ClientError> {
        self.get(&["workflows", id], optional("run_id", run_id).collect(), Duration::ZERO).await
    }

    /// Waits for a run's result, for so long at most; it may still run then.
    pub async fn result(
        &self,
        id: &str,
        run_id: Option<&str>,
        wait: Duration,
    ) -> Result<Answer<RunResult>, ClientError> {
        let query = optional("run_id", run_id).chain(optional("wait", Some(in_milliseconds(wait)))).collect();
        self.get(&["workflows", id, "result"], query, wait).await
    }

    /// Reads a part of a run's history.
    pub async fn history(&self, id: &str, query: HistoryQuery) -> Result<Answer<HistoryPage>, ClientError> {
        let wait = query.wait;
        let query = optional("run_id", query.run_id)
            .chain(optional("after", Some(query.after)))
            .chain(optional("wait", Some(in_milliseconds(wait))))
            .chain(optional("calls", query.calls.then_some(true)))
            .collect();
        self.get(&["workflows", id, "history"], query, wait).await
    }

    /// Exports a run's history: the lines of the file, to the last one.
    pub async fn export(&self, id: &str, run_id: Option<&str>, redact: bool) -> Result<Vec<u8>, ClientError> {
        let query = optional("run_id", run_id).chain(optional("redact", redact.then_some(true))).collect();
        self.bytes(self.request(Method::GET, &["workflows", id, "export"], JSON_LINES, query)).await
    }

    /// Follows a run: its history, and how far its activities have come. `wait` of the query means nothing here.
    pub async fn events(&self, id: &str, query: HistoryQuery) -> Result<EventStream, ClientError> {
        let query = optional("run_id", query.run_id)
            .chain(optional("after", Some(query.after)))
            .chain(optional("calls", query.calls.then_some(true)))
            .collect();
        let request = self.request(Method::GET, &["workflows", id, "history"], EVENTS, query);
        Ok(EventStream::new(self.address(), self.begun(request).await?))
    }

    /// Sends a signal.
    pub async fn signal(&self, id: &str, name: &str, request: &SignalRequest) -> Result<(), ClientError> {
        self.done(self.json(&["workflows", id, "signals", name], request)?).await
    }

    /// Asks a run something.
    pub async fn query(
        &self,
        id: &str,
        name: &str,
        request: &QueryRequest,
    ) -> Result<Answer<QueryResult>, ClientError> {
        self.read(self.json(&["workflows", id, "queries", name], request)?, Duration::ZERO).await
    }

    /// Sends an update, and waits for its coming as far as the request says; `wait` is the request's.
    pub async fn update(
        &self,
        id: &str,
        name: &str,
        request: &UpdateRequest,
        wait: Duration,
    ) -> Result<Answer<UpdateResult>, ClientError> {
        self.read(self.json(&["workflows", id, "updates", name], request)?, wait).await
    }

    /// Asks how far an update has come, and waits for its coming so far, for so long at most.
    pub async fn update_result(
        &self,
        id: &str,
        update_id: &str,
        run_id: Option<&str>,
        stage: WaitForStage,
        wait: Duration,
    ) -> Result<Answer<UpdateResult>, ClientError> {
        let query = optional("run_id", run_id)
            .chain(optional("wait_for_stage", Some(stage.as_str())))
            .chain(optional("wait", Some(in_milliseconds(wait))))
            .collect();
        self.get(&["workflows", id, "updates", update_id], query, wait).await
    }

    /// Asks a run to end early.
    pub async fn cancel(&self, id: &str, request: &CancelRequest) -> Result<(), ClientError> {
        self.done(self.json(&["workflows", id, "cancel"], request)?).await
    }

    /// Ends a run.
    pub async fn terminate(&self, id: &str, request: &TerminateRequest) -> Result<(), ClientError> {
        self.done(self.json(&["workflows", id, "terminate"], request)?).await
    }

    /// Lets a parked run try again.
    pub async fn resume(&self, id: &str, request: &ResumeRequest) -> Result<(), ClientError> {
        self.done(self.json(&["workflows", id, "resume"], request)?).await
    }

    /// Lets a run make no step.
    pub async fn pause(&self, id: &str, request: &PauseRequest) -> Result<(), ClientError> {
        self.done(self.json(&["workflows", id, "pause"], request)?).await
    }

    /// Lets a paused run go on.
    pub async fn unpause(&self, id: &str, request: &UnpauseRequest) -> Result<(), ClientError> {
        self.done(self.json(&["workflows", id, "unpause"], request)?).await
    }

    /// Deletes a run that has ended, or all runs of an execution.
    pub async fn delete(&self, id: &str, run_id: Option<&str>) -> Result<Answer<Deleted>, ClientError> {
        let query = optional("run_id", run_id).collect();
        self.read(self.request(Method::DELETE, &["workflows", id], JSON, query), Duration::ZERO).await
    }

    /// Lets an execution go on from an earlier step.
    pub async fn reset(&self, id: &str, request: &ResetWorkflow) -> Result<Answer<ForkedRun>, ClientError> {
        self.read(self.json(&["workflows", id, "reset"], request)?, Duration::ZERO).await
    }

    /// Begins a new execution with steps of a run.
    pub async fn fork(&self, id: &str, request: &ForkWorkflow) -> Result<Answer<ForkedRun>, ClientError> {
        self.read(self.json(&["workflows", id, "fork"], request)?, Duration::ZERO).await
    }

    /// Ends an activity by hand, with a result.
    pub async fn complete_activity(
        &self,
        id: &str,
        activity: u64,
        request: &CompleteActivity,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "complete", request).await
    }

    /// Fails an activity's attempt by hand.
    pub async fn fail_activity(
        &self,
        id: &str,
        activity: u64,
        request: &FailActivity,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "fail", request).await
    }

    /// Ends an activity by hand, as canceled.
    pub async fn cancel_activity(
        &self,
        id: &str,
        activity: u64,
        request: &CancelActivity,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "cancel", request).await
    }

    /// Says that an activity's attempt is alive.
    pub async fn heartbeat_activity(
        &self,
        id: &str,
        activity: u64,
        request: &HeartbeatActivity,
    ) -> Result<Answer<HeartbeatAnswer>, ClientError> {
        self.activity(id, activity, "heartbeat", request).await
    }

    /// Pauses an activity.
    pub async fn pause_activity(
        &self,
        id: &str,
        activity: u64,
        request: &PauseActivity,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "pause", request).await
    }

    /// Lets a paused activity go on.
    pub async fn unpause_activity(
        &self,
        id: &str,
        activity: u64,
        request: &UnpauseActivity,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "unpause", request).await
    }

    /// Takes an activity back to its first attempt.
    pub async fn reset_activity(
        &self,
        id: &str,
        activity: u64,
        request: &ResetActivity,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "reset", request).await
    }

    /// Gives an activity other options.
    pub async fn update_activity_options(
        &self,
        id: &str,
        activity: u64,
        request: &UpdateActivityOptions,
    ) -> Result<Answer<Done>, ClientError> {
        self.activity(id, activity, "update-options", request).await
    }

    /// Lists task queues.
    pub async fn task_queues(&self) -> Result<Answer<TaskQueueList>, ClientError> {
        self.get(&["task-queues"], Vec::new(), Duration::ZERO).await
    }

    /// Looks at a task queue.
    pub async fn task_queue(&self, name: &str) -> Result<Answer<TaskQueueInfo>, ClientError> {
        self.get(&["task-queues", name], Vec::new(), Duration::ZERO).await
    }

    async fn activity<T: DeserializeOwned>(
        &self,
        id: &str,
        activity: u64,
        what: &str,
        request: &impl Serialize,
    ) -> Result<Answer<T>, ClientError> {
        let path = ["workflows", id, "activities", &activity.to_string(), what];
        self.read(self.json(&path, request)?, Duration::ZERO).await
    }

    fn request(&self, method: Method, path: &[&str], accept: &'static str, query: Query) -> RequestBuilder {
        let mut url = self.address.clone();
        // An http URL always has a path; pushing a segment percent-encodes it.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1");
            if self.namespace != DEFAULT_NAMESPACE {
                segments.push("namespaces").push(&self.namespace);
            }
            segments.extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url).header(ACCEPT, accept);
        match &self.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    fn json(&self, path: &[&str], body: &impl Serialize) -> Result<RequestBuilder, ClientError> {
        let body = serde_json::to_string(body).map_err(|error| self.unexpected(error.to_string()))?;
        Ok(self.request(Method::POST, path, JSON, Vec::new()).header(CONTENT_TYPE, JSON).body(body))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Query,
        wait: Duration,
    ) -> Result<Answer<T>, ClientError> {
        self.read(self.request(Method::GET, path, JSON, query), wait).await
    }

    /// An answer of bytes, however long it takes, as long as they come.
    async fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let mut response = self.begun(request).await?;
        let mut bytes = Vec::new();
        loop {
            match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(chunk))) => bytes.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(bytes),
                Ok(Err(error)) => return Err(self.unreachable(&error)),
                Err(_) => {
                    let reason = format!("nothing came for {} s", SILENCE.as_secs());
                    let address = self.address().to_owned();
                    return Err(ClientError::Unreachable { address, sent: true, reason });
                }
            }
        }
    }

    async fn lines(&self, request: RequestBuilder) -> Result<LineStream, ClientError> {
        Ok(LineStream::new(self.address(), self.begun(request).await?))
    }

    /// The beginning of an answer. How long a stream is silent is bounded, not how long it lives.
    async fn begun(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        match timeout(ANSWER_TIMEOUT, request.send()).await {
            Ok(response) => self.succeeded(response).await,
            Err(_) => {
                let reason = format!("no answer came for {} s", ANSWER_TIMEOUT.as_secs());
                Err(ClientError::Unreachable { address: self.address().to_owned(), sent: true, reason })
            }
        }
    }

    async fn done(&self, request: RequestBuilder) -> Result<(), ClientError> {
        self.send(request, Duration::ZERO).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        wait: Duration,
    ) -> Result<Answer<T>, ClientError> {
        let text = self.send(request, wait).await?;
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Answer { value, text }),
            Err(error) => Err(self.unexpected(format!("{error} in {}", shortened(&text)))),
        }
    }

    async fn send(&self, request: RequestBuilder, wait: Duration) -> Result<String, ClientError> {
        let response = request.timeout(wait + ANSWER_TIMEOUT).send().await;
        let response = self.succeeded(response).await?;
        response.text().await.map_err(|error| self.unreachable(&error))
    }

    /// The answer, if it is no refusal.
    async fn succeeded(&self, response: reqwest::Result<Response>) -> Result<Response, ClientError> {
        let response = response.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        match serde_json::from_str(&text) {
            Ok(problem) => Err(ClientError::Refused(Box::new(problem))),
            Err(_) => Err(self.unexpected(format!("{status}: {}", shortened(&text)))),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let address = self.address().to_owned();
        ClientError::Unreachable { address, sent: !error.is_connect(), reason: reasons(error) }
    }

    fn unexpected(&self, answer: String) -> ClientError {
        ClientError::Unexpected { address: self.address().to_owned(), answer }
    }
}

fn optional(
    name: &'static str,
    value: Option<impl ToString>,
) -> impl Iterator<Item = (&'static str, String)> {
    value.map(|value| (name, value.to_string())).into_iter()
}

fn in_milliseconds(wait: Duration) -> String {
    format!("{}ms", wait.as_millis())
}

/// What reqwest says and what it leaves to its sources.
fn reasons(error: &dyn std::error::Error) -> String {
    let innermost = std::iter::successors(Some(error), |error| error.source()).last();
    innermost.unwrap_or(error).to_string()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_ANSWER) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_encoded_in_paths() {
        let client = |namespace| Client::new("http://127.0.0.1:1/", namespace, None).expect("an address");
        let path = |namespace, id| {
            let path = ["workflows", id, "result"];
            let request = client(namespace).request(Method::GET, &path, JSON, Vec::new());
            request.build().expect("a request").url().path().to_owned()
        };
        assert_eq!(path("default", "order/42"), "/v1/workflows/order%2F42/result");
        assert_eq!(path("default", "für Änne?"), "/v1/workflows/f%C3%BCr%20%C3%84nne%3F/result");
        assert_eq!(path("default", "100%"), "/v1/workflows/100%25/result");
        assert_eq!(path("team a", "x"), "/v1/namespaces/team%20a/workflows/x/result");
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused() {
        for address in ["127.0.0.1:7420", "https://host", "file:///etc", "nonsense", ""] {
            assert!(
                matches!(Client::new(address, "default", None), Err(ClientError::Address { .. })),
                "{address}"
            );
        }
    }
}
