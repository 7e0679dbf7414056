//! What children answer in place of their code: a script that waits and ends, as an execution of its own.
//!
//! Whoever executes code is asked by the digest of a component, and a child is often of a type that its parent's own
//! component has. So the choice is made when a guest sees its run: one of a child that the test answers is given to a
//! script, any other to the component. It is made again for each replay, from what the run began with and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::call::{Completion, Interest};
use refrain_engine::definition::WorkflowDefinition;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::guest::{Guest, Guests, OpenError, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::limits::Profile;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::run::Run;
use refrain_engine::scripted::{self, ScriptHost, Stopped};
use refrain_runtime::NewComponent;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The component of types that no component of the test has. A file's name would not have spaces in it.
const COMPONENT: &str = "answered by the test";

/// In place of the code of components that the test does not have: nothing has this SHA-256.
const NO_CODE: Digest = Digest([0; 32]);

/// A child as it begins, or is tried again by its retry policy.
#[derive(Clone, Copy, Debug)]
pub struct ChildRun<'a> {
    /// The component that it was started in.
    pub component: &'a str,
    /// Its execution.
    pub id: &'a str,
    /// From 1.
    pub attempt: u32,
    /// Its argument.
    pub input: &'a Payload,
}

/// What a child answers.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildAnswer {
    /// How long its run takes, in virtual time. A cancel request ends it sooner, as canceled; other messages are lost
    /// on it.
    pub after: Duration,
    /// How its run ends. A failure is retried as the child's retry policy says.
    pub outcome: Outcome,
}

/// What answers the children of one type.
#[derive(Clone)]
pub struct Child {
    workflow: String,
    components: Vec<String>,
    answer: Arc<Answer>,
}

