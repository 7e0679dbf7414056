//! `wasi:random`: the run's random stream. What WASI calls insecure is the same stream: all of it must be the same on
//! each replay, and none of it is a secret from who can read the journal.

use wasmtime::component::Linker;

use super::versioned;
use crate::state::State;

/// Bytes that a guest may ask for at once, as much as its memory could hold anyway.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut random = linker.instance(&versioned("wasi:random/random"))?;
    random.func_wrap("get-random-bytes", |mut store, (len,): (u64,)| store.data_mut().random_list(len))?;
    random.func_wrap("get-random-u64", |mut store, ()| Ok((store.data_mut().random_u64()?,)))?;
    let mut insecure = linker.instance(&versioned("wasi:random/insecure"))?;
    insecure.func_wrap("get-insecure-random-bytes", |mut store, (len,): (u64,)| {
        store.data_mut().random_list(len)
    })?;
    insecure.func_wrap("get-insecure-random-u64", |mut store, ()| Ok((store.data_mut().random_u64()?,)))?;
    let mut seed = linker.instance(&versioned("wasi:random/insecure-seed"))?;
    seed.func_wrap("insecure-seed", |mut store, ()| {
        let state = store.data_mut();
        Ok(((state.random_u64()?, state.random_u64()?),))
    })
}

impl State {
    /// The engine bounds one read, WASI does not: so it is several.
    fn random_list(&mut self, len: u64) -> wasmtime::Result<(Vec<u8>,)> {
        if len > MAX_BYTES {
            return Err(crate::state::HostTrap::Misuse(format!(
                "wasi:random: len is {len}: ask for at most {MAX_BYTES} bytes"
            ))
            .into());
        }
        let at_once = self.run().map_or(u32::MAX, |run| run.profile().random_bytes);
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            let left = u32::try_from(len - bytes.len() as u64).unwrap_or(u32::MAX);
            bytes.extend(self.read_random(left.min(at_once))?);
        }
        Ok((bytes,))
    }

    fn random_u64(&mut self) -> wasmtime::Result<u64> {
        let bytes = self.read_random(size_of::<u64>() as u32)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("as many bytes as were asked for")))
    }
}
