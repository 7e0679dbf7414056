//! Which files of a project are its sources, and whether they have changed.
//!
//! Files are compared by their content, so that a build that writes the same again, or a file that was only touched,
//! is no change.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};

use crate::cli::CliError;
use crate::project::manifest::{self, Manifest};

/// Folders that are no source in any language, whatever `watch` and .gitignore say.
const NO_SOURCES: [&str; 6] = [".git", ".refrain", ".venv", "__pycache__", "node_modules", "target"];
/// Files and folders that are looked at, at most: a project with more has something among its sources that is none.
const MAX_FILES: usize = 20_000;
/// Larger files are compared by size and time alone.
const MAX_READ_BYTES: u64 = 4 * 1024 * 1024;

/// Which files are sources.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Files {
    root: PathBuf,
    /// What `watch` says.
    globs: Override,
    component: PathBuf,
}

/// The sources as they were at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    files: BTreeMap<PathBuf, File>,
    /// The folders that have, or could have, sources in them.
    pub(super) dirs: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
struct File {
    modified: Option<SystemTime>,
    length: u64,
    hash: u64,
}

impl Files {
    /// The sources of the project in this folder.
    ///
    /// # Errors
    /// When a glob of `watch` is none.
    pub(in crate::cli) fn new(root: &Path, manifest: &Manifest) -> Result<Self, CliError> {
        let mut globs = OverrideBuilder::new(root);
        for glob in &manifest.watch {
            globs.add(glob).map_err(|error| watch_error(&format!("{glob:?} is no glob: {error}")))?;
        }
        if !manifest.watch.is_empty() {
            // It is where `watch` itself is.
            let own = globs.add(&format!("/{}", manifest::FILE));
            own.map_err(|error| watch_error(&error.to_string()))?;
        }
        let globs = globs.build().map_err(|error| watch_error(&error.to_string()))?;
        Ok(Self { root: root.to_owned(), globs, component: root.join(&manifest.component) })
    }

    /// Looks at all of them. Those whose size and time are as `before` are taken to be as before.
    ///
    /// # Errors
    /// When there are too many, or a folder cannot be read.
    pub(super) fn look(&self, before: &Snapshot) -> Result<Snapshot, CliError> {
        let mut found = Snapshot::default();
        let component = self.component.clone();
        let walk = WalkBuilder::new(&self.root)
            .hidden(false)
            .parents(false)
            .require_git(false)
            .git_global(false)
            .git_exclude(false)
            .overrides(self.globs.clone())
            .filter_entry(move |entry| {
                let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
                entry.depth() == 0
                    || entry.path() != component
                        && !(is_dir && NO_SOURCES.iter().any(|name| entry.file_name() == *name))
            })
            .build();
        for entry in walk {
            let entry = match entry {
                Ok(entry) => entry,
                // It was removed since its folder was read.
                Err(error) if error.io_error().is_some_and(is_gone) => continue,
                Err(error) => {
                    return Err(CliError::usage(format!("cannot look at the project's files: {error}")));
                }
            };
            if found.files.len() + found.dirs.len() >= MAX_FILES {
                return Err(watch_error(&format!(
                    "leaves more than {MAX_FILES} files to look at: name the sources in it, or the others in .gitignore"
                )));
            }
            if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                found.dirs.push(entry.into_path());
            } else if let Some(file) = read(entry.path(), before.files.get(entry.path())) {
                found.files.insert(entry.into_path(), file);
            }
        }
        Ok(found)
    }

    /// The path of what people name so.
    pub(super) fn path(&self, shown: &str) -> PathBuf {
        self.root.join(shown)
    }

    /// A path as people name it: from the project's folder.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

impl Snapshot {
    /// Whether this file was there.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// The files that are other ones now, new or gone.
    pub(super) fn changed(&self, now: &Self) -> Vec<PathBuf> {
        let differs = |path: &PathBuf, file: &File| {
            self.files.get(path).is_none_or(|before| (before.length, before.hash) != (file.length, file.hash))
        };
        let changed = now.files.iter().filter(|(path, file)| differs(path, file)).map(|(path, _)| path);
        let gone = self.files.keys().filter(|path| !now.files.contains_key(*path));
        changed.chain(gone).cloned().collect()
    }
}

