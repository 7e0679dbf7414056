//! How many, how fast, and who first: what a configuration says about task queues, and what is told of them.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use refrain_tests::{Client, Host, HostOptions, call, calls, guest};
use serde_json::{Value, json};

async fn host(config: &str) -> Result<Host> {
    let host = Host::start_with(HostOptions { config: config.to_owned(), ..HostOptions::default() }).await?;
    host.client().upload("rust-bench", guest("rust-bench")?).await?;
    Ok(host)
}

/// Starts a run of activities that say their names, on a queue, and waits until all of them wait.
async fn fill(client: &Client, queue: &str, named: &[(&str, Value)]) -> Result<()> {
    let waiting = client.task_queue(queue).await?["backlog"].as_u64().unwrap_or_default();
    let input = calls(named.iter().map(|(name, options)| {
        let mut options = options.clone();
        options["task_queue"] = json!(queue);
        call("work", json!(name), options)
    }));
    client.start("calls", &format!("{queue} {}", named[0].0), input).await?;
    client.queue_once(queue, |info| info["backlog"] == waiting + named.len() as u64).await?;
    Ok(())
}

/// Makes all tasks of a queue, one after the other: their names.
async fn drain(client: &Client, queue: &str, tasks: usize) -> Result<Vec<String>> {
    let mut order = Vec::new();
    for _ in 0..tasks {
        let task = client.task(queue).await?;
        client.complete(&task, json!(null)).await?;
        order.push(task["input"].as_str().context("a name")?.to_owned());
    }
    Ok(order)
}

#[tokio::test]
async fn tasks_come_by_priority_then_in_turn_of_their_tenants_then_in_order() -> Result<()> {
    let host = host("").await?;
    let client = host.client();
    let of = |tenant: &str, weight: f64| json!({ "fairness": tenant, "fairness_weight": weight });
    // Eight of the large tenant before the first of the small one, which counts twice.
    let names: Vec<String> = (1..=8).map(|n| format!("large {n}")).collect();
    let large: Vec<_> = names.iter().map(|name| (name.as_str(), of("large", 1.0))).collect();
    fill(&client, "fair", &large).await?;
    fill(&client, "fair", &["small 1", "small 2", "small 3"].map(|name| (name, of("small", 2.0)))).await?;
    let urgent = json!({ "priority": 1, "fairness": "large" });
    fill(&client, "fair", &[("urgent 1", urgent.clone()), ("urgent 2", urgent)]).await?;
    fill(&client, "fair", &[("idle", json!({ "priority": 5, "fairness": "small" }))]).await?;

    let order = drain(&client, "fair", 14).await?;
    assert_eq!(order[..2], ["urgent 1", "urgent 2"], "{order:?}");
    assert_eq!(order[13], "idle", "{order:?}");
    let place = |name: &str| order.iter().position(|made| made == name);
    for tenant in ["large", "small"] {
        let places: Vec<_> = (1..=8).filter_map(|n| place(&format!("{tenant} {n}"))).collect();
        assert!(places.is_sorted(), "each tenant's tasks are made in their order: {order:?}");
    }
    // Two turns of the small tenant for one of the large one: of the next five its three.
    assert!(place("small 3") < Some(2 + 5), "the small tenant waits for the large one: {order:?}");
    Ok(())
}

#[tokio::test]
async fn a_queue_begins_no_more_attempts_than_its_concurrency_even_after_a_kill() -> Result<()> {
    let mut host = host("[task_queues.one]\nconcurrency = 1\n").await?;
    let client = host.client();
    fill(&client, "one", &[("a", json!({})), ("b", json!({}))]).await?;
    let first = client.task("one").await?;
    assert_eq!(client.poll_task("one", "0s").await?, None);
    host.kill9().await?;
    host.restart().await?;
    client.queue_once("one", |info| info["running"] == 1 && info["backlog"] == 1).await?;
    assert_eq!(client.poll_task("one", "0s").await?, None, "the attempt of before the kill still counts");
    client.complete(&first, json!(null)).await?;
    assert_eq!(drain(&client, "one", 1).await?, ["b"]);
    Ok(())
}

#[tokio::test]
async fn limits_of_an_activity_type_hold_in_all_queues_together() -> Result<()> {
    let host = host("[activities.work]\nconcurrency = 1\n").await?;
    let client = host.client();
    fill(&client, "left", &[("a", json!({}))]).await?;
    fill(&client, "right", &[("b", json!({}))]).await?;
    let first = client.task("left").await?;
    assert_eq!(client.poll_task("right", "0s").await?, None);
    client.complete(&first, json!(null)).await?;
    assert_eq!(drain(&client, "right", 1).await?, ["b"]);
    Ok(())
}

#[tokio::test]
async fn attempts_of_a_queue_begin_no_faster_than_its_rate() -> Result<()> {
    const TASKS: usize = 5;
    let host = host("[task_queues.slow]\nrate = 10\nburst = 2\n").await?;
    let client = host.client();
    let names: Vec<String> = (0..TASKS).map(|n| n.to_string()).collect();
    fill(&client, "slow", &names.iter().map(|name| (name.as_str(), json!({}))).collect::<Vec<_>>()).await?;
    let began = SystemTime::now();
    assert_eq!(drain(&client, "slow", TASKS).await?, names);
    // Two at once, the others 100 ms apart; a little less, for what rounding does.
    let least = Duration::from_millis(100) * (TASKS as u32 - 2) - Duration::from_millis(10);
    let took = began.elapsed()?;
    assert!(took >= least, "{TASKS} attempts in {took:?}, allowed are {least:?}");
    Ok(())
}

