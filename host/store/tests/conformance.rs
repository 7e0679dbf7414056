//! Every implementation, through every behaviour.

use std::sync::Arc;
use std::time::Duration;

use refrain_store::conformance::{Subject, check};
use refrain_store::{FaultyStore, MemoryStore, RedbOptions, RedbStore, Store};
use tempfile::TempDir;

/// A store that needs nothing but a constructor.
struct Plain(fn() -> Arc<dyn Store>);

impl Subject for Plain {
    fn create(&mut self) -> Arc<dyn Store> {
        (self.0)()
    }
}

/// What happens to a redb store between two phases.
#[derive(Clone, Copy)]
enum Between {
    /// Nothing: the log's tail holds everything.
    Nothing,
    /// The state takes over the tail, so that later phases read both.
    Flush,
    /// As after a crash: the tail is read from the log.
    Reopen,
    /// As after a shutdown in good order.
    CloseAndReopen,
}

struct Redb {
    between: Between,
    /// The applier runs all the time, instead of only when it is told to.
    eager: bool,
    dir: TempDir,
    store: Option<Arc<RedbStore>>,
}

impl Redb {
    fn new(between: Between, eager: bool) -> Self {
        Self { between, eager, dir: new_dir(), store: None }
    }

    fn open(&mut self) -> Arc<dyn Store> {
        let mut options = RedbOptions::new(self.dir.path().join("data"));
        (options.apply_bytes, options.apply_after) =
            if self.eager { (1, Duration::ZERO) } else { (usize::MAX, Duration::from_secs(3600)) };
        let store = Arc::new(RedbStore::open(&options).unwrap());
        self.store = Some(Arc::clone(&store));
        store
    }
}

fn new_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

impl Subject for Redb {
    fn create(&mut self) -> Arc<dyn Store> {
        self.store = None;
        self.dir = new_dir();
        self.open()
    }

    fn between_phases(&mut self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let redb = self.store.take().expect("a store was created");
        match self.between {
            Between::Nothing | Between::Reopen => {}
            Between::Flush => redb.flush().unwrap(),
            Between::CloseAndReopen => redb.close().unwrap(),
        }
        if let Between::Nothing | Between::Flush = self.between {
            self.store = Some(redb);
            return store;
        }
        drop(store);
        assert_eq!(Arc::strong_count(&redb), 1, "the behaviour keeps another handle of the store");
        drop(redb);
        self.open()
    }
}

#[test]
fn memory() {
    check(&mut Plain(|| Arc::new(MemoryStore::new())));
}

#[test]
fn faulty_without_a_fault() {
    check(&mut Plain(|| Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())))));
}

#[test]
fn redb_in_the_tail() {
    check(&mut Redb::new(Between::Nothing, false));
}

#[test]
fn redb_across_tail_and_state() {
    check(&mut Redb::new(Between::Flush, false));
}

#[test]
fn redb_while_the_state_is_written() {
    check(&mut Redb::new(Between::Nothing, true));
}

#[test]
fn redb_reopened_with_a_tail() {
    check(&mut Redb::new(Between::Reopen, false));
}

#[test]
fn redb_reopened_after_closing() {
    check(&mut Redb::new(Between::CloseAndReopen, true));
}
