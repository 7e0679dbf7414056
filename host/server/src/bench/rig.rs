//! A host of the bench's own: in this process, over a new data directory or over memory.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use refrain_engine::ids::{Digest, Namespace, WorkflowId};
use refrain_engine::payload::Payload;
use refrain_plugin::{Activity, Plugin};
use refrain_runtime::{
    Options, QueueLimits, RunResult, RunStatus, Runtime, SendSignal, StartWorkflow, SystemClock, Target,
};
use refrain_sandbox::{ComponentSource, Sandbox, SandboxOptions};
use refrain_store::{Blobs, MemoryStore, RedbOptions, RedbStore, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::api::guard::Access;
use crate::api::{self, Host, Settings, convert};
use crate::client::Client;
use crate::wire::StartRequest;

/// The name under which the load's component is uploaded.
const COMPONENT: &str = "bench";

/// How long a run may take before the bench gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the rig keeps its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    OnDisk,
    /// The same load without a disk: the limit of what the rest can do.
    InMemory,
}

/// How clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    InProcess,
    Http,
}

/// A host with the load's component. Its data goes with it.
pub(super) struct Rig {
    pub(super) runtime: Runtime,
    pub(super) sandbox: Sandbox,
    pub(super) store: Arc<dyn Store>,
    pub(super) namespace: Namespace,
    /// What this process has done.
    pub(super) done: Arc<AtomicU64>,
    http: Option<SocketAddr>,
    _dir: TempDir,
}

/// One client. Each has a connection of its own.
pub(super) enum Caller {
    InProcess(Runtime, Namespace),
    Http(Client),
}

/// An activity that does nothing, and counts how often it did.
#[derive(Clone, Default)]
pub(super) struct Noop(pub(super) Arc<AtomicU64>);

/// The task queue that workers alone serve.
pub(super) const WORKERS_QUEUE: &str = "workers";

impl Plugin for Noop {
    fn name(&self) -> &'static str {
        "bench"
    }

    fn activities(&self) -> Vec<Activity> {
        let done = Arc::clone(&self.0);
        vec![Activity::new("bench.noop", move |_, (): ()| {
            done.fetch_add(1, Ordering::Relaxed);
            async move { Ok(()) }
        })]
    }
}

impl Rig {
    pub(super) async fn new(
        dir: &Path,
        kept: Kept,
        transport: Transport,
        component: &[u8],
    ) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("refrain-bench-")
            .tempdir_in(dir)
            .context("cannot make a data directory")?;
        let store: Arc<dyn Store> = match kept {
            Kept::OnDisk => Arc::new(RedbStore::open(&RedbOptions::new(dir.path()))?),
            Kept::InMemory => Arc::new(MemoryStore::new()),
        };
        let blobs = Arc::new(Blobs::open(dir.path().join("components"))?);
        let source: ComponentSource = {
            let blobs = Arc::clone(&blobs);
            Arc::new(move |digest: Digest| {
                let bytes = blobs.get(digest.as_bytes()).map_err(std::io::Error::other)?;
                Ok(bytes.map(Into::into))
            })
        };
        let sandbox = Sandbox::new(SandboxOptions::default(), source)?;
        let noop = Noop::default();
        let done = Arc::clone(&noop.0);
        let workers_alone = QueueLimits { in_process: false, ..QueueLimits::default() };
        let options = Options {
            resident_instances: sandbox.max_resident(),
            task_queues: BTreeMap::from([(WORKERS_QUEUE.to_owned(), workers_alone)]),
            ..Options::default()
        };
        let runtime = Runtime::start(
            Arc::clone(&store),
            Arc::new(sandbox.clone()),
            vec![Box::new(noop)],
            Arc::new(SystemClock),
            options,
        )
        .await?;
        let namespace = Namespace::default();
        let inspected = sandbox.inspect(Bytes::copy_from_slice(component)).await?;
        blobs.put(inspected.digest.as_bytes(), &inspected.component)?;
        let uploaded = component.len() as u64;
        let new = convert::new_component(inspected.digest, uploaded, inspected.definition, inspected.imports);
        runtime.register_component(&namespace, COMPONENT, new).await?;
        let http = match transport {
            Transport::InProcess => None,
            Transport::Http => Some(serve(&runtime, &sandbox, blobs, &namespace).await?),
        };
        Ok(Self { runtime, sandbox, store, namespace, done, http, _dir: dir })
    }

    pub(super) fn caller(&self) -> anyhow::Result<Caller> {
        Ok(match self.http {
            None => Caller::InProcess(self.runtime.clone(), self.namespace.clone()),
            Some(address) => {
                Caller::Http(Client::new(&format!("http://{address}"), self.namespace.as_str(), None)?)
            }
        })
    }

    /// Where the host is served.
    pub(super) fn address(&self) -> anyhow::Result<String> {
        self.http.map(|address| format!("http://{address}")).context("the rig is not served")
    }

    /// Stops the host.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.runtime.shutdown().await;
        self.store.close()?;
        Ok(())
    }
}

