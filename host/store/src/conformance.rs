//! What every [`Store`] does, as a list of behaviours that each implementation is put through.
//!
//! A behaviour writes in phases. Between two phases the [`Subject`] may do to the store what happens to stores: nothing,
//! move its data from one internal place to another, or be closed, or killed, and opened again. The behaviour goes on with
//! the store it gets back and must not notice.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;

use crate::batch::{Batch, Change, Expect, Table};
use crate::random::Random;
use crate::store::{CommitError, Health, Order, Row, Store};

/// An implementation under test.
pub trait Subject {
    /// A new, empty store.
    fn create(&mut self) -> Arc<dyn Store>;

    /// The same data after something that must not be noticed. By default nothing happens.
    fn between_phases(&mut self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        store
    }
}

/// One thing that every store does.
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Says what it does.
    pub name: &'static str,
    run: fn(&mut dyn Subject),
}

/// Puts an implementation through every behaviour. Panics at the first one it does not show, naming it.
pub fn check(subject: &mut dyn Subject) {
    for behaviour in BEHAVIOURS {
        let _named = NameOnPanic(behaviour.name);
        (behaviour.run)(subject);
    }
}

struct NameOnPanic(&'static str);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the store does not show this behaviour: {}", self.0);
        }
    }
}

macro_rules! behaviours {
    ($($run:ident),* $(,)?) => {
        /// Every behaviour, by name.
        pub const BEHAVIOURS: &[Behaviour] = &[$(Behaviour { name: stringify!($run), run: $run }),*];
    };
}

behaviours![
    a_new_store_is_empty_and_healthy,
    an_empty_batch_succeeds,
    what_was_put_is_read_and_what_was_deleted_is_not,
    tables_are_separate_keyspaces,
    empty_keys_and_values_are_ordinary,
    the_later_change_of_one_key_in_a_batch_stands,
    each_expectation_holds_exactly_when_it_should,
    a_refused_batch_changes_nothing_and_names_its_first_failed_precondition,
    preconditions_do_not_see_their_own_batch,
    commits_are_decided_in_the_order_of_the_calls,
    ranges_are_bytewise_half_open_and_limited,
    ranges_hide_deletions_and_still_fill_their_limit,
    ranges_agree_with_a_model_through_many_changes,
    a_megabyte_is_an_ordinary_value,
    an_oversized_batch_is_refused_or_stored_whole,
    concurrent_compare_and_set_loses_no_update,
    concurrent_creation_has_one_winner,
    a_reader_never_sees_half_a_batch,
    a_dropped_commit_is_still_made,
    a_closed_store_refuses_commits_and_still_reads,
];

const TABLE: Table = Table::Runs;

fn committed(store: &dyn Store, batch: Batch) {
    assert_eq!(store.commit(batch).wait(), Ok(()));
}

fn value(store: &dyn Store, table: Table, key: &[u8]) -> Option<Bytes> {
    store.get(table, key).expect("the store can be read")
}

fn rows(store: &dyn Store, from: &[u8], to: &[u8], order: Order, limit: usize) -> Vec<Row> {
    store.range(TABLE, from, to, order, limit).expect("the store can be read")
}

fn keys(store: &dyn Store, from: &[u8], to: &[u8], order: Order, limit: usize) -> Vec<Bytes> {
    rows(store, from, to, order, limit).into_iter().map(|(key, _)| key).collect()
}

fn a_new_store_is_empty_and_healthy(subject: &mut dyn Subject) {
    let store = subject.create();
    assert_eq!(store.health(), Health::Ok);
    for table in Table::ALL {
        assert_eq!(value(&*store, table, b""), None);
        let all =
            store.range(table, b"", &[0xff; 8], Order::Ascending, usize::MAX).expect("the store can be read");
        assert_eq!(all, []);
    }
}

fn an_empty_batch_succeeds(subject: &mut dyn Subject) {
    let store = subject.create();
    committed(&*store, Batch::new());
    committed(&*store, Batch::new().require_absent(TABLE, "k"));
    assert!(store.commit(Batch::new().require_present(TABLE, "k")).wait().is_err());
}

