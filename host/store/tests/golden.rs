//! Data that an earlier version wrote opens, and says what it said.
//!
//! `tests/golden/format-N` is a data directory as a host left it that was killed: part of it in the state, part in the
//! log. Its files are kept with their long runs of equal bytes shortened. Each format that was ever released keeps its directory, and
//! nobody writes it again: `REFRAIN_BLESS=1` makes only what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::ReadableDatabase;
use refrain_store::{Batch, FORMAT, Order, RedbOptions, RedbStore, Store, Table};

/// A pair costs nine bytes.
const WORTH_A_PAIR: usize = 16;
const FILES: [&str; 2] = ["log.redb", "state.redb"];

fn golden(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format-{format}"))
}

fn open(dir: &Path) -> RedbStore {
    let apply = (usize::MAX, Duration::from_secs(3600));
    RedbStore::open(&RedbOptions { apply_bytes: apply.0, apply_after: apply.1, ..RedbOptions::new(dir) })
        .unwrap()
}

/// Something of everything: all tables, a large value, keys of all bytes, rows that were overwritten and deleted.
fn write(dir: &Path) {
    let store = open(dir);
    for table in Table::ALL {
        store
            .commit(Batch::new().put(table, "in the state", table.name()).put(table, "deleted", ""))
            .wait()
            .unwrap();
    }
    store
        .commit(Batch::new().put(Table::Journal, "large", large()).put(Table::Runs, "over", "written"))
        .wait()
        .unwrap();
    store.flush().unwrap();
    for table in Table::ALL {
        store
            .commit(Batch::new().put(table, "in the log", table.name()).delete(table, "deleted"))
            .wait()
            .unwrap();
    }
    let bytes: Vec<u8> = (0..=255).collect();
    store
        .commit(Batch::new().put(Table::Runs, "over", "anew").put(Table::Mailbox, bytes, ""))
        .wait()
        .unwrap();
}

fn large() -> Vec<u8> {
    (0..1500u32).flat_map(u32::to_le_bytes).map(|byte| byte & 0x0f).collect()
}

/// The tables that a directory of this format has rows in.
fn tables(format: u64) -> &'static [Table] {
    static ALL: [Table; Table::ALL.len()] = Table::ALL;
    match format {
        1 => &ALL[..=usize::from(Table::ComponentVersions.number())],
        2 | 3 => &ALL[..=usize::from(Table::Heartbeats.number())],
        _ => &ALL,
    }
}

fn check(store: &RedbStore, format: u64) {
    for table in Table::ALL {
        let has_rows = tables(format).contains(&table);
        let rows = store.range(table, b"", &[0xff; 2], Order::Ascending, usize::MAX).unwrap();
        let texts = rows.iter().filter(|(key, _)| key.starts_with(b"in "));
        let expected = [("in the log", table.name()), ("in the state", table.name())];
        let expected = expected.into_iter().filter(|_| has_rows);
        assert!(
            texts
                .map(|(key, value)| (&key[..], &value[..]))
                .eq(expected.map(|(k, v)| (k.as_bytes(), v.as_bytes())))
        );
        let count = match table {
            Table::Journal | Table::Runs | Table::Mailbox => 3,
            _ if has_rows => 2,
            _ => 0,
        };
        assert_eq!(rows.len(), count, "{table:?}: {rows:?}");
    }
    assert!(store.get(Table::Journal, b"large").unwrap().unwrap() == large());
    assert_eq!(store.get(Table::Runs, b"over").unwrap().unwrap(), "anew");
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(store.get(Table::Mailbox, &bytes).unwrap().unwrap(), "");
}

/// A file as pairs of some bytes and then one byte that is repeated: lengths take four bytes, little endian.
fn pack(file: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut literal = Vec::new();
    for run in file.chunk_by(|one, next| one == next) {
        if run.len() < WORTH_A_PAIR {
            literal.extend(run);
            continue;
        }
        packed.extend((literal.len() as u32).to_le_bytes());
        packed.append(&mut literal);
        packed.extend((run.len() as u32).to_le_bytes());
        packed.push(run[0]);
    }
    // A last pair repeats nothing.
    packed.extend((literal.len() as u32).to_le_bytes());
    packed.extend(literal);
    packed.extend([0; 5]);
    packed
}

fn unpack(mut packed: &[u8]) -> Vec<u8> {
    fn take<'a>(packed: &mut &'a [u8], length: usize) -> &'a [u8] {
        packed.split_off(..length).expect("the golden file is whole")
    }
    fn length(packed: &mut &[u8]) -> usize {
        u32::from_le_bytes(take(packed, 4).try_into().unwrap()) as usize
    }
    let mut file = Vec::new();
    while !packed.is_empty() {
        let literal = length(&mut packed);
        file.extend(take(&mut packed, literal));
        let repeated = length(&mut packed);
        file.resize(file.len() + repeated, take(&mut packed, 1)[0]);
    }
    file
}

/// The format that the state says it has.
fn stored_format(dir: &Path) -> u64 {
    const OWN: redb::TableDefinition<'static, &'static str, u64> = redb::TableDefinition::new("store");
    let state = redb::Database::open(dir.join("state.redb")).unwrap();
    let own = state.begin_read().unwrap().open_table(OWN).unwrap();
    own.get("format").unwrap().expect("a state has a format").value()
}

fn bless(golden: &Path) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    fs::create_dir_all(golden).unwrap();
    for name in FILES {
        fs::write(
            golden.join(name).with_extension("packed"),
            pack(&fs::read(dir.path().join(name)).unwrap()),
        )
        .unwrap();
    }
}

#[test]
fn every_format_there_ever_was_opens_and_is_written_to() {
    for format in 1..=FORMAT {
        let golden = golden(format);
        if !golden.exists() && std::env::var_os("REFRAIN_BLESS").is_some() {
            bless(&golden);
        }
        let dir = tempfile::tempdir().unwrap();
        for name in FILES {
            let packed = fs::read(golden.join(name).with_extension("packed"));
            let packed =
                packed.expect("each format has golden files; REFRAIN_BLESS=1 writes those of a new one");
            fs::write(dir.path().join(name), unpack(&packed)).unwrap();
        }
        let store = open(dir.path());
        check(&store, format);
        for table in Table::ALL {
            store.commit(Batch::new().put(table, "new", "1")).wait().unwrap();
            store.commit(Batch::new().delete(table, "new")).wait().unwrap();
        }
        store.close().unwrap();
        drop(store);
        assert_eq!(stored_format(dir.path()), FORMAT);
        check(&open(dir.path()), format);
    }
}
