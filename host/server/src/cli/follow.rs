//! Following a run from outside, also when the host is down for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::output::Output;
use crate::client::{Client, ClientError, HistoryQuery};
use crate::render::timeline::{Attributes, Timeline};
use crate::wire::{HistoryEvent, HistoryPage, Parked};

/// How long a host may be away before waiting for it ends. A restart with much to recover takes some seconds.
pub(super) const HOST_AWAY: Duration = Duration::from_secs(60);
/// The first pause between two tries; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one question waits for events. Between two it is seen whether the run is parked.
const HISTORY_WAIT: Duration = Duration::from_secs(5);
/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(100);
/// Names of open ops that the spinner shows.
const SHOWN_OPS: usize = 3;

/// What is going on, for people: lines, and on a terminal a spinner below them that says what is waited for.
pub(super) struct Progress {
    out: Output,
    spinner: Option<ProgressBar>,
    timeline: Timeline,
    open: BTreeMap<u64, String>,
}

impl Progress {
    pub(super) fn new(out: Output) -> Self {
        let spinner = out.is_watched().then(|| {
            let spinner = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(TICK);
            spinner
        });
        Self { out, spinner, timeline: Timeline::default(), open: BTreeMap::new() }
    }

    /// A line about something else than the run.
    pub(super) fn say(&self, words: &str) {
        match &self.spinner {
            Some(spinner) => spinner.println(words),
            None => self.out.say(words),
        }
    }

    /// The run's next event.
    fn event(&mut self, event: &HistoryEvent) {
        let lines = self.timeline.event(event);
        self.say(&lines);
        self.note(event);
        if let Some(spinner) = &self.spinner {
            spinner.set_message(self.waiting_for());
        }
    }

    /// Keeps account of what the run has started and not got back.
    fn note(&mut self, event: &HistoryEvent) {
        let attributes = Attributes::of(event);
        let Some(op) = attributes.number("op") else { return };
        match event.event_type.as_str() {
            "activity-scheduled" => drop(self.open.insert(op, attributes.text("name"))),
            "timer-started" => drop(self.open.insert(op, "a timer".to_owned())),
            "activity-completed" | "activity-failed" | "timer-fired" | "op-canceled" | "op-detached" => {
                self.open.remove(&op);
            }
            _ => {}
        }
    }

    fn waiting_for(&self) -> String {
        let mut names = BTreeMap::<&str, usize>::new();
        self.open.values().for_each(|name| *names.entry(name).or_default() += 1);
        let shown: Vec<_> = names
            .iter()
            .take(SHOWN_OPS)
            .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{name} ×{count}") })
            .collect();
        let more = if names.len() > SHOWN_OPS { ", ..." } else { "" };
        if shown.is_empty() { String::new() } else { format!("waiting for {}{more}", shown.join(", ")) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

/// Asks until there is an answer that is not a passing absence of the host, for [`HOST_AWAY`] at most.
pub(super) async fn persistently<T>(
    say: impl Fn(&str),
    ask: impl AsyncFn() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let (mut since, mut pause) = (None, FIRST_PAUSE);
    loop {
        match ask().await {
            Err(error) if error.is_passing() => {
                let since = *since.get_or_insert_with(|| {
                    say(&format!("{error}; trying again for {} s", HOST_AWAY.as_secs()));
                    Instant::now()
                });
                if since.elapsed() > HOST_AWAY {
                    return Err(error);
                }
            }
            answer => {
                if since.is_some() && answer.is_ok() {
                    say("the host is back");
                }
                return answer;
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Reads a run's history to its end and hands over each page; `idle` is called when a while nothing happened.
pub(super) async fn follow(
    client: &Client,
    id: &str,
    mut query: HistoryQuery,
    say: impl Fn(&str),
    mut page: impl FnMut(&HistoryPage, &str),
    idle: impl AsyncFn() -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    query.wait = HISTORY_WAIT;
    loop {
        let answer = persistently(&say, async || client.history(id, query.clone()).await).await?;
        let next = answer.value;
        page(&next, &answer.text);
        if next.closed {
            return Ok(());
        }
        query.run_id = Some(next.run_id);
        match next.events.iter().map(|event| event.number).max() {
            Some(last) => query.after = query.after.max(last),
            None => idle().await?,
        }
    }
}

/// Why a run is parked, if it is.
pub(super) async fn why_parked(
    client: &Client,
    id: &str,
    run_id: Option<&str>,
) -> Result<Option<Parked>, ClientError> {
    match client.describe(id, run_id).await {
        Ok(answer) => Ok(answer.value.parked),
        // The next question meets the same, and waits for the host.
        Err(error) if error.is_passing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Shows a run's events until the execution has ended, through all the runs that it continues as.
pub(super) async fn watch(
    client: &Client,
    id: &str,
    run_id: &str,
    progress: Progress,
) -> Result<(), ClientError> {
    let progress = std::cell::RefCell::new(progress);
    let parked = std::cell::Cell::new(false);
    let mut run_id = run_id.to_owned();
    loop {
        let query = HistoryQuery { run_id: Some(run_id.clone()), ..HistoryQuery::default() };
        let say = |words: &str| progress.borrow().say(words);
        let show =
            |page: &HistoryPage, _: &str| page.events.iter().for_each(|e| progress.borrow_mut().event(e));
        let tell_if_parked = async || {
            let why = why_parked(client, id, Some(&run_id)).await?;
            if let Some(why) = &why
                && !parked.replace(true)
            {
                say(&format!("the run is parked: {}", why.message));
                say(&format!(
                    "hint: see `refrain workflow describe {id}`; it waits until someone resumes it"
                ));
            }
            parked.set(why.is_some());
            Ok(())
        };
        follow(client, id, query, &say, show, tell_if_parked).await?;
        let result = persistently(&say, async || client.result(id, None, Duration::ZERO).await).await?.value;
        if result.status.is_closed() || result.run_id == run_id {
            return Ok(());
        }
        run_id = result.run_id;
    }
}
