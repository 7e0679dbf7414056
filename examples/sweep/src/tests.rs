//! The sweep over a tree in memory, run after run.

use std::time::Duration;

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{Failure, millis, secs};
use serde::{Deserialize, Serialize};

use super::{File, Found, Sweep, sweep};

#[derive(Deserialize)]
struct Asked {
    path: String,
}

#[derive(Serialize)]
struct Entries {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    path: String,
    kind: &'static str,
    size: u64,
}

/// Each directory that is looked at takes so long.
const LISTING: Duration = secs(1);

/// A tree of which `a` and `a/b` are directories, each with a file; and `late`, which is elsewhere.
fn tree() -> Env {
    Env::new().slow_activity("fs.list", LISTING, |asked: Asked| {
        let entries: &[(&str, &str, u64)] = match asked.path.as_str() {
            "" => &[("a", "directory", 0), ("root.txt", "file", 5), ("link", "symlink", 0)],
            "a" => &[("a/b", "directory", 0), ("a/large.bin", "file", 70)],
            "a/b" => &[("a/b/small.txt", "file", 1)],
            "late" => &[("late/one.txt", "file", 3)],
            other => return Err(Failure::typed("NotFound", format!("no `{other}` in directory `source`"))),
        };
        let entry = |(path, kind, size): &(&str, &'static str, u64)| Entry {
            path: (*path).to_owned(),
            kind,
            size: *size,
        };
        Ok(Entries { entries: entries.iter().map(entry).collect() })
    })
}

/// Runs it to the end, each run in an `Env` of its own, with what the one before left unread; with how often it continued
/// as new.
fn run(mut input: Sweep, mut env: impl FnMut(usize) -> Env) -> (Found, usize) {
    let mut unread = Vec::new();
    for runs in 0.. {
        let env =
            unread.iter().fold(env(runs), |env, also: &String| env.signal(Duration::ZERO, "also", also));
        let ended: Ended = env.run::<sweep>(&input);
        let Some(next) = ended.continued::<Sweep>() else { return (ended.result().unwrap(), runs) };
        (input, unread) = (next, ended.unread("also"));
    }
    unreachable!("one of the runs is the last")
}

fn whole_tree(runs: u32) -> Found {
    Found {
        runs,
        directories: 3,
        files: 3,
        bytes: 76,
        largest: Some(File { path: "a/large.bin".to_owned(), size: 70 }),
        also: 0,
        passed_over: Vec::new(),
    }
}

#[test]
fn one_run_sweeps_a_tree_of_which_the_host_thinks_nothing() {
    assert_eq!(run(Sweep::default(), |_| tree()), (whole_tree(1), 0));
}

#[test]
fn what_was_found_is_carried_from_run_to_run() {
    let input = Sweep { directories_per_run: Some(1), ..Sweep::default() };
    assert_eq!(run(input, |_| tree()), (whole_tree(4), 3));
}

#[test]
fn it_goes_on_as_a_new_run_when_the_host_suggests_it() {
    let (found, continued) = run(Sweep::default(), |run| match run {
        0 => tree().suggest_continue_as_new(LISTING + millis(1)),
        _ => tree(),
    });
    assert_eq!((found, continued), (whole_tree(2), 1));
}

#[test]
fn a_directory_that_is_named_during_the_first_run_is_swept_by_the_last_but_one() {
    let input = Sweep { directories_per_run: Some(1), ..Sweep::default() };
    let (found, continued) = run(input, |run| match run {
        0 => tree().signal(LISTING / 2, "also", &"late"),
        _ => tree(),
    });
    assert_eq!((found.also, found.directories, found.files, continued), (1, 4, 4, 4));
}

#[test]
fn it_waits_for_more_as_long_as_its_patience_lasts() {
    let input = Sweep { stack: Vec::new(), patience_ms: 5_000, ..Sweep::default() };
    let ended = tree().signal(secs(4), "also", &"late").run::<sweep>(&input);
    assert_eq!(ended.result::<Found>().unwrap().files, 1);
    assert_eq!(ended.elapsed, secs(4) + LISTING + secs(5));
}

#[test]
fn what_is_not_there_is_told_and_ends_nothing() {
    let ended = tree().signal(millis(1), "also", &"nowhere").run::<sweep>(&Sweep::default());
    let found = ended.result::<Found>().unwrap();
    assert_eq!(found.passed_over, ["nowhere: no `nowhere` in directory `source`"]);
    assert_eq!(found.directories, 3);
}

#[test]
fn a_disk_that_fails_fails_the_sweep() {
    let env = Env::new().activity("fs.list", |_: Asked| Err::<(), _>(Failure::typed("Io", "cannot be read")));
    let failure = env.run::<sweep>(&Sweep::default()).result::<Found>().unwrap_err();
    assert_eq!(failure.to_string(), "list ``: cannot be read");
}

#[test]
fn a_cancel_request_ends_it_at_once() {
    let ended = tree().cancel(LISTING / 2, "enough").run::<sweep>(&Sweep::default());
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, LISTING / 2);
}
