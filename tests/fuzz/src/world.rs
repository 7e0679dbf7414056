//! What a host in a target has around it: a time that does not pass by itself, and a component of scripts.

use refrain_runtime::{NewComponent, TokioClock, WorkflowDefinition};

use crate::draw;

/// Executes a future to its end. Time goes on only when all that is in it sleeps, and then at once.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without a reactor").block_on(future)
}

/// The time of [`run`].
pub(crate) fn clock() -> TokioClock {
    TokioClock::at(draw::started().at)
}

/// A component that defines these workflow types.
pub(crate) fn component(workflows: &[&str]) -> NewComponent {
    NewComponent {
        digest: draw::CODE,
        uploaded_bytes: 1,
        sdk: String::new(),
        imports: Vec::new(),
        workflows: workflows.iter().copied().map(WorkflowDefinition::named).collect(),
    }
}
