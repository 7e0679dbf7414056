//! Workers as processes: killed, hung, told to stop, and without their host for a while.

use anyhow::Result;
use refrain_tests::stage::{Order, PUPPET};
use refrain_tests::worker::{ECHO, FLAKY};
use refrain_tests::{Client, Host, Language, Stage, Worker, call, calls, encode};
use serde_json::{Value, json};

/// Retries follow at once, and only an operator shortens the silence that is allowed.
fn patient(options: Value) -> Value {
    let mut all = json!({ "task_queue": "work", "heartbeat_ms": 600_000, "interval_ms": 1 });
    if let (Value::Object(all), Value::Object(options)) = (&mut all, options) {
        all.extend(options);
    }
    all
}

/// A run of one puppet on the queue `work`.
async fn start_puppet(client: &Client, id: &str, stage: &Stage, options: Value) -> Result<()> {
    let input = calls([call(PUPPET, stage.input()?, patient(options))]);
    client.start("calls", id, input).await?;
    Ok(())
}

/// The op of the only activity of a run, once it is like this.
async fn op_once(client: &Client, id: &str, like: impl Fn(&Value) -> bool) -> Result<u64> {
    let activity = client.activity_once(id, like).await?;
    Ok(activity["op"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn workers_of_each_language_run_the_same_workflow() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    for language in Language::available() {
        let id = format!("{language:?}");
        let stage = Stage::open().await?;
        let worker = |identity: &str| Worker::start_in(language, &host.url(), "work", identity, 3);
        let doomed = worker("doomed")?;
        let input = calls([
            call(ECHO, json!({ "text": "Ελλάδα 🎼", "none": null }), patient(json!({}))),
            call(FLAKY, json!({ "succeeds_at": 3 }), patient(json!({}))),
            call(PUPPET, stage.input()?, patient(json!({}))),
        ]);
        client.start("calls", &id, input).await?;
        let mut first = stage.enters().await?;
        assert_eq!((&*first.entrance.worker, first.entrance.attempt), ("doomed", 1), "{language:?}");
        first.beat(json!({ "done": 3 })).await?;
        let beaten = |run: &Value| {
            let open = run["pending_activities"].as_array().cloned().unwrap_or_default();
            open.iter().any(|activity| activity["last_heartbeat"] == json!({ "done": 3 }))
        };
        let run =
            client.described_once(&id, |run| beaten(run) && run["pending_activities"][1].is_null()).await?;
        doomed.kill9().await?;
        first.gone().await?;
        // What waits for a task may not be given one any more.
        client.queue_once("work", |queue| queue["waiting_pollers"] == 0).await?;
        client.expire(&id, run["pending_activities"][0]["op"].as_u64().unwrap_or_default()).await?;

        let rescuer = worker("rescuer")?;
        let mut second = stage.enters().await?;
        let entrance = &second.entrance;
        assert_eq!((&*entrance.worker, entrance.attempt), ("rescuer", 2), "{language:?}");
        assert_eq!(entrance.last_heartbeat, Some(json!({ "done": 3 })), "{language:?}");
        let (error_type, message) = ("Odd".to_owned(), "three is odd".to_owned());
        second.order(&Order::Fail { error_type, message, non_retryable: true }).await?;

        let outcomes = client.outcomes(&id).await?;
        assert_eq!(outcomes[0]["result"], json!({ "text": "Ελλάδα 🎼", "none": null }), "{language:?}");
        assert_eq!(outcomes[1]["result"], json!({ "attempt": 3 }), "{language:?}");
        let failure = &outcomes[2]["failure"];
        assert_eq!((&failure["kind"], &failure["type"]), (&json!("application"), &json!("Odd")), "{failure}");
        assert_eq!(failure["messages"][0], "three is odd", "{language:?}");
        rescuer.terminate().await?;
        assert!(rescuer.ended().await?.success(), "{language:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_hung_past_its_timeout_comes_too_late() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let (stage, proxy) = (Stage::open().await?, host.proxy().await?);
    let slow = Worker::start(proxy.url(), "work", "slow")?;
    start_puppet(&client, "raced", &stage, json!({})).await?;
    let mut first = stage.enters().await?;
    slow.stop().await?;
    let op = op_once(&client, "raced", |activity| activity["state"] == "running").await?;
    client.expire("raced", op).await?;

    let _fast = Worker::start(&host.url(), "work", "fast")?;
    let mut second = stage.enters().await?;
    assert_eq!((&*second.entrance.worker, second.entrance.attempt), ("fast", 2));
    slow.go_on().await?;
    first.complete(json!("from the slow one")).await?;
    proxy.saw(|request| request.path.ends_with("/complete") && request.status == Some(409)).await?;
    second.complete(json!("from the fast one")).await?;
    assert_eq!(client.only_result("raced", 2).await?, "from the fast one");
    stage.is_empty()
}

#[tokio::test]
async fn a_worker_goes_on_while_its_host_is_dead_and_completes_at_the_next_one() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let (stage, proxy) = (Stage::open().await?, host.proxy().await?);
    let _worker = Worker::start(proxy.url(), "work", "steady")?;
    start_puppet(&client, "bereft", &stage, json!({ "maximum_attempts": 1 })).await?;
    let mut puppet = stage.enters().await?;
    let beaten = |details: Value| move |activity: &Value| activity["last_heartbeat"] == details;
    puppet.beat(json!(1)).await?;
    client.activity_once("bereft", beaten(json!(1))).await?;

    host.kill9().await?;
    // Beats in vain, until it does not.
    puppet.beat(json!(2)).await?;
    host.restart().await?;
    let activity = client.activity_once("bereft", beaten(json!(2))).await?;
    assert_eq!((&activity["worker"], &activity["attempt"]), (&json!("steady"), &json!(1)), "{activity}");

    host.kill9().await?;
    puppet.complete(json!("done meanwhile")).await?;
    puppet.gone().await?;
    host.restart().await?;
    assert_eq!(client.only_result("bereft", 1).await?, "done meanwhile");
    stage.is_empty()
}

#[tokio::test]
async fn a_host_that_stops_waits_neither_for_polls_nor_for_attempts_of_workers() -> Result<()> {
    let mut host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let (stage, proxy) = (Stage::open().await?, host.proxy().await?);
    let _worker = Worker::start_in(Language::Rust, proxy.url(), "work", "steady", 2)?;
    start_puppet(&client, "left alone", &stage, json!({ "maximum_attempts": 1 })).await?;
    let mut puppet = stage.enters().await?;
    client.queue_once("work", |queue| queue["waiting_pollers"] == 1).await?;
    assert!(host.terminate().await?.success());
    puppet.complete(json!("done meanwhile")).await?;
    puppet.gone().await?;
    host.restart().await?;
    assert_eq!(client.only_result("left alone", 1).await?, "done meanwhile");
    let input = calls([call(ECHO, json!("next"), patient(json!({ "maximum_attempts": 1 })))]);
    client.start("calls", "next", input).await?;
    assert_eq!(client.only_result("next", 1).await?, "next", "it polls the next host too");
    stage.is_empty()
}

#[tokio::test]
async fn a_cancel_request_reaches_the_worker_and_ends_the_activity_as_its_options_say() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    for language in Language::available() {
        let _worker = Worker::start_in(language, &host.url(), "work", "obedient", 4)?;
        let cancel = async |id: &str, cancellation: &str| {
            let stage = Stage::open().await?;
            let options = json!({ "cancellation": cancellation, "cancel_with_run": true });
            start_puppet(&client, id, &stage, options).await?;
            let puppet = stage.enters().await?;
            client
                .post(&format!("/v1/workflows/{}/cancel", encode(id)), &json!({ "reason": "enough" }))
                .await?
                .ok()?;
            client.follow_to(id, "op-cancel-requested").await?;
            Ok::<_, anyhow::Error>(puppet)
        };

        // What it answers is the outcome: that it stopped, or that it was done all the same.
        let id = format!("waits {language:?}");
        let mut puppet = cancel(&id, "wait-for-cancellation").await?;
        let reason = puppet.beat_until_cancelled().await?;
        assert_eq!(reason, "cancellation was requested", "{language:?}");
        assert_eq!(client.describe(&id).await?["status"], "running", "the run waits for the answer");
        puppet.order(&Order::Stop).await?;
        let outcomes = client.outcomes(&id).await?;
        assert_eq!(outcomes[0]["failure"]["kind"], "canceled", "{language:?}: {outcomes:?}");

        let id = format!("finishes {language:?}");
        let mut puppet = cancel(&id, "wait-for-cancellation").await?;
        puppet.beat_until_cancelled().await?;
        puppet.complete(json!("done all the same")).await?;
        assert_eq!(client.only_result(&id, 1).await?, "done all the same", "{language:?}");

        // The outcome is there at once, whatever the worker does; it hears of it.
        let id = format!("tries {language:?}");
        let mut puppet = cancel(&id, "try-cancel").await?;
        let outcomes = client.outcomes(&id).await?;
        assert_eq!(outcomes[0]["failure"]["kind"], "canceled", "{language:?}: {outcomes:?}");
        puppet.beat_until_cancelled().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_no_work_away() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let stage = Stage::open().await?;
    let worker = Worker::start(&host.url(), "work", "leaving")?;
    start_puppet(&client, "drained", &stage, json!({ "maximum_attempts": 1 })).await?;
    let mut puppet = stage.enters().await?;
    start_puppet(&client, "left", &stage, json!({ "maximum_attempts": 1 })).await?;
    worker.terminate().await?;
    puppet.complete(json!("in time")).await?;
    assert!(worker.ended().await?.success());
    assert_eq!(client.only_result("drained", 1).await?, "in time");

    let _next = Worker::start(&host.url(), "work", "coming")?;
    let mut puppet = stage.enters().await?;
    assert_eq!(puppet.entrance.worker, "coming");
    puppet.complete(json!("by the next one")).await?;
    assert_eq!(client.only_result("left", 1).await?, "by the next one");
    stage.is_empty()
}
