//! Token buckets, over a time that only goes forward.
//!
//! Two buckets may have to agree before an attempt begins, so a bucket can be looked into without taking
//! from it: what one gives is never lost because the other one refused.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use refrain_engine::time::Timestamp;

use crate::activity_types::RateLimits;
use crate::clock::Clock;

/// A moment of the queues' own time: nanoseconds since they were made.
pub(super) type Moment = u64;

/// The slowest rate is one in a year. What is slower is a mistake, and the bound keeps sums from overflowing.
const LONGEST_PERIOD: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A full bucket lasts for at most this many of the longest periods.
const LARGEST_BUCKET: u64 = 100;

/// The queues' time. A clock that was set back takes nothing from it, so that nobody waits out the
/// difference.
pub(super) struct Time {
    clock: Arc<dyn Clock>,
    read: Timestamp,
    elapsed: Elapsed,
}

/// The reading that all buckets share.
#[derive(Clone, Default)]
pub(super) struct Elapsed(Arc<AtomicU64>);

impl GovernorClock for Elapsed {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

impl Time {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let read = clock.now();
        Self { clock, read, elapsed: Elapsed::default() }
    }

    /// Reads the clock.
    pub(super) fn advance(&mut self) {
        let now = self.clock.now();
        let forward = now.since(self.read).min(LONGEST_PERIOD);
        self.read = now;
        self.elapsed.0.store(later(self.now(), forward), Ordering::Relaxed);
    }

    /// The moment of the last reading.
    pub(super) fn now(&self) -> Moment {
        self.elapsed.0.load(Ordering::Relaxed)
    }

    /// The clock's last reading.
    pub(super) fn read(&self) -> Timestamp {
        self.read
    }

    /// What the clock will show at a moment.
    pub(super) fn at(&self, moment: Moment) -> Timestamp {
        self.read.after(Duration::from_nanos(moment.saturating_sub(self.now())))
    }

    pub(super) fn elapsed(&self) -> Elapsed {
        self.elapsed.clone()
    }
}

/// The moment that is this much later.
pub(super) fn later(moment: Moment, by: Duration) -> Moment {
    moment.saturating_add(nanos(by))
}

/// Bounds how many attempts begin in a time.
pub(super) struct Bucket(RateLimiter<Ask, Level, Elapsed, NoOpMiddleware<Nanos>>);

/// What is wanted of a bucket. To governor it is the key of the only state.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Ask {
    Look,
    Take,
}

/// Governor's state of a bucket: when it will be full again. The queues' lock guards it.
struct Level(Cell<Option<Nanos>>);

impl StateStore for Level {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, full_at) = decide(self.0.get())?;
        if *ask == Ask::Take {
            self.0.set(Some(full_at));
        }
        Ok(answer)
    }
}

impl Bucket {
    /// A full bucket; `None` where no rate is set.
    pub(super) fn new(limits: &RateLimits, elapsed: Elapsed) -> Option<Self> {
        let rate = limits.rate.filter(|rate| rate.is_finite())?;
        let period = (1e9 / rate.max(0.0)).ceil();
        // Casts of floating point numbers saturate.
        let period = (period as u64).clamp(1, nanos(LONGEST_PERIOD));
        let burst = limits.burst.unwrap_or(rate.ceil() as u32);
        let most = LARGEST_BUCKET * nanos(LONGEST_PERIOD) / period;
        let burst = burst.min(u32::try_from(most).unwrap_or(u32::MAX)).max(1);
        let quota = Quota::with_period(Duration::from_nanos(period))?.allow_burst(burst.try_into().ok()?);
        Some(Self(RateLimiter::new(quota, Level(Cell::new(None)), elapsed)))
    }

    /// Whether there is a token now.
    ///
    /// # Errors
    /// When there will be one.
    pub(super) fn look(&self) -> Result<(), Moment> {
        self.0.check_key(&Ask::Look).map_err(|refusal| refusal.earliest_possible().as_u64())
    }

    /// Takes the token that was seen.
    pub(super) fn take(&self) {
        // Nobody else takes between a look and this: the lock is held, and the time stands still under it.
        let taken = self.0.check_key(&Ask::Take);
        debug_assert!(taken.is_ok(), "a token is looked for before it is taken");
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
