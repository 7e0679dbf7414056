//! What a component says that it has. Checked and bounded, since it is stored and shown.

use refrain_engine::definition::{MessageDefinition, OnTrap, WorkflowDefinition};
use refrain_engine::ids::check_name;

use crate::bindings::exports::refrain::workflow::definition as wit;
use crate::more::More;
use crate::refusal::Refusal;

/// Workflows of one component. A component is one program; this many are a mistake in its generator.
pub const MAX_WORKFLOWS: usize = 500;
/// Signals, queries or updates of one workflow.
pub const MAX_MESSAGE_TYPES: usize = 500;
/// Bytes of one documentation text: a page for people.
pub const MAX_DOC_BYTES: usize = 64 * 1024;
/// Bytes of one JSON Schema. A large generated one has some ten kilobytes.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Bytes of all texts of a definition: it is one row of the store, and answered whole.
pub const MAX_DEFINITION_BYTES: usize = 4 * 1024 * 1024;

/// What a component has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Name and version of the SDK that made the component; may be empty.
    pub sdk: String,
    /// At least one, their names unique.
    pub workflows: Vec<WorkflowDefinition>,
}

impl Definition {
    /// Takes over what `describe` answered.
    pub(crate) fn checked(manifest: wit::Manifest) -> Result<Self, Refusal> {
        let mut check = Check { bytes: 0 };
        check.definition(manifest).map_err(|reason| Refusal::Definition { reason })
    }
}

/// Checks texts and adds up their sizes.
struct Check {
    bytes: usize,
}

impl Check {
    fn definition(&mut self, manifest: wit::Manifest) -> Result<Definition, String> {
        self.text("sdk", &manifest.sdk, MAX_DOC_BYTES)?;
        if manifest.workflows.is_empty() {
            return Err("workflows is empty: define at least one".to_owned());
        }
        unique("workflows", manifest.workflows.iter().map(|workflow| &workflow.name), MAX_WORKFLOWS)?;
        let workflows = manifest.workflows.into_iter().map(|workflow| self.workflow(workflow));
        let workflows = workflows.collect::<Result<_, _>>()?;
        if self.bytes > MAX_DEFINITION_BYTES {
            return Err(format!(
                "all texts together have {} bytes, and may have {MAX_DEFINITION_BYTES}: shorten documentation and schemas",
                self.bytes
            ));
        }
        Ok(Definition { sdk: manifest.sdk, workflows })
    }

    fn workflow(&mut self, workflow: wit::WorkflowType) -> Result<WorkflowDefinition, String> {
        let at = format!("workflow {:?}", workflow.name);
        check_name("the name of a workflow", &workflow.name).map_err(|error| error.to_string())?;
        More::new(format!("{at}: more"), workflow.more, &[]).map_err(|misuse| misuse.to_string())?;
        self.texts(&at, &workflow.doc, &workflow.input_schema, &workflow.output_schema)?;
        Ok(WorkflowDefinition {
            signals: self.messages(&at, "signals", workflow.signals)?,
            queries: self.messages(&at, "queries", workflow.queries)?,
            updates: self.messages(&at, "updates", workflow.updates)?,
            on_trap: match workflow.on_trap {
                wit::OnTrap::Park => OnTrap::Park,
                wit::OnTrap::Fail => OnTrap::Fail,
            },
            name: workflow.name,
            doc: workflow.doc,
            input_schema: workflow.input_schema,
            output_schema: workflow.output_schema,
        })
    }

    fn messages(
        &mut self,
        workflow: &str,
        field: &str,
        messages: Vec<wit::MessageType>,
    ) -> Result<Vec<MessageDefinition>, String> {
        let field = format!("{workflow}: {field}");
        unique(&field, messages.iter().map(|message| &message.name), MAX_MESSAGE_TYPES)?;
        let checked = messages.into_iter().map(|message| {
            let at = format!("{field} {:?}", message.name);
            check_name("the name of a message", &message.name)
                .map_err(|error| format!("{field}: {error}"))?;
            self.texts(&at, &message.doc, &message.input_schema, &message.output_schema)?;
            Ok(MessageDefinition {
                name: message.name,
                doc: message.doc,
                input_schema: message.input_schema,
                output_schema: message.output_schema,
            })
        });
        checked.collect()
    }

