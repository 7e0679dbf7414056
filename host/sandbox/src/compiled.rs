//! Compiled code on disk, so that a restarted host does not compile again.
//!
//! A file is named by the component's digest and by the [`Backend`]'s key, so code of another wasmtime,
//! processor or configuration is never found; such files are removed at the start. Beside each lies a
//! checksum over name and content: what is damaged, cut short or misplaced is compiled again.
//!
//! The checksum finds damage, not malice: who can write into this directory can make the host execute
//! anything, exactly as one who can write the host's binary. The directory is made for its owner alone, and one
//! that others own or can write into is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use refrain_engine::ids::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::engine::Backend;

/// The ending of compiled code.
const CODE: &str = "cwasm";
/// The ending of its checksum.
const SUM: &str = "sha256";
/// The ending of what was not written to its end.
const UNFINISHED: &str = "unfinished";

/// A directory of compiled components.
pub(crate) struct CompiledCode {
    directory: PathBuf,
    /// Tells unfinished files of this process apart.
    unfinished: AtomicU64,
}

impl CompiledCode {
    /// Opens or makes the directory, and removes what no engine with one of these keys can use.
    pub(crate) fn open(directory: PathBuf, keys: &[&str]) -> io::Result<Self> {
        make_private(&directory)?;
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if is_ours(&path) && !keys.iter().any(|key| stem(&path).ends_with(key)) {
                remove(&path);
            }
        }
        Ok(Self { directory, unfinished: AtomicU64::new(0) })
    }

    /// The compiled component, if it is here and whole.
    pub(crate) fn load(&self, backend: &Backend, digest: Digest) -> Option<Component> {
        let name = name(backend, digest);
        let path = self.path(&name, CODE);
        let code = fs::read(&path).ok()?;
        let recorded = fs::read_to_string(self.path(&name, SUM)).ok()?;
        if recorded != checksum(&name, &code) {
            tracing::warn!(path = %path.display(), "compiled code is damaged: it is compiled again");
            return None;
        }
        // SAFETY: the bytes are what `Component::serialize` gave a process with the same key (the checksum
        // covers the name, which has the key), and nobody but the owner of this process and of its binary
        // may write here. The file is not changed under the mapping: it is replaced by rename alone.
        #[allow(unsafe_code, reason = "deserializing is unsafe for foreign bytes; these are our own")]
        let component = unsafe { Component::deserialize_file(&backend.engine, &path) };
        component
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "compiled code is unusable: it is compiled again");
            })
            .ok()
    }

    /// Keeps a compiled component. Failing to costs time at the next start, and nothing else.
    pub(crate) fn keep(&self, backend: &Backend, digest: Digest, component: &Component) {
        let name = name(backend, digest);
        let written =
            component.serialize().map_err(|error| io::Error::other(error.to_string())).and_then(|code| {
                self.write(&name, SUM, checksum(&name, &code).as_bytes())?;
                self.write(&name, CODE, &code)
            });
        if let Err(error) = written {
            let directory = self.directory.display();
            tracing::warn!(%directory, %error, "compiled code is not kept: the next start compiles it again");
        }
    }

    /// Removes a compiled component.
    pub(crate) fn remove(&self, backend: &Backend, digest: Digest) {
        let name = name(backend, digest);
        [CODE, SUM].iter().for_each(|ending| remove(&self.path(&name, ending)));
    }

    fn write(&self, name: &str, ending: &str, bytes: &[u8]) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.directory.join(format!("{}-{number}.{UNFINISHED}", std::process::id()));
        fs::write(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, self.path(name, ending)))
            .inspect_err(|_| remove(&unfinished))
    }

    fn path(&self, name: &str, ending: &str) -> PathBuf {
        self.directory.join(format!("{name}.{ending}"))
    }
}

fn name(backend: &Backend, digest: Digest) -> String {
    format!("{digest}-{}", backend.key)
}

fn checksum(name: &str, code: &[u8]) -> String {
    let sum = Sha256::new().chain_update(name).chain_update(code).finalize();
    Digest(sum.into()).to_string()
}

fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|ending| [CODE, SUM, UNFINISHED].iter().any(|ours| ending == *ours))
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "an unneeded file stays");
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    check_private(directory)
}

/// Refuses a directory that was there before and that others can write into.
#[cfg(unix)]
fn check_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    /// Writing, for the group and for all.
    const OTHERS_WRITE: u32 = 0o022;

    let metadata = fs::metadata(directory)?;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    let refuse = |reason: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    if owner != user {
        return refuse(format!("it belongs to user {owner} and this is user {user}: give another directory"));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return refuse("others can write into it: chmod it to 700, or give another directory".to_owned());
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> io::Result<()> {
    Ok(())
}
