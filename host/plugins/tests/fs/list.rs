use serde_json::{Value, json};

use crate::support::{CancelAt, Fixture};

fn tree() -> Fixture {
    let fixture = Fixture::new();
    fixture.put("source/b.txt", "12345");
    fixture.put("source/a/2", "");
    fixture.put("source/a/deep/1", "1");
    fixture.put("source/a-b", "");
    fixture.link("a", "source/link");
    fixture.link("/nowhere", "source/a/dangling");
    fixture
}

/// Entries as `path kind size`.
fn lines(output: &Value) -> Vec<String> {
    let entries = output["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|e| format!("{} {} {}", e["path"].as_str().unwrap(), e["kind"].as_str().unwrap(), e["size"]))
        .collect()
}

#[test]
fn a_directory_is_listed_with_paths_that_other_activities_take() {
    let fixture = tree();
    let top = fixture.call("fs.list", json!({"directory": "source"})).unwrap();
    assert_eq!(lines(&top), ["a directory 0", "a-b file 0", "b.txt file 5", "link symlink 0"]);

    let inner = fixture.call("fs.list", json!({"directory": "source", "path": "a/deep/"})).unwrap();
    assert_eq!(lines(&inner), ["a/deep/1 file 1"]);
    let path = &inner["entries"][0]["path"];
    fixture.call("fs.hash", json!({"directory": "source", "path": path})).unwrap();
}

#[test]
fn a_recursive_listing_is_sorted_bytewise_and_follows_no_link() {
    let output = tree().call("fs.list", json!({"directory": "source", "recursive": true})).unwrap();
    assert_eq!(
        lines(&output),
        [
            "a directory 0",
            "a-b file 0",
            "a/2 file 0",
            "a/dangling symlink 0",
            "a/deep directory 0",
            "a/deep/1 file 1",
            "b.txt file 5",
            "link symlink 0",
        ]
    );
}

#[test]
fn what_is_neither_file_nor_directory_nor_link_is_other() {
    let fixture = Fixture::new();
    let _socket = std::os::unix::net::UnixListener::bind(fixture.path("source/socket")).unwrap();
    let output = fixture.call("fs.list", json!({"directory": "source"})).unwrap();
    assert_eq!(lines(&output), ["socket other 0"]);
}

#[test]
fn temporary_files_of_other_activities_are_no_content() {
    let fixture = Fixture::new();
    fixture.put("work/.refrain-0123456789abcdef-1.tmp", "");
    fixture.put("work/.refrain", "");
    let output = fixture.call("fs.list", json!({"directory": "work"})).unwrap();
    assert_eq!(lines(&output), [".refrain file 0"]);
}

#[test]
fn a_name_that_json_cannot_say_is_not_left_out_in_silence() {
    use std::os::unix::ffi::OsStrExt;

    let fixture = Fixture::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    std::fs::write(fixture.path("source").join(name), "").unwrap();
    fixture.refuses("fs.list", json!({"directory": "source"}), "NameNotUtf8", "rename it");
}

#[test]
fn a_listing_stops_when_cancelled() {
    let error = tree()
        .call_with(CancelAt::heartbeat("fs.list", 2), &json!({"directory": "source", "recursive": true}))
        .unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}
