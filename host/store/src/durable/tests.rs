//! What only this store can get wrong: groups, poison, recovery, what is refused when it is opened.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Condvar, Mutex};

use redb::backends::InMemoryBackend;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use super::machine::SimMachine as Machine;
use super::sim_disk::{Power, SimDisk};
use super::*;
use crate::batch::Class;
use crate::random::Random;
use crate::store::CommitError;

const LOG: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("log");
const OWN: TableDefinition<'static, &'static str, u64> = TableDefinition::new("store");
const TABLE: Table = Table::Runs;

/// The applier runs only when it is told to.
fn lazy(dir: &Path) -> RedbOptions {
    RedbOptions { apply_bytes: usize::MAX, apply_after: Duration::from_secs(3600), ..RedbOptions::new(dir) }
}

fn plenty() -> FreeSpace {
    FreeSpace::new(0, || Ok(u64::MAX))
}

fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Batch {
    Batch::new().put(TABLE, key, value)
}

fn raw(path: PathBuf) -> Database {
    Database::open(path).unwrap()
}

fn open_error(dir: &Path) -> String {
    RedbStore::open(&lazy(dir)).err().expect("the store must not open").to_string()
}

/// The entries in a closed store's log.
fn entries(dir: &Path) -> Vec<u64> {
    let transaction = raw(dir.join("log.redb")).begin_read().unwrap();
    let table = transaction.open_table(LOG).unwrap();
    table.range::<u64>(..).unwrap().map(|row| row.unwrap().0.value()).collect()
}

// ---- opening

#[test]
fn a_second_open_is_refused_and_names_the_directory_and_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let first = RedbStore::open(&lazy(dir.path())).unwrap();
    let expected = format!(
        "the data directory {} is in use by process {}; stop that process or choose another directory",
        dir.path().display(),
        std::process::id()
    );
    assert_eq!(open_error(dir.path()), expected);
    drop(first);
    RedbStore::open(&lazy(dir.path())).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(RedbStore::open(&lazy(dir.path())).unwrap());
    let set_format = |format: u64| {
        let transaction = raw(dir.path().join("state.redb")).begin_write().unwrap();
        transaction.open_table(OWN).unwrap().insert("format", format).unwrap();
        transaction.commit().unwrap();
    };
    set_format(FORMAT + 1);
    assert_eq!(
        open_error(dir.path()),
        "format version 6 is newer than this refrain reads (5): use a newer refrain"
    );
    set_format(FORMAT);
    RedbStore::open(&lazy(dir.path())).unwrap();
}

#[test]
fn damage_to_the_log_is_an_error_that_names_the_entry() {
    type Harm = fn(&mut redb::Table<'_, u64, &'static [u8]>);
    let cases: [(&str, Harm); 4] = [
        ("entry 2: its checksum is", |log| {
            let mut entry = log.get(2).unwrap().unwrap().value().to_vec();
            *entry.last_mut().unwrap() ^= 1;
            log.insert(2, &entry[..]).unwrap();
        }),
        ("entry 2: its layout 9 is unknown", |log| {
            log.insert(2, &[9, 0, 0, 0, 0][..]).unwrap();
        }),
        ("entry 3: it is shorter than its header", |log| {
            log.insert(3, &[][..]).unwrap();
        }),
        ("entry 2 is missing, the next one is 3", |log| {
            log.remove(2).unwrap();
        }),
    ];
    for (expected, harm) in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = RedbStore::open(&lazy(dir.path())).unwrap();
        for key in ["a", "b", "c"] {
            store.commit(put(key, "value")).wait().unwrap();
        }
        drop(store);
        let log = raw(dir.path().join("log.redb"));
        let transaction = log.begin_write().unwrap();
        harm(&mut transaction.open_table(LOG).unwrap());
        transaction.commit().unwrap();
        drop(log);
        let error = open_error(dir.path());
        assert!(error.contains(expected) && error.contains("log.redb is damaged"), "{error}");
    }
}

