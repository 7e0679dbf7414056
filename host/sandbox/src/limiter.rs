//! What an instance may take of the machine's memory.
//!
//! The profile's limits answer -1, as wasm has it: they are the same on every replay. A shortage of this
//! machine must not be noticed by a guest, since a replay elsewhere would not meet it: the instance stops
//! with an error instead, and its step is tried again later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use refrain_engine::limits::Profile;
use wasmtime::{Error, ResourceLimiter, Result};

use crate::state::HostTrap;

/// The bytes of an element of a table.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Tables, and memories, of one instance: a few are usual, and each reserves address space.
pub(crate) const MAX_TABLES: usize = 64;
pub(crate) const MAX_MEMORIES: usize = 64;

/// What the stack, the fiber and the store of a suspended instance take beside its memory.
const INSTANCE_BYTES: usize = 64 * 1024;

/// What the handles of one instance may hold in the host's own memory, in bytes: bodies and headers of HTTP requests that
/// the guest has not sent, read or dropped. A quarter of what its own memory may be. Never lowered: a replay must get as
/// far as the first execution did.
const HELD_BYTES: usize = 64 * 1024 * 1024;

/// The memory of all instances of the host, and its limit.
#[derive(Debug)]
pub(crate) struct MachineMemory {
    limit: usize,
    used: AtomicUsize,
    instances: AtomicUsize,
}

impl MachineMemory {
    /// Memory with this limit, in bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), instances: AtomicUsize::new(0) })
    }

    /// How many bytes are taken.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many instances there are.
    pub(crate) fn instances(&self) -> usize {
        self.instances.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), HostTrap> {
        let fits = |used: usize| used.checked_add(bytes).filter(|total| *total <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(used) => Err(HostTrap::Machine(format!(
                "{used} of the {} bytes that all instances may have are taken, and one asks for {bytes} more: \
                 give the host more memory, or fewer loaded runs",
                self.limit
            ))),
        }
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The limiter of one instance.
pub(crate) struct Limiter {
    memory_limit: usize,
    table_limit: usize,
    machine: Arc<MachineMemory>,
    /// Bytes of linear memory.
    memory: usize,
    /// What this instance has taken of the machine. Shared with who asks for the instance's size.
    taken: Arc<AtomicUsize>,
    /// How much of that its handles hold.
    held: Arc<AtomicUsize>,
}

/// Memory of the host's own that a handle of an instance holds; given back when this is dropped, which must be before the
/// instance's limiter is.
#[derive(Debug)]
pub(crate) struct Charge {
    bytes: usize,
    machine: Arc<MachineMemory>,
    taken: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Limiter {
    /// A limiter with the limits of this profile, which reports into `taken`.
    pub(crate) fn new(
        profile: &Profile,
        machine: Arc<MachineMemory>,
        taken: Arc<AtomicUsize>,
    ) -> Result<Self, HostTrap> {
        machine.take(INSTANCE_BYTES)?;
        machine.instances.fetch_add(1, Ordering::Relaxed);
        taken.store(INSTANCE_BYTES, Ordering::Relaxed);
        Ok(Self {
            memory_limit: profile.memory_bytes,
            table_limit: profile.table_elements,
            machine,
            memory: 0,
            taken,
            held: Arc::default(),
        })
    }

    /// Takes so many bytes for what a handle holds.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge, HostTrap> {
        let Self { machine, taken, held, .. } = self;
        let mut charge =
            Charge { bytes: 0, machine: machine.clone(), taken: taken.clone(), held: held.clone() };
        charge.grow(bytes)?;
        Ok(charge)
    }

    fn take(&self, bytes: usize) -> Result<(), HostTrap> {
        self.machine.take(bytes)?;
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Charge {
    /// Takes so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), HostTrap> {
        if self.held.load(Ordering::Relaxed).saturating_add(bytes) > HELD_BYTES {
            return Err(HostTrap::Misuse(format!(
                "bodies and headers of HTTP requests take more than {HELD_BYTES} bytes together: read and drop what \
                 is there before asking for more"
            )));
        }
        self.machine.take(bytes)?;
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        self.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.machine.give_back(self.bytes);
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.machine.give_back(self.taken.swap(0, Ordering::Relaxed));
        self.machine.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory.saturating_add(growth);
        if total > self.memory_limit || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.take(growth)?;
        self.memory = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        Err(HostTrap::Machine(format!("the machine refused memory: {error}")).into())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if desired > self.table_limit || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.take(desired.saturating_sub(current) * TABLE_ELEMENT_BYTES)?;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        Err(HostTrap::Machine(format!("the machine refused a table: {error}")).into())
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use refrain_engine::limits;

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn limiter(machine: &Arc<MachineMemory>) -> Limiter {
        Limiter::new(limits::CURRENT, machine.clone(), Arc::default()).unwrap()
    }

    #[test]
    fn the_profiles_limit_counts_all_memories_together_and_answers_minus_one() {
        let machine = MachineMemory::new(usize::MAX);
        let mut limiter = limiter(&machine);
        let half = limits::CURRENT.memory_bytes / 2;
        assert!(limiter.memory_growing(0, half, None).unwrap());
        assert!(limiter.memory_growing(0, half, None).unwrap());
        assert!(!limiter.memory_growing(half, half + 1, None).unwrap());
        assert!(!limiter.memory_growing(half, half + 1, Some(half)).unwrap());
    }

    #[test]
    fn a_shortage_of_the_machine_is_an_error_and_dropping_gives_back() {
        let machine = MachineMemory::new(3 * MIB);
        let mut first = limiter(&machine);
        assert!(first.memory_growing(0, 2 * MIB, None).unwrap());
        let mut second = limiter(&machine);
        let error = second.memory_growing(0, 2 * MIB, None).unwrap_err();
        assert!(error.to_string().contains("bytes that all instances may have"), "{error}");
        drop(first);
        assert!(second.memory_growing(0, 2 * MIB, None).unwrap());
        drop(second);
        assert_eq!((machine.used(), machine.instances()), (0, 0));
    }

    #[test]
    fn what_handles_hold_is_bounded_and_given_back_with_them() {
        let machine = MachineMemory::new(usize::MAX);
        let limiter = limiter(&machine);
        let empty = machine.used();
        let mut charge = limiter.charge(HELD_BYTES - 1).unwrap();
        charge.grow(1).unwrap();
        assert_eq!(machine.used(), empty + HELD_BYTES);
        assert!(matches!(charge.grow(1), Err(HostTrap::Misuse(_))), "the guest is told");
        assert!(matches!(limiter.charge(1), Err(HostTrap::Misuse(_))), "together");
        drop(charge);
        assert_eq!(machine.used(), empty);
        assert!(limiter.charge(HELD_BYTES).is_ok());
    }

    #[test]
    fn growth_that_the_system_refuses_is_never_noticed_by_the_guest() {
        let machine = MachineMemory::new(usize::MAX);
        assert!(limiter(&machine).memory_grow_failed(Error::msg("mmap")).is_err());
    }
}
