//! Signals by the thousand: each is counted once, whatever the host refuses, forgets or hands to a next run.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use refrain_tests::{Client, Host, PATIENCE};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What the clients of a test have seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    acknowledged: u64,
    refused: u64,
}

/// Clients of one run of `chain`, each of which sends its signals one after the other.
struct Crowd {
    seen: Arc<watch::Sender<Seen>>,
    clients: JoinSet<Result<()>>,
}

impl Crowd {
    /// Lets so many clients send so many signals each, with a text of this length.
    fn send(client: &Client, clients: u64, signals: u64, padding: usize) -> Self {
        let mut crowd = Self { seen: Arc::default(), clients: JoinSet::new() };
        let padding = "#".repeat(padding);
        for name in (0..clients).map(name) {
            let (client, seen, padding) = (client.clone(), crowd.seen.clone(), padding.clone());
            crowd.clients.spawn(async move {
                for number in 1..=signals {
                    let input = json!({ "client": name, "number": number, "padding": padding });
                    let body = json!({ "input": input, "request_id": format!("{number} of {name}") });
                    let refused = || seen.send_modify(|seen| seen.refused += 1);
                    client.signal_until_taken("chain", "add", &body, refused).await?;
                    seen.send_modify(|seen| seen.acknowledged += 1);
                }
                Ok(())
            });
        }
        crowd
    }

    /// Waits for something that they see.
    async fn until(&mut self, enough: impl FnMut(&Seen) -> bool) -> Result<()> {
        let mut seen = self.seen.subscribe();
        tokio::select! {
            reached = timeout(PATIENCE, seen.wait_for(enough)) => drop(reached??),
            Some(Err(error)) = next_failure(&mut self.clients) => bail!("a client gave up: {error:#}"),
        }
        Ok(())
    }

    /// Waits until they have sent all.
    async fn done(self) -> Result<Seen> {
        for client in self.clients.join_all().await {
            client?;
        }
        Ok(*self.seen.borrow())
    }
}

/// The first of them that fails; never, when all do well.
async fn next_failure(clients: &mut JoinSet<Result<()>>) -> Option<Result<()>> {
    while let Some(ended) = clients.join_next().await {
        if let Ok(Err(error)) = ended {
            return Some(Err(error));
        }
    }
    std::future::pending().await
}

fn name(client: u64) -> String {
    format!("client {client}")
}

/// What the clients say that the chain must have counted.
fn counted(clients: u64, signals: u64) -> Value {
    json!((0..clients).map(|client| (name(client), signals)).collect::<BTreeMap<_, _>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_signals_to_one_run_are_counted_once_though_it_takes_no_more_for_a_while() -> Result<()>
{
    /// So many that the run's mailbox, which holds 4 MiB, is full long before they are all sent.
    const CLIENTS: u64 = 50;
    const SIGNALS: u64 = 200;
    const PADDING: usize = 1_000;
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let all = CLIENTS * SIGNALS;
    client.start("chain", "chain", json!({ "per_run": all + 1, "until": all })).await?;
    client.post("/v1/workflows/chain/pause", &json!({ "reason": "nobody reads them" })).await?.ok()?;
    let mut crowd = Crowd::send(&client, CLIENTS, SIGNALS, PADDING);
    crowd.until(|seen| seen.refused > 0).await?;
    host.kill9().await?;
    host.restart().await?;
    client.post("/v1/workflows/chain/unpause", &json!({})).await?.ok()?;
    let taken = crowd.seen.borrow().acknowledged;
    crowd.until(|seen| seen.acknowledged > taken + (all - taken) / 2).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(crowd.done().await?.acknowledged, all);
    assert_eq!(client.completed("chain").await?["counted"], counted(CLIENTS, SIGNALS));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_runs_of_one_chain_lose_no_signal_and_double_none() -> Result<()> {
    /// As fast as the chain: each run hands on what it has not read, and a large backlog is handed on by each of many.
    const CLIENTS: u64 = 3;
    const SIGNALS: u64 = 1_000;
    const PER_RUN: u64 = 3;
    /// So many are unread for certain when the host is killed for the first time.
    const BACKLOG: u64 = 100;
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let all = CLIENTS * SIGNALS;
    client.start("chain", "chain", json!({ "per_run": PER_RUN, "until": all })).await?;
    let mut crowd = Crowd::send(&client, CLIENTS, SIGNALS, 0);
    crowd.until(|seen| seen.acknowledged >= all / 3).await?;
    client.post("/v1/workflows/chain/pause", &json!({ "reason": "a backlog" })).await?.ok()?;
    let taken = crowd.seen.borrow().acknowledged;
    crowd.until(|seen| seen.acknowledged >= taken + BACKLOG).await?;
    host.kill9().await?;
    host.restart().await?;
    client.post("/v1/workflows/chain/unpause", &json!({})).await?.ok()?;
    crowd.until(|seen| seen.acknowledged >= 2 * all / 3).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(crowd.done().await?.acknowledged, all);
    let ended = client.completed("chain").await?;
    assert_eq!(ended["counted"], counted(CLIENTS, SIGNALS));
    // The last run ends with the last signal, and does not go on.
    assert_eq!(ended["runs"], all / PER_RUN - 1);
    let runs = client.list(300).await?;
    assert_eq!(runs.len() as u64, all / PER_RUN);
    let handed_over = runs.iter().filter(|run| run["status"] == "continued-as-new").count();
    assert_eq!(handed_over, runs.len() - 1);
    Ok(())
}
