//! Time: durable timers, the run's clock, and lengths of time.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use crate::bindings::refrain::workflow::types;
use crate::host;
use crate::inbox::{OnDrop, OpFuture};

/// That many milliseconds.
#[must_use]
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// That many seconds.
#[must_use]
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// That many minutes.
#[must_use]
pub const fn mins(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// That many hours.
#[must_use]
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3_600)
}

/// That many days of 24 hours.
#[must_use]
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n * 86_400)
}

pub(crate) fn to_wire(duration: Duration) -> types::Duration {
    types::Duration { seconds: duration.as_secs(), nanoseconds: duration.subsec_nanos() }
}

pub(crate) fn from_wire(instant: types::Instant) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(instant.seconds, instant.nanoseconds)
}

/// By how much each call moves the clock on, says `wit/`.
const TICK: Duration = Duration::from_micros(1);

thread_local! {
    /// How often the clock was read in this step.
    static READS: Cell<u32> = const { Cell::new(0) };
}

/// A step begins, with the clock as it is.
pub(crate) fn begin_step() {
    READS.set(0);
}

/// The run's time: the same on every replay, never running back, and moving on with each call.
#[must_use]
pub fn now() -> SystemTime {
    READS.set(READS.get().saturating_add(1));
    from_wire(host::with(|host| host.now()))
}

/// Waits, durably: the host may crash or forget the run meanwhile.
///
/// The timer starts at the call, not at the first `.await`. Dropping the future ends it.
pub fn sleep(duration: Duration) -> Sleep {
    timer(duration, None)
}

/// As [`sleep`], with one line for people who read the history.
pub fn sleep_named(duration: Duration, summary: &str) -> Sleep {
    timer(duration, Some(summary))
}

/// Waits until the run's time is `deadline`; a deadline that has passed waits for nothing but the next step.
pub fn sleep_until(deadline: SystemTime) -> Sleep {
    // Timers count from the step's time, of which the clock is ahead by what it was read before: without that, the run's
    // time would not yet be the deadline when the timer fires.
    let ahead = TICK.saturating_mul(READS.get());
    let step = now() - ahead;
    sleep(deadline.duration_since(step).unwrap_or_default())
}

fn timer(duration: Duration, summary: Option<&str>) -> Sleep {
    let op = host::with(|host| host.start_timer(to_wire(duration), summary));
    Sleep(OpFuture::new(op, OnDrop::Cancel))
}

/// A running timer, made by [`sleep`].
#[must_use = "a timer does nothing unless it is awaited, and ends when it is dropped"]
pub struct Sleep(OpFuture);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Only this future could cancel the timer, by being dropped: every outcome means that it fired.
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

/// Waits for `future`, but not longer than `limit`. When both are there at once, the future has won.
///
/// What is started is `future` first and the timer second. When the limit passes, `future` is dropped; to go
/// on using it, give `&mut future`:
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let mut copy = activity::<u64>("copy", "/data").start_to_close(hours(1)).start();
/// if timeout(mins(5), &mut copy).await.is_err() {
///     warn!("slow today");
///     copy.cancel("took too long");
/// }
/// let bytes = copy.await?;
/// # Ok(()) }
/// ```
pub fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Timeout<F::IntoFuture> {
    let future = Box::pin(future.into_future());
    Timeout { future, sleep: sleep(limit), limit }
}

/// Made by [`timeout`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Timeout<F> {
    future: Pin<Box<F>>,
    sleep: Sleep,
    limit: Duration,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(value) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        let limit = self.limit;
        Pin::new(&mut self.sleep).poll(cx).map(|()| Err(Elapsed(limit)))
    }
}

/// A [`timeout`] has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing came within {:?}", self.0)
    }
}

impl Error for Elapsed {}
