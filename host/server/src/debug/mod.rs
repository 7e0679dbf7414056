//! The debugger: goes through a run's journal, one import call at a time, forwards and backwards. Where it stands is a
//! fresh replay that stops there, so that no state is kept of 100,000 calls but that of the few last looked at.

mod fields;
#[cfg(test)]
mod fixture;
pub mod keys;
pub mod screen;
pub mod terminal;
pub mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use refrain_engine::payload::Payload;
use refrain_engine::run::Query;
use refrain_runtime::{Calls, DebugError, Debugger, Stopped};

/// Moments that are kept, so that going to and fro needs no replay. Each may have a payload or two in it.
const KEPT_MOMENTS: usize = 64;

/// A run that somebody goes through.
pub struct Session {
    debugger: Arc<Debugger>,
    /// Which run it is, in a few words.
    pub title: String,
    /// All its calls.
    pub calls: Calls,
    /// By call.
    kept: BTreeMap<u64, Stopped>,
}

impl Session {
    /// Begins: replays the run to its end.
    ///
    /// # Errors
    /// When it cannot be replayed.
    pub async fn begin(debugger: Debugger) -> Result<Self, DebugError> {
        let calls = debugger.calls().await?;
        let started = debugger.started();
        let title = format!("{} {}", started.workflow, started.workflow_id);
        Ok(Self { debugger: Arc::new(debugger), title, calls, kept: BTreeMap::new() })
    }

    /// The run at a call, if it was looked at lately.
    pub fn kept(&self, call: u64) -> Option<&Stopped> {
        self.kept.get(&call)
    }

    /// Looks at the run at a call.
    pub fn look(&self, call: u64) -> impl Future<Output = Result<Stopped, DebugError>> + use<> {
        let debugger = Arc::clone(&self.debugger);
        async move { debugger.at(call).await }
    }

    /// Keeps what was found at a call.
    pub fn keep(&mut self, found: Stopped) {
        if self.kept.len() >= KEPT_MOMENTS {
            self.kept.clear();
        }
        self.kept.insert(found.moment.call, found);
    }

    /// Asks the run at the end of the step of the call with this index: `NAME`, or `NAME JSON`. Answers what to say.
    pub fn ask(&self, index: usize, text: &str) -> impl Future<Output = String> + use<> {
        let (name, input) = text.trim().split_once(' ').unwrap_or((text.trim(), "null"));
        let query = Query { name: name.to_owned(), input: Payload::json(input.to_owned()) };
        let (debugger, name) = (Arc::clone(&self.debugger), name.to_owned());
        let step = self.calls.calls.get(index).map_or(0, |call| call.position.step);
        async move {
            match debugger.ask(step, query).await {
                Ok(answer) => format!("{name} at the end of step {step}: {answer:?}"),
                Err(error) => format!("{name} at the end of step {step}: {error}"),
            }
        }
    }
}
