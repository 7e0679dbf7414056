//! Requests to the host, and the kinds of answers that there are. Nothing here repeats a request: who asks knows how
//! long it is worth it. That the host does not answer, and that it does again, is logged here alone.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url, redirect};
use serde::Serialize;

use crate::contact::Contact;
use crate::error::Error;
use crate::wire::{HeartbeatAnswer, PollRequest, Problem, Task};

/// How long to try for a connection. One that takes longer is not there, and is tried again anyway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a poll's answer may be late, before the connection is taken for dead.
const POLL_MARGIN: Duration = Duration::from_secs(10);
/// How long a report may take: a large result on a slow line, and the host's disk.
const REPORT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a beat may take; there will be another.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
/// A host that wants to be left alone for longer is asked earlier all the same.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How much of an answer that nobody understands is shown.
const SHOWN_ANSWER: usize = 300;
/// The namespace whose paths need not name it.
const DEFAULT_NAMESPACE: &str = "default";

/// Talks to one host about one namespace.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: Url,
    namespace: String,
    contact: Contact,
}

/// How a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The host was not reached, or cannot answer now. It may have done what was asked.
    #[error("{reason}")]
    Passing { reason: String, retry_after: Option<Duration> },
    /// The attempt is no longer the current one.
    #[error("{reason}")]
    Stale { reason: String },
    /// The host cannot take what was sent, whoever sends it and whenever.
    #[error("{detail}")]
    Unfit { status: u16, detail: String, hint: String },
    /// The host does not want this request from this worker.
    #[error("{detail}")]
    Refused { status: u16, detail: String, hint: String },
    /// No host of this version answers so.
    #[error("{answer}")]
    Unexpected { answer: String },
}

impl CallError {
    /// Whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Passing { .. })
    }

    /// The pause before the next try: what the host asks for, if that is longer than what was planned.
    pub(crate) fn pause(&self, planned: Duration) -> Duration {
        match self {
            Self::Passing { retry_after: Some(asked), .. } => planned.max((*asked).min(MAX_RETRY_AFTER)),
            _ => planned,
        }
    }
}

impl Client {
    pub(crate) fn new(address: &str, namespace: String, api_key: Option<&str>) -> Result<Self, Error> {
        let refuse =
            |reason: String| Error::Setting { setting: "address", value: address.to_owned(), reason };
        let url =
            Url::parse(address).map_err(|error| refuse(format!("{error}; use http://127.0.0.1:7420")))?;
        match url.scheme() {
            "http" if url.has_host() => {}
            "https" if cfg!(feature = "tls") => {}
            "https" => {
                let reason = "this worker was built without TLS: turn on the feature `tls` of the crate \
                    refrain-worker, or use http through a tunnel";
                return Err(refuse(reason.to_owned()));
            }
            _ => return Err(refuse("it is not an http URL like http://127.0.0.1:7420".to_owned())),
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = api_key {
            // The key is not shown: neither in this message nor in a debug line.
            let mut header = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| Error::Setting {
                setting: "api_key",
                value: "***".to_owned(),
                reason: "it has characters that an HTTP header cannot carry".to_owned(),
            })?;
            header.set_sensitive(true);
            headers.insert(AUTHORIZATION, header);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("refrain-worker/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            // The environment's proxies are for the outer world; hosts are reached directly.
            .no_proxy()
            // A redirected POST may become a GET; a host redirects nobody.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| refuse(innermost(&error)))?;
        Ok(Self { http, address: url, namespace, contact: Contact::default() })
    }

    /// The address of the host.
    pub(crate) fn address(&self) -> &str {
        self.address.as_str().trim_end_matches('/')
    }

    /// Waits for a task; `None` if none came.
    pub(crate) async fn poll(
        &self,
        queue: &str,
        request: &PollRequest<'_>,
        wait: Duration,
    ) -> Result<Option<Task>, CallError> {
        let path = ["task-queues", queue, "poll"];
        read_poll(self.post(&path, to_json(request)?, wait + POLL_MARGIN).await?).await
    }

    /// Asks whether a poll was answered, without waiting. Nobody needs to know if the host is away: the worker stops.
    pub(crate) async fn last_poll(
        &self,
        queue: &str,
        request: &PollRequest<'_>,
    ) -> Result<Option<Task>, CallError> {
        let path = ["task-queues", queue, "poll"];
        read_poll(self.send(&path, to_json(request)?, POLL_MARGIN).await?).await
    }
    /// Tells the host of an attempt's end, in the form that `verb` takes. `Ok` means that it is durable.
    pub(crate) async fn report(&self, verb: &str, body: Bytes) -> Result<(), CallError> {
        self.post(&["activities", verb], body, REPORT_TIMEOUT).await.map(drop)
    }

    /// Tells the host that an attempt is alive.
    pub(crate) async fn heartbeat(&self, body: Bytes) -> Result<HeartbeatAnswer, CallError> {
        let response = self.post(&["activities", "heartbeat"], body, HEARTBEAT_TIMEOUT).await?;
        let body = response.bytes().await.map_err(|error| unreachable(&error))?;
        from_json(&body)
    }

    /// Sends a request, and keeps account of whether the host answers.
    async fn post(&self, path: &[&str], body: Bytes, timeout: Duration) -> Result<Response, CallError> {
        let answer = self.send(path, body, timeout).await;
        match &answer {
            Err(error) if error.is_passing() => self.contact.missed(self.address(), error),
            _ => self.contact.answered(self.address()),
        }
        answer
    }

    async fn send(&self, path: &[&str], body: Bytes, timeout: Duration) -> Result<Response, CallError> {
        let request = self.http.post(self.url(path)).timeout(timeout).body(body);
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.address.clone();
        // An http URL always has a path; pushing a segment percent-encodes it.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1");
            if self.namespace != DEFAULT_NAMESPACE {
                segments.push("namespaces").push(&self.namespace);
            }
            segments.extend(path);
        }
        url
    }
}

/// The body of a request.
pub(crate) fn to_json(body: &impl Serialize) -> Result<Bytes, CallError> {
    let json = serde_json::to_vec(body);
    json.map(Bytes::from).map_err(|error| CallError::Unexpected { answer: error.to_string() })
}

fn from_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| {
        let answer = format!("{error} in {}", shortened(&String::from_utf8_lossy(body)));
        CallError::Unexpected { answer }
    })
}