fn what_was_put_is_read_and_what_was_deleted_is_not(subject: &mut dyn Subject) {
    let mut store = subject.create();
    committed(&*store, Batch::new().put(TABLE, "a", "1").put(TABLE, "b", "2").put(TABLE, "c", "3"));
    store = subject.between_phases(store);
    assert_eq!(value(&*store, TABLE, b"b").as_deref(), Some(&b"2"[..]));
    committed(&*store, Batch::new().put(TABLE, "a", "new").delete(TABLE, "b").delete(TABLE, "never there"));
    for _ in 0..2 {
        assert_eq!(value(&*store, TABLE, b"a").as_deref(), Some(&b"new"[..]));
        assert_eq!(value(&*store, TABLE, b"b"), None);
        assert_eq!(value(&*store, TABLE, b"c").as_deref(), Some(&b"3"[..]));
        store = subject.between_phases(store);
    }
    committed(&*store, Batch::new().put(TABLE, "b", "again"));
    store = subject.between_phases(store);
    assert_eq!(value(&*store, TABLE, b"b").as_deref(), Some(&b"again"[..]));
}

fn tables_are_separate_keyspaces(subject: &mut dyn Subject) {
    let mut store = subject.create();
    for table in Table::ALL {
        committed(&*store, Batch::new().require_absent(table, "key").put(table, "key", table.name()));
    }
    committed(&*store, Batch::new().delete(Table::Journal, "key"));
    store = subject.between_phases(store);
    for table in Table::ALL {
        let expected = (table != Table::Journal).then(|| Bytes::from(table.name()));
        assert_eq!(value(&*store, table, b"key"), expected);
    }
}

fn empty_keys_and_values_are_ordinary(subject: &mut dyn Subject) {
    let mut store = subject.create();
    committed(&*store, Batch::new().put(TABLE, "", "").put(TABLE, "x", ""));
    store = subject.between_phases(store);
    assert_eq!(value(&*store, TABLE, b""), Some(Bytes::new()));
    assert_eq!(keys(&*store, b"", b"y", Order::Ascending, 9), ["", "x"]);
    committed(&*store, Batch::new().require_prefix(TABLE, "", "").delete(TABLE, ""));
    assert_eq!(value(&*store, TABLE, b""), None);
}

fn the_later_change_of_one_key_in_a_batch_stands(subject: &mut dyn Subject) {
    let mut store = subject.create();
    committed(
        &*store,
        Batch::new().put(TABLE, "a", "1").put(TABLE, "a", "2").delete(TABLE, "b").put(TABLE, "b", "3"),
    );
    committed(&*store, Batch::new().put(TABLE, "c", "4").delete(TABLE, "c"));
    store = subject.between_phases(store);
    assert_eq!(value(&*store, TABLE, b"a").as_deref(), Some(&b"2"[..]));
    assert_eq!(value(&*store, TABLE, b"b").as_deref(), Some(&b"3"[..]));
    assert_eq!(value(&*store, TABLE, b"c"), None);
}

fn each_expectation_holds_exactly_when_it_should(subject: &mut dyn Subject) {
    let mut store = subject.create();
    let setup = Batch::new().put(TABLE, "there", "abc").put(TABLE, "gone", "abc").put(TABLE, "empty", "");
    committed(&*store, setup);
    store = subject.between_phases(store);
    committed(&*store, Batch::new().delete(TABLE, "gone"));
    let prefix = |prefix: &'static str| Expect::Prefix(Bytes::from(prefix));
    let cases = [
        ("there", Expect::Absent, false),
        ("there", Expect::Present, true),
        ("there", prefix(""), true),
        ("there", prefix("ab"), true),
        ("there", prefix("abc"), true),
        ("there", prefix("abcd"), false),
        ("there", prefix("b"), false),
        ("empty", Expect::Absent, false),
        ("empty", Expect::Present, true),
        ("empty", prefix(""), true),
        ("empty", prefix("a"), false),
        ("gone", Expect::Absent, true),
        ("gone", Expect::Present, false),
        ("gone", prefix(""), false),
        ("never", Expect::Absent, true),
        ("never", Expect::Present, false),
        ("never", prefix(""), false),
    ];
    for _ in 0..2 {
        for (key, expect, holds) in &cases {
            let outcome = store.commit(Batch::new().require(TABLE, *key, expect.clone())).wait();
            assert_eq!(outcome.is_ok(), *holds, "{key} {expect:?}: {outcome:?}");
        }
        store = subject.between_phases(store);
    }
}

