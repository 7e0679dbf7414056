//! What a replay says when the code no longer makes the calls that the journal has.

use std::fmt;

use crate::call::{ActivityCommand, Call, Command, Interest, Note};
use crate::child::ChildCommand;
use crate::codec::DecodeError;
use crate::journal::{Entry, Position};
use crate::retry::RetryPolicy;

/// The first call of a replay that differs from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the journal.
    pub position: Position,
    /// What the journal has there, such as `activity.start fs.list`.
    pub recorded: String,
    /// What the code did instead.
    pub attempted: String,
    /// For calls of the same kind: the fields that differ.
    pub differences: Vec<Difference>,
    /// Why that is likely, most likely first.
    pub likely_causes: Vec<&'static str>,
    /// The code made no call there: it trapped, with this message.
    pub trap: Option<String>,
    /// Where in the guest's code that was, innermost first, as far as whoever executes it knows.
    pub backtrace: Vec<String>,
}

/// A field in which two calls differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field, such as `input`.
    pub field: &'static str,
    /// Its recorded value.
    pub recorded: String,
    /// Its attempted value.
    pub attempted: String,
}

/// What the code did where the journal has another call.
#[derive(Clone, Debug)]
pub(crate) enum Attempt<'a> {
    Call(&'a Call),
    Trap(&'a str),
}

/// A value in a report is cut to this many characters: a report is read by people.
const SHOWN_VALUE: usize = 200;

impl Mismatch {
    /// The journal cannot be read at this position, where the code waits.
    pub(crate) fn damaged(position: Position, error: &DecodeError, interest: Interest) -> Self {
        Self {
            position,
            recorded: error.to_string(),
            attempted: describe_command(&Command::Wait(interest)),
            differences: Vec::new(),
            likely_causes: vec![
                "the journal is damaged: reset the run to a step before, or restore a backup",
            ],
            trap: None,
            backtrace: Vec::new(),
        }
    }

    pub(crate) fn new(position: Position, recorded: &Entry, attempt: &Attempt<'_>) -> Self {
        let differences = match (recorded, attempt) {
            (Entry::Command(recorded), Attempt::Call(Call::Command(attempted))) => {
                differences(recorded, attempted)
            }
            (_, Attempt::Call(_) | Attempt::Trap(_)) => Vec::new(),
        };
        Self {
            position,
            recorded: describe_entry(recorded),
            attempted: describe_attempt(attempt),
            likely_causes: likely_causes(recorded, attempt, &differences),
            differences,
            trap: match attempt {
                Attempt::Call(_) => None,
                Attempt::Trap(message) => Some((*message).to_owned()),
            },
            backtrace: Vec::new(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the code differs from the journal at {}: recorded {}, attempted {}",
            self.position, self.recorded, self.attempted
        )?;
        self.differences
            .iter()
            .try_for_each(|d| write!(f, "; {}: recorded {}, attempted {}", d.field, d.recorded, d.attempted))
    }
}

/// The fields of two commands of the same kind that a replay compares, where they differ.
pub(crate) fn differences(recorded: &Command, attempted: &Command) -> Vec<Difference> {
    let mut found = Fields(Vec::new());
    match (recorded, attempted) {
        (Command::StartActivity(r), Command::StartActivity(a)) => found.activity(r, a),
        (Command::StartTimer { delay: r, .. }, Command::StartTimer { delay: a, .. }) => {
            found.compare("delay", r, a);
        }
        (Command::Cancel { op: r, .. }, Command::Cancel { op: a, .. })
        | (Command::Detach { op: r }, Command::Detach { op: a }) => found.compare("op", r, a),
        (Command::Wait(r), Command::Wait(a)) => found.compare("interest", r, a),
        (Command::Finish(r), Command::Finish(a)) => found.compare("completion", r, a),
        (Command::StartChild(r), Command::StartChild(a)) => found.child(r, a),
        (
            Command::Signal { target: r_target, name: r_name, input: r_input },
            Command::Signal { target: a_target, name: a_name, input: a_input },
        ) => {
            found.compare("target", r_target, a_target);
            found.compare("name", r_name, a_name);
            found.compare("input", r_input, a_input);
        }
        (Command::RequestCancel { target: r, .. }, Command::RequestCancel { target: a, .. }) => {
            found.compare("target", r, a);
        }
        (Command::AcceptUpdate { request: r }, Command::AcceptUpdate { request: a }) => {
            found.compare("update", r, a);
        }
        (
            Command::RejectUpdate { request: r_update, reason: r },
            Command::RejectUpdate { request: a_update, reason: a },
        ) => {
            found.compare("update", r_update, a_update);
            found.compare("reason", r, a);
        }
        (
            Command::CompleteUpdate { request: r_update, outcome: r },
            Command::CompleteUpdate { request: a_update, outcome: a },
        ) => {
            found.compare("update", r_update, a_update);
            found.compare("answer", r, a);
        }
        (_, _) => {}
    }
    found.0
}

/// Whether two commands are the same call, as far as a replay compares them.
pub(crate) fn same_command(recorded: &Command, attempted: &Command) -> bool {
    std::mem::discriminant(recorded) == std::mem::discriminant(attempted)
        && differences(recorded, attempted).is_empty()
}

struct Fields(Vec<Difference>);

impl Fields {
    fn compare<T: PartialEq + fmt::Debug>(&mut self, field: &'static str, recorded: &T, attempted: &T) {
        if recorded != attempted {
            self.0.push(Difference { field, recorded: shown(recorded), attempted: shown(attempted) });
        }
    }

    fn activity(&mut self, recorded: &ActivityCommand, attempted: &ActivityCommand) {
        let (r, a) = (&recorded.options, &attempted.options);
        self.compare("local", &r.local, &a.local);
        self.compare("name", &recorded.name, &attempted.name);
        self.compare("input", &recorded.input, &attempted.input);
        self.compare("task-queue", &r.task_queue, &a.task_queue);
        self.compare("schedule-to-close-timeout", &r.schedule_to_close, &a.schedule_to_close);
        self.compare("schedule-to-start-timeout", &r.schedule_to_start, &a.schedule_to_start);
        self.compare("start-to-close-timeout", &r.start_to_close, &a.start_to_close);
        self.compare("heartbeat-timeout", &r.heartbeat, &a.heartbeat);
        self.retry(&r.retry, &a.retry);
        self.compare("cancellation", &r.cancellation, &a.cancellation);
        self.compare("priority", &r.priority, &a.priority);
        let [r_key, a_key] = [r, a].map(|options| options.fairness.as_ref().map(|fairness| &fairness.key));
        self.compare("fairness-key", &r_key, &a_key);
        let [r_weight, a_weight] =
            [r, a].map(|options| options.fairness.as_ref().map(|fairness| fairness.weight));
        self.compare("fairness-weight", &r_weight, &a_weight);
    }

    fn child(&mut self, recorded: &ChildCommand, attempted: &ChildCommand) {
        let (r, a) = (&recorded.options, &attempted.options);
        self.compare("workflow", &recorded.workflow, &attempted.workflow);
        self.compare("input", &recorded.input, &attempted.input);
        self.compare("workflow-id", &r.workflow_id, &a.workflow_id);
        self.compare("id-reuse", &r.id_reuse, &a.id_reuse);
        self.compare("component", &r.component, &a.component);
        self.compare("task-queue", &r.task_queue, &a.task_queue);
        self.compare("execution-timeout", &r.execution_timeout, &a.execution_timeout);
        self.compare("run-timeout", &r.run_timeout, &a.run_timeout);
        match (&r.retry, &a.retry) {
            (Some(r), Some(a)) => self.retry(r, a),
            (r, a) => self.compare("retry", r, a),
        }
        self.compare("parent-close", &r.parent_close, &a.parent_close);
        self.compare("cancellation", &r.cancellation, &a.cancellation);
        self.compare("memo", &r.memo, &a.memo);
    }

    fn retry(&mut self, r: &RetryPolicy, a: &RetryPolicy) {
        self.compare("retry.initial-interval", &r.initial_interval, &a.initial_interval);
        self.compare("retry.backoff-coefficient", &r.backoff_coefficient, &a.backoff_coefficient);
        self.compare("retry.maximum-interval", &r.maximum_interval, &a.maximum_interval);
        self.compare("retry.maximum-attempts", &r.maximum_attempts, &a.maximum_attempts);
        let [r_types, a_types] = [r, a].map(|policy| &policy.non_retryable_error_types);
        self.compare("retry.non-retryable-error-types", r_types, a_types);
        self.compare("retry.jitter", &r.jitter, &a.jitter);
    }
}

fn shown<T: fmt::Debug>(value: &T) -> String {
    shortened(format!("{value:?}"))
}

/// A text, cut to what a report shows of it.
pub(crate) fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN_VALUE) {
        Some((cut, _)) => format!("{}... ({} bytes)", &text[..cut], text.len()),
        None => text,
    }
}