/// The answer to a poll.
async fn read_poll(response: Response) -> Result<Option<Task>, CallError> {
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(None);
    }
    let body = response.bytes().await.map_err(|error| unreachable(&error))?;
    let task: Task = from_json(&body)?;
    // Checked here, so that whoever has a task can read all of it.
    let undecodable = task.input().err().or_else(|| task.last_heartbeat().err());
    match undecodable {
        Some(error) => Err(CallError::Unexpected { answer: format!("a payload of the task: {error}") }),
        None => Ok(Some(task)),
    }
}

/// What an answer without success means.
async fn refusal(response: Response) -> CallError {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    // The status says what to do; the text is for people, and need not have arrived.
    let text = response.text().await.unwrap_or_default();
    let problem: Problem = serde_json::from_str(&text).unwrap_or_default();
    let hint = problem.hint;
    let detail =
        if problem.detail.is_empty() { format!("{status}: {}", shortened(&text)) } else { problem.detail };
    match status {
        StatusCode::CONFLICT => CallError::Stale { reason: detail },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            CallError::Passing { reason: detail, retry_after }
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            CallError::Unfit { status: status.as_u16(), detail, hint }
        }
        _ if status.is_server_error() => CallError::Passing { reason: detail, retry_after },
        _ if status.is_client_error() => CallError::Refused { status: status.as_u16(), detail, hint },
        _ => CallError::Unexpected { answer: detail },
    }
}

fn unreachable(error: &reqwest::Error) -> CallError {
    CallError::Passing { reason: innermost(error), retry_after: None }
}

/// The reason that reqwest leaves to its sources.
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
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
    fn names_are_encoded_in_paths() {
        let path = |address, namespace: &str| {
            let client = Client::new(address, namespace.to_owned(), None).unwrap();
            client.url(&["task-queues", "gpu/a", "poll"]).to_string()
        };
        assert_eq!(path("http://h:1", "default"), "http://h:1/v1/task-queues/gpu%2Fa/poll");
        assert_eq!(
            path("http://h:1/x/", "team a"),
            "http://h:1/x/v1/namespaces/team%20a/task-queues/gpu%2Fa/poll"
        );
    }

    #[test]
    fn addresses_and_keys_that_cannot_be_used_are_refused_without_showing_the_key() {
        for address in ["127.0.0.1:7420", "file:///etc", "nonsense", ""] {
            let error = Client::new(address, "default".to_owned(), None).unwrap_err();
            assert!(error.to_string().contains(&format!("{address:?}")), "{error}");
        }
        if !cfg!(feature = "tls") {
            let error = Client::new("https://h", "default".to_owned(), None).unwrap_err();
            assert!(error.to_string().contains("the feature `tls`"), "{error}");
        }
        let error = Client::new("http://h", "default".to_owned(), Some("se\ncret")).unwrap_err();
        assert!(error.to_string().contains("`api_key`"), "{error}");
        let client = Client::new("http://h", "default".to_owned(), Some("secret")).unwrap();
        assert!(!format!("{error:?}{client:?}").contains("cret"));
    }
}
