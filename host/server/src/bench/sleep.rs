//! Sleeping runs: how fast they are accepted, what memory they take, how late they wake.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use hdrhistogram::Histogram;

use super::rig::{Caller, Kept, Rig};
use super::{Options, Report};

/// Clients that start sleepers.
const STARTERS: usize = 64;

/// Runs that wake while the others sleep.
const WAKERS: u64 = 500;

/// How long those sleep, in milliseconds: longer than all of them take to start.
const NAP_MS: u64 = 3_000;

pub(super) async fn measure(component: &[u8], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rig = Rig::new(&options.dir, Kept::OnDisk, options.transport(), component).await?;
    let key = ("sleep", STARTERS);
    // One run first: what is loaded once is not a sleeper's.
    let first = rig.caller()?;
    first.finish(&first.start("bench_hello", "null").await?).await?;
    let before = resident_bytes()?;

    let begun = Instant::now();
    start_all(&rig, options.sleepers, 86_400_000).await?;
    report.value(key, "accepted", options.sleepers as f64 / begun.elapsed().as_secs_f64(), "runs/s");
    let at_once = resident_bytes()?.saturating_sub(before);
    report.value(key, "memory_after_start", at_once as f64 / (1 << 20) as f64, "MiB");

    let lateness = wake(&rig).await?;
    report.value(key, "lateness_p50", lateness.value_at_quantile(0.50) as f64, "us");
    report.value(key, "lateness_p99", lateness.value_at_quantile(0.99) as f64, "us");

    // Instances that wait are dropped after the idle timeout; then a sleeper is a row on disk.
    while rig.sandbox.resident_instances() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asleep = resident_bytes()?.saturating_sub(before);
    report.value(key, "memory_asleep", asleep as f64 / (1 << 20) as f64, "MiB");
    report.value(key, "memory_asleep_per_run", asleep as f64 / options.sleepers as f64, "bytes");
    rig.close().await
}

async fn start_all(rig: &Rig, runs: u64, sleep_ms: u64) -> anyhow::Result<()> {
    let callers: Vec<Caller> = (0..STARTERS).map(|_| rig.caller()).collect::<Result<_, _>>()?;
    let share = runs.div_ceil(STARTERS as u64);
    let starters = (0_u64..).zip(callers).map(|(index, caller)| async move {
        let mine = share.min(runs.saturating_sub(index * share));
        let work = tokio::spawn(async move {
            let input = format!(r#"{{"ms":{sleep_ms}}}"#);
            for _ in 0..mine {
                caller.start("bench_sleep", &input).await?;
            }
            anyhow::Ok(())
        });
        work.await?
    });
    try_join_all(starters).await.map(drop)
}

/// How late runs wake, in microseconds, until their client has the result.
async fn wake(rig: &Rig) -> anyhow::Result<Histogram<u64>> {
    let wakers = (0..WAKERS).map(|_| async {
        let caller = rig.caller()?;
        let work = tokio::spawn(async move {
            let id = caller.start("bench_sleep", &format!(r#"{{"ms":{NAP_MS}}}"#)).await?;
            // The start is durable, and the sleep begins, before this.
            let earliest = Instant::now() + Duration::from_millis(NAP_MS);
            caller.finish(&id).await?;
            anyhow::Ok(Instant::now().saturating_duration_since(earliest))
        });
        work.await?
    });
    let mut histogram = Histogram::new(3)?;
    for late in try_join_all(wakers).await? {
        histogram.record(u64::try_from(late.as_micros())?)?;
    }
    Ok(histogram)
}

/// The memory of this process, in bytes.
fn resident_bytes() -> anyhow::Result<u64> {
    /// Bytes of a page of `/proc/self/statm`.
    const PAGE: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * PAGE)
}
