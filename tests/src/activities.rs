//! The API of activities: as workers use it, and as those do who look after activities.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::{Answer, Client, GLANCE, PATIENCE, encode};

/// How long a poll for a task waits at the host.
const POLL_WAIT: &str = "20s";

/// The number of the last poll. Each needs an id of its own.
static POLLS: AtomicU64 = AtomicU64::new(0);

/// One entry of the input of the workflow `calls`: an activity, its input, and whatever options.
pub fn call(activity: &str, input: Value, options: Value) -> Value {
    let mut call = Map::from_iter([("activity".to_owned(), json!(activity)), ("input".to_owned(), input)]);
    if let Value::Object(options) = options {
        call.extend(options);
    }
    call.into()
}

/// The input of the workflow `calls`.
pub fn calls(calls: impl IntoIterator<Item = Value>) -> Value {
    json!({ "calls": Vec::from_iter(calls) })
}

impl Client {
    /// Polls a task queue under a fresh id.
    pub async fn poll_task(&self, queue: &str, wait: &str) -> Result<Option<Value>> {
        let poll_id = format!("poll {}", POLLS.fetch_add(1, Ordering::Relaxed));
        self.poll_task_as(queue, &poll_id, wait).await
    }

    /// Polls a task queue.
    pub async fn poll_task_as(&self, queue: &str, poll_id: &str, wait: &str) -> Result<Option<Value>> {
        let body = json!({ "worker": "the test", "poll_id": poll_id, "wait": wait });
        let answer = self.post(&format!("/v1/task-queues/{}/poll", encode(queue)), &body).await?;
        let came = answer.status == 200;
        let task = answer.ok().with_context(|| format!("poll {queue}"))?;
        Ok(came.then_some(task))
    }

    /// Waits for a task of a queue.
    pub async fn task(&self, queue: &str) -> Result<Value> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(task) = self.poll_task(queue, POLL_WAIT).await? {
                return Ok(task);
            }
        }
        bail!("no task comes: {}", self.task_queue(queue).await?)
    }

    /// Says something about a task: `verb` is a route beneath `/v1/activities`, `body` what it takes besides the token.
    pub async fn tell(&self, task: &Value, verb: &str, mut body: Value) -> Result<Answer> {
        body["task_token"] = task["task_token"].clone();
        self.post(&format!("/v1/activities/{verb}"), &body).await
    }

    /// Completes a task; it must be current.
    pub async fn complete(&self, task: &Value, result: Value) -> Result<()> {
        self.tell(task, "complete", json!({ "result": result })).await?.ok()?;
        Ok(())
    }

    /// Says something about an activity that is known by its ids.
    pub async fn tell_activity(&self, id: &str, op: u64, verb: &str, body: Value) -> Result<Answer> {
        self.post(&format!("/v1/workflows/{}/activities/{op}/{verb}", encode(id)), &body).await
    }

    /// What is told of a task queue.
    pub async fn task_queue(&self, queue: &str) -> Result<Value> {
        self.get(&format!("/v1/task-queues/{}", encode(queue))).await?.ok()
    }

    /// Waits until a task queue is like this.
    pub async fn queue_once(&self, queue: &str, like: impl Fn(&Value) -> bool) -> Result<Value> {
        self.state_once(&format!("/v1/task-queues/{}", encode(queue)), like).await
    }

    /// Waits until a run's description is like this.
    pub async fn described_once(&self, id: &str, like: impl Fn(&Value) -> bool) -> Result<Value> {
        self.state_once(&format!("/v1/workflows/{}", encode(id)), like).await
    }

    /// Waits until the first activity of a run that has not ended is like this.
    pub async fn activity_once(&self, id: &str, like: impl Fn(&Value) -> bool) -> Result<Value> {
        let first = |run: &Value| run["pending_activities"].get(0).cloned();
        let run = self.described_once(id, |run| first(run).is_some_and(|activity| like(&activity))).await?;
        first(&run).context("it was there")
    }

    /// Lets the running attempt of an activity time out, whatever its heartbeat timeout: an operator makes it short,
    /// and long again when it has passed. A short one from the start would pass by chance on a busy machine.
    pub async fn expire(&self, id: &str, op: u64) -> Result<()> {
        let set = |timeout: &'static str| async move {
            let body = json!({ "heartbeat_timeout": timeout });
            self.tell_activity(id, op, "update-options", body).await?.ok()
        };
        let timed_out = |activity: &Value| activity["last_failure"]["type"] == "heartbeat";
        let failed_once = |run: &Value| {
            let activities = run["pending_activities"].as_array();
            activities.is_some_and(|all| {
                all.iter().any(|activity| {
                    activity["op"] == op && activity["state"] != "running" && timed_out(activity)
                })
            })
        };
        set("1ms").await?;
        self.described_once(id, failed_once).await?;
        set("10m").await?;
        Ok(())
    }

    async fn state_once(&self, path: &str, like: impl Fn(&Value) -> bool) -> Result<Value> {
        let began = Instant::now();
        let mut state = Value::Null;
        while began.elapsed() < PATIENCE {
            state = self.persist(|client| client.request(Method::GET, path)).await?.ok()?;
            if like(&state) {
                return Ok(state);
            }
            sleep(GLANCE).await;
        }
        bail!("what was waited for does not happen: {state}")
    }

    /// Waits for the end of a run of the workflow `calls`: how its activities ended.
    pub async fn outcomes(&self, id: &str) -> Result<Vec<Value>> {
        let outcomes = self.completed(id).await?;
        outcomes.as_array().cloned().with_context(|| format!("{id} has no outcomes: {outcomes}"))
    }

    /// Waits for the end of a run of one activity, which must be a good one: its result. Recorded once, in this attempt.
    pub async fn only_result(&self, id: &str, attempt: u32) -> Result<Value> {
        let outcomes = self.outcomes(id).await?;
        ensure!(outcomes.len() == 1, "{outcomes:?}");
        let history = self.history(id).await?;
        let ends: Vec<_> = history.iter().filter(|event| event.attribute("started_at").is_string()).collect();
        ensure!(ends.len() == 1, "the activity ended {} times: {ends:?}", ends.len());
        ensure!(ends[0].attribute("attempt") == attempt, "it ended in another attempt: {:?}", ends[0]);
        let result = outcomes[0]["result"].clone();
        ensure!(!result.is_null() && *ends[0].attribute("result") == result, "{outcomes:?} {ends:?}");
        Ok(result)
    }
}
