//! Updates: answered once, whoever asks how often, and whatever becomes of the host meanwhile.

use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host, PATIENCE};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How many clients send the same update.
const CLIENTS: usize = 20;

/// A host with a desk that takes numbers.
async fn desk() -> Result<(Host, Client)> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    client.start("desk", "desk", Value::Null).await?;
    Ok((host, client))
}

/// How often the workflow has taken a number for somebody.
async fn numbers_taken(client: &Client) -> Result<usize> {
    let history = client.history("desk").await?;
    Ok(history.iter().filter(|event| event.attribute("message") == "Ada takes a number").count())
}

#[tokio::test]
async fn an_update_that_was_accepted_is_answered_though_its_host_was_killed_before() -> Result<()> {
    let (mut host, client) = desk().await?;
    let accepted = json!({ "update_id": "of Ada", "wait_for_stage": "accepted" });
    let answer = client.update("desk", "take", json!("Ada"), accepted).await?.ok()?;
    assert_eq!((&answer["stage"], &answer["update_id"]), (&json!("accepted"), &json!("of Ada")));
    let waits = tokio::spawn({
        let client = client.clone();
        // As a client does that has lost its host: it sends the same update again.
        async move { client.update("desk", "take", json!("Ada"), json!({ "update_id": "of Ada" })).await }
    });
    host.kill9().await?;
    host.restart().await?;
    let pending = client.update_progress("desk", "of Ada", "0s").await?;
    assert_eq!((pending.status, &pending.body["stage"]), (202, &json!("accepted")), "{}", pending.body);
    let described = client.describe("desk").await?;
    assert_eq!(described["pending_updates"][0]["update_id"], "of Ada", "{described}");

    client.signal("desk", "open", Value::Null).await?;
    let answer = client.update_progress("desk", "of Ada", "60s").await?.ok()?;
    assert_eq!((&answer["stage"], &answer["result"]), (&json!("completed"), &json!(1)));
    assert_eq!(waits.await??.ok()?, answer);
    assert_eq!(client.completed("desk").await?, json!(["Ada"]));
    host.kill9().await?;
    host.restart().await?;
    let again = client.update("desk", "take", json!("Ada"), json!({ "update_id": "of Ada" })).await?;
    assert_eq!((again.status, again.body), (200, answer.clone()), "its run is over");
    assert_eq!(client.update_progress("desk", "of Ada", "0s").await?.body, answer);
    assert_eq!(numbers_taken(&client).await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_update_id_is_one_update_however_many_send_it_before_and_after_a_kill() -> Result<()> {
    let (mut host, client) = desk().await?;
    let send_all = |clients: &mut JoinSet<Result<Value>>| {
        for _ in 0..CLIENTS {
            let client = host.client();
            let id = json!({ "update_id": "the one" });
            clients.spawn(async move { client.update("desk", "take", json!("Ada"), id).await?.ok() });
        }
    };
    let mut clients = JoinSet::new();
    send_all(&mut clients);
    client.follow("desk", |seen| seen.iter().any(|event| event.kind() == "logged")).await?;
    send_all(&mut clients);
    host.kill9().await?;
    host.restart().await?;
    let other = json!({ "update_id": "the other", "wait_for_stage": "accepted" });
    client.update("desk", "take", json!("Bo"), other).await?.ok()?;
    client.signal("desk", "open", Value::Null).await?;
    for answer in clients.join_all().await {
        let answer = answer?;
        assert_eq!((&answer["stage"], &answer["result"]), (&json!("completed"), &json!(1)), "{answer}");
    }
    assert_eq!(client.completed("desk").await?, json!(["Ada", "Bo"]));
    assert_eq!(numbers_taken(&client).await?, 1);
    Ok(())
}

/// The exit code, and what was printed on both outputs.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), out, err)
}

#[tokio::test]
async fn the_command_line_prints_an_answer_alone_and_says_why_there_is_none() -> Result<()> {
    let (host, client) = desk().await?;
    let update = async |arguments: &[&str]| -> Result<_> {
        Ok(told(&host.cli(&[&["workflow", "update", "desk", "take"], arguments].concat()).await?))
    };
    let (code, out, err) = update(&["--input", "\"\""]).await?;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("was rejected: say who takes the number (Nameless)"), "{err}");
    let (code, out, err) = update(&["--input", "7"]).await?;
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("was rejected: input of update `take`") && err.contains("(bad-input)"), "{err}");

    let (code, out, err) = update(&["--input", "\"Ada\"", "--update-id", "a", "--wait", "0s"]).await?;
    assert_eq!((code, out.as_str()), (Some(6), ""), "{err}");
    assert!(err.contains("refrain workflow update-result desk a"), "{err}");
    let accepted = ["--input", "\"Bo\"", "--update-id", "b", "--wait-for-stage", "accepted"];
    let (code, out, err) = update(&accepted).await?;
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    client.signal("desk", "open", Value::Null).await?;
    for (id, number) in [("a", "1\n"), ("b", "2\n")] {
        let (code, out, err) = told(&host.cli(&["workflow", "update-result", "desk", id]).await?);
        assert_eq!((code, out.as_str()), (Some(0), number), "{err}");
    }
    assert_eq!(client.completed("desk").await?, json!(["Ada", "Bo"]));
    let (code, _, err) = update(&["--input", "\"Cy\""]).await?;
    assert_eq!(code, Some(3), "{err}");
    let (code, _, err) = told(&host.cli(&["workflow", "update-result", "desk", "of nobody"]).await?);
    assert_eq!(code, Some(3), "{err}");
    Ok(())
}

