//! wasmtime engines: one pair for each determinism profile.
//!
//! The *pooled* engine takes instances from slots that were reserved at the start; that is fast, and it
//! bounds their number. The *plain* engine asks the system for each instance: for components that do not fit
//! a slot, and for machines that have no room for a pool. Both execute alike; what a guest could notice is
//! set from the [`Profile`], the same in both.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use refrain_engine::limits::Profile;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result, Store,
    WasmBacktraceDetails,
};

use crate::host;
use crate::state::State;
use crate::wasi;

/// The stack that host functions have, on top of the profile's for wasm. They recurse little; formatting and
/// symbolising a backtrace take the most.
const HOST_STACK_BYTES: usize = 512 * 1024;

/// Frames of a backtrace that are kept: enough to leave a language runtime's panic machinery.
const BACKTRACE_FRAMES: NonZeroUsize = NonZeroUsize::new(32).unwrap();

/// Memory of a slot that is cleared rather than given back to the system when its instance goes: what a
/// small guest touches, so that the next one takes no page faults.
const KEEP_RESIDENT_BYTES: usize = 1024 * 1024;

/// Tables for each instance of the pool: a guest with an adapter has three or four.
const TABLES_PER_INSTANCE: u32 = 4;

/// Core instances for each instance of the pool: they are counted, not reserved.
const CORE_INSTANCES_PER_INSTANCE: u32 = 16;

/// Core instances and tables of one pooled component. A Python runtime has 14 modules, each with its glue; what has more
/// is compiled a second time, for instances outside of the pool.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
const TABLES_PER_COMPONENT: u32 = 16;

/// Memories and tables of one core module of a pooled component.
const MEMORIES_PER_MODULE: u32 = 2;
const TABLES_PER_MODULE: u32 = 4;

/// The smallest pool that is worth its reservation.
const SMALLEST_POOL: u32 = 16;

/// What one call of a guest may hand to the host, in bytes of the host's memory. Twice what a step may keep:
/// what is a little too large is refused by its name, and what is far too large never gets here. Never
/// lowered: a replay must get as far as the first execution did.
const CALL_BYTES: usize = 8 * 1024 * 1024;

/// An engine with its host functions.
pub(crate) struct Backend {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    /// Names everything that compiled code depends on: wasmtime's version, the processor, this
    /// configuration.
    pub(crate) key: String,
}

/// How code is compiled, where instances are and what is kept of them: see [`crate::SandboxOptions::building`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Building {
    /// The compiler does not optimize: it is another code generator for the same code.
    pub unoptimized: bool,
    /// Each instance is made for itself, and none comes from the pool.
    pub unpooled: bool,
    /// Code is never interrupted, so that what else happens meanwhile does not depend on how fast it is; and an endless loop
    /// never ends. For simulations.
    pub uninterrupted: bool,
    /// An image is taken of an instance that stops because somebody looks at it: see [`refrain_engine::guest::Image`].
    pub images: bool,
}

/// The engines of one profile.
pub(crate) struct Backends {
    pub(crate) profile: &'static Profile,
    pub(crate) pooled: Option<Arc<Backend>>,
    pub(crate) plain: Arc<Backend>,
    /// How many instances there may be at once.
    pub(crate) max_instances: usize,
}

impl Backends {
    /// Makes the engines for this profile, which compile so, with a pool of at most so many slots if there is to be one.
    /// A pool that the machine refuses is halved until it fits.
    pub(crate) fn new(profile: &'static Profile, max_instances: usize, building: Building) -> Result<Self> {
        let mut config = deterministic(profile, building);
        // Address space for what a memory may grow to and no more: memories never move, and many fit where
        // address space is limited.
        let reservation = profile.memory_bytes as u64;
        config.memory_reservation(reservation).memory_reservation_for_growth(0).memory_guard_size(0);
        let plain = Backend::new(profile, "plain", &config)?;

        if building.unpooled {
            return Ok(Self { profile, pooled: None, plain, max_instances });
        }
        let mut slots = u32::try_from(max_instances).unwrap_or(u32::MAX);
        while slots >= SMALLEST_POOL {
            let mut config = deterministic(profile, building);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(profile, slots)));
            match Backend::new(profile, "pooled", &config) {
                Ok(pooled) => {
                    return Ok(Self { profile, pooled: Some(pooled), plain, max_instances: slots as usize });
                }
                Err(error) => {
                    tracing::debug!(slots, %error, "no pool of this size");
                    slots /= 2;
                }
            }
        }
        tracing::info!("instances are made one by one: this machine has no room for a pool of them");
        Ok(Self { profile, pooled: None, plain, max_instances })
    }

    /// The engines, the preferred one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.pooled.iter().chain([&self.plain])
    }
}

impl Backend {
    fn new(profile: &Profile, allocator: &str, config: &Config) -> Result<Arc<Self>> {
        let engine = Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        host::add_to_linker(&mut linker)?;
        wasi::add_to_linker(&mut linker)?;
        let mut hash = Hash256(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hash);
        let key = format!("{}-{allocator}-{}", profile.name, hash.hex());
        Ok(Arc::new(Self { engine, linker, key }))
    }

    /// A store with the budgets of its state.
    pub(crate) fn store(engine: &Engine, state: State) -> Store<State> {
        let mut store = Store::new(engine, state);
        store.set_hostcall_fuel(CALL_BYTES);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|mut store| Ok(store.data_mut().end_slice()?));
        store.set_epoch_deadline(1);
        store
    }
}

/// What a guest can notice, and what makes it stoppable. Threads are not there at all: wasmtime is compiled
/// without them.
fn deterministic(profile: &Profile, building: Building) -> Config {
    let mut config = Config::new();
    config
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .shared_memory(false)
        .max_wasm_stack(profile.stack_bytes)
        .async_stack_size(profile.stack_bytes + HOST_STACK_BYTES);
    config
        .epoch_interruption(!building.uninterrupted)
        // One call at a time: concurrency would cost each call about 100 ns.
        .concurrency_support(false)
        .cranelift_opt_level(if building.unoptimized { OptLevel::None } else { OptLevel::Speed })
        .memory_init_cow(true)
        .coredump_on_trap(building.images)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

fn pool(profile: &Profile, slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_memories(slots)
        .total_tables(slots.saturating_mul(TABLES_PER_INSTANCE))
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_INSTANCE))
        .max_memories_per_module(MEMORIES_PER_MODULE)
        .max_memories_per_component(MEMORIES_PER_MODULE)
        .max_tables_per_module(TABLES_PER_MODULE)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memory_size(profile.memory_bytes)
        .table_elements(profile.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A hasher that is the same in every process, unlike the standard library's.
struct Hash256(Sha256);

impl Hash256 {
    /// The first half of the hash: enough to tell configurations apart.
    fn hex(self) -> String {
        self.0.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Hasher for Hash256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_be_bytes(self.0.clone().finalize()[..8].try_into().expect("8 of 32 bytes"))
    }
}
