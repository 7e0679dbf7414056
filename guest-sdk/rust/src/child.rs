//! Children: executions that this run starts, and that know it as their parent.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bindings::refrain::workflow::child::{self as wit, Options};
use crate::bindings::refrain::workflow::types::Payload;
use crate::inbox::{OnDrop, OpFuture};
use crate::work::Work;
use crate::workflow::Returned;
use crate::{Cancellation, Context as _, Execution, Failure, Retry, Workflow, host, payload, scope, time};

pub use crate::bindings::refrain::workflow::child::{
    IdReusePolicy as IdReuse, ParentClosePolicy as ParentClose,
};

/// A child to start: which workflow, its input, and how to go about it.
///
/// ```
/// # use refrain_sdk::*;
/// #[workflow]
/// async fn order(id: String) -> Result<String, Failure> {
///     child("ship", &id).id(format!("ship-{id}")).execution_timeout(days(14)).await
/// }
///
/// let env = testing::Env::new().child("ship", |id: String| Ok(format!("{id} is on its way")));
/// assert_eq!(env.run::<order>(&"7").result::<String>().unwrap(), "7 is on its way");
/// ```
///
/// It starts when it is awaited, given to a combinator, or [started](Child::start) by hand; its type is looked for in
/// this run's component first. The outcome is that of all its runs together, however often it continues as new.
///
/// A child that fails gives a failure that says so, with the child's own chain under it: `child workflow "ship" (id
/// "ship-7") failed: no vacancy`. Its [details](Failure::details) are the child's.
///
/// What becomes of a child when this run ends first says [`parent_close`](Child::parent_close).
pub fn child<T: DeserializeOwned>(
    workflow: impl Into<String>,
    input: &(impl Serialize + ?Sized),
) -> Child<T> {
    Child::new(workflow.into(), payload::encode(input))
}

/// A [`child`] of a workflow whose code is at hand: the compiler knows what it is started with and what it returns.
///
/// ```
/// # use refrain_sdk::*;
/// #[workflow]
/// async fn square(n: u64) -> Result<u64, Failure> {
///     Ok(n * n)
/// }
///
/// #[workflow]
/// async fn sum_of_squares(numbers: Vec<u64>) -> Result<u64, Failure> {
///     let squares = try_join_bounded(10, numbers.iter().map(|n| child_of::<square>(n))).await?;
///     Ok(squares.into_iter().sum())
/// }
/// ```
pub fn child_of<W>(input: &W::Input) -> Child<<W::Returned as Returned>::Output>
where
    W: Workflow<Input: Serialize, Returned: Returned<Output: DeserializeOwned>>,
{
    child(W::NAME, input)
}

/// Made by [`child`] and [`child_of`].
#[must_use = "a child starts when it is awaited or started"]
pub struct Child<T> {
    workflow: String,
    input: Result<Payload, Failure>,
    options: Options,
    with_run: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> Child<T> {
    fn new(workflow: String, input: Result<Payload, Failure>) -> Self {
        let options = Options {
            workflow_id: None,
            id_reuse: IdReuse::Allow,
            component: None,
            task_queue: None,
            execution_timeout: None,
            run_timeout: None,
            retry: None,
            parent_close: ParentClose::Terminate,
            cancellation: wit::Cancellation::TryCancel,
            memo: Vec::new(),
            summary: None,
            more: Vec::new(),
        };
        Self { workflow, input: input.context("input"), options, with_run: false, output: PhantomData }
    }

    /// Its workflow id; without it one that nothing else has. One that is in use is a failure (`already-exists`).
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.options.workflow_id = Some(id.into());
        self
    }

    /// Whether an id may be used again whose execution has ended; without it, it may.
    pub fn id_reuse(mut self, policy: IdReuse) -> Self {
        self.options.id_reuse = policy;
        self
    }

    /// The component that has the workflow, in its current version. Without it this run's own component and
    /// version, if that has it, else the only one that does.
    pub fn component(mut self, name: impl Into<String>) -> Self {
        self.options.component = Some(name.into());
        self
    }

    /// The task queue of its activities; without it this run's.
    pub fn task_queue(mut self, queue: impl Into<String>) -> Self {
        self.options.task_queue = Some(queue.into());
        self
    }

