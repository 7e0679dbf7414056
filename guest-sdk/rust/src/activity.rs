//! Activities: work with side effects, done outside the workflow.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::refrain::workflow::activity::Options;
use crate::bindings::refrain::workflow::types::{self, Payload};
use crate::inbox::{OnDrop, OpFuture};
use crate::messages::{Canceled, canceled};
use crate::{Context as _, Failure, host, payload, time};

pub use crate::bindings::refrain::workflow::activity::Cancellation;

/// An activity to start: its input, and how to go about it.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let greeting: String = activity("greet", "Ada")
///     .start_to_close(secs(10))
///     .retry(Retry::default().maximum_attempts(3))
///     .await?;
/// # Ok(()) }
/// ```
///
/// It starts when it is awaited, given to a combinator, or [started](Activity::start) by hand, which is how
/// two run at once:
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let left = activity::<u32>("count", "left").start_to_close(secs(10)).start();
/// let right = activity::<u32>("count", "right").start_to_close(secs(10)).start();
/// let sum = left.await? + right.await?;
/// # Ok(()) }
/// ```
///
/// One of [`start_to_close`](Activity::start_to_close) and [`schedule_to_close`](Activity::schedule_to_close)
/// is required. What has neither does not compile, since it cannot be started:
///
/// ```compile_fail,E0277
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let greeting: String = activity("greet", "Ada").await?;
/// # Ok(()) }
/// ```
pub fn activity<T: DeserializeOwned>(
    name: impl Into<String>,
    input: &(impl Serialize + ?Sized),
) -> Activity<T, WithoutTimeout> {
    Activity {
        name: name.into(),
        input: payload::encode(input),
        options: Options {
            task_queue: None,
            schedule_to_close_timeout: None,
            schedule_to_start_timeout: None,
            start_to_close_timeout: None,
            heartbeat_timeout: None,
            retry: None,
            cancellation: Cancellation::TryCancel,
            priority: None,
            summary: None,
            more: Vec::new(),
        },
        with_run: false,
        types: PhantomData,
    }
}

/// An [`Activity`] that cannot be started yet: nothing says when it has taken too long.
pub enum WithoutTimeout {}

/// An [`Activity`] that can be started.
pub enum WithTimeout {}

/// Made by [`activity`].
#[must_use = "an activity starts when it is awaited or started"]
pub struct Activity<T, Timeout = WithTimeout> {
    name: String,
    input: Result<Payload, Failure>,
    options: Options,
    with_run: bool,
    types: PhantomData<fn() -> (T, Timeout)>,
}

impl<T, Timeout> Activity<T, Timeout> {
    /// At most this long for each attempt. An attempt that takes longer is retried.
    pub fn start_to_close(mut self, timeout: Duration) -> Activity<T> {
        self.options.start_to_close_timeout = Some(time::to_wire(timeout));
        self.with_timeout()
    }

    /// At most this long for all attempts together.
    pub fn schedule_to_close(mut self, timeout: Duration) -> Activity<T> {
        self.options.schedule_to_close_timeout = Some(time::to_wire(timeout));
        self.with_timeout()
    }

    fn with_timeout(self) -> Activity<T> {
        let Self { name, input, options, with_run, types: _ } = self;
        Activity { name, input, options, with_run, types: PhantomData }
    }

    /// At most this long until a worker takes it.
    pub fn schedule_to_start(mut self, timeout: Duration) -> Self {
        self.options.schedule_to_start_timeout = Some(time::to_wire(timeout));
        self
    }

    /// An attempt that is silent for longer is retried.
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.options.heartbeat_timeout = Some(time::to_wire(timeout));
        self
    }

    /// When and how often to try again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = Some(retry.0);
        self
    }

    /// Which workers may do it; without it the run's own task queue.
    pub fn task_queue(mut self, queue: impl Into<String>) -> Self {
        self.options.task_queue = Some(queue.into());
        self
    }

    /// What [`RunningActivity::cancel`] does to the work.
    pub fn cancellation(mut self, cancellation: Cancellation) -> Self {
        self.options.cancellation = cancellation;
        self
    }

    /// When someone asks the run to end, ask the activity too, and wait for what comes of it. Without it, a
    /// cancel request is the workflow's own matter; leave it out where the work must be done all the same, as
    /// in compensations.
    pub fn cancel_with_run(mut self) -> Self {
        self.with_run = true;
        self
    }

    /// 1 (first) to 5; without it 3.
    pub fn priority(mut self, priority: u8) -> Self {
        self.options.priority = Some(priority);
        self
    }

    /// One line for people who read the history.
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.options.summary = Some(summary.into());
        self
    }
}

