//! Activities of a worker over HTTP, beside the same activities in the host's own process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use refrain_engine::ids::WorkflowId;
use refrain_engine::payload::Payload;
use refrain_runtime::{RunResult, StartWorkflow, Target};
use refrain_worker::Worker;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::rig::{Kept, Noop, Rig, Transport, WORKERS_QUEUE};
use super::{Options, Report};

/// Activities that each run has open at once. With [`RUNS`] of them there is always a task for each poller.
const FAN_OUT: u32 = 50;

/// Runs at once.
const RUNS: usize = 16;

/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long a run may take before the bench gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn measure(component: &[u8], options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let in_process = drive(None, component, options).await?;
    report.value(("workers", 0), "in_process", in_process, "tasks/s");
    for &pollers in &options.pollers {
        let tasks = drive(Some(pollers), component, options).await?;
        report.against(("workers", pollers), "throughput", tasks, "tasks/s", in_process);
    }
    Ok(())
}

/// Tasks that are done in a second: in the host, or by a worker with this many polls and slots.
async fn drive(pollers: Option<usize>, component: &[u8], options: &Options) -> anyhow::Result<f64> {
    let rig = Rig::new(&options.dir, Kept::OnDisk, Transport::Http, component).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let (queue, done, worker) = match pollers {
        None => (None, Arc::clone(&rig.done), None),
        Some(pollers) => {
            let noop = Noop::default();
            let done = Arc::clone(&noop.0);
            let worker = Worker::builder(rig.address()?)
                .task_queue(WORKERS_QUEUE)
                .slots(pollers)
                .max_pollers(pollers)
                .plugin(noop)
                .build()?;
            let until = async move {
                // The bench is over, or has failed.
                let _over = stopped.await;
            };
            (Some(WORKERS_QUEUE.to_owned()), done, Some(tokio::spawn(worker.run_until(until))))
        }
    };
    let over = CancellationToken::new();
    let runs = (0..RUNS).map(|_| {
        let (rig, queue, over) = (&rig, queue.clone(), over.clone());
        async move {
            while !over.is_cancelled() {
                run(rig, queue.clone()).await?;
            }
            anyhow::Ok(())
        }
    });
    let measured = async {
        let rate = count(&done, Duration::from_secs(options.seconds)).await;
        over.cancel();
        anyhow::Ok(rate)
    };
    let (_, rate) = futures::future::try_join(try_join_all(runs), measured).await?;
    drop(stop);
    if let Some(worker) = worker {
        worker.await??;
    }
    rig.close().await?;
    Ok(rate)
}

async fn count(done: &AtomicU64, time: Duration) -> f64 {
    tokio::time::sleep(WARM_UP).await;
    let before = done.load(Ordering::Relaxed);
    tokio::time::sleep(time).await;
    (done.load(Ordering::Relaxed) - before) as f64 / time.as_secs_f64()
}

async fn run(rig: &Rig, queue: Option<String>) -> anyhow::Result<()> {
    let input = Payload::json(format!(r#"{{"n":{FAN_OUT}}}"#));
    let request = StartWorkflow { task_queue: queue, ..StartWorkflow::new("bench_fan_out", input) };
    let started = rig.runtime.start_workflow(&rig.namespace, request).await?;
    let target = Target { workflow_id: WorkflowId::new(started.workflow_id.to_string())?, run_id: None };
    match rig.runtime.result(&rig.namespace, &target, PATIENCE).await? {
        RunResult::Closed { outcome: Ok(_), .. } => Ok(()),
        other => anyhow::bail!("a run of the load ended as {other:?}"),
    }
}
