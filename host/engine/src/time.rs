//! Points in time as data. Nothing here reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use minicbor::{Decode, Encode};

use crate::export::form::{Fraction, digits, nanoseconds};

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

/// As RFC 3339 writes it, in UTC: `2026-01-31T09:30:00.25Z`. The crates that do this bring a clock.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds() / DAY, self.seconds() % DAY);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let fraction = Fraction(self.subsec_nanos());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    }
}

impl FromStr for Timestamp {
    type Err = String;

    /// Reads what its display writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("{text:?} is not a time from 1970 to 2554 in UTC, like \"2026-01-31T09:30:00Z\"");
        read(text).filter(|time| time.to_string() == text).ok_or_else(refuse)
    }
}

/// The seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// The days before the year in which the calendar's period of 400 years begins that this one is in: from 0000-03-01, so
/// that a leap day is the last of its year.
const DAYS_BEFORE_1970: u64 = 719_468;
/// The days of 400 years.
const PERIOD: u64 = 146_097;

/// The date so many days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_BEFORE_1970;
    let (period, day) = (days / PERIOD, days % PERIOD);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March, whose days and those of the months after it are 153 for every five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (next_year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (400 * period + year + next_year, month, day)
}

/// How many days after 1970-01-01 a date is; something else for what is none.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (period, year) = (year / 400, year % 400);
    let day = (153 * month + 2) / 5 + day.checked_sub(1)?;
    (PERIOD * period + 365 * year + year / 4 - year / 100 + day).checked_sub(DAYS_BEFORE_1970)
}

/// A time from its text; another one for a text that is none.
fn read(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, f)| (time, Some(f)));
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(time, ':')?;
    if year >= 10_000 || [month, day, hour, minute, second].iter().any(|number| *number >= 100) {
        return None;
    }
    let seconds = days(year, month, day)? * DAY + hour * 3600 + minute * 60 + second;
    let nanoseconds = fraction.map_or(Some(0), nanoseconds)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::from(nanoseconds)).map(Timestamp)
}

/// Three numbers with this between them.
fn three(text: &str, between: char) -> Option<[u64; 3]> {
    let numbers = text.split(between).map(digits).collect::<Option<Vec<u64>>>()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_and_read_again() {
        for (nanoseconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
            (1_700_000_000_250_000_000, "2023-11-14T22:13:20.25Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(Timestamp(nanoseconds).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(nanoseconds)));
        }
        for text in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20+00:00",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:60Z",
            "2023-11-14T22:13:20.250Z",
            "1969-12-31T23:59:59Z",
            "0000-00-00T00:00:00Z",
            "2554-07-21T23:34:33.709551616Z",
            "18446744073709551615-01-01T00:00:00Z",
            "2023-1-4T2:3:0Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_time_is_read_as_it_was_written(nanoseconds in any::<u64>()) {
            let time = Timestamp(nanoseconds);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