/// What a child answers, unless it is left to its component.
type Answer = dyn Fn(&ChildRun<'_>) -> Option<ChildAnswer> + Send + Sync;

impl Child {
    /// Answers at once: what a closure makes of the argument.
    pub fn new<I, O>(
        workflow: impl Into<String>,
        answer: impl Fn(I) -> Result<O, Box<Failure>> + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        Self::raw(workflow, move |child| {
            Some(ChildAnswer { after: Duration::ZERO, outcome: called(&answer, child.input) })
        })
    }

    /// Answers with any code, for each run of a child; `None` leaves it to the component that has the type. It is asked
    /// again when a run is replayed, and must say the same then: from what it is given alone.
    pub fn raw(
        workflow: impl Into<String>,
        answer: impl Fn(&ChildRun<'_>) -> Option<ChildAnswer> + Send + Sync + 'static,
    ) -> Self {
        Self { workflow: workflow.into(), components: Vec::new(), answer: Arc::new(answer) }
    }

    /// Its parent names this component, which there is to be, with this type in it.
    #[must_use]
    pub fn in_component(mut self, name: impl Into<String>) -> Self {
        self.components.push(name.into());
        self
    }
}

/// What a closure that takes and makes JSON answers.
fn called<I: DeserializeOwned, O: Serialize>(
    answer: impl Fn(I) -> Result<O, Box<Failure>>,
    input: &Payload,
) -> Outcome {
    let unusable = |what: &str, error: serde_json::Error| {
        let message = format!("{what} of the child is not what the test takes it for: {error}");
        let failure = Failure::new(FailureKind::Application, "unusable", message);
        Outcome::Failed(Failure { non_retryable: true, ..failure })
    };
    match serde_json::from_slice(&input.data).map(answer) {
        Ok(Ok(result)) => match serde_json::to_vec(&result) {
            Ok(result) => Outcome::Completed(Payload::json(result)),
            Err(error) => unusable("the result", error),
        },
        Ok(Err(failure)) => Outcome::Failed(*failure),
        Err(error) => unusable("the input", error),
    }
}

/// The children that a test answers, by type.
#[derive(Clone, Default)]
pub(crate) struct Children(BTreeMap<String, Child>);

impl Children {
    pub(crate) fn insert(&mut self, child: Child) {
        self.0.insert(child.workflow.clone(), child);
    }

    /// What executes the code of a test with these children.
    pub(crate) fn before(&self, code: &Arc<dyn Guests>) -> Arc<dyn Guests> {
        if self.0.is_empty() {
            return Arc::clone(code);
        }
        Arc::new(Answering { children: Arc::new(self.clone()), code: Arc::clone(code) })
    }

    /// Sees to it that each type is found where the host looks for it.
    pub(crate) fn define(&self, components: &mut Vec<(String, NewComponent)>) {
        for child in self.0.values() {
            for component in &child.components {
                define(components, component, &child.workflow);
            }
            if !components.iter().any(|(_, component)| defines(component, &child.workflow)) {
                define(components, COMPONENT, &child.workflow);
            }
        }
    }

    fn answer(&self, run: &Run) -> Option<ChildAnswer> {
        let started = run.started();
        let child = self.0.get(&started.workflow).filter(|_| started.parent.is_some())?;
        (child.answer)(&ChildRun {
            component: &started.component,
            id: started.workflow_id.as_str(),
            attempt: started.attempt,
            input: &started.input,
        })
    }
}

fn defines(component: &NewComponent, workflow: &str) -> bool {
    component.workflows.iter().any(|defined| defined.name == workflow)
}

/// Gives a component a type, and makes the component if there is none of the name.
fn define(components: &mut Vec<(String, NewComponent)>, name: &str, workflow: &str) {
    let definition = WorkflowDefinition::named(workflow);
    match components.iter_mut().find(|(known, _)| known == name) {
        Some((_, component)) if defines(component, workflow) => {}
        Some((_, component)) => component.workflows.push(definition),
        None => {
            let component = NewComponent {
                digest: NO_CODE,
                uploaded_bytes: 0,
                sdk: String::new(),
                imports: Vec::new(),
                workflows: vec![definition],
            };
            components.push((name.to_owned(), component));
        }
    }
}

/// Components, some of whose runs the test answers.
struct Answering {
    children: Arc<Children>,
    code: Arc<dyn Guests>,
}

impl Guests for Answering {
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let children = Arc::clone(&self.children);
        let code = (digest != NO_CODE).then(|| self.code.open(digest, profile));
        async move {
            let code = match code {
                Some(code) => Some(code.await?),
                None => None,
            };
            Ok(Box::new(Undecided { children, code, chosen: None }) as Box<dyn Guest>)
        }
        .boxed()
    }
}

/// A guest that is chosen when it is lent its run for the first time.
struct Undecided {
    children: Arc<Children>,
    /// The component's, until then.
    code: Option<Box<dyn Guest>>,
    chosen: Option<Box<dyn Guest>>,
}

impl Guest for Undecided {
    fn run(&mut self, run: Box<Run>) -> BoxFuture<'_, (Box<Run>, Stop)> {
        let (children, code) = (&self.children, &mut self.code);
        let chosen = self.chosen.get_or_insert_with(|| match (children.answer(&run), code.take()) {
            (Some(answer), _) => scripted::guest(run.workflow(), move |host, _| say(host, answer.clone())),
            (None, Some(code)) => code,
            (None, None) => scripted::guest(run.workflow(), |_, _| async { Ok(nobody_answers()) }),
        });
        chosen.run(run)
    }

    fn resident_bytes(&self) -> usize {
        self.chosen.as_ref().map_or(0, |chosen| chosen.resident_bytes())
    }
}

/// The code of a child that answers so.
async fn say(host: ScriptHost, answer: ChildAnswer) -> Result<Completion, Stopped> {
    let ended = match answer.outcome {
        Outcome::Completed(result) => Completion::Completed(result),
        Outcome::Failed(failure) => Completion::Failed(failure),
    };
    if answer.after.is_zero() {
        return Ok(ended);
    }
    let timer = host.timer(answer.after)?;
    loop {
        for event in host.wait(Interest::Everything).await? {
            match event {
                Event::Finished { op, .. } if op == timer => return Ok(ended),
                Event::CancelRequested { .. } => return Ok(Completion::Canceled(None)),
                Event::Finished { .. }
                | Event::Signal { .. }
                | Event::Query { .. }
                | Event::Update { .. } => {}
            }
        }
    }
}

/// The end of a run that there is no code for: of an execution that is no child, or of a child that is left to a
/// component.
fn nobody_answers() -> Completion {
    let message = "the test has no component with this workflow, and does not answer it";
    Completion::Failed(Failure {
        non_retryable: true,
        ..Failure::new(FailureKind::Host, "not-found", message)
    })
}
