//! Nothing but the configured directories can be reached, by any activity, through any field.

use serde_json::{Value, json};

use crate::support::Fixture;

/// Each activity with each of its fields that takes a path, and an input that would work with `here` in it.
/// `source` is where it reads and `work` where it writes.
fn path_fields() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("fs.list", "path", json!({"directory": "source"})),
        ("fs.hash", "path", json!({"directory": "source"})),
        ("fs.read", "path", json!({"directory": "source"})),
        ("fs.verify_archive", "path", json!({"directory": "source"})),
        ("fs.write", "path", json!({"directory": "work", "content": "x", "create_parents": true})),
        ("fs.rename", "path", json!({"directory": "work", "to": "new"})),
        ("fs.rename", "to", json!({"directory": "work", "path": "old", "create_parents": true})),
        ("fs.remove", "path", json!({"directory": "work", "recursive": true})),
        ("fs.archive", "path", json!({"directory": "source", "to_directory": "backups", "to": "a.tar"})),
        ("fs.archive", "to", json!({"directory": "source", "to_directory": "work", "create_parents": true})),
    ]
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.put("outside/secret", "secret");
    for directory in ["source", "work"] {
        fixture.put(&format!("{directory}/old"), "");
        fixture.put(&format!("{directory}/sub/file"), "");
        fixture.link("../outside", &format!("{directory}/relative"));
        fixture.link(fixture.path("outside"), &format!("{directory}/absolute"));
        fixture.link("../outside/secret", &format!("{directory}/secret"));
        fixture.link("sub/../../outside", &format!("{directory}/detour"));
    }
    fixture
}

#[test]
fn dots_and_absolute_paths_are_refused_in_every_field() {
    let fixture = fixture();
    let absolute = fixture.path("outside/secret");
    for (activity, field, input) in path_fields() {
        for (path, text) in [
            ("..", "contains `..`"),
            ("../outside/secret", "contains `..`"),
            ("sub/../old", "contains `..`"),
            (absolute.to_str().unwrap(), "is absolute"),
        ] {
            let mut input = input.clone();
            input[field] = path.into();
            let text = format!("field `{field}`: path {path:?} {text}");
            fixture.refuses(activity, input, "PathNotAllowed", &text);
        }
    }
    assert_eq!(fixture.content("outside/secret"), b"secret");
}

#[test]
fn links_to_directories_outside_are_refused_in_every_field() {
    let fixture = fixture();
    for (activity, field, input) in path_fields() {
        for link in ["relative", "absolute", "detour"] {
            let mut input = input.clone();
            let path = format!("{link}/secret");
            input[field] = path.as_str().into();
            let expected = "leads out of directory `";
            fixture.refuses(activity, input, "PathNotAllowed", expected);
        }
    }
    assert_eq!(fixture.names("outside"), ["secret"]);
    assert_eq!(fixture.content("outside/secret"), b"secret");
}

#[test]
fn links_to_files_outside_are_not_read() {
    let fixture = fixture();
    for activity in ["fs.hash", "fs.read", "fs.verify_archive"] {
        let input = json!({"directory": "source", "path": "secret"});
        fixture.refuses(activity, input, "PathNotAllowed", "field `path`: path \"secret\" leads out");
    }
    let input = json!({"directory": "source", "path": "relative"});
    fixture.refuses("fs.list", input, "PathNotAllowed", "leads out");
}

#[test]
fn an_unknown_directory_is_refused_with_the_names_that_exist() {
    let fixture = fixture();
    for (activity, field, mut input) in path_fields() {
        input[field] = "old".into();
        input["directory"] = "sources".into();
        let expected = "field `directory`: there is no directory \"sources\"; use one that is configured \
                        (`backups`, `source`, `work`)";
        fixture.refuses(activity, input, "UnknownDirectory", expected);
    }
    let input = json!({"directory": "source", "to_directory": "tapes", "to": "a.tar"});
    fixture.refuses("fs.archive", input, "UnknownDirectory", "field `to_directory`");
}

#[test]
fn nothing_is_changed_in_a_read_only_directory() {
    let fixture = fixture();
    let before = fixture.names("source");
    for (activity, input) in [
        ("fs.write", json!({"directory": "source", "path": "new", "content": ""})),
        ("fs.rename", json!({"directory": "source", "path": "old", "to": "new"})),
        ("fs.remove", json!({"directory": "source", "path": "old"})),
        ("fs.archive", json!({"directory": "work", "to_directory": "source", "to": "a.tar"})),
    ] {
        let expected = "directory `source` is read-only; use one that is writable (`backups`, `work`)";
        fixture.refuses(activity, input, "ReadOnlyDirectory", expected);
    }
    assert_eq!(fixture.names("source"), before);
}

#[test]
fn what_is_missing_or_of_the_wrong_kind_is_refused() {
    let fixture = fixture();
    for (activity, path, error_type) in [
        ("fs.list", "missing", "NotFound"),
        ("fs.list", "old", "NotADirectory"),
        ("fs.hash", "missing", "NotFound"),
        ("fs.hash", "sub", "NotAFile"),
        ("fs.hash", "old/x", "NotADirectory"),
        ("fs.read", "", "NotAFile"),
        ("fs.verify_archive", "missing", "NotFound"),
    ] {
        let input = json!({"directory": "source", "path": path});
        fixture.refuses(activity, input, error_type, "field `path`: ");
    }
}

#[test]
fn a_named_pipe_is_refused_rather_than_waited_for() {
    let fixture = Fixture::new();
    let made = std::process::Command::new("mkfifo").arg(fixture.path("source/pipe")).status().unwrap();
    assert!(made.success());
    for activity in ["fs.hash", "fs.read", "fs.verify_archive"] {
        let input = json!({"directory": "source", "path": "pipe"});
        fixture.refuses(activity, input, "NotAFile", "is not a regular file");
    }
}

#[test]
fn an_input_without_its_fields_names_them() {
    let fixture = Fixture::new();
    for (activity, input, expected) in [
        ("fs.list", json!({}), "missing field `directory`"),
        ("fs.hash", json!({"directory": "source"}), "missing field `path`"),
        ("fs.hash", json!({"directory": 1, "path": ""}), "field `directory`: invalid type: integer `1`"),
        (
            "fs.archive",
            json!({"directory": "a", "to_directory": "b", "to": "c", "paths": [1]}),
            "field `paths[0]`",
        ),
    ] {
        fixture.refuses(activity, input, "InvalidInput", expected);
    }
}
