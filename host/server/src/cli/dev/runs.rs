//! The runs of a host as they go on: each event of each run, and what is no event of a history, told once.
//!
//! The host says which runs have changed, and those alone are looked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;

use jiff::Timestamp;

use super::report::{News, Report, RunNews};
use crate::cli::follow::persistently;
use crate::client::{Client, ClientError, HistoryQuery, ListQuery, RunChange};
use crate::render::unserved::Unserved;
use crate::wire::{Description, PendingActivity, RunSummary, Status};

/// Open runs of before that are told at the start, of each status; there may be many, and they are not what one works on.
const TOLD_AT_START: u32 = 50;
/// Runs that are looked up in the list at a time.
const PAGE: u32 = 1_000;

/// Runs that have ended are remembered, so many of them: a run can change after its end, when a child of it ends, and
/// its history is not told again for that.
const REMEMBERED: usize = 10_000;

/// Tells about runs.
pub(super) struct Runs<'a> {
    client: &'a Client,
    report: &'a Report,
    began: Timestamp,
    /// The open runs that were told of, by run id.
    known: BTreeMap<String, Known>,
    /// Those that have ended since, the last ones.
    ended: VecDeque<String>,
}

/// What was told of a run.
#[derive(Debug, Default)]
struct Known {
    /// The number of its last event that was.
    after: u64,
    /// Since when it is parked or paused.
    held_since: Option<Timestamp>,
    /// The attempt of each activity that is not its first.
    attempts: BTreeMap<u64, u32>,
    /// The activities that nobody takes.
    unserved: BTreeSet<u64>,
    /// That it waits for a message, and the number of the last event before.
    waiting_after: Option<u64>,
}

