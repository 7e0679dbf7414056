//! `context`: what a run may know about itself.

use refrain_engine::call::{Call, Read, Reply};

use crate::bindings::refrain::workflow::context::{Host, RunInfo};
use crate::bindings::refrain::workflow::types::Instant;
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn info(&mut self) -> wasmtime::Result<RunInfo> {
        match self.call(Call::Read(Read::Info))? {
            Reply::Info(info) => Ok(convert::run_info(*info)),
            other => Err(unexpected(&other)),
        }
    }

    fn now(&mut self) -> wasmtime::Result<Instant> {
        match self.call(Call::Read(Read::Now))? {
            Reply::Time(time) => Ok(convert::instant(time)),
            other => Err(unexpected(&other)),
        }
    }

    fn random_bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        match self.call(Call::Read(Read::RandomBytes { len }))? {
            Reply::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected(&other)),
        }
    }

    fn uuid(&mut self) -> wasmtime::Result<String> {
        match self.call(Call::Read(Read::Uuid))? {
            Reply::Uuid(uuid) => Ok(uuid.to_string()),
            other => Err(unexpected(&other)),
        }
    }
}
