//! What is observed beside what was expected.

use refrain_engine::failure::Failure;
use refrain_engine::payload::Payload;
use refrain_testkit::{Ended, length, text};
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::file::{Event, Expected, Scenario, given};
use super::play::{Happened, Observed};

/// What is unexpected of an execution that does not end.
pub(super) const ENDLESS: &str = "the execution";

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unexpected {
    /// What.
    pub what: String,
    /// How it differs: lines that begin with `-` (expected) and `+` (observed), or words.
    pub details: String,
}

impl Unexpected {
    pub(super) fn new(what: impl Into<String>, details: impl Into<String>) -> Self {
        Self { what: what.into(), details: details.into() }
    }

    fn differs(what: &str, expected: &str, observed: &str) -> Self {
        Self::new(what, diff(expected, observed))
    }
}

/// All that is not as expected, but for the history.
pub(super) fn unexpected(scenario: &Scenario, observed: &Observed) -> Vec<Unexpected> {
    let mut found = Vec::new();
    match &observed.ended {
        Ok(ended) => {
            outcome(&scenario.expect, ended, &mut found);
            asked(scenario, observed, &mut found);
            if let Some(expected) = scenario.expect.elapsed
                && expected != observed.elapsed
            {
                found.push(Unexpected::differs("elapsed", &length(expected), &length(observed.elapsed)));
            }
        }
        Err(why) => found.push(Unexpected::new(ENDLESS, why.to_string())),
    }
    for (index, (event, happened)) in scenario.events.iter().zip(&observed.events).enumerate() {
        found.extend(happened_otherwise(index, event, happened));
    }
    found
}

fn outcome(expected: &Expected, ended: &Ended, found: &mut Vec<Unexpected>) {
    let Expected { result, result_json, failure, message, status, .. } = expected;
    if let Some(result) = given(result, result_json) {
        match &ended.outcome {
            Ok(payload) if value(payload).as_ref() == Some(&result) => {}
            Ok(payload) => found.push(Unexpected::differs("result", &pretty(&result), &shown(payload))),
            Err(failure) => {
                found.push(Unexpected::new("result", format!("it {} with {failure}", ended.status.as_str())));
            }
        }
    }
    if failure.is_some() || message.is_some() {
        match &ended.outcome {
            Ok(result) => {
                found.push(Unexpected::new("failure", format!("it completed with {}", text(result))));
            }
            Err(observed) => found.extend(failed(failure.as_deref(), message.as_deref(), observed)),
        }
    }
    let observed = ended.status.as_str();
    let said = status.as_deref();
    // Whoever expects nothing of an end expects a good one.
    let nothing = result.is_none() && result_json.is_none() && failure.is_none() && message.is_none();
    if let Some(expected) = said.or(nothing.then_some("completed"))
        && expected != observed
    {
        let why = ended.outcome.as_ref().err().map(|failure| format!("\n{failure}")).unwrap_or_default();
        found.push(Unexpected::new("status", format!("{}{why}", diff(expected, observed))));
    }
}

fn failed(kind: Option<&str>, message: Option<&str>, observed: &Failure) -> Option<Unexpected> {
    let wrong_type = kind.is_some_and(|kind| kind != observed.error_type);
    // All causes are told, so that any of them can be asked for.
    let told = observed.to_string();
    let wrong_message = message.is_some_and(|message| !told.contains(message));
    (wrong_type || wrong_message).then(|| {
        let expected = [kind, message].into_iter().flatten().collect::<Vec<_>>().join(": ");
        Unexpected::differs("failure", &expected, &format!("{}: {told}", observed.error_type))
    })
}

/// What the execution asked for.
fn asked(scenario: &Scenario, observed: &Observed, found: &mut Vec<Unexpected>) {
    let none = Vec::new();
    let calls = observed.essence.calls.get(&scenario.id).unwrap_or(&none);
    let Expected { calls: in_order, calls_in_any_order: in_any_order, .. } = &scenario.expect;
    if let Some(expected) = in_order {
        // A call whose beginning was expected is shown as expected.
        let shown: Vec<&str> = expected
            .iter()
            .enumerate()
            .map(|(index, expected)| {
                calls.get(index).filter(|call| begins(call, expected)).unwrap_or(expected).as_str()
            })
            .collect();
        if shown != *calls {
            found.push(Unexpected::differs("calls", &shown.join("\n"), &calls.join("\n")));
        }
    }
    if let Some(expected) = in_any_order {
        let mut left: Vec<&String> = calls.iter().collect();
        let mut missing = Vec::new();
        for expected in expected {
            match left.iter().position(|call| begins(call, expected)) {
                Some(index) => drop(left.remove(index)),
                None => missing.push(format!("- {expected}")),
            }
        }
        if !missing.is_empty() || !left.is_empty() {
            let more = left.iter().map(|call| format!("+ {call}"));
            let lines: Vec<String> = missing.into_iter().chain(more).collect();
            found.push(Unexpected::new("calls_in_any_order", lines.join("\n")));
        }
    }
}

/// Whether a call's words begin with these: `activity charge` is any of that type.
fn begins(call: &str, expected: &str) -> bool {
    call.strip_prefix(expected).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn happened_otherwise(index: usize, event: &Event, happened: &Happened) -> Option<Unexpected> {
    let what = event.describe(index);
    let answer = match happened {
        Happened::Taken => return None,
        Happened::Refused(why) => return Some(Unexpected::new(what, format!("it is refused: {why}"))),
        Happened::Answered(answer) => answer,
    };
    let expected = given(&event.answer, &event.answer_json);
    match (answer, expected, &event.failure) {
        (Ok(payload), Some(expected), _) if value(payload).as_ref() != Some(&expected) => {
            Some(Unexpected::differs(&what, &pretty(&expected), &shown(payload)))
        }
        (Ok(payload), _, Some(failure)) => {
            let details = format!("it is answered with {}, and not with a failure {failure}", text(payload));
            Some(Unexpected::new(what, details))
        }
        (Ok(_), _, None) => None,
        (Err(failure), _, Some(expected)) => {
            failed(Some(expected), None, failure).map(|unexpected| Unexpected { what, ..unexpected })
        }
        (Err(failure), _, None) => Some(Unexpected::new(what, format!("it failed: {failure}"))),
    }
}

fn value(payload: &Payload) -> Option<Value> {
    payload.is_json().then(|| serde_json::from_slice(&payload.data).ok()).flatten()
}

fn shown(payload: &Payload) -> String {
    value(payload).map_or_else(|| text(payload), |value| pretty(&value))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The lines that differ, with some around them.
pub(super) fn diff(expected: &str, observed: &str) -> String {
    /// Equal lines that are shown around a difference.
    const AROUND: usize = 2;
    let diff = TextDiff::from_lines(expected, observed);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if index > 0 {
            lines.push("  …".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines.join("\n")
}
