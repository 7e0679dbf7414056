//! The workflow against activities that work on a map in place of a disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{Compensations, Failure, secs};
use serde::{Deserialize, Serialize};

use super::{Report, backup};

/// The target's files: path and SHA-256.
type Target = Rc<RefCell<BTreeMap<String, String>>>;

#[derive(Deserialize)]
struct Asked {
    path: Option<String>,
    to: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    path: &'static str,
    kind: &'static str,
    sha256: &'static str,
    size: u64,
}

#[derive(Serialize)]
struct Entries {
    sha256: &'static str,
    size: u64,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Sum {
    sha256: String,
    size: u64,
}

#[derive(Serialize)]
struct Input {
    fail_at: Option<&'static str>,
}

const FILES: [(&str, &str); 3] = [("a", "hash of a"), ("b/c", "hash of b/c"), ("d", "hash of d")];

fn tree() -> Entries {
    let file = |(path, sha256)| Entry { path, kind: "file", sha256, size: 10 };
    let directory = Entry { path: "b", kind: "directory", sha256: "", size: 0 };
    let entries = std::iter::once(directory).chain(FILES.map(file)).collect();
    Entries { sha256: "hash of tar", size: 99, entries }
}

/// The host's rule for paths.
fn check(path: Option<String>) -> Result<String, Failure> {
    let path = path.unwrap_or_default();
    if path.starts_with("..") {
        return Err(Failure::typed("PathNotAllowed", format!("path {path:?} contains `..`")));
    }
    Ok(path)
}

fn run(target: &Target, fail_at: Option<&'static str>) -> Ended {
    let [archived, hashed, renamed, removed, written] = std::array::from_fn(|_| target.clone());
    Env::new()
        .activity("fs.list", |asked: Asked| check(asked.path).map(|_| tree()))
        .slow_activity("fs.hash", secs(1), move |asked: Asked| {
            let path = check(asked.path)?;
            let source = FILES.iter().find(|(file, _)| *file == path).map(|(_, sum)| ((*sum).to_owned(), 10));
            let found = source.or_else(|| hashed.borrow().get(&path).map(|sum| (sum.clone(), 99)));
            let (sha256, size) = found.ok_or_else(|| Failure::typed("NotFound", path))?;
            Ok(Sum { sha256, size })
        })
        .activity("fs.archive", move |asked: Asked| {
            archived.borrow_mut().insert(check(asked.to)?, "hash of tar".to_owned());
            Ok(Sum { sha256: "hash of tar".to_owned(), size: 99 })
        })
        .activity("fs.verify_archive", |asked: Asked| check(asked.path).map(|_| tree()))
        .activity("fs.rename", move |asked: Asked| {
            let (path, to) = (check(asked.path)?, check(asked.to)?);
            let mut files = renamed.borrow_mut();
            if files.contains_key(&to) {
                return Err(Failure::typed("AlreadyExists", format!("{to:?} exists")));
            }
            let sum = files.remove(&path).ok_or_else(|| Failure::typed("NotFound", path))?;
            files.insert(to, sum);
            Ok(Input { fail_at: None })
        })
        .activity("fs.remove", move |asked: Asked| {
            removed.borrow_mut().remove(&check(asked.path)?);
            Ok(Input { fail_at: None })
        })
        .activity("fs.write", move |asked: Asked| {
            let path = check(asked.path)?;
            written.borrow_mut().insert(path, "a checksum".to_owned());
            Ok(Sum { sha256: "a checksum".to_owned(), size: 1 })
        })
        .run::<backup>(&Input { fail_at })
}

#[test]
fn the_archive_and_its_checksum_are_all_that_a_backup_leaves() {
    let target = Target::default();
    let report = run(&target, None).result::<Report>().unwrap();
    let expected =
        Report { archive: "backup.tar".to_owned(), sha256: "hash of tar".to_owned(), files: 3, bytes: 30 };
    assert_eq!(report, expected);
    assert_eq!(target.borrow().keys().collect::<Vec<_>>(), ["backup.tar", "backup.tar.sha256"]);
}

#[test]
fn whatever_fails_leaves_nothing_and_tells_the_whole_chain() {
    for (step, doing, undone) in [
        ("list", "list the files", 0),
        ("hash", "hash `a`", 0),
        ("archive", "write the archive", 1),
        ("verify", "read the archive back", 1),
        ("publish", "publish the archive", 2),
        ("checksum", "write the checksum", 3),
    ] {
        let target = Target::default();
        let failure = run(&target, Some(step)).result::<Report>().unwrap_err();
        let message = failure.to_string();
        assert!(message.starts_with(&format!("back up `source`: {doing}: path \"../")), "{message}");
        let compensations = failure.details::<Compensations>().unwrap().compensations;
        assert_eq!(compensations.len(), undone, "{step}");
        assert!(compensations.iter().all(|one| one.failure.is_none()), "{compensations:?}");
        assert!(target.borrow().is_empty(), "{step} leaves {:?}", target.borrow());
    }
}

#[test]
fn an_older_archive_of_the_same_name_survives_even_one_with_the_same_content() {
    for older in ["hash of an older tar", "hash of tar"] {
        let target = Target::default();
        target.borrow_mut().insert("backup.tar".to_owned(), older.to_owned());
        let failure = run(&target, None).result::<Report>().unwrap_err();
        let whole = "back up `source`: publish the archive: \"backup.tar\" exists";
        assert_eq!(failure.to_string(), whole);
        assert_eq!(
            target.borrow().iter().collect::<Vec<_>>(),
            [(&"backup.tar".to_owned(), &older.to_owned())]
        );
    }
}
