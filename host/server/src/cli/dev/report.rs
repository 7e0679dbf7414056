//! What `refrain dev` says. News of runs are data, on standard output; how building goes are words, on standard error.
//! With `--json` all of it is data, one object for each line.

use std::cell::Cell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::output::Output;
use crate::render::timeline::sentence;
use crate::render::{length, short_digest, shortened};
use crate::wire::{HistoryEvent, Parked, Paused, UploadedComponent};

/// Characters of a run's news that are shown; `refrain workflow show` and `describe` have all.
const SHOWN: usize = 140;
/// Ids that are longer are not waited for with the columns after them.
const WIDEST_ID: usize = 40;
/// Names of changed files that are shown.
const SHOWN_FILES: usize = 3;

/// Where news go.
#[derive(Debug)]
pub(super) struct Report {
    out: Output,
    /// The longest id so far.
    id_width: Cell<usize>,
}

/// What there is to say.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum News<'a> {
    /// A host of this process can be asked.
    Listening { address: &'a str },
    /// Somebody else's host is used.
    Using { address: &'a str },
    /// A build begins. Without changes it is the first one.
    Building { command: &'a str, changed: &'a [String] },
    /// It ended well.
    Built { milliseconds: u64 },
    /// It did not, or made no component. `current_version` stays.
    BuildFailed { reason: String, current_version: Option<u32> },
    /// The host has a new version.
    Pushed(&'a UploadedComponent),
    /// It is what the host has already.
    Unchanged { current_version: u32 },
    /// The host does not take it, or is not there. `current_version` stays.
    Refused { message: String, hint: String, current_version: Option<u32> },
    /// Open runs of the versions before were replayed with the new one.
    Checked {
        version: u32,
        safe: bool,
        verdicts: &'a BTreeMap<String, u64>,
        #[serde(skip)]
        details: &'a str,
    },
    /// Those that replayed were moved to it.
    Moved {
        version: u32,
        safe: bool,
        verdicts: &'a BTreeMap<String, u64>,
        #[serde(skip)]
        details: &'a str,
    },
    /// Something to know.
    Note { message: &'a str },
    /// Something about a run.
    Run {
        id: &'a str,
        run_id: &'a str,
        #[serde(flatten)]
        news: RunNews<'a>,
    },
}

/// What there is to say about a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "news", rename_all = "kebab-case")]
pub(super) enum RunNews<'a> {
    /// It was there before.
    Open { workflow: &'a str, status: &'a str },
    /// The next event of its history.
    Event { event: &'a HistoryEvent },
    /// An attempt of an activity failed, and another one follows.
    Retrying { activity: &'a str, op: u64, attempt: u32, failure: String, next_attempt_at: Option<Timestamp> },
    /// Nobody takes an activity.
    Unserved { activity: &'a str, op: u64, reason: String },
    /// It waits for messages, and for nothing else.
    Waiting,
    /// It cannot go on.
    Parked { parked: &'a Parked },
    /// An operator lets it make no step.
    Paused { paused: &'a Paused },
}

impl Report {
    pub(super) fn new(out: Output) -> Self {
        Self { out, id_width: Cell::new(0) }
    }

    /// Says it.
    pub(super) fn tell(&self, news: &News<'_>) {
        if self.out.is_json() {
            // Of these types nothing fails to be JSON.
            let line = serde_json::to_string(news).unwrap_or_default();
            return self.out.data(&line);
        }
        match news {
            News::Listening { address } => self.out.data(&format!("listening on {address}")),
            News::Run { id, news, .. } => self.out.data(&self.run_line(id, news)),
            _ => self.out.say(&words(news)),
        }
    }

    /// Something to know.
    pub(super) fn note(&self, message: &str) {
        self.tell(&News::Note { message });
    }

    fn run_line(&self, id: &str, news: &RunNews<'_>) -> String {
        let now = Timestamp::now();
        let (time, what, words) = match news {
            RunNews::Open { workflow, status } => (now, "open", format!("{workflow}, {status}")),
            RunNews::Event { event } => (event.time, event.event_type.as_str(), sentence(event)),
            RunNews::Retrying { activity, op, attempt, failure, next_attempt_at } => {
                let after = next_attempt_at.map(|at| format!(" in {}", length(at.duration_since(now))));
                let words = format!(
                    "#{op} {activity}, attempt {attempt}{}, after: {failure}",
                    after.unwrap_or_default()
                );
                (now, "activity-retrying", words)
            }
            RunNews::Unserved { activity, op, reason } => {
                (now, "activity-waits", format!("#{op} {activity}: {reason}"))
            }
            RunNews::Waiting => (now, "waits", "for a message".to_owned()),
            RunNews::Parked { parked } => (now, "parked", format!("{}: {}", parked.kind, parked.message)),
            RunNews::Paused { paused } => (now, "paused", paused.reason.clone()),
        };
        let width = self.id_width.get().max(id.chars().count().min(WIDEST_ID));
        self.id_width.set(width);
        let line = format!("{}  {id:<width$}  {what:<22}  {words}", time.strftime("%H:%M:%SZ"));
        shortened(line.trim_end(), SHOWN)
    }
}

/// What is not about a run, for people.
fn words(news: &News<'_>) -> String {
    match news {
        News::Listening { address } => format!("listening on {address}"),
        News::Using { address } => format!("using the host at {address}"),
        News::Building { command, changed: [] } => format!("building: {command}"),
        News::Building { command, changed } => format!("{} changed; building: {command}", files(changed)),
        News::Built { milliseconds } => {
            format!("built in {}", length(jiff::SignedDuration::from_millis(milliseconds.cast_signed())))
        }
        News::BuildFailed { reason, current_version } => {
            format!("the build failed: {reason}; {}", stays(*current_version))
        }
        News::Pushed(UploadedComponent { name, version, digest, workflows, .. }) => {
            format!(
                "{name} version {version} ({}), workflows: {}",
                short_digest(digest),
                workflows.join(", ")
            )
        }
        News::Unchanged { current_version } => format!("version {current_version} has this code already"),
        News::Refused { message, hint, current_version } => {
            format!("not uploaded: {message}\nhint: {hint}\n{}", stays(*current_version))
        }
        News::Checked { version, safe: true, verdicts, .. } => {
            format!("{} would go on with version {version}", runs(verdicts))
        }
        News::Checked { version, safe: false, details, .. } => format!(
            "some open runs would not go on with version {version}; they stay with the code that they have\n{}",
            details.trim_end()
        ),
        News::Moved { version, safe: true, verdicts, .. } => {
            format!("{} moved to version {version}", runs(verdicts))
        }
        News::Moved { version, safe: false, details, .. } => format!(
            "some open runs would not go on with version {version}, and were not moved\n{}",
            details.trim_end()
        ),
        News::Note { message } => (*message).to_owned(),
        News::Run { id, .. } => (*id).to_owned(),
    }
}

fn stays(version: Option<u32>) -> String {
    match version {
        Some(version) => format!("version {version} stays the current one"),
        None => "there is no version yet".to_owned(),
    }
}

fn files(changed: &[String]) -> String {
    match changed.len().checked_sub(SHOWN_FILES) {
        Some(more @ 1..) => format!("{} and {more} more", changed[..SHOWN_FILES].join(", ")),
        Some(0) | None => changed.join(", "),
    }
}

fn runs(verdicts: &BTreeMap<String, u64>) -> String {
    match verdicts.values().sum() {
        1 => "1 open run".to_owned(),
        count => format!("{count} open runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_run_has_its_time_its_id_and_what_happened() {
        let report = Report::new(Output::new(false));
        let event = |time: &str, kind: &str, attributes: serde_json::Value| {
            let event = serde_json::json!({"number": 1, "step": 0, "time": time, "boot": 1, "type": kind, "attributes": attributes});
            serde_json::from_str::<HistoryEvent>(&event.to_string()).expect("an event")
        };
        let started = event(
            "2026-11-20T10:00:00.5Z",
            "workflow-started",
            serde_json::json!({"workflow": "order", "component": "shop", "version": 2, "input": {"n": 1}}),
        );
        let line = report.run_line("order/42", &RunNews::Event { event: &started });
        assert_eq!(line, "10:00:00Z  order/42  workflow-started        order (shop@2) {\"n\":1}");
        let fired = event("2026-11-20T10:00:02Z", "timer-fired", serde_json::json!({"op": 3}));
        let line = report.run_line("x", &RunNews::Event { event: &fired });
        assert_eq!(line, "10:00:02Z  x         timer-fired             #3");
    }

    #[test]
    fn words_say_what_stays() {
        let failed =
            |version| News::BuildFailed { reason: "exit status: 1".to_owned(), current_version: version };
        assert_eq!(
            words(&failed(Some(3))),
            "the build failed: exit status: 1; version 3 stays the current one"
        );
        assert_eq!(words(&failed(None)), "the build failed: exit status: 1; there is no version yet");
        let changed = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let building = |count: usize| words(&News::Building { command: "make", changed: &changed[..count] });
        assert_eq!(building(0), "building: make");
        assert_eq!(building(3), "a, b, c changed; building: make");
        assert_eq!(building(5), "a, b, c and 2 more changed; building: make");
    }
}