fn a_refused_batch_changes_nothing_and_names_its_first_failed_precondition(subject: &mut dyn Subject) {
    let mut store = subject.create();
    committed(&*store, Batch::new().put(TABLE, "a", "v1 old"));
    let refused = Batch::new()
        .require_present(TABLE, "a")
        .require_prefix(TABLE, "a", "v2")
        .require_absent(TABLE, "a")
        .put(TABLE, "a", "v3")
        .put(Table::Journal, "b", "half");
    let outcome = store.commit(refused.clone()).wait();
    let precondition = refused.preconditions[1].clone();
    assert_eq!(outcome, Err(CommitError::Conflict { index: 1, precondition }));
    store = subject.between_phases(store);
    assert_eq!(value(&*store, TABLE, b"a").as_deref(), Some(&b"v1 old"[..]));
    assert_eq!(value(&*store, Table::Journal, b"b"), None);
    assert_eq!(store.health(), Health::Ok);
}

fn preconditions_do_not_see_their_own_batch(subject: &mut dyn Subject) {
    let store = subject.create();
    committed(&*store, Batch::new().put(TABLE, "a", "1").require_absent(TABLE, "a"));
    committed(&*store, Batch::new().delete(TABLE, "a").require_present(TABLE, "a"));
    assert_eq!(value(&*store, TABLE, b"a"), None);
}

/// Submits without waiting, so that an implementation that groups commits decides several of these in one group.
fn commits_are_decided_in_the_order_of_the_calls(subject: &mut dyn Subject) {
    const CHAINS: usize = 4;
    const LINKS: u32 = 50;
    let mut store = subject.create();
    thread::scope(|scope| {
        for chain in 0..CHAINS {
            let store = &store;
            scope.spawn(move || {
                let key = format!("chain {chain}");
                let first = Batch::new().require_absent(TABLE, key.clone()).put(
                    TABLE,
                    key.clone(),
                    0u32.to_be_bytes().to_vec(),
                );
                let mut commits = vec![(true, store.commit(first))];
                for link in 1..=LINKS {
                    let (before, after) = ((link - 1).to_be_bytes().to_vec(), link.to_be_bytes().to_vec());
                    let step = Batch::new().require_prefix(TABLE, key.clone(), before.clone());
                    commits.push((true, store.commit(step.put(TABLE, key.clone(), after))));
                    // The same step once more comes too late, and takes nobody with it.
                    let late = Batch::new().require_prefix(TABLE, key.clone(), before);
                    commits.push((false, store.commit(late.put(TABLE, key.clone(), "never"))));
                }
                for (number, (wins, commit)) in commits.into_iter().enumerate() {
                    let outcome = commit.wait();
                    let as_expected = if wins {
                        outcome == Ok(())
                    } else {
                        matches!(outcome, Err(CommitError::Conflict { index: 0, .. }))
                    };
                    assert!(as_expected, "{key}, commit {number}: {outcome:?}");
                }
            });
        }
    });
    store = subject.between_phases(store);
    let ends = rows(&*store, b"chain ", b"chain!", Order::Ascending, usize::MAX);
    assert!(ends.len() == CHAINS && ends.iter().all(|(_, link)| link[..] == LINKS.to_be_bytes()), "{ends:?}");
}

