//! `refrain workflow show`: a run's history as a timeline.

use clap::Args;
use serde::Serialize;

use super::follow::follow;
use super::output::Output;
use super::parked::{Notice, why_parked};
use super::{Context, Ending, Exit, RunArgs};
use crate::client::{HistoryQuery, StreamEvent};
use crate::render::timeline::{Timeline, parked};

/// Show a run's history as a timeline: number, time since the start, step, what happened.
///
/// A line across marks where the host was started again. With --json, one event for each line. With --follow,
/// heartbeats tell between the events how far activities have come.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    run: RunArgs,
    /// Show each read of the clock and of randomness, and each wait, too.
    #[arg(long)]
    calls: bool,
    /// Go on to the run's end.
    #[arg(long, short)]
    follow: bool,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let (client, out, id) = (&context.client, context.out, &self.run.id);
        let mut timeline = Timeline::default();
        let query = HistoryQuery { run_id: self.run.run_id, calls: self.calls, ..HistoryQuery::default() };
        if self.follow {
            let say = |words: &str| out.say(words);
            let (run_id, notice) = (query.run_id.clone(), Notice::default());
            let tell_if_parked = async || notice.look(client, id, run_id.as_deref(), say).await;
            let hear = |event: &StreamEvent| match event {
                StreamEvent::History(event) => show(out, event, || timeline.event(event)),
                StreamEvent::Heartbeat(heartbeat) => show(out, heartbeat, || timeline.heartbeat(heartbeat)),
                StreamEvent::End => {}
            };
            follow(client, id, query, say, hear, tell_if_parked).await?;
        } else {
            let mut query = query;
            loop {
                let page = client.history(id, query.clone()).await?.value;
                page.events.iter().for_each(|event| show(out, event, || timeline.event(event)));
                let last = page.events.iter().map(|event| event.number).max();
                let Some(last) = last.filter(|_| !page.closed) else {
                    // Parking is no event of the history, but it is where this one ends for now.
                    let why =
                        if page.closed { None } else { why_parked(client, id, Some(&page.run_id)).await? };
                    if let Some(why) = why.filter(|_| !out.is_json()) {
                        out.data(&parked(&why));
                    }
                    break;
                };
                query = HistoryQuery { run_id: Some(page.run_id), after: last, ..query };
            }
        }
        Ok(Exit::Ok)
    }
}

fn show(out: Output, event: &impl Serialize, line: impl FnOnce() -> String) {
    match serde_json::to_string(event) {
        Ok(json) if out.is_json() => out.json_line(&json),
        _ => out.data(&line()),
    }
}
