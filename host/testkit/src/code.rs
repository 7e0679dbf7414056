//! The components that test hosts execute.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::executor::block_on;
use refrain_engine::definition::WorkflowDefinition;
use refrain_engine::export::{ExportError, Exported};
use refrain_engine::guest::Guests;
use refrain_engine::ids::Digest;
use refrain_runtime::{Debugger, NewComponent};
use refrain_sandbox::{ComponentSource, Refusal, Sandbox, SandboxError, SandboxOptions};

use crate::child::{Child, Children};

/// Components, compiled once for however many tests. Clones share them.
#[derive(Clone)]
pub struct Code {
    guests: Arc<dyn Guests>,
    components: Vec<(String, NewComponent)>,
    /// Those that are not left to the components.
    children: Children,
    sandbox: Option<Sandbox>,
    bytes: Arc<Mutex<HashMap<Digest, Bytes>>>,
}

/// Why there is no code to test.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// Code cannot be executed here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// No host would take it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Code {
    /// For components, which [`add`](Self::add) adds. `cache` is a directory for compiled code, which later tests find
    /// there: a large component compiles for seconds.
    ///
    /// # Errors
    /// When code cannot be executed here, or the directory not be used.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, CodeError> {
        Self::with(SandboxOptions { cache_dir: cache, ..SandboxOptions::default() })
    }

    /// As [`new`](Self::new), in a sandbox with these options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(options: SandboxOptions) -> Result<Self, CodeError> {
        let bytes: Arc<Mutex<HashMap<Digest, Bytes>>> = Arc::default();
        let held = Arc::clone(&bytes);
        let source: ComponentSource = Arc::new(move |digest| -> io::Result<Option<Bytes>> {
            Ok(held.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned())
        });
        // A test says what answers `http.request`, so a component may ask for it.
        let options = SandboxOptions { http: true, ..options };
        let sandbox = Sandbox::new(options, source)?;
        let guests = Arc::new(sandbox.clone());
        let children = Children::default();
        Ok(Self { guests, components: Vec::new(), children, sandbox: Some(sandbox), bytes })
    }

    /// What executes scripts in place of a component: those of this digest, which define these workflow types.
    pub fn scripted(guests: Arc<dyn Guests>, digest: Digest, workflows: &[&str]) -> Self {
        let component = NewComponent {
            digest,
            uploaded_bytes: 0,
            sdk: "scripts".to_owned(),
            imports: Vec::new(),
            workflows: workflows.iter().copied().map(WorkflowDefinition::named).collect(),
        };
        let components = vec![("scripts".to_owned(), component)];
        Self { guests, components, children: Children::default(), sandbox: None, bytes: Arc::default() }
    }

    /// Answers the children of a type in place of the components.
    pub(crate) fn answer_child(&mut self, child: Child) {
        self.children.insert(child);
    }

    /// What executes the runs of a test.
    pub(crate) fn guests(&self) -> Arc<dyn Guests> {
        self.children.before(&self.guests)
    }

    /// The components that the host of a test has, with the types of the children that the test answers.
    pub(crate) fn components(&self) -> Vec<(String, NewComponent)> {
        let mut components = self.components.clone();
        self.children.define(&mut components);
        components
    }

    /// The names of the components.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.components.iter().map(|(name, _)| name.as_str())
    }

    /// What the components say of a workflow: each that defines it.
    pub fn definitions(&self, workflow: &str) -> impl Iterator<Item = &WorkflowDefinition> {
        let all = self.components.iter().flat_map(|(_, component)| &component.workflows);
        all.filter(move |defined| defined.name == workflow)
    }

    /// Adds a component, or a core module, as an upload to a host would. Blocks while it is compiled. Answers the
    /// workflows that it defines.
    ///
    /// # Errors
    /// When a host would refuse it.
    ///
    /// # Panics
    /// On code that is [`scripted`](Self::scripted).
    pub fn add(&mut self, name: &str, wasm: impl Into<Bytes>) -> Result<&[WorkflowDefinition], CodeError> {
        let sandbox = self.sandbox.as_ref().expect("scripts take no components");
        let wasm = wasm.into();
        let uploaded_bytes = wasm.len() as u64;
        let inspected = block_on(sandbox.inspect(wasm))?;
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.insert(inspected.digest, inspected.component);
        drop(bytes);
        let component = NewComponent {
            digest: inspected.digest,
            uploaded_bytes,
            sdk: inspected.definition.sdk,
            imports: inspected.imports,
            workflows: inspected.definition.workflows,
        };
        self.components.push((name.to_owned(), component));
        Ok(self.components.last().map_or(&[], |(_, component)| &component.workflows))
    }

    /// Looks at a run that one of these components has made, call by call.
    ///
    /// # Errors
    /// When the history is one that nobody can replay.
    pub fn debugger(&self, history: Exported) -> Result<Debugger, ExportError> {
        history.check_replayable()?;
        let Exported { started, records, code, .. } = history;
        Ok(Debugger::new(self.guests(), code.digest, code.digest, Arc::new(started), records))
    }
}