    fn texts(
        &mut self,
        at: &str,
        doc: &str,
        input_schema: &Option<String>,
        output_schema: &Option<String>,
    ) -> Result<(), String> {
        self.text(&format!("{at}: doc"), doc, MAX_DOC_BYTES)?;
        for (field, schema) in [("input-schema", input_schema), ("output-schema", output_schema)] {
            let Some(schema) = schema else { continue };
            let field = format!("{at}: {field}");
            self.text(&field, schema, MAX_SCHEMA_BYTES)?;
            // Only what tells a schema from a mistake: whoever uses it parses it whole.
            let text = schema.trim();
            if !(text.starts_with('{') && text.ends_with('}') || matches!(text, "true" | "false")) {
                return Err(format!("{field} is no JSON Schema: give a JSON object, true or false"));
            }
        }
        Ok(())
    }

    fn text(&mut self, field: &str, text: &str, maximum: usize) -> Result<(), String> {
        self.bytes += text.len();
        if text.len() > maximum {
            return Err(format!("{field} has {} bytes, and may have {maximum}: shorten it", text.len()));
        }
        Ok(())
    }
}

fn unique<'a>(field: &str, names: impl Iterator<Item = &'a String>, maximum: usize) -> Result<(), String> {
    let mut names: Vec<_> = names.collect();
    if names.len() > maximum {
        return Err(format!("{field} has {} entries, and may have {maximum}: define fewer", names.len()));
    }
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{field} has {:?} twice: rename one of them", pair[0])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(name: &str) -> wit::WorkflowType {
        wit::WorkflowType {
            name: name.to_owned(),
            doc: String::new(),
            input_schema: None,
            output_schema: None,
            signals: Vec::new(),
            queries: Vec::new(),
            updates: Vec::new(),
            on_trap: wit::OnTrap::Park,
            more: Vec::new(),
        }
    }

    fn check(workflows: Vec<wit::WorkflowType>) -> Result<Definition, String> {
        Definition::checked(wit::Manifest { sdk: String::new(), workflows })
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_description_that_cannot_be_is_refused_by_field_and_value() {
        let schema = |text: &str| wit::WorkflowType { input_schema: Some(text.to_owned()), ..workflow("a") };
        let signal = wit::MessageType {
            name: String::new(),
            doc: String::new(),
            input_schema: None,
            output_schema: None,
        };
        let payload = crate::bindings::refrain::workflow::types::Payload {
            content_type: String::new(),
            data: Vec::new(),
        };
        let cases = [
            (vec![], "workflows is empty"),
            (vec![workflow("a"), workflow("b"), workflow("a")], "workflows has \"a\" twice"),
            (vec![workflow("")], "the name of a workflow is empty"),
            (vec![schema("[1]")], "workflow \"a\": input-schema is no JSON Schema"),
            (vec![schema(&format!("{{{}}}", " ".repeat(MAX_SCHEMA_BYTES)))], "and may have 262144"),
            (
                vec![wit::WorkflowType { signals: vec![signal], ..workflow("a") }],
                "workflow \"a\": signals: the name",
            ),
            (
                vec![wit::WorkflowType { more: vec![("cron".to_owned(), payload)], ..workflow("a") }],
                "workflow \"a\": more has the key \"cron\"",
            ),
            ((0..=MAX_WORKFLOWS).map(|n| workflow(&n.to_string())).collect(), "has 501 entries"),
        ];
        for (workflows, expected) in cases {
            let refusal = check(workflows).unwrap_err();
            assert!(refusal.contains(expected), "{refusal} lacks {expected}");
        }
        assert!(check(vec![workflow("a"), schema(" {\"type\": \"object\"} \n").renamed("b")]).is_ok());
    }

    impl wit::WorkflowType {
        fn renamed(self, name: &str) -> Self {
            Self { name: name.to_owned(), ..self }
        }
    }
}
