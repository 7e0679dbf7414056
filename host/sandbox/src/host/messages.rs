//! `messages`: the replies to what others ask.

use refrain_engine::call::{Call, Reply};

use crate::bindings::refrain::workflow::messages::{Host, RequestId};
use crate::bindings::refrain::workflow::types::Outcome;
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn answer(&mut self, query: RequestId, answer: Outcome) -> wasmtime::Result<()> {
        let outcome = convert::outcome_from_guest(answer);
        match self.call(Call::Answer { request: query, outcome })? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
