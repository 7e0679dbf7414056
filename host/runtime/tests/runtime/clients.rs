//! What workers, webhooks and operators do with a host.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use refrain_engine::activity::Activity;
use refrain_engine::call::ActivityOptions;
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Op;
use refrain_runtime::{
    ActivityRef, ActivityTask, Control, Error, HeartbeatAnswer, PendingActivity, PollTask, Report,
    ResetRequest, RunResult, Unpause,
};
use refrain_store::schema::RunKey;

use crate::world::*;

/// An activity type that no plugin of the world offers: workers have it.
pub(crate) const REMOTE: &str = "charge";

/// The workflow `one`: starts one activity, and ends as that does.
pub(crate) fn one(world: &World, name: &'static str, options: fn(&mut ActivityOptions)) {
    world.workflow("one", move |host, input| async move {
        as_outcome(run(&host, with(name, text(&input), options)).await?)
    });
}

/// The workflow `one` with an activity for workers, without anything special about it.
pub(crate) fn remote(world: &World) {
    one(world, REMOTE, |_| {});
}

/// A workflow of many activities for workers; answers how many there were.
pub(crate) fn many(world: &World, count: usize) {
    world.workflow("many", move |host, _| async move {
        let mut open = Vec::new();
        for n in 0..count {
            open.push(host.activity(activity(REMOTE, n))?);
        }
        for op in open {
            let Outcome::Completed(_) = outcome(&host, op).await? else { panic!("a result") };
        }
        completed(count)
    });
}

/// The workflow `one`, which cancels its activity after five seconds.
pub(crate) fn one_canceled(world: &World, name: &'static str, options: fn(&mut ActivityOptions)) {
    world.workflow("one", move |host, input| async move {
        let op = host.activity(with(name, text(&input), options))?;
        let timer = host.timer(secs(5))?;
        outcome(&host, timer).await?;
        host.cancel(op, "enough")?;
        as_outcome(match outcome(&host, op).await? {
            Outcome::Completed(value) => Ok(value),
            Outcome::Failed(failure) => Err(failure),
        })
    });
}

/// The attempt of a task.
pub(crate) fn token(task: &ActivityTask) -> ActivityRef {
    ActivityRef::Token(task.task_token.clone())
}

/// The first activity of an execution.
pub(crate) fn by_id(id: &str) -> ActivityRef {
    ActivityRef::Id { target: target(id), op: 1 }
}

pub(crate) fn done(value: impl std::fmt::Display) -> Report {
    Report::Completed(json(value))
}

pub(crate) fn failed(error_type: &str) -> Report {
    let failure = Failure::new(FailureKind::Application, error_type, "no");
    Report::Failed { failure, next_retry_delay: None, benign: true }
}

pub(crate) fn pause() -> Control {
    Control::Pause { reason: "the bank is closed".to_owned() }
}

pub(crate) fn unpause() -> Control {
    Control::Unpause(Unpause::default())
}

pub(crate) fn reset() -> Control {
    Control::Reset(ResetRequest::default())
}

/// Why a stale report was refused.
#[track_caller]
pub(crate) fn stale<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Stale { activity: 1, reason }) => reason,
        other => panic!("it is not stale: {other:?}"),
    }
}

/// How a run ended, in a line.
pub(crate) fn told(result: RunResult) -> String {
    match result {
        RunResult::Closed { outcome: Ok(value), .. } => text(&value),
        RunResult::Closed { outcome: Err(failure), .. } => {
            format!("{} {}: {failure}", failure.kind.as_str(), failure.error_type)
        }
        running @ RunResult::Running { .. } => panic!("{running:?}"),
    }
}

/// A worker that outlives hosts: where one failed it, it asks the next one the same again.
pub(crate) struct Worker {
    executions: Arc<Mutex<Vec<Execution>>>,
    stands: Mutex<Stands>,
}

/// Where a worker stands.
#[derive(Clone)]
enum Stands {
    Polls(u32),
    Works(u32, ActivityTask),
    Reports(u32, ActivityTask),
}

impl Worker {
    pub(crate) fn new(world: &World) -> Self {
        Self { executions: Arc::clone(&world.executions), stands: Mutex::new(Stands::Polls(1)) }
    }

    /// Works until a host fails it. Answers each task with its input.
    pub(crate) async fn work(&self, host: &Host) -> Error {
        loop {
            let stands = self.stands.lock().unwrap().clone();
            match self.next(host, stands).await {
                Ok(stands) => *self.stands.lock().unwrap() = stands,
                Err(error) => return error,
            }
        }
    }

