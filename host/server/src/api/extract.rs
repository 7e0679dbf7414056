//! What handlers take out of requests. Everything that does not fit is refused here, as a [`Refusal`] that names the
//! field.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use refrain_engine::ids::{Namespace, RunId, WorkflowId};
use refrain_runtime::Target;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::Host;
use super::problem::{Kind, Refusal};
use crate::config::parse_length;

/// The largest JSON body: the largest payload in base64 and room for the other fields.
pub const MAX_JSON_BYTES: usize = 4 * 1024 * 1024;

/// The longest time that one request waits: longer than that, proxies and load balancers give connections up.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// How long a body may pause before its connection is given up.
const BODY_STALL: Duration = Duration::from_secs(30);
/// How long a body may take as a whole: the largest upload, at a megabit in a second. A body that comes byte by byte
/// never stalls, and holds a place that others want.
const BODY_TOTAL: Duration = Duration::from_secs(10 * 60);

/// The namespace that a request is about: the one in its path, else the default one.
pub struct Scope(pub Namespace);

impl FromRequestParts<Host> for Scope {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, host: &Host) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct InPath {
            namespace: Option<String>,
        }
        let name =
            path::<InPath>(parts, host).await?.namespace.unwrap_or_else(|| Namespace::DEFAULT.to_owned());
        match host.namespaces().iter().find(|known| known.as_str() == name) {
            Some(known) => Ok(Self(known.clone())),
            None => {
                let known: Vec<&str> = host.namespaces().iter().map(Namespace::as_str).collect();
                Err(Refusal::new(
                    Kind::UnknownNamespace,
                    format!("there is no namespace {name:?}; this host has: {}", known.join(", ")),
                    "add it to `namespaces` in the host's configuration, or use one of these",
                )
                .about("namespace"))
            }
        }
    }
}

/// The parameters of the path, decoded.
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Host> for ApiPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, host: &Host) -> Result<Self, Refusal> {
        path(parts, host).await.map(Self)
    }
}

async fn path<T: DeserializeOwned + Send>(parts: &mut Parts, host: &Host) -> Result<T, Refusal> {
    match Path::from_request_parts(parts, host).await {
        Ok(Path(params)) => Ok(params),
        Err(rejection) => Err(Refusal::new(
            Kind::Invalid,
            rejection.body_text(),
            "percent-encode ids as UTF-8, with %2F for a slash; versions are whole numbers",
        )),
    }
}

/// The parameters of the query string. Types with `deny_unknown_fields` whose fields are optional strings, so that
/// each field's own reader can say what is wrong with it.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Host> for ApiQuery<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Host) -> Result<Self, Refusal> {
        query(&parts.uri).map(Self)
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    Query::<T>::try_from_uri(uri).map(|Query(params)| params).map_err(|rejection| {
        // `Failed to deserialize query string: PATH: MESSAGE`, of which serde's message begins with the last two.
        let text = rejection.body_text();
        let message = text.rsplit_once(": ").map_or(text.as_str(), |(_, message)| message);
        let name = message.split('`').nth(1).unwrap_or("query");
        Refusal::from_serde(name, message)
    })
}

/// A JSON body.
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Host> for ApiJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Host) -> Result<Self, Refusal> {
        // A web page can send a form or plain text to any host without asking; JSON it cannot.
        if !is_json(request.headers()) {
            return Err(Refusal::new(
                Kind::UnsupportedMediaType,
                match request.headers().get(CONTENT_TYPE) {
                    Some(given) => format!("the content type is {given:?}"),
                    None => "there is no content type".to_owned(),
                },
                "send a JSON object, `{}` at least, with the header `content-type: application/json`",
            )
            .about("content-type"));
        }
        let body = read_body(request, MAX_JSON_BYTES, "the JSON body").await?;
        parse_json(&body).map(Self)
    }
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let malformed = |detail: String| {
        Refusal::new(Kind::MalformedBody, detail, "send one JSON object in UTF-8, `{}` at least")
    };
    match body.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(_) => return Err(malformed("the body is not a JSON object".to_owned())),
        None => return Err(malformed("the body is empty".to_owned())),
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            Refusal::from_serde(&path, &error.to_string())
        } else {
            malformed(format!("not JSON: {error}"))
        }
    })?;
    reader.end().map_err(|error| malformed(format!("not JSON: {error}")))?;
    Ok(value)
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// The content type without its parameters.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