async fn serve(
    runtime: &Runtime,
    sandbox: &Sandbox,
    blobs: Arc<Blobs>,
    namespace: &Namespace,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let access = Access::new(address, Vec::new(), Vec::new(), None);
    let namespaces = vec![namespace.clone()];
    let activities = Noop::default().activities().iter().map(|activity| activity.name().to_owned()).collect();
    let settings = Settings { namespaces, max_upload_bytes: 0, activities, access };
    let host = Host::new(runtime.clone(), sandbox.clone(), blobs, settings);
    tokio::spawn(async move { axum::serve(crate::serve::prompt(listener), api::app(host)).await });
    Ok(address)
}

impl Caller {
    /// Starts a run; answers its execution's id.
    pub(super) async fn start(&self, workflow: &str, input: &str) -> anyhow::Result<String> {
        match self {
            Self::InProcess(runtime, namespace) => {
                let request = StartWorkflow::new(workflow, Payload::json(input.to_owned()));
                Ok(runtime.start_workflow(namespace, request).await?.workflow_id.to_string())
            }
            Self::Http(client) => {
                let request: StartRequest =
                    serde_json::from_str(&format!(r#"{{"workflow":"{workflow}","input":{input}}}"#))?;
                Ok(client.start(&request).await?.value.id)
            }
        }
    }

    /// Sends a signal, and waits until it is durable.
    pub(super) async fn signal(&self, id: &str, name: &str, input: &str) -> anyhow::Result<()> {
        match self {
            Self::InProcess(runtime, namespace) => {
                let target = Target { workflow_id: WorkflowId::new(id)?, run_id: None };
                let (name, input) = (name.to_owned(), Payload::json(input.to_owned()));
                Ok(runtime.signal(namespace, &target, SendSignal { name, input, request_id: None }).await?)
            }
            Self::Http(client) => {
                let request = serde_json::from_str(&format!(r#"{{"input":{input}}}"#))?;
                Ok(client.signal(id, name, &request).await?)
            }
        }
    }

    /// Waits for a run's end, which must be a good one.
    pub(super) async fn finish(&self, id: &str) -> anyhow::Result<()> {
        let completed = match self {
            Self::InProcess(runtime, namespace) => {
                let target = Target { workflow_id: WorkflowId::new(id)?, run_id: None };
                match runtime.result(namespace, &target, PATIENCE).await? {
                    RunResult::Closed { status, .. } => status == RunStatus::Completed,
                    RunResult::Running { .. } => false,
                }
            }
            Self::Http(client) => {
                let answer = client.result(id, None, PATIENCE).await?;
                answer.value.status == crate::wire::Status::Completed
            }
        };
        if !completed {
            bail!("run {id} of the load did not complete");
        }
        Ok(())
    }
}
