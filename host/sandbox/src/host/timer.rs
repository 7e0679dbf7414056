//! `timer`: durable timers.

use refrain_engine::call::{Call, Command, Reply};

use crate::bindings::refrain::workflow::timer::Host;
use crate::bindings::refrain::workflow::types::{Duration, Op};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn start(&mut self, delay: Duration, summary: Option<String>) -> wasmtime::Result<Op> {
        let delay = convert::duration("delay", delay).map_err(|misuse| misuse.of("timer.start"))?;
        match self.call(Call::Command(Command::StartTimer { delay, summary }))? {
            Reply::Op(op) => Ok(op),
            other => Err(unexpected(&other)),
        }
    }
}
