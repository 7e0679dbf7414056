//! The API as a client of it sees it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::PATIENCE;

/// How long one long-poll waits for news.
const POLL_WAIT: &str = "20s";

/// How long one request may take: a long-poll, and room for a busy machine.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// How long an upload may take: a component with a language's runtime in it is large, and the host compiles it.
const UPLOAD_LIMIT: Duration = Duration::from_secs(300);

/// What the host answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    pub fn ok(self) -> Result<Value> {
        ensure!((200..300).contains(&self.status), "{}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// The last part of the problem's type, such as `not-found`; empty when it is not a problem.
    pub fn problem(&self) -> &str {
        self.body["type"].as_str().and_then(|urn| urn.rsplit(':').next()).unwrap_or_default()
    }
}

/// An event of a run's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(pub Value);

impl Event {
    /// What happened, such as `activity-completed`.
    pub fn kind(&self) -> &str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// Its number in the history.
    pub fn number(&self) -> u64 {
        self.0["number"].as_u64().unwrap_or_default()
    }

    /// Which life of the host recorded it.
    pub fn boot(&self) -> u64 {
        self.0["boot"].as_u64().unwrap_or_default()
    }

    /// More about it.
    pub fn attribute(&self, name: &str) -> &Value {
        &self.0["attributes"][name]
    }
}

/// A client of one host.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: watch::Receiver<String>,
}

