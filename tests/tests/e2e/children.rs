//! Children, and messages between workflows, where the host is killed while they are at work.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use refrain_tests::{Client, Event, Host};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A child for the workflow `family`.
fn member(workflow: &str, id: &str, input: &Value) -> Value {
    json!({ "workflow": workflow, "id": id, "input": input })
}

/// How often what happened to each child: by its op, among the events of one kind.
fn ops(history: &[Event], kind: &str) -> Vec<u64> {
    let of_kind = history.iter().filter(|event| event.kind() == kind);
    of_kind.filter_map(|event| event.attribute("op").as_u64()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_at_work_when_their_host_is_killed_end_once_and_so_does_their_parent() -> Result<()> {
    /// Of each of the two sorts.
    const CHILDREN: u64 = 20;
    const STEPS: u64 = 40;
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let mut children = Vec::new();
    for n in 0..CHILDREN {
        children.push(member("bench_replay", &format!("busy {n}"), &json!({ "n": 2 * STEPS })));
        // Their parent sends them what they wait for.
        let mut listens = member("bench_signal", &format!("listens {n}"), &json!({ "n": 3 }));
        listens["signals"] = json!(["tick", "tick", "tick"]);
        children.push(listens);
    }
    client.start("family", "parent", json!({ "children": children })).await?;
    for kind in ["child-started", "child-completed"] {
        client.follow("parent", |seen| !ops(seen, kind).is_empty()).await?;
        host.kill9().await?;
        host.restart().await?;
    }
    let outcomes = client.completed("parent").await?;
    let expected: Vec<Value> =
        (0..CHILDREN).flat_map(|_| [json!({ "n": 2 * STEPS }), json!({ "n": 3 })]).collect();
    let results: Vec<Value> =
        outcomes.as_array().context("outcomes")?.iter().map(|outcome| outcome["result"].clone()).collect();
    assert_eq!(results, expected, "{outcomes}");

    let history = client.history("parent").await?;
    for kind in ["child-initiated", "child-started", "child-completed"] {
        let mut ops = ops(&history, kind);
        assert_eq!(ops.len() as u64, 2 * CHILDREN, "{kind}");
        ops.sort_unstable();
        ops.dedup();
        assert_eq!(ops.len() as u64, 2 * CHILDREN, "{kind} twice for one child");
    }
    assert_eq!(client.list(7).await?.len() as u64, 1 + 2 * CHILDREN, "no child was started twice");
    let parent = client.describe("parent").await?;
    assert_eq!(parent["pending_children"], json!([]));
    for n in 0..CHILDREN {
        let id = format!("listens {n}");
        let received = client.history(&id).await?;
        let received = received.iter().filter(|event| event.kind() == "signal-received").count();
        assert_eq!(received, 3, "signals to {id}");
        let child = client.describe(&id).await?;
        assert_eq!(child["parent"], json!({ "id": "parent", "run_id": parent["run_id"] }));
    }
    Ok(())
}

/// Starts a parent of one child for each policy, and waits until all are there. The children wait for a signal.
async fn parent_of_each_policy(client: &Client) -> Result<()> {
    let children = ["terminate", "request-cancel", "abandon"].map(|policy| {
        let mut child = member("chain", policy, &json!({ "per_run": 1, "until": 1 }));
        child["parent_close"] = json!(policy);
        child
    });
    client.start("family", "parent", json!({ "children": children })).await?;
    let parent = client
        .described_once("parent", |run| {
            let pending = run["pending_children"].as_array();
            pending.is_some_and(|all| all.len() == 3 && all.iter().all(|child| child["state"] == "started"))
        })
        .await?;
    let pending = parent["pending_children"].as_array().context("children")?;
    let policies: BTreeMap<_, _> =
        pending.iter().map(|child| (child["id"].as_str(), child["parent_close_policy"].as_str())).collect();
    for policy in ["terminate", "request-cancel", "abandon"] {
        assert_eq!(policies[&Some(policy)], Some(policy), "{parent}");
    }
    Ok(())
}

#[tokio::test]
async fn when_a_parent_is_terminated_each_child_fares_as_its_policy_says_though_the_host_is_killed()
-> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    parent_of_each_policy(&client).await?;
    client.post("/v1/workflows/parent/terminate", &json!({ "reason": "called off" })).await?.ok()?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.result("parent").await?["status"], "terminated");
    assert_eq!(client.result("terminate").await?["status"], "terminated");
    client.described_once("request-cancel", |run| run["cancel_requested"] == true).await?;
    let abandoned = client.describe("abandon").await?;
    assert_eq!((&abandoned["status"], &abandoned["cancel_requested"]), (&json!("running"), &json!(false)));
    for id in ["request-cancel", "abandon"] {
        client.signal(id, "add", json!({ "client": "Ada", "number": 1 })).await?;
        assert_eq!(client.completed(id).await?["counted"], json!({ "Ada": 1 }));
    }
    Ok(())
}

