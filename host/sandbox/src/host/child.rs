//! `child`: executions that a run starts.

use refrain_engine::call::{Call, Command, Reply};
use refrain_engine::child::ChildCommand;

use crate::bindings::refrain::workflow::child::{ChildOps, Host, Options};
use crate::bindings::refrain::workflow::types::Payload;
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn start(&mut self, workflow: String, input: Payload, options: Options) -> wasmtime::Result<ChildOps> {
        let options = convert::child_options(options).map_err(|misuse| misuse.of("child.start"))?;
        let command = ChildCommand { workflow, input: convert::payload_from_guest(input), options };
        match self.call(Call::Command(Command::StartChild(Box::new(command))))? {
            Reply::Child { started, finished } => Ok(ChildOps { started, finished }),
            other => Err(unexpected(&other)),
        }
    }
}