#[test]
fn a_missing_log_is_an_error_and_not_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(RedbStore::open(&lazy(dir.path())).unwrap());
    std::fs::remove_file(dir.path().join("log.redb")).unwrap();
    assert!(open_error(dir.path()).contains("log.redb is missing"));
}

#[test]
fn an_interrupted_creation_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    for leftover in ["log.new", "state.new"] {
        std::fs::write(dir.path().join(leftover), "the beginning of a datab").unwrap();
        drop(RedbStore::open(&lazy(dir.path())).unwrap());
        assert!(!dir.path().join("log.new").exists());
        std::fs::remove_file(dir.path().join("state.redb")).unwrap();
    }
}

#[test]
fn what_is_not_a_database_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("log.redb"), "not a database").unwrap();
    let error = open_error(dir.path());
    assert!(error.starts_with(&format!("open {}", dir.path().join("log.redb").display())), "{error}");
}

// ---- log and state

#[test]
fn the_log_keeps_what_the_state_has_not_and_closing_empties_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&lazy(dir.path())).unwrap();
    for key in 0..100u8 {
        store.commit(put(vec![key], "value")).wait().unwrap();
    }
    drop(store);
    assert_eq!(entries(dir.path()), (1..=100).collect::<Vec<_>>());

    let store = RedbStore::open(&lazy(dir.path())).unwrap();
    store.flush().unwrap();
    for key in 100..103u8 {
        store.commit(put(vec![key], "value")).wait().unwrap();
    }
    drop(store);
    // Three appends have each removed a few of the hundred.
    let left = entries(dir.path());
    assert!((4..100).contains(&left.len()) && left.ends_with(&[101, 102, 103]), "{left:?}");

    let store = RedbStore::open(&lazy(dir.path())).unwrap();
    store.close().unwrap();
    drop(store);
    assert_eq!(entries(dir.path()), [0u64; 0]);

    // Numbers go on where they were, although the log is empty.
    let store = RedbStore::open(&lazy(dir.path())).unwrap();
    store.commit(put("last", "value")).wait().unwrap();
    drop(store);
    assert_eq!(entries(dir.path()), [104]);
    let store = RedbStore::open(&lazy(dir.path())).unwrap();
    assert_eq!(store.range(TABLE, b"", b"\xff", Order::Ascending, usize::MAX).unwrap().len(), 104);
}

#[test]
fn commits_wait_for_the_state_rather_than_fill_memory() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 64 * 1024;
    let mut options = RedbOptions::new(dir.path());
    (options.tail_bytes, options.apply_bytes) = (limit, limit / 2);
    let store = RedbStore::open(&options).unwrap();
    let value = vec![7; 8 * 1024];
    for round in 0..20u8 {
        let commits: Vec<_> =
            (0..8u8).map(|key| store.commit(put(vec![round, key], value.clone()))).collect();
        commits.into_iter().for_each(|commit| commit.wait().unwrap());
        // One group may go over the limit, here at most all eight values.
        assert!(
            store.core.tail().bytes() < 2 * limit + 8 * 1024,
            "the tail grew to {}",
            store.core.tail().bytes()
        );
    }
    assert_eq!(store.range(TABLE, b"", b"\xff", Order::Ascending, usize::MAX).unwrap().len(), 160);
}

#[test]
fn a_nearly_full_disk_refuses_new_work_and_lets_running_work_end() {
    let free = Arc::new(AtomicU64::new(1000));
    let probed = Arc::clone(&free);
    let space = FreeSpace::new(500, move || Ok(probed.load(std::sync::atomic::Ordering::SeqCst)));
    let store = in_memory(Box::new(GatedLog::default()), space);
    let intake = |key: &'static str| store.commit(put(key, "value").class(Class::Intake)).wait();
    assert_eq!((intake("a"), store.health()), (Ok(()), Health::Ok));

    free.store(499, std::sync::atomic::Ordering::SeqCst);
    let refused = Err(CommitError::Full { free: 499, reserve: 500 });
    // The last answer of the probe is good for a moment.
    while intake("b") != refused {
        std::thread::yield_now();
    }
    assert_eq!(store.health(), Health::Full);
    store.commit(put("c", "value")).wait().unwrap();
    store.commit(Batch::new().delete(TABLE, "a")).wait().unwrap();

    free.store(500, std::sync::atomic::Ordering::SeqCst);
    while intake("d") == refused {
        std::thread::yield_now();
    }
    assert_eq!(store.health(), Health::Ok);
}

