//! Signals to runs that wait: how many are made durable in a second, and how long a sender waits for that.

use std::sync::Arc;

use super::load::{Seen, closed_loop};
use super::rig::{Kept, Rig};
use super::{Options, Report, disk};

const NAME: &str = "signal";

/// More signals than anybody sends: the runs wait until the end.
const FOR_EVER: u32 = u32::MAX;

pub(super) async fn measure(component: &[u8], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let sync = disk::sync_p50(&options.dir)?.as_secs_f64() * 1e6;
    report.value((NAME, 1), "fdatasync_p50", sync, "us");
    for &clients in &options.clients {
        let in_memory = drive(Kept::InMemory, clients, component, options).await?;
        let seen = drive(Kept::OnDisk, clients, component, options).await?;
        let key = (NAME, clients);
        report.against(key, "throughput", seen.per_second, "signals/s", in_memory.per_second);
        // A sender who is alone waits for one commit.
        report.against(key, "latency_p50", seen.latency_at(0.50), "us", sync);
        report.against(key, "latency_p99", seen.latency_at(0.99), "us", in_memory.latency_at(0.99));
    }
    Ok(())
}

async fn drive(kept: Kept, clients: usize, component: &[u8], options: &Options) -> anyhow::Result<Seen> {
    let rig = Rig::new(&options.dir, kept, options.transport(), component).await?;
    let starter = rig.caller()?;
    let mut waiting = Vec::new();
    for _ in 0..options.runs {
        waiting.push(starter.start("bench_signal", &format!(r#"{{"n":{FOR_EVER}}}"#)).await?);
    }
    let waiting = Arc::new(waiting);
    let seen = closed_loop(&rig, clients, options, move |caller, turn| {
        let id = waiting[turn % waiting.len()].clone();
        async move { caller.signal(&id, "tick", "null").await }
    })
    .await?;
    rig.close().await?;
    Ok(seen)
}
