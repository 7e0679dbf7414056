//! The store of one host: a commit log and a state database, both redb, in one directory.
//!
//! ```text
//!   commit ──> decide against state + tail ──> append to log.redb, one sync ──> tail ──> answer
//!                                                                                │
//!                          state.redb <── large transactions, coalesced ── applier thread
//! ```
//!
//! A commit costs one small synchronous write, shared with all that were waiting at that moment; the many small record
//! and index updates it implies reach the state later and together. The state says up to which entry of the log it has
//! come, so opening reads the log from there on, and the log is trimmed only up to there.
//!
//! | file | concept |
//! |---|---|
//! | [`dir`] | the directory, its lock, free space |
//! | [`entry`] | an entry of the log as bytes |
//! | [`log`] | where entries are kept |
//! | [`state`] | the state database |
//! | [`tail`] | what the log has and the state has not, and how reads see both |
//! | [`core`] | who commits when, what poisons the store, who applies |

mod core;
mod dir;
mod entry;
mod log;
#[cfg(any(test, feature = "testing"))]
mod machine;
mod pinning;
#[cfg(any(test, feature = "testing"))]
mod sim_disk;
mod state;
mod tail;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use redb::Database;

use self::core::Core;
pub use self::core::MAX_BATCH_BYTES;
pub(crate) use self::dir::sync_dir;
use self::dir::{DataDir, FreeSpace};
use self::log::{Log, RedbLog};
#[cfg(any(test, feature = "testing"))]
pub use self::machine::SimMachine;
pub use self::state::FORMAT;
use self::state::StateDb;
use self::tail::{Layer, Tail};
use crate::batch::{Batch, Table};
use crate::store::{Commit, Health, Order, Row, Store, StoreError};

/// The commit log's database.
const LOG_FILE: &str = "log.redb";
/// The state database.
const STATE_FILE: &str = "state.redb";

/// Where a [`RedbStore`] lives and what it may use.
#[derive(Clone, Debug)]
pub struct RedbOptions {
    /// The data directory. It is created if it does not exist.
    pub dir: PathBuf,
    /// Memory for pages of the state database, 64 MiB by default: the inner pages of a few gigabytes of state and the
    /// records of the runs at work. Colder pages come from the operating system's cache.
    pub state_cache_bytes: usize,
    /// Memory for pages of the commit log, 16 MiB by default. It is written at one end and read only when it is opened,
    /// so this need only hold one group commit.
    pub log_cache_bytes: usize,
    /// The state is brought up to date once this much has been committed since the last time, 8 MiB by default: large
    /// enough to coalesce a hot record's updates, small enough that a pass ends well before the log is full.
    pub apply_bytes: usize,
    /// The state is brought up to date at the latest after this time, 1 s by default, so that opening after a crash has
    /// little to read.
    pub apply_after: Duration,
    /// Commits wait once this much has been committed that the state does not have yet, 64 MiB by default. It bounds the
    /// memory of the tail, the length of the log and the time that opening takes.
    pub tail_bytes: usize,
    /// Free space on the disk that only batches of the class `Completion` may use, 256 MiB by default: several times
    /// what the log and one pass of the applier can take, so that running work can still end.
    pub reserve_bytes: u64,
}

impl RedbOptions {
    /// The defaults, in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            dir: dir.into(),
            state_cache_bytes: 64 * MIB,
            log_cache_bytes: 16 * MIB,
            apply_bytes: 8 * MIB,
            apply_after: Duration::from_secs(1),
            tail_bytes: 64 * MIB,
            reserve_bytes: 256 * MIB as u64,
        }
    }
}

/// A durable store in one directory, for one process.
///
/// A commit that finds no other in flight is written by the calling thread itself; those that arrive meanwhile are
/// written together, as the next group, by a thread of the store. Dropping the store without [`close`](Store::close) is
/// what a crash is: nothing acknowledged is lost, and the next open has the log's tail to read.
pub struct RedbStore {
    core: Arc<Core>,
    threads: Vec<JoinHandle<()>>,
    /// Given up last, when the databases are closed.
    _dir: Option<DataDir>,
}

