//! Components on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payload::Json;

/// The answer to an upload.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UploadedComponent {
    /// The name it was uploaded under.
    pub name: String,
    /// The number of this version, from 1.
    pub version: u32,
    /// SHA-256 of the uploaded bytes, in hexadecimal.
    pub digest: String,
    /// Whether the upload made a new version; `false` when these bytes already were the name's current one.
    pub created: bool,
    /// The workflow types that the component defines.
    pub workflows: Vec<String>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
}

/// One page of components.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComponentList {
    /// The components, by name.
    pub components: Vec<ComponentSummary>,
    /// Asks for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A component in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComponentSummary {
    /// Its name.
    pub name: String,
    /// The version that new runs get.
    pub current: u32,
    /// The digest of that version.
    pub digest: String,
    /// When that version was uploaded.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The workflow types of that version.
    pub workflows: Vec<String>,
}

/// A component with all its versions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComponentDetail {
    /// Its name.
    pub name: String,
    /// The version that new runs get.
    pub current: u32,
    /// All versions, oldest first.
    pub versions: Vec<ComponentVersion>,
}

/// One version of a component.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComponentVersion {
    /// The component's name.
    pub name: String,
    /// The number of this version, from 1.
    pub version: u32,
    /// Whether new runs get this version.
    pub is_current: bool,
    /// How many runs that have not ended this version executes.
    #[serde(default)]
    pub open_runs: u64,
    /// SHA-256 of the uploaded bytes, in hexadecimal.
    pub digest: String,
    /// When it was uploaded.
    #[schema(value_type = String, format = DateTime)]
    pub uploaded_at: Timestamp,
    /// How large the upload was.
    pub uploaded_bytes: u64,
    /// The SDK that made it, with its version; empty when it does not say.
    pub sdk: String,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The workflow types that it defines.
    pub workflows: Vec<WorkflowDefinition>,
}

/// A workflow type as its component describes it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WorkflowDefinition {
    /// The type's name.
    pub name: String,
    /// What it does, for people.
    pub doc: String,
    /// JSON Schema of its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input_schema: Option<Json>,
    /// JSON Schema of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<Json>,
    /// The signals that it takes.
    pub signals: Vec<MessageDefinition>,
    /// The queries that it answers.
    pub queries: Vec<MessageDefinition>,
    /// The updates that it takes.
    pub updates: Vec<MessageDefinition>,
    /// What becomes of a run that traps: `park` or `fail`.
    pub on_trap: String,
}

/// A signal, query or update of a workflow type.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MessageDefinition {
    /// Its name.
    pub name: String,
    /// What it does, for people.
    pub doc: String,
    /// JSON Schema of its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input_schema: Option<Json>,
    /// JSON Schema of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<Json>,
}
