//! Time as an input.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::time::Timestamp;
use tokio::time::Instant;

/// Where the runtime's time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Resolves when this time has come; at once when it has passed.
    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// No sleep is longer: after this the clock is read again, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Sleeps until then, or for ever.
pub(crate) async fn sleep_until(clock: &dyn Clock, deadline: Option<Timestamp>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Sleeps in tokio's time until this clock says that the deadline has come, for clocks that can be set meanwhile.
pub fn sleep_by(clock: impl Clock, deadline: Timestamp) -> BoxFuture<'static, ()> {
    async move {
        loop {
            let left = deadline.since(clock.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
        }
    }
    .boxed()
}

/// Tokio's time, from a time on. Tests pause it: then it goes on to what is due next when everybody waits.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    began: Instant,
    at: Timestamp,
}

impl TokioClock {
    /// A clock that shows this time now. Only inside of a tokio runtime.
    pub fn at(at: Timestamp) -> Self {
        Self { began: Instant::now(), at }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.at.after(self.began.elapsed())
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let clock = *self;
        async move {
            loop {
                let left = deadline.since(clock.now());
                if left.is_zero() {
                    return;
                }
                // Nobody sets this clock, so that a year is one sleep. Tokio's timers tick once a millisecond, and wake at
                // the next one.
                tokio::time::sleep(left).await;
            }
        }
        .boxed()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::default().after(since_epoch)
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        sleep_by(*self, deadline)
    }
}
