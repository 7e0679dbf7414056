//! Clients that write down what they are told, in whatever life of the host, and do not rest before it is all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::checker::Told;
use crate::worker::ECHO;
use crate::{Client, call, calls, encode};

/// Steps of a sequence.
const STEPS: u64 = 20;
/// Signals to each run that waits for some.
const SIGNALS: usize = 3;
/// Updates to each run that answers some.
const UPDATES: usize = 3;
/// Activities of each run that waits for workers, or for the host's own.
const TASKS: usize = 5;
/// How long naps are.
const NAP: Duration = Duration::from_millis(700);
/// After so much silence an attempt of a worker that was killed is made again.
const MORTAL_SILENCE_MS: u64 = 500;

/// All that the clients of one host are told.
pub(crate) type Notebook = Arc<watch::Sender<Told>>;

/// Where runs find workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// The test itself.
    ByHand,
    /// A process that is as good as cut off now and then.
    ByProcess,
    /// Processes that are killed with the host.
    ByMortals,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Self; 3] = [Self::ByHand, Self::ByProcess, Self::ByMortals];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by-hand",
            Self::ByProcess => "by-process",
            Self::ByMortals => "by-mortals",
        }
    }

    /// What is asked of its activities. One attempt must do where no worker is killed: what is lost on the way to one or
    /// back is not repaired by another attempt.
    fn options(self) -> Value {
        match self {
            Self::ByHand | Self::ByProcess => json!({ "task_queue": self.name(), "maximum_attempts": 1 }),
            Self::ByMortals => {
                json!({ "task_queue": self.name(), "heartbeat_ms": MORTAL_SILENCE_MS, "interval_ms": 1 })
            }
        }
    }
}

/// What a client wants: a run, what it sends to it, and all the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Many steps, one after the other.
    Sequence,
    /// Signals.
    Signals,
    /// Updates, whose answers wait for a signal.
    Updates,
    /// A timer.
    Nap,
    /// The end of a run that would sleep for an hour, by a request to cancel itself.
    Cancel,
    /// Files that the host writes, however many attempts that takes.
    Files,
    /// A backup, whose activities have five attempts each.
    Backup,
    /// Activities of workers.
    Tasks(Queue),
}

impl Errand {
    /// What the client of such a run is told: its start, what it sends, and its end.
    pub fn answers(self) -> usize {
        2 + match self {
            Self::Sequence | Self::Nap | Self::Files | Self::Backup | Self::Tasks(_) => 0,
            Self::Signals => SIGNALS,
            // That each is let in, what it is answered, and the signal.
            Self::Updates => 2 * UPDATES + 1,
            Self::Cancel => 1,
        }
    }
}

/// A client that writes down what it is told.
pub(crate) struct Witness {
    pub(crate) client: Client,
    pub(crate) notes: Notebook,
}

impl Witness {
    /// Does an errand, under this id.
    pub(crate) async fn run(&self, id: &str, errand: Errand) -> Result<()> {
        let began = Instant::now();
        match errand {
            Errand::Sequence => {
                self.start("bench_replay", id, json!({ "n": 2 * STEPS })).await?;
                self.end(id, "completed").await?;
            }
            Errand::Signals => {
                self.start("bench_signal", id, json!({ "n": SIGNALS })).await?;
                for number in 0..SIGNALS {
                    self.signal(id, "tick", number).await?;
                }
                self.end(id, "completed").await?;
            }
            Errand::Updates => self.updates(id).await?,
            Errand::Nap => {
                self.start("bench_sleep", id, json!({ "ms": NAP.as_millis() as u64 })).await?;
                self.end(id, "completed").await?;
                ensure!(began.elapsed() >= NAP, "{id}: a nap of {NAP:?} took {:?}", began.elapsed());
            }
            Errand::Cancel => {
                let (hour, message) = (3_600_000, "never");
                let input = json!({ "message": message, "every_ms": hour, "give_up_after_ms": hour });
                self.start("reminder", id, input).await?;
                self.cancel(id).await?;
                self.end(id, "canceled").await?;
            }
            Errand::Files => {
                let write = |n: usize| {
                    let path = format!("{id}-{n}");
                    let input = json!({ "directory": "target", "path": path, "content": path });
                    call("fs.write", input, json!({ "interval_ms": 1 }))
                };
                self.start("calls", id, calls((0..TASKS).map(write))).await?;
                let written = self.end(id, "completed").await?;
                let done = written.as_array().context("a list of outcomes")?;
                ensure!(done.iter().all(|outcome| outcome["result"]["size"].is_u64()), "{id}: {written}");
            }
            Errand::Backup => {
                self.start("backup", id, json!({ "archive": format!("{id}.tar") })).await?;
                self.end(id, "completed").await?;
            }
            Errand::Tasks(queue) => {
                let tasks = (0..TASKS).map(|task| call(ECHO, json!(task), queue.options()));
                self.start("calls", id, calls(tasks)).await?;
                let done = self.end(id, "completed").await?;
                ensure!(!done.to_string().contains("failure"), "{id}: {done}");
            }
        }
        Ok(())
    }