    /// At most this long for all its runs together.
    pub fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.options.execution_timeout = Some(time::to_wire(timeout));
        self
    }

    /// At most this long for each of its runs.
    pub fn run_timeout(mut self, timeout: Duration) -> Self {
        self.options.run_timeout = Some(time::to_wire(timeout));
        self
    }

    /// When and how often another run follows one that failed; without it none does.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = Some(retry.into_wire());
        self
    }

    /// What happens to it when this run ends first, also by continue-as-new; without it, it is terminated.
    pub fn parent_close(mut self, policy: ParentClose) -> Self {
        self.options.parent_close = policy;
        self
    }

    /// What [`RunningChild::cancel`] does; without it the child is asked to cancel itself, and nobody waits for that.
    pub fn cancellation(mut self, cancellation: Cancellation) -> Self {
        self.options.cancellation = match cancellation {
            Cancellation::TryCancel => wit::Cancellation::TryCancel,
            Cancellation::WaitForCancellation => wit::Cancellation::WaitForCancellation,
            Cancellation::Abandon => wit::Cancellation::Abandon,
        };
        self
    }

    /// When someone asks this run to end, cancel the child too, and wait for what comes of it. Without it, a
    /// cancel request is the workflow's own matter.
    pub fn cancel_with_run(mut self) -> Self {
        self.with_run = true;
        self
    }

    /// A note that is kept with it, for people and programs that look for it. The last one under a key counts.
    pub fn memo(mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Self {
        match payload::encode(value) {
            Ok(value) => payload::set_payload(&mut self.options.memo, key, value),
            Err(why) => self.input = self.input.and(Err(why.context(format!("memo `{key}`")))),
        }
        self
    }

    /// One line for people who read the history.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.options.summary = Some(summary.into());
        self
    }

    fn begin(self) -> (ChildStarted, RunningChild<T>) {
        let Self { workflow, input, options, with_run, output } = self;
        let input = scope::check().and(input);
        let ops = input.map(|input| host::with(|host| host.start_child(&workflow, &input, &options)));
        // The host's words, which begin its own failures.
        let doing = format!("child workflow {workflow:?}");
        let state = ops.clone().map(|ops| OpFuture::new(ops.started, OnDrop::Detach));
        let work = Work::new(with_run, ops.map(|ops| ops.finished));
        (ChildStarted { doing: doing.clone(), state }, RunningChild { doing, work, output })
    }
}

impl<T: DeserializeOwned> Child<T> {
    /// Starts it now. The workflow goes on; the handle is a future of the outcome.
    pub fn start(self) -> RunningChild<T> {
        // The other half is dropped here and so detached: the run is not woken for it.
        self.begin().1
    }

    /// As [`start`](Self::start), with a future that says when the child exists, and under which ids. It costs the
    /// run a wait of its own, so leave it out where nothing depends on it.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// # async fn example() -> Result<(), Failure> {
    /// let (started, shipped) = child::<String>("ship", "order 7").start_watched();
    /// let ship = started.await?;
    /// info!(workflow = ship.workflow_id, "on its way");
    /// ship.signal("address", "12 Main Street").await?;
    /// let receipt = shipped.await?;
    /// # Ok(()) }
    /// ```
    pub fn start_watched(self) -> (ChildStarted, RunningChild<T>) {
        self.begin()
    }
}

impl<T: DeserializeOwned> IntoFuture for Child<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = RunningChild<T>;

    fn into_future(self) -> RunningChild<T> {
        self.start()
    }
}

/// A child that was started: a future of its outcome.
///
/// Dropping it gives up the outcome and nothing else: the child goes on, for as long as
/// [`parent_close`](Child::parent_close) lets it. To end it early, [cancel](RunningChild::cancel) it.
#[must_use = "dropping it gives up the child's outcome; `drop(..)` says so on purpose"]
pub struct RunningChild<T> {
    doing: String,
    work: Work,
    output: PhantomData<fn() -> T>,
}

impl<T> RunningChild<T> {
    /// Asks the child to cancel itself. Await the handle to see what came of it: the result, when that was faster,
    /// or a failure for which [`Failure::is_canceled`] is true. How long that takes says
    /// [`cancellation`](Child::cancellation).
    pub fn cancel(&self, reason: &str) {
        self.work.cancel(reason);
    }
}

impl<T: DeserializeOwned> Future for RunningChild<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let output = ready!(self.work.poll(cx));
        let output = output.and_then(|output| payload::decode(&output).context("result"));
        Poll::Ready(output.map_err(|failure| of_child(failure, &self.doing)))
    }
}

/// When a child exists; made by [`Child::start_watched`]. Dropping it gives up to hear of it.
#[must_use = "it costs a wait of its own: without a use for it, `start` the child"]
pub struct ChildStarted {
    doing: String,
    /// Without an op when the child could not be started.
    state: Result<OpFuture, Failure>,
}

/// The outcome of its op.
#[derive(Deserialize)]
struct Ids {
    workflow_id: String,
    run_id: String,
}

impl Future for ChildStarted {
    type Output = Result<Execution, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let ids = match &mut this.state {
            Ok(op) => ready!(Pin::new(op).poll(cx)).map_err(Failure::from_wire),
            Err(failure) => Err(failure.clone()),
        };
        let ids = ids
            .and_then(|ids| payload::decode::<Ids>(&ids))
            .map_err(|failure| of_child(failure, &this.doing))?;
        Poll::Ready(Ok(Execution { workflow_id: ids.workflow_id, run_id: Some(ids.run_id) }))
    }
}

/// Says which child it was, where the host has not.
fn of_child(failure: Failure, doing: &str) -> Failure {
    if failure.message().starts_with(doing) { failure } else { failure.context(doing) }
}