impl<T: DeserializeOwned> Activity<T> {
    /// Starts it now. The workflow goes on; the handle is a future of the outcome.
    pub fn start(self) -> RunningActivity<T> {
        let Self { name, input, options, with_run, types: _ } = self;
        let state = match input.with_context(|| format!("input of activity `{name}`")) {
            Ok(input) => {
                let op = host::with(|host| host.start_activity(&name, &input, &options));
                Ok(OpFuture::new(op, OnDrop::Detach))
            }
            Err(failure) => Err(failure),
        };
        RunningActivity { name, state, run_canceled: with_run.then(canceled), output: PhantomData }
    }
}

impl<T: DeserializeOwned> IntoFuture for Activity<T> {
    type Output = Result<T, Failure>;
    type IntoFuture = RunningActivity<T>;

    fn into_future(self) -> RunningActivity<T> {
        self.start()
    }
}

/// An activity that was started: a future of its outcome.
///
/// Dropping it gives up the outcome and nothing else: the activity goes on. To end it early,
/// [cancel](RunningActivity::cancel) it.
#[must_use = "dropping it gives up the activity's outcome; `drop(..)` says so on purpose"]
pub struct RunningActivity<T> {
    name: String,
    /// Without an op when the input could not be written as JSON.
    state: Result<OpFuture, Failure>,
    /// Listens for the run's cancel request until it has come, if it is to be passed on.
    run_canceled: Option<Canceled>,
    output: PhantomData<fn() -> T>,
}

impl<T> RunningActivity<T> {
    /// Asks the activity to end. Await the handle to see what came of it: the result, when that was faster,
    /// or a failure for which [`Failure::is_canceled`] is true.
    pub fn cancel(&self, reason: &str) {
        if let Ok(op) = &self.state {
            op.cancel(reason);
        }
    }
}

impl<T: DeserializeOwned> Future for RunningActivity<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let op = match &mut this.state {
            Ok(op) => op,
            Err(failure) => return Poll::Ready(Err(failure.clone())),
        };
        // The outcome first: what has ended is not canceled.
        let outcome = Pin::new(&mut *op).poll(cx);
        if let (Poll::Pending, Some(run_canceled)) = (&outcome, &mut this.run_canceled) {
            if let Poll::Ready(reason) = Pin::new(run_canceled).poll(cx) {
                this.run_canceled = None;
                op.cancel(&reason);
            }
        }
        let outcome = ready!(outcome);
        Poll::Ready(match outcome {
            Ok(payload) => {
                payload::decode(&payload).with_context(|| format!("result of activity `{}`", this.name))
            }
            Err(failure) => Err(Failure::from_wire(failure)),
        })
    }
}

/// When and how often the host tries an activity again; the default is without end, 1 s to 100 s apart.
#[derive(Clone, Debug)]
pub struct Retry(types::RetryPolicy);

impl Default for Retry {
    fn default() -> Self {
        // Zeros mean the host's defaults, so that they are written in one place.
        Self(types::RetryPolicy {
            initial_interval: types::Duration { seconds: 0, nanoseconds: 0 },
            backoff_coefficient: 0.0,
            maximum_interval: None,
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
            more: Vec::new(),
        })
    }
}

impl Retry {
    /// One attempt and no other.
    #[must_use]
    pub fn never() -> Self {
        Self::default().maximum_attempts(1)
    }

    /// The time from the first failure to the second attempt.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.0.initial_interval = time::to_wire(interval);
        self
    }

    /// How much longer each interval is than the one before; at least 1.
    #[must_use]
    pub fn backoff_coefficient(mut self, coefficient: f64) -> Self {
        self.0.backoff_coefficient = coefficient;
        self
    }

    /// The longest interval.
    #[must_use]
    pub fn maximum_interval(mut self, interval: Duration) -> Self {
        self.0.maximum_interval = Some(time::to_wire(interval));
        self
    }

    /// How many attempts at most, the first one included; 0 is without limit.
    #[must_use]
    pub fn maximum_attempts(mut self, attempts: u32) -> Self {
        self.0.maximum_attempts = attempts;
        self
    }

    /// A failure of this type ends the attempts.
    #[must_use]
    pub fn non_retryable(mut self, error_type: impl Into<String>) -> Self {
        self.0.non_retryable_error_types.push(error_type.into());
        self
    }
}