// ---- groups and poison

/// A log in memory whose appends can be held back and made to fail.
#[derive(Default, Clone)]
struct GatedLog(Arc<(Mutex<Gate>, Condvar)>);

#[derive(Default)]
struct Gate {
    closed: bool,
    waiting: usize,
    broken: bool,
    appended: Vec<(u64, Vec<u8>)>,
}

impl GatedLog {
    fn set(&self, change: impl FnOnce(&mut Gate)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits until an append stands before the closed gate.
    fn await_append(&self) {
        let gate = self.0.0.lock().unwrap();
        let _gate = self.0.1.wait_while(gate, |gate| gate.waiting == 0).unwrap();
    }

    fn changes(&self, index: usize) -> usize {
        let gate = self.0.0.lock().unwrap();
        let (seq, entry) = &gate.appended[index];
        entry::decode(*seq, &Bytes::from(entry.clone())).unwrap().len()
    }
}

impl Log for GatedLog {
    fn append(&mut self, seq: u64, entry: &[u8]) -> Result<(), StoreError> {
        let mut gate = self.0.0.lock().unwrap();
        gate.waiting += 1;
        self.0.1.notify_all();
        gate = self.0.1.wait_while(gate, |gate| gate.closed).unwrap();
        gate.waiting -= 1;
        if gate.broken {
            return Err(StoreError::io("append")(io::Error::from(io::ErrorKind::StorageFull)));
        }
        gate.appended.push((seq, entry.to_vec()));
        Ok(())
    }

