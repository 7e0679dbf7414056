//! A simulated machine: the durable store on two disks that forget, and a power switch.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::Database;

use super::dir::FreeSpace;
use super::log::RedbLog;
use super::sim_disk::{Power, SimDisk};
use super::state::StateDb;
use super::{RedbOptions, RedbStore, database_error};
use crate::random::Random;
use crate::store::StoreError;

/// A machine whose power goes off at a chosen operation of its disks. What was not synced by then survives in part.
pub struct SimMachine {
    pub(super) log: SimDisk,
    pub(super) state: SimDisk,
    pub(super) power: Arc<Power>,
}

impl SimMachine {
    /// A machine with two empty databases and power for this many operations.
    pub fn new(operations: u64) -> Self {
        let (power, enough) = (Power::for_operations(operations), Power::for_operations(u64::MAX));
        let empty = || {
            let disk = SimDisk::new(&enough);
            drop(Database::builder().create_with_backend(disk.clone()).expect("a database on a new disk"));
            disk.after_power_cut(&mut Random(0), &power)
        };
        Self { log: empty(), state: empty(), power }
    }

    /// The machine when the power is back, for so many operations. The seed decides what has survived.
    pub fn restarted(&self, seed: u64, operations: u64) -> Self {
        self.after_power_cut(&mut Random(seed), operations)
    }

    /// From now on the disks refuse everything.
    pub fn cut_power(&self) {
        self.power.cut();
    }

    /// Opens the store. Its state is brought up to date only when that is asked for: the thread that does it would
    /// come at another moment each time.
    ///
    /// # Errors
    /// As [`RedbStore::open`], and when the power goes meanwhile.
    pub fn open(&self) -> Result<RedbStore, StoreError> {
        self.open_with(&RedbOptions {
            apply_bytes: usize::MAX,
            apply_after: Duration::from_secs(1_000_000),
            ..RedbOptions::new(Path::new(""))
        })
    }

    pub(super) fn open_with(&self, options: &RedbOptions) -> Result<RedbStore, StoreError> {
        let database = |disk: &SimDisk| {
            let database = Database::builder().set_cache_size(1 << 20).create_with_backend(disk.clone());
            database.map_err(database_error("open"))
        };
        let log = RedbLog::open(database(&self.log)?)?;
        let state = StateDb::open(database(&self.state)?)?;
        RedbStore::start(options, state, Box::new(log), FreeSpace::new(0, || Ok(u64::MAX)), None)
    }

    pub(super) fn after_power_cut(&self, random: &mut Random, operations: u64) -> Self {
        let power = Power::for_operations(operations);
        let log = self.log.after_power_cut(random, &power);
        Self { log, state: self.state.after_power_cut(random, &power), power }
    }
}
