//! A component for people.

use std::fmt::Write;

use super::table::Table;
use super::{short_digest, size, time};
use crate::wire::{ComponentDetail, MessageDefinition};

/// A component: its versions, and what the current one defines.
pub fn detail(component: &ComponentDetail) -> String {
    let mut text = format!("{}\n\n", component.name);
    let mut table = Table::new(["VERSION", "", "DIGEST", "UPLOADED", "SIZE", "SDK"]);
    for version in &component.versions {
        table.row([
            version.version.to_string(),
            if version.is_current { "current" } else { "" }.to_owned(),
            short_digest(&version.digest).to_owned(),
            time(version.uploaded_at),
            size(version.uploaded_bytes),
            version.sdk.clone(),
        ]);
    }
    let _ = write!(text, "{table}");
    let Some(current) = component.versions.iter().find(|version| version.is_current) else { return text };
    for workflow in &current.workflows {
        let _ = write!(text, "\nworkflow {}", workflow.name);
        indented(&mut text, "  ", &workflow.doc);
        schema(&mut text, "input", workflow.input_schema.as_deref());
        schema(&mut text, "output", workflow.output_schema.as_deref());
        messages(&mut text, "signal", &workflow.signals);
        messages(&mut text, "query", &workflow.queries);
        messages(&mut text, "update", &workflow.updates);
    }
    text
}

fn messages(text: &mut String, kind: &str, messages: &[MessageDefinition]) {
    for message in messages {
        let _ = write!(text, "  {kind} {}", message.name);
        indented(text, "    ", &message.doc);
    }
}

fn schema(text: &mut String, name: &str, schema: Option<&serde_json::value::RawValue>) {
    if let Some(schema) = schema {
        let _ = writeln!(text, "  {name}: {}", schema.get().replace(['\n', '\r'], " "));
    }
}

fn indented(text: &mut String, indent: &str, doc: &str) {
    text.push('\n');
    for line in doc.lines() {
        let _ = writeln!(text, "{indent}{line}");
    }
}
