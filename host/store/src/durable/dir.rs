//! The data directory: who has it, and how much room is left.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// The file whose lock is the directory's lock. It holds the process id of whoever has it, for the message to others.
const LOCK_FILE: &str = "LOCK";

/// The access to a data directory that is created here: its owner's alone, since it holds what workflows are given and
/// give. Whoever creates one beforehand decides otherwise.
const OWNER_ONLY: u32 = 0o700;

/// A data directory that no other process has open.
pub(super) struct DataDir {
    dir: PathBuf,
    /// The operating system gives up the lock when this is closed, also when the process dies.
    _lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes its lock.
    pub(super) fn lock(dir: &Path) -> Result<Self, StoreError> {
        create(dir).map_err(StoreError::io(format_args!("create the data directory {}", dir.display())))?;
        let path = dir.join(LOCK_FILE);
        let what = format!("lock the data directory with {}", path.display());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(StoreError::io(&what))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { dir: dir.to_owned(), holder: read_holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&what)(error)),
        }
        write_holder(&mut file).map_err(StoreError::io(&what))?;
        Ok(Self { dir: dir.to_owned(), _lock: file })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Makes the names of newly created files durable: syncing a file does not.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        sync_dir(&self.dir)
    }
}

fn create(dir: &Path) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(OWNER_ONLY).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        done => done,
    }
}

pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(StoreError::io(format_args!("sync the directory {}", dir.display())))
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// How long an answer about free space is good for. Asking costs a microsecond, and in this time a fast disk takes a
/// fraction of the default reserve.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Watches the room on the disk.
pub(super) struct FreeSpace {
    probe: Box<dyn Fn() -> io::Result<u64> + Send>,
    reserve: u64,
    checked: Option<(Instant, u64)>,
}

impl FreeSpace {
    /// Of the file system that holds `dir`.
    pub(super) fn of(dir: &Path, reserve: u64) -> Self {
        let dir = dir.to_owned();
        Self::new(reserve, move || {
            let found = rustix::fs::statvfs(&dir)?;
            Ok(found.f_bavail.saturating_mul(found.f_frsize))
        })
    }

    pub(super) fn new(reserve: u64, probe: impl Fn() -> io::Result<u64> + Send + 'static) -> Self {
        Self { probe: Box::new(probe), reserve, checked: None }
    }

    /// The free bytes and the reserve, if the former are fewer.
    pub(super) fn shortage(&mut self) -> Option<(u64, u64)> {
        let fresh = self.checked.filter(|(at, _)| at.elapsed() < CHECK_EVERY);
        let free = fresh.map_or_else(|| self.check(), |(_, free)| free);
        (free < self.reserve).then_some((free, self.reserve))
    }

    fn check(&mut self) -> u64 {
        // Not knowing must not stop new work; if there is no room, the write that fails says so.
        let free = (self.probe)().unwrap_or_else(|error| {
            tracing::warn!(%error, "the free space of the data directory is unknown");
            u64::MAX
        });
        self.checked = Some((Instant::now(), free));
        free
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_created_data_directory_is_its_owners_alone_and_an_existing_one_keeps_its_mode() {
        let mode = |dir: &Path| fs::metadata(dir).unwrap().permissions().mode() & 0o777;
        let dir = tempfile::tempdir().unwrap();
        let (new, given) = (dir.path().join("a/b"), dir.path().join("given"));
        fs::create_dir(&given).unwrap();
        fs::set_permissions(&given, fs::Permissions::from_mode(0o750)).unwrap();
        drop(DataDir::lock(&new).unwrap());
        drop(DataDir::lock(&given).unwrap());
        assert_eq!((mode(&new), mode(&given)), (0o700, 0o750));
        assert!(DataDir::lock(&given.join("LOCK")).is_err(), "a file is no directory");
    }
}
