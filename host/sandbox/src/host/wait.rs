//! `wait`: where a run sleeps.

use refrain_engine::call::{Call, Command, Reply};

use crate::bindings::refrain::workflow::types::Op;
use crate::bindings::refrain::workflow::wait::{Event, Host, Interest};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    async fn next(&mut self, interest: Interest) -> wasmtime::Result<Vec<Event>> {
        let events = self.wait(convert::interest(interest)).await?;
        Ok(events.into_iter().map(convert::event).collect())
    }

    fn cancel(&mut self, op: Op, reason: String) -> wasmtime::Result<()> {
        match self.call(Call::Command(Command::Cancel { op, reason }))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn detach(&mut self, op: Op) -> wasmtime::Result<()> {
        match self.call(Call::Command(Command::Detach { op }))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
