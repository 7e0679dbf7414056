//! Who makes attempts of activities: a plugin in the host, and workers beside it, some of which die or say things twice.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::ids::Namespace;
use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use refrain_runtime::{ActivityRef, ActivityTask, Clock, Error, PollTask, Report, Runtime};

use crate::clock::SimClock;
use crate::random::Random;
use crate::trace::{Event, Trace};

/// The activity that actors start as a local one.
pub const LOCAL: &str = "quick";

/// The activities that are in the host. Each records that it began.
pub struct SimPlugin {
    /// Where.
    pub trace: Trace,
    /// The time of it.
    pub clock: SimClock,
}

impl SimPlugin {
    fn activity<F, T>(&self, name: &str, run: F) -> Activity
    where
        F: Fn(u32, u64) -> T + Send + Sync + 'static,
        T: Future<Output = Result<refrain_plugin::Payload, ActivityError>> + Send + 'static,
    {
        let (trace, clock, run) = (self.trace.clone(), self.clock.clone(), Arc::new(run));
        let local = name == LOCAL;
        Activity::raw(name, move |context: Context, input| {
            let (key, attempt) = (context.idempotency_key(), context.attempt());
            trace.record(clock.now(), Event::Attempt { key, attempt, local });
            let input = input.parse().expect("a number");
            run(attempt, input).boxed()
        })
    }
}

impl Plugin for SimPlugin {
    fn name(&self) -> &str {
        "sim"
    }

    fn activities(&self) -> Vec<Activity> {
        let json = |value: u64| refrain_plugin::Payload::json(&value).map_err(ActivityError::from);
        vec![
            // Answers its input.
            self.activity("echo", move |_, input| async move { json(input) }),
            self.activity(LOCAL, move |_, input| async move { json(input) }),
            // Fails as often as its input says.
            self.activity("flaky", move |attempt, input| async move {
                if u64::from(attempt) <= input {
                    Err(ActivityError::new("Flaky", "not yet"))
                } else {
                    json(input)
                }
            }),
            // Fails for good.
            self.activity("fails", move |_, _| async move { Err(ActivityError::new("Final", "never")) }),
            // Takes as many seconds as its input says, and hears nothing meanwhile.
            self.activity("slow", move |_, input| async move {
                tokio::time::sleep(Duration::from_secs(input)).await;
                json(input)
            }),
        ]
    }
}

/// A worker that polls one life of the host until that fails it.
pub struct Worker {
    /// Who it is.
    pub name: String,
    /// What it does next.
    pub random: Random,
    /// Whether it does everything right.
    pub healthy: bool,
    /// Where it records what it did.
    pub trace: Trace,
    /// The time of it.
    pub clock: SimClock,
}

impl Worker {
    /// Works until the host fails it.
    pub async fn work(mut self, runtime: Runtime) -> Error {
        for number in 0.. {
            match self.next(&runtime, number).await {
                Ok(()) => {}
                Err(Error::Stale { .. }) => {}
                Err(error) => return error,
            }
        }
        unreachable!("a worker polls for ever")
    }

    async fn next(&mut self, runtime: &Runtime, number: u64) -> Result<(), Error> {
        let poll = PollTask {
            queue: "default".to_owned(),
            worker: self.name.clone(),
            poll_id: format!("{}-{number}", self.name),
            activities: Vec::new(),
            wait: Duration::from_secs(60),
        };
        let namespace = Namespace::default();
        let Some(task) = runtime.poll_task(&namespace, poll).await? else {
            // A host that is stopping answers at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            return Ok(());
        };
        let attempt =
            Event::Attempt { key: task.idempotency_key.clone(), attempt: task.attempt, local: false };
        self.trace.record(self.clock.now(), attempt);
        tokio::time::sleep(Duration::from_millis(self.random.below(3_000))).await;
        if self.healthy {
            return report(runtime, &task, done(&task)).await;
        }
        match self.random.below(10) {
            // It dies with its task. Another one takes its place.
            0 => Ok(()),
            // It is so slow that the attempt has timed out.
            1 => {
                tokio::time::sleep(Duration::from_secs(45)).await;
                report(runtime, &task, done(&task)).await
            }
            // It says so twice.
            2 | 3 => {
                report(runtime, &task, done(&task)).await?;
                report(runtime, &task, done(&task)).await
            }
            4 => report(runtime, &task, failed()).await,
            _ => report(runtime, &task, done(&task)).await,
        }
    }
}

fn done(task: &ActivityTask) -> Report {
    Report::Completed(task.input.clone())
}

fn failed() -> Report {
    let failure = Failure::new(FailureKind::Application, "Busy", "not now");
    Report::Failed { failure, next_retry_delay: None, benign: true }
}

async fn report(runtime: &Runtime, task: &ActivityTask, report: Report) -> Result<(), Error> {
    let activity = ActivityRef::Token(task.task_token.clone());
    runtime.report_activity(&Namespace::default(), &activity, report).await
}
