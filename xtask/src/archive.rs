//! Compares an archive with the directory that it was made of, byte for byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What a directory and an archive both can have under a path.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Directory,
    Symlink(PathBuf),
    File(Vec<u8>),
}

/// How much was compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// How many files.
    pub(crate) files: usize,
    /// How many bytes they have.
    pub(crate) bytes: u64,
}

/// Each path must be in both, with the same content.
pub(crate) fn compare(archive: &Path, dir: &Path) -> Result<Compared> {
    let mut missing = BTreeMap::new();
    walk(dir, Path::new(""), &mut missing).with_context(|| format!("read {}", dir.display()))?;
    let file = File::open(archive).with_context(|| format!("open {}", archive.display()))?;
    let mut compared = Compared::default();
    for entry in tar::Archive::new(BufReader::new(file)).entries()? {
        let mut entry = entry?;
        // Directories end with a slash in archives, which the comparison of paths passes over.
        let path = entry.path()?.into_owned();
        let archived = read(&mut entry)?;
        let Some(on_disk) = missing.remove(&path) else {
            bail!("{} is in the archive but not in {}", path.display(), dir.display())
        };
        if archived != at(&dir.join(&path), on_disk)? {
            bail!("{} is not the same in the archive and in {}", path.display(), dir.display());
        }
        if let Content::File(bytes) = archived {
            compared.files += 1;
            compared.bytes += bytes.len() as u64;
        }
    }
    match missing.keys().next() {
        Some(path) => bail!("{} is not in the archive (and {} in all)", path.display(), missing.len()),
        None => Ok(compared),
    }
}

/// All paths beneath a directory but devices, sockets and pipes, with what they are.
fn walk(dir: &Path, beneath: &Path, found: &mut BTreeMap<PathBuf, fs::FileType>) -> Result<()> {
    for entry in fs::read_dir(dir.join(beneath))? {
        let entry = entry?;
        let path = beneath.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(dir, &path, found)?;
        }
        if kind.is_dir() || kind.is_file() || kind.is_symlink() {
            found.insert(path, kind);
        }
    }
    Ok(())
}

fn at(path: &Path, kind: fs::FileType) -> Result<Content> {
    Ok(if kind.is_dir() {
        Content::Directory
    } else if kind.is_symlink() {
        Content::Symlink(fs::read_link(path)?)
    } else {
        Content::File(fs::read(path)?)
    })
}

fn read(entry: &mut tar::Entry<'_, impl Read>) -> Result<Content> {
    Ok(match entry.header().entry_type() {
        tar::EntryType::Directory => Content::Directory,
        tar::EntryType::Symlink => {
            let link = entry.link_name()?.context("a symbolic link in the archive leads nowhere")?;
            Content::Symlink(link.into_owned())
        }
        tar::EntryType::Regular => {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            Content::File(bytes)
        }
        other => bail!("the archive has an entry of an unexpected kind: {other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of these files, made by other means than the host's.
    fn archive(home: &Path, files: &[(&str, &str)]) -> PathBuf {
        let path = home.join("archive.tar");
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        builder.finish().unwrap();
        path
    }

    #[test]
    fn only_the_same_files_with_the_same_bytes_pass() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("dir");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("a"), "one").unwrap();
        fs::write(dir.join("b"), "two").unwrap();
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("a", "one"), ("b", "two")], ""),
            (&[("a", "one"), ("b", "twO")], "b is not the same"),
            (&[("a", "one")], "b is not in the archive"),
            (&[("a", "one"), ("b", "two"), ("c", "")], "c is in the archive but not"),
            (&[("a", "one"), ("b", "two"), ("a", "one")], "a is in the archive but not"),
        ];
        for (files, complaint) in cases {
            match compare(&archive(home.path(), files), &dir) {
                Ok(compared) => {
                    assert_eq!((*complaint, compared), ("", Compared { files: 2, bytes: 6 }), "{files:?}");
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(!complaint.is_empty() && error.contains(complaint), "{files:?}: {error}");
                }
            }
        }
    }
}