    fn read_from(
        &mut self,
        _seq: u64,
        _visit: &mut dyn FnMut(u64, Bytes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    fn trim(&mut self, _seq: u64) {}

    fn finish(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn in_memory(log: Box<dyn Log>, space: FreeSpace) -> RedbStore {
    let state = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
    RedbStore::start(&lazy(Path::new("")), StateDb::open(state).unwrap(), log, space, None).unwrap()
}

#[test]
fn commits_that_arrive_during_a_write_share_the_next_one() {
    let log = GatedLog::default();
    let store = in_memory(Box::new(log.clone()), plenty());
    log.set(|gate| gate.closed = true);
    thread::scope(|scope| {
        let leader = scope.spawn(|| store.commit(put("leader", "1")).wait());
        log.await_append();
        let followers: Vec<_> = (0..10u8).map(|key| store.commit(put(vec![key], "1"))).collect();
        let refused = store.commit(put(vec![3], "2").require_absent(TABLE, vec![3]));
        let follows = store.commit(put(vec![3], "3").require_prefix(TABLE, vec![3], "1"));
        let visible = store.range(TABLE, b"", b"\xff", Order::Ascending, 99).unwrap();
        log.set(|gate| gate.closed = false);
        assert_eq!(visible, [], "neither the leader's change nor the group's is durable yet");
        assert_eq!(leader.join().unwrap(), Ok(()));
        followers.into_iter().for_each(|commit| assert_eq!(commit.wait(), Ok(())));
        assert!(matches!(refused.wait(), Err(CommitError::Conflict { index: 0, .. })));
        assert_eq!(follows.wait(), Ok(()));
    });
    assert_eq!((log.changes(0), log.changes(1)), (1, 11));
    assert_eq!(log.0.0.lock().unwrap().appended.len(), 2);
    assert_eq!(store.get(TABLE, &[3]).unwrap().unwrap(), "3");
}

#[test]
fn nobody_overtakes_a_commit_that_waits_for_the_committer() {
    let log = GatedLog::default();
    let state =
        StateDb::open(Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()).unwrap();
    let tail = Tail::new(state.snapshot().unwrap(), Layer::after(0));
    // A core whose committer thread is late.
    let core = Core::new(&lazy(Path::new("")), Box::new(log.clone()), state, tail, plenty(), 0);
    log.set(|gate| gate.closed = true);
    thread::scope(|scope| {
        let leader = scope.spawn(|| core.commit(put("leader", "1")).wait());
        log.await_append();
        let waits = core.commit(put("key", "1"));
        log.set(|gate| gate.closed = false);
        leader.join().unwrap().unwrap();
        let later = core.commit(put("key", "2").require_prefix(TABLE, "key", "1"));
        scope.spawn(|| core.run_committer());
        let outcomes = (waits.wait(), later.wait());
        core.stop();
        assert_eq!(outcomes, (Ok(()), Ok(())));
    });
}

#[test]
fn a_batch_that_changes_nothing_costs_no_write_and_still_keeps_its_place() {
    let log = GatedLog::default();
    let store = in_memory(Box::new(log.clone()), plenty());
    store.commit(Batch::new().require_absent(TABLE, "a")).wait().unwrap();
    assert!(store.commit(put("a", "1").require_present(TABLE, "a")).wait().is_err());
    assert_eq!(log.0.0.lock().unwrap().appended.len(), 0);
}

#[test]
fn a_failed_write_poisons_the_store_and_acknowledges_nothing() {
    let log = GatedLog::default();
    let store = in_memory(Box::new(log.clone()), plenty());
    store.commit(put("before", "1")).wait().unwrap();
    log.set(|gate| (gate.closed, gate.broken) = (true, true));
    thread::scope(|scope| {
        let leader = scope.spawn(|| store.commit(put("leader", "1")).wait());
        log.await_append();
        let follower = store.commit(put("follower", "1"));
        let refused = store.commit(put("x", "1").require_absent(TABLE, "before"));
        log.set(|gate| gate.closed = false);
        for outcome in [leader.join().unwrap(), follower.wait(), refused.wait()] {
            assert!(matches!(outcome, Err(CommitError::Poisoned(_))), "{outcome:?}");
        }
    });
    // The disk is well again, but nobody knows what is on it.
    log.set(|gate| gate.broken = false);
    assert!(matches!(store.commit(put("after", "1")).wait(), Err(CommitError::Poisoned(_))));
    assert!(matches!(store.health(), Health::Poisoned(reason) if reason.contains("append")));
    assert!(matches!(store.close(), Err(StoreError::Poisoned(_))));
    let visible = store.range(TABLE, b"", b"\xff", Order::Ascending, 99).unwrap();
    assert_eq!(visible, [(Bytes::from("before"), Bytes::from("1"))]);
}

#[test]
fn a_panic_during_a_write_poisons_the_store_and_answers_all_who_wait() {
    struct Panics(GatedLog);
    impl Log for Panics {
        fn append(&mut self, seq: u64, entry: &[u8]) -> Result<(), StoreError> {
            self.0.append(seq, entry)?;
            panic!("on purpose");
        }
        fn read_from(
            &mut self,
            seq: u64,
            visit: &mut dyn FnMut(u64, Bytes) -> Result<(), StoreError>,
        ) -> Result<(), StoreError> {
            self.0.read_from(seq, visit)
        }
        fn trim(&mut self, _seq: u64) {}
        fn finish(&mut self) -> Result<(), StoreError> {
            Ok(())
        }
    }
    let log = GatedLog::default();
    let store = in_memory(Box::new(Panics(log.clone())), plenty());
    log.set(|gate| gate.closed = true);
    thread::scope(|scope| {
        let leader = scope.spawn(|| store.commit(put("leader", "1")).wait());
        log.await_append();
        let follower = store.commit(put("follower", "1"));
        log.set(|gate| gate.closed = false);
        assert!(leader.join().is_err(), "the panic belongs to the caller");
        assert!(matches!(follower.wait(), Err(CommitError::Poisoned(_))));
    });
    assert!(matches!(store.commit(put("after", "1")).wait(), Err(CommitError::Poisoned(_))));
    assert!(store.close().is_err());
}

#[test]
fn a_state_that_cannot_be_written_poisons_the_store_and_loses_nothing() {
    let (well, failing) = (Power::for_operations(u64::MAX), Power::for_operations(u64::MAX));
    let machine =
        Machine { log: SimDisk::new(&well), state: SimDisk::new(&failing), power: Arc::clone(&failing) };
    // One commit fills the tail, so the next one waits for the applier.
    let store = machine.open_with(&RedbOptions { tail_bytes: 1, ..lazy(Path::new("")) }).unwrap();
    store.commit(put("acknowledged", "1")).wait().unwrap();
    let waiting = store.commit(put("waiting", "1"));
    failing.cut();
    assert!(matches!(store.flush(), Err(StoreError::Poisoned(_))));
    assert!(matches!(waiting.wait(), Err(CommitError::Poisoned(_))));
    assert!(matches!(store.health(), Health::Poisoned(reason) if reason.contains("write the state")));
    drop(store);
    let store = machine.after_power_cut(&mut Random(1), u64::MAX).open_applying(Applying::All).unwrap();
    let rows = store.range(TABLE, b"", b"\xff", Order::Ascending, 99).unwrap();
    assert_eq!(rows, [(Bytes::from("acknowledged"), Bytes::from("1"))]);
}

// ---- crashes

/// How the applier works while the power goes off.
#[derive(Clone, Copy, Debug)]
enum Applying {
    All,
    Some,
    Nothing,
}

const WRITERS: u8 = 3;
const BATCHES: u64 = 12;
/// How many journal rows a writer keeps; older ones are deleted.
const KEPT: u64 = 4;

impl Machine {
    /// Makes the state one of format 1, with the log as it is.
    fn age(&self) {
        let state = Database::builder().create_with_backend(self.state.clone()).unwrap();
        let transaction = state.begin_write().unwrap();
        transaction.open_table(OWN).unwrap().insert("format", 1).unwrap();
        let heartbeats: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("heartbeats");
        assert!(transaction.delete_table(heartbeats).unwrap());
        transaction.commit().unwrap();
    }

    fn open_applying(&self, applying: Applying) -> Result<RedbStore, StoreError> {
        let mut options = lazy(Path::new(""));
        (options.apply_bytes, options.apply_after) = match applying {
            Applying::All => (1, Duration::ZERO),
            Applying::Some => (3000, options.apply_after),
            Applying::Nothing => (options.apply_bytes, options.apply_after),
        };
        self.open_with(&options)
    }

    /// Several writers at once, each with its own records, until they are done or the power is off. Says how many batches
    /// of each writer were acknowledged.
    fn work(&self, applying: Applying) -> Vec<u64> {
        let Ok(store) = self.open_applying(applying) else {
            return vec![0; usize::from(WRITERS)];
        };
        let acknowledged = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let store = &store;
                    scope.spawn(move || {
                        let made = (1..=BATCHES)
                            .take_while(|number| store.commit(batch(writer, *number)).wait().is_ok());
                        made.count() as u64
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        // As a killed process does: nothing more reaches the disks, not even a good end of the databases.
        self.power.cut();
        acknowledged
    }
}

/// A writer's batch touches three tables; a part of it would show as a disagreement between them.
fn batch(writer: u8, number: u64) -> Batch {
    let version = number.to_be_bytes().to_vec();
    let entry = |number: u64| [&[writer][..], &number.to_be_bytes()].concat();
    let filler = vec![writer; 300 * (number % 5) as usize];
    let batch =
        Batch::new().put(Table::Runs, vec![writer], version.clone()).put(Table::Meta, vec![writer], version);
    let batch = match number.checked_sub(1).filter(|before| *before > 0) {
        Some(before) => batch.require_prefix(Table::Runs, vec![writer], before.to_be_bytes().to_vec()),
        None => batch.require_absent(Table::Runs, vec![writer]),
    };
    let batch = batch.put(Table::Journal, entry(number), filler);
    if number > KEPT { batch.delete(Table::Journal, entry(number - KEPT)) } else { batch }
}

/// Every acknowledged batch is there, and of every other one all or nothing.
fn check_recovered(store: &RedbStore, acknowledged: &[u64], what: &str) {
    for writer in 0..WRITERS {
        let version = |table| {
            store.get(table, &[writer]).unwrap().map_or(0, |v| u64::from_be_bytes(v[..].try_into().unwrap()))
        };
        let found = version(Table::Runs);
        let acknowledged = acknowledged[usize::from(writer)];
        assert!(found >= acknowledged, "{what}: writer {writer} was told {acknowledged} and finds {found}");
        assert!(
            found <= acknowledged + 1,
            "{what}: writer {writer} submitted {} and finds {found}",
            acknowledged + 1
        );
        assert_eq!(version(Table::Meta), found, "{what}: writer {writer}");
        let journal =
            store.range(Table::Journal, &[writer], &[writer + 1], Order::Ascending, usize::MAX).unwrap();
        let numbers: Vec<_> =
            journal.iter().map(|(key, _)| u64::from_be_bytes(key[1..].try_into().unwrap())).collect();
        let expected: Vec<_> = (found.saturating_sub(KEPT) + 1..=found).collect();
        assert_eq!(numbers, expected, "{what}: writer {writer}");
    }
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_acknowledged_and_leaves_no_half_batch() {
    for applying in [Applying::All, Applying::Some, Applying::Nothing] {
        let whole = Machine::new(u64::MAX);
        assert_eq!(whole.work(applying), [BATCHES; WRITERS as usize]);
        let operations = whole.power.operations();
        // Before and after each sync, and some moments in between. How the threads interleave differs from run to run,
        // so these are good places rather than exact ones.
        let mut random = Random(7);
        let mut moments: Vec<u64> =
            whole.power.syncs().into_iter().flat_map(|sync| [sync, sync + 1]).collect();
        moments.extend((0..100).map(|_| random.below(operations)));
        for moment in moments {
            let what = format!("{applying:?}, power cut at operation {moment} of {operations}");
            let machine = Machine::new(moment);
            let acknowledged = machine.work(applying);

            // The power goes again while the store recovers, and once more it must not matter.
            let again = machine.after_power_cut(&mut random, 1 + moment % 60);
            if let Ok(store) = again.open_applying(Applying::All) {
                check_recovered(&store, &acknowledged, &what);
                again.power.cut();
            }
            let last = again.after_power_cut(&mut random, u64::MAX);
            let store = last.open_applying(applying).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_recovered(&store, &acknowledged, &what);
            // And it is a store like any other.
            store.commit(Batch::new().put(Table::Ready, "again", "1")).wait().unwrap();
            store.close().unwrap();
        }
    }
}

#[test]
fn a_power_cut_while_an_older_format_is_brought_forward_loses_nothing() {
    let mut random = Random(11);
    let written = Machine::new(u64::MAX);
    let acknowledged = written.work(Applying::Nothing);
    let old = written.after_power_cut(&mut random, u64::MAX);
    old.age();
    let whole = old.after_power_cut(&mut random, u64::MAX);
    drop(whole.open_applying(Applying::Nothing).unwrap());
    for moment in 0..whole.power.operations() {
        let what = format!("power cut at operation {moment}");
        let machine = old.after_power_cut(&mut random, moment);
        drop(machine.open_applying(Applying::Nothing));
        machine.power.cut();
        let last = machine.after_power_cut(&mut random, u64::MAX);
        let store = last.open_applying(Applying::Nothing).unwrap_or_else(|error| panic!("{what}: {error}"));
        check_recovered(&store, &acknowledged, &what);
        store.commit(Batch::new().put(Table::Heartbeats, "beat", "1")).wait().unwrap();
        store.close().unwrap();
    }
}
