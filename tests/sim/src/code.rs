//! The code that simulated hosts execute: scripts in versions, or a real component in the sandbox.

use std::sync::Arc;

use refrain_engine::guest::Guests;
use refrain_engine::ids::Digest;
use refrain_engine::scripted::ScriptedGuests;
use refrain_runtime::{NewComponent, WorkflowDefinition};

use crate::actor::{self, Draws};

/// The component's name.
pub const COMPONENT: &str = "sim";

/// Instances at once: a few times the runs that a simulation has open.
#[cfg(feature = "wasm")]
const INSTANCES: usize = 256;

/// Versions of the component, and what executes them.
#[derive(Clone)]
pub struct Code {
    /// What executes them.
    pub guests: Arc<dyn Guests>,
    /// The first one is there when a host boots for the first time; the others are pushed by clients.
    pub versions: Vec<NewComponent>,
}

impl Code {
    /// The actor as a script, in one version.
    pub fn script() -> Self {
        Self::scripts(&[Draws::Former])
    }

    /// The actor as scripts: the second version does all that the first one does, and the third one something else.
    pub fn versions() -> Self {
        Self::scripts(&[Draws::Former, Draws::Former, Draws::Latter])
    }

    fn scripts(versions: &[Draws]) -> Self {
        let guests = ScriptedGuests::new();
        let mut components = Vec::new();
        for (number, draws) in (7..).zip(versions) {
            let (digest, draws) = (Digest([number; 32]), *draws);
            guests.add(digest, actor::WORKFLOW, move |host, input| actor::play(host, input, draws));
            components.push(NewComponent {
                digest,
                uploaded_bytes: 0,
                sdk: "scripts".to_owned(),
                imports: Vec::new(),
                workflows: vec![WorkflowDefinition::named(actor::WORKFLOW)],
            });
        }
        Self { guests: Arc::new(guests), versions: components }
    }

    /// The actor of a component, or of a core module that becomes one. Time must not decide what happens: its code is
    /// never interrupted.
    ///
    /// # Errors
    /// When no host would take it.
    #[cfg(feature = "wasm")]
    pub fn component(wasm: Vec<u8>) -> anyhow::Result<Self> {
        use refrain_sandbox::{Building, Sandbox, SandboxOptions};

        let options = SandboxOptions {
            max_instances: Some(INSTANCES),
            building: Building { uninterrupted: true, ..Building::default() },
            ..SandboxOptions::default()
        };
        // What was inspected is ready, and nothing else is asked for.
        let sandbox = Sandbox::new(options, Arc::new(|_| Ok(None)))?;
        let uploaded_bytes = wasm.len() as u64;
        let inspected = futures::executor::block_on(sandbox.inspect(wasm.into()))?;
        let component = NewComponent {
            digest: inspected.digest,
            uploaded_bytes,
            sdk: inspected.definition.sdk,
            imports: inspected.imports,
            workflows: inspected.definition.workflows,
        };
        Ok(Self { guests: Arc::new(sandbox), versions: vec![component] })
    }
}
