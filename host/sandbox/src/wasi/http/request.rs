//! Requests: `outgoing-request`, `request-options`, `outgoing-body`, and the activity that they become.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use refrain_engine::call::{ActivityCommand, ActivityOptions};
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use serde::Serialize;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::buffer::Buffer;
use super::error_code::ErrorCode;
use super::exchange::{Exchange, Outgoing};
use super::fields::{Fields, is_token};
use super::{ACTIVITY, ATTEMPT_SLACK, DEFAULT_TIMEOUT, MAX_HEADER_BYTES, MAX_URL_BYTES, TYPES};
use crate::state::State;
use crate::wasi::streams::OutputStream;
use crate::wasi::versioned;

/// `method`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum Method {
    #[component(name = "get")]
    Get,
    #[component(name = "head")]
    Head,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "delete")]
    Delete,
    #[component(name = "connect")]
    Connect,
    #[component(name = "options")]
    Options,
    #[component(name = "trace")]
    Trace,
    #[component(name = "patch")]
    Patch,
    #[component(name = "other")]
    Other(String),
}

/// `scheme`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum Scheme {
    #[component(name = "HTTP")]
    Http,
    #[component(name = "HTTPS")]
    Https,
    #[component(name = "other")]
    Other(String),
}

/// `outgoing-request`.
pub(super) struct OutgoingRequest {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path_with_query: Option<String>,
    headers: Fields,
    has_body: bool,
    pub(super) exchange: Exchange,
}

/// `request-options`, in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(super) struct RequestOptions {
    connect: Option<u64>,
    first_byte: Option<u64>,
    between_bytes: Option<u64>,
}

/// `outgoing-body`.
pub(super) struct OutgoingBody {
    exchange: Exchange,
    has_stream: bool,
}

/// A request without its body.
#[derive(Debug, Default)]
pub(super) struct Head {
    method: String,
    url: String,
    headers: BTreeMap<String, Vec<String>>,
    /// Until the head of the response is there.
    response_timeout: Option<Duration>,
    /// Between two parts of its body.
    read_timeout: Option<Duration>,
}

/// The input of the activity. Its fields and their order are in journals: they never change for a request that could
/// be made before.
#[derive(Serialize)]
struct Input<'a> {
    method: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_timeout: Option<String>,
    raw: bool,
}

/// The header by which a service knows a request that comes again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The type of an attempt's own timeout.
const START_TO_CLOSE: &str = "start-to-close";

/// The answer of `set-...`: whether the value may be had.
type Set = wasmtime::Result<(Result<(), ()>,)>;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    add_requests(linker)?;
    add_options(linker)?;
    add_bodies(linker)
}

