//! A history without what differs from run to run: no times, no ids, no reads; payloads as the bytes that they are.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What is left out: it depends on the machine, or on when the host was killed.
const LEFT_OUT: [&str; 5] = ["attempt", "component", "started_at", "update_id", "version"];

#[derive(Deserialize)]
struct Page {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    time: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    attributes: BTreeMap<String, Box<RawValue>>,
}

/// One line for each event.
pub(crate) fn normalised(page: &str) -> Result<String> {
    let page: Page = serde_json::from_str(page)?;
    let mut text = String::new();
    for event in page.events {
        match event.kind.as_str() {
            // How often the clock is read is a language's own business; how many outcomes one wait brings is
            // chance; and what is done to the host or to the code must not be seen in what the run does.
            "read" | "host-restarted" | "workflow-moved" => continue,
            "waited" => {
                let interest = event.attributes.get("interest").map(|interest| interest.get());
                ensure!(interest == Some("\"everything\""), "a wait is interested in {interest:?}");
                continue;
            }
            kind => text += kind,
        }
        for (name, value) in &event.attributes {
            let value = match name.as_str() {
                "deadline" => after(event.time, value)?,
                "failure" => failure(value.get())?,
                name if LEFT_OUT.contains(&name) && event.kind != "marker-recorded" => continue,
                _ => value.get().to_owned(),
            };
            text += &format!(" {name}={value}");
        }
        text.push('\n');
    }
    Ok(text)
}

/// How long a timer runs: it counts from the time of the step that starts it.
fn after(started: Timestamp, deadline: &RawValue) -> Result<String> {
    let deadline: Timestamp = serde_json::from_str(deadline.get())?;
    Ok(format!("{:#}", deadline.duration_since(started)))
}

#[derive(Deserialize, Serialize)]
struct Failure {
    kind: String,
    #[serde(rename = "type")]
    error_type: String,
    message: String,
    non_retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
    causes: Vec<Cause>,
}

#[derive(Deserialize, Serialize)]
struct Cause {
    kind: String,
    #[serde(rename = "type")]
    error_type: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
}

/// A failure without stacks. What the language's decoder says of a bad input is its own.
pub(crate) fn failure(text: &str) -> Result<String> {
    let mut failure: Failure = serde_json::from_str(text).with_context(|| format!("a failure: {text}"))?;
    if failure.error_type == "bad-input" {
        ensure!(!failure.causes.is_empty(), "nothing says what is bad about the input: {text}");
        failure.causes.clear();
    }
    Ok(serde_json::to_string(&failure)?)
}
