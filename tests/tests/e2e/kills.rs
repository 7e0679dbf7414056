//! SIGKILLs at random moments under load, and a checker that compares the host's account with what clients were told.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use refrain_tests::checker::Told;
use refrain_tests::random::Random;
use refrain_tests::worker::ECHO;
use refrain_tests::{Client, Host, HostOptions, Language, PATIENCE, Worker, call, calls, guest};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Decides when the host is killed. A failure that depends on the moment shows again more likely than not.
const SEED: u64 = 0x5eed_0001;

/// Names another seed, to look for trouble.
const SEED_VARIABLE: &str = "REFRAIN_TEST_SEED";

/// Each may cost an activity an attempt, and those of `backup` have five.
const KILLS: usize = 4;

/// Runs that take many steps, one after the other.
const SEQUENCES: usize = 40;
/// Runs that wait for signals.
const LISTENERS: usize = 20;
/// Runs that wait for activities with side effects.
const BACKUPS: usize = 10;
/// Runs that wait for workers.
const WORKED: usize = 30;

/// Activities of each of those runs.
const TASKS: usize = 5;
/// Where those runs find workers, a third of them each: the test itself; a process that is as good as cut off now and
/// then; processes that are killed with the host. One attempt must do for the first two: what is lost on the way to a
/// worker or back is not repaired by another one.
const QUEUES: [&str; 3] = ["by-hand", "by-process", "by-mortals"];
/// After so much silence an attempt of a worker that was killed is made again.
const MORTAL_SILENCE_MS: u64 = 500;
/// Workers that the test itself is, and attempts at once of the process.
const WORKERS: usize = 4;
/// Fewer attempts at once than there are workers: a place that is not given back stops them sooner or later.
const CONFIG: &str = "[task_queues.by-hand]\nconcurrency = 2\n[task_queues.by-process]\nconcurrency = 3\n\
                      [task_queues.by-mortals]\nconcurrency = 3\n[activities.\"test.echo\"]\nconcurrency = 4\n";
/// One in so many requests of the process finds no host, or loses its answer.
const CUTS: u64 = 5;

/// Steps of a sequence.
const STEPS: u64 = 20;

/// Signals to each listener.
const SIGNALS: usize = 3;

/// All that clients of a test are told.
type Notebook = Arc<watch::Sender<Told>>;

/// A client that writes down what it is told.
struct Witness {
    client: Client,
    notes: Notebook,
}

impl Witness {
    /// Writes something down.
    fn note(&self, write: impl FnOnce(&mut Told) -> Result<()>) -> Result<()> {
        let mut outcome = Ok(());
        self.notes.send_modify(|told| outcome = write(told));
        outcome
    }

    /// Starts a run, sends it signals, and waits for its end.
    async fn run(&self, workflow: &str, id: &str, input: Value, signals: usize) -> Result<()> {
        let body =
            json!({ "workflow": workflow, "id": id, "input": input, "request_id": format!("start {id}") });
        let started = self
            .client
            .persist(|client| client.request(Method::POST, "/v1/workflows").json(&body))
            .await?
            .ok()?;
        self.note(|told| told.started(id, started["run_id"].as_str().unwrap_or_default()))?;
        for signal in 0..signals {
            let path = format!("/v1/workflows/{id}/signals/tick");
            let body = json!({ "input": null, "request_id": format!("tick {signal} of {id}") });
            self.client.persist(|client| client.request(Method::POST, &path).json(&body)).await?.ok()?;
            self.notes.send_modify(|told| told.signaled(id));
        }
        loop {
            let path = format!("/v1/workflows/{id}/result?wait=20s");
            let result = self.client.persist(|client| client.request(Method::GET, &path)).await?.ok()?;
            if result["status"] != "running" {
                ensure!(result["status"] == "completed", "{id}: {result}");
                return self.note(|told| told.ended(id, &result["result"]));
            }
        }
    }

