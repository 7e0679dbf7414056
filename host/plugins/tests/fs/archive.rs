use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{CancelAt, Fixture};

/// Archives from `source` to `a.tar` in `backups`, with `more` fields.
fn archive(fixture: &Fixture, mut more: Value) -> Value {
    for (field, value) in [("directory", "source"), ("to_directory", "backups"), ("to", "a.tar")] {
        more[field] = value.into();
    }
    fixture.call("fs.archive", more).unwrap()
}

fn verify(fixture: &Fixture) -> Value {
    fixture.call("fs.verify_archive", json!({"directory": "backups", "path": "a.tar"})).unwrap()
}

/// The paths of a verified archive.
fn paths(output: &Value) -> Vec<&str> {
    output["entries"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect()
}

#[test]
fn an_archive_holds_the_tree_with_the_hashes_of_its_files() {
    let fixture = Fixture::new();
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    fixture.put("source/b", "content");
    fixture.put("source/a/empty", "");
    fixture.put(&format!("source/{long}"), vec![7; 1000]);
    std::fs::create_dir(fixture.path("source/hollow")).unwrap();
    let short_target = "/nowhere//../at all/./";
    fixture.link(short_target, "source/link");
    let long_target = "t//".repeat(100);
    fixture.link(&long_target, "source/long-link");

    let archived = archive(&fixture, json!({}));
    let verified = verify(&fixture);
    assert_eq!(archived["entries"], 8);
    assert_eq!(archived["skipped"], json!([]));
    for key in ["size", "sha256"] {
        assert_eq!(archived[key], verified[key]);
    }
    assert_eq!(archived["size"], fixture.content("backups/a.tar").len());

    let listed = fixture.call("fs.list", json!({"directory": "source", "recursive": true})).unwrap();
    assert_eq!(paths(&verified), paths(&listed), "the same paths in the same order");
    for entry in verified["entries"].as_array().unwrap() {
        if entry["kind"] == "file" {
            let input = json!({"directory": "source", "path": entry["path"]});
            let hash = fixture.call("fs.hash", input).unwrap();
            assert_eq!((&hash["sha256"], &hash["size"]), (&entry["sha256"], &entry["size"]));
        }
    }
    let links: Vec<&Value> = verified["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "symlink")
        .map(|entry| &entry["target"])
        .collect();
    assert_eq!(links, [short_target, &long_target], "links say what they said");
    assert_eq!(fixture.names("backups"), ["a.tar"]);
}

#[test]
fn the_same_tree_gives_the_same_bytes_whatever_its_times_and_its_modes() {
    let fixture = Fixture::new();
    let mut archives = Vec::new();
    for (order, seconds, mode) in [(["x", "y"], 1_000_000_000, 0o600), (["y", "x"], 1_700_000_000, 0o664)] {
        for name in order {
            fixture.put(&format!("source/dir/{name}"), name);
            let file = std::fs::File::open(fixture.path(format!("source/dir/{name}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            file.set_permissions(Permissions::from_mode(mode)).unwrap();
        }
        archive(&fixture, json!({}));
        archives.push(fixture.content("backups/a.tar"));
        std::fs::remove_dir_all(fixture.path("source/dir")).unwrap();
    }
    assert_eq!(archives[0], archives[1]);
}

#[test]
fn a_repeated_attempt_writes_the_same_archive_again() {
    let fixture = Fixture::new();
    fixture.put("source/file", "content");
    let first = archive(&fixture, json!({}));
    assert_eq!(archive(&fixture, json!({})), first);
    assert_eq!(fixture.names("backups"), ["a.tar"]);
}

#[test]
fn of_a_mode_only_executable_is_kept() {
    let fixture = Fixture::new();
    for (name, mode) in [("plain", 0o640), ("script", 0o700)] {
        fixture.put(&format!("source/{name}"), "");
        std::fs::set_permissions(fixture.path(format!("source/{name}")), Permissions::from_mode(mode))
            .unwrap();
    }
    archive(&fixture, json!({}));
    let bytes = fixture.content("backups/a.tar");
    let mut archive = tar::Archive::new(bytes.as_slice());
    let modes: Vec<u32> =
        archive.entries().unwrap().map(|entry| entry.unwrap().header().mode().unwrap()).collect();
    assert_eq!(modes, [0o644, 0o755]);
}

#[test]
fn a_part_of_the_tree_keeps_its_full_paths() {
    let fixture = Fixture::new();
    fixture.put("source/a/b/file", "");
    fixture.put("source/other", "");
    archive(&fixture, json!({"path": "a/b"}));
    assert_eq!(paths(&verify(&fixture)), ["a/b", "a/b/file"]);
    archive(&fixture, json!({"path": "other"}));
    assert_eq!(paths(&verify(&fixture)), ["other"]);
}

#[test]
fn listed_paths_are_archived_each_once_and_nothing_beneath_them() {
    let fixture = Fixture::new();
    fixture.put("source/a/1", "");
    fixture.put("source/a/2", "");
    fixture.put("source/b", "");
    archive(&fixture, json!({"paths": ["b", "a", "a/2", "./b"]}));
    assert_eq!(paths(&verify(&fixture)), ["a", "a/2", "b"]);
    archive(&fixture, json!({"paths": []}));
    assert!(paths(&verify(&fixture)).is_empty());
}

#[test]
fn what_has_no_content_of_its_own_is_skipped_and_reported() {
    let fixture = Fixture::new();
    fixture.put("source/file", "");
    let _socket = std::os::unix::net::UnixListener::bind(fixture.path("source/socket")).unwrap();
    let output = archive(&fixture, json!({}));
    assert_eq!((&output["entries"], &output["skipped"]), (&json!(1), &json!(["socket"])));
}

#[test]
fn an_archive_that_cannot_be_is_refused_and_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.put("work/tree/file", "");
    for (more, error_type, text) in [
        (
            json!({"to": "tree/a.tar", "path": "tree"}),
            "InvalidInput",
            "field `to`: \"tree/a.tar\" lies in what",
        ),
        (json!({"to": "a.tar"}), "InvalidInput", "another `to_directory`"),
        (json!({"to": "tree/file", "paths": ["tree/file"]}), "InvalidInput", "field `to`"),
        (
            json!({"to": "x", "path": "tree", "paths": []}),
            "InvalidInput",
            "field `paths`: cannot be used with",
        ),
        (json!({"to": "x", "paths": ["tree", "../y"]}), "PathNotAllowed", "field `paths[1]`: path \"../y\""),
        (
            json!({"to": "x", "paths": ["."]}),
            "PathNotAllowed",
            "field `paths[0]`: path \".\" is the configured",
        ),
        (json!({"to": "x", "paths": ["gone"]}), "NotFound", "field `paths`: look at \"gone\""),
        (json!({"to": "x", "path": "gone"}), "NotFound", "field `path`: look at \"gone\""),
        (json!({"to": "no/x", "path": "tree"}), "NotFound", "field `to`: open the directory \"no\""),
    ] {
        let mut input = more;
        input["directory"] = "work".into();
        input["to_directory"] = "work".into();
        fixture.refuses("fs.archive", input, error_type, text);
    }
    assert_eq!(fixture.names("work"), ["tree"]);
}

#[test]
fn a_cancelled_archive_leaves_the_old_one_and_no_temporary_file() {
    let fixture = Fixture::new();
    fixture.put("source/a", "");
    fixture.put("source/b", "");
    fixture.put("backups/a.tar", "old");
    // Two heartbeats for the listing, one for the first file.
    let ctx = CancelAt::heartbeat("fs.archive", 3);
    let input = json!({"directory": "source", "to_directory": "backups", "to": "a.tar"});
    let error = fixture.call_with(ctx, &input).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(fixture.names("backups"), ["a.tar"]);
    assert_eq!(fixture.content("backups/a.tar"), b"old");
}

#[test]
fn every_damage_to_an_archive_is_noticed() {
    let fixture = Fixture::new();
    fixture.put("source/a", vec![1; 700]);
    fixture.put("source/b", vec![2; 700]);
    archive(&fixture, json!({}));
    let sound = fixture.content("backups/a.tar");
    let input = json!({"directory": "backups", "path": "a.tar"});

    for length in [0, 100, 512, 1000, 1100, 1536, 2000, 2048, 3072, 3584, sound.len() - 1] {
        fixture.put("backups/a.tar", &sound[..length]);
        fixture.refuses("fs.verify_archive", input.clone(), "InvalidArchive", "is not a sound archive");
    }
    let mut header = sound.clone();
    header[0] ^= 1;
    fixture.put("backups/a.tar", header);
    fixture.refuses("fs.verify_archive", input.clone(), "InvalidArchive", "is not a sound archive");
    fixture.put("backups/a.tar", "not an archive ".repeat(200));
    fixture.refuses("fs.verify_archive", input.clone(), "InvalidArchive", "is not a sound archive");

    let mut content = sound;
    content[512] ^= 1;
    fixture.put("backups/a.tar", content);
    let hash = fixture.call("fs.hash", json!({"directory": "source", "path": "a"})).unwrap();
    assert_ne!(verify(&fixture)["entries"][0]["sha256"], hash["sha256"], "a hash tells changed content");
}

#[test]
fn entries_that_the_plugin_never_writes_are_refused() {
    let fixture = Fixture::new();
    let input = json!({"directory": "backups", "path": "a.tar"});
    for (kind, size, text) in [
        (tar::EntryType::Block, 0, "\"odd\" is neither file"),
        (tar::EntryType::Link, 0, "\"odd\" is neither file"),
        (tar::EntryType::Directory, u64::MAX, "is not a sound archive"),
        (tar::EntryType::Regular, u64::MAX, "is not a sound archive"),
        (tar::EntryType::Regular, 1 << 40, "\"odd\" is cut short"),
    ] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        builder.append_data(&mut header, "odd", std::io::empty()).unwrap();
        fixture.put("backups/a.tar", builder.into_inner().unwrap());
        fixture.refuses("fs.verify_archive", input.clone(), "InvalidArchive", text);
    }
}