fn ranges_are_bytewise_half_open_and_limited(subject: &mut dyn Subject) {
    let mut store = subject.create();
    let keys_in_order: [&[u8]; 7] = [b"", b"\0", b"A", b"a", b"a\0", b"ab", b"\xff"];
    for key in [3, 0, 6, 2, 5, 1, 4].map(|index| keys_in_order[index]) {
        committed(&*store, Batch::new().put(TABLE, key, key));
        if key == b"A" {
            store = subject.between_phases(store);
        }
    }
    type Case = (&'static [u8], &'static [u8], usize, &'static [usize]);
    let cases: [Case; 9] = [
        (b"", b"\xff\xff", 99, &[0, 1, 2, 3, 4, 5, 6]),
        (b"", b"\xff", 99, &[0, 1, 2, 3, 4, 5]),
        (b"a", b"b", 99, &[3, 4, 5]),
        (b"a", b"ab", 99, &[3, 4]),
        (b"A", b"a", 99, &[2]),
        (b"B", b"a", 99, &[]),
        (b"a", b"a", 99, &[]),
        (b"b", b"a", 99, &[]),
        (b"", b"\xff", 0, &[]),
    ];
    for (from, to, limit, expected) in cases {
        let mut expected: Vec<&[u8]> = expected.iter().map(|index| keys_in_order[*index]).collect();
        assert_eq!(keys(&*store, from, to, Order::Ascending, limit), expected, "{from:?}..{to:?}");
        expected.reverse();
        assert_eq!(keys(&*store, from, to, Order::Descending, limit), expected, "{from:?}..{to:?}");
    }
    assert_eq!(keys(&*store, b"", b"\xff", Order::Ascending, 3), keys_in_order[..3]);
    assert_eq!(keys(&*store, b"", b"\xff", Order::Descending, 2), [keys_in_order[5], keys_in_order[4]]);
}

fn ranges_hide_deletions_and_still_fill_their_limit(subject: &mut dyn Subject) {
    let mut store = subject.create();
    let key = |number: u8| vec![b'k', number];
    let put = |numbers: &mut dyn Iterator<Item = u8>, text: &'static str| {
        numbers.fold(Batch::new(), |batch, number| batch.put(TABLE, key(number), text))
    };
    committed(&*store, put(&mut (0..60), "old"));
    store = subject.between_phases(store);
    let deletions =
        (0..60).filter(|number| number % 3 != 0).fold(Batch::new(), |batch, n| batch.delete(TABLE, key(n)));
    committed(&*store, deletions);
    committed(&*store, put(&mut [1, 30, 59].into_iter(), "new"));
    for _ in 0..2 {
        let found = rows(&*store, b"k", b"l", Order::Ascending, 12);
        let expected: Vec<u8> = [0, 1].into_iter().chain((3..).step_by(3)).take(12).collect();
        assert_eq!(found.iter().map(|(key, _)| key[1]).collect::<Vec<_>>(), expected);
        let found = rows(&*store, b"k", b"l", Order::Descending, 12);
        let expected: Vec<u8> = [59].into_iter().chain((0..=57).rev().step_by(3)).take(12).collect();
        assert_eq!(found.iter().map(|(key, _)| key[1]).collect::<Vec<_>>(), expected);
        for (key, value) in found {
            let expected = if [1, 30, 59].contains(&key[1]) { "new" } else { "old" };
            assert_eq!(value, expected, "{key:?}");
        }
        store = subject.between_phases(store);
    }
}

fn ranges_agree_with_a_model_through_many_changes(subject: &mut dyn Subject) {
    let mut store = subject.create();
    let mut model = std::collections::BTreeMap::<Bytes, Bytes>::new();
    let mut random = Random(42);
    for round in 0..60 {
        let mut batch = Batch::new();
        for _ in 0..random.below(12) {
            let key = Bytes::from(vec![random.below(40) as u8; 1 + random.below(2) as usize]);
            if random.below(3) == 0 {
                model.remove(&key);
                batch.push(Change::Delete { table: TABLE, key });
            } else {
                let value = Bytes::from(format!("{round}"));
                model.insert(key.clone(), value.clone());
                batch.push(Change::Put { table: TABLE, key, value });
            }
        }
        committed(&*store, batch);
        if round % 7 == 3 {
            store = subject.between_phases(store);
        }
        let (from, to) = (vec![random.below(20) as u8], vec![random.below(45) as u8]);
        let limit = random.below(15) as usize;
        let expected: Vec<Row> = model
            .iter()
            .filter(|(key, _)| **key >= from && **key < to)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let ascending: Vec<Row> = expected.iter().take(limit).cloned().collect();
        assert_eq!(rows(&*store, &from, &to, Order::Ascending, limit), ascending, "round {round}");
        let descending: Vec<Row> = expected.iter().rev().take(limit).cloned().collect();
        assert_eq!(rows(&*store, &from, &to, Order::Descending, limit), descending, "round {round}");
    }
}

fn a_megabyte_is_an_ordinary_value(subject: &mut dyn Subject) {
    let mut store = subject.create();
    let large = |fill: u8| Bytes::from(vec![fill; 1024 * 1024]);
    for fill in 1..=3 {
        committed(
            &*store,
            Batch::new().put(TABLE, vec![fill], large(fill)).put(TABLE, vec![fill, 0], "small"),
        );
        store = subject.between_phases(store);
    }
    for fill in 1..=3 {
        assert!(value(&*store, TABLE, &[fill]) == Some(large(fill)), "value {fill} differs");
    }
    assert_eq!(rows(&*store, &[0], &[9], Order::Ascending, 99).len(), 6);
}

