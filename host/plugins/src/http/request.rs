//! The request: what the workflow wants, checked, and what a redirect makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::SignedDuration;
use refrain_plugin::{ActivityError, Context};
use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::limits::{DEFAULT_TIMEOUT, MAX_HEADER_BYTES, MAX_REQUEST_BYTES, MAX_URL_BYTES};
use super::response::header_bytes;

/// By which a service tells a repeated request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What this is to servers that want to know, and to their logs.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("refrain/", env!("CARGO_PKG_VERSION")));

/// Headers of the connection, and those that say where the body ends or whom the request is for: with them a
/// request could be made to say one thing to this plugin and another to the server.
const RESERVED_HEADERS: [HeaderName; 9] =
    [CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// All that another origin gets of the headers: any other may be a secret, whatever its name.
const HEADERS_FOR_ANYONE: [HeaderName; 7] =
    [ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, IDEMPOTENCY_KEY, USER_AGENT];

/// Headers that speak of a body.
const HEADERS_OF_A_BODY: [HeaderName; 4] =
    [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestInput {
    #[serde(default = "get")]
    method: String,
    url: String,
    /// Added to the URL's own query: strings, numbers, booleans, or lists of them for a name that is repeated.
    #[serde(default)]
    query: BTreeMap<String, Value>,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMany>,
    /// JSON, sent byte for byte as it is here.
    body: Option<Box<RawValue>>,
    body_text: Option<String>,
    body_base64: Option<String>,
    /// As in `30s`.
    timeout: Option<String>,
    /// The same, until the head of a response is there.
    response_timeout: Option<String>,
    /// The same, between two parts of a response's body.
    read_timeout: Option<String>,
    /// The statuses that are a success, in place of 2xx.
    expect: Option<Vec<u16>>,
    /// One exchange as it is.
    #[serde(default)]
    raw: bool,
}

/// How long a request and its parts may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) whole: Duration,
    pub(super) response: Option<Duration>,
    pub(super) read: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn get() -> String {
    Method::GET.to_string()
}

/// A request that can be sent. Not to be shown whole: its headers are secrets.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl RequestInput {
    pub(super) fn request(&self, ctx: &Context) -> Result<Request, ActivityError> {
        if self.raw && self.expect.is_some() {
            let message = "fields `raw` and `expect`: a raw response may have any status; leave `expect` out";
            return Err(ActivityError::invalid_input(message));
        }
        let body = self.body()?;
        let mut headers = self.headers()?;
        if let Some((_, content_type)) = &body
            && !self.raw
        {
            headers.entry(CONTENT_TYPE).or_insert(content_type.clone());
        }
        headers.entry(USER_AGENT).or_insert(AGENT);
        if !headers.contains_key(IDEMPOTENCY_KEY) {
            let key = ctx.idempotency_key();
            let value = HeaderValue::from_bytes(key.as_bytes()).map_err(|_| {
                ActivityError::invalid_input(format!(
                    "the idempotency key {key:?} cannot be sent as a header: set `headers.Idempotency-Key`"
                ))
            })?;
            headers.insert(IDEMPOTENCY_KEY, value);
        }
        let method = self.method()?;
        Ok(Request { method, url: self.url()?, headers, body: body.map(|(bytes, _)| bytes) })
    }

    pub(super) fn timeouts(&self) -> Result<Timeouts, ActivityError> {
        Ok(Timeouts {
            whole: duration("timeout", self.timeout.as_deref())?.unwrap_or(DEFAULT_TIMEOUT),
            response: duration("response_timeout", self.response_timeout.as_deref())?,
            read: duration("read_timeout", self.read_timeout.as_deref())?,
        })
    }

    /// Whether the exchange is wanted as it is.
    pub(super) fn is_raw(&self) -> bool {
        self.raw
    }

    /// Whether a response with this status is a success, and `None` if the input leaves that to the status itself.
    pub(super) fn expects(&self, status: StatusCode) -> Option<bool> {
        if self.raw {
            return Some(true);
        }
        self.expect.as_ref().map(|expected| expected.contains(&status.as_u16()))
    }

    fn method(&self) -> Result<Method, ActivityError> {
        let refused =
            |why: &str| ActivityError::invalid_input(format!("field `method`: {:?} {why}", self.method));
        // Methods of one's own are in upper case too, by convention.
        match Method::from_bytes(self.method.to_ascii_uppercase().as_bytes()) {
            Ok(Method::CONNECT | Method::TRACE) => Err(refused("is for proxies; use another method")),
            Ok(method) => Ok(method),
            Err(_) => Err(refused("is not a method; use one such as GET or POST")),
        }
    }

    fn url(&self) -> Result<Url, ActivityError> {
        let mut url = Url::parse(&self.url).map_err(|error| {
            // The text is not repeated: it may hold a password, and cannot be taken apart to leave that out.
            let why = "give all of it, as in \"https://api.example.com/orders\"";
            ActivityError::invalid_input(format!("field `url`: is not a URL ({error}); {why}"))
        })?;
        url.set_fragment(None);
        for (name, value) in &self.query {
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => {
                        return Err(ActivityError::invalid_input(format!(
                            "field `query.{name}`: {value} has no place in a query; give a string, a number, a \
                             boolean, or a list of them"
                        )));
                    }
                };
                url.query_pairs_mut().append_pair(name, &text);
            }
        }
        check_length(&url).map_err(|why| ActivityError::invalid_input(format!("field `url`: {why}")))?;
        Ok(url)
    }

    fn headers(&self) -> Result<HeaderMap, ActivityError> {
        let mut headers = HeaderMap::new();
        for (name, values) in &self.headers {
            // Values are not repeated in errors: they may be secrets.
            let refused =
                |why: &str| ActivityError::invalid_input(format!("field `headers`: header {name:?} {why}"));
            let parsed = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| refused("is not a header's name; use letters, digits and `-`"))?;
            if RESERVED_HEADERS.contains(&parsed) {
                return Err(refused("is not for a workflow to set; leave it out"));
            }
            if headers.contains_key(&parsed) {
                return Err(refused("is there twice; give one list of its values"));
            }
            let values = match values {
                OneOrMany::One(value) => std::slice::from_ref(value),
                OneOrMany::Many(values) => values,
            };
            for value in values {
                let value = HeaderValue::from_bytes(value.as_bytes())
                    .map_err(|_| refused("has a line break or another control character in its value"))?;
                headers.append(&parsed, value);
            }
        }
        if header_bytes(&headers) > MAX_HEADER_BYTES {
            return Err(ActivityError::invalid_input(format!(
                "field `headers`: more than {MAX_HEADER_BYTES} bytes together; send them in the body"
            )));
        }
        Ok(headers)
    }

    /// The body, with its content type unless the headers have one.
    fn body(&self) -> Result<Option<(Bytes, HeaderValue)>, ActivityError> {
        let (field, bytes, content_type) = match (&self.body, &self.body_text, &self.body_base64) {
            (None, None, None) => return Ok(None),
            (Some(json), None, None) => {
                ("body", Bytes::copy_from_slice(json.get().as_bytes()), "application/json")
            }
            (None, Some(text), None) => {
                ("body_text", Bytes::copy_from_slice(text.as_bytes()), "text/plain; charset=utf-8")
            }
            (None, None, Some(base64)) => {
                let bytes = STANDARD.decode(base64).map_err(|error| {
                    let message =
                        format!("field `body_base64`: not base64 ({error}); encode it so, with padding");
                    ActivityError::invalid_input(message)
                })?;
                ("body_base64", Bytes::from(bytes), "application/octet-stream")
            }
            _ => {
                let message =
                    "fields `body`, `body_text` and `body_base64`: more than one is given; give one";
                return Err(ActivityError::invalid_input(message));
            }
        };
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(ActivityError::invalid_input(format!(
                "field `{field}`: {} bytes are more than {MAX_REQUEST_BYTES}; hand over a place to read it from",
                bytes.len()
            )));
        }
        Ok(Some((bytes, HeaderValue::from_static(content_type))))
    }
}

