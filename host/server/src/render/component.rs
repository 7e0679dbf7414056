//! A component for people.

use std::fmt::Write;

use serde_json::value::RawValue;

use super::table::Table;
use super::{short_digest, size, time};
use crate::wire::{ComponentDetail, MessageDefinition};

/// A component: its versions, and what the current one defines.
pub fn detail(component: &ComponentDetail) -> String {
    let mut text = format!("{}\n\n", component.name);
    let mut table = Table::new(["VERSION", "", "OPEN RUNS", "DIGEST", "UPLOADED", "SIZE", "SDK"]);
    for version in &component.versions {
        table.row([
            version.version.to_string(),
            if version.is_current { "current" } else { "" }.to_owned(),
            version.open_runs.to_string(),
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

fn schema(text: &mut String, name: &str, schema: Option<&RawValue>) {
    let Some(schema) = schema else { return };
    let pretty = serde_json::from_str::<serde_json::Value>(schema.get())
        .and_then(|schema| serde_json::to_string_pretty(&schema))
        .unwrap_or_else(|_| schema.get().to_owned());
    let _ = write!(text, "  {name} schema");
    indented(text, "    ", &pretty);
}

fn indented(text: &mut String, indent: &str, doc: &str) {
    text.push('\n');
    for line in doc.lines() {
        let _ = writeln!(text, "{indent}{line}");
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn schemas_are_laid_out_for_reading() {
        let component = serde_json::json!({"name": "shop", "current": 1, "versions": [{
            "name": "shop", "version": 1, "is_current": true, "digest": "abcdef0123456789",
            "uploaded_at": "2026-11-20T10:00:00Z", "uploaded_bytes": 2048, "sdk": "", "imports": [],
            "workflows": [{
                "name": "order", "doc": "Sells.", "input_schema": {"type": "object", "required": ["n"]},
                "signals": [{"name": "pay", "doc": "Money."}], "queries": [], "updates": [], "on_trap": "park"
            }]
        }]});
        let component: ComponentDetail = serde_json::from_str(&component.to_string()).expect("a component");
        let text = detail(&component);
        let (_, workflows) = text.split_once("\nworkflow ").expect("a workflow");
        expect![[r#"
            order
              Sells.
              input schema
                {
                  "required": [
                    "n"
                  ],
                  "type": "object"
                }
              signal pay
                Money.
        "#]]
        .assert_eq(workflows);
    }
}
