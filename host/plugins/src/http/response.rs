//! The response: what a workflow gets of it.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, SET_COOKIE};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

/// What the activity answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Output {
    Read(ResponseOutput),
    Raw(RawOutput),
}

/// A response as it came.
#[derive(Debug, Serialize)]
pub(super) struct RawOutput {
    status: u16,
    /// Line by line.
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "String::is_empty")]
    body_base64: String,
}

impl RawOutput {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: &[u8]) -> RawOutput {
        let lines = headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        RawOutput { status, headers: lines.collect(), body_base64: STANDARD.encode(body) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ResponseOutput {
    pub(super) status: u16,
    /// Where the response came from: not the URL of the input, if there were redirects.
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(super) content: Content,
}

/// A body, in the form that its content type asks for; nothing at all if it is empty.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Content {
    /// JSON, byte for byte as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Json(Box<RawValue>);

impl PartialEq for Json {
    fn eq(&self, other: &Json) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Json {}

impl Content {
    /// What claims to be JSON and is not, is text; what claims to be text and is not UTF-8, is bytes.
    pub(super) fn new(headers: &HeaderMap, bytes: Vec<u8>) -> Content {
        if bytes.is_empty() {
            return Content::default();
        }
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = essence == "application/json" || essence.ends_with("+json");
        if is_json && let Ok(json) = serde_json::from_slice(&bytes) {
            return Content { body: Some(Json(json)), ..Content::default() };
        }
        let bytes = if is_json || is_text(&essence) {
            match String::from_utf8(bytes) {
                Ok(text) => return Content { body_text: Some(text), ..Content::default() },
                Err(error) => error.into_bytes(),
            }
        } else {
            bytes
        };
        Content { body_base64: Some(STANDARD.encode(bytes)), ..Content::default() }
    }
}

/// Whether the media type is one of text.
fn is_text(essence: &str) -> bool {
    const APPLICATIONS: [&str; 5] = [
        "application/javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/yaml",
    ];
    essence.starts_with("text/") || essence.ends_with("+xml") || APPLICATIONS.contains(&essence)
}

/// The body up to `limit` bytes, and whether there is more.
pub(super) async fn read_body(
    response: &mut Response,
    limit: usize,
    read_timeout: Option<Duration>,
) -> Result<(Vec<u8>, bool), ReadError> {
    let mut bytes = Vec::new();
    loop {
        let chunk = match read_timeout {
            Some(limit) => {
                timeout(limit, response.chunk()).await.map_err(|_| ReadError::TooSlow(limit))??
            }
            None => response.chunk().await?,
        };
        let Some(chunk) = chunk else { return Ok((bytes, false)) };
        let room = limit - bytes.len();
        if chunk.len() > room {
            bytes.extend_from_slice(&chunk[..room]);
            return Ok((bytes, true));
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// Why a body did not come.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The client says so.
    Failed(reqwest::Error),
    /// No part of it for so long.
    TooSlow(Duration),
}

impl From<reqwest::Error> for ReadError {
    fn from(error: reqwest::Error) -> ReadError {
        ReadError::Failed(error)
    }
}

/// Headers as a workflow sees them: names in lower case, the lines of one name joined with `, `, which means the
/// same. For cookies it does not, so theirs are joined with line breaks, which no value contains.
pub(super) fn header_lines(
    headers: &HeaderMap,
    wanted: impl Fn(&HeaderName) -> bool,
) -> BTreeMap<String, String> {
    let names = headers.keys().filter(|name| wanted(name));
    let joined = names.map(|name| {
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (name.to_string(), lines.join(if name == SET_COOKIE { "\n" } else { ", " }))
    });
    joined.collect()
}

/// How much the names and values take.
pub(super) fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_chooses_the_form_of_a_body() {
        let json = |text: &str| Content {
            body: Some(Json(RawValue::from_string(text.to_owned()).unwrap())),
            ..Content::default()
        };
        let text = |text: &str| Content { body_text: Some(text.to_owned()), ..Content::default() };
        let base64 = |text: &str| Content { body_base64: Some(text.to_owned()), ..Content::default() };
        for (content_type, bytes, expected) in [
            ("application/json", &b"{\"b\": 1.10,\n \"a\": 1}"[..], json("{\"b\": 1.10,\n \"a\": 1}")),
            ("Application/JSON; charset=utf-8", b" [1] ", json("[1]")),
            ("application/problem+json", b"{}", json("{}")),
            ("application/json", b"<html>", text("<html>")),
            ("application/json", b"\xff", base64("/w==")),
            ("application/json", b"", Content::default()),
            ("text/plain", "ä".as_bytes(), text("ä")),
            ("text/plain; charset=latin1", b"\xe4", base64("5A==")),
            ("application/atom+xml", b"<a/>", text("<a/>")),
            ("application/x-www-form-urlencoded", b"a=1", text("a=1")),
            ("application/octet-stream", b"{}", base64("e30=")),
            ("", b"{}", base64("e30=")),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(Content::new(&headers, bytes.to_vec()), expected, "{content_type}: {bytes:?}");
        }
    }

    #[test]
    fn lines_of_one_header_are_joined() {
        let headers = [("vary", "a"), ("set-cookie", "x=1, y"), ("Vary", "b"), ("set-cookie", "z=2")];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let lines = header_lines(&map, |_| true);
        assert_eq!((lines["vary"].as_str(), lines["set-cookie"].as_str()), ("a, b", "x=1, y\nz=2"));
        assert_eq!(header_lines(&map, |name| name == "vary").len(), 1);
    }
}
