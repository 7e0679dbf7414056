//! Children: how many a host starts and ends in a second for parents that wait for them, and how long one parent waits for
//! many.

use std::time::{Duration, Instant};

use super::load::{Seen, closed_loop};
use super::rig::{Kept, Rig};
use super::{Options, Report};

const NAME: &str = "children";

/// The children of each parent of the load, all at once.
const EACH: u32 = 10;

/// The children of the one parent that has many.
const MANY: u32 = 1_000;

pub(super) async fn measure(component: &[u8], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for &clients in &options.clients {
        let in_memory = drive(Kept::InMemory, clients, component, options).await?;
        let seen = drive(Kept::OnDisk, clients, component, options).await?;
        let key = (NAME, clients);
        let children = |seen: &Seen| seen.per_second * f64::from(EACH);
        report.against(key, "throughput", children(&seen), "children/s", children(&in_memory));
        report.against(key, "latency_p50", seen.latency_at(0.50), "us", in_memory.latency_at(0.50));
        report.against(key, "latency_p99", seen.latency_at(0.99), "us", in_memory.latency_at(0.99));
    }
    let in_memory = one_parent(Kept::InMemory, component, options).await?;
    let took = one_parent(Kept::OnDisk, component, options).await?;
    let per_second = |took: Duration| f64::from(MANY) / took.as_secs_f64();
    report.against(
        (NAME, 1),
        format!("parent_of_{MANY}"),
        per_second(took),
        "children/s",
        per_second(in_memory),
    );
    Ok(())
}

/// Clients that each start a parent, wait for its end, and start the next.
async fn drive(kept: Kept, clients: usize, component: &[u8], options: &Options) -> anyhow::Result<Seen> {
    let rig = Rig::new(&options.dir, kept, options.transport(), component).await?;
    let seen = closed_loop(&rig, clients, options, |caller, _| async move {
        let id = caller.start("bench_children", &input(EACH)).await?;
        caller.finish(&id).await
    })
    .await?;
    rig.close().await?;
    Ok(seen)
}

/// How long a parent of many children takes, when its code is compiled.
async fn one_parent(kept: Kept, component: &[u8], options: &Options) -> anyhow::Result<Duration> {
    let rig = Rig::new(&options.dir, kept, options.transport(), component).await?;
    let caller = rig.caller()?;
    let mut took = Duration::ZERO;
    for children in [1, MANY] {
        let begun = Instant::now();
        let id = caller.start("bench_children", &input(children)).await?;
        caller.finish(&id).await?;
        took = begun.elapsed();
    }
    rig.close().await?;
    Ok(took)
}

fn input(children: u32) -> String {
    format!(r#"{{"n":{children}}}"#)
}