fn watch_error(problem: &str) -> CliError {
    CliError::usage(format!("{}: watch {problem}", manifest::FILE))
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// A file as it is; `None` when it is no file, or gone.
fn read(path: &Path, before: Option<&File>) -> Option<File> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let (modified, length) = (metadata.modified().ok(), metadata.len());
    if let Some(before) = before.filter(|before| (before.modified, before.length) == (modified, length)) {
        return Some(before.clone());
    }
    let mut hasher = DefaultHasher::new();
    if length <= MAX_READ_BYTES {
        hasher.write(&fs::read(path).ok()?);
    } else {
        // The time stands for the content.
        let since = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        hasher.write_u128(since.unwrap_or_default().as_nanos());
    }
    Some(File { modified, length, hash: hasher.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Project(tempfile::TempDir);

    impl Project {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in the project")).expect("a folder");
            fs::write(path, text).expect("a file");
        }

        fn files(&self, watch: &str) -> Files {
            let manifest =
                format!("name = \"order\"\nbuild = \"make\"\ncomponent = \"order.wasm\"\nwatch = {watch}");
            Files::new(self.0.path(), &Manifest::parse(&manifest).expect("a manifest")).expect("globs")
        }

        fn sources(&self, watch: &str) -> Vec<String> {
            let files = self.files(watch);
            let snapshot = files.look(&Snapshot::default()).expect("a look");
            snapshot.files.keys().map(|path| files.shown(path)).collect()
        }
    }

    #[test]
    fn sources_are_what_git_does_not_ignore_and_no_build_makes() {
        let project = Project::new();
        for path in [
            ".gitignore",
            "refrain.toml",
            "src/lib.rs",
            "src/.hidden",
            "gen/made.rs",
            "order.wasm",
            "target/x.rs",
            "web/node_modules/y.js",
            ".git/HEAD",
            ".refrain/data/LOCK",
        ] {
            project.write(path, "");
        }
        project.write(".gitignore", "/gen/\n");
        assert_eq!(project.sources("[]"), [".gitignore", "refrain.toml", "src/.hidden", "src/lib.rs"]);
        assert_eq!(project.sources("[\"src/**\", \"!src/.hidden\"]"), ["refrain.toml", "src/lib.rs"]);
        assert_eq!(project.sources("[\"*.wasm\", \"target/**\"]"), ["refrain.toml"]);
    }

    #[test]
    fn a_file_has_changed_when_its_content_has() {
        let project = Project::new();
        let files = project.files("[]");
        for (path, text) in [("a", "1"), ("b", "1"), ("c", "1")] {
            project.write(path, text);
        }
        let before = files.look(&Snapshot::default()).expect("a look");
        project.write("a", "1");
        let later = SystemTime::now() + std::time::Duration::from_secs(10);
        let touched = fs::File::options().write(true).open(project.0.path().join("a")).expect("a file");
        touched.set_modified(later).expect("another time");
        project.write("b", "22");
        fs::remove_file(project.0.path().join("c")).expect("a file");
        project.write("d/e", "1");
        let now = files.look(&before).expect("a look");
        let changed: Vec<_> = before.changed(&now).iter().map(|path| files.shown(path)).collect();
        assert_eq!(changed, ["b", "d/e", "c"]);
        assert_eq!(now.dirs.len(), before.dirs.len() + 1);
        assert!(now.changed(&files.look(&now).expect("a look")).is_empty());
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        let manifest = Manifest::parse(
            "name = \"order\"\nbuild = \"make\"\ncomponent = \"order.wasm\"\nwatch = [\"src/{a\"]",
        );
        let error = Files::new(Path::new("."), &manifest.expect("a manifest")).expect_err("no glob");
        assert!(error.to_string().starts_with("refrain.toml: watch \"src/{a\" is no glob: "), "{error}");
    }
}
