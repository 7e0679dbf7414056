//! Files of histories: which there are, what they are called, and reading them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use refrain_engine::export::Exported;

/// The ending of the names of histories.
pub const ENDING: &str = "jsonl";

/// The largest file that is read. A journal has at most 128 MiB, and its text, if it is all of control characters, six
/// times as much.
pub const MAX_HISTORY_BYTES: u64 = 1 << 30;

/// Characters of a workflow id in a file's name: names have 255 bytes, and a run id follows.
const SHOWN_ID: usize = 100;

/// The histories at these paths: files as they are named, and of folders all that is called like one, in them and in
/// what is in them, in the order of their names.
///
/// # Errors
/// When a path cannot be read, or a folder has none: whoever replays nothing is not told that all is well.
pub fn find(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        if !fs::metadata(path).map_err(named)?.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        walk(path, &mut found).map_err(named)?;
        if found.len() == before {
            let reason =
                format!("{} has no history in it: a file whose name ends in .{ENDING}", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, reason));
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    for path in paths {
        // Links are followed to files alone: one that leads back would never end.
        if fs::symlink_metadata(&path)?.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == ENDING) {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads a history.
///
/// # Errors
/// Says what is wrong with it.
pub fn read(path: &Path) -> Result<Exported, String> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_HISTORY_BYTES + 1).read_to_end(&mut text));
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    if text.len() as u64 > MAX_HISTORY_BYTES {
        return Err(format!("it has more than {MAX_HISTORY_BYTES} bytes: no history is as large"));
    }
    Exported::read(&text).map_err(|error| error.to_string())
}

/// What the history of a run is called: the same each time it is exported, and no other run's.
pub fn name(workflow_id: &str, run_id: &str) -> String {
    let mut name = String::new();
    for (index, byte) in workflow_id.bytes().enumerate() {
        if name.len() >= SHOWN_ID {
            break;
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            // Not as the first one, which hides a file.
            b'.' if index > 0 => name.push('.'),
            other => name.push_str(&format!("%{other:02X}")),
        }
    }
    format!("{name}.{run_id}.{ENDING}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_name_that_is_one_on_every_file_system() {
        assert_eq!(name("order-42", "0199"), "order-42.0199.jsonl");
        assert_eq!(name("../order 42/ä", "0199"), "%2E.%2Forder%2042%2F%C3%A4.0199.jsonl");
        assert!(name(&"ä".repeat(127), &"r".repeat(36)).len() < 150);
    }

    #[test]
    fn folders_are_looked_through_in_order_and_one_without_histories_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/c")).expect("a folder");
        for file in ["b/c/1.jsonl", "b/2.jsonl", "a.jsonl", "z.json", "README.md"] {
            fs::write(at(file), "").expect("a file");
        }
        let found = find(&[folder.path().to_owned(), at("z.json")]).expect("histories");
        assert_eq!(found, ["a.jsonl", "b/2.jsonl", "b/c/1.jsonl", "z.json"].map(at));
        fs::create_dir(at("empty")).expect("a folder");
        let error = find(&[at("empty")]).expect_err("nothing is in it").to_string();
        assert!(error.contains("has no history in it"), "{error}");
        let error = find(&[at("nothing")]).expect_err("it is not there").to_string();
        assert!(error.contains("nothing"), "{error}");
    }

    #[test]
    fn what_is_no_history_is_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        assert!(read(&path).expect_err("it is not there").starts_with("it cannot be read: "));
        fs::write(&path, "{\"format\":\"refrain-history\",\"number\":2}\n").expect("a file");
        let error = read(&path).expect_err("it is newer");
        assert!(error.contains("format 2") && error.contains("newer"), "{error}");
    }
}
