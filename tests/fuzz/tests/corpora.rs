//! Each target over its corpus, and over what a fixed seed makes of it.

use refrain_fuzz::driver::Limit;
use refrain_fuzz::target;

/// Of every test here: what was found by another one is in the corpus.
const SEED: u64 = 1;

fn search(name: &str, inputs: u64) {
    let target = target(name).expect("a target of this name");
    if let Err(error) = target.search(SEED, Limit::Inputs(inputs)) {
        panic!("{error:#}");
    }
}

#[test]
fn stored_rows_are_read_or_refused() {
    search("journal", 20_000);
}

#[test]
fn journals_replay_or_differ() {
    search("replay", 10_000);
}

#[test]
fn histories_are_read_as_they_are_written() {
    search("history_import", 1_000);
}

#[test]
fn a_run_hears_what_plugins_and_workers_answer() {
    search("plugin_abi", 500);
}

#[cfg(feature = "wasm")]
#[test]
fn uploads_harm_nobody_and_make_the_same_journal_each_time() {
    search("upload", 60);
}

#[cfg(feature = "wasm")]
#[test]
fn requests_are_answered_whatever_stands_in_them() {
    search("http_json", 50);
}
