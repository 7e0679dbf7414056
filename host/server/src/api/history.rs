//! A run's history: as JSON, or as server-sent events to follow it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use refrain_engine::ids::{Namespace, Op};
use refrain_engine::time::Timestamp;
use refrain_runtime::{ActivityProgress, Error, HistoryPage, Target};
use serde::Deserialize;

use super::extract::{ApiPath, ApiQuery, Scope, target, wait_time};
use super::problem::Refusal;
use super::workflows::IdPath;
use super::{Host, convert, events, sse};
use crate::wire::{self, ActivityHeartbeat, HistoryEvent, Problem};

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
///
/// Between them come events `heartbeat`, whose `data` is the JSON of an `ActivityHeartbeat`: how far activities that
/// run have come, the newest of each at the beginning. They are no part of the history, and have no `id`.
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
    let wait = wait_time(query.wait.as_deref(), Duration::ZERO)?;
    let after = query.after.as_deref().map(|text| number("after", text)).transpose()?;
    let calls = match query.calls.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Refusal::invalid("calls", format!("{other:?} is no choice"), "use true or false"));
        }
    };
    if !sse::is_wanted(&headers) {
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
    Ok(sse::answer(follow(reader, first)))
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
        let page = self.ask(wait).await?;
        Ok(self.take(&page))
    }

    async fn ask(&self, wait: Duration) -> Result<HistoryPage, Refusal> {
        let runtime = self.host.runtime();
        let ask = |wait| runtime.history(&self.namespace, &self.target, self.after, wait, self.calls);
        Ok(match self.host.while_open(ask(wait)).await {
            Some(page) => page?,
            None => ask(Duration::ZERO).await?,
        })
    }

    fn take(&mut self, page: &HistoryPage) -> wire::HistoryPage {
        // The pages after this one are about the same run, even if the execution continues as new.
        self.target.run_id = Some(page.run_id);
        self.after = page.events.iter().map(|event| event.number).max().unwrap_or(0).max(self.after);
        wire::HistoryPage {
            run_id: page.run_id.to_string(),
            events: page.events.iter().map(events::event).collect(),
            closed: page.closed,
        }
    }
}

/// What a stream hears of a run: its history, and beside it how far its activities have come.
struct Listener {
    reader: Reader,
    /// The time of the newest heartbeat of each activity. `None`: the runtime has none to tell of any more.
    heard: Option<BTreeMap<Op, Timestamp>>,
}

enum News {
    Events(wire::HistoryPage),
    Heartbeats(Vec<ActivityProgress>),
}

impl Listener {
    async fn next(&mut self) -> Result<News, Refusal> {
        // Both questions only read, so nothing is lost with the one that is dropped.
        let page = tokio::select! {
            // What happened comes before how far it has come.
            biased;
            page = self.reader.ask(STREAM_WAIT) => page?,
            heartbeats = self.heartbeats() => {
                match &heartbeats {
                    Ok(news) => self.heard.get_or_insert_default().extend(news.iter().map(|beat| (beat.op, beat.at))),
                    // The history says what is wrong with the run, if something is.
                    Err(_) => self.heard = None,
                }
                return Ok(News::Heartbeats(heartbeats.unwrap_or_default()));
            }
        };
        Ok(News::Events(self.reader.take(&page)))
    }

    /// The next heartbeats. Without any it does not answer: the history is asked again in the same time, and this with it.
    async fn heartbeats(&self) -> Result<Vec<ActivityProgress>, Error> {
        let Some(heard) = &self.heard else { return pending().await };
        let Reader { host, namespace, target, .. } = &self.reader;
        match host.runtime().activity_progress(namespace, target, heard, STREAM_WAIT).await {
            Ok(heartbeats) if heartbeats.is_empty() => pending().await,
            answer => answer,
        }
    }
}

/// The events of a page and of what follows it, to the run's end or the host's.
fn follow(reader: Reader, first: wire::HistoryPage) -> impl Stream<Item = Result<Event, Infallible>> {
    let listener = Listener { reader, heard: Some(BTreeMap::new()) };
    stream::unfold(Some((listener, Some(News::Events(first)))), |state| async move {
        let (mut listener, news) = state?;
        let news = match news {
            Some(news) => news,
            // Nobody is left to tell but the reader, who comes again and is then told.
            None if listener.reader.host.is_closing() => return None,
            None => listener.next().await.ok()?,
        };
        let (mut events, closed): (Vec<_>, _) = match &news {
            News::Events(page) => (page.events.iter().map(history_event).collect(), page.closed),
            News::Heartbeats(heartbeats) => (
                heartbeats.iter().map(|heartbeat| heartbeat_event(&convert::heartbeat(heartbeat))).collect(),
                false,
            ),
        };
        if closed {
            events.push(Event::default().event(wire::END).data("{}"));
            return Some((stream::iter(events), None));
        }
        Some((stream::iter(events), Some((listener, None))))
    })
    .flatten()
    .map(Ok)
}

fn history_event(event: &HistoryEvent) -> Event {
    let told = sse::event(&event.event_type, event);
    if event.number == 0 { told } else { told.id(event.number.to_string()) }
}

fn heartbeat_event(heartbeat: &ActivityHeartbeat) -> Event {
    sse::event(&heartbeat.event_type, heartbeat)
}
