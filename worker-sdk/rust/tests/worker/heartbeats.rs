//! Heartbeats, and what their answers do to an attempt.

use refrain_plugin::{Activity, ActivityError, Context};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::host::{Host, Running, task, task_with, worker};

/// Beats once, and stops when it is told to.
fn obedient() -> Activity {
    Activity::new("obedient", |ctx: Context, (): ()| async move {
        ctx.heartbeat(json!({"step": 1}))?;
        let reason = ctx.cancelled().await;
        Err::<(), _>(ActivityError::cancelled(reason).with_details(&format!("{reason:?}")))
    })
}

#[tokio::test]
async fn a_beat_s_answer_reaches_the_attempt() {
    let mut host = Host::start().await;
    let _running = Running::start(worker(&host, vec![obedient()]));
    for (flag, reason) in [("cancel_requested", "Requested"), ("paused", "Paused"), ("reset", "Reset")] {
        host.poll().await.ok(&task("t1", "obedient", &Value::Null));
        let beat = host.report("heartbeat").await;
        assert_eq!(beat.body, json!({"task_token": "t1", "details": {"step": 1}}));
        beat.ok(&json!({flag: true}));
        let report = host.report("cancel").await;
        assert_eq!(report.body, json!({"task_token": "t1", "details": reason}));
        report.ok(&json!({}));
    }
}

#[tokio::test]
async fn a_stale_attempt_is_stopped_and_reports_nothing() {
    let mut host = Host::start().await;
    let (sender, mut reasons) = mpsc::unbounded_channel();
    let activity = Activity::new("beat", move |ctx: Context, (): ()| {
        let sender = sender.clone();
        async move {
            ctx.heartbeat(1)?;
            let reason = ctx.cancelled().await;
            // Not sent, since nobody wants it, though it is the newest.
            ctx.heartbeat(2)?;
            sender.send(reason)?;
            Ok("a result that nobody wants")
        }
    });
    let _running = Running::start(worker(&host, vec![activity]));
    host.poll().await.ok(&task("t1", "beat", &Value::Null));
    host.report("heartbeat").await.problem(409, "attempt 4 is the current one");
    assert_eq!(reasons.recv().await, Some(refrain_plugin::CancelReason::Stale));
    host.poll().await.nothing();
}

#[tokio::test]
async fn the_newest_details_reach_the_host_before_a_failure_does() {
    let mut host = Host::start().await;
    let (sender, mut beaten) = mpsc::unbounded_channel();
    let (go, gone) = tokio::sync::watch::channel(false);
    let activity = Activity::new("train", move |ctx: Context, (): ()| {
        let (sender, mut gone) = (sender.clone(), gone.clone());
        async move {
            ctx.heartbeat(1)?;
            gone.wait_for(|gone| *gone).await?;
            ctx.heartbeat(2)?;
            ctx.heartbeat(3)?;
            sender.send(())?;
            Err::<(), _>(ActivityError::new("Crashed", "at step 4"))
        }
    });
    let _running = Running::start(worker(&host, vec![activity]));
    host.poll().await.ok(&task("t1", "train", &Value::Null));
    let first = host.report("heartbeat").await;
    assert_eq!(first.body["details"], 1);
    first.ok(&json!({}));
    go.send_replace(true);
    beaten.recv().await.unwrap();
    let last = host.report("heartbeat").await;
    assert_eq!(
        last.body["details"], 3,
        "the interval of the first one is not over: 3 is what is left at the end"
    );
    last.close();
    let last = host.report("heartbeat").await;
    assert_eq!(last.body["details"], 3);
    last.ok(&json!({}));
    assert_eq!(host.report("fail").await.body["failure"]["type"], "Crashed");
}

#[tokio::test]
async fn an_attempt_past_its_deadline_is_told() {
    let mut host = Host::start().await;
    let activity =
        Activity::new(
            "slow",
            |ctx: Context, (): ()| async move { Ok(format!("{:?}", ctx.cancelled().await)) },
        );
    let _running = Running::start(worker(&host, vec![activity]));
    // 20 ms after the start.
    let more = json!({"deadline": "2026-01-01T00:00:01.020Z"});
    host.poll().await.ok(&task_with("t1", "slow", &Value::Null, &more));
    let report = host.report("complete").await;
    assert_eq!(report.body["result"], "TimedOut");
}
