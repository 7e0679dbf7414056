//! A guest that tries everything that could differ between two runs and two replays.

use anyhow::{Context, Result, ensure};
use refrain_tests::{Client, Host, HostOptions, guest};
use serde_json::{Value, json};

/// What a run saw, as far as neither its random numbers nor what it did with them have a part in it: all of the first
/// round, and the floats of the others.
async fn torment(client: &Client, id: &str) -> Result<Value> {
    client.start("torment", id, json!({ "rounds": 4 })).await?;
    let trace = client.completed(id).await?;
    let rounds = trace["rounds"].as_array().context("a trace has rounds")?;
    let first = &rounds[0];
    let floats: Vec<&Value> = rounds.iter().map(|round| &round["floats"]).collect();
    Ok(json!([first["hash_order"], first["memory_pieces"], first["clock_step_us"], floats]))
}

/// What a run called up to the end of its first round, without the timers, of which it starts a random number.
async fn first_calls(client: &Client, id: &str) -> Result<Vec<String>> {
    let history = client.history_with_calls(id).await?;
    let first_round = history
        .iter()
        .take_while(|event| event.0["step"] == 0 && event.attribute("message") != "survived")
        .filter(|event| !matches!(event.kind(), "timer-started" | "waited"));
    let calls: Vec<_> =
        first_round.map(|event| format!("{} {}", event.kind(), event.attribute("import"))).collect();
    ensure!(calls.iter().any(|call| call.contains("random")), "the history does not show calls: {calls:?}");
    Ok(calls)
}

#[tokio::test]
async fn a_cold_host_a_warm_one_and_one_that_replays_each_step_see_the_same() -> Result<()> {
    let cold = Host::with_example("rust-bench").await?;
    // Whatever waits is dropped, so that each step begins with a replay of all before it.
    let forgetful =
        HostOptions { config: "[runtime]\nidle_timeout = \"0s\"\n".to_owned(), ..HostOptions::default() };
    let forgetful = Host::start_with(forgetful).await?;
    forgetful.client().upload("rust-bench", guest("rust-bench")?).await?;

    let expected = torment(&cold.client(), "cold").await?;
    assert_eq!(torment(&cold.client(), "warm").await?, expected);
    assert_eq!(torment(&forgetful.client(), "replayed").await?, expected);

    let expected = first_calls(&cold.client(), "cold").await?;
    assert_eq!(first_calls(&cold.client(), "warm").await?, expected);
    assert_eq!(first_calls(&forgetful.client(), "replayed").await?, expected);
    Ok(())
}
