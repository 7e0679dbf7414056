//! The sandbox: executes workflow components with wasmtime. The one crate that names wasmtime.
//!
//! It implements the engine's seam to guests ([`refrain_engine::guest`]): while a guest executes, the wasmtime
//! store holds the engine's run, and host functions call it. What such a call means (recorded, replayed,
//! refused) is the engine's business; what the machine does about it is the sandbox's. It knows no store: the
//! bytes of components come through a [`ComponentSource`]. It knows no HTTP and no tokio: its futures run on
//! whatever polls them.
//!
//! | module | concept |
//! |---|---|
//! | `inspect`, `encode`, `world`, `gate`, `definition`, [`Refusal`] | an upload: made a component, checked, described |
//! | `library`, `compiled`, `workers` | components ready to be instantiated, in memory and on disk |
//! | `engine`, `machine` | wasmtime engines for each determinism profile, sized by the machine |
//! | `guest`, `state`, `trap`, `image` | an instance that executes a run, why it stopped, and what it was then |
//! | `host`, `convert`, `more`, `bindings` | the functions of the WIT package |
//! | `wasi` | what language runtimes expect of a system, over the same runs |
//! | `limiter`, `epoch` | memory and time that an instance may take |

mod bindings;
mod circles;
mod compiled;
mod convert;
mod definition;
mod encode;
mod engine;
mod epoch;
mod gate;
mod guest;
mod host;
mod image;
mod inspect;
mod library;
mod limiter;
mod machine;
mod more;
mod refusal;
mod state;
mod trap;
mod wasi;
mod workers;
mod world;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::guest::{Guest, Guests, OpenError};
use refrain_engine::ids::Digest;
use refrain_engine::limits::{self, Profile};

pub use crate::definition::{
    Definition, MAX_DEFINITION_BYTES, MAX_DOC_BYTES, MAX_MESSAGE_TYPES, MAX_SCHEMA_BYTES, MAX_WORKFLOWS,
};
pub use crate::encode::MAX_COMPONENT_BYTES;
pub use crate::engine::Building;
pub use crate::inspect::Inspected;
pub use crate::library::ComponentSource;
pub use crate::refusal::{Refusal, RefusedImport};
pub use crate::wasi::http::{
    ACTIVITY as HTTP_ACTIVITY, MAX_BODY_BYTES as MAX_HTTP_BODY_BYTES,
    MAX_HEADER_BYTES as MAX_HTTP_HEADER_BYTES, MAX_URL_BYTES as MAX_HTTP_URL_BYTES,
};

use crate::compiled::CompiledCode;
use crate::engine::Backends;
use crate::epoch::Ticker;
use crate::guest::WasmGuest;
use crate::library::{Library, Loader};
use crate::limiter::MachineMemory;

/// Slots of the pool beyond [`Sandbox::max_resident`], for descriptions, queries and guests that are opened
/// while others are being dropped.
const SPARE_INSTANCES: usize = 16;

/// The default of [`SandboxOptions::step_budget`].
const STEP_BUDGET: Duration = Duration::from_secs(10);

/// How a sandbox uses its machine. Nothing here can be noticed by a guest.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// Where compiled code is kept. Made for its owner alone: who can write there can make the host execute
    /// anything. `None`: nothing is kept, and each start compiles again.
    pub cache_dir: Option<PathBuf>,
    /// How many instances there may be at once. `None`: as many as fit the process's memory maps, 12,000 with
    /// Linux's defaults. A process with more than one sandbox shares its maps among them: give each a number.
    pub max_instances: Option<usize>,
    /// How long a step may compute before it is stopped and, in time, its run parked. It blocks no one
    /// meanwhile, but an endless loop must not turn for ever; what takes longer belongs in an activity.
    /// `None`: 10 s.
    pub step_budget: Option<Duration>,
    /// Memory that all instances may have together, in bytes. `None`: half of the machine's or container's.
    pub memory_bytes: Option<usize>,
    /// Whether the host has activities `http.request` that reach anybody. If not, a component that imports `wasi:http` is
    /// refused when it is uploaded; those that are here already execute as ever.
    pub http: bool,
    /// How code is compiled, where instances are and what is kept of them. The default is the fastest; the others are there
    /// to look closer at a guest, which cannot tell.
    pub building: Building,
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The directory for compiled code cannot be used.
    #[error("the directory {} for compiled code cannot be used: {error}", directory.display())]
    Cache {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// wasmtime does not work on this machine.
    #[error("wasmtime does not work here: {0}")]
    Wasmtime(String),
}

