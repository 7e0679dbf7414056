//! Server-sent events: who wants them, and how they look.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use serde::Serialize;

/// How often a stream that has nothing to say says so, for what sits between it and its reader.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Whether a request asks for events rather than for JSON.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|types| types.contains("text/event-stream")))
}

/// An event with this name.
pub(super) fn event(name: &str, data: &impl Serialize) -> Event {
    // Line ends in a JSON text stand between tokens only, so a reader that joins the lines gets the same value.
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

/// An answer of events.
pub(super) fn answer<S>(events: S) -> Response
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
