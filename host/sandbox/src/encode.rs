//! From uploaded bytes to the bytes of a component: checks what can be seen from outside, and makes a
//! component of a core module, as a plain `cargo build`, `go build` or `clang` leaves it.

use std::panic::catch_unwind;

use bytes::Bytes;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, metadata};

use crate::circles;
use crate::refusal::Refusal;
use crate::world;

/// The largest upload. A Python interpreter with its library is a component of 22 MB, and compiling takes
/// about a second for each 4 MB.
pub const MAX_COMPONENT_BYTES: usize = 64 * 1024 * 1024;

const MAGIC: &[u8] = b"\0asm";
const MODULE: [u8; 4] = [1, 0, 0, 0];
const COMPONENT: [u8; 4] = [13, 0, 1, 0];

/// How many of the first bytes a refusal shows.
const SHOWN_BYTES: usize = 8;

/// The component in an upload.
pub(crate) fn component_in(upload: &Bytes) -> Result<Bytes, Refusal> {
    if upload.is_empty() {
        return Err(Refusal::Empty);
    }
    if upload.len() > MAX_COMPONENT_BYTES {
        return Err(Refusal::TooLarge { bytes: upload.len(), maximum: MAX_COMPONENT_BYTES });
    }
    let Some((magic, rest)) = upload.split_at_checked(MAGIC.len()).filter(|(magic, _)| *magic == MAGIC)
    else {
        return Err(not_wasm(upload));
    };
    let encoding = rest.first_chunk().copied().ok_or_else(|| Refusal::Truncated {
        reason: format!("it ends after {} bytes", magic.len() + rest.len()),
    })?;
    match encoding {
        COMPONENT => Ok(upload.clone()),
        // The reader of worlds panics at some modules that were cut short.
        MODULE => catch_unwind(|| encode(upload))
            .unwrap_or_else(|_| {
                let reason = "its description of itself cannot be read".to_owned();
                Err(Refusal::Truncated { reason })
            })
            .map(Bytes::from),
        encoding => Err(Refusal::Encoding { encoding }),
    }
}

/// What a parser's or validator's complaint means for who uploaded.
pub(crate) fn invalid(reason: String) -> Refusal {
    if reason.contains("unexpected end") {
        Refusal::Truncated { reason }
    } else if reason.contains("async") {
        Refusal::Async { reason }
    } else {
        Refusal::Invalid { reason }
    }
}

/// Makes a component of a core module. A world that the module carries is what it was built for; without one it can
/// only be meant for ours.
fn encode(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    circles::refuse(&[module, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER]).map_err(invalid)?;
    let (without_metadata, _) = metadata::decode(module).map_err(|error| invalid(format!("{error:#}")))?;
    if without_metadata.is_some() {
        return with_adapter(module).map_err(|reason| Refusal::NotEncodable { reason });
    }
    let mut with_world = module.to_vec();
    world::embed(&mut with_world)
        .and_then(|()| with_adapter(&with_world))
        .map_err(|reason| Refusal::NoWorld { reason })
}

/// Encodes a module that has a world. What imports WASI preview 1, which is a module's own system interface, gets the
/// adapter that makes WASI 0.2 of it. The adapter's memory comes from the module's allocator (`cabi_realloc_adapter`,
/// else `cabi_realloc`): a page that it took for itself would be taken for its own by Go's heap.
fn with_adapter(module: &[u8]) -> Result<Vec<u8>, String> {
    ComponentEncoder::default()
        .validate(true)
        // Names the glue between code and imports, so that backtraces can leave it out.
        .debug_names(true)
        .module(module)
        .and_then(|encoder| {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))
}

fn not_wasm(upload: &[u8]) -> Refusal {
    let begins = &upload[..upload.len().min(SHOWN_BYTES)];
    if MAGIC.starts_with(begins) {
        return Refusal::Truncated { reason: format!("it ends after {} bytes", upload.len()) };
    }
    match upload.trim_ascii_start() {
        text if text.starts_with(b"(module") || text.starts_with(b"(component") => Refusal::Text,
        _ => Refusal::NotWasm { begins: begins.escape_ascii().to_string() },
    }
}
