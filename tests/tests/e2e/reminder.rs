//! A reminder sleeps most of its life, so its host may die while it does.

use std::time::{Duration, Instant};

use anyhow::Result;
use refrain_tests::Host;
use serde_json::{Value, json};

fn input(every: Duration, give_up_after: Duration) -> Value {
    json!({
        "message": "water the plants",
        "every_ms": u64::try_from(every.as_millis()).unwrap_or(u64::MAX),
        "give_up_after_ms": u64::try_from(give_up_after.as_millis()).unwrap_or(u64::MAX),
    })
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_timer_fires_after_a_restart_and_not_early() -> Result<()> {
    const GIVE_UP_AFTER: Duration = Duration::from_secs(2);
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    let started = Instant::now();
    client.start("reminder", "sleeper", input(HOUR, GIVE_UP_AFTER)).await?;
    client.follow_to("sleeper", "timer-started").await?;
    host.kill9().await?;
    host.restart().await?;

    let ending = client.completed("sleeper").await?;
    assert!(started.elapsed() >= GIVE_UP_AFTER, "it fired after {:?}", started.elapsed());
    assert_eq!(ending, json!({ "reminders": 0, "answered_by": null }));
    Ok(())
}

#[tokio::test]
async fn a_signal_ends_it_early_also_on_the_other_side_of_a_kill() -> Result<()> {
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    client.start("reminder", "sleeper", input(HOUR, HOUR)).await?;
    client.follow_to("sleeper", "timer-started").await?;
    host.kill9().await?;
    host.restart().await?;
    client.signal("sleeper", "done", json!({ "by": "Ada" })).await?;
    assert_eq!(client.completed("sleeper").await?, json!({ "reminders": 0, "answered_by": "Ada" }));
    Ok(())
}

#[tokio::test]
async fn an_acknowledged_signal_is_not_lost_when_the_host_is_killed_at_once() -> Result<()> {
    let mut host = Host::with_example("reminder").await?;
    let client = host.client();
    client.start("reminder", "sleeper", input(HOUR, HOUR)).await?;
    client.signal("sleeper", "done", json!({ "by": "Bo" })).await?;
    host.kill9().await?;
    host.restart().await?;
    assert_eq!(client.completed("sleeper").await?["answered_by"], "Bo");
    Ok(())
}
