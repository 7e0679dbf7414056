//! Closed-loop load: each client starts a run, waits for its end, and starts the next.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use hdrhistogram::Histogram;

use super::rig::{Caller, Kept, Rig};
use super::{Options, Report, disk};

/// How long the load runs before it is measured: code is compiled, the pool is warm, files have grown.
const WARM_UP: Duration = Duration::from_secs(1);

/// What clients saw.
struct Seen {
    per_second: f64,
    /// Microseconds.
    latency: Histogram<u64>,
}

/// What clients ask for, again and again.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) workflow: &'static str,
    pub(super) input: &'static str,
    /// How many durable commits one run makes.
    pub(super) commits: u32,
}

pub(super) async fn measure(
    load: Load,
    component: &[u8],
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Load { name, commits, .. } = load;
    let sync = disk::sync_p50(&options.dir)?;
    report.value((name, 1), "fdatasync_p50", sync.as_secs_f64() * 1e6, "us");
    for &clients in &options.clients {
        let null = drive(Kept::InMemory, clients, load, component, options).await?;
        let seen = drive(Kept::OnDisk, clients, load, component, options).await?;
        let key = (name, clients);
        report.against(key, "throughput", seen.per_second, "runs/s", null.per_second);
        let at = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64;
        // A client that is alone waits for each commit of its run; many share them.
        let floor = sync.as_secs_f64() * 1e6 * f64::from(commits);
        report.against(key, "latency_p50", at(&seen.latency, 0.50), "us", floor);
        report.against(key, "latency_p99", at(&seen.latency, 0.99), "us", at(&null.latency, 0.99));
    }
    Ok(())
}

/// Measures local activities against the same load with ordinary ones.
pub(super) async fn measure_local(
    local: Load,
    ordinary: Load,
    component: &[u8],
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    for &clients in &options.clients {
        let without = drive(Kept::OnDisk, clients, ordinary, component, options).await?;
        let with = drive(Kept::OnDisk, clients, local, component, options).await?;
        let key = (local.name, clients);
        report.against(key, "throughput", with.per_second, "runs/s", without.per_second);
        let p50 = |seen: &Seen| seen.latency.value_at_quantile(0.50) as f64;
        report.against(key, "latency_p50", p50(&with), "us", p50(&without));
    }
    Ok(())
}

async fn drive(
    kept: Kept,
    clients: usize,
    load: Load,
    component: &[u8],
    options: &Options,
) -> anyhow::Result<Seen> {
    let rig = Rig::new(&options.dir, kept, options.transport(), component).await?;
    let measure_from = Instant::now() + WARM_UP;
    let until = measure_from + Duration::from_secs(options.seconds);
    let callers: Vec<Caller> = (0..clients).map(|_| rig.caller()).collect::<Result<_, _>>()?;
    let loops = callers.into_iter().map(|caller| async move {
        let work = tokio::spawn(async move { ask(&caller, load, measure_from, until).await });
        work.await?
    });
    let mut latency = Histogram::new(3)?;
    for seen in try_join_all(loops).await? {
        latency.add(&seen)?;
    }
    let per_second = latency.len() as f64 / Duration::from_secs(options.seconds).as_secs_f64();
    rig.close().await?;
    Ok(Seen { per_second, latency })
}

async fn ask(
    caller: &Caller,
    load: Load,
    measure_from: Instant,
    until: Instant,
) -> anyhow::Result<Histogram<u64>> {
    let mut latency = Histogram::new(3)?;
    while Instant::now() < until {
        let begun = Instant::now();
        let id = caller.start(load.workflow, load.input).await?;
        caller.finish(&id).await?;
        let ended = Instant::now();
        if begun >= measure_from && ended <= until {
            latency.record(u64::try_from((ended - begun).as_micros())?)?;
        }
    }
    Ok(latency)
}
