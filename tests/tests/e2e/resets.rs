//! Resets and forks from the command line, with the host killed right after: what was begun goes on from where it was
//! told to, once.

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Event, Host, call, calls};
use serde_json::{Value, json};

/// How many signals a run of these tests counts.
const SIGNALS: u64 = 5;

/// Runs a command that must succeed: what it printed as data.
async fn cli(host: &Host, arguments: &[&str]) -> Result<String> {
    let output = host.cli(arguments).await?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Sends signals with these numbers.
async fn add(client: &Client, id: &str, numbers: impl Iterator<Item = u64>) -> Result<()> {
    for number in numbers {
        client.signal(id, "add", json!({ "client": "Ada", "number": number })).await?;
    }
    Ok(())
}

/// A run that has counted its signals, and is over. Its id.
async fn counted(client: &Client, id: &str) -> Result<String> {
    let run = client.start("chain", id, json!({ "per_run": 100, "until": SIGNALS })).await?;
    for number in 1..=SIGNALS {
        add(client, id, number..=number).await?;
        // Each in a step of its own.
        client.follow(id, |seen| of(seen, "signal-received").len() as u64 == number).await?;
    }
    assert_eq!(client.completed(id).await?["counted"], json!({ "Ada": SIGNALS }));
    Ok(run)
}

/// The numbers of the events of a kind.
fn of(history: &[Event], kind: &str) -> Vec<u64> {
    history.iter().filter(|event| event.kind() == kind).map(Event::number).collect()
}

#[tokio::test]
async fn a_run_that_has_ended_goes_on_from_an_earlier_event_with_or_without_what_came_later() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let first = counted(&client, "a").await?;
    let second_signal = of(&client.history("a").await?, "signal-received")[1].to_string();
    let reset = ["workflow", "reset", "a", "--event", &second_signal, "--request-id", "r"];
    let reset = [&reset[..], &["--exclude-signals", "--reason", "the others were meant for b"]].concat();
    let run = cli(&host, &reset).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(cli(&host, &reset).await?, run, "the same reset");
    let described = client.describe("a").await?;
    assert_eq!((&described["run_id"], &described["status"]), (&json!(run), &json!("running")));
    assert_eq!(described["forked_from"], json!({ "id": "a", "run_id": first }));
    assert_eq!(of(&client.history("a").await?, "signal-received").len(), 2);
    add(&client, "a", 3..=SIGNALS).await?;
    assert_eq!(client.completed("a").await?["counted"], json!({ "Ada": SIGNALS }));

    // All of them come again, and it ends by itself.
    let again = cli(&host, &["workflow", "reset", "a", "--event", "0"]).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.completed("a").await?["counted"], json!({ "Ada": SIGNALS }));
    assert_eq!(client.describe("a").await?["run_id"], again);
    assert_eq!(of(&client.history("a").await?, "signal-received").len() as u64, SIGNALS);
    let old = client.get(&format!("/v1/workflows/a?run_id={first}")).await?.ok()?;
    assert_eq!((&old["status"], &old["reset_to"]), (&json!("completed"), &json!(run)));
    assert_eq!(client.list(10).await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_run_that_goes_on_is_reset_and_what_was_open_at_the_event_is_done_again() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let mut input = calls([call("approve", json!({ "order": 7 }), json!({}))]);
    input["until_signal"] = json!(true);
    let first = client.start("calls", "a", input).await?;
    let task = client.task("default").await?;
    client.complete(&task, json!("no")).await?;
    let history = client.follow_to("a", "activity-completed").await?;
    let scheduled = of(&history, "activity-scheduled")[0].to_string();
    let run = cli(&host, &["workflow", "reset", "a", "--event", &scheduled, "--reason", "ask again"]).await?;
    host.kill9().await?;
    host.restart().await?;
    let ended = client.get(&format!("/v1/workflows/a/result?run_id={first}")).await?.ok()?;
    assert_eq!(ended["status"], "terminated");
    let again = client.task("default").await?;
    assert_eq!((&again["run_id"], &again["attempt"]), (&json!(run), &json!(1)), "{again}");
    client.complete(&again, json!("yes")).await?;
    let stale = client.tell(&task, "complete", json!({ "result": "no" })).await?;
    assert_eq!(stale.status, 409, "{}", stale.body);
    assert_eq!(client.poll_task("default", "0s").await?, None);

    // Now from after its end, which is kept.
    let history = client.follow_to("a", "activity-completed").await?;
    let completed = of(&history, "activity-completed")[0].to_string();
    cli(&host, &["workflow", "reset", "a", "--event", &completed]).await?;
    host.kill9().await?;
    host.restart().await?;
    client.signal("a", "go", Value::Null).await?;
    assert_eq!(client.completed("a").await?[0]["result"], "yes");
    assert_eq!(client.poll_task("default", "0s").await?, None);
    Ok(())
}

