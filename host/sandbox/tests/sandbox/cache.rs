//! Compiled code on disk: used when it is whole and its own, compiled again when not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;
use refrain_engine::guest::Stop;
use refrain_engine::ids::Digest;
use refrain_sandbox::{Inspected, Sandbox, SandboxOptions};

use crate::owner::Owner;
use crate::text_guest::{component, guest_without_describe, sleeper};

fn owner(directory: &Path) -> Owner {
    Owner::new(SandboxOptions {
        cache_dir: Some(directory.to_owned()),
        max_instances: Some(16),
        ..SandboxOptions::default()
    })
}

/// Executes on a host that starts anew. Answers whether it compiled.
async fn compiles(directory: &Path, inspected: &Inspected) -> bool {
    let owner = owner(directory);
    owner.store(inspected.digest, inspected.component.clone());
    let ended = owner.execute(inspected.digest).await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    owner.reads() > 0
}

fn code_in(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|ending| ending == "cwasm")).unwrap()
}

#[tokio::test]
async fn a_damaged_file_is_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let inspected = owner(directory.path()).push(sleeper(&[1])).await.unwrap();
    assert!(!compiles(directory.path(), &inspected).await, "a restarted host finds compiled code");
    let path = code_in(directory.path());
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], &[]] {
        fs::write(&path, damaged).unwrap();
        assert!(compiles(directory.path(), &inspected).await, "damage is found");
        assert!(!compiles(directory.path(), &inspected).await, "and repaired");
    }
}

#[tokio::test]
async fn code_of_another_component_or_engine_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    let first = owner(directory.path()).push(sleeper(&[1])).await.unwrap();
    let path = code_in(directory.path());
    let code = fs::read(&path).unwrap();
    let sum = fs::read(path.with_extension("sha256")).unwrap();
    let second = owner(directory.path()).push(sleeper(&[1, 2])).await.unwrap();
    let misplaced = directory.path().join(
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace(&first.digest.to_string(), &second.digest.to_string()),
    );
    fs::write(&misplaced, code).unwrap();
    fs::write(misplaced.with_extension("sha256"), sum).unwrap();
    assert!(compiles(directory.path(), &second).await);

    let foreign = directory.path().join("00-deterministic-1-pooled-ff.cwasm");
    fs::write(&foreign, "of another engine").unwrap();
    let notes = directory.path().join("README");
    fs::write(&notes, "of the user").unwrap();
    drop(owner(directory.path()));
    assert!(!foreign.exists(), "no engine will ever use it");
    assert!(notes.exists());
}

#[tokio::test]
async fn a_refused_upload_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let owner = owner(directory.path());
    let describe = r#"(export "refrain:workflow/definition@0.1.0#describe")"#;
    let module = guest_without_describe(&format!("(func $main) (func {describe} (result i32) unreachable)"));
    owner.push(module).await.unwrap_err();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!((owner.sandbox.resident_instances(), owner.sandbox.resident_bytes()), (0, 0));
}

#[tokio::test]
async fn of_many_who_open_a_component_at_once_one_compiles_it() {
    let directory = tempfile::tempdir().unwrap();
    let module = sleeper(&[1]);
    let owner = owner(directory.path());
    let digest = Digest([3; 32]);
    owner.store(digest, component(&module));
    join_all((0..100).map(|_| owner.open(digest))).await;
    assert_eq!(owner.reads(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_directory_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("compiled");
    drop(owner(&directory));
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_can_write_into_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    for (mode, refused) in [(0o770, true), (0o702, true), (0o755, false)] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let options = SandboxOptions {
            cache_dir: Some(directory.path().to_owned()),
            max_instances: Some(16),
            ..SandboxOptions::default()
        };
        let made = Sandbox::new(options, Arc::new(|_| Ok(None)));
        assert_eq!(made.is_err(), refused, "mode {mode:o}: {:?}", made.err());
    }
}
