//! `external`: other executions.

use refrain_engine::call::{Call, Command, Reply};

use crate::bindings::refrain::workflow::external::Host;
use crate::bindings::refrain::workflow::types::{Execution, Op, Payload};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn signal(&mut self, target: Execution, name: String, input: Payload) -> wasmtime::Result<Op> {
        let target = convert::target(target).map_err(|misuse| misuse.of("external.signal"))?;
        let input = convert::payload_from_guest(input);
        self.send(Command::Signal { target, name, input })
    }

    fn request_cancel(&mut self, target: Execution, reason: String) -> wasmtime::Result<Op> {
        let target = convert::target(target).map_err(|misuse| misuse.of("external.request-cancel"))?;
        self.send(Command::RequestCancel { target, reason })
    }
}

impl State {
    fn send(&mut self, command: Command) -> wasmtime::Result<Op> {
        match self.call(Call::Command(command))? {
            Reply::Op(op) => Ok(op),
            other => Err(unexpected(&other)),
        }
    }
}
