//! A run for people: where it stands, what it waits for, why it is parked or did not complete.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;

use super::unserved::Unserved;
use super::{length, short_digest, shortened, size, time};
use crate::wire::{
    Description, EncodedPayload, Failure, Json, Mismatch, Parked, PendingActivity, PendingChild,
};

/// The width of the names of fields.
const NAME: usize = 12;
/// Characters of a value that are shown; `--json` has all.
const VALUE: usize = 200;

/// Functions that only carry a Rust panic from where it began to its end. Frames up to the last one say nothing of the
/// workflow's code.
const PANIC_MACHINERY: [&str; 5] = [
    "core::panicking::",
    "core::option::expect_failed",
    "core::option::unwrap_failed",
    "core::result::unwrap_failed",
    "rust_begin_unwind",
];

/// What there is to tell of a run beside its description.
#[derive(Debug)]
pub struct Beside {
    /// Why it did not complete, if it did not.
    pub failure: Option<Failure>,
    /// Those of its activities that wait for a worker where none takes them, by id.
    pub unserved: BTreeMap<u64, Unserved>,
    /// The time of all this.
    pub now: Timestamp,
}

/// All that is known of a run.
pub fn description(run: &Description, beside: &Beside) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<NAME$}  {value}");
        }
    };
    field("workflow", &run.id);
    field("run", &run.run_id);
    field("type", &run.workflow);
    field("component", &component(run));
    field("status", &status(run));
    field("started", &time(run.started_at));
    if let Some(closed) = run.closed_at {
        field(
            "ended",
            &format!("{} (after {})", time(closed), length(closed.duration_since(run.started_at))),
        );
    }
    if run.attempt > 1 {
        field("attempt", &run.attempt.to_string());
    }
    let shown_time = |at: Option<Timestamp>| at.map(time).unwrap_or_default();
    field("begins", &shown_time(run.delayed_until));
    if !run.status.is_closed() {
        field("times out", &shown_time(run.deadline));
    }
    field("input", &payload(run.input.as_ref(), run.input_payload.as_ref()));
    for (name, json) in &run.memo {
        field("memo", &format!("{name} = {}", shortened(json.get(), VALUE)));
    }
    if let Some(parent) = &run.parent {
        field("parent", &parent.id);
    }
    // A parent that is the top itself says so alone.
    if let Some(root) = run.root.as_ref().filter(|root| run.parent.as_ref() != Some(root)) {
        field("root", &root.id);
    }
    field("continues", run.continued_run_id.as_deref().unwrap_or_default());
    field("continued by", run.continued_to.as_deref().unwrap_or_default());
    field("reset to", run.reset_to.as_deref().unwrap_or_default());
    if let (Some(of), Some(step)) = (&run.forked_from, run.forked_step) {
        let run = of.run_id.as_deref().unwrap_or_default();
        field("keeps", &format!("the steps up to {step} of {} (run {run})", of.id));
    }
    let (bytes, steps, entries) = (size(run.journal_bytes), run.journal_steps, run.journal_entries);
    field("journal", &format!("{bytes}, steps: {steps}, entries: {entries}"));
    // A parked or a paused run waits for somebody, whatever its code waited for before.
    if run.parked.is_none() && run.paused.is_none() {
        let deaf =
            if run.listening == Some(false) { " (not listening: takes no messages meanwhile)" } else { "" };
        field("waiting", &format!("{}{deaf}", run.waiting.as_deref().unwrap_or_default()));
    }
    if run.mailbox_waiting > 0 {
        field("mailbox", &format!("{} waiting", run.mailbox_waiting));
    }
    if let Some(failure) = &beside.failure {
        let _ = write!(text, "\n{}", super::failure(run.status, failure));
    }
    if let Some(failure) = &run.last_failure {
        let _ = writeln!(text, "\nthe attempt before failed: {}", shortened(&failure.chain(), VALUE));
    }
    if let Some(paused) = &run.paused {
        let reason = named(":", Some(&shortened(&paused.reason, VALUE)));
        let _ = writeln!(text, "\npaused since {}{reason}", time(paused.at));
        let _ = writeln!(text, "  to let it go on: refrain workflow unpause {}", run.id);
    }
    if let Some(reason) = &run.parked {
        parked(&mut text, run, reason);
    }
    if !run.pending_activities.is_empty() {
        text.push_str("\npending activities\n");
        run.pending_activities.iter().for_each(|activity| pending_activity(&mut text, run, activity, beside));
    }
    if !run.pending_timers.is_empty() {
        text.push_str("\npending timers\n");
    }
    for timer in &run.pending_timers {
        let summary = timer.summary.as_deref().map(|summary| format!("  {summary}")).unwrap_or_default();
        let _ = writeln!(text, "  #{} fires {}{summary}", timer.op, time(timer.deadline));
    }
    if !run.pending_children.is_empty() {
        text.push_str("\npending children\n");
    }
    for child in &run.pending_children {
        let PendingChild { op, workflow, id, run_id, state, parent_close_policy } = child;
        let _ = writeln!(
            text,
            "  #{op} {workflow} {id} (run {run_id}): {state}, at the end: {parent_close_policy}"
        );
    }
    if !run.pending_updates.is_empty() {
        text.push_str("\npending updates\n");
    }
    for update in &run.pending_updates {
        let (id, name) = (&update.update_id, &update.name);
        let _ = writeln!(text, "  {name} ({id})  {}, came {}", update.stage, time(update.at));
    }
    text
}

