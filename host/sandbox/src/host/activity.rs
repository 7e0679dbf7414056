//! `activity`: work with side effects.

use refrain_engine::call::{ActivityCommand, Call, Command, Reply};

use crate::bindings::refrain::workflow::activity::{Host, Options};
use crate::bindings::refrain::workflow::types::{Op, Payload};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn start(&mut self, name: String, input: Payload, options: Options) -> wasmtime::Result<Op> {
        self.start_activity("activity.start", name, input, options, false)
    }

    fn start_local(&mut self, name: String, input: Payload, options: Options) -> wasmtime::Result<Op> {
        self.start_activity("activity.start-local", name, input, options, true)
    }
}

impl State {
    fn start_activity(
        &mut self,
        import: &str,
        name: String,
        input: Payload,
        options: Options,
        local: bool,
    ) -> wasmtime::Result<Op> {
        let options = convert::activity_options(options, local).map_err(|misuse| misuse.of(import))?;
        let command = ActivityCommand { name, input: convert::payload_from_guest(input), options };
        match self.call(Call::Command(Command::StartActivity(command)))? {
            Reply::Op(op) => Ok(op),
            other => Err(unexpected(&other)),
        }
    }
}
