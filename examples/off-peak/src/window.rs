//! The hours of a day in which something may be done, by the clocks of one place.

use std::fmt;
use std::time::SystemTime;

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Zoned};
use refrain_sdk::{Context, Failure, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far ahead an opening is looked for: hours that are skipped one day come the next, and no place has skipped two.
const LOOK_AHEAD_DAYS: i64 = 3;

/// As it is written: `{"from": "22:00", "to": "06:00", "zone": "Europe/Athens"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// When it opens, such as `22:00`.
    pub from: String,
    /// When it closes, such as `06:00`: the next day's, when that is earlier.
    pub to: String,
    /// Whose clocks these are, by the name in the IANA database, such as `Europe/Athens`.
    #[serde(default = "utc")]
    pub zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} {}", self.from, self.to, self.zone)
    }
}

/// Hours that there are.
pub struct Window {
    from: Time,
    to: Time,
    zone: TimeZone,
}

impl Window {
    /// Reads hours.
    ///
    /// The zones are those that the component was compiled with: a new version of them comes with a new version of the
    /// component, and what has been computed by the old ones stays as it is.
    pub fn of(hours: &Hours) -> Result<Self, Failure> {
        let time = |field: &str, text: &str| -> Result<Time, Failure> {
            text.parse().with_context(|| format!("`{field}` is `{text}`, expected a time such as `22:00`"))
        };
        let (from, to) = (time("from", &hours.from)?, time("to", &hours.to)?);
        if from == to {
            bail!("`from` and `to` are both `{from}`, which is either always or never: give two times");
        }
        let zone = TimeZoneDatabase::bundled().get(&hours.zone).with_context(|| {
            format!("`zone` is `{}`, expected one of the IANA database, such as `Europe/Athens`", hours.zone)
        })?;
        Ok(Self { from, to, zone })
    }

    /// The earliest moment from `now` on that lies in it: `now` itself, when it is open.
    ///
    /// What counts is what the clocks show. When they are set forward over its beginning, it opens as they are set; hours
    /// that are skipped as a whole do not come that day, and hours that are shown twice come twice.
    pub fn next(&self, now: SystemTime) -> Result<Zoned, Failure> {
        let now = Timestamp::try_from(now)?.to_zoned(self.zone.clone());
        if self.contains(&now) {
            return Ok(now);
        }
        // A closed window opens when the clocks show `from`, or by their being set, and at no other moment.
        let horizon = now.checked_add(LOOK_AHEAD_DAYS.days())?;
        let mut moments: Vec<Zoned> = self
            .zone
            .following(now.timestamp())
            .map(|set| set.timestamp().to_zoned(self.zone.clone()))
            .take_while(|set| *set <= horizon)
            .collect();
        for day in now.date().series(1.day()).take_while(|day| *day <= horizon.date()) {
            let shown = self.zone.to_ambiguous_zoned(day.to_datetime(self.from));
            moments.extend([shown.clone().earlier()?, shown.later()?]);
        }
        let openings = moments.into_iter().filter(|moment| *moment > now && self.contains(moment));
        let next = openings.min();
        next.ok_or_else(|| Failure::new(format!("the hours do not come within {LOOK_AHEAD_DAYS} days")))
    }

    fn contains(&self, moment: &Zoned) -> bool {
        let time = moment.time();
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}
