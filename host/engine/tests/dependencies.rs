//! What the engine may not know, it cannot reach: its dependency tree has no clock, no source of randomness,
//! no runtime, no wasm and no store.

use std::path::PathBuf;
use std::process::Command;

/// Crates whose presence would break the promise.
const FORBIDDEN: [&str; 12] = [
    "async-std",
    "axum",
    "chrono",
    "getrandom",
    "hyper",
    "jiff",
    "rand",
    "redb",
    "reqwest",
    "tokio",
    "wasmtime",
    "web-time",
];

#[test]
fn the_engine_depends_on_nothing_that_could_make_two_replays_differ() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "refrain-engine", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs the tests and can be run by them");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"refrain-engine") && names.contains(&"minicbor"), "{tree}");
    let found: Vec<&&str> = names
        .iter()
        .filter(|name| {
            FORBIDDEN.contains(*name) || (name.starts_with("refrain-") && **name != "refrain-engine")
        })
        .collect();
    assert!(found.is_empty(), "the engine depends on {found:?}:\n{tree}");
}

/// The standard library has clocks and I/O too, and no lint of the compiler's keeps a crate from them.
#[test]
fn the_engine_reads_no_clock_and_does_no_io_of_the_standard_library() {
    const NAMES: [&str; 9] = [
        "Instant",
        "SystemTime",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "HashMap",
        "HashSet",
    ];
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for path in
            std::fs::read_dir(folder).expect("the sources are here").map(|file| file.expect("a file").path())
        {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source file");
            for name in NAMES {
                assert!(!text.contains(name), "{} names {name}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 10, "only {files} files were looked at");
}
