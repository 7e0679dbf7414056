//! How a worker stops.

use std::time::Duration;

use refrain_plugin::{Activity, ActivityError, CancelReason, Context};
use refrain_worker::Error;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, advance};

use crate::host::{Host, Running, task, with_stopped_clock, worker};

/// Shorter than any request may take, so that none is given up when the clock moves by it.
const GRACE: Duration = Duration::from_secs(5);

/// Two slots: one for an attempt, one whose poll shows that the worker drains.
async fn begin(host: &mut Host, activity: Activity) -> Running {
    let name = activity.name().to_owned();
    let mut running = Running::start(worker(host, vec![activity]).slots(2).max_pollers(1).grace(GRACE));
    host.poll().await.ok(&task("t1", &name, &Value::Null));
    let waiting = host.poll().await;
    running.stop();
    let farewell = host.poll().await;
    assert_eq!(farewell.poll_id(), waiting.poll_id());
    assert_eq!(farewell.body["wait"], "0ms");
    farewell.nothing();
    running
}

#[test]
fn an_attempt_that_ends_within_the_grace_is_reported_as_ever() {
    with_stopped_clock(async {
        let mut host = Host::start().await;
        let (go, gone) = tokio::sync::watch::channel(false);
        let activity = Activity::new("work", move |ctx: Context, (): ()| {
            let mut gone = gone.clone();
            async move {
                gone.wait_for(|gone| *gone).await?;
                Ok(ctx.is_cancelled())
            }
        });
        let running = begin(&mut host, activity).await;
        advance(GRACE - Duration::from_millis(1)).await;
        go.send_replace(true);
        let report = host.report("complete").await;
        assert_eq!(report.body["result"], false);
        report.ok(&json!({}));
        running.ended().await.unwrap();
    });
}

#[test]
fn a_task_that_the_last_poll_was_answered_with_is_not_lost() {
    with_stopped_clock(async {
        let mut host = Host::start().await;
        let activity = Activity::new("one", |_, (): ()| async { Ok(1) });
        let mut running = Running::start(worker(&host, vec![activity]));
        let waiting = host.poll().await;
        running.stop();
        let farewell = host.poll().await;
        assert_eq!(farewell.poll_id(), waiting.poll_id());
        farewell.ok(&task("t1", "one", &Value::Null));
        let report = host.report("complete").await;
        assert_eq!(report.body["result"], 1);
        report.ok(&json!({}));
        running.ended().await.unwrap();
    });
}

#[test]
fn an_attempt_that_stops_when_it_is_told_to_is_given_back() {
    with_stopped_clock(async {
        let mut host = Host::start().await;
        let activity = Activity::new("obedient", |ctx: Context, (): ()| async move {
            Err::<(), _>(ActivityError::cancelled(ctx.cancelled().await))
        });
        let running = begin(&mut host, activity).await;
        advance(GRACE).await;
        let report = host.report("fail").await;
        assert_eq!(report.body["failure"]["type"], "WorkerShutdown");
        assert_eq!(
            (&report.body["benign"], report.body["failure"].get("non_retryable")),
            (&json!(true), None)
        );
        report.ok(&json!({}));
        running.ended().await.unwrap();
    });
}

#[test]
fn an_attempt_that_does_not_stop_is_given_up_and_the_end_is_in_time() {
    with_stopped_clock(async {
        let mut host = Host::start().await;
        let (sender, mut told) = mpsc::unbounded_channel();
        let activity = Activity::new("deaf", move |ctx: Context, (): ()| {
            let sender = sender.clone();
            async move {
                sender.send(ctx.cancelled().await)?;
                std::future::pending::<()>().await;
                Ok(())
            }
        });
        let began = Instant::now();
        let running = begin(&mut host, activity).await;
        advance(GRACE).await;
        assert_eq!(told.recv().await, Some(CancelReason::Shutdown));
        advance(Duration::from_secs(3)).await;
        let report = host.report("fail").await;
        assert_eq!(report.body["failure"]["type"], "WorkerShutdown");
        // The host does not answer, and is not waited for.
        advance(Duration::from_secs(2)).await;
        running.ended().await.unwrap();
        assert_eq!(began.elapsed(), GRACE + Duration::from_secs(5));
        assert_eq!(told.recv().await, None, "the activity was dropped");
    });
}

#[test]
fn attempts_drain_when_a_poll_is_refused() {
    with_stopped_clock(async {
        let mut host = Host::start().await;
        let (go, gone) = tokio::sync::watch::channel(false);
        let activity = Activity::new("work", move |_: Context, (): ()| {
            let mut gone = gone.clone();
            async move { Ok(*gone.wait_for(|gone| *gone).await?) }
        });
        let running = Running::start(worker(&host, vec![activity]).slots(2).max_pollers(1));
        host.poll().await.ok(&task("t1", "work", &Value::Null));
        host.poll().await.problem(401, "the key is no longer this host's");
        go.send_replace(true);
        let report = host.report("complete").await;
        assert_eq!(report.body["result"], true);
        report.ok(&json!({}));
        let error = running.ended().await.unwrap_err();
        assert!(matches!(error, Error::Refused { status: 401, .. }), "{error}");
    });
}