    /// Takes numbers at a desk that gives them once it is open.
    async fn updates(&self, id: &str) -> Result<()> {
        self.start("desk", id, Value::Null).await?;
        for name in (0..UPDATES).map(|n| n.to_string()) {
            let accepted = json!({ "update_id": name, "wait_for_stage": "accepted" });
            self.client.update(id, "take", json!(name), accepted).await?.ok()?;
            self.note(|told| told.accepted(id, &name))?;
        }
        self.signal(id, "open", 0).await?;
        let mut numbers = Vec::new();
        for name in (0..UPDATES).map(|n| n.to_string()) {
            // The same update again: it has been answered, or will be.
            let answer =
                self.client.update(id, "take", json!(name), json!({ "update_id": name })).await?.ok()?;
            ensure!(answer["stage"] == "completed", "{id}: update {name} is {answer}");
            self.note(|told| told.answered(id, &name, &answer["result"]))?;
            numbers.push((answer["result"].as_u64().context("a number")? as usize, name));
        }
        let names = self.end(id, "completed").await?;
        for (number, name) in numbers {
            ensure!(names[number - 1] == *name, "{id}: {name} was given the number {number} of {names}");
        }
        Ok(())
    }

    async fn start(&self, workflow: &str, id: &str, input: Value) -> Result<()> {
        let body =
            json!({ "workflow": workflow, "id": id, "input": input, "request_id": format!("start {id}") });
        let started = self
            .client
            .persist(|client| client.request(Method::POST, "/v1/workflows").json(&body))
            .await?
            .ok()?;
        self.note(|told| told.started(id, started["run_id"].as_str().unwrap_or_default()))
    }

    async fn signal(&self, id: &str, name: &str, number: usize) -> Result<()> {
        let path = format!("/v1/workflows/{}/signals/{name}", encode(id));
        let body = json!({ "input": null, "request_id": format!("{name} {number} of {id}") });
        self.client.persist(|client| client.request(Method::POST, &path).json(&body)).await?.ok()?;
        self.note(|told| {
            told.signaled(id);
            Ok(())
        })
    }

    async fn cancel(&self, id: &str) -> Result<()> {
        let path = format!("/v1/workflows/{}/cancel", encode(id));
        let body = json!({ "reason": "enough" });
        let answer = self.client.persist(|client| client.request(Method::POST, &path).json(&body)).await?;
        // Nobody else ends the run, so it is over by a request of this one whose acknowledgement was lost.
        ensure!(matches!(answer.status, 200..300 | 409), "cancel {id}: {}: {}", answer.status, answer.body);
        self.note(|told| {
            told.cancel_requested(id);
            Ok(())
        })
    }

    /// Waits for the end of a run, which must be this one: what it returned.
    async fn end(&self, id: &str, status: &str) -> Result<Value> {
        loop {
            let path = format!("/v1/workflows/{}/result?wait=20s", encode(id));
            let ended = self.client.persist(|client| client.request(Method::GET, &path)).await?.ok()?;
            if ended["status"] != "running" {
                ensure!(ended["status"] == status, "{id}: {ended}");
                self.note(|told| told.ended(id, status, &ended["result"]))?;
                return Ok(ended["result"].clone());
            }
        }
    }

    /// Is a worker, and writes down what its completions were that were acknowledged.
    pub(crate) async fn work(&self, name: &str) -> Result<()> {
        for number in 0.. {
            let poll = json!({ "worker": name, "poll_id": format!("{name} {number}"), "wait": "20s" });
            let path = format!("/v1/task-queues/{}/poll", Queue::ByHand.name());
            let answer =
                self.client.persist(|client| client.request(Method::POST, &path).json(&poll)).await?;
            if answer.status == 204 {
                continue;
            }
            let task = answer.ok()?;
            let result = json!({ "by": name, "number": number });
            let report = json!({ "task_token": task["task_token"], "result": result });
            let path = "/v1/activities/complete";
            let answer =
                self.client.persist(|client| client.request(Method::POST, path).json(&report)).await?;
            // Nobody else has the task, so it is over by a completion of this one whose acknowledgement was lost.
            ensure!(matches!(answer.status, 200 | 409), "{task}: {}", answer.body);
            let id = task["workflow_id"].as_str().unwrap_or_default();
            let op = task["activity_id"].as_str().unwrap_or_default().parse()?;
            self.note(|told| told.reported(id, op, &result))?;
        }
        Ok(())
    }

    /// Writes something down.
    fn note(&self, write: impl FnOnce(&mut Told) -> Result<()>) -> Result<()> {
        let mut outcome = Ok(());
        self.notes.send_modify(|told| outcome = write(told));
        outcome
    }
}
