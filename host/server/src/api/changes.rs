//! All runs of a namespace, followed: server-sent events of those that change.

use std::convert::Infallible;

use axum::response::Response;
use axum::response::sse::Event;
use futures::stream::{self, Stream, StreamExt};
use refrain_engine::ids::Namespace;
use refrain_runtime::{Changed, Changes, ListFilter, RunSummary};

use super::problem::Refusal;
use super::{Host, convert, sse};
use crate::wire::{MISSED, RUN};

/// An answer that tells of runs that change from here on.
pub(super) fn stream(host: Host, namespace: &Namespace, filter: ListFilter) -> Result<Response, Refusal> {
    let changes = host.runtime().changes(namespace)?;
    Ok(sse::answer(follow(host, changes, filter)))
}

fn follow(host: Host, changes: Changes, filter: ListFilter) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((host, changes, filter), |(host, mut changes, filter)| async move {
        let changed = host.while_open(changes.next()).await;
        let events: Vec<_> = match changed {
            Some(Ok(Changed::Runs(runs))) => {
                let runs = runs.into_iter().filter(|run| is_meant(&filter, run));
                runs.map(|run| sse::event(RUN, &convert::summary(run))).collect()
            }
            Some(Ok(Changed::Missed)) => vec![Event::default().event(MISSED).data("{}")],
            // The host goes down, or its store has failed: who listens comes again, and is told.
            Some(Err(_)) | None => return None,
        };
        Some((stream::iter(events), (host, changes, filter)))
    })
    .flatten()
    .map(Ok)
}

fn is_meant(filter: &ListFilter, run: &RunSummary) -> bool {
    filter.status.is_none_or(|status| status == run.status)
        && filter.workflow.as_ref().is_none_or(|workflow| *workflow == run.workflow)
}