/// Reads a whole body into memory, up to a limit. A body that stops half way is an error, so nothing is done with a
/// part of it.
pub async fn read_body(request: Request, limit: usize, what: &str) -> Result<Bytes, Refusal> {
    let too_large = || {
        Refusal::new(
            Kind::TooLarge,
            format!("{what} is larger than {limit} bytes"),
            "make it smaller, or keep large values elsewhere and pass a reference to them",
        )
    };
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let broken = |why: String| Refusal::new(Kind::MalformedBody, why, "send it again; nothing was done");
    let mut chunks = request.into_body().into_data_stream();
    let mut body = BytesMut::new();
    let end = Instant::now() + BODY_TOTAL;
    loop {
        let pause = timeout_at(end.min(Instant::now() + BODY_STALL), chunks.next()).await;
        let next = pause.map_err(|_| {
            broken(if Instant::now() < end {
                format!("no more of the body came for {} s", BODY_STALL.as_secs())
            } else {
                format!("the body was not complete after {} s", BODY_TOTAL.as_secs())
            })
        })?;
        match next {
            None => return Ok(body.freeze()),
            Some(Err(error)) => return Err(broken(format!("the body broke off: {error}"))),
            Some(Ok(chunk)) if body.len() + chunk.len() > limit => return Err(too_large()),
            Some(Ok(chunk)) => body.extend_from_slice(&chunk),
        }
    }
}

/// How a length of time is written, for those who wrote something else.
pub const LENGTH_FORM: &str = "write it like 30s, 1h 30m, 7d or 500ms";

/// A length of time that a request gives.
pub fn length_of_time(field: &str, text: &str) -> Result<Duration, Refusal> {
    parse_length(text).ok_or_else(|| not_a_length(field, text, LENGTH_FORM))
}

/// The time that a request wants to wait: `default` unless it says so, and at most [`MAX_WAIT`].
pub fn wait_time(wait: Option<&str>, default: Duration) -> Result<Duration, Refusal> {
    let Some(text) = wait else { return Ok(default) };
    let remedy = || format!("write it like 30s or 500ms; more than {} s is cut to that", MAX_WAIT.as_secs());
    let wait = parse_length(text).ok_or_else(|| not_a_length("wait", text, remedy()))?;
    Ok(wait.min(MAX_WAIT))
}

fn not_a_length(field: &str, text: &str, remedy: impl Into<String>) -> Refusal {
    Refusal::invalid(field, format!("{text:?} is not a length of time"), remedy)
}

/// The run that a request is about.
pub fn target(id: String, run_id: Option<&str>) -> Result<Target, Refusal> {
    let workflow_id = workflow_id(id)?;
    let run_id = run_id.map(str::parse::<RunId>).transpose().map_err(|error| {
        Refusal::invalid("run_id", error.to_string(), "leave it out for the execution's current run")
    })?;
    Ok(Target { workflow_id, run_id })
}

/// A workflow id as the API takes it.
pub fn workflow_id(id: String) -> Result<WorkflowId, Refusal> {
    path_segment("id", &id)?;
    WorkflowId::new(id).map_err(|error| Refusal::invalid("id", error.to_string(), "choose another id"))
}

/// Refuses the two names that clients remove from paths before they send them, even when they are percent-encoded.
pub fn path_segment(field: &str, name: &str) -> Result<(), Refusal> {
    if name == "." || name == ".." {
        return Err(Refusal::invalid(
            field,
            format!("{name:?} cannot be part of a URL"),
            "choose another name: `.` and `..` have a meaning of their own in paths",
        ));
    }
    Ok(())
}