#[tokio::test]
async fn a_start_with_an_update_makes_one_run_and_sends_it_again_where_there_is_one() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let start = async |host: &Host, who: &str, update_id: &str| -> Result<_> {
        let input = format!("\"{who}\"");
        let update = ["--update", "take", "--update-input", &input, "--update-id", update_id];
        let output =
            host.cli(&[&["workflow", "start", "desk", "--id", "desk"], &update[..]].concat()).await?;
        let (code, out, err) = told(&output);
        assert_eq!(code, Some(0), "{err}");
        Ok(out)
    };
    let client = host.client();
    start(&host, "Ada", "a").await?;
    let run = client.describe("desk").await?["run_id"].clone();
    host.kill9().await?;
    host.restart().await?;
    start(&host, "Ada", "a").await?;
    start(&host, "Bo", "b").await?;
    let body = json!({ "workflow": "desk", "id": "desk",
        "update": { "name": "take", "input": "Cy", "update_id": "c", "wait_for_stage": "accepted" } });
    let joined = client.post("/v1/workflows", &body).await?;
    assert_eq!((joined.status, &joined.body["run_id"]), (200, &run), "{}", joined.body);
    assert_eq!(joined.body["update"]["stage"], "accepted", "{}", joined.body);
    client.signal("desk", "open", Value::Null).await?;
    assert_eq!(client.completed("desk").await?, json!(["Ada", "Bo", "Cy"]));
    // Of a run that is over as well: nothing is started.
    start(&host, "Ada", "a").await?;
    assert_eq!(client.list(10).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_to_a_chain_of_short_runs_are_each_answered_by_one_of_them_through_kills() -> Result<()> {
    const SENDERS: u64 = 4;
    const EACH: u64 = 50;
    /// Fewer than there are senders, so that updates come while a run ends.
    const PER_RUN: u64 = 3;
    let mut host = Host::with_example("cart").await?;
    let client = host.client();
    let items = json!({ "tea": { "cents": 250, "quantity": 1 } });
    client.start("cart", "cart", json!({ "items": items, "messages_per_run": PER_RUN })).await?;
    let answered = Arc::new(watch::Sender::new(0));
    let mut clients = JoinSet::new();
    for sender in 0..SENDERS {
        let (client, answered) = (client.clone(), answered.clone());
        clients.spawn(async move {
            for number in 1..=EACH {
                let input = json!({ "sku": "tea", "quantity": number });
                let id = json!({ "update_id": format!("{number} of {sender}") });
                let answer = client.update("cart", "set-quantity", input, id).await?.ok()?;
                ensure!(answer["result"] == 250 * number, "{answer}");
                answered.send_modify(|answered| *answered += 1);
            }
            Ok(())
        });
    }
    let mut seen = answered.subscribe();
    for kill in [1, 2] {
        timeout(PATIENCE, seen.wait_for(|answered| *answered >= kill * SENDERS * EACH / 3)).await??;
        host.kill9().await?;
        host.restart().await?;
    }
    for sender in clients.join_all().await {
        sender?;
    }
    let handled = client.post("/v1/workflows/cart/queries/handled", &json!({})).await?.ok()?;
    assert_eq!(handled["result"]["set_quantity"], SENDERS * EACH, "each was handled once: {handled}");
    let runs = client.list(100).await?.len() as u64;
    assert!(
        runs >= SENDERS * EACH / (PER_RUN + SENDERS),
        "{runs} runs: none takes many more than it is told to"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_starts_with_an_update_one_makes_the_run_that_takes_them_all() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let client = client.clone();
        let update = json!({ "name": "take", "input": n.to_string(), "update_id": n.to_string(),
            "wait_for_stage": "accepted" });
        let body = json!({ "workflow": "desk", "id": "desk", "update": update });
        clients.spawn(async move { client.post("/v1/workflows", &body).await?.ok() });
    }
    let started: Vec<Value> = clients.join_all().await.into_iter().collect::<Result<_>>()?;
    assert_eq!(started.iter().filter(|start| start["created"] == true).count(), 1);
    assert!(started.iter().all(|start| start["run_id"] == started[0]["run_id"]), "{started:?}");
    assert!(started.iter().all(|start| start["update"]["stage"] == "accepted"), "{started:?}");
    host.kill9().await?;
    host.restart().await?;
    client.signal("desk", "open", Value::Null).await?;
    let taken = client.completed("desk").await?;
    let mut numbers = Vec::new();
    for n in 0..CLIENTS {
        let answer = client.update_progress("desk", &n.to_string(), "60s").await?.ok()?;
        let number = answer["result"].as_u64().context("a number")? as usize;
        assert_eq!(taken[number - 1], n.to_string(), "{taken}");
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=CLIENTS).collect::<Vec<_>>());
    Ok(())
}