/// A recorded call in a few words.
pub fn describe_entry(entry: &Entry) -> String {
    match entry {
        Entry::Command(command) => describe_command(command),
        Entry::Read { read, .. } => read.import().to_owned(),
        Entry::Note(Note::Log { .. } | Note::LogTruncated) => "log.write".to_owned(),
        Entry::Marker { id, .. } => format!("version marker {id}"),
    }
}

/// A command in a few words.
pub(crate) fn describe_command(command: &Command) -> String {
    let import = command.import();
    match command {
        Command::StartActivity(activity) => format!("{import} {}", activity.name),
        Command::StartTimer { delay, .. } => format!("{import} {delay:?}"),
        Command::Cancel { op, .. } | Command::Detach { op } => format!("{import} of op {op}"),
        Command::StartChild(child) => format!("{import} {}", child.workflow),
        Command::Signal { target, name, .. } => format!("{import} {name} to {target}"),
        Command::RequestCancel { target, .. } => format!("{import} of {target}"),
        Command::AcceptUpdate { request }
        | Command::RejectUpdate { request, .. }
        | Command::CompleteUpdate { request, .. } => format!("{import} of update {request}"),
        Command::Wait(_) | Command::Finish(_) => import.to_owned(),
    }
}

fn describe_attempt(attempt: &Attempt<'_>) -> String {
    match attempt {
        Attempt::Call(Call::Command(command)) => describe_command(command),
        Attempt::Call(call @ Call::Marker(marker)) => format!("{} {}", call.import(), marker.id()),
        Attempt::Call(call @ (Call::Read(_) | Call::Note(_) | Call::Answer { .. })) => {
            call.import().to_owned()
        }
        Attempt::Trap(message) => format!("a trap: {message}"),
    }
}