/// The length of time in this field, if there is one.
fn duration(field: &str, text: Option<&str>) -> Result<Option<Duration>, ActivityError> {
    let Some(text) = text else { return Ok(None) };
    let parsed = text.parse::<SignedDuration>().ok().and_then(|timeout| Duration::try_from(timeout).ok());
    let why = "is no length of time above zero; write it like \"30s\" or \"1m 30s\"";
    match parsed.filter(|timeout| !timeout.is_zero()) {
        Some(timeout) => Ok(Some(timeout)),
        None => Err(ActivityError::invalid_input(format!("field `{field}`: {text:?} {why}"))),
    }
}

impl Request {
    /// The request in words, without what may be secret.
    pub(super) fn describe(&self) -> String {
        format!("{} {}", self.method, shown(&self.url))
    }

    /// What a redirect with this status to `target` makes of the request, as RFC 9110 has it: 303 asks for a look at
    /// another resource, 301 and 302 do so after a POST, because everybody treats them so; 307 and 308 keep all.
    pub(super) fn redirected(mut self, status: StatusCode, target: Url) -> Request {
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            HEADERS_OF_A_BODY.iter().for_each(|name| drop(self.headers.remove(name)));
        }
        if self.url.origin() != target.origin() {
            let names: Vec<HeaderName> = self.headers.keys().cloned().collect();
            for name in names.iter().filter(|name| !HEADERS_FOR_ANYONE.contains(name)) {
                self.headers.remove(name);
            }
        }
        self.url = target;
        self
    }
}

/// Whether `url` is one that every server takes.
pub(super) fn check_length(url: &Url) -> Result<(), String> {
    let length = url.as_str().len();
    if length <= MAX_URL_BYTES {
        return Ok(());
    }
    Err(format!("a URL of {length} bytes is longer than {MAX_URL_BYTES}; send the data in the body"))
}

/// A URL for messages and logs. User, password, query and fragment are where secrets are.
pub(super) fn shown(url: &Url) -> String {
    let Some(host) = url.host_str() else { return format!("{}:", url.scheme()) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}
