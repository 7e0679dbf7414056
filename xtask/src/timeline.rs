//! What must hold of the history of a run whose host was killed.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::api::Event;

/// How a run's activities lie around a kill.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Recorded before the kill, none of them done again.
    pub(crate) before: usize,
    /// Begun before the kill and not recorded: done again afterwards.
    pub(crate) again: usize,
    /// Done after the kill for the first time.
    pub(crate) after: usize,
}

/// Compares a finished history with what had been seen of it when the host was killed.
pub(crate) fn check(seen: &[Event], finished: &[Event]) -> Result<Timeline> {
    for (index, before) in seen.iter().enumerate() {
        let now = finished.get(index).with_context(|| format!("event {} is lost", before.number()))?;
        if now != before {
            bail!("event {} was {before:?} before the kill and is {now:?} after it", before.number());
        }
    }
    let first_boot = finished.first().context("the history is empty")?.boot();
    let mut timeline = Timeline { before: 0, again: 0, after: 0 };
    let mut attempts: BTreeMap<u64, u64> = BTreeMap::new();
    for event in finished.iter().filter(|event| event.kind() == "activity-completed") {
        let number = |name: &str| {
            let value = event.attribute(name).as_u64();
            value.with_context(|| format!("event {} has no `{name}`", event.number()))
        };
        let (op, attempt) = (number("op")?, number("attempt")?);
        if attempts.insert(op, attempt).is_some() {
            bail!("activity {op} completed twice");
        }
        match (event.boot() == first_boot, attempt) {
            (true, 1) => timeline.before += 1,
            (true, _) => {
                bail!("activity {op} was recorded before the kill, but its attempt {attempt} did it")
            }
            (false, 1) => timeline.after += 1,
            (false, _) => timeline.again += 1,
        }
    }
    let scheduled = finished.iter().filter(|event| event.kind() == "activity-scheduled");
    let unfinished: Vec<&Value> = scheduled
        .map(|event| event.attribute("op"))
        .filter(|op| op.as_u64().is_none_or(|op| !attempts.contains_key(&op)))
        .collect();
    if !unfinished.is_empty() {
        bail!("the run ended well, but these of its activities did not complete: {unfinished:?}");
    }
    Ok(timeline)
}

/// Whether the kill shows: something was recorded before it, and something after the restart.
pub(crate) fn shows_a_crash(finished: &[Event]) -> bool {
    finished.iter().any(|event| event.kind() == "host-restarted")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Events of (life of the host, type, op, attempt).
    fn history(events: &[(u64, &str, u64, u64)]) -> Vec<Event> {
        let numbered = events.iter().zip(1_u64..);
        let event = |((boot, kind, op, attempt), number): (&(u64, &str, u64, u64), u64)| {
            let attributes = json!({ "op": op, "attempt": attempt });
            Event(json!({ "number": number, "boot": boot, "type": kind, "attributes": attributes }))
        };
        numbered.map(event).collect()
    }

    #[test]
    fn activities_are_told_by_where_they_lie_around_the_kill() {
        const SCHEDULED: &str = "activity-scheduled";
        const COMPLETED: &str = "activity-completed";
        let started = [(1, SCHEDULED, 1, 0), (1, SCHEDULED, 2, 0), (1, COMPLETED, 1, 1)];
        let after = |rest: &[(u64, &'static str, u64, u64)]| [started.as_slice(), rest].concat();
        let good = after(&[
            (2, "host-restarted", 0, 0),
            (2, SCHEDULED, 3, 0),
            (2, COMPLETED, 2, 2),
            (2, COMPLETED, 3, 1),
        ]);
        let timeline = check(&history(&started), &history(&good)).unwrap();
        assert_eq!(timeline, Timeline { before: 1, again: 1, after: 1 });
        assert!(shows_a_crash(&history(&good)) && !shows_a_crash(&history(&started)));

        let cases = [
            (after(&[(2, COMPLETED, 2, 1), (2, COMPLETED, 1, 2)]), "activity 1 completed twice"),
            (after(&[]), "these of its activities did not complete"),
            (good[..2].to_vec(), "event 3 is lost"),
            ([&good[..2], &[(1, COMPLETED, 1, 2)], &good[3..]].concat(), "event 3 was"),
        ];
        for (finished, complaint) in cases {
            let error = check(&history(&started), &history(&finished)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