impl RedbStore {
    /// Opens the store in a directory, or creates it.
    pub fn open(options: &RedbOptions) -> Result<Self, StoreError> {
        let dir = DataDir::lock(&options.dir)?;
        if dir.path(STATE_FILE).exists() && !dir.path(LOG_FILE).exists() {
            let detail = format!("{LOG_FILE} is missing, and with it what was committed last");
            return Err(StoreError::damaged(options.dir.display(), detail));
        }
        // The log first: a state without a log is then never the leftover of an interrupted creation.
        let log = open_database(&dir, LOG_FILE, options.log_cache_bytes)?;
        let state = open_database(&dir, STATE_FILE, options.state_cache_bytes)?;
        let space = FreeSpace::of(&options.dir, options.reserve_bytes);
        Self::start(options, StateDb::open(state)?, Box::new(RedbLog::open(log)?), space, Some(dir))
    }

    fn start(
        options: &RedbOptions,
        state: StateDb,
        mut log: Box<dyn Log>,
        space: FreeSpace,
        dir: Option<DataDir>,
    ) -> Result<Self, StoreError> {
        let mut layer = read_tail(&mut *log, state.applied()?)?;
        if state.is_of_older_format()? {
            state.apply(&layer)?;
            state.bring_forward()?;
            layer = Layer::after(layer.last_seq());
        }
        let applied = state.applied()?;
        let tail = Tail::new(state.snapshot()?, layer);
        let core = Arc::new(Core::new(options, log, state, tail, space, applied));
        let mut store = Self { core: Arc::clone(&core), threads: Vec::new(), _dir: dir };
        store.spawn("refrain-commit", Core::run_committer)?;
        store.spawn("refrain-apply", Core::run_applier)?;
        Ok(store)
    }

    fn spawn(&mut self, name: &str, body: fn(&Core)) -> Result<(), StoreError> {
        let core = Arc::clone(&self.core);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || core.guarded(body));
        self.threads.push(thread.map_err(StoreError::io(format_args!("start the thread {name}")))?);
        Ok(())
    }

    /// Brings the state up to date with everything that was committed before the call. Blocks meanwhile.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.core.flush()
    }
}

impl Store for RedbStore {
    fn commit(&self, batch: Batch) -> Commit {
        self.core.commit(batch)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.core.tail().get(table, key)
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.core.tail().range(table, from, to, order, limit)
    }

    fn health(&self) -> Health {
        self.core.health()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.core.close()
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.core.stop();
        for thread in self.threads.drain(..) {
            // A panic in the thread has poisoned the store and was reported then.
            let _ended = thread.join();
        }
    }
}

/// The changes of the log's entries past the state. They must be there without a gap: each was acknowledged.
fn read_tail(log: &mut dyn Log, applied: u64) -> Result<Layer, StoreError> {
    let mut layer = Layer::after(applied);
    log.read_from(applied + 1, &mut |seq, entry| {
        let expected = layer.last_seq() + 1;
        if seq != expected {
            let detail = format!("entry {expected} is missing, the next one is {seq}");
            return Err(StoreError::damaged(LOG_FILE, detail));
        }
        let changes = entry::decode(seq, &entry)
            .map_err(|detail| StoreError::damaged(LOG_FILE, format_args!("entry {seq}: {detail}")))?;
        layer.add(seq, changes, entry.len());
        Ok(())
    })?;
    Ok(layer)
}

/// Opens a database of the directory, or creates it.
fn open_database(dir: &DataDir, name: &str, cache_bytes: usize) -> Result<Database, StoreError> {
    let path = dir.path(name);
    if !path.exists() {
        create_database(&path)?;
        dir.sync()?;
    }
    let opened = Database::builder().set_cache_size(cache_bytes).open(&path);
    opened.map_err(database_error(&format!("open {}", path.display())))
}

/// A power cut while redb initialises a file leaves one that it cannot open, so a database gets its name when it is whole.
fn create_database(path: &Path) -> Result<(), StoreError> {
    let what = format!("create {}", path.display());
    let unfinished = path.with_extension("new");
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(StoreError::io(&what))?;
    }
    drop(Database::create(&unfinished).map_err(database_error(&what))?);
    let synced = File::open(&unfinished).and_then(|file| file.sync_all());
    synced.and_then(|()| fs::rename(&unfinished, path)).map_err(StoreError::io(&what))
}

fn database_error<E: Into<redb::Error>>(what: &str) -> impl FnOnce(E) -> StoreError + '_ {
    move |source| StoreError::Database { what: what.to_owned(), source: Box::new(source.into()) }
}
