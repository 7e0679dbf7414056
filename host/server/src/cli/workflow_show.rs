//! `refrain workflow show`: a run's history as a timeline.

use clap::Args;

use super::follow::follow;
use super::output::Output;
use super::{Context, Ending, Exit, RunArgs};
use crate::client::HistoryQuery;
use crate::render::timeline::Timeline;
use crate::wire::HistoryPage;

/// Show a run's history as a timeline: number, time since the start, step, what happened.
///
/// A line across marks where the host was started again. With --json, one event for each line.
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
            follow(client, id, query, say, |page, _| show(out, &mut timeline, page), async || Ok(())).await?;
        } else {
            let mut query = query;
            loop {
                let page = client.history(id, query.clone()).await?.value;
                show(out, &mut timeline, &page);
                let last = page.events.iter().map(|event| event.number).max();
                let Some(last) = last.filter(|_| !page.closed) else { break };
                query = HistoryQuery { run_id: Some(page.run_id), after: last, ..query };
            }
        }
        Ok(Exit::Ok)
    }
}

fn show(out: Output, timeline: &mut Timeline, page: &HistoryPage) {
    for event in &page.events {
        match serde_json::to_string(event) {
            Ok(line) if out.is_json() => out.json_line(&line),
            _ => out.data(&timeline.event(event)),
        }
    }
}
