//! A run's history as a timeline: one line for each event, and a line across where the host was started again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{length, shortened, time};
use crate::wire::{
    ActivityHeartbeat, EncodedPayload, ExecutionRef, Failure, HEARTBEAT, HistoryEvent, Json, Parked,
};

/// Characters of a payload, and of a line's text, that are shown; `--json` has all.
const PAYLOAD: usize = 72;
const TEXT: usize = 120;
/// The width of a line across.
const RULE: usize = 78;

/// What is needed of the events before to show the next one.
#[derive(Debug, Default)]
pub struct Timeline {
    started: Option<Timestamp>,
    previous: Option<Timestamp>,
}

impl Timeline {
    /// The lines of the next event.
    pub fn event(&mut self, event: &HistoryEvent) -> String {
        let started = *self.started.get_or_insert(event.time);
        let previous = self.previous.replace(event.time).unwrap_or(event.time);
        let attributes = Attributes::of(event);
        if event.event_type == "host-restarted" {
            return rule(event, &attributes, previous);
        }
        // Calls have no number of their own.
        let number = if event.number == 0 { String::new() } else { event.number.to_string() };
        let since = format!("+{}", length(event.time.duration_since(started)));
        line(&number, &since, &event.step.to_string(), &event.event_type, &attributes.sentence(event))
    }

    /// The line of a heartbeat, which has no place in the history.
    pub fn heartbeat(&mut self, heartbeat: &ActivityHeartbeat) -> String {
        let started = *self.started.get_or_insert(heartbeat.at);
        let since = format!("+{}", length(heartbeat.at.duration_since(started)));
        line("", &since, "", HEARTBEAT, &progress(heartbeat))
    }
}

fn line(number: &str, since: &str, step: &str, event: &str, what: &str) -> String {
    format!("{number:>5} {since:>9}  {step:>4}  {event:<22}  {}", shortened(what, TEXT)).trim_end().to_owned()
}

/// What happened in an event, in a few words.
pub fn sentence(event: &HistoryEvent) -> String {
    Attributes::of(event).sentence(event)
}

/// How far a running activity has come, in a few words.
pub fn progress(heartbeat: &ActivityHeartbeat) -> String {
    let attempt = match heartbeat.attempt {
        0 | 1 => String::new(),
        attempt => format!(" (attempt {attempt})"),
    };
    let details = match (&heartbeat.details, &heartbeat.details_payload) {
        (Some(json), _) => format!(" {}", shortened(json.get(), PAYLOAD)),
        (None, Some(encoded)) => format!(" {}", encoded.content_type),
        (None, None) => String::new(),
    };
    format!("#{} {}{attempt}{details}", heartbeat.activity_id, heartbeat.activity)
}

/// The line below the last event of a parked run.
pub fn parked(parked: &Parked) -> String {
    let since = time(parked.at);
    format!("parked since {since}: {}: {}", parked.kind, shortened(&parked.message, TEXT))
}

/// Which lives of the host a restart is between.
fn boots(event: &HistoryEvent, attributes: &Attributes) -> String {
    match attributes.number("previous_boot") {
        Some(before) => format!("boot {before} → {}", event.boot),
        None => format!("boot {}", event.boot),
    }
}

fn rule(event: &HistoryEvent, attributes: &Attributes, previous: Timestamp) -> String {
    let boots = boots(event, attributes);
    let after = length(event.time.duration_since(previous));
    let words = format!("  the host was restarted ({boots}); {after} after the event above  ");
    format!("{:>5} {words:─^RULE$}", event.number)
}

/// An event's attributes, read for people. Their values keep the text that they have in the history.
#[derive(Debug)]
pub struct Attributes(BTreeMap<String, Json>);

impl Attributes {
    /// The attributes of an event.
    pub fn of(event: &HistoryEvent) -> Self {
        Self(serde_json::from_str(event.attributes.get()).unwrap_or_default())
    }