impl<'a> Runs<'a> {
    /// What happened before `began` is not told.
    pub(super) fn new(client: &'a Client, report: &'a Report, began: Timestamp) -> Self {
        Self { client, report, began, known: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// Tells about runs for as long as there is a host.
    ///
    /// # Errors
    /// When the host is away for long, or answers what is not understood.
    pub(super) async fn follow(mut self) -> Result<Infallible, ClientError> {
        let mut is_first = true;
        loop {
            let (client, report) = (self.client, self.report);
            let say = |words: &str| report.note(words);
            let mut changes = persistently(say, async || client.changes().await).await?;
            // What happened before somebody listened, or while nobody did.
            let mut ended = if is_first { self.begin().await } else { self.catch_up().await };
            is_first = false;
            while ended.is_ok() {
                ended = match changes.next().await {
                    Ok(Some(RunChange::Run(run))) => self.look(&run).await,
                    Ok(Some(RunChange::Missed)) => {
                        report.note("more happens than can be told: `refrain workflow list` has all runs");
                        self.catch_up().await
                    }
                    Ok(None) => break,
                    Err(error) => Err(error),
                };
            }
            match ended {
                // The host is waited for.
                Ok(()) => {}
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells of the runs that are open or have ended since it began, and leaves out what they did before.
    async fn begin(&mut self) -> Result<(), ClientError> {
        for status in Status::ALL {
            let (mut runs, more) = self.list(status, TOLD_AT_START, None).await?;
            runs.retain(|run| !self.is_old(run));
            for run in &runs {
                let after = self.last_event_before(run).await?;
                if after > 0 && !run.status.is_closed() {
                    let (workflow, status) = (run.workflow.as_str(), run.status.as_str());
                    self.tell(run, RunNews::Open { workflow, status });
                }
                self.known.insert(run.run_id.clone(), Known { after, ..Known::default() });
                self.look(run).await?;
            }
            if more.is_some() && !status.is_closed() {
                self.report.note(&format!("more runs are {status}: `refrain workflow list` has all"));
            }
        }
        Ok(())
    }

    /// Whether a run had ended before.
    fn is_old(&self, run: &RunSummary) -> bool {
        run.closed_at.is_some_and(|at| at < self.began)
    }

    /// Looks at the runs that are open, and at those that were.
    async fn catch_up(&mut self) -> Result<(), ClientError> {
        let mut before: BTreeSet<String> = self.known.keys().cloned().collect();
        for status in Status::ALL.into_iter().filter(|status| !status.is_closed()) {
            let mut cursor = None;
            loop {
                let (runs, next) = self.list(status, PAGE, cursor).await?;
                for run in &runs {
                    before.remove(&run.run_id);
                    self.look(run).await?;
                }
                let Some(next) = next else { break };
                cursor = Some(next);
            }
        }
        self.look_at_ended(before).await
    }

    /// Looks at runs that have ended since, which the list of all runs has, unless they were deleted.
    async fn look_at_ended(&mut self, mut runs: BTreeSet<String>) -> Result<(), ClientError> {
        let mut query = ListQuery { limit: Some(PAGE), ..ListQuery::default() };
        while !runs.is_empty() {
            let page = self.client.workflows(query.clone()).await?.value;
            for run in page.workflows.iter().filter(|run| runs.remove(&run.run_id)) {
                self.look(run).await?;
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn list(
        &self,
        status: Status,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<(Vec<RunSummary>, Option<String>), ClientError> {
        let query =
            ListQuery { status: Some(status.to_string()), limit: Some(limit), cursor, workflow: None };
        let list = self.client.workflows(query).await?.value;
        Ok((list.workflows, list.next_cursor))
    }

    /// The number of the last event of a run that had happened before.
    async fn last_event_before(&self, run: &RunSummary) -> Result<u64, ClientError> {
        let mut last = 0;
        loop {
            let page = self.client.history(&run.id, history_of(run, last)).await;
            let Some(page) = there(page)? else { return Ok(last) };
            let (events, closed) = (page.value.events, page.value.closed);
            let before = events.iter().take_while(|event| event.time < self.began);
            let (seen, newest) = before.fold((0, last), |(seen, _), event| (seen + 1, event.number));
            last = newest;
            if closed || seen == 0 || seen < events.len() {
                return Ok(last);
            }
        }
    }

    /// Tells what is new of a run.
    async fn look(&mut self, run: &RunSummary) -> Result<(), ClientError> {
        let is_old = self.is_old(run) || self.ended.contains(&run.run_id);
        let mut known = match self.known.remove(&run.run_id) {
            None if is_old => return Ok(()),
            known => known.unwrap_or_default(),
        };
        loop {
            let page = self.client.history(&run.id, history_of(run, known.after)).await;
            let Some(page) = there(page)? else { return Ok(()) };
            for event in page.value.events.iter().filter(|event| event.number > known.after) {
                self.tell(run, RunNews::Event { event });
            }
            let last = page.value.events.iter().map(|event| event.number).max();
            known.after = last.unwrap_or(0).max(known.after);
            if page.value.closed {
                self.ended.push_back(run.run_id.clone());
                self.ended.drain(..self.ended.len().saturating_sub(REMEMBERED));
                return Ok(());
            }
            if last.is_none() {
                break;
            }
        }
        let described = self.client.describe(&run.id, Some(&run.run_id)).await;
        if let Some(described) = there(described)? {
            self.tell_standing(run, &described.value, &mut known).await?;
            self.known.insert(run.run_id.clone(), known);
        }
        Ok(())
    }

    /// Tells what is no event: that a run is held, that activities are tried again, and what it waits for.
    async fn tell_standing(
        &self,
        run: &RunSummary,
        now: &Description,
        known: &mut Known,
    ) -> Result<(), ClientError> {
        let parked = now.parked.iter().map(|parked| (parked.at, RunNews::Parked { parked }));
        let paused = now.paused.iter().map(|paused| (paused.at, RunNews::Paused { paused }));
        let held = parked.chain(paused).next();
        if let Some((at, news)) = &held
            && known.held_since != Some(*at)
        {
            self.tell(run, news.clone());
        }
        known.held_since = held.map(|(at, _)| at);
        for activity in &now.pending_activities {
            self.tell_attempt(run, activity, known);
            self.tell_unserved(run, activity, known).await?;
        }
        let is_idle = now.status == Status::Running
            && now.waiting.is_some()
            && now.mailbox_waiting == 0
            && now.pending_activities.is_empty()
            && now.pending_timers.is_empty()
            && now.pending_children.is_empty();
        if is_idle && known.waiting_after != Some(known.after) {
            known.waiting_after = Some(known.after);
            self.tell(run, RunNews::Waiting);
        }
        Ok(())
    }

    fn tell_attempt(&self, run: &RunSummary, activity: &PendingActivity, known: &mut Known) {
        let PendingActivity { op, attempt, .. } = *activity;
        let Some(failure) = activity.last_failure.as_ref().filter(|_| attempt > 1) else { return };
        if known.attempts.insert(op, attempt) == Some(attempt) {
            return;
        }
        let (activity, next_attempt_at) = (activity.name.as_str(), activity.next_attempt_at);
        let failure = failure.chain();
        self.tell(run, RunNews::Retrying { activity, op, attempt, failure, next_attempt_at });
    }

    async fn tell_unserved(
        &self,
        run: &RunSummary,
        activity: &PendingActivity,
        known: &mut Known,
    ) -> Result<(), ClientError> {
        let waits = activity.state == "scheduled" && activity.runner.is_none();
        if !waits || known.unserved.contains(&activity.op) {
            return Ok(());
        }
        let Some(queue) = there(self.client.task_queue(&activity.task_queue).await)? else { return Ok(()) };
        let (queue, name) = (&queue.value, activity.name.as_str());
        if let Some(why) = Unserved::of(queue, name, Timestamp::now()) {
            known.unserved.insert(activity.op);
            let reason = why.line(&activity.task_queue, name);
            self.tell(run, RunNews::Unserved { activity: name, op: activity.op, reason });
        }
        Ok(())
    }

    fn tell(&self, run: &RunSummary, news: RunNews<'_>) {
        self.report.tell(&News::Run { id: &run.id, run_id: &run.run_id, news });
    }
}

fn history_of(run: &RunSummary, after: u64) -> HistoryQuery {
    HistoryQuery { run_id: Some(run.run_id.clone()), after, ..HistoryQuery::default() }
}

/// An answer, unless what was asked about is not there any more.
fn there<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Refused(problem)) if problem.code == "not-found" => Ok(None),
        Err(error) => Err(error),
    }
}