#[tokio::test]
async fn workflows_take_turns_by_messages_and_nobody_holds_the_lock_twice_after_a_kill() -> Result<()> {
    const VISITORS: usize = 8;
    let mut host = Host::with_example("mutex").await?;
    let client = host.client();
    client.start("lock", "door", json!({})).await?;
    for n in 0..VISITORS {
        let input = json!({ "lock": "door", "stay_ms": 20, "lease_ms": 600_000 });
        client.start("visit", &format!("visitor-{n}"), input).await?;
    }
    client.follow("door", |seen| seen.iter().any(|event| event.kind() == "logged")).await?;
    host.kill9().await?;
    host.restart().await?;
    let mut visits = BTreeMap::new();
    for n in 0..VISITORS {
        let visited = client.completed(&format!("visitor-{n}")).await?;
        visits.insert(visited["number"].as_u64(), (visited["from_ms"].as_u64(), visited["to_ms"].as_u64()));
    }
    let numbers: Vec<_> = visits.keys().copied().flatten().collect();
    assert_eq!(numbers, (1..=VISITORS as u64).collect::<Vec<_>>(), "each grant has one holder");
    let times: Vec<_> = visits.values().flat_map(|(from, to)| [from, to]).collect();
    assert!(times.is_sorted(), "someone came in before the one before had left: {visits:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_that_go_on_as_new_runs_end_once_for_a_parent_that_knows_the_first() -> Result<()> {
    const CHILDREN: u64 = 5;
    const SIGNALS: u64 = 40;
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let input = json!({ "per_run": 2, "until": SIGNALS });
    let ids: Vec<String> = (0..CHILDREN).map(|n| format!("child {n}")).collect();
    let children: Vec<Value> = ids.iter().map(|id| member("chain", id, &input)).collect();
    client.start("family", "parent", json!({ "children": children })).await?;
    client.follow("parent", |seen| ops(seen, "child-started").len() as u64 == CHILDREN).await?;
    let mut senders = JoinSet::new();
    for id in ids.clone() {
        let client = client.clone();
        senders.spawn(async move {
            for number in 1..=SIGNALS {
                let input = json!({ "client": "Ada", "number": number });
                let body = json!({ "input": input, "request_id": number.to_string() });
                client.signal_until_taken(&id, "add", &body, || ()).await?;
            }
            anyhow::Ok(())
        });
    }
    client.described_once(&ids[0], |run| run["input"]["runs"].as_u64() > Some(SIGNALS / 4)).await?;
    host.kill9().await?;
    host.restart().await?;
    for sender in senders.join_all().await {
        sender?;
    }
    let outcomes = client.completed("parent").await?;
    for outcome in outcomes.as_array().context("outcomes")? {
        assert_eq!(outcome["result"]["counted"], json!({ "Ada": SIGNALS }), "{outcomes}");
    }
    let history = client.history("parent").await?;
    assert_eq!(ops(&history, "child-completed").len() as u64, CHILDREN);
    assert_eq!(client.list(100).await?.len() as u64, 1 + CHILDREN * SIGNALS / 2);
    Ok(())
}
