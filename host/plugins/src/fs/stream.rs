//! Reading files of any size: in pieces, stoppable, with a hash and with heartbeats.

use std::io::{self, Read, Write};

use cap_std::fs::File;
use refrain_plugin::{ActivityError, Context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::place::Place;

/// Bytes between two heartbeats in one file: several in a second, on a disk of any speed.
const HEARTBEAT_BYTES: u64 = 4 * 1024 * 1024;

/// What an attempt has done, told with each heartbeat.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Done {
    entries: u64,
    bytes: u64,
}

/// Tells the host how far an attempt is, and stops it when the host wants that.
pub(super) struct Progress<'a> {
    ctx: &'a Context,
    done: Done,
    told: Done,
}

impl<'a> Progress<'a> {
    pub(super) fn new(ctx: &'a Context) -> Progress<'a> {
        Progress { ctx, done: Done::default(), told: Done::default() }
    }

    /// One more entry is done.
    pub(super) fn entry(&mut self) -> Result<(), ActivityError> {
        self.done.entries += 1;
        self.tell()
    }

    /// Some more bytes are done.
    fn bytes(&mut self, count: u64) -> Result<(), ActivityError> {
        self.done.bytes += count;
        if self.done.bytes - self.told.bytes >= HEARTBEAT_BYTES {
            self.tell()?;
        }
        self.ctx.check_cancelled()
    }

    fn tell(&mut self) -> Result<(), ActivityError> {
        self.ctx.check_cancelled()?;
        self.told = self.done;
        self.ctx.heartbeat(self.done)
    }
}

/// A file whose reader may be a library that knows only [`io::Error`]: the error as this plugin has it is kept
/// in `failure`.
pub(super) struct Watched<'a, 'b> {
    place: &'a Place<'a>,
    file: File,
    progress: &'a mut Progress<'b>,
    pub(super) failure: Option<ActivityError>,
}

impl<'a, 'b> Watched<'a, 'b> {
    pub(super) fn new(place: &'a Place<'a>, file: File, progress: &'a mut Progress<'b>) -> Watched<'a, 'b> {
        Watched { place, file, progress, failure: None }
    }
}

impl Read for Watched<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => Err(self.place.error("read", &error)),
            Ok(count) => self.progress.bytes(count as u64).map(|()| count),
        };
        count.map_err(|failure| {
            let text = failure.to_string();
            self.failure = Some(failure);
            io::Error::other(text)
        })
    }
}

/// Hashes and counts what is read or written through it.
pub(super) struct Hashing<T> {
    pub(super) inner: T,
    hasher: Sha256,
    count: u64,
}

/// Hash and number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Sum {
    pub(super) sha256: String,
    pub(super) size: u64,
}

impl<T> Hashing<T> {
    pub(super) fn new(inner: T) -> Hashing<T> {
        Hashing { inner, hasher: Sha256::new(), count: 0 }
    }

    /// What the stream was, and what it passed through.
    pub(super) fn finish(self) -> (Sum, T) {
        (Sum { sha256: hex(&self.hasher.finalize()), size: self.count }, self.inner)
    }

    fn note(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.count += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.note(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.note(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Hash and size of `bytes`.
pub(super) fn sum(bytes: &[u8]) -> Sum {
    Sum { sha256: hex(&Sha256::digest(bytes)), size: bytes.len() as u64 }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
