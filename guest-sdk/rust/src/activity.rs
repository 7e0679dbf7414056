//! Activities: work with side effects, done outside the workflow.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::refrain::workflow::activity::Options;
use crate::bindings::refrain::workflow::types::Payload;
use crate::work::Work;
use crate::{Context as _, Failure, Retry, host, payload, scope, time};

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
        self.options.retry = Some(retry.into_wire());
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
        payload::set_named(&mut self.options.more, "fairness-key", key.into());
        self
    }

    /// How large the share of its [`fairness`](Activity::fairness) key is, which must be given too: 0.001 to
    /// 1000, without it 1. A key of weight 2 gets two turns where another gets one.
    pub fn fairness_weight(mut self, weight: f64) -> Self {
        payload::set_named(&mut self.options.more, "fairness-weight", weight);
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
        let input = scope::check().and(input.with_context(|| format!("input of activity `{name}`")));
        let op = input.map(|input| {
            host::with(|host| match start {
                Start::Scheduled => host.start_activity(&name, &input, &options),
                Start::Local => host.start_local_activity(&name, &input, &options),
            })
        });
        let work = Work::new(with_run, op);
        RunningActivity { name, work, output: PhantomData }
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
    work: Work,
    output: PhantomData<fn() -> T>,
}

impl<T> RunningActivity<T> {
    /// Asks the activity to end. Await the handle to see what came of it: the result, when that was faster,
    /// or a failure for which [`Failure::is_canceled`] is true.
    pub fn cancel(&self, reason: &str) {
        self.work.cancel(reason);
    }
}

impl<T: DeserializeOwned> Future for RunningActivity<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let output = ready!(self.work.poll(cx))?;
        Poll::Ready(payload::decode(&output).with_context(|| format!("result of activity `{}`", self.name)))
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
        assert_eq!(shown(&Retry::never().jitter(1.0).jitter(0.25).into_wire().more), ["jitter=0.25"]);
        assert_eq!(
            shown(&Retry::default().jitter(f64::NAN).into_wire().more),
            ["jitter=null"],
            "for the host to refuse"
        );
    }
}