    /// An attribute that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.read(name)
    }

    /// An attribute that is a text; empty when there is none.
    pub fn text(&self, name: &str) -> String {
        self.read(name).unwrap_or_default()
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// A payload: JSON as it is, or the content type of something else.
    fn payload(&self, name: &str) -> String {
        match self.0.get(name).map(|json| json.get()) {
            Some("null") => String::new(),
            Some(json) => shortened(json, PAYLOAD),
            None => {
                let encoded = self.read::<EncodedPayload>(&format!("{name}_payload"));
                encoded.map(|encoded| encoded.content_type).unwrap_or_default()
            }
        }
    }

    fn failure(&self) -> String {
        self.read("failure").map(|failure: Failure| failure.chain()).unwrap_or_default()
    }

    /// An execution, by its id.
    fn execution(&self, name: &str) -> String {
        self.read(name).map(|execution: ExecutionRef| execution.id).unwrap_or_default()
    }

    fn update(&self) -> String {
        format!("({})", self.text("update_id"))
    }

    /// What happened, in a few words.
    fn sentence(&self, event: &HistoryEvent) -> String {
        let op = self.number("op").map(|op| format!("#{op}")).unwrap_or_default();
        let name = self.text("name");
        let words = match event.event_type.as_str() {
            "workflow-started" => {
                let component =
                    format!("({}@{})", self.text("component"), self.number("version").unwrap_or(0));
                vec![self.text("workflow"), component, self.payload("input")]
            }
            "host-restarted" => vec![boots(event, self)],
            "workflow-delayed" => {
                let until = self.read::<Timestamp>("until").map(|until| format!("until {}", time(until)));
                let after = self.read::<Failure>("last_failure").map(|failure| {
                    format!("(attempt {}), after {}", self.number("attempt").unwrap_or(0), failure.chain())
                });
                vec![until.unwrap_or_default(), after.unwrap_or_default()]
            }
            "activity-scheduled" => vec![op, name, self.text("summary"), self.payload("input")],
            "activity-completed" => vec![op, name, self.attempt(event), arrow(self.payload("result"))],
            "activity-failed" => vec![op, name, self.attempt(event), self.failure()],
            "timer-started" => {
                let deadline = self.read::<Timestamp>("deadline");
                let until = deadline.map(|deadline| {
                    format!("for {}, until {}", length(deadline.duration_since(event.time)), time(deadline))
                });
                vec![op, until.unwrap_or_default(), self.text("summary")]
            }
            "timer-fired" | "op-detached" | "sending-completed" => vec![op],
            "child-initiated" => vec![op, name, self.text("summary"), self.payload("input")],
            "child-started" => vec![op, name, self.execution("child")],
            "child-completed" => vec![op, name, arrow(self.payload("result"))],
            "child-start-failed" | "child-failed" | "sending-failed" => vec![op, name, self.failure()],
            "signal-sent" => {
                vec![op, name, format!("to {}", self.execution("target")), self.payload("input")]
            }
            "cancel-sent" => vec![op, format!("to {}", self.execution("target")), self.text("reason")],
            "update-received" => vec![name, self.payload("input"), self.update()],
            "update-accepted" => vec![self.update()],
            "update-completed" => vec![self.update(), arrow(self.payload("result"))],
            "update-rejected" | "update-failed" => vec![self.update(), self.failure()],
            "workflow-forked" => vec![format!("from {}", self.execution("of"))],
            "workflow-moved" => {
                let version = self.number("version").unwrap_or(0);
                vec![format!("to {}@{version}", self.text("component")), self.text("reason")]
            }
            "op-cancel-requested" | "op-canceled" => vec![op, self.text("reason")],
            "signal-received" => vec![name, self.payload("input")],
            "cancel-requested" | "workflow-terminated" => vec![self.text("reason")],
            "logged" => vec![self.text("level"), self.text("message"), self.log_fields()],
            "workflow-completed" => vec![arrow(self.payload("result"))],
            "workflow-canceled" => vec![arrow(self.payload("result")), self.text("reason")],
            "workflow-failed" | "workflow-timed-out" => vec![self.failure()],
            "workflow-continued-as-new" => vec![self.payload("input")],
            "waited" => vec![self.text("interest")],
            _ => self.0.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        };
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Which attempt it was, if not the first, and how long it took.
    fn attempt(&self, event: &HistoryEvent) -> String {
        let started = self.read::<Timestamp>("started_at");
        let took = started.map(|started| length(event.time.duration_since(started)));
        match (self.number("attempt"), took) {
            (None | Some(0 | 1), Some(took)) => format!("in {took}"),
            (Some(attempt), Some(took)) => format!("in {took} (attempt {attempt})"),
            (Some(attempt @ 2..), None) => format!("(attempt {attempt})"),
            (_, None) => String::new(),
        }
    }

    fn log_fields(&self) -> String {
        let fields: BTreeMap<String, String> = self.read("fields").unwrap_or_default();
        fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

fn arrow(payload: String) -> String {
    if payload.is_empty() { payload } else { format!("→ {payload}") }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_crash_is_a_line_across_the_timeline() {
        let event = |number: u64, step: u64, ms: u32, boot: u64, kind: &str, attributes: Value| {
            let time = format!("2026-11-20T10:00:{:02}.{:03}Z", ms / 1000, ms % 1000);
            let event = json!({"number": number, "step": step, "time": time, "boot": boot, "type": kind, "attributes": attributes});
            serde_json::from_str::<HistoryEvent>(&event.to_string()).expect("an event")
        };
        let events = [
            event(
                1,
                0,
                0,
                1,
                "workflow-started",
                json!({"workflow": "backup", "component": "backup", "version": 2, "input": {"dir": "host"}}),
            ),
            event(
                2,
                0,
                0,
                1,
                "activity-scheduled",
                json!({"op": 1, "name": "fs.list", "input": {"directory": "source"}}),
            ),
            event(0, 0, 0, 1, "waited", json!({"interest": "everything"})),
            event(
                3,
                1,
                12,
                1,
                "activity-completed",
                json!({"op": 1, "name": "fs.list", "attempt": 1, "started_at": "2026-11-20T10:00:00.001Z", "result": [1, 2]}),
            ),
            event(4, 2, 3212, 2, "host-restarted", json!({"previous_boot": 1})),
            event(
                5,
                2,
                3212,
                2,
                "activity-failed",
                json!({"op": 2, "name": "fs.hash", "attempt": 2, "failure": {"kind": "host", "type": "Io", "message": "hash a", "causes": [{"kind": "host", "type": "", "message": "no such file"}]}}),
            ),
            event(
                6,
                2,
                3212,
                2,
                "timer-started",
                json!({"op": 3, "deadline": "2026-11-20T11:00:00Z", "summary": "patience"}),
            ),
            event(
                7,
                2,
                3212,
                2,
                "logged",
                json!({"level": "info", "message": "hello", "fields": {"n": "1"}}),
            ),
            event(8, 3, 9000, 2, "of-another-version", json!({"x": 1})),
            event(
                9,
                3,
                9000,
                2,
                "workflow-completed",
                json!({"result_payload": {"content_type": "application/cbor", "data_base64": ""}}),
            ),
        ];
        let mut timeline = Timeline::default();
        // The heading keeps the lines' own indentation.
        let lines: String = events.iter().map(|event| format!("\n{}", timeline.event(event))).collect();
        expect![[r#"
            number, time, step, what

                1       +0s     0  workflow-started        backup (backup@2) {"dir":"host"}
                2       +0s     0  activity-scheduled      #1 fs.list {"directory":"source"}
                        +0s     0  waited                  everything
                3     +12ms     1  activity-completed      #1 fs.list in 11ms → [1,2]
                4 ─────  the host was restarted (boot 1 → 2); 3.20s after the event above  ─────
                5    +3.21s     2  activity-failed         #2 fs.hash (attempt 2) hash a: no such file
                6    +3.21s     2  timer-started           #3 for 59m 56s, until 2026-11-20 11:00:00Z patience
                7    +3.21s     2  logged                  info hello n=1
                8    +9.00s     3  of-another-version      x=1
                9    +9.00s     3  workflow-completed      → application/cbor
        "#]]
        .assert_eq(&format!("number, time, step, what\n{lines}\n"));
    }

    #[test]
    fn heartbeats_stand_between_the_events() {
        let beat = |json: &str| serde_json::from_str::<ActivityHeartbeat>(json).expect("a heartbeat");
        let beats = [
            r#"{"type":"heartbeat","activity_id":"2","activity":"train","attempt":1,"at":"2026-11-20T10:00:00Z"}"#,
            r#"{"type":"heartbeat","activity_id":"2","activity":"train","attempt":3,"at":"2026-11-20T10:00:03.25Z","details":{"step":12000}}"#,
        ];
        let mut timeline = Timeline::default();
        let lines: String =
            beats.iter().map(|json| format!("{}\n", timeline.heartbeat(&beat(json)))).collect();
        expect![[r#"
            time, what
                        +0s        heartbeat               #2 train
                     +3.25s        heartbeat               #2 train (attempt 3) {"step":12000}
        "#]]
        .assert_eq(&format!("time, what\n{lines}"));
    }

    #[test]
    fn a_parked_run_ends_with_a_line_that_says_why() {
        let why = r#"{"kind":"trap","message":"no such order\nat all","at":"2026-11-20T10:00:05Z"}"#;
        let why = serde_json::from_str(why).expect("why");
        assert_eq!(parked(&why), "parked since 2026-11-20 10:00:05Z: trap: no such order at all");
    }
}
