use refrain_plugins::fs::MAX_CONTENT_BYTES;
use serde_json::json;

use crate::support::{CancelAt, Fixture};

/// SHA-256 of `abc`, from the standard.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn a_hash_is_that_of_the_content() {
    let fixture = Fixture::new();
    for (content, sha256) in [("abc", ABC), ("", EMPTY)] {
        fixture.put("source/file", content);
        let output = fixture.call("fs.hash", json!({"directory": "source", "path": "file"})).unwrap();
        assert_eq!(output, json!({"sha256": sha256, "size": content.len()}));
    }
}

#[test]
fn a_link_that_stays_inside_is_read_through() {
    let fixture = Fixture::new();
    fixture.put("source/deep/file", "abc");
    fixture.link("deep/file", "source/link");
    let output = fixture.call("fs.hash", json!({"directory": "source", "path": "link"})).unwrap();
    assert_eq!(output["sha256"], ABC);
}

#[test]
fn hashing_a_large_file_beats_and_stops_when_cancelled() {
    let fixture = Fixture::new();
    let file = std::fs::File::create(fixture.path("source/large")).unwrap();
    file.set_len(64 * 1024 * 1024).unwrap();
    let input = json!({"directory": "source", "path": "large"});
    let error = fixture.call_with(CancelAt::heartbeat("fs.hash", 1), &input).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn text_and_bytes_are_read() {
    let fixture = Fixture::new();
    fixture.put("source/text", "grüße\n");
    let output = fixture.call("fs.read", json!({"directory": "source", "path": "text"})).unwrap();
    assert_eq!((&output["content"], &output["encoding"]), (&json!("grüße\n"), &json!("text")));
    assert_eq!(output["size"], 8);

    fixture.put("source/bytes", [0, 255, 254]);
    let bytes = json!({"directory": "source", "path": "bytes", "encoding": "base64"});
    let output = fixture.call("fs.read", bytes).unwrap();
    assert_eq!((&output["content"], &output["encoding"]), (&json!("AP/+"), &json!("base64")));
    let as_text = json!({"directory": "source", "path": "bytes"});
    fixture.refuses("fs.read", as_text, "NotText", "read it with `\"base64\"`");
}

#[test]
fn the_largest_file_is_read_and_one_byte_more_is_not() {
    let fixture = Fixture::new();
    let input = json!({"directory": "source", "path": "file"});
    let mut content = "x".repeat(MAX_CONTENT_BYTES as usize);
    fixture.put("source/file", &content);
    assert_eq!(fixture.call("fs.read", input.clone()).unwrap()["size"], MAX_CONTENT_BYTES);
    content.push('x');
    fixture.put("source/file", &content);
    fixture.refuses("fs.read", input, "FileTooLarge", "larger than 1048576 bytes; hash or archive it");

    let too_much = json!({"directory": "work", "path": "file", "content": content});
    fixture.refuses("fs.write", too_much, "FileTooLarge", "field `content`");
    assert_eq!(fixture.names("work"), [""; 0]);
}

#[test]
fn what_is_written_is_there_whole_and_nothing_beside_it() {
    let fixture = Fixture::new();
    let input = json!({"directory": "work", "path": "a/b/file", "content": "abc", "create_parents": true});
    for _ in 0..2 {
        let output = fixture.call("fs.write", input.clone()).unwrap();
        assert_eq!(output, json!({"sha256": ABC, "size": 3}));
        assert_eq!(fixture.content("work/a/b/file"), b"abc");
        assert_eq!(fixture.names("work/a/b"), ["file"]);
    }
    let bytes = json!({"directory": "work", "path": "a/b/file", "content": "AP/+", "encoding": "base64"});
    fixture.call("fs.write", bytes).unwrap();
    assert_eq!(fixture.content("work/a/b/file"), [0, 255, 254]);
}

#[test]
fn writing_where_a_link_is_replaces_the_link_and_not_what_it_points_at() {
    let fixture = Fixture::new();
    fixture.put("outside", "untouched");
    fixture.link(fixture.path("outside"), "work/link");
    fixture.call("fs.write", json!({"directory": "work", "path": "link", "content": "abc"})).unwrap();
    assert_eq!(fixture.content("outside"), b"untouched");
    assert!(fixture.path("work/link").symlink_metadata().unwrap().is_file());
}

#[test]
fn a_write_that_cannot_be_is_refused_with_its_remedy() {
    let fixture = Fixture::new();
    fixture.put("work/dir/file", "");
    let write = |path: &str, more: serde_json::Value| {
        let mut input = json!({"directory": "work", "path": path, "content": "abc"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    for (input, error_type, text) in [
        (write("missing/file", json!({})), "NotFound", "create it, or correct the path"),
        (write("dir", json!({})), "NotAFile", "is not a regular file"),
        (write("dir/file/x", json!({})), "NotADirectory", "dir/file"),
        (write("", json!({})), "PathNotAllowed", "is the configured directory itself"),
        (
            write("x", json!({"content": "%", "encoding": "base64"})),
            "InvalidInput",
            "field `content`: not base64",
        ),
        (
            write("x", json!({"encoding": "latin1"})),
            "InvalidInput",
            "field `encoding`: unknown variant `latin1`",
        ),
        (write("x", json!({"mode": 1})), "InvalidInput", "field `mode`: unknown field `mode`"),
    ] {
        fixture.refuses("fs.write", input, error_type, text);
    }
    assert_eq!(fixture.names("work"), ["dir"]);
}
