//! `version`: changes to the code of runs that exist.

use refrain_engine::call::{Call, MarkerCall, Reply};

use crate::bindings::refrain::workflow::version::Host;
use crate::state::{State, unexpected};

impl Host for State {
    fn patched(&mut self, id: String) -> wasmtime::Result<bool> {
        match self.call(Call::Marker(MarkerCall::Patched { id }))? {
            Reply::Patched(patched) => Ok(patched),
            other => Err(unexpected(&other)),
        }
    }

    fn get_version(&mut self, id: String, min: u32, max: u32) -> wasmtime::Result<u32> {
        match self.call(Call::Marker(MarkerCall::GetVersion { id, min, max }))? {
            Reply::Version(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }
}
