//! What may be why a scenario fails: remarks, which are made on one that does and fail none. What a component says of itself
//! promises too little for more: a workflow may take messages that are not declared, and want a child that nobody has.

use std::collections::BTreeSet;

use refrain_engine::definition::{MessageDefinition, WorkflowDefinition};
use refrain_engine::failure::FailureKind;
use refrain_engine::history::{HistoryEvent, HistoryKind};
use refrain_runtime::RunSummary;
use refrain_testkit::Code;

use super::file::{Event, Scenario};
use super::play::Happened;
use crate::config::toml_key;
use crate::suggest::nearest;

/// Signals, queries and updates whose names the workflow that they went to does not declare, although it declares some.
pub(super) fn undeclared(
    scenario: &Scenario,
    happened: &[Happened],
    runs: &[RunSummary],
    code: &Code,
) -> Vec<String> {
    let mut remarks = Vec::new();
    for (index, (event, happened)) in scenario.events.iter().zip(happened).enumerate() {
        let Some((kind, name, of)) = message(event) else { continue };
        let to = event.to.as_deref().unwrap_or(&scenario.id);
        // There are several when an execution continues as another workflow.
        let workflows = runs.iter().filter(|run| run.workflow_id.as_str() == to).map(|run| &*run.workflow);
        let workflows: BTreeSet<&str> = workflows.collect();
        let definitions = workflows.iter().flat_map(|workflow| code.definitions(workflow));
        let declared: BTreeSet<&str> = definitions.flat_map(of).map(|message| &*message.name).collect();
        // What was answered has that name, whether it is declared or not.
        let is_known = declared.contains(name) || matches!(happened, Happened::Answered(Ok(_)));
        if declared.is_empty() || is_known {
            continue;
        }
        let remedy = match nearest(name, declared.iter().copied()) {
            Some(declared) => format!("did you mean {declared:?}?"),
            None => format!("it declares {}", quoted(declared)),
        };
        let (what, workflows) = (event.describe(index), quoted(workflows));
        remarks.push(format!("{what}: {workflows} declares no such {kind}; {remedy}"));
    }
    remarks
}

/// What a message is, its name, and where a workflow declares what has one.
type Message<'a> = (&'static str, &'a str, fn(&WorkflowDefinition) -> &[MessageDefinition]);

fn message(event: &Event) -> Option<Message<'_>> {
    match event {
        Event { signal: Some(name), .. } => Some(("signal", name, |of| &of.signals)),
        Event { query: Some(name), .. } => Some(("query", name, |of| &of.queries)),
        Event { update: Some(name), .. } => Some(("update", name, |of| &of.updates)),
        _ => None,
    }
}

/// Children that a run could not start, as they are not where it looks for them.
pub(super) fn missing_children(history: &[HistoryEvent]) -> BTreeSet<String> {
    let missing = history.iter().filter_map(|event| match &event.kind {
        // One that began and failed so has that failure as its cause.
        HistoryKind::ChildStartFailed { name, failure, .. } | HistoryKind::ChildFailed { name, failure, .. }
            if failure.kind == FailureKind::Host
                && failure.error_type == "not-found"
                && failure.causes.is_empty() =>
        {
            Some(format!(
                "there is no child {name:?} where its parent looks for it: add [scenario.children.{}], with `component` if \
                 the parent names one, or its component to [components]",
                toml_key(name)
            ))
        }
        _ => None,
    });
    missing.collect()
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}
