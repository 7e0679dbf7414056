//! From uploaded bytes to the bytes of a component: checks what can be seen from outside, and makes a
//! component of a core module that carries its WIT world, as a plain `cargo build` leaves it.

use std::panic::catch_unwind;

use bytes::Bytes;
use wit_component::{ComponentEncoder, metadata};

use crate::refusal::Refusal;

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

fn encode(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (without_metadata, _) = metadata::decode(module).map_err(|error| invalid(format!("{error:#}")))?;
    if without_metadata.is_none() {
        return Err(Refusal::NoWorld);
    }
    ComponentEncoder::default()
        .validate(true)
        // Names the glue between code and imports, so that backtraces can leave it out.
        .debug_names(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| match format!("{error:#}") {
            reason if reason.contains("wasi_snapshot_preview1") => Refusal::Preview1,
            reason => Refusal::NotEncodable { reason },
        })
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
