use serde_json::json;

use crate::support::Fixture;

#[test]
fn a_rename_that_is_repeated_succeeds_and_says_so() {
    let fixture = Fixture::new();
    fixture.put("work/part", "content");
    let input = json!({"directory": "work", "path": "part", "to": "final/name", "create_parents": true});
    assert_eq!(fixture.call("fs.rename", input.clone()).unwrap(), json!({"already": false}));
    assert_eq!(fixture.call("fs.rename", input).unwrap(), json!({"already": true}));
    assert_eq!(fixture.content("work/final/name"), b"content");
    assert_eq!(fixture.names("work"), ["final"]);

    let onto_itself = json!({"directory": "work", "path": "final/name", "to": "./final/name"});
    assert_eq!(fixture.call("fs.rename", onto_itself).unwrap(), json!({"already": true}));
}

#[test]
fn a_rename_replaces_only_when_told() {
    let fixture = Fixture::new();
    fixture.put("work/new", "new");
    fixture.put("work/old", "old");
    let mut input = json!({"directory": "work", "path": "new", "to": "old"});
    fixture.refuses("fs.rename", input.clone(), "AlreadyExists", "set `replace` to `true`");
    assert_eq!(fixture.content("work/old"), b"old");
    input["replace"] = true.into();
    fixture.call("fs.rename", input).unwrap();
    assert_eq!(fixture.content("work/old"), b"new");
}

#[test]
fn a_directory_and_a_link_are_renamed_as_they_are() {
    let fixture = Fixture::new();
    fixture.put("work/dir/file", "");
    fixture.link("/nowhere", "work/link");
    for (path, to) in [("dir", "dir2"), ("link", "link2")] {
        fixture.call("fs.rename", json!({"directory": "work", "path": path, "to": to})).unwrap();
    }
    assert_eq!(fixture.names("work"), ["dir2", "link2"]);
    assert_eq!(fixture.names("work/dir2"), ["file"]);
}

#[test]
fn a_rename_that_cannot_be_is_refused() {
    let fixture = Fixture::new();
    fixture.put("work/dir/file", "");
    for (path, to, error_type, text) in [
        ("missing", "x", "NotFound", "field `path`: rename \"missing\""),
        ("dir", "missing/x", "NotFound", "field `to`: open the directory \"missing\""),
        ("dir", "dir/within", "PathNotAllowed", "neither holds the other"),
        ("", "x", "PathNotAllowed", "field `path`: path \"\" is the configured directory itself"),
        ("dir", ".", "PathNotAllowed", "field `to`"),
    ] {
        let input = json!({"directory": "work", "path": path, "to": to});
        fixture.refuses("fs.rename", input, error_type, text);
    }
}

#[test]
fn removing_what_is_gone_succeeds() {
    let fixture = Fixture::new();
    fixture.put("work/file", "");
    let input = json!({"directory": "work", "path": "file"});
    assert_eq!(fixture.call("fs.remove", input.clone()).unwrap(), json!({"removed": true}));
    assert_eq!(fixture.call("fs.remove", input).unwrap(), json!({"removed": false}));
    let in_nothing = json!({"directory": "work", "path": "no/such/file"});
    assert_eq!(fixture.call("fs.remove", in_nothing).unwrap(), json!({"removed": false}));
}

#[test]
fn a_directory_with_content_is_removed_only_when_told() {
    let fixture = Fixture::new();
    fixture.put("outside/kept", "");
    fixture.put("work/dir/sub/file", "");
    fixture.link(fixture.path("outside"), "work/dir/link");
    let mut input = json!({"directory": "work", "path": "dir"});
    fixture.refuses("fs.remove", input.clone(), "DirectoryNotEmpty", "set `recursive`");
    input["recursive"] = true.into();
    assert_eq!(fixture.call("fs.remove", input).unwrap(), json!({"removed": true}));
    assert_eq!(fixture.names("work"), [""; 0]);
    assert_eq!(fixture.names("outside"), ["kept"], "a link is removed, not what it points at");
}

#[test]
fn a_link_that_leads_out_can_be_removed_as_a_link() {
    let fixture = Fixture::new();
    fixture.put("outside/kept", "");
    fixture.link(fixture.path("outside"), "work/link");
    let input = json!({"directory": "work", "path": "link", "recursive": true});
    assert_eq!(fixture.call("fs.remove", input).unwrap(), json!({"removed": true}));
    assert_eq!(fixture.names("outside"), ["kept"]);
}
