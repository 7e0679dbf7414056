//! Replays: linear in the journal's length, and not far from what bare host calls cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use refrain_engine::codec;
use refrain_engine::guest::{Guests, Stop};
use refrain_engine::ids::{RunId, WorkflowId};
use refrain_engine::journal::Started;
use refrain_engine::run::Run;
use refrain_runtime::Target;
use refrain_store::Order;
use refrain_store::schema::RunKey;

use super::rig::{Kept, Rig, Transport};
use super::{Options, Report};

/// The journals that are replayed.
const LENGTHS: [u32; 3] = [1_000, 10_000, 100_000];

/// How often each is replayed; the fastest counts, since others disturb but never help.
const TIMES: usize = 5;

/// Reads of the clock, for the price of a host call.
const READS: u32 = 100_000;

/// Ops that are open while waits are measured.
const OPEN_OPS: [u32; 3] = [0, 1_000, 10_000];

/// Waits of that measurement.
const WAITS: u32 = 200;

/// A run that has ended, as the store has it.
struct Journal {
    started: Arc<Started>,
    records: Vec<bytes::Bytes>,
    entries: u64,
}

pub(super) async fn measure(component: &[u8], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rig = Rig::new(&options.dir, Kept::OnDisk, Transport::InProcess, component).await?;
    let reads = make(&rig, "bench_reads", &format!(r#"{{"n":{READS}}}"#)).await?;
    let call = replay(&rig, &reads).await?.as_secs_f64() * 1e9 / f64::from(READS);
    report.value(("replay", 1), "host_call", call, "ns");
    for length in LENGTHS {
        let journal = make(&rig, "bench_replay", &format!(r#"{{"n":{length}}}"#)).await?;
        let taken = replay(&rig, &journal).await?.as_secs_f64();
        let per_entry = taken * 1e9 / journal.entries as f64;
        report.value(("replay", 1), format!("entries_{length}"), taken * 1e3, "ms");
        report.against(("replay", 1), format!("per_entry_{length}"), per_entry, "ns", call);
    }
    rig.close().await
}

pub(super) async fn measure_open_ops(
    component: &[u8],
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<()> {
    let rig = Rig::new(&options.dir, Kept::InMemory, Transport::InProcess, component).await?;
    let mut alone = None;
    for open in OPEN_OPS {
        let one = make(&rig, "bench_open_ops", &format!(r#"{{"open":{open},"waits":1}}"#)).await?;
        let many =
            make(&rig, "bench_open_ops", &format!(r#"{{"open":{open},"waits":{}}}"#, WAITS + 1)).await?;
        let spent = replay(&rig, &many).await?.saturating_sub(replay(&rig, &one).await?);
        let per_wait = spent.as_secs_f64() * 1e9 / f64::from(WAITS);
        report.against(
            ("open-ops", 1),
            format!("wait_with_{open}_open"),
            per_wait,
            "ns",
            *alone.get_or_insert(per_wait),
        );
        let bytes = (many.bytes() - one.bytes()) as f64 / f64::from(WAITS);
        report.value(("open-ops", 1), format!("bytes_with_{open}_open"), bytes, "bytes");
    }
    rig.close().await
}

/// Lets a run end, and reads its journal.
async fn make(rig: &Rig, workflow: &str, input: &str) -> anyhow::Result<Journal> {
    let caller = rig.caller()?;
    let id = caller.start(workflow, input).await?;
    caller.finish(&id).await?;
    let target = Target { workflow_id: WorkflowId::new(id)?, run_id: None };
    let described = rig.runtime.describe(&rig.namespace, &target).await?;
    read(rig, described.summary.run_id, described.journal_entries)
}

fn read(rig: &Rig, run: RunId, entries: u64) -> anyhow::Result<Journal> {
    let key = RunKey::new(rig.namespace.clone(), run);
    let row = key.started();
    let started = rig.store.get(row.table, &row.bytes)?.context("the run has no start")?;
    let journal = key.journal();
    let rows =
        rig.store.range(journal.table, &journal.bytes, &journal.end(), Order::Ascending, usize::MAX)?;
    let records = rows.into_iter().map(|(_, record)| record).collect();
    Ok(Journal { started: Arc::new(codec::decode("run's start", &started)?), records, entries })
}

/// The time of a replay by a new instance, from its records to its end.
async fn replay(rig: &Rig, journal: &Journal) -> anyhow::Result<Duration> {
    let mut fastest = Duration::MAX;
    for _ in 0..TIMES {
        let begun = Instant::now();
        let run = Run::replay(
            Arc::clone(&journal.started),
            journal.records.clone(),
            journal.started.digest,
            rig.runtime.boot(),
        )?;
        let profile = run.profile();
        let mut guest = rig.sandbox.open(journal.started.digest, profile).await?;
        match guest.run(Box::new(run)).await {
            (_, Stop::Finished) => fastest = fastest.min(begun.elapsed()),
            (_, other) => bail!("a replay of the load stopped early: {other:?}"),
        }
    }
    Ok(fastest)
}

impl Journal {
    fn bytes(&self) -> usize {
        self.records.iter().map(bytes::Bytes::len).sum()
    }
}