fn add_requests(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource("outgoing-request", ResourceType::host::<OutgoingRequest>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<OutgoingRequest>::new_own(handle))?;
        Ok(())
    })?;
    types.func_wrap("[constructor]outgoing-request", |mut store, (headers,): (Resource<Fields>,)| {
        let handles = &mut store.data_mut().wasi.handles;
        let headers = handles.delete(headers)?;
        Ok((handles.push(OutgoingRequest::new(headers))?,))
    })?;
    types.func_wrap(
        "[method]outgoing-request.body",
        |mut store, (request,): (Resource<OutgoingRequest>,)| -> wasmtime::Result<(Result<_, ()>,)> {
            let state = store.data_mut();
            let request = state.wasi.handles.get_mut(&request)?;
            if std::mem::replace(&mut request.has_body, true) {
                return Ok((Err(()),));
            }
            let exchange = request.exchange.clone();
            exchange.open_body(Buffer::new(Vec::new(), &state.limiter)?);
            Ok((Ok(state.wasi.handles.push(OutgoingBody { exchange, has_stream: false })?),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.headers",
        |mut store, (request,): (Resource<OutgoingRequest>,)| {
            let state = store.data_mut();
            let headers = state.wasi.handles.get(&request)?.headers.shown(&state.limiter)?;
            Ok((state.wasi.handles.push(headers)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.method",
        |store, (request,): (Resource<OutgoingRequest>,)| {
            Ok((store.data().wasi.handles.get(&request)?.method.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store, (request, method): (Resource<OutgoingRequest>, Method)| -> Set {
            let request = store.data_mut().wasi.handles.get_mut(&request)?;
            Ok((put(&mut request.method, method, |method| is_token(method.name())),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.scheme",
        |store, (request,): (Resource<OutgoingRequest>,)| {
            Ok((store.data().wasi.handles.get(&request)?.scheme.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-scheme",
        |mut store, (request, scheme): (Resource<OutgoingRequest>, Option<Scheme>)| -> Set {
            let request = store.data_mut().wasi.handles.get_mut(&request)?;
            Ok((put(&mut request.scheme, scheme, |scheme| scheme.as_ref().is_none_or(Scheme::is_valid)),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.authority",
        |store, (request,): (Resource<OutgoingRequest>,)| {
            Ok((store.data().wasi.handles.get(&request)?.authority.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store, (request, authority): (Resource<OutgoingRequest>, Option<String>)| -> Set {
            let request = store.data_mut().wasi.handles.get_mut(&request)?;
            Ok((put(&mut request.authority, authority, |text| text.as_deref().is_none_or(is_authority)),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.path-with-query",
        |store, (request,): (Resource<OutgoingRequest>,)| {
            Ok((store.data().wasi.handles.get(&request)?.path_with_query.clone(),))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store, (request, path): (Resource<OutgoingRequest>, Option<String>)| -> Set {
            let request = store.data_mut().wasi.handles.get_mut(&request)?;
            Ok((put(&mut request.path_with_query, path, |text| text.as_deref().is_none_or(is_path)),))
        },
    )
}

fn add_options(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource("request-options", ResourceType::host::<RequestOptions>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<RequestOptions>::new_own(handle))?;
        Ok(())
    })?;
    types.func_wrap("[constructor]request-options", |mut store, ()| {
        Ok((store.data_mut().wasi.handles.push(RequestOptions::default())?,))
    })?;
    type Field = fn(&mut RequestOptions) -> &mut Option<u64>;
    let fields: [(&str, Field); 3] = [
        ("connect-timeout", |options| &mut options.connect),
        ("first-byte-timeout", |options| &mut options.first_byte),
        ("between-bytes-timeout", |options| &mut options.between_bytes),
    ];
    for (name, field) in fields {
        types.func_wrap(
            &format!("[method]request-options.{name}"),
            move |mut store, (options,): (Resource<RequestOptions>,)| {
                Ok((*field(store.data_mut().wasi.handles.get_mut(&options)?),))
            },
        )?;
        types.func_wrap(
            &format!("[method]request-options.set-{name}"),
            move |mut store, (options, timeout): (Resource<RequestOptions>, Option<u64>)| -> Set {
                *field(store.data_mut().wasi.handles.get_mut(&options)?) = timeout;
                Ok((Ok(()),))
            },
        )?;
    }
    Ok(())
}

fn add_bodies(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    types.resource("outgoing-body", ResourceType::host::<OutgoingBody>(), |mut store, handle| {
        let handles = &mut store.data_mut().wasi.handles;
        handles.delete(Resource::<OutgoingBody>::new_own(handle))?.exchange.drop_body();
        Ok(())
    })?;
    types.func_wrap(
        "[method]outgoing-body.write",
        |mut store, (body,): (Resource<OutgoingBody>,)| -> wasmtime::Result<(Result<_, ()>,)> {
            let handles = &mut store.data_mut().wasi.handles;
            let body = handles.get_mut(&body)?;
            if std::mem::replace(&mut body.has_stream, true) {
                return Ok((Err(()),));
            }
            let stream = OutputStream::Body(body.exchange.clone());
            Ok((Ok(handles.push(stream)?),))
        },
    )?;
    types.func_wrap(
        "[static]outgoing-body.finish",
        |mut store,
         (body, trailers): (Resource<OutgoingBody>, Option<Resource<Fields>>)|
         -> wasmtime::Result<(Result<(), ErrorCode>,)> {
            let state = store.data_mut();
            let OutgoingBody { exchange, .. } = state.wasi.handles.delete(body)?;
            let trailers = trailers.map(|trailers| state.wasi.handles.delete(trailers)).transpose()?;
            if trailers.is_some_and(|trailers| !trailers.entries().is_empty()) {
                exchange.drop_body();
                let why = "requests are sent without trailers: send these as headers".to_owned();
                return Ok((Err(ErrorCode::InternalError(Some(why))),));
            }
            let outgoing = match exchange.finish() {
                Ok(outgoing) => outgoing,
                Err(code) => return Ok((Err(code),)),
            };
            state.send_request(&exchange, outgoing)?;
            Ok((Ok(()),))
        },
    )
}

/// Sets a value that may be had.
fn put<T>(place: &mut T, value: T, is_valid: impl FnOnce(&T) -> bool) -> Result<(), ()> {
    if !is_valid(&value) {
        return Err(());
    }
    *place = value;
    Ok(())
}

impl Method {
    fn name(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other(name) => name,
        }
    }
}

impl Scheme {
    /// As RFC 3986 has it.
    fn is_valid(&self) -> bool {
        let Self::Other(name) = self else { return true };
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    }
}

/// Whether this may stand between `//` and the path. What it means is judged by the plugin, on the whole URL.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#\\".contains(&byte))
}

fn is_path(text: &str) -> bool {
    (text.is_empty() || text.starts_with(['/', '?']))
        && text.chars().all(|c| c != '#' && !c.is_control() && !c.is_whitespace())
}

impl OutgoingRequest {
    fn new(headers: Fields) -> Self {
        let announced = headers.values("content-length").next();
        let announced = announced.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        Self {
            method: Method::Get,
            scheme: None,
            authority: None,
            path_with_query: None,
            headers,
            has_body: false,
            exchange: Exchange::new(announced),
        }
    }

    /// All of it but the body, checked.
    pub(super) fn head(&self, options: RequestOptions) -> Result<Head, ErrorCode> {
        if matches!(self.method.name(), "CONNECT" | "TRACE") {
            // They are for proxies.
            return Err(ErrorCode::HttpRequestMethodInvalid);
        }
        let scheme = match &self.scheme {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) | None => "https",
            Some(Scheme::Other(_)) => return Err(ErrorCode::HttpProtocolError),
        };
        let authority = self.authority.as_deref().ok_or(ErrorCode::HttpRequestUriInvalid)?;
        let path = self.path_with_query.as_deref().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{authority}{slash}{path}");
        if url.len() > MAX_URL_BYTES {
            return Err(ErrorCode::HttpRequestUriTooLong);
        }
        let bytes = self.headers.bytes();
        if bytes > MAX_HEADER_BYTES {
            return Err(ErrorCode::HttpRequestHeaderSectionSize(u32::try_from(bytes).ok()));
        }
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in self.headers.entries() {
            // Who sends the body says how long it is.
            if !name.eq_ignore_ascii_case("content-length") {
                let value = String::from_utf8_lossy(value).into_owned();
                headers.entry(name.to_ascii_lowercase()).or_default().push(value);
            }
        }
        let RequestOptions { connect, first_byte, between_bytes } = options;
        let response = match (connect, first_byte) {
            (None, None) => None,
            (connect, first_byte) => {
                Some(connect.unwrap_or_default().saturating_add(first_byte.unwrap_or_default()))
            }
        };
        Ok(Head {
            method: self.method.name().to_owned(),
            url,
            headers,
            response_timeout: response.map(at_least_a_millisecond),
            read_timeout: between_bytes.map(at_least_a_millisecond),
        })
    }
}

/// Whole milliseconds, and not nothing.
fn at_least_a_millisecond(nanos: u64) -> Duration {
    Duration::from_millis(nanos.div_ceil(1_000_000).max(1))
}

/// The activity that this request is.
pub(super) fn activity(Outgoing { head, body }: &Outgoing) -> ActivityCommand {
    // What the program has allowed for the head is not taken from the body's time.
    let timeout = DEFAULT_TIMEOUT.saturating_add(head.response_timeout.unwrap_or_default());
    let body = body.as_ref().map(Buffer::bytes).filter(|bytes| !bytes.is_empty());
    let millis = |timeout: Duration| format!("{}ms", timeout.as_millis());
    let input = Input {
        method: &head.method,
        url: &head.url,
        headers: &head.headers,
        body_base64: body.map(|bytes| STANDARD.encode(bytes)),
        timeout: millis(timeout),
        response_timeout: head.response_timeout.map(millis),
        read_timeout: head.read_timeout.map(millis),
        raw: true,
    };
    let input = serde_json::to_vec(&input).expect("strings are JSON");
    let options = ActivityOptions {
        start_to_close: Some(timeout.saturating_add(ATTEMPT_SLACK)),
        retry: retry(head),
        summary: Some(summary(head)),
        ..ActivityOptions::default()
    };
    ActivityCommand { name: ACTIVITY.to_owned(), input: Payload::json(input), options }
}

/// Nothing that an HTTP client would tell its program is tried again behind its back. What is left is a host that ended
/// in the middle: then a request goes out again if RFC 9110 lets a client do that by itself, which is if the method says
/// that once more changes nothing, or the program has given a key by which the service knows.
fn retry(head: &Head) -> RetryPolicy {
    let is_idempotent = matches!(head.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE");
    let may_repeat = is_idempotent || head.headers.contains_key(IDEMPOTENCY_KEY);
    RetryPolicy {
        maximum_attempts: if may_repeat { 0 } else { 1 },
        non_retryable_error_types: if may_repeat { vec![START_TO_CLOSE.to_owned()] } else { Vec::new() },
        ..RetryPolicy::default()
    }
}

/// One line for people, without what may be secret: users, passwords, queries.
fn summary(Head { method, url, .. }: &Head) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{method} {scheme}://{}", &url[at + 1..]),
        (_, _) => format!("{method} {url}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: &str, url: &str, headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
        Head { method: method.to_owned(), url: url.to_owned(), headers: headers.collect(), ..Head::default() }
    }

    fn command(head: Head) -> ActivityCommand {
        activity(&Outgoing { head, body: None })
    }

    #[test]
    fn only_what_may_be_repeated_is_repeated() {
        for (method, headers, expected) in [
            ("GET", &[][..], 0),
            ("HEAD", &[], 0),
            ("OPTIONS", &[], 0),
            ("PUT", &[], 0),
            ("DELETE", &[], 0),
            ("POST", &[], 1),
            ("PATCH", &[], 1),
            ("PURGE", &[], 1),
            ("POST", &[("idempotency-key", "k")], 0),
        ] {
            let options = command(head(method, "http://a/", headers)).options;
            assert_eq!(options.retry.maximum_attempts, expected, "{method} {headers:?}");
        }
    }

    #[test]
    fn the_activity_is_as_journals_have_it() {
        let plain = command(head("GET", "https://u:p@a/b?c=d", &[("accept", "e")]));
        assert_eq!(
            format!("{:?}", plain.input),
            r#"{"method":"GET","url":"https://u:p@a/b?c=d","headers":{"accept":["e"]},"timeout":"300000ms","raw":true}"#
        );
        assert_eq!(plain.options.summary.as_deref(), Some("GET https://a/b"));
        assert_eq!(plain.options.start_to_close, Some(DEFAULT_TIMEOUT + ATTEMPT_SLACK));
        let patient = Head {
            response_timeout: Some(Duration::from_secs(3600)),
            read_timeout: Some(Duration::from_millis(5)),
            ..head("PUT", "http://a/", &[])
        };
        assert_eq!(
            format!("{:?}", command(patient).input),
            r#"{"method":"PUT","url":"http://a/","timeout":"3900000ms","response_timeout":"3600000ms","read_timeout":"5ms","raw":true}"#
        );
    }

    #[test]
    fn parts_of_a_url_are_what_they_should_be() {
        for authority in ["a", "a:80", "[::1]:8080", "u:p@a"] {
            assert!(is_authority(authority), "{authority}");
        }
        for authority in ["", "a/b", "a?b", "a#b", "a b", "a\\b", "\u{e4}"] {
            assert!(!is_authority(authority), "{authority}");
        }
        for path in ["", "/", "/a?b=c", "?b", "/\u{e4}"] {
            assert!(is_path(path), "{path}");
        }
        for path in ["a", "/a b", "/a#b", "/\n"] {
            assert!(!is_path(path), "{path}");
        }
        assert!(Scheme::Other("ws".to_owned()).is_valid());
        assert!(!Scheme::Other("1".to_owned()).is_valid());
    }
}
