//! Following a run from outside, also when the host is down for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep, timeout_at};

use super::output::Output;
use super::parked::{Notice, QUIET};
use crate::client::{Client, ClientError, HistoryQuery, StreamEvent};
use crate::render::timeline::{Attributes, Timeline, progress};
use crate::wire::HistoryEvent;

/// How long a host may be away before waiting for it ends. A restart with much to recover takes some seconds.
pub(super) const HOST_AWAY: Duration = Duration::from_secs(60);
/// The first pause between two tries; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
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
    /// How far the activity has come that was heard of last.
    heartbeat: Option<(String, String)>,
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
        Self { out, spinner, timeline: Timeline::default(), open: BTreeMap::new(), heartbeat: None }
    }

    /// A line about something else than the run.
    pub(super) fn say(&self, words: &str) {
        match &self.spinner {
            Some(spinner) => spinner.println(words),
            None => self.out.say(words),
        }
    }

    /// What was heard of the run.
    fn hear(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::History(event) => {
                let lines = self.timeline.event(event);
                self.say(&lines);
                self.note(event);
            }
            // On a terminal the newest one is enough.
            StreamEvent::Heartbeat(heartbeat) if self.spinner.is_some() => {
                self.heartbeat = Some((heartbeat.activity_id.clone(), progress(heartbeat)));
            }
            StreamEvent::Heartbeat(heartbeat) => self.out.say(&self.timeline.heartbeat(heartbeat)),
            StreamEvent::End => {}
        }
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
                self.heartbeat.take_if(|(activity, _)| *activity == op.to_string());
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
        let heartbeat = self.heartbeat.as_ref().map(|(_, words)| format!(" · {words}")).unwrap_or_default();
        if shown.is_empty() {
            String::new()
        } else {
            format!("waiting for {}{more}{heartbeat}", shown.join(", "))
        }
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

/// Listens to a run to its end and hands over what is heard; `idle` is called whenever nothing happened for [`QUIET`].
pub(super) async fn follow(
    client: &Client,
    id: &str,
    mut query: HistoryQuery,
    say: impl Fn(&str),
    mut hear: impl FnMut(&StreamEvent),
    idle: impl AsyncFn() -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    if query.run_id.is_none() {
        // What comes after a break is about the same run, even if the execution has continued as new meanwhile.
        let run = persistently(&say, async || client.describe(id, None).await).await?.value;
        query.run_id = Some(run.run_id);
    }
    let mut heard = BTreeMap::new();
    let mut quiet_until = Instant::now() + QUIET;
    loop {
        let mut stream = persistently(&say, async || client.events(id, query.clone()).await).await?;
        loop {
            match timeout_at(quiet_until, stream.next()).await {
                Err(_) => idle().await?,
                Ok(Ok(Some(event))) => match &event {
                    StreamEvent::History(happened) => {
                        hear(&event);
                        query.after = query.after.max(happened.number);
                    }
                    StreamEvent::Heartbeat(heartbeat) => {
                        // A stream that begins again tells the newest ones again.
                        if heard.insert(heartbeat.activity_id.clone(), heartbeat.at) != Some(heartbeat.at) {
                            hear(&event);
                        }
                        continue;
                    }
                    StreamEvent::End => return Ok(()),
                },
                // The host goes down, or went.
                Ok(Ok(None)) => break,
                Ok(Err(error)) if error.is_passing() => break,
                Ok(Err(error)) => return Err(error),
            }
            quiet_until = Instant::now() + QUIET;
        }
        sleep(FIRST_PAUSE).await;
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
    let parked = Notice::default();
    let mut run_id = run_id.to_owned();
    loop {
        let query = HistoryQuery { run_id: Some(run_id.clone()), ..HistoryQuery::default() };
        let say = |words: &str| progress.borrow().say(words);
        let hear = |event: &StreamEvent| progress.borrow_mut().hear(event);
        let tell_if_parked = async || parked.look(client, id, Some(&run_id), &say).await;
        follow(client, id, query, &say, hear, tell_if_parked).await?;
        let result = persistently(&say, async || client.result(id, None, Duration::ZERO).await).await?.value;
        if result.status.is_closed() || result.run_id == run_id {
            return Ok(());
        }
        run_id = result.run_id;
    }
}