fn likely_causes(recorded: &Entry, attempt: &Attempt<'_>, differences: &[Difference]) -> Vec<&'static str> {
    const CHANGED: &str = "the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version";
    match (recorded, attempt) {
        (_, Attempt::Trap(_)) => vec![
            "the new code traps where the recorded code went on: fix it and resume the run",
            "the journal or the compiled code is damaged",
        ],
        (Entry::Command(Command::Finish(_)), Attempt::Call(Call::Command(Command::Finish(_)))) => {
            vec![CHANGED, "the result depends on something that is not in the journal"]
        }
        (Entry::Command(Command::Finish(_)), _) => {
            vec![
                "the recorded code ended here and the new code goes on: a step was added at the end",
                CHANGED,
            ]
        }
        (_, Attempt::Call(Call::Command(Command::Finish(_)))) => {
            vec!["the new code ends earlier than the recorded code: a step was removed", CHANGED]
        }
        (Entry::Read { .. }, _) | (_, Attempt::Call(Call::Read(_))) => {
            vec![CHANGED, "a clock or random read was added or removed: reads match by position too"]
        }
        _ if differences.iter().any(|d| d.field == "input") => vec![
            CHANGED,
            "the input is serialised in another order or form: keep field order, and maps in a stable order",
        ],
        _ => vec![CHANGED, "calls were reordered"],
    }
}
