//! The folder that all workers of the queue share: what one activity hands to the next that is too large for a journal.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::NamedTempFile;

/// Files by name, such as `RUN/model`.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("make the folder {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// The file of a name that may come from anywhere: it leads nowhere else.
    fn path(&self, name: &str) -> Result<PathBuf> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        ensure!(
            name.split('/').all(is_plain),
            "the name `{name}` is not plain: use letters, digits, `-` and `_`, and `/` between parts"
        );
        Ok(self.0.join(name))
    }

    /// What is under a name, if anything.
    pub(crate) fn find(&self, name: &str) -> Result<Option<String>> {
        match fs::read_to_string(self.path(name)?) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read `{name}`")),
        }
    }

    /// What must be under a name.
    pub(crate) fn read(&self, name: &str) -> Result<String> {
        let found = self.find(name)?;
        found.with_context(|| {
            format!("`{name}` is not in the folder: do all workers of the queue have the same one?")
        })
    }

    /// Puts a text under a name, in place of what was there. Whoever reads meanwhile, or after a crash, finds the old
    /// one or the new one, and never a part.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name)?;
        replace(&path, text).with_context(|| format!("write `{name}`"))
    }
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().context("a file in a folder has a parent")?;
    fs::create_dir_all(dir)?;
    // Each with a name of its own: an attempt that was given up may still be writing, here or in another worker.
    let mut unfinished = NamedTempFile::new_in(dir)?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(path)?;
    // The name is durable when its directory is.
    File::open(dir)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("new")).unwrap();
        assert_eq!(folder.find("run-1/model").unwrap(), None);
        for text in ["one", "two"] {
            folder.write("run-1/model", text).unwrap();
            assert_eq!(folder.read("run-1/model").unwrap(), text);
        }
        let files = fs::read_dir(dir.path().join("new/run-1")).unwrap().count();
        assert_eq!(files, 1, "no unfinished one is left");
        assert!(folder.read("run-1/other").unwrap_err().to_string().contains("do all workers"));
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        for name in ["", "/etc/passwd", "../other", "a/../../b", "a//b", ".hidden", "a\0b"] {
            assert!(folder.write(name, "text").is_err(), "{name:?}");
        }
    }
}