#[tokio::test]
async fn a_plugin_leaves_a_queue_to_workers_if_the_configuration_says_so() -> Result<()> {
    let host = host("[task_queues.outside]\nin_process = false\n").await?;
    let client = host.client();
    host.write_source("file", b"content")?;
    let list =
        |queue: &str| call("fs.list", json!({ "directory": "source" }), json!({ "task_queue": queue }));
    client.start("calls", "both", calls([list("inside"), list("outside")])).await?;
    let task = client.task("outside").await?;
    assert_eq!(task["activity"], "fs.list");
    client.complete(&task, json!("listed outside")).await?;
    let outcomes = client.outcomes("both").await?;
    assert!(outcomes[0]["result"].to_string().contains("file"), "{outcomes:?}");
    assert_eq!(outcomes[1]["result"], "listed outside");
    Ok(())
}

#[tokio::test]
async fn the_command_line_tells_what_waits_for_how_long_and_who_polls() -> Result<()> {
    let host = host("[task_queues.gpu]\nconcurrency = 1\nrate = 100.0\n").await?;
    let client = host.client();
    fill(&client, "gpu", &["a", "b", "c"].map(|name| (name, json!({ "priority": 2 })))).await?;
    let task = client.task("gpu").await?;
    // A poll that waits in vain: one attempt at once.
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.poll_task_as("gpu", "in vain", "20s").await }
    });
    client.queue_once("gpu", |info| info["waiting_pollers"] == 1).await?;

    let output = host.cli(&["task-queue", "show", "gpu", "--json"]).await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let info: Value = serde_json::from_slice(&output.stdout)?;
    let figures = ["backlog", "running", "waiting_pollers"].map(|name| info[name].as_u64());
    assert_eq!(figures, [Some(2), Some(1), Some(1)], "{info}");
    assert_eq!(info["by_priority"], json!({ "1": 0, "2": 2, "3": 0, "4": 0, "5": 0 }));
    assert_eq!(info["pollers"][0]["worker"], "the test", "{info}");
    assert_eq!(
        (&info["limits"]["concurrency"], &info["limits"]["rate"]),
        (&json!(1), &json!(100.0)),
        "{info}"
    );
    let by_activity = &info["by_activity"][0];
    assert_eq!((&by_activity["activity"], &by_activity["backlog"]), (&json!("work"), &json!(2)), "{info}");
    let age = info["oldest_task_age"].as_str().context("the age of the oldest task")?;
    assert!(age.ends_with('s'), "{age}");

    let output = host.cli(&["task-queue", "show", "gpu"]).await?;
    let shown = String::from_utf8(output.stdout)?;
    assert!(["gpu", "the test", "work", "1 at once"].iter().all(|word| shown.contains(word)), "{shown}");
    let output = host.cli(&["task-queue", "list"]).await?;
    assert!(String::from_utf8(output.stdout)?.contains("gpu"));

    client.complete(&task, json!(null)).await?;
    let second = waiting.await??.context("the poll that waited gets the next task")?;
    client.complete(&second, json!(null)).await?;
    assert_eq!(drain(&client, "gpu", 1).await?, ["c"]);
    Ok(())
}

#[tokio::test]
async fn a_full_queue_refuses_starts_and_lets_activities_wait_outside() -> Result<()> {
    let host = host("[runtime]\nqueued_tasks = 1\n").await?;
    let client = host.client();
    let one = |name: &str| call("work", json!(name), json!({}));
    client.start("calls", "first", calls([one("a")])).await?;
    client.queue_once("default", |info| info["backlog"] == 1).await?;

    let body = json!({ "workflow": "calls", "id": "refused", "input": calls([one("b")]) });
    let refused = client.post("/v1/workflows", &body).await?;
    assert_eq!((refused.status, refused.problem()), (429, "queue-full"), "{}", refused.body);
    let after = refused.headers.get("retry-after").context("a refusal says when to come again")?;
    assert!(after.to_str()?.parse::<u64>()? > 0);

    // A run on another queue may be started, and its activity finds this one full: no attempt is used up.
    let options = json!({ "task_queue": "default", "maximum_attempts": 1 });
    let elsewhere = json!({
        "workflow": "calls", "id": "second", "task_queue": "elsewhere", "input": calls([call("work", json!("b"), options)]),
    });
    client.post("/v1/workflows", &elsewhere).await?.ok()?;
    let waiting = client.activity_once("second", |activity| activity["state"] == "backoff").await?;
    assert_eq!(
        (&waiting["attempt"], &waiting["last_failure"]["type"]),
        (&json!(1), &json!("queue-full")),
        "{waiting}"
    );
    assert_eq!(drain(&client, "default", 2).await?, ["a", "b"]);
    assert_eq!(client.outcomes("second").await?, [json!({ "result": null })]);
    Ok(())
}
