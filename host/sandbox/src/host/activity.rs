//! `activity`: work with side effects.

use refrain_engine::call::{ActivityCommand, Call, Command, Reply};

use crate::bindings::refrain::workflow::activity::{Host, Options};
use crate::bindings::refrain::workflow::types::{Op, Payload};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn start(&mut self, name: String, input: Payload, options: Options) -> wasmtime::Result<Op> {
        let options = convert::activity_options(options).map_err(|misuse| misuse.of("activity.start"))?;
        let command = ActivityCommand { name, input: convert::payload_from_guest(input), options };
        match self.call(Call::Command(Command::StartActivity(command)))? {
            Reply::Op(op) => Ok(op),
            other => Err(unexpected(&other)),
        }
    }
}
