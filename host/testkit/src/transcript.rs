//! A run's history as text that is the same each time, for snapshots: time since the beginning, event, and what it is
//! about. Restarts of the host are left out, as a run is to be the same whether there were any.

use std::collections::BTreeMap;

use refrain_engine::failure::Failure;
use refrain_engine::history::{HistoryEvent, HistoryKind};
use refrain_engine::ids::Op;
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;

use crate::time::length;

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Since the run began.
    pub at: std::time::Duration,
    /// The event's type, such as `activity-scheduled`.
    pub event: &'static str,
    /// What it is about.
    pub what: String,
}

/// The lines of a history.
pub fn lines(history: &[HistoryEvent]) -> Vec<Line> {
    let began = history.first().map_or(Timestamp::default(), |event| event.time);
    let mut names = BTreeMap::new();
    history
        .iter()
        .filter(|event| !matches!(event.kind, HistoryKind::HostRestarted { .. }))
        .map(|event| Line {
            at: event.time.since(began),
            event: event.kind.name(),
            what: what(&event.kind, began, &mut names),
        })
        .collect()
}

/// A history as text.
pub fn transcript(history: &[HistoryEvent]) -> String {
    let lines = lines(history);
    let text = |line: &Line| {
        let since = format!("+{}", length(line.at));
        format!("{since:<12} {:<22} {}", line.event, line.what).trim_end().to_owned() + "\n"
    };
    lines.iter().map(text).collect()
}

/// What a run asked for, in its order: activities, timers, children, signals and cancel requests to others. The form is
/// `activity charge {"cents":42}`, `timer 3d`, `child ship "m"`, `signal order-7 approve true`, `cancel order-7`.
pub fn calls(history: &[HistoryEvent]) -> Vec<String> {
    history
        .iter()
        .filter_map(|event| match &event.kind {
            HistoryKind::ActivityScheduled { name, input, .. } => {
                Some(format!("activity {name} {}", text(input)))
            }
            HistoryKind::TimerStarted { deadline, .. } => {
                Some(format!("timer {}", length(deadline.since(event.time))))
            }
            HistoryKind::ChildInitiated { name, input, .. } => Some(format!("child {name} {}", text(input))),
            HistoryKind::SignalSent { target, name, input, .. } => {
                Some(format!("signal {} {name} {}", target.workflow_id, text(input)))
            }
            HistoryKind::CancelSent { target, .. } => Some(format!("cancel {}", target.workflow_id)),
            _ => None,
        })
        .collect()
}

/// A payload in a line.
pub fn text(payload: &Payload) -> String {
    match std::str::from_utf8(&payload.data) {
        // Other SDKs write other spaces, and a line is one.
        Ok(text) if payload.is_json() => serde_json::from_str::<serde_json::Value>(text)
            .map_or_else(|_| text.to_owned(), |value| value.to_string()),
        _ => format!("{} bytes of {}", payload.data.len(), payload.content_type),
    }
}

fn what(kind: &HistoryKind, began: Timestamp, names: &mut BTreeMap<Op, String>) -> String {
    use HistoryKind as Kind;
    let ended = |op: &Op, how: String| match names.get(op) {
        Some(name) => format!("#{op} {name} {how}"),
        None => format!("#{op} {how}"),
    };
    let summary =
        |summary: &Option<String>| summary.iter().map(|text| format!(" ({text})")).collect::<String>();
    match kind {
        Kind::WorkflowStarted { workflow, input, .. } => format!("{workflow} {}", text(input)),
        Kind::WorkflowDelayed { until, attempt, .. } => {
            format!("until +{}, attempt {attempt}", length(until.since(began)))
        }
        Kind::ActivityScheduled { op, name, input, summary: said } => {
            names.insert(*op, name.clone());
            format!("#{op} {name} {}{}", text(input), summary(said))
        }
        Kind::ActivityCompleted { op, result, .. } | Kind::ChildCompleted { op, result, .. } => {
            ended(op, format!("→ {}", text(result)))
        }
        Kind::ActivityFailed { op, failure, .. }
        | Kind::ChildFailed { op, failure, .. }
        | Kind::ChildStartFailed { op, failure, .. }
        | Kind::SendingFailed { op, failure } => ended(op, format!("✗ {}", said(failure))),
        Kind::TimerStarted { op, deadline, summary: said } => {
            names.insert(*op, "timer".to_owned());
            format!("#{op} until +{}{}", length(deadline.since(began)), summary(said))
        }
        Kind::TimerFired { op } | Kind::OpDetached { op } | Kind::SendingCompleted { op } => {
            ended(op, String::new()).trim_end().to_owned()
        }
        Kind::OpCancelRequested { op, reason } | Kind::OpCanceled { op, reason } => {
            ended(op, reason.clone()).trim_end().to_owned()
        }
        Kind::ChildInitiated { op, name, input, summary: said } => {
            names.insert(*op, name.clone());
            format!("#{op} {name} {}{}", text(input), summary(said))
        }
        Kind::ChildStarted { op, child, .. } => ended(op, format!("as {}", child.workflow_id)),
        Kind::SignalSent { op, target, name, input } => {
            names.insert(*op, format!("signal {name}"));
            format!("#{op} {name} {} to {}", text(input), target.workflow_id)
        }
        Kind::CancelSent { op, target, reason } => {
            names.insert(*op, "cancel".to_owned());
            format!("#{op} to {}: {reason}", target.workflow_id)
        }
        Kind::UpdateReceived { update_id, name, input } => format!("{update_id}: {name} {}", text(input)),
        Kind::UpdateAccepted { update_id } => update_id.clone(),
        Kind::UpdateRejected { update_id, failure } | Kind::UpdateFailed { update_id, failure } => {
            format!("{update_id} ✗ {}", said(failure))
        }
        Kind::UpdateCompleted { update_id, result } => format!("{update_id} → {}", text(result)),
        Kind::SignalReceived { name, input } => format!("{name} {}", text(input)),
        Kind::CancelRequested { reason } | Kind::WorkflowTerminated { reason } => reason.clone(),
        Kind::HostRestarted { .. } => String::new(),
        Kind::WorkflowForked { of } => format!("of {}", of.workflow_id),
        Kind::WorkflowMoved { component, version, .. } => format!("to {component}@{version}"),
        Kind::Logged { level, message, fields } => {
            let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{} {message}{fields}", format!("{level:?}").to_lowercase())
        }
        Kind::MarkerRecorded { id, version } => format!("{id} {version}"),
        Kind::Read { import, count } => format!("{import} {count}"),
        Kind::Waited { interest } => interest.clone(),
        Kind::WorkflowCompleted { result } => format!("→ {}", text(result)),
        Kind::WorkflowFailed { failure } | Kind::WorkflowTimedOut { failure } => {
            format!("✗ {}", said(failure))
        }
        Kind::WorkflowCanceled { result, reason } => {
            let result = result.iter().map(|result| format!(" → {}", text(result)));
            format!("{}{}", reason.as_deref().unwrap_or_default(), result.collect::<String>())
        }
        Kind::WorkflowContinuedAsNew { input } => text(input),
    }
}

/// A failure without where in the code it was made: that is another one after each change.
fn said(failure: &Failure) -> String {
    format!("{}: {}", failure.error_type, failure.message)
}
