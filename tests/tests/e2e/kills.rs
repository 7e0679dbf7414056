//! SIGKILLs at random moments under load, and a checker that compares the host's account with what clients were told.

use std::sync::Arc;

use anyhow::{Result, ensure};
use refrain_tests::checker::Told;
use refrain_tests::random::Random;
use refrain_tests::{Client, Host, PATIENCE, guest};
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_survives_kills_under_load() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    host.client().upload("backup", guest("backup")?).await?;
    for n in 0..20 {
        host.write_source(format!("{n}"), &[n; 1_000])?;
    }
    let notes: Notebook = Arc::new(watch::Sender::new(Told::default()));
    let mut clients = JoinSet::new();
    for n in 0..SEQUENCES + LISTENERS + BACKUPS {
        let witness = Witness { client: host.client(), notes: notes.clone() };
        clients.spawn(async move {
            let id = n.to_string();
            if n < SEQUENCES {
                witness.run("bench_replay", &id, json!({ "n": 2 * STEPS }), 0).await
            } else if n < SEQUENCES + LISTENERS {
                witness.run("bench_signal", &id, json!({ "n": SIGNALS }), SIGNALS).await
            } else {
                witness.run("backup", &id, json!({ "archive": format!("{n}.tar") }), 0).await
            }
        });
    }

    // Each start, each signal and each end.
    let everything = 2 * (SEQUENCES + LISTENERS + BACKUPS) + LISTENERS * SIGNALS;
    let seed = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    eprintln!("{SEED_VARIABLE}={seed}");
    let mut random = Random::new(seed);
    let mut told = notes.subscribe();
    for kill in 1..=KILLS {
        // Some way into this part of all that there is to be told.
        let part = everything / (KILLS + 1);
        let moment = (kill - 1) * part + random.below(part as u64) as usize;
        timeout(PATIENCE, told.wait_for(|told| told.len() >= moment)).await??;
        host.kill9().await?;
        host.restart().await?;
    }
    for client in timeout(PATIENCE, clients.join_all()).await? {
        client?;
    }
    let told = notes.borrow().clone();
    assert_eq!(told.len(), everything);
    told.check(&host.client()).await?;
    // Once more on what a last kill leaves.
    host.kill9().await?;
    host.restart().await?;
    told.check(&host.client()).await
}
