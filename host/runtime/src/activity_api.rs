//! What the server calls about activities: tasks for workers, reports, controls, task queues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use refrain_engine::activity::Phase;
use refrain_engine::ids::{Namespace, Op, check_name};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_store::schema::RunKey;

use crate::activity_types::{
    ActivityProgress, ActivityRef, ActivityTask, Control, HeartbeatAnswer, PollTask, Report, TaskQueueInfo,
};
use crate::attempts::{Beat, PollKey};
use crate::error::Error;
use crate::inspect;
use crate::owner::Message;
use crate::queues::PollId;
use crate::rows;
use crate::runtime::{MAX_REASON_BYTES, Runtime};
use crate::shared::Shared;
use crate::stale;
use crate::start::within_payload_limit;
use crate::task_token::TaskToken;
use crate::tasks;
use crate::types::Target;

/// The most activity types that a poll may name. A worker has them as code.
const MAX_POLLED_TYPES: usize = 200;

impl Runtime {
    /// Waits for a task of a queue, at most so long, and a boot's recovery before. The attempt is durably started when this answers; the same
    /// poll gets the same task again while that attempt runs.
    ///
    /// # Errors
    /// When a value is not acceptable, the host is stopping or the store refuses.
    pub async fn poll_task(
        &self,
        namespace: &Namespace,
        poll: PollTask,
    ) -> Result<Option<ActivityTask>, Error> {
        let shared = &self.shared;
        shared.check_open()?;
        shared.check_namespace(namespace)?;
        check_poll(&poll)?;
        // Before a boot knows the attempts that the last one has left, nobody can be told that there is nothing: who asks
        // again for a task whose answer was lost would give it up. So that may take longer than the poll waits.
        shared.recovered().await?;
        let deadline = shared.now().after(poll.wait);
        if let Some(task) = handed_out(shared, namespace, &poll)? {
            return Ok(Some(task));
        }
        let PollTask { queue, worker, poll_id, activities, .. } = &poll;
        let (id, mut offered) = shared.queues.poll(namespace, queue, worker, poll_id, activities.clone());
        let waiting = Waiting { shared, id };
        // The request before this one may have got its task just before this one took its place.
        if let Some(task) = handed_out(shared, namespace, &poll)? {
            return Ok(Some(task));
        }
        let is_over = tokio::select! {
            biased;
            offer = &mut offered => return Ok(offer.ok().map(|task| *task)),
            () = shared.clock.sleep_until(deadline) => waiting.end(),
            () = shared.stopping() => waiting.end(),
        };
        // An offer that is on its way is a task that has begun. Without one, nobody answers any more.
        if is_over { Ok(None) } else { Ok(offered.await.ok().map(|task| *task)) }
    }

    /// Ends an attempt, or an activity by hand. The end is durable when this answers.
    ///
    /// # Errors
    /// [`Error::Stale`] when nobody waits for it any more; when a value is not acceptable or the store refuses.
    pub async fn report_activity(
        &self,
        namespace: &Namespace,
        activity: &ActivityRef,
        report: Report,
    ) -> Result<(), Error> {
        self.shared.check_open()?;
        match &report {
            Report::Completed(result) => within_payload_limit("result", result.size())?,
            Report::Failed { failure, .. } => within_payload_limit("failure", failure.size())?,
            Report::Canceled { details: Some(details) } => within_payload_limit("details", details.size())?,
            Report::Canceled { details: None } | Report::Pending => {}
        }
        let (key, op, starts) = self.address(namespace, activity)?;
        self.tell(&key, |reply| Message::Report { op, starts, report, reply }).await
    }

    /// A running attempt is alive and has come so far. Durable within a second or so.
    ///
    /// # Errors
    /// As [`Self::report_activity`].
    pub async fn heartbeat_activity(
        &self,
        namespace: &Namespace,
        activity: &ActivityRef,
        details: Option<Payload>,
    ) -> Result<HeartbeatAnswer, Error> {
        let shared = &self.shared;
        shared.check_open()?;
        within_payload_limit("details", details.as_ref().map_or(0, Payload::size))?;
        shared.recovered().await?;
        let (key, op, starts) = self.address(namespace, activity)?;
        let attempt = shared.attempts.get(&key, op);
        let Some(attempt) = attempt.filter(|found| starts.is_none_or(|starts| found.starts == starts)) else {
            return Err(why_stale(shared, &key, op, starts)?);
        };
        let (answer, is_news) = attempt.beat(Beat { at: shared.now(), details });
        if is_news {
            shared.registry.send(shared, &key, Message::Beat { op });
        }
        Ok(answer)
    }

    /// What an operator does to an activity that has not ended. It is durable when this answers.
    ///
    /// # Errors
    /// When there is no such activity, a value is not acceptable or the store refuses.
    pub async fn control_activity(
        &self,
        namespace: &Namespace,
        target: &Target,
        op: Op,
        control: Control,
    ) -> Result<(), Error> {
        self.shared.check_open()?;
        if let Control::Pause { reason } = &control
            && reason.len() > MAX_REASON_BYTES
        {
            return Err(Error::TooLarge { what: "reason", bytes: reason.len(), limit: MAX_REASON_BYTES });
        }
        let key = inspect::resolve(&self.shared, namespace, target)?;
        self.tell(&key, |reply| Message::Control { op, control, reply }).await
    }

