//! What the disk can do.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many times a small write is synced.
const SYNCS: usize = 400;

/// The bytes of each, about what a step's batch has.
const BYTES: usize = 512;

/// The median time of a small append and its `fdatasync`.
pub(super) fn sync_p50(dir: &Path) -> io::Result<Duration> {
    let path = dir.join("sync-probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[7; BYTES])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}
