//! Connections that break between a worker and its host, before a request has arrived, after it, and after its answer
//! has left: whatever is repeated then is done once.

use anyhow::Result;
use refrain_tests::stage::PUPPET;
use refrain_tests::{Cut, Host, Proxy, Stage, Worker, call, calls};
use serde_json::json;

/// Waits until a request has reached its answer.
async fn answered(proxy: &Proxy, path: &str) -> Result<()> {
    proxy
        .saw(|request| request.path.ends_with(path) && request.cut.is_none() && request.status.is_some())
        .await
}

#[tokio::test]
async fn what_a_broken_connection_leaves_open_is_neither_lost_nor_done_twice() -> Result<()> {
    const CUTS: [Cut; 3] = [Cut::Request, Cut::Wait, Cut::Answer];
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    for path in ["/poll", "/activities/heartbeat", "/activities/complete"] {
        for cut in CUTS {
            let id = format!("{cut:?} of {}", path.replace('/', " "));
            let (stage, proxy) = (Stage::open().await?, host.proxy().await?);
            // One attempt: a task that is lost with an answer would fail the activity.
            let options = json!({ "task_queue": id, "start_to_close_ms": 600_000, "maximum_attempts": 1 });
            client.start("calls", &id, calls([call(PUPPET, stage.input()?, options)])).await?;
            client.queue_once(&id, |queue| queue["backlog"] == 1).await?;
            proxy.cut_next(path, cut);
            let _worker = Worker::start(proxy.url(), &id, "unlucky")?;

            let mut puppet = stage.enters().await?;
            assert_eq!(puppet.entrance.attempt, 1, "{id}");
            puppet.beat(json!("half way")).await?;
            client.activity_once(&id, |activity| activity["last_heartbeat"] == "half way").await?;
            // An attempt that ends does not repeat its beats.
            answered(&proxy, "/heartbeat").await?;
            puppet.complete(json!(id)).await?;
            assert_eq!(client.only_result(&id, 1).await?, id);
            answered(&proxy, path).await?;
            assert!(proxy.seen().iter().any(|request| request.cut == Some(cut)), "{id} was not cut");
            stage.is_empty()?;
        }
    }
    Ok(())
}
