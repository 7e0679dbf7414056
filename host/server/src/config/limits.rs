//! Flow control of task queues and activity types: how many attempts there may be at once, and how many may begin in a
//! second.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use refrain_engine::ids::check_name;
use refrain_runtime::{QueueLimits, RateLimits};
use serde::Deserialize;

use super::{ConfigError, toml_key};

/// Attempts that may begin in a second. Below one in a quarter of an hour a limit is a mistake or a schedule; a million
/// is more than any host begins.
const RATE: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// Attempts that may begin at once. A full burst at the lowest rate, counted in nanoseconds, still is a number.
const BURST: RangeInclusive<u32> = 1..=1_000_000;

/// A table `[task_queues.NAME]`. It holds for the task queue of that name in each namespace.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskQueueConfig {
    /// Attempts at once; no limit unless given.
    pub concurrency: Option<u32>,
    /// Attempts that begin in a second, on average; no limit unless given.
    pub rate: Option<f64>,
    /// Attempts that may begin at once after a pause; the rate, rounded up, unless given.
    pub burst: Option<u32>,
    /// Whether this host's own plugins serve the queue, and not workers alone.
    pub in_process: bool,
}

/// A table `[activities.TYPE]`. It holds for the activities of that type in each namespace, whichever their task queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivityConfig {
    /// Attempts at once; no limit unless given.
    pub concurrency: Option<u32>,
    /// Attempts that begin in a second, on average; no limit unless given.
    pub rate: Option<f64>,
    /// Attempts that may begin at once after a pause; the rate, rounded up, unless given.
    pub burst: Option<u32>,
}

impl Default for TaskQueueConfig {
    fn default() -> Self {
        let QueueLimits { limits: RateLimits { concurrency, rate, burst }, in_process } =
            QueueLimits::default();
        Self { concurrency, rate, burst, in_process }
    }
}

/// How the table is written whose name has a dot that is not in quotes, if that is why serde meets a field that it does
/// not know: to TOML such a name is a table in a table.
pub(super) fn unquoted(text: &str, message: &str) -> Option<String> {
    let unknown = message.strip_prefix("unknown field `")?.split_once('`')?.0;
    let file: toml::Table = text.parse().ok()?;
    ["activities", "components", "task_queues"].into_iter().find_map(|section| {
        let tables = file.get(section)?.as_table()?;
        tables.iter().find_map(|(first, table)| {
            let mut table = table.as_table()?.get(unknown)?.as_table()?;
            let mut name = format!("{first}.{unknown}");
            while let Some((part, below)) =
                table.iter().find_map(|(part, below)| Some((part, below.as_table()?)))
            {
                name = format!("{name}.{part}");
                table = below;
            }
            Some(format!("[{section}.{name:?}]"))
        })
    })
}

/// The limits of task queues, checked.
pub(super) fn of_task_queues(
    tables: &BTreeMap<String, TaskQueueConfig>,
) -> Result<BTreeMap<String, QueueLimits>, ConfigError> {
    let limits = |(name, table): (&String, &TaskQueueConfig)| {
        let TaskQueueConfig { concurrency, rate, burst, in_process } = *table;
        let limits = check("task_queues", name, RateLimits { concurrency, rate, burst })?;
        Ok((name.clone(), QueueLimits { limits, in_process }))
    };
    tables.iter().map(limits).collect()
}

/// The limits of activity types, checked.
pub(super) fn of_activities(
    tables: &BTreeMap<String, ActivityConfig>,
) -> Result<BTreeMap<String, RateLimits>, ConfigError> {
    let limits = |(name, table): (&String, &ActivityConfig)| {
        let ActivityConfig { concurrency, rate, burst } = *table;
        Ok((name.clone(), check("activities", name, RateLimits { concurrency, rate, burst })?))
    };
    tables.iter().map(limits).collect()
}

fn check(table: &str, name: &str, limits: RateLimits) -> Result<RateLimits, ConfigError> {
    let refuse = |key: &str, problem: String| {
        Err(ConfigError::Limit { key: format!("{table}.{}.{key}", toml_key(name)), problem })
    };
    if let Err(error) = check_name("name", name) {
        return Err(ConfigError::Limit { key: format!("{table}.{}", toml_key(name)), problem: error.reason });
    }
    if limits.concurrency == Some(0) {
        return refuse("concurrency", "is 0: use at least 1, or leave it out for no limit".to_owned());
    }
    if let Some(rate) = limits.rate.filter(|rate| !RATE.contains(rate)) {
        let (least, most) = (RATE.start(), RATE.end());
        return refuse(
            "rate",
            format!("is {rate}: use {least} to {most} in a second, or leave it out for no limit"),
        );
    }
    match limits.burst {
        Some(burst) if limits.rate.is_none() => {
            refuse("burst", format!("is {burst}, and there is no rate: give a rate too, or leave both out"))
        }
        Some(burst) if !BURST.contains(&burst) => {
            let (least, most) = (BURST.start(), BURST.end());
            refuse(
                "burst",
                format!("is {burst}: use {least} to {most}, or leave it out for the rate, rounded up"),
            )
        }
        Some(_) | None => Ok(limits),
    }
}
