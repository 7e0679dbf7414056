//! From `#[workflow] async fn` to what a component exports.

use std::pin::Pin;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::exports::refrain::workflow::definition::{Manifest, MessageType, WorkflowType};
use crate::bindings::refrain::workflow::types::{Completion, NextRun, Payload};
use crate::failure::{Context, Failure, FailureKind};
use crate::{executor, inbox, panic, payload, queries, time};

pub use crate::bindings::exports::refrain::workflow::definition::OnTrap;

/// A workflow, as [`#[workflow]`](macro@crate::workflow) makes it of a function.
pub trait Workflow: 'static {
    /// The name by which it is started.
    const NAME: &'static str;
    /// The function's doc comment.
    const DOC: &'static str;
    /// What becomes of a run whose code panics.
    const ON_TRAP: OnTrap;
    /// What it is started with.
    type Input: DeserializeOwned + JsonSchema;
    /// What the function returns.
    type Returned: Returned + 'static;

    /// The signals that it takes.
    fn signals() -> Vec<MessageType>;

    /// The queries that it answers.
    fn queries() -> Vec<MessageType>;

    /// The updates that it takes.
    fn updates() -> Vec<MessageType>;

    /// Calls the function.
    fn call(input: Self::Input) -> impl Future<Output = Self::Returned> + 'static;
}

/// What a workflow may return: `Result<T, E>`, or `Result<Next<T>, E>` to go on as a new run.
#[diagnostic::on_unimplemented(
    message = "a workflow returns a `Result` of what serde writes and schemars describes, not `{Self}`",
    label = "expected a `Result<T, E>`, for example `Result<(), Failure>`"
)]
pub trait Returned {
    /// What whoever waits for the workflow gets.
    type Output: JsonSchema;

    #[doc(hidden)]
    fn into_completion(self) -> Completion;
}

impl<T: Serialize + JsonSchema, E: Into<Failure>> Returned for Result<T, E> {
    type Output = T;

    fn into_completion(self) -> Completion {
        match self.map_err(Into::into).and_then(|output| payload::encode(&output).context("result")) {
            Ok(output) => Completion::Completed(output),
            Err(failure) => failed(failure),
        }
    }
}

impl<T: Serialize + JsonSchema, E: Into<Failure>> Returned for Result<Next<T>, E> {
    type Output = T;

    fn into_completion(self) -> Completion {
        match self {
            Ok(Next::Done(output)) => Ok::<_, Failure>(output).into_completion(),
            Ok(Next::ContinueAsNew(next)) => match next.0 {
                Ok(next) => Completion::ContinueAsNew(*next),
                Err(failure) => failed(failure),
            },
            Err(failure) => failed(failure.into()),
        }
    }
}

/// A run that fails as canceled because someone asked for it has been canceled, not failed.
fn failed(failure: Failure) -> Completion {
    if failure.is_canceled() && inbox::cancel_reason().is_some() {
        return Completion::Canceled(failure.into_wire().details);
    }
    Completion::Failed(failure.into_wire())
}

/// How a workflow that runs for ever in short runs returns; see [`continue_as_new`].
pub enum Next<T> {
    /// It has ended, with this.
    Done(T),
    /// It goes on as a new run.
    ContinueAsNew(ContinueAsNew),
}

/// Ends this run and goes on as a new one with a short journal: same id, new input.
///
/// Signals and updates that this run has not read go to the next one, in the order in which they came. What handlers
/// have begun ends with this run: wait for [`all_handlers_finished`](crate::all_handlers_finished) where there are any,
/// or who sent an update that was let in gets a failure (`run-ended`). Warnings in the run's log say what was left.
///
/// ```
/// # use refrain_sdk::*;
/// #[workflow]
/// async fn poll(round: u64) -> Result<Next<String>, Failure> {
///     let found: Option<String> = activity("look", &round).start_to_close(secs(10)).await?;
///     match found {
///         Some(found) => Ok(Next::Done(found)),
///         None => {
///             sleep(hours(1)).await;
///             Ok(continue_as_new(&(round + 1)).into())
///         }
///     }
/// }
/// ```
pub fn continue_as_new<I: Serialize + ?Sized>(input: &I) -> ContinueAsNew {
    let next = |input| NextRun {
        workflow: None,
        input,
        newest_version: false,
        run_timeout: None,
        unread: Vec::new(),
        more: Vec::new(),
    };
    ContinueAsNew(payload::encode(input).context("input of the next run").map(|input| Box::new(next(input))))
}