impl Client {
    pub(crate) fn new(url: watch::Receiver<String>) -> Self {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_LIMIT)
            // What the environment says about proxies is about other hosts than this machine.
            .no_proxy()
            // Without TLS, the machine's certificate authorities need not be read, nor be there.
            .tls_certs_only([])
            .build();
        Self { http: http.expect("a client without TLS needs nothing that could be missing"), url }
    }

    /// A request, for what the other methods do not do.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.url.borrow().as_str());
        self.http.request(method, url)
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Answer { status, headers, body })
    }

    /// Sends a request that is safe to repeat, again in each next life of the host until there is an answer.
    pub async fn persist(&self, request: impl Fn(&Self) -> reqwest::RequestBuilder) -> Result<Answer> {
        let mut lives = self.url.clone();
        loop {
            lives.mark_unchanged();
            match self.send(request(self)).await {
                Ok(answer) => return Ok(answer),
                // Refused or broken off: the host is dead, and is said to listen when it lives again.
                Err(error) => timeout(PATIENCE, lives.changed()).await.context(error)??,
            }
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Uploads a component.
    pub async fn try_upload(&self, name: &str, wasm: Vec<u8>) -> Result<Answer> {
        let request = self.request(Method::PUT, &format!("/v1/components/{name}"));
        self.send(request.header(CONTENT_TYPE, "application/wasm").timeout(UPLOAD_LIMIT).body(wasm)).await
    }

    /// Uploads a component; it must succeed.
    pub async fn upload(&self, name: &str, wasm: Vec<u8>) -> Result<Value> {
        self.try_upload(name, wasm).await?.ok().with_context(|| format!("upload {name}"))
    }

    /// Starts a workflow under an id; it must succeed. The run's id.
    pub async fn start(&self, workflow: &str, id: &str, input: Value) -> Result<String> {
        let started =
            self.post("/v1/workflows", &json!({ "workflow": workflow, "id": id, "input": input })).await?;
        let started = started.ok().with_context(|| format!("start {workflow} as {id}"))?;
        Ok(started["run_id"].as_str().context("the answer to a start has no `run_id`")?.to_owned())
    }

    /// Sends a signal; it must succeed.
    pub async fn signal(&self, id: &str, signal: &str, input: Value) -> Result<()> {
        let path = format!("/v1/workflows/{}/signals/{signal}", encode(id));
        self.post(&path, &json!({ "input": input }))
            .await?
            .ok()
            .with_context(|| format!("signal {signal} to {id}"))?;
        Ok(())
    }

    /// All that is known of a run, except its history.
    pub async fn describe(&self, id: &str) -> Result<Value> {
        self.get(&format!("/v1/workflows/{}", encode(id)))
            .await?
            .ok()
            .with_context(|| format!("describe {id}"))
    }

    /// Asks once for the end of a run, which may take a long-poll's time. A run that is parked has none.
    pub async fn poll_result(&self, id: &str) -> Result<Option<Value>> {
        let answer = self.get(&format!("/v1/workflows/{}/result?wait={POLL_WAIT}", encode(id))).await?;
        let closed = answer.status == 200;
        let body = answer.ok().with_context(|| format!("result of {id}"))?;
        if body["status"] == "parked" {
            bail!("{id} is parked: {}", self.describe(id).await?["parked"]);
        }
        Ok(closed.then_some(body))
    }

    /// Waits for the end of a run: its `status`, and its `result` or its `failure`.
    pub async fn result(&self, id: &str) -> Result<Value> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(result) = self.poll_result(id).await? {
                return Ok(result);
            }
        }
        bail!("{id} does not end: {}", self.describe(id).await?)
    }

    /// Waits for the end of a run, which must be a good one: what it returned.
    pub async fn completed(&self, id: &str) -> Result<Value> {
        let ended = self.result(id).await?;
        ensure!(ended["status"] == "completed", "{id} did not complete: {ended}");
        Ok(ended["result"].clone())
    }

    /// A run's history so far.
    pub async fn history(&self, id: &str) -> Result<Vec<Event>> {
        self.history_page(id, "").await.map(|(events, _)| events)
    }

    /// A run's history so far, with all reads and waits.
    pub async fn history_with_calls(&self, id: &str) -> Result<Vec<Event>> {
        self.history_page(id, "?calls=true").await.map(|(events, _)| events)
    }

    /// Follows a run's history until `enough` says so of all that it has recorded, or it ends.
    pub async fn follow(&self, id: &str, mut enough: impl FnMut(&[Event]) -> bool) -> Result<Vec<Event>> {
        let began = Instant::now();
        let mut seen: Vec<Event> = Vec::new();
        while began.elapsed() < PATIENCE {
            let after = seen.last().map_or(0, Event::number);
            let (more, closed) = self.history_page(id, &format!("?after={after}&wait={POLL_WAIT}")).await?;
            seen.extend(more);
            if closed || enough(&seen) {
                return Ok(seen);
            }
        }
        bail!("what was waited for does not happen in {id}: {seen:?}")
    }

    /// Follows a run's history until it has an event of this type.
    pub async fn follow_to(&self, id: &str, kind: &str) -> Result<Vec<Event>> {
        let seen = self.follow(id, |seen| seen.iter().any(|event| event.kind() == kind)).await?;
        ensure!(seen.iter().any(|event| event.kind() == kind), "{id} ended without {kind}: {seen:?}");
        Ok(seen)
    }

    async fn history_page(&self, id: &str, query: &str) -> Result<(Vec<Event>, bool)> {
        let page = self.get(&format!("/v1/workflows/{}/history{query}", encode(id))).await?;
        let page = page.ok().with_context(|| format!("history of {id}"))?;
        let events = page["events"].as_array().context("a history has no `events`")?;
        Ok((events.iter().cloned().map(Event).collect(), page["closed"] == true))
    }

    /// All runs, page by page.
    pub async fn list(&self, limit: usize) -> Result<Vec<Value>> {
        let mut runs = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/v1/workflows?limit={limit}{cursor}")).await?.ok()?;
            let page_runs = page["workflows"].as_array().context("a page has no `workflows`")?;
            ensure!(page_runs.len() <= limit, "a page of {limit} has {}", page_runs.len());
            runs.extend(page_runs.iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={}", encode(next)),
                None => return Ok(runs),
            }
        }
    }
}

/// An id as it stands in a path.
pub fn encode(id: &str) -> String {
    let mut encoded = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
