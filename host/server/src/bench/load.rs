//! Closed-loop load: each client starts a run, waits for its end, and starts the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use hdrhistogram::Histogram;

use super::rig::{Caller, Kept, Rig};
use super::{Options, Report, disk};

/// How long the load runs before it is measured: code is compiled, the pool is warm, files have grown.
const WARM_UP: Duration = Duration::from_secs(1);

/// What clients saw.
pub(super) struct Seen {
    pub(super) per_second: f64,
    /// Microseconds.
    latency: Histogram<u64>,
}

impl Seen {
    /// Microseconds that so large a share of the requests took at most.
    pub(super) fn latency_at(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64
    }
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
        // A client that is alone waits for each commit of its run; many share them.
        let floor = sync.as_secs_f64() * 1e6 * f64::from(commits);
        report.against(key, "latency_p50", seen.latency_at(0.50), "us", floor);
        report.against(key, "latency_p99", seen.latency_at(0.99), "us", null.latency_at(0.99));
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
        report.against(key, "latency_p50", with.latency_at(0.50), "us", without.latency_at(0.50));
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
    let seen = closed_loop(&rig, clients, options, move |caller, _| async move {
        let id = caller.start(load.workflow, load.input).await?;
        caller.finish(&id).await
    })
    .await?;
    rig.close().await?;
    Ok(seen)
}

/// Lets each client ask again and again, and measures how long each request takes. `ask` gets the number of the turn;
/// those of all clients are different.
pub(super) async fn closed_loop<F>(
    rig: &Rig,
    clients: usize,
    options: &Options,
    ask: impl Fn(Arc<Caller>, usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<Seen>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let measure_from = Instant::now() + WARM_UP;
    let until = measure_from + Duration::from_secs(options.seconds);
    let callers: Vec<Caller> = (0..clients).map(|_| rig.caller()).collect::<Result<_, _>>()?;
    let loops = callers.into_iter().enumerate().map(|(client, caller)| {
        let (caller, ask) = (Arc::new(caller), ask.clone());
        let asks = async move {
            let mut latency = Histogram::<u64>::new(3)?;
            let mut turn = client;
            while Instant::now() < until {
                let begun = Instant::now();
                ask(Arc::clone(&caller), turn).await?;
                turn += clients;
                let ended = Instant::now();
                if begun >= measure_from && ended <= until {
                    latency.record(u64::try_from((ended - begun).as_micros())?)?;
                }
            }
            Ok::<_, anyhow::Error>(latency)
        };
        // A task for each, so that clients are on all threads.
        async { tokio::spawn(asks).await? }
    });
    let mut latency = Histogram::new(3)?;
    for seen in try_join_all(loops).await? {
        latency.add(&seen)?;
    }
    let per_second = latency.len() as f64 / Duration::from_secs(options.seconds).as_secs_f64();
    Ok(Seen { per_second, latency })
}
