//! What happens to an upload: everything that can be known about a component before a run needs it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use refrain_engine::ids::Digest;
use refrain_engine::limits::Profile;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::bindings::Workflow;
use crate::bindings::exports::refrain::workflow::definition::Manifest;
use crate::definition::Definition;
use crate::encode::{self, component_in};
use crate::engine::Backend;
use crate::epoch::{SLICE, Ticker, slices};
use crate::gate;
use crate::library::{Compiled, Library, Loader, PANICKED, Ready};
use crate::limiter::{Limiter, MAX_MEMORIES, MAX_TABLES, MachineMemory};
use crate::refusal::Refusal;
use crate::state::State;
use crate::trap::{self, Cause};

/// How long `describe` may compute, where a step may longer. A Python runtime takes 0.1 s to start.
const DESCRIBE_BUDGET: Duration = Duration::from_secs(2);

/// The bytes of a page of memory.
const WASM_PAGE_BYTES: usize = 64 * 1024;

/// A component that was let in.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The SHA-256 of the uploaded bytes: the component's identity.
    pub digest: Digest,
    /// The bytes to keep: the upload itself, or the component that was made of an uploaded core module. Made
    /// once and kept, since another version of the host might make it differently.
    pub component: Bytes,
    /// What it has.
    pub definition: Definition,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
}

/// Checks, compiles and describes an upload, and keeps it ready for its first run.
pub(crate) async fn inspect(
    upload: Bytes,
    library: &Library,
    machine: Arc<MachineMemory>,
    ticker: &Ticker,
    step_slices: u32,
) -> Result<Inspected, Refusal> {
    let loader = library.loader().clone();
    let prepared = on_worker(library, move || prepare(&upload, &loader)).await??;
    let budget = slices(DESCRIBE_BUDGET).min(step_slices);
    let manifest = describe(&prepared.ready, machine, ticker, budget).await?;
    let definition = Definition::checked(manifest)?;

    let Prepared { digest, component, imports, compiled, ready } = prepared;
    let loader = library.loader().clone();
    on_worker(library, move || loader.keep(digest, &compiled)).await?;
    library.insert(digest, ready);
    Ok(Inspected { digest, component, definition, imports })
}

struct Prepared {
    digest: Digest,
    component: Bytes,
    imports: Vec<String>,
    compiled: Compiled,
    ready: Arc<Ready>,
}

/// All that needs no instance. Blocks.
fn prepare(upload: &Bytes, loader: &Loader) -> Result<Prepared, Refusal> {
    let component = component_in(upload)?;
    let digest = Digest(Sha256::digest(upload).into());
    let compiled = match loader.compiled(digest) {
        Some(compiled) => compiled,
        None => loader.compile(&component).map_err(|error| encode::invalid(format!("{error:#}")))?,
    };
    let imports =
        gate::check(&compiled.component.component_type(), &compiled.backend.engine, loader.has_http)?;
    let ready = loader.link(&compiled).map_err(|error| misfit(&error))?;
    check_resources(&compiled.component, loader.backends.profile)?;
    Ok(Prepared { digest, component, imports, compiled, ready: Arc::new(ready) })
}

/// Calls `describe` in an instance of its own, which may not call the host.
async fn describe(
    ready: &Ready,
    machine: Arc<MachineMemory>,
    ticker: &Ticker,
    budget: u32,
) -> Result<Manifest, Refusal> {
    let limiter = Limiter::new(ready.profile, machine, Arc::default()).map_err(|shortage| {
        let reason = shortage.to_string();
        Refusal::Unavailable { reason }
    })?;
    let _executing = ticker.execute();
    let mut store = Backend::store(&ready.engine, State::without_run(limiter, budget));
    let instance = ready.code.instance_pre().instantiate_async(&mut store).await;
    let instance = instance.map_err(|error| undescribed(trap::cause_of_instantiation(error), budget))?;
    let workflow = Workflow::new(&mut store, &instance).map_err(|error| misfit(&error))?;
    let described = workflow.refrain_workflow_definition().call_describe(&mut store).await;
    described.map_err(|error| undescribed(trap::cause(error), budget))
}

fn undescribed(cause: Cause, budget: u32) -> Refusal {
    match cause {
        Cause::Guest(trap) | Cause::Panic(trap) => {
            Refusal::Describe { reason: trap.message, backtrace: trap.backtrace }
        }
        Cause::Budget => {
            let reason = format!("describe gave no answer in {:?} of computing", SLICE * budget);
            Refusal::Describe { reason, backtrace: Vec::new() }
        }
        Cause::Unavailable(reason) => Refusal::Unavailable { reason },
        Cause::Halted(_) => {
            Refusal::Unavailable { reason: "describe was stopped by a run that it has not".to_owned() }
        }
    }
}

fn misfit(error: &wasmtime::Error) -> Refusal {
    Refusal::Types { reason: format!("{error:#}") }
}

/// What an instance takes from its start must be within the profile's limits.
fn check_resources(component: &Component, profile: &Profile) -> Result<(), Refusal> {
    let Some(required) = component.resources_required() else { return Ok(()) };
    let checks = [
        ("memories", Some(required.num_memories.into()), MAX_MEMORIES),
        ("tables", Some(required.num_tables.into()), MAX_TABLES),
        ("pages of memory", required.max_initial_memory_size, profile.memory_bytes / WASM_PAGE_BYTES),
        ("elements of a table", required.max_initial_table_size, profile.table_elements),
    ];
    for (what, asked, maximum) in checks {
        match asked {
            Some(asked) if asked > maximum as u64 => return Err(Refusal::Demanding { what, asked, maximum }),
            Some(_) | None => {}
        }
    }
    Ok(())
}

async fn on_worker<T: Send + 'static>(
    library: &Library,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    library.uploads.run(job).await.map_err(|_| Refusal::Unavailable { reason: PANICKED.to_owned() })
}
