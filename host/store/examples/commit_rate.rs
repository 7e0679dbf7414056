//! How many commits a second the store makes, beside what the disk can do.
//!
//! ```text
//! cargo run --release -p refrain-store --example commit_rate [DIR]
//! ```
//!
//! DIR is where the temporary data goes, by default the current directory: it must be on the disk that is of interest.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use refrain_store::{Batch, MemoryStore, RedbOptions, RedbStore, Store, Table};

const RUN_FOR: Duration = Duration::from_secs(4);
const RUNS_PER_CLIENT: u64 = 50;

fn main() {
    let parent = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let dir = parent.join(format!("commit-rate-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("the directory can be created");
    println!(
        "fdatasync p50: {:?} for an overwritten page, {:?} for an appended one",
        sync_p50(&dir, false),
        sync_p50(&dir, true)
    );
    for clients in [1, 64, 256] {
        let options = RedbOptions::new(dir.join(format!("redb-{clients}")));
        let open = || RedbStore::open(&options).expect("the store opens");
        let redb = open();
        report("redb", clients, &redb);
        drop(redb);
        let (unclean, redb) = timed(open);
        let (close, ()) = timed(|| redb.close().expect("the store closes"));
        drop(redb);
        let (clean, _redb) = timed(open);
        println!(
            "opened in {unclean:?} without a close, closed in {close:?}, opened in {clean:?} after that"
        );
        report("memory", clients, &MemoryStore::new());
    }
    fs::remove_dir_all(&dir).expect("the directory can be removed");
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// The median time of a four-kilobyte write and its sync.
fn sync_p50(dir: &Path, append: bool) -> Duration {
    let page = [7; 4096];
    let mut file = File::create(dir.join("sync")).expect("the file can be created");
    file.write_all(&[0; 4096]).and_then(|()| file.sync_all()).expect("the file can be written");
    let mut times: Vec<Duration> = (1..500)
        .map(|number| {
            let start = Instant::now();
            let offset = if append { number * page.len() as u64 } else { 0 };
            file.write_all_at(&page, offset)
                .and_then(|()| file.sync_data())
                .expect("the file can be written");
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Clients that each commit one step after another: a journal row, the run's record, and rows that come and go.
fn report(name: &str, clients: u64, store: &dyn Store) {
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|client| {
                let (stop, total) = (&stop, &total);
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        store.commit(step(client, times.len() as u64)).wait().expect("the commit succeeds");
                        times.push(start.elapsed());
                    }
                    total.fetch_add(times.len() as u64, Ordering::Relaxed);
                    times
                })
            })
            .collect();
        thread::sleep(RUN_FOR);
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client panicked")).collect()
    });
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    let rate = total.into_inner() as f64 / RUN_FOR.as_secs_f64();
    println!("{name:6} {clients:3} clients: {rate:8.0} commits/s, p50 {:?}, p99 {:?}", at(50), at(99));
}

fn step(client: u64, number: u64) -> Batch {
    let run = [client.to_be_bytes(), (number / 10 % RUNS_PER_CLIENT).to_be_bytes()].concat();
    let entry = [&run[..], &number.to_be_bytes()].concat();
    let batch = Batch::new()
        .put(Table::Runs, run.clone(), vec![number as u8; 200])
        .put(Table::Journal, entry.clone(), vec![number as u8; 300])
        .put(Table::Activities, entry, vec![number as u8; 100]);
    match number.checked_sub(1) {
        Some(before) => {
            let run = [client.to_be_bytes(), (before / 10 % RUNS_PER_CLIENT).to_be_bytes()].concat();
            batch.delete(Table::Activities, [&run[..], &before.to_be_bytes()].concat())
        }
        None => batch,
    }
}
