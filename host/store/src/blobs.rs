//! Components' bytes: one file for each digest, beside the store.
//!
//! They are large, immutable and named by what they are, so they need no log: a file is complete as soon as it has its
//! name. Write the file first and the record that names it second; a file without a record is harmless.
//!
//! A file ends with the SHA-256 of what is kept in it. Its name does not do for that: a component that was made of an
//! uploaded core module has the name of the upload. Whatever is read is verified, so that damage is never executed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::durable::sync_dir;
use crate::store::StoreError;

/// The SHA-256 of a component's upload.
type Digest = [u8; CHECKSUM];

/// The size of the checksum at the end of each file.
const CHECKSUM: usize = 32;

/// Files that are still being written have this extension.
const UNFINISHED: &str = "tmp";

/// Files in one directory, each with the name `<digest in hex>.wasm`.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
    /// Makes the names of unfinished files distinct.
    writes: AtomicU64,
}

impl Blobs {
    /// Takes up a directory, creating it if need be, and removes what an interrupted [`put`](Self::put) left behind.
    /// Nobody else may be writing there: the data directory's lock, which the store holds, sees to that.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        let open = || -> io::Result<()> {
            fs::create_dir_all(&dir)?;
            for file in fs::read_dir(&dir)? {
                let path = file?.path();
                if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                    fs::remove_file(path)?;
                }
            }
            Ok(())
        };
        open().map_err(StoreError::io(format_args!("open the directory {}", dir.display())))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        Ok(Self { dir, writes: AtomicU64::new(0) })
    }

    /// Keeps these bytes, durably, under the digest of the upload that they come from. Keeping them again changes
    /// nothing, except that it mends a damaged file.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(digest);
        match self.get(digest) {
            // It is whole, but whoever gave it its name may not have come to the sync below yet.
            Ok(Some(_)) => return sync_dir(&self.dir),
            Ok(None) => {}
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::warn!(%error, "an upload replaces a damaged file");
            }
            Err(error) => return Err(error),
        }
        // The digest and a number of our own: two uploads of the same bytes at once do not write into one file.
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{number}.{UNFINISHED}"));
        let written = write_durably(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, &path));
        if let Err(error) = written {
            // What cannot be removed now is removed when the directory is opened next.
            let _best_effort = fs::remove_file(&unfinished);
            return Err(StoreError::io(format_args!("write {}", path.display()))(error));
        }
        sync_dir(&self.dir)
    }

    /// The bytes under a digest, none if there are none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when they are not what was kept.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(format_args!("read {}", path.display()))(error)),
        };
        match bytes.split_last_chunk::<CHECKSUM>() {
            Some((kept, checksum)) if checksum_of(kept) == *checksum => {
                bytes.truncate(bytes.len() - CHECKSUM);
                Ok(Some(bytes))
            }
            _ => Err(StoreError::damaged(
                path.display(),
                "its content does not match its checksum (uploading the component again mends that)",
            )),
        }
    }

    /// Forgets the bytes under a digest, if there are any.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Ok(()) => sync_dir(&self.dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StoreError::io(format_args!("remove {}", path.display()))(error)),
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.dir.join(hex).with_extension("wasm")
    }
}

fn checksum_of(bytes: &[u8]) -> [u8; CHECKSUM] {
    Sha256::digest(bytes).into()
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.write_all(&checksum_of(bytes))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_put_is_there_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("components")).unwrap();
        let (one, two) = ([0x0f; 32], [0xf0; 32]);
        blobs.put(&one, b"first").unwrap();
        blobs.put(&one, b"first").unwrap();
        blobs.put(&two, b"").unwrap();
        assert_eq!(blobs.get(&one).unwrap().as_deref(), Some(&b"first"[..]));
        assert_eq!(blobs.get(&two).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(
            names(&dir.path().join("components")),
            [format!("{}.wasm", "0f".repeat(32)), format!("{}.wasm", "f0".repeat(32))]
        );
        blobs.remove(&one).unwrap();
        blobs.remove(&one).unwrap();
        assert_eq!(blobs.get(&one).unwrap(), None);
    }

    #[test]
    fn damage_is_told_and_mended_by_keeping_the_bytes_again() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let file = dir.path().join(format!("{}.wasm", "07".repeat(32)));
        let damages: [fn(&mut Vec<u8>); 4] = [
            |file| file[1] ^= 1,
            |file| *file.last_mut().unwrap() ^= 1,
            |file| file.truncate(file.len() - 1),
            |file| file.clear(),
        ];
        for damage in damages {
            blobs.put(&[7; 32], b"bytes").unwrap();
            let mut content = fs::read(&file).unwrap();
            damage(&mut content);
            fs::write(&file, content).unwrap();
            let error = blobs.get(&[7; 32]).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            blobs.put(&[7; 32], b"bytes").unwrap();
            assert_eq!(blobs.get(&[7; 32]).unwrap().as_deref(), Some(&b"bytes"[..]));
        }
    }

    #[test]
    fn opening_removes_unfinished_files_and_keeps_the_others() {
        let dir = tempfile::tempdir().unwrap();
        Blobs::open(dir.path()).unwrap().put(&[7; 32], b"whole").unwrap();
        fs::write(dir.path().join("0000.3.tmp"), b"hal").unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        assert_eq!(blobs.get(&[7; 32]).unwrap().as_deref(), Some(&b"whole"[..]));
        assert_eq!(names(dir.path()).len(), 1);
    }

    #[test]
    fn a_failed_put_names_the_file_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path().join("gone")).unwrap();
        fs::remove_dir(dir.path().join("gone")).unwrap();
        let error = blobs.put(&[7; 32], b"bytes").unwrap_err().to_string();
        assert!(error.contains(&"07".repeat(32)), "{error}");
        assert_eq!(names(dir.path()), [""; 0]);
    }
}