/// The next run; made by [`continue_as_new`].
#[must_use = "return it: `Ok(continue_as_new(&input).into())`"]
pub struct ContinueAsNew(Result<Box<NextRun>, Failure>);

impl ContinueAsNew {
    /// Take the component's newest version, not this run's.
    pub fn newest_version(self) -> Self {
        self.change(|next| next.newest_version = true)
    }

    /// Go on as another workflow of the component.
    pub fn workflow(self, name: impl Into<String>) -> Self {
        self.change(|next| next.workflow = Some(name.into()))
    }

    /// At most this long for the next run; without it as long as for this one.
    pub fn run_timeout(self, timeout: Duration) -> Self {
        self.change(|next| next.run_timeout = Some(time::to_wire(timeout)))
    }

    fn change(mut self, change: impl FnOnce(&mut NextRun)) -> Self {
        if let Ok(next) = &mut self.0 {
            change(next);
        }
        self
    }
}

impl<T> From<ContinueAsNew> for Next<T> {
    fn from(next: ContinueAsNew) -> Self {
        Self::ContinueAsNew(next)
    }
}

/// A workflow without its types: a row of the table that [`component!`](crate::component) makes.
#[doc(hidden)]
pub struct Entry {
    name: &'static str,
    describe: fn() -> WorkflowType,
    call: fn(&Payload) -> Pin<Box<dyn Future<Output = Completion>>>,
}

impl Entry {
    #[must_use]
    pub const fn of<W: Workflow>() -> Self {
        Self { name: W::NAME, describe: describe_one::<W>, call: call::<W> }
    }
}

/// The export `describe`.
#[doc(hidden)]
#[must_use]
pub fn describe(workflows: &[Entry]) -> Manifest {
    Manifest {
        sdk: concat!("refrain-sdk for Rust ", env!("CARGO_PKG_VERSION")).to_owned(),
        workflows: workflows.iter().map(|workflow| (workflow.describe)()).collect(),
    }
}

/// The export `run`.
#[doc(hidden)]
#[must_use]
pub fn run(workflows: &[Entry], name: &str, input: &Payload) -> Completion {
    panic::install();
    match workflows.iter().find(|workflow| workflow.name == name) {
        Some(workflow) => {
            let completion = executor::run((workflow.call)(input));
            // Returning ends the run as well, and every query after that.
            if queries::are_handled() {
                executor::finish(&completion);
            }
            completion
        }
        None => {
            let message = format!("this component has no workflow `{name}`");
            let failure = Failure::of(FailureKind::Host, "not-found".to_owned(), message);
            Completion::Failed(failure.into_wire())
        }
    }
}

fn describe_one<W: Workflow>() -> WorkflowType {
    WorkflowType {
        name: W::NAME.to_owned(),
        doc: W::DOC.to_owned(),
        input_schema: Some(schema::<W::Input>()),
        output_schema: Some(schema::<<W::Returned as Returned>::Output>()),
        signals: W::signals(),
        queries: W::queries(),
        updates: W::updates(),
        on_trap: W::ON_TRAP,
        more: Vec::new(),
    }
}

fn call<W: Workflow>(input: &Payload) -> Pin<Box<dyn Future<Output = Completion>>> {
    let input = payload::decode::<W::Input>(input);
    Box::pin(async move {
        match input {
            Ok(input) => W::call(input).await.into_completion(),
            // The same input fails in the same way each time.
            Err(why) => {
                let why =
                    Failure::typed("bad-input", format!("input of workflow `{}`", W::NAME)).caused_by(why);
                failed(why.non_retryable())
            }
        }
    })
}

/// The JSON Schema of a type, as text.
pub(crate) fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    serde_json::to_string(&schema).unwrap_or_default()
}
