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
    Activity::new(Start::Scheduled, name.into(), payload::encode(input))
}

/// A local activity: short work that needs no scheduling of its own, such as a lookup. The host runs it in its
/// own process at once, and what comes of it is recorded with the step, so that it costs no write of its own
/// to the disk before it starts and after it ended.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let rate: f64 = local_activity("exchange-rate", &("EUR", "USD"))
///     .start_to_close(secs(1))
///     .retry(Retry::default().initial_interval(millis(50)).maximum_attempts(3))
///     .await?;
/// # Ok(()) }
/// ```
///
/// What is faster is weaker, too: it runs *before* the step that starts it is durable. If the host dies in that
/// moment, the work was done and nobody knows; the step is done again, and may then decide otherwise (the time
/// is another). So take it for what does no harm twice or in vain, and [`activity`] for the rest.
///
/// It is started, awaited, retried and canceled as an [`activity`] is. An attempt that takes longer than a few
/// milliseconds goes on as an ordinary one, and so does a retry that is more than a second away. It always runs
/// in the host: a type that none of the host's plugins offers fails as `not-found`, and
/// [`task_queue`](Activity::task_queue), [`priority`](Activity::priority) and [`fairness`](Activity::fairness)
/// are without effect.
pub fn local_activity<T: DeserializeOwned>(
    name: impl Into<String>,
    input: &(impl Serialize + ?Sized),
) -> Activity<T, WithoutTimeout> {
    Activity::new(Start::Local, name.into(), payload::encode(input))
}

/// Which of the two functions of `wit/` starts it.
#[derive(Clone, Copy)]
enum Start {
    Scheduled,
    Local,
}

/// An [`Activity`] that cannot be started yet: nothing says when it has taken too long.
pub enum WithoutTimeout {}

/// An [`Activity`] that can be started.
pub enum WithTimeout {}

/// Made by [`activity`] and [`local_activity`].
#[must_use = "an activity starts when it is awaited or started"]
pub struct Activity<T, Timeout = WithTimeout> {
    start: Start,
    name: String,
    input: Result<Payload, Failure>,
    options: Options,
    with_run: bool,
    types: PhantomData<fn() -> (T, Timeout)>,
}

impl<T> Activity<T, WithoutTimeout> {
    fn new(start: Start, name: String, input: Result<Payload, Failure>) -> Self {
        let options = Options {
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
        };
        Self { start, name, input, options, with_run: false, types: PhantomData }
    }
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
        let Self { start, name, input, options, with_run, types: _ } = self;
        Activity { start, name, input, options, with_run, types: PhantomData }
    }

    /// At most this long from an attempt's scheduling to its start: until a worker takes it. What takes longer
    /// is not retried.
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

    /// Whose work it is: the workers that poll this queue. Without it the run's own task queue.
    ///
    /// What a plugin of the host offers, the host does itself, unless its configuration says otherwise of the
    /// queue.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// # async fn example() -> Result<(), Failure> {
    /// let model: String = activity("train", "mnist")
    ///     .task_queue("gpu")
    ///     .priority(1)
    ///     .fairness("tenant-7")
    ///     .fairness_weight(2.0)
    ///     .start_to_close(hours(8))
    ///     .heartbeat(mins(1))
    ///     .await?;
    /// # Ok(()) }
    /// ```
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

    /// 1 (first) to 5; without it 3. Of what waits in a task queue, lower numbers start first.
    pub fn priority(mut self, priority: u8) -> Self {
        self.options.priority = Some(priority);
        self
    }

    /// Whose turn it takes in its task queue, for example a tenant's: of what waits with the same priority, each
    /// key gets its turn, however much another has waiting. What has no key shares one.
    pub fn fairness(mut self, key: impl Into<String>) -> Self {
        set_more(&mut self.options.more, "fairness-key", key.into());
        self
    }

    /// How large the share of its [`fairness`](Activity::fairness) key is, which must be given too: 0.001 to
    /// 1000, without it 1. A key of weight 2 gets two turns where another gets one.
    pub fn fairness_weight(mut self, weight: f64) -> Self {
        set_more(&mut self.options.more, "fairness-weight", weight);
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
        let Self { start, name, input, options, with_run, types: _ } = self;
        let state = match input.with_context(|| format!("input of activity `{name}`")) {
            Ok(input) => {
                let op = host::with(|host| match start {
                    Start::Scheduled => host.start_activity(&name, &input, &options),
                    Start::Local => host.start_local_activity(&name, &input, &options),
                });
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

    /// Shortens each interval by a random part of at most this share of it, 0 to 1, so that what failed
    /// together is not tried again together; without it 0.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// // From 8 s to 10 s after the first failure, from 16 s to 20 s after the second, ...
    /// let patient = Retry::default().initial_interval(secs(10)).jitter(0.2);
    /// ```
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        set_more(&mut self.0.more, "jitter", share);
        self
    }
}

/// Puts an option in that the record had no field for when the contract was released. What is no JSON number
/// (NaN) becomes `null`, which the host refuses by name.
fn set_more(more: &mut Vec<(String, Payload)>, key: &str, value: impl Into<serde_json::Value>) {
    let value = Payload { content_type: payload::JSON.to_owned(), data: value.into().to_string().into() };
    match more.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) => *known = value,
        None => more.push((key.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secs;

    fn shown(more: &[(String, Payload)]) -> Vec<String> {
        let shown = |(key, value): &(String, Payload)| {
            assert_eq!(value.content_type, "application/json");
            format!("{key}={}", String::from_utf8_lossy(&value.data))
        };
        more.iter().map(shown).collect()
    }

    #[test]
    fn options_without_a_field_of_their_own_are_json_by_key_and_the_last_word_counts() {
        let activity =
            activity::<()>("work", &()).fairness("a").fairness_weight(2.0).fairness("tenant \"7\"");
        let options = activity.start_to_close(secs(1)).options;
        assert_eq!(shown(&options.more), [r#"fairness-key="tenant \"7\"""#, "fairness-weight=2.0"]);
        assert_eq!(shown(&Retry::never().jitter(1.0).jitter(0.25).0.more), ["jitter=0.25"]);
        assert_eq!(
            shown(&Retry::default().jitter(f64::NAN).0.more),
            ["jitter=null"],
            "for the host to refuse"
        );
    }
}