/// Executes workflow components. Clones share everything.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    library: Library,
    machine: Arc<MachineMemory>,
    ticker: Arc<Ticker>,
    step_slices: u32,
    max_resident: usize,
}

impl Sandbox {
    /// Makes a sandbox that reads components from this source.
    ///
    /// # Errors
    /// When the directory, a thread or wasmtime is not to be had. A pool that is too large for the machine is
    /// no error: it becomes smaller.
    pub fn new(options: SandboxOptions, source: ComponentSource) -> Result<Self, SandboxError> {
        let wasmtime = |error: wasmtime::Error| SandboxError::Wasmtime(format!("{error:#}"));
        let max_instances = options.max_instances.unwrap_or_else(machine::max_instances);
        let backends = Backends::new(limits::CURRENT, max_instances + SPARE_INSTANCES, options.building);
        let backends = backends.map_err(wasmtime)?;
        let compiled = options.cache_dir.map(|directory| {
            let keys: Vec<_> = backends.all().map(|backend| backend.key.as_str()).collect();
            CompiledCode::open(directory.clone(), &keys)
                .map_err(|error| SandboxError::Cache { directory, error })
        });
        let engines: Vec<_> = backends.all().map(|backend| backend.engine.clone()).collect();
        let ticker = Ticker::start(&engines).map_err(SandboxError::Thread)?;
        let max_resident = backends.max_instances.saturating_sub(SPARE_INSTANCES).max(1);
        let loader = Loader { backends, compiled: compiled.transpose()?, source, has_http: options.http };
        Ok(Self(Arc::new(Inner {
            library: Library::new(loader).map_err(SandboxError::Thread)?,
            machine: MachineMemory::new(options.memory_bytes.unwrap_or_else(|| machine::memory() / 2)),
            ticker: Arc::new(ticker),
            step_slices: epoch::slices(options.step_budget.unwrap_or(STEP_BUDGET)),
            max_resident,
        })))
    }

    /// Checks an upload and describes it. What it answers is to be kept; the component is ready to execute.
    ///
    /// # Errors
    /// Says to who uploaded what is wrong with it.
    pub fn inspect(&self, upload: Bytes) -> BoxFuture<'static, Result<Inspected, Refusal>> {
        let inner = self.0.clone();
        async move {
            let Inner { library, machine, ticker, step_slices, .. } = &*inner;
            inspect::inspect(upload, library, machine.clone(), ticker, *step_slices).await
        }
        .boxed()
    }

    /// Lets go of a component that nothing needs any more, and of what was compiled of it. Guests that execute it go
    /// on; it can be opened again as long as the source has it. Blocks.
    pub fn forget(&self, digest: Digest) {
        self.0.library.remove(digest);
    }

    /// How many guests may be resident at once: evict before. Further ones are refused as unavailable.
    pub fn max_resident(&self) -> usize {
        self.0.max_resident
    }

    /// How many instances there are.
    pub fn resident_instances(&self) -> usize {
        self.0.machine.instances()
    }

    /// The memory of all instances, in bytes.
    pub fn resident_bytes(&self) -> usize {
        self.0.machine.used()
    }
}

impl Guests for Sandbox {
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let inner = self.0.clone();
        async move {
            let ready = inner.library.get(digest, profile).await?;
            let Inner { machine, ticker, step_slices, .. } = &*inner;
            let guest = WasmGuest::new(ready, machine.clone(), ticker.clone(), *step_slices);
            Ok(Box::new(guest) as Box<dyn Guest>)
        }
        .boxed()
    }
}
