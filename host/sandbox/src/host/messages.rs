//! `messages`: the replies to what others ask.

use refrain_engine::call::{Call, Command, Reply};

use crate::bindings::refrain::workflow::messages::{Host, RequestId};
use crate::bindings::refrain::workflow::types::{Failure, Outcome};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn accept(&mut self, update: RequestId) -> wasmtime::Result<()> {
        self.reply(Call::Command(Command::AcceptUpdate { request: update }))
    }

    fn reject(&mut self, update: RequestId, reason: Failure) -> wasmtime::Result<()> {
        let reason = convert::failure_from_guest(reason);
        self.reply(Call::Command(Command::RejectUpdate { request: update, reason }))
    }

    fn complete(&mut self, update: RequestId, answer: Outcome) -> wasmtime::Result<()> {
        let outcome = convert::outcome_from_guest(answer);
        self.reply(Call::Command(Command::CompleteUpdate { request: update, outcome }))
    }

    fn answer(&mut self, query: RequestId, answer: Outcome) -> wasmtime::Result<()> {
        let outcome = convert::outcome_from_guest(answer);
        self.reply(Call::Answer { request: query, outcome })
    }
}

impl State {
    fn reply(&mut self, reply: Call) -> wasmtime::Result<()> {
        match self.call(reply)? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
