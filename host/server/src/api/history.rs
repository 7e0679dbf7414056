//! A run's history: as JSON, or as server-sent events to follow it.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use refrain_engine::ids::Namespace;
use refrain_runtime::Target;
use serde::Deserialize;

use super::extract::{ApiPath, ApiQuery, Scope, target};
use super::problem::Refusal;
use super::workflows::{IdPath, wait_time};
use super::{Host, events};
use crate::wire::{self, HistoryEvent, Problem};

/// How often a stream that has nothing to say says so, for what sits between it and its reader.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a stream waits for events at a time. It only bounds how long a question to the runtime lives.
const STREAM_WAIT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    run_id: Option<String>,
    after: Option<String>,
    wait: Option<String>,
    calls: Option<String>,
}

/// Read a run's history
///
/// A page has all the events there are, up to some 10,000: ask again with `after` until a page is empty or `closed`.
///
/// With `Accept: text/event-stream` the answer is a stream that follows the run to its end: each event's `id` is its
/// number, its `event` the type and its `data` the JSON of a `HistoryEvent`; the header `Last-Event-ID` resumes after
/// that number. The last event is `end`. A reader that resumes at the end is answered 204, which tells browsers to
/// stay away.
#[utoipa::path(
    get,
    path = "/workflows/{id}/history",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The execution's id, percent-encoded"),
        ("run_id" = Option<String>, Query, description = "The run; the execution's latest one when absent"),
        ("after" = Option<u64>, Query, description = "Only events with greater numbers"),
        ("wait" = Option<String>, Query, description = "How long to wait for the first event, such as `30s`; at most 60 s, and not at all when absent"),
        ("calls" = Option<bool>, Query, description = "Show each read and each wait too; these have the number 0"),
    ),
    responses(
        (status = 200, description = "Events, oldest first", content(
            (wire::HistoryPage = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 204, description = "The stream had come to its end already"),
        (status = 404, description = "No such execution or run", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn workflow_history(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(IdPath { id }): ApiPath<IdPath>,
    ApiQuery(query): ApiQuery<HistoryQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let target = target(id, query.run_id.as_deref())?;
    let wait = wait_time(query.wait.as_deref())?;
    let after = query.after.as_deref().map(|text| number("after", text)).transpose()?;
    let calls = match query.calls.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Refusal::invalid("calls", format!("{other:?} is no choice"), "use true or false"));
        }
    };
    if !wants_events(&headers) {
        let mut reader = Reader { host, namespace, target, after: after.unwrap_or(0), calls };
        return Ok(Json(reader.read(wait).await?).into_response());
    }
    let resumed = match headers.get("last-event-id") {
        Some(id) => Some(number("last-event-id", id.to_str().unwrap_or_default())?),
        None => None,
    };
    let after = resumed.or(after).unwrap_or(0);
    let mut reader = Reader { host, namespace, target, after, calls };
    // The first page is read before the answer begins: after that, a refusal could no longer be one.
    let first = reader.read(Duration::ZERO).await?;
    if resumed.is_some() && first.closed && first.events.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let stream = follow(reader, first);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn number(field: &str, text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| {
        Refusal::invalid(
            field,
            format!("{text:?} is not an event's number"),
            "use a whole number, 0 for the beginning",
        )
    })
}

fn wants_events(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|types| types.contains("text/event-stream")))
}

/// Reads one run's history, page by page.
struct Reader {
    host: Host,
    namespace: Namespace,
    target: Target,
    after: u64,
    calls: bool,
}

impl Reader {
    async fn read(&mut self, wait: Duration) -> Result<wire::HistoryPage, Refusal> {
        let runtime = self.host.runtime();
        let ask = |wait| runtime.history(&self.namespace, &self.target, self.after, wait, self.calls);
        let page = match self.host.while_open(ask(wait)).await {
            Some(page) => page?,
            None => ask(Duration::ZERO).await?,
        };
        // The pages after this one are about the same run, even if the execution continues as new.
        self.target.run_id = Some(page.run_id);
        self.after = page.events.iter().map(|event| event.number).max().unwrap_or(0).max(self.after);
        Ok(wire::HistoryPage {
            run_id: page.run_id.to_string(),
            events: page.events.iter().map(events::event).collect(),
            closed: page.closed,
        })
    }
}

/// The events of a page and of those after it, to the run's end or the host's.
fn follow(reader: Reader, first: wire::HistoryPage) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some((reader, Some(first))), |state| async move {
        let (mut reader, page) = state?;
        let page = match page {
            Some(page) => page,
            // Nobody is left to tell but the reader, who comes again and is then told.
            None if reader.host.is_closing() => return None,
            None => reader.read(STREAM_WAIT).await.ok()?,
        };
        let mut events: Vec<_> = page.events.iter().map(sse_event).collect();
        if page.closed {
            events.push(Event::default().event("end").data("{}"));
            return Some((stream::iter(events), None));
        }
        Some((stream::iter(events), Some((reader, None))))
    })
    .flatten()
    .map(Ok)
}

fn sse_event(event: &HistoryEvent) -> Event {
    // Line ends in a JSON text stand between tokens only, so a reader that joins the lines gets the same value.
    let data = serde_json::to_string(event).unwrap_or_default();
    let sse = Event::default().event(&event.event_type).data(data);
    if event.number == 0 { sse } else { sse.id(event.number.to_string()) }
}
