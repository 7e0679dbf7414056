//! What a component says of its workflows, as it is kept with each version.

use minicbor::{Decode, Encode};

/// A workflow that a component defines.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WorkflowDefinition {
    /// Its type, by which runs are started.
    #[n(0)]
    pub name: String,
    /// For people; may be empty.
    #[n(1)]
    pub doc: String,
    /// A JSON Schema text.
    #[n(2)]
    pub input_schema: Option<String>,
    /// A JSON Schema text.
    #[n(3)]
    pub output_schema: Option<String>,
    /// The signals that it takes.
    #[n(4)]
    pub signals: Vec<MessageDefinition>,
    /// The queries that it answers.
    #[n(5)]
    pub queries: Vec<MessageDefinition>,
    /// The updates that it takes.
    #[n(6)]
    pub updates: Vec<MessageDefinition>,
    /// What becomes of a run whose code traps.
    #[n(7)]
    pub on_trap: OnTrap,
}

impl WorkflowDefinition {
    /// A workflow of this type of which nothing else is said.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            doc: String::new(),
            input_schema: None,
            output_schema: None,
            signals: Vec::new(),
            queries: Vec::new(),
            updates: Vec::new(),
            on_trap: OnTrap::Park,
        }
    }
}

/// A signal, query or update that a workflow takes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MessageDefinition {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// For people; may be empty.
    #[n(1)]
    pub doc: String,
    /// A JSON Schema text.
    #[n(2)]
    pub input_schema: Option<String>,
    /// A JSON Schema text.
    #[n(3)]
    pub output_schema: Option<String>,
}

/// What a trap of a workflow's code does to its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OnTrap {
    /// The run is parked, so that a fixed version can take over.
    #[default]
    #[n(0)]
    Park,
    /// The run fails. A stack overflow parks it all the same: how deep the stack got depends on the compiler.
    #[n(1)]
    Fail,
}
