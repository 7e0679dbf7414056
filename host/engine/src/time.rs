//! Points in time as data. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use minicbor::{Decode, Encode};

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds. Reaches to the year 2554.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub u64);

impl Timestamp {
    /// The latest deadline that a run may ask for, in the year 2500: later ones are mistakes, and the room
    /// above keeps sums of a time and a length from overflowing.
    pub const MAX_DEADLINE: Self = Self(16_725_225_600_000_000_000);

    /// The time with these whole seconds and nanoseconds; saturates at the end of time.
    pub fn from_parts(seconds: u64, nanoseconds: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(nanoseconds)))
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Nanoseconds past the whole second, below 1,000,000,000.
    pub fn subsec_nanos(self) -> u32 {
        (self.0 % 1_000_000_000) as u32
    }

    /// This time plus a length; saturates at the end of time.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.seconds(), self.subsec_nanos())
    }
}