fn component(run: &Description) -> String {
    let code = format!("{}@{} ({})", run.component, run.version, short_digest(&run.digest));
    match run.started_version {
        // Of a host that does not say it yet.
        0 => code,
        started if started == run.version => code,
        started => format!("{code}, started with version {started}"),
    }
}

fn status(run: &Description) -> String {
    let mut status = run.status.to_string();
    if run.cancel_requested && !run.status.is_closed() {
        status.push_str(", asked to cancel");
    }
    if run.resident {
        status.push_str(", in memory");
    }
    status
}

fn payload(json: Option<&Json>, encoded: Option<&EncodedPayload>) -> String {
    match (json, encoded) {
        (Some(json), _) => shortened(json.get(), VALUE),
        (None, Some(encoded)) => {
            format!("{} {}", encoded.content_type, shortened(&encoded.data_base64, VALUE))
        }
        (None, None) => String::new(),
    }
}

fn parked(text: &mut String, run: &Description, parked: &Parked) {
    let _ = writeln!(text, "\nparked since {}: {}", time(parked.at), parked.kind);
    for line in parked.message.lines() {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(report) = &parked.mismatch {
        mismatch(text, report);
    }
    backtrace(text, &parked.backtrace);
    what_to_do(text, run, parked);
}

fn backtrace(text: &mut String, frames: &[String]) {
    if frames.is_empty() {
        return;
    }
    let is_machinery = |frame: &String| PANIC_MACHINERY.iter().any(|function| frame.contains(function));
    let skipped = match frames.iter().rposition(is_machinery) {
        Some(last) if last + 1 < frames.len() => last + 1,
        _ => 0,
    };
    let left_out =
        if skipped == 0 { String::new() } else { format!(" (--json has the panic's own {skipped} frames)") };
    let _ = writeln!(text, "  backtrace, innermost first{left_out}");
    for (depth, frame) in frames.iter().enumerate().skip(skipped) {
        let _ = writeln!(text, "    {depth:>2}  {frame}");
    }
}

fn what_to_do(text: &mut String, run: &Description, parked: &Parked) {
    let (id, component, version) = (&run.id, &run.component, run.version);
    if !matches!(parked.kind.as_str(), "trap" | "mismatch") {
        let _ = writeln!(text, "  when its cause is seen to: refrain workflow resume {id}");
        return;
    }
    let _ = writeln!(text, "  the run stays on {component}@{version} until it is moved");
    let _ = writeln!(text, "  to give it a fixed version: refrain workflow move {id} --version N");
    let _ = writeln!(text, "  to run the same code again: refrain workflow resume {id}");
    let _ = writeln!(text, "  to give it up: refrain workflow terminate {id}, and start it again");
}

/// Where the code differs from a journal.
pub fn differs(report: &Mismatch) -> String {
    let mut text = String::new();
    mismatch(&mut text, report);
    text
}

pub(super) fn mismatch(text: &mut String, mismatch: &Mismatch) {
    let _ = writeln!(text, "  at         {}", mismatch.position);
    let _ = writeln!(text, "  recorded   {}", mismatch.recorded);
    let _ = writeln!(text, "  attempted  {}", mismatch.attempted);
    for difference in &mismatch.differences {
        let _ = writeln!(text, "  {}", difference.field);
        let _ = writeln!(text, "    - {}", difference.recorded);
        let _ = writeln!(text, "    + {}", difference.attempted);
    }
    if !mismatch.likely_causes.is_empty() {
        text.push_str("  likely causes\n");
    }
    for cause in &mismatch.likely_causes {
        let _ = writeln!(text, "    · {cause}");
    }
}

fn pending_activity(text: &mut String, run: &Description, activity: &PendingActivity, beside: &Beside) {
    let of = activity.maximum_attempts.map(|maximum| format!(" of {maximum}")).unwrap_or_default();
    let since =
        |name: &str, at: Option<Timestamp>| at.map(|at| format!(", {name} {}", time(at))).unwrap_or_default();
    let _ = writeln!(
        text,
        "  #{} {}  {}, attempt {}{of}{}{}{}{}",
        activity.op,
        activity.name,
        activity.state,
        activity.attempt,
        since("since", activity.started_at),
        since("next at", activity.next_attempt_at),
        named(", task queue", Some(&activity.task_queue)),
        runner(activity),
    );
    if let Some(unserved) = beside.unserved.get(&activity.op) {
        let _ = writeln!(text, "     {}", unserved.line(&activity.task_queue, &activity.name));
    }
    if let Some(paused) = &activity.paused {
        let reason = named(":", Some(&shortened(&paused.reason, VALUE)));
        let _ = writeln!(text, "     paused since {}{reason}", time(paused.at));
        let _ = writeln!(text, "     to let it go on: refrain activity unpause {} {}", run.id, activity.op);
    }
    if let Some(failure) = &activity.last_failure {
        let _ = writeln!(text, "     last failure: {}", shortened(&failure.chain(), VALUE));
    }
    let heartbeat = payload(activity.last_heartbeat.as_ref(), activity.last_heartbeat_payload.as_ref());
    let age = activity.last_heartbeat_at.map(|at| format!(" {} ago", length(beside.now.duration_since(at))));
    if age.is_some() || !heartbeat.is_empty() {
        let details = named(":", Some(&heartbeat));
        let _ = writeln!(text, "     last heartbeat{}{details}", age.unwrap_or_default());
    }
}

/// Who makes an attempt.
fn runner(activity: &PendingActivity) -> String {
    match activity.runner.as_deref() {
        Some("host") => ", in the host".to_owned(),
        Some("worker") => named(", worker", activity.worker.as_deref()),
        Some("outside") => ", until it is ended from outside".to_owned(),
        Some(other) => format!(", {other}"),
        None => String::new(),
    }
}

/// Words before a value, if there is one.
fn named(words: &str, value: Option<&str>) -> String {
    value.filter(|value| !value.is_empty()).map(|value| format!("{words} {value}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_parked_run_says_why_where_and_what_to_do() {
        let run = serde_json::json!({
            "id": "order/42", "run_id": "0192f0c1-0000-7000-8000-000000000000", "workflow": "order", "status": "parked",
            "started_at": "2026-11-20T10:00:00Z", "component": "shop", "version": 3, "digest": "abcdef0123456789",
            "task_queue": "default", "attempt": 1, "input": {"n": 1},
            "parked": {
                "kind": "mismatch", "message": "the code differs from the journal at 4.1", "at": "2026-11-20T10:00:05Z",
                "backtrace": ["__rustc::rust_begin_unwind", "hook", "core::panicking::panic_fmt at a.rs:1", "shop::charge", "shop::order"],
                "mismatch": {
                    "position": "4.1", "recorded": "activity.start pay", "attempted": "activity.start charge",
                    "differences": [{"field": "name", "recorded": "pay", "attempted": "charge"}],
                    "likely_causes": ["the workflow's code changed"]
                }
            },
            "pending_activities": [{
                "op": 2, "name": "mail", "state": "backoff", "attempt": 3, "scheduled_at": "2026-11-20T10:00:01Z",
                "next_attempt_at": "2026-11-20T10:00:09Z", "task_queue": "default",
                "last_failure": {"kind": "application", "type": "Io", "message": "send", "causes": [
                    {"kind": "application", "type": "", "message": "connection refused"}]}
            }],
            "pending_timers": [{"op": 3, "deadline": "2026-11-21T10:00:00Z", "summary": "a day"}],
            "parent": {"id": "cart/42", "run_id": "r"}, "root": {"id": "visit/42", "run_id": "r"},
            "pending_children": [{"op": 5, "workflow": "ship", "id": "ship/42", "run_id": "0192f0c1-0000-7000-8000-000000000001",
                "state": "started", "parent_close_policy": "abandon"}],
            "pending_updates": [
                {"update_id": "u-1", "name": "set-price", "stage": "accepted", "at": "2026-11-20T10:00:02Z"}],
            "waiting": "any event", "mailbox_waiting": 1, "cancel_requested": false, "journal_steps": 4, "journal_entries": 9,
            "journal_bytes": 2048, "resident": false
        });
        let run: Description = serde_json::from_str(&run.to_string()).expect("a description");
        expect![[r#"
            workflow      order/42
            run           0192f0c1-0000-7000-8000-000000000000
            type          order
            component     shop@3 (abcdef012345)
            status        parked
            started       2026-11-20 10:00:00Z
            input         {"n":1}
            parent        cart/42
            root          visit/42
            journal       2.0 KiB, steps: 4, entries: 9
            mailbox       1 waiting

            parked since 2026-11-20 10:00:05Z: mismatch
              the code differs from the journal at 4.1
              at         4.1
              recorded   activity.start pay
              attempted  activity.start charge
              name
                - pay
                + charge
              likely causes
                · the workflow's code changed
              backtrace, innermost first (--json has the panic's own 3 frames)
                 3  shop::charge
                 4  shop::order
              the run stays on shop@3 until it is moved
              to give it a fixed version: refrain workflow move order/42 --version N
              to run the same code again: refrain workflow resume order/42
              to give it up: refrain workflow terminate order/42, and start it again

            pending activities
              #2 mail  backoff, attempt 3, next at 2026-11-20 10:00:09Z, task queue default
                 last failure: send: connection refused

            pending timers
              #3 fires 2026-11-21 10:00:00Z  a day

            pending children
              #5 ship ship/42 (run 0192f0c1-0000-7000-8000-000000000001): started, at the end: abandon

            pending updates
              set-price (u-1)  accepted, came 2026-11-20 10:00:02Z
        "#]]
        .assert_eq(&description(&run, &beside(None, [])));
    }

    #[test]
    fn pending_activities_say_where_they_wait_who_makes_them_and_how_far_they_are() {
        let pending = |activity: serde_json::Value| {
            let mut pending = serde_json::json!({
                "op": 2, "name": "train", "attempt": 1, "scheduled_at": "2026-11-20T10:00:01Z", "task_queue": "gpu"
            });
            pending.as_object_mut().unwrap().append(&mut activity.as_object().unwrap().clone());
            pending
        };
        let mut run = run(&serde_json::json!({"status": "running"}));
        let activities = serde_json::json!([
            pending(serde_json::json!({"op": 1, "state": "scheduled"})),
            pending(serde_json::json!({
                "state": "running", "runner": "worker", "worker": "host-7:4711", "attempt": 2, "maximum_attempts": 5,
                "started_at": "2026-11-20T10:00:02Z", "last_heartbeat": {"step": 12000},
                "last_heartbeat_at": "2026-11-20T10:00:07.75Z"
            })),
            pending(serde_json::json!({
                "op": 3, "state": "running", "runner": "host", "started_at": "2026-11-20T10:00:02Z",
                "paused": {"at": "2026-11-20T10:00:03Z", "reason": "the card\nis hot"}
            })),
            pending(serde_json::json!({
                "op": 4, "state": "running", "runner": "outside", "started_at": "2026-11-20T10:00:02Z",
                "last_heartbeat_at": "2026-11-20T10:00:02Z"
            })),
            pending(serde_json::json!({
                "op": 5, "state": "paused", "paused": {"at": "2026-11-20T10:00:03Z", "reason": ""},
                "last_heartbeat_payload": {"content_type": "application/cbor", "data_base64": "oWFhAQ=="}
            })),
        ]);
        run.pending_activities = serde_json::from_str(&activities.to_string()).expect("activities");
        let text = description(&run, &beside(None, [(1, Unserved::NoWorker)]));
        let (_, activities) = text.split_once("\n\n").expect("activities");
        expect![[r#"
            pending activities
              #1 train  scheduled, attempt 1, task queue gpu
                 no worker polls task queue gpu
              #2 train  running, attempt 2 of 5, since 2026-11-20 10:00:02Z, task queue gpu, worker host-7:4711
                 last heartbeat 2.25s ago: {"step":12000}
              #3 train  running, attempt 1, since 2026-11-20 10:00:02Z, task queue gpu, in the host
                 paused since 2026-11-20 10:00:03Z: the card is hot
                 to let it go on: refrain activity unpause b 3
              #4 train  running, attempt 1, since 2026-11-20 10:00:02Z, task queue gpu, until it is ended from outside
                 last heartbeat 8.00s ago
              #5 train  paused, attempt 1, task queue gpu
                 paused since 2026-11-20 10:00:03Z
                 to let it go on: refrain activity unpause b 5
                 last heartbeat: application/cbor oWFhAQ==
        "#]].assert_eq(activities);
    }

    fn beside<const N: usize>(failure: Option<Failure>, unserved: [(u64, Unserved); N]) -> Beside {
        let now = "2026-11-20T10:00:10Z".parse().expect("a time");
        Beside { failure, unserved: unserved.into(), now }
    }

    /// A run without anything to tell, but for these fields.
    fn run(fields: &serde_json::Value) -> Description {
        let mut run = serde_json::json!({
            "id": "b", "run_id": "r", "workflow": "backup", "started_at": "2026-11-20T10:00:00Z",
            "component": "backup", "version": 1, "digest": "abcdef0123456789", "task_queue": "default", "attempt": 1,
            "pending_activities": [], "pending_timers": [], "mailbox_waiting": 0, "cancel_requested": false,
            "journal_steps": 1, "journal_entries": 2, "journal_bytes": 3, "resident": false
        });
        run.as_object_mut().unwrap().append(&mut fields.as_object().unwrap().clone());
        serde_json::from_str(&run.to_string()).expect("a description")
    }

    #[test]
    fn a_run_that_is_held_back_says_until_when_or_by_whom() {
        let retried = run(&serde_json::json!({
            "status": "running", "attempt": 2, "delayed_until": "2026-11-20T10:00:20Z",
            "deadline": "2026-11-20T11:00:20Z",
            "last_failure": {"kind": "timeout", "type": "run", "message": "the run did not end in time"}
        }));
        let paused = run(&serde_json::json!({
            "status": "paused", "waiting": "everything",
            "paused": {"at": "2026-11-20T10:00:05Z", "reason": "the card is hot"}
        }));
        let shown = [retried, paused].map(|run| {
            let text = description(&run, &beside(None, []));
            text.lines().skip(4).collect::<Vec<_>>().join("\n")
        });
        expect![[r#"
            status        running
            started       2026-11-20 10:00:00Z
            attempt       2
            begins        2026-11-20 10:00:20Z
            times out     2026-11-20 11:00:20Z
            journal       3 B, steps: 1, entries: 2

            the attempt before failed: the run did not end in time

            status        paused
            started       2026-11-20 10:00:00Z
            journal       3 B, steps: 1, entries: 2

            paused since 2026-11-20 10:00:05Z: the card is hot
              to let it go on: refrain workflow unpause b"#]]
        .assert_eq(&shown.join("\n\n"));
    }

    #[test]
    fn a_failed_run_says_what_failed_and_why() {
        let run = run(&serde_json::json!({"status": "failed"}));
        let failure = serde_json::json!({"kind": "application", "type": "Backup", "message": "stop container", "causes": [
            {"kind": "host", "type": "Io", "message": "connection refused"}]});
        let failure: Failure = serde_json::from_str(&failure.to_string()).expect("a failure");
        let text = description(&run, &beside(Some(failure), []));
        let end = "\n\nfailed: stop container (Backup)\n  caused by: connection refused (Io)\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_backtrace_that_is_nothing_but_a_panic_is_shown_whole() {
        let mut text = String::new();
        backtrace(&mut text, &["rust_begin_unwind".to_owned(), "core::panicking::panic_fmt".to_owned()]);
        assert_eq!(
            text,
            "  backtrace, innermost first\n     0  rust_begin_unwind\n     1  core::panicking::panic_fmt\n"
        );
    }
}