    /// The heartbeats of a run's activities that are not these, oldest first: `seen` has the time of the last one of
    /// each. Where there are none it waits, at most so long.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be read.
    pub async fn activity_progress(
        &self,
        namespace: &Namespace,
        target: &Target,
        seen: &BTreeMap<Op, Timestamp>,
        wait: Duration,
    ) -> Result<Vec<ActivityProgress>, Error> {
        let shared = &self.shared;
        let key = inspect::resolve(shared, namespace, target)?;
        let deadline = shared.now().after(wait);
        loop {
            let mut changes = shared.watchers.subscribe(&key);
            let progress = read_progress(shared, &key, seen)?;
            if !progress.is_empty() {
                return Ok(progress);
            }
            tokio::select! {
                () = changes.changed() => {}
                () = shared.stopping() => return Ok(Vec::new()),
                () = shared.clock.sleep_until(deadline) => return Ok(Vec::new()),
            }
        }
    }

    /// The task queues of a namespace that have tasks or workers, or are configured, by name.
    ///
    /// # Errors
    /// When the namespace does not exist.
    pub fn task_queues(&self, namespace: &Namespace) -> Result<Vec<TaskQueueInfo>, Error> {
        self.shared.check_namespace(namespace)?;
        Ok(self.shared.queues.infos(namespace))
    }

    /// One task queue. One that nobody has used is empty.
    ///
    /// # Errors
    /// When the namespace does not exist or the name is not acceptable.
    pub fn task_queue(&self, namespace: &Namespace, name: &str) -> Result<TaskQueueInfo, Error> {
        self.shared.check_namespace(namespace)?;
        check_name("task_queue", name)?;
        Ok(self.shared.queues.info(namespace, name))
    }

    /// The run, the activity in it and, by token, the attempt that is meant.
    fn address(
        &self,
        namespace: &Namespace,
        activity: &ActivityRef,
    ) -> Result<(RunKey, Op, Option<u32>), Error> {
        match activity {
            ActivityRef::Token(token) => {
                let token = TaskToken::parse(token)?;
                if token.namespace != *namespace {
                    let message = format!("is of namespace {:?}: address that one", token.namespace.as_str());
                    return Err(Error::Invalid { field: "task_token".to_owned(), message });
                }
                Ok((token.run_key(), token.op, Some(token.starts)))
            }
            ActivityRef::Id { target, op } => {
                Ok((inspect::resolve(&self.shared, namespace, target)?, *op, None))
            }
        }
    }
}

/// A poll that waits. Dropped when its client has gone away.
struct Waiting<'a> {
    shared: &'a Shared,
    id: PollId,
}

impl Waiting<'_> {
    /// Whether nobody will answer the poll any more.
    fn end(&self) -> bool {
        self.shared.queues.end_poll(self.id)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

fn check_poll(poll: &PollTask) -> Result<(), Error> {
    check_name("task_queue", &poll.queue)?;
    check_name("worker", &poll.worker)?;
    check_name("poll_id", &poll.poll_id)?;
    poll.activities.iter().try_for_each(|name| check_name("activities", name))?;
    let types = poll.activities.len();
    if types > MAX_POLLED_TYPES {
        let message = format!("has {types} entries: name at most {MAX_POLLED_TYPES}, or none for any type");
        return Err(Error::Invalid { field: "activities".to_owned(), message });
    }
    Ok(())
}

/// The task that this poll was given before, if that attempt still runs.
fn handed_out(
    shared: &Arc<Shared>,
    namespace: &Namespace,
    poll: &PollTask,
) -> Result<Option<ActivityTask>, Error> {
    let poll =
        PollKey { namespace: namespace.clone(), queue: poll.queue.clone(), poll_id: poll.poll_id.clone() };
    let Some((key, op, starts)) = shared.attempts.of_poll(&poll) else { return Ok(None) };
    let Some(activity) = rows::find_activity(&*shared.store, &key, op)? else { return Ok(None) };
    if activity.check_current(starts).is_err() {
        return Ok(None);
    }
    let started = inspect::read_started(shared, &key)?;
    Ok(Some(tasks::of(&started, &activity)))
}

/// Why nobody hears a heartbeat.
fn why_stale(shared: &Shared, key: &RunKey, op: Op, starts: Option<u32>) -> Result<Error, Error> {
    let Some((started, stored)) = rows::find(&*shared.store, key)? else { return Ok(stale::no_run(key, op)) };
    if let Some(closed) = Error::closed(&started, stored.head.status) {
        return Ok(stale::ended(&closed, op));
    }
    let activity = rows::find_activity(&*shared.store, key, op)?;
    if let Err(stale) = stale::check(op, activity.as_ref(), starts) {
        return Ok(stale);
    }
    let runs = activity.is_some_and(|activity| matches!(activity.phase, Phase::Running { .. }));
    // One that runs has just begun, or is about to end.
    Ok(if runs { Error::Changing { activity: op } } else { stale::no_attempt(op) })
}

fn read_progress(
    shared: &Shared,
    key: &RunKey,
    seen: &BTreeMap<Op, Timestamp>,
) -> Result<Vec<ActivityProgress>, Error> {
    let mut progress = Vec::new();
    let news = rows::read_heartbeats(&*shared.store, key)?.into_iter();
    for (op, row) in news.filter(|(op, row)| seen.get(op) != Some(&row.at)) {
        let Some(activity) = rows::find_activity(&*shared.store, key, op)? else { continue };
        progress.push(ActivityProgress {
            op,
            activity: activity.command.name,
            attempt: row.attempt,
            at: row.at,
            details: row.details,
        });
    }
    progress.sort_by_key(|progress| (progress.at, progress.op));
    Ok(progress)
}
