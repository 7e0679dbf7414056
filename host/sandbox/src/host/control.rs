//! `control`: the end of a run.

use refrain_engine::call::{Call, Command};

use crate::bindings::refrain::workflow::control::Host;
use crate::bindings::refrain::workflow::types::Completion;
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    /// Does not return: the run halts as finished, which unwinds the guest.
    fn finish(&mut self, completion: Completion) -> wasmtime::Result<()> {
        let completion = convert::completion(completion).map_err(|misuse| misuse.of("control.finish"))?;
        let reply = self.call(Call::Command(Command::Finish(completion)))?;
        Err(unexpected(&reply))
    }
}
