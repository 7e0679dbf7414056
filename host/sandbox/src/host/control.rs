//! `control`: the end of a run.

use refrain_engine::call::{Call, Command, Reply};

use crate::bindings::refrain::workflow::control::Host;
use crate::bindings::refrain::workflow::types::Completion;
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    /// Does not return, except to a query's instance: the run halts as finished, which unwinds the guest.
    fn finish(&mut self, completion: Completion) -> wasmtime::Result<()> {
        let completion = convert::completion(completion).map_err(|misuse| misuse.of("control.finish"))?;
        self.flush_output()?;
        match self.call(Call::Command(Command::Finish(completion)))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
