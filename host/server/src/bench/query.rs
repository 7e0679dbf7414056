//! Queries: how long an answer takes, from an instance that is made and replayed for it.

use std::time::{Duration, Instant};

use anyhow::bail;
use hdrhistogram::Histogram;
use refrain_engine::ids::WorkflowId;
use refrain_engine::payload::Payload;
use refrain_runtime::{Consistency, ErrorKind, QueryRequest, Target};

use super::rig::{Kept, Rig, Transport};
use super::{Options, Report};

/// The journals of the runs that are asked.
const LENGTHS: [u32; 2] = [100, 10_000];

/// Queries to each, at most: a short journal is asked in well under a millisecond.
const QUERIES: u32 = 2_000;

pub(super) async fn measure(component: &[u8], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let rig = Rig::new(&options.dir, Kept::OnDisk, Transport::InProcess, component).await?;
    for length in LENGTHS {
        let id = rig.caller()?.start("bench_query", &format!(r#"{{"n":{length}}}"#)).await?;
        let target = Target { workflow_id: WorkflowId::new(id)?, run_id: None };
        while ask(&rig, &target).await? < length {}
        let mut latency = Histogram::<u64>::new(3)?;
        let until = Instant::now() + Duration::from_secs(options.seconds);
        while latency.len() < u64::from(QUERIES) && Instant::now() < until {
            let asked = Instant::now();
            ask(&rig, &target).await?;
            latency.record(u64::try_from(asked.elapsed().as_micros())?)?;
        }
        let mut value = |name: &str, quantile| {
            let micros = latency.value_at_quantile(quantile) as f64;
            report.value(("query", 1), format!("{name}_entries_{length}"), micros, "us");
        };
        value("p50", 0.50);
        value("p99", 0.99);
    }
    rig.close().await
}

/// How much of its journal the run has made.
async fn ask(rig: &Rig, target: &Target) -> anyhow::Result<u32> {
    loop {
        let request = QueryRequest {
            name: "made".to_owned(),
            input: Payload::null(),
            consistency: Consistency::Latest,
            at: None,
        };
        match rig.runtime.query(&rig.namespace, target, request).await {
            Ok(answer) => return Ok(serde_json::from_slice(&answer.result.data)?),
            // The run is busy with the making of its journal.
            Err(error) if error.kind() == ErrorKind::Busy => {}
            Err(error) => bail!("the load was not answered: {error}"),
        }
    }
}
