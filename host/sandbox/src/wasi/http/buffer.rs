//! Bytes that the host holds for a guest.

use crate::limiter::{Charge, Limiter};
use crate::state::HostTrap;

/// A body, on its way in or out.
#[derive(Debug)]
pub(in crate::wasi) struct Buffer {
    bytes: Vec<u8>,
    /// How many of them were read.
    read: usize,
    charge: Charge,
}

impl Buffer {
    pub(super) fn new(bytes: Vec<u8>, limiter: &Limiter) -> Result<Self, HostTrap> {
        let charge = limiter.charge(bytes.len())?;
        Ok(Self { bytes, read: 0, charge })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), HostTrap> {
        self.charge.grow(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is nothing left to read.
    pub(in crate::wasi) fn is_read(&self) -> bool {
        self.read == self.bytes.len()
    }

    /// The next bytes, at most so many.
    pub(in crate::wasi) fn read(&mut self, len: usize) -> Vec<u8> {
        let rest = &self.bytes[self.read..];
        let bytes = rest[..len.min(rest.len())].to_vec();
        self.read += bytes.len();
        bytes
    }
}
