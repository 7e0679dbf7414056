//! `log`: the run's log.

use refrain_engine::call::{Call, Note, Reply};

use crate::bindings::refrain::workflow::log::{Field, Host, Level};
use crate::convert;
use crate::state::{State, unexpected};

impl Host for State {
    fn write(&mut self, level: Level, message: String, fields: Vec<Field>) -> wasmtime::Result<()> {
        let fields = fields.into_iter().map(|field| (field.key, field.value)).collect();
        let note = Note::Log { level: convert::level(level), message, fields };
        match self.call(Call::Note(note))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}
