//! A disk that loses what was not synced.
//!
//! `kill -9` leaves the page cache whole and so proves nothing about syncs. A [`SimDisk`] keeps writes since the last
//! sync apart; when the power goes, each of them survives whole, not at all, or torn at sectors, whatever order they were
//! made in. A [`Power`] switch is shared by all disks of one machine and goes off at a chosen operation.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use crate::random::Random;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The power of a machine: it goes off before an operation with a chosen number, and then stays off.
#[derive(Debug)]
pub(super) struct Power {
    operations: AtomicU64,
    off_at: AtomicU64,
    syncs: Mutex<Vec<u64>>,
}

impl Power {
    /// Power for this many operations of the disks.
    pub(super) fn for_operations(count: u64) -> Arc<Self> {
        Arc::new(Self {
            operations: AtomicU64::new(0),
            off_at: AtomicU64::new(count),
            syncs: Mutex::default(),
        })
    }

    #[cfg(test)]
    /// How many operations there have been.
    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    /// The numbers of those that were syncs.
    pub(super) fn syncs(&self) -> Vec<u64> {
        self.syncs.lock().unwrap().clone()
    }

    /// Off from the next operation on.
    pub(super) fn cut(&self) {
        self.off_at.store(0, Ordering::SeqCst);
    }

    fn spend(&self, sync: bool) -> io::Result<()> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst);
        if number >= self.off_at.load(Ordering::SeqCst) {
            return Err(io::Error::other("the power is off"));
        }
        if sync {
            self.syncs.lock().unwrap().push(number);
        }
        Ok(())
    }
}

/// A disk with a write cache that does not survive a power cut.
#[derive(Clone, Debug)]
pub(super) struct SimDisk {
    contents: Arc<Mutex<Contents>>,
    power: Arc<Power>,
}

#[derive(Debug, Default)]
struct Contents {
    /// What reads see.
    cached: Vec<u8>,
    /// What survives for certain.
    durable: Vec<u8>,
    /// What was done to the one and not yet to the other.
    unsynced: Vec<Operation>,
}

#[derive(Debug)]
enum Operation {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Operation {
    fn apply(&self, disk: &mut Vec<u8>) {
        match self {
            Operation::Write { offset, bytes } => write(disk, *offset, bytes),
            Operation::SetLen(length) => disk.resize(*length, 0),
        }
    }
}

fn write(disk: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if disk.len() < end {
        disk.resize(end, 0);
    }
    disk[offset..end].copy_from_slice(bytes);
}

impl SimDisk {
    /// An empty disk.
    pub(super) fn new(power: &Arc<Power>) -> Self {
        Self { contents: Arc::default(), power: Arc::clone(power) }
    }

    /// The disk as it is found after a power cut, in a machine with this power.
    pub(super) fn after_power_cut(&self, random: &mut Random, power: &Arc<Power>) -> Self {
        let contents = self.contents();
        let mut found = contents.durable.clone();
        for operation in &contents.unsynced {
            match (random.below(3), operation) {
                (0, _lost) => {}
                (1, whole) => whole.apply(&mut found),
                (_, Operation::SetLen(_)) => operation.apply(&mut found),
                (_, Operation::Write { offset, bytes }) => {
                    for (sector, bytes) in bytes.chunks(SECTOR).enumerate() {
                        if random.below(2) == 0 {
                            write(&mut found, offset + sector * SECTOR, bytes);
                        }
                    }
                }
            }
        }
        let contents = Contents { cached: found.clone(), durable: found, unsynced: Vec::new() };
        Self { contents: Arc::new(Mutex::new(contents)), power: Arc::clone(power) }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    fn change(&self, operation: Operation) -> io::Result<()> {
        self.power.spend(false)?;
        let mut contents = self.contents();
        operation.apply(&mut contents.cached);
        contents.unsynced.push(operation);
        Ok(())
    }
}

impl StorageBackend for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.contents().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let contents = self.contents();
        let bytes = contents.cached.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLen(len as usize))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Operation::Write { offset: offset as usize, bytes: data.to_vec() })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.power.spend(true)?;
        let mut contents = self.contents();
        let Contents { durable, unsynced, .. } = &mut *contents;
        for operation in unsynced.drain(..) {
            operation.apply(durable);
        }
        Ok(())
    }
}
