//! What a host in a target has around it: a time that does not pass by itself, and a component of scripts.

use futures::future::BoxFuture;
use refrain_engine::time::Timestamp;
use refrain_runtime::{Clock, NewComponent, OnTrap, WorkflowDefinition, sleep_by};
use tokio::time::Instant;

use crate::draw;

/// Executes a future to its end. Time goes on only when all that is in it sleeps, and then at once.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without a reactor").block_on(future)
}

/// The time of [`run`].
#[derive(Clone, Copy)]
pub(crate) struct PausedClock(Instant);

impl PausedClock {
    /// A clock that begins now.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        draw::started().at.after(self.0.elapsed())
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        sleep_by(*self, deadline)
    }
}

/// A component that defines these workflow types.
pub(crate) fn component(workflows: &[&str]) -> NewComponent {
    let workflow = |name: &&str| WorkflowDefinition {
        name: (*name).to_owned(),
        doc: String::new(),
        input_schema: None,
        output_schema: None,
        signals: Vec::new(),
        queries: Vec::new(),
        updates: Vec::new(),
        on_trap: OnTrap::Park,
    };
    NewComponent {
        digest: draw::CODE,
        uploaded_bytes: 1,
        sdk: String::new(),
        imports: Vec::new(),
        workflows: workflows.iter().map(workflow).collect(),
    }
}