fn an_oversized_batch_is_refused_or_stored_whole(subject: &mut dyn Subject) {
    let store = subject.create();
    let large = Bytes::from(vec![7; crate::MAX_BATCH_BYTES + 1]);
    match store.commit(Batch::new().put(TABLE, "large", large.clone())).wait() {
        Ok(()) => assert!(value(&*store, TABLE, b"large") == Some(large)),
        Err(CommitError::TooLarge { bytes, limit }) => {
            assert!(bytes > limit);
            assert_eq!(value(&*store, TABLE, b"large"), None);
        }
        Err(other) => panic!("{other}"),
    }
    committed(&*store, Batch::new().put(TABLE, "small", "1"));
}

fn concurrent_compare_and_set_loses_no_update(subject: &mut dyn Subject) {
    const THREADS: u64 = 8;
    const INCREMENTS: u64 = 25;
    let mut store = subject.create();
    committed(&*store, Batch::new().put(TABLE, "counter", 0u64.to_be_bytes().to_vec()));
    store = subject.between_phases(store);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut done = 0;
                while done < INCREMENTS {
                    let before = value(&*store, TABLE, b"counter").expect("the counter is there");
                    let count =
                        u64::from_be_bytes(before[..].try_into().expect("the counter has eight bytes"));
                    let after = Bytes::copy_from_slice(&(count + 1).to_be_bytes());
                    let step =
                        Batch::new().require_prefix(TABLE, "counter", before).put(TABLE, "counter", after);
                    match store.commit(step).wait() {
                        Ok(()) => done += 1,
                        Err(CommitError::Conflict { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    store = subject.between_phases(store);
    let counter = value(&*store, TABLE, b"counter").expect("the counter is there");
    assert_eq!(counter[..], (THREADS * INCREMENTS).to_be_bytes());
}

fn concurrent_creation_has_one_winner(subject: &mut dyn Subject) {
    let store = subject.create();
    let winners: Vec<u8> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16u8)
            .map(|number| {
                let store = &store;
                let create = Batch::new().require_absent(TABLE, "one").put(TABLE, "one", vec![number]);
                scope.spawn(move || store.commit(create).wait().is_ok().then_some(number))
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a creator panicked")).collect()
    });
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(value(&*store, TABLE, b"one").as_deref(), Some(&winners[..]));
}

fn a_reader_never_sees_half_a_batch(subject: &mut dyn Subject) {
    const BATCHES: u32 = 200;
    let store = subject.create();
    let batch = |number: u32| {
        let number = number.to_be_bytes().to_vec();
        Batch::new().put(TABLE, "x", number.clone()).put(TABLE, "y", number.clone()).put(TABLE, "z", number)
    };
    committed(&*store, batch(0));
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=BATCHES).for_each(|number| committed(&*store, batch(number))));
        let mut last = Bytes::new();
        while !writer.is_finished() {
            let found = rows(&*store, b"x", b"zz", Order::Ascending, 9);
            assert!(found.len() == 3 && found.iter().all(|(_, number)| *number == found[0].1), "{found:?}");
            assert!(found[0].1 >= last, "a read went back in time");
            last = found[0].1.clone();
        }
    });
}

fn a_dropped_commit_is_still_made(subject: &mut dyn Subject) {
    let mut store = subject.create();
    for number in 0..20u8 {
        drop(store.commit(Batch::new().put(TABLE, vec![number], "1")));
    }
    // Decided after all of the above, so durable after them.
    committed(&*store, Batch::new());
    store = subject.between_phases(store);
    assert_eq!(rows(&*store, &[0], &[99], Order::Ascending, 99).len(), 20);
}

fn a_closed_store_refuses_commits_and_still_reads(subject: &mut dyn Subject) {
    let store = subject.create();
    committed(&*store, Batch::new().put(TABLE, "a", "1"));
    let last = store.commit(Batch::new().put(TABLE, "b", "2"));
    store.close().expect("the store closes");
    store.close().expect("closing twice is closing once");
    assert_eq!(last.wait(), Ok(()));
    assert_eq!(store.commit(Batch::new().put(TABLE, "c", "3")).wait(), Err(CommitError::Closed));
    assert_eq!(store.health(), Health::Closed);
    assert_eq!(keys(&*store, b"a", b"z", Order::Ascending, 9), ["a", "b"]);
}