    async fn next(&self, host: &Host, stands: Stands) -> Result<Stands, Error> {
        match stands {
            Stands::Polls(poll) => match host.poll(&format!("rita-{poll}"), secs(3_600)).await? {
                Some(task) => {
                    self.executions.lock().unwrap().push((task.idempotency_key.clone(), task.attempt));
                    Ok(Stands::Works(poll, task))
                }
                None if host.is_sound() => Ok(Stands::Polls(poll)),
                None => Err(Error::ShuttingDown),
            },
            Stands::Works(poll, task) => {
                for n in 1..=3 {
                    match host.beat(&token(&task), n).await {
                        Ok(_) => host.pass(secs(1)).await,
                        Err(Error::Stale { .. }) => return Ok(Stands::Polls(poll + 1)),
                        Err(error) => return Err(error),
                    }
                }
                Ok(Stands::Reports(poll, task))
            }
            Stands::Reports(poll, task) => match host.complete(&task, text(&task.input)).await {
                Ok(()) | Err(Error::Stale { .. }) => Ok(Stands::Polls(poll + 1)),
                Err(error) => Err(error),
            },
        }
    }
}

impl Host {
    /// A poll of the default queue, for any type, by a worker whose name begins the poll's id.
    pub(crate) async fn poll(&self, poll_id: &str, wait: Duration) -> Result<Option<ActivityTask>, Error> {
        self.poll_for("default", &[], poll_id, wait).await
    }

    pub(crate) async fn poll_for(
        &self,
        queue: &str,
        activities: &[&str],
        poll_id: &str,
        wait: Duration,
    ) -> Result<Option<ActivityTask>, Error> {
        let poll = PollTask {
            queue: queue.to_owned(),
            worker: poll_id.split('-').next().unwrap_or_default().to_owned(),
            poll_id: poll_id.to_owned(),
            activities: activities.iter().map(ToString::to_string).collect(),
            wait,
        };
        self.runtime.poll_task(&self.namespace, poll).await
    }

    /// The task that is there, or comes within a day.
    #[track_caller]
    pub(crate) fn task(&self, poll_id: &str) -> impl Future<Output = ActivityTask> {
        let (host, poll_id) = (self.clone(), poll_id.to_owned());
        async move { host.poll(&poll_id, A_DAY).await.expect("a poll").expect("a task") }
    }

    /// There is no task.
    pub(crate) async fn no_task(&self, poll_id: &str) {
        assert_eq!(self.poll(poll_id, Duration::from_millis(50)).await, Ok(None));
    }

    pub(crate) async fn report(&self, activity: &ActivityRef, report: Report) -> Result<(), Error> {
        self.runtime.report_activity(&self.namespace, activity, report).await
    }

    pub(crate) async fn complete(
        &self,
        task: &ActivityTask,
        value: impl std::fmt::Display,
    ) -> Result<(), Error> {
        self.report(&token(task), done(value)).await
    }

    pub(crate) async fn beat(
        &self,
        activity: &ActivityRef,
        details: impl std::fmt::Display,
    ) -> Result<HeartbeatAnswer, Error> {
        self.runtime.heartbeat_activity(&self.namespace, activity, Some(json(details))).await
    }

    /// Controls the first activity of an execution.
    pub(crate) async fn control(&self, id: &str, control: Control) -> Result<(), Error> {
        self.runtime.control_activity(&self.namespace, &target(id), 1, control).await
    }

    /// The only activity of an execution that has not ended.
    pub(crate) async fn pending(&self, id: &str) -> PendingActivity {
        let mut pending = self.describe(id).await.pending_activities;
        assert_eq!(pending.len(), 1, "{pending:?}");
        pending.remove(0)
    }

    /// Where the only activity of an execution stands: state, runner, number of the attempt.
    pub(crate) async fn stands(&self, id: &str) -> String {
        let PendingActivity { state, runner, attempt, .. } = self.pending(id).await;
        format!(
            "{state}{}, attempt {attempt}",
            runner.map_or(String::new(), |runner| format!(" by {runner}"))
        )
    }

    /// Nothing waits in a queue and nothing runs.
    pub(crate) async fn check_quiet(&self) {
        self.settle().await;
        for queue in self.runtime.task_queues(&self.namespace).expect("the queues") {
            let left = (queue.backlog, queue.running, queue.waiting_pollers);
            assert_eq!(left, (0, 0, 0), "backlog, attempts and polls are left in {}", queue.name);
        }
    }
}

impl World {
    /// An activity as its row says.
    pub(crate) fn stored(&self, task: &ActivityTask) -> Activity {
        self.stored_op(&RunKey::new(task.namespace.clone(), task.run_id), task.op)
    }

    pub(crate) fn stored_op(&self, run: &RunKey, op: Op) -> Activity {
        let rows = self.under(&run.activities());
        let activities =
            rows.iter().map(|(_, row)| codec::decode::<Activity>("activity", row).expect("an activity"));
        activities.into_iter().find(|activity| activity.op == op).expect("the activity has a row")
    }
}
