//! Starts that compete.

use std::collections::BTreeSet;

use anyhow::Result;
use refrain_tests::{Answer, Host};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How many clients start at the same time.
const CLIENTS: usize = 100;

/// The answers to this start from many clients at once.
async fn race(host: &Host, body: impl Fn(usize) -> Value) -> Result<Vec<Answer>> {
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let (client, body) = (host.client(), body(n));
        clients.spawn(async move { client.post("/v1/workflows", &body).await });
    }
    clients.join_all().await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_starts_with_one_id_exactly_one_makes_a_run() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let answers =
        race(&host, |_| json!({ "workflow": "bench_signal", "id": "one", "input": { "n": 1 } })).await?;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        assert_eq!((answer.status, answer.problem()), (409, "already-running"), "{}", answer.body);
        assert_eq!(
            answer.body["run_id"], made[0].body["run_id"],
            "the refusal names the run that is in the way"
        );
    }
    assert_eq!(host.client().list(100).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_id_is_one_run_however_often_it_is_sent() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let body = json!({ "workflow": "bench_signal", "input": { "n": 1 }, "request_id": "again" });
    let answers = race(&host, |_| body.clone()).await?;
    let runs: BTreeSet<&str> = answers.iter().filter_map(|answer| answer.body["run_id"].as_str()).collect();
    assert_eq!(runs.len(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), CLIENTS - 1);
    host.kill9().await?;
    host.restart().await?;
    let again = host.client().post("/v1/workflows", &body).await?;
    assert_eq!((again.status, again.body["run_id"].as_str()), (200, runs.first().copied()));
    Ok(())
}

#[tokio::test]
async fn an_id_can_be_used_again_once_its_run_is_over() -> Result<()> {
    let host = Host::with_example("hello").await?;
    let client = host.client();
    let first = client.start("hello", "greeting", json!({ "name": "Ada" })).await?;
    client.completed("greeting").await?;
    let second = client.start("hello", "greeting", json!({ "name": "Bo" })).await?;
    assert_ne!(first, second);
    assert_eq!(client.completed("greeting").await?["text"], "Hello, Bo!");
    let old = client.get(&format!("/v1/workflows/greeting/result?run_id={first}")).await?.ok()?;
    assert_eq!(old["result"]["text"], "Hello, Ada!");
    Ok(())
}
