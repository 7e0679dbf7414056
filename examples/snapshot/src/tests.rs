//! A snapshot against a disk that is a set of names, and the parent of three with closures as children.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use refrain_sdk::testing::Env;
use refrain_sdk::{Failure, millis, secs};
use serde::{Deserialize, Serialize};

use super::{Snapshot, Taken, snapshot, snapshots};

fn daily() -> Snapshot {
    let name = |name: &str| name.to_owned();
    Snapshot { source: name("source"), target: name("target"), name: name("daily"), hold_ms: 1_000 }
}

#[derive(Serialize)]
struct Archived {
    size: u64,
    sha256: &'static str,
}

#[derive(Deserialize)]
struct Archive {
    to: String,
}

#[derive(Deserialize)]
struct Rename {
    path: String,
    to: String,
}

#[derive(Deserialize)]
struct Remove {
    path: String,
}

/// How long it takes to write an archive.
const WRITING: Duration = secs(2);

fn disk(is_full: bool) -> (Env, Rc<RefCell<BTreeSet<String>>>) {
    let files = Rc::new(RefCell::new(BTreeSet::new()));
    let (archive, rename, remove) = (files.clone(), files.clone(), files.clone());
    let env = Env::new()
        .slow_activity("fs.archive", WRITING, move |asked: Archive| {
            archive.borrow_mut().insert(asked.to);
            if is_full {
                return Err(Failure::typed("Io", "no space left"));
            }
            Ok(Archived { size: 7, sha256: "abc" })
        })
        .activity("fs.rename", move |asked: Rename| {
            let mut files = rename.borrow_mut();
            assert!(files.remove(&asked.path));
            files.insert(asked.to);
            Ok(())
        })
        .activity("fs.remove", move |asked: Remove| Ok(remove.borrow_mut().remove(&asked.path)));
    (env, files)
}

#[test]
fn a_snapshot_has_its_name_when_it_cannot_be_called_off_any_more() {
    let (env, files) = disk(false);
    let ended = env.run::<snapshot>(&daily());
    let taken = Taken { path: "daily.tar".to_owned(), size: 7, sha256: "abc".to_owned() };
    assert_eq!(ended.result::<Taken>().unwrap(), taken);
    assert_eq!(ended.elapsed, WRITING + secs(1));
    assert_eq!(*files.borrow(), BTreeSet::from(["daily.tar".to_owned()]));
}

#[test]
fn a_snapshot_that_is_called_off_leaves_nothing_behind() {
    for after in [millis(10), WRITING + millis(10)] {
        let (env, files) = disk(false);
        assert!(env.cancel(after, "not today").run::<snapshot>(&daily()).is_canceled());
        assert!(files.borrow().is_empty(), "called off after {after:?}");
    }
}

#[test]
fn a_snapshot_that_fails_leaves_nothing_behind() {
    let (env, files) = disk(true);
    let failure = env.run::<snapshot>(&daily()).result::<Taken>().unwrap_err();
    assert_eq!(failure.to_string(), "take a snapshot of `source`: write the draft: no space left");
    assert!(files.borrow().is_empty());
}

#[test]
fn each_of_three_snapshots_has_its_policy() {
    #[derive(Serialize)]
    struct Input {
        id: &'static str,
        source: &'static str,
        target: &'static str,
        hold_ms: u64,
    }
    let env = Env::new().slow_child("snapshot", secs(3), |input: Snapshot| {
        Ok(Taken { path: format!("{}.tar", input.name), size: 7, sha256: "abc".to_owned() })
    });
    let input = Input { id: "nightly", source: "source", target: "target", hold_ms: 1_000 };
    let ended = env.run::<snapshots>(&input);
    let paths: Vec<_> = ended.result::<Vec<Taken>>().unwrap().into_iter().map(|taken| taken.path).collect();
    assert_eq!(paths, ["nightly-terminated.tar", "nightly-canceled.tar", "nightly-abandoned.tar"]);
    assert_eq!(ended.elapsed, secs(3));
    let started: Vec<_> = ended.calls.iter().filter(|call| call.contains("= child snapshot ")).collect();
    let policies = [
        r#"id="nightly-terminated""#,
        r#"id="nightly-canceled" parent-close=request-cancel"#,
        r#"id="nightly-abandoned" parent-close=abandon"#,
    ];
    assert_eq!(started.len(), policies.len());
    for (call, policy) in started.iter().zip(policies) {
        assert!(call.ends_with(policy), "{call}");
    }
}
