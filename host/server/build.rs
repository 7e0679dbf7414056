//! Embeds what `refrain new` writes: each language's template, and the sources of its SDK.
//!
//! A language is offered when its template is there. Nothing is embedded that git ignores: dependencies that were
//! installed beside an SDK, and what was built of it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use ignore::WalkBuilder;

/// A language of workflows. Its template is `templates/ID`.
struct Language {
    /// Its name on the command line.
    id: &'static str,
    /// Its name for people.
    title: &'static str,
    /// What a project needs of this repository so that it builds by itself.
    sources: &'static [Sources],
}

/// Files of the repository that a project gets as they are.
struct Sources {
    /// A file or a folder, from the repository's root.
    from: &'static str,
    /// Where it is in the project.
    to: &'static str,
    /// Names of files and folders in it that a project does without: checks of the SDK itself.
    without: &'static [&'static str],
}

const fn sources(from: &'static str, to: &'static str, without: &'static [&'static str]) -> Sources {
    Sources { from, to, without }
}

/// The contract, for builds that make their bindings of it.
const WIT: Sources = sources("wit", "refrain-sdk/wit", &[]);

/// All languages, in the order in which they are offered.
const LANGUAGES: [Language; 5] = [
    Language {
        id: "rust",
        title: "Rust",
        // The SDK finds the contract two folders above its own, as in the repository.
        sources: &[
            sources("guest-sdk/rust", "refrain-sdk/guest-sdk/rust", &[]),
            sources("guest-sdk/rust-macros", "refrain-sdk/guest-sdk/rust-macros", &[]),
            WIT,
        ],
    },
    Language {
        id: "python",
        title: "Python",
        sources: &[sources("guest-sdk/python", "refrain-sdk", &["check.sh", "tests"]), WIT],
    },
    Language {
        id: "js",
        title: "JavaScript",
        sources: &[sources("guest-sdk/js", "refrain-sdk", &["check.sh", "test"]), WIT],
    },
    Language { id: "go", title: "Go", sources: &[sources("guest-sdk/go", "refrain-sdk", &["check.sh"])] },
    Language {
        id: "c",
        title: "C",
        sources: &[sources("guest-sdk/c", "refrain-sdk", &["check.sh", "tests"])],
    },
];

/// What an SDK is licensed under, wherever it goes.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

fn main() -> Result<(), Box<dyn Error>> {
    let server = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = server.join("../..").canonicalize()?;
    let mut code = String::from("&[\n");
    for Language { id, title, sources } in LANGUAGES {
        let template = server.join("templates").join(id);
        rerun_if_changed(&template);
        if !template.is_dir() {
            continue;
        }
        let mut files = Vec::new();
        add(&mut files, &template, Path::new(""), &[], true)?;
        for Sources { from, to, without } in sources {
            let from = root.join(from);
            rerun_if_changed(&from);
            add(&mut files, &from, Path::new(to), without, false)?;
        }
        for licence in LICENCES {
            add(&mut files, &root.join(licence), &Path::new("refrain-sdk").join(licence), &[], false)?;
        }
        writeln!(code, "Language {{ id: {id:?}, title: {title:?}, files: &[")?;
        for File { path, from, is_executable, is_template } in files {
            writeln!(
                code,
                "File {{ path: {path:?}, content: include_bytes!({from:?}), is_executable: {is_executable}, \
                 is_template: {is_template} }},"
            )?;
        }
        code.push_str("] },\n");
    }
    code.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("languages.rs"), code)?;
    Ok(())
}

struct File {
    /// Where it is in the project.
    path: PathBuf,
    from: PathBuf,
    is_executable: bool,
    is_template: bool,
}

/// Adds a file, or the files of a folder in the order of their names.
fn add(
    files: &mut Vec<File>,
    from: &Path,
    to: &Path,
    without: &'static [&'static str],
    is_template: bool,
) -> Result<(), Box<dyn Error>> {
    let walk = WalkBuilder::new(from)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| {
            entry.depth() == 0 || !without.iter().any(|name| entry.file_name() == *name)
        })
        .build();
    for entry in walk {
        let entry = entry?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let within = entry.path().strip_prefix(from)?;
        let path = if within.as_os_str().is_empty() { to.to_owned() } else { to.join(within) };
        let is_executable = is_executable(&entry.metadata()?);
        files.push(File { path, from: entry.into_path(), is_executable, is_template });
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