    /// Is a worker, and writes down what its completions were that were acknowledged.
    async fn work(&self, name: &str) -> Result<()> {
        for number in 0.. {
            let poll = json!({ "worker": name, "poll_id": format!("{name} {number}"), "wait": "20s" });
            let path = "/v1/task-queues/by-hand/poll";
            let answer = self.client.persist(|client| client.request(Method::POST, path).json(&poll)).await?;
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_kills_under_load() -> Result<()> {
    let mut host = Host::start_with(HostOptions { config: CONFIG.to_owned() }).await?;
    for example in ["rust-bench", "backup"] {
        host.client().upload(example, guest(example)?).await?;
    }
    for n in 0..20 {
        host.write_source(format!("{n}"), &[n; 1_000])?;
    }
    let seed = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    eprintln!("{SEED_VARIABLE}={seed}");
    let notes: Notebook = Arc::new(watch::Sender::new(Told::default()));
    let mut workers = JoinSet::new();
    for n in 0..WORKERS {
        let witness = Witness { client: host.client(), notes: notes.clone() };
        workers.spawn(async move { witness.work(&format!("worker {n}")).await });
    }
    let proxy = host.proxy().await?;
    proxy.cut_one_in(CUTS, Random::new(seed));
    let _worker = Worker::start_in(Language::Rust, proxy.url(), "by-process", "the process", WORKERS)?;
    let mortal = |life: usize| {
        Worker::start_in(Language::Rust, proxy.url(), "by-mortals", &format!("mortal {life}"), WORKERS)
    };
    let mut living = mortal(0)?;
    let mut clients = JoinSet::new();
    for n in 0..SEQUENCES + LISTENERS + BACKUPS + WORKED {
        let witness = Witness { client: host.client(), notes: notes.clone() };
        clients.spawn(async move {
            let id = n.to_string();
            if n < SEQUENCES {
                witness.run("bench_replay", &id, json!({ "n": 2 * STEPS }), 0).await
            } else if n < SEQUENCES + LISTENERS {
                witness.run("bench_signal", &id, json!({ "n": SIGNALS }), SIGNALS).await
            } else if n < SEQUENCES + LISTENERS + WORKED {
                let queue = QUEUES[n % QUEUES.len()];
                let options = if queue == "by-mortals" {
                    json!({ "task_queue": queue, "heartbeat_ms": MORTAL_SILENCE_MS, "interval_ms": 1 })
                } else {
                    json!({ "task_queue": queue, "maximum_attempts": 1 })
                };
                let tasks = (0..TASKS).map(|task| call(ECHO, json!(task), options.clone()));
                witness.run("calls", &id, calls(tasks), 0).await
            } else {
                witness.run("backup", &id, json!({ "archive": format!("{n}.tar") }), 0).await
            }
        });
    }

    // Each start, each signal and each end.
    let everything = 2 * (SEQUENCES + LISTENERS + BACKUPS + WORKED) + LISTENERS * SIGNALS;
    let mut random = Random::new(seed);
    let mut told = notes.subscribe();
    for kill in 1..=KILLS {
        // Some way into this part of all that there is to be told.
        let part = everything / (KILLS + 1);
        let moment = (kill - 1) * part + random.below(part as u64) as usize;
        timeout(PATIENCE, told.wait_for(|told| told.len() >= moment)).await??;
        let (dead, born) = (living, mortal(kill)?);
        living = born;
        tokio::try_join!(dead.kill9(), host.kill9())?;
        host.restart().await?;
    }
    let all = timeout(PATIENCE, clients.join_all());
    let ended = tokio::select! {
        ended = all => ended?,
        Some(worker) = workers.join_next() => bail!("a worker stopped: {worker:?}"),
    };
    for client in ended {
        client?;
    }
    let told = notes.borrow().clone();
    assert_eq!(told.len(), everything);
    told.check(&host.client()).await?;
    is_idle(&host.client()).await?;
    // Once more on what a last kill leaves.
    host.kill9().await?;
    host.restart().await?;
    told.check(&host.client()).await?;
    is_idle(&host.client()).await
}

/// No task waits, and no place in a queue is held by an attempt that there is not.
async fn is_idle(client: &Client) -> Result<()> {
    for queue in QUEUES {
        client.queue_once(queue, |info| info["backlog"] == 0 && info["running"] == 0).await?;
    }
    Ok(())
}