#[tokio::test]
async fn a_fork_with_other_values_is_another_execution_and_the_run_does_not_notice() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let run = counted(&client, "a").await?;
    let before = client.history("a").await?;
    let shorter = json!({ "per_run": 100, "until": 2 }).to_string();
    let id = cli(&host, &["workflow", "fork", "a", "--id", "shorter", "--input", &shorter]).await?;
    assert_eq!(id, "shorter");
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.completed("shorter").await?["counted"], json!({ "Ada": 2 }));

    let input = calls([call("approve", json!({ "order": 7 }), json!({}))]);
    client.start("calls", "order", input).await?;
    let task = client.task("default").await?;
    client.complete(&task, json!("no")).await?;
    assert_eq!(client.completed("order").await?[0]["result"], "no");
    let op = task["activity_id"].as_str().context("an activity's id")?;
    let fork = ["workflow", "fork", "order", "--id", "if approved", "--activity-result"];
    cli(&host, &[&fork[..], &[&format!("{op}=\"yes\"")]].concat()).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.completed("if approved").await?[0]["result"], "yes");
    assert_eq!(client.completed("order").await?[0]["result"], "no");
    assert_eq!(client.poll_task("default", "0s").await?, None, "it is not done again");

    let described = client.describe("a").await?;
    assert_eq!((&described["run_id"], &described["status"]), (&json!(run), &json!("completed")));
    assert_eq!(client.history("a").await?, before);
    let taken = host.cli(&["workflow", "fork", "a", "--event", "1000"]).await?;
    assert_eq!(taken.status.code(), Some(3), "{}", String::from_utf8_lossy(&taken.stderr));
    Ok(())
}

#[tokio::test]
async fn a_reset_parent_adopts_its_children_or_leaves_them_as_it_is_told() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    for choice in ["adopt", "leave"] {
        let kid = format!("kid of {choice}");
        // Its end is a continued run's, which the parent knows no more of than of the first.
        let input = json!({ "per_run": 1, "until": 2 });
        let children = json!([{ "workflow": "chain", "id": kid, "input": input }]);
        let first = client.start("family", choice, json!({ "children": children })).await?;
        let history = client.follow_to(choice, "child-started").await?;
        add(&client, &kid, 1..=1).await?;
        let started = of(&history, "child-started")[0].to_string();
        let reset = ["workflow", "reset", choice, "--event", &started, "--children", choice];
        let run = cli(&host, &reset).await?;
        host.kill9().await?;
        host.restart().await?;
        let old = client.get(&format!("/v1/workflows/{choice}/result?run_id={first}")).await?.ok()?;
        assert_eq!(old["status"], "terminated");
        if choice == "leave" {
            let outcome = client.completed(choice).await?;
            assert_eq!(outcome[0]["failure"]["type"], "not-adopted", "{outcome}");
        }
        assert_eq!(
            client.describe(&kid).await?["status"],
            "running",
            "the parent's end was none to its child"
        );
        add(&client, &kid, 2..=2).await?;
        assert_eq!(client.completed(&kid).await?["counted"], json!({ "Ada": 2 }));
        if choice == "adopt" {
            let outcome = client.completed(choice).await?;
            assert_eq!(outcome[0]["result"]["counted"], json!({ "Ada": 2 }), "{outcome}");
        }
        assert_eq!(client.describe(choice).await?["run_id"], run);
    }
    Ok(())
}

#[tokio::test]
async fn who_waits_for_an_update_that_was_accepted_hears_of_the_reset_and_its_step_is_kept() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let first = client.start("desk", "a", Value::Null).await?;
    for name in ["Ada", "Bo"] {
        let accepted = json!({ "update_id": name, "wait_for_stage": "accepted" });
        client.update("a", "take", json!(name), accepted).await?.ok()?;
    }
    let waits = tokio::spawn({
        let client = client.clone();
        async move { client.update_progress("a", "Ada", "60s").await }
    });
    let event = of(&client.history("a").await?, "update-accepted")[0].to_string();
    cli(&host, &["workflow", "reset", "a", "--event", &event]).await?;
    host.kill9().await?;
    host.restart().await?;
    let heard = waits.await??.ok()?;
    for name in ["Ada", "Bo"] {
        let answer = client.update_progress("a", name, "0s").await?.ok()?;
        assert_eq!((&answer["run_id"], &answer["stage"]), (&json!(first), &json!("completed")));
        assert_eq!(answer["failure"]["type"], "run-ended", "{answer}");
        assert!(name == "Bo" || answer == heard, "{heard} {answer}");
    }
    let number =
        client.update("a", "take", json!("Cy"), json!({ "wait_for_stage": "accepted" })).await?.ok()?;
    client.signal("a", "open", Value::Null).await?;
    let id = number["update_id"].as_str().context("an update's id")?;
    assert_eq!(client.update_progress("a", id, "60s").await?.ok()?["result"], 2);
    assert_eq!(client.completed("a").await?, json!(["Ada", "Cy"]));
    Ok(())
}
