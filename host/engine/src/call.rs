//! What a guest may ask of its run, in the four classes that say how a replay compares it; and the answer to a
//! query, which no replay meets.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::child::ChildCommand;
use crate::codec;
use crate::export::form;
use crate::failure::{Failure, Outcome};
use crate::ids::Op;
use crate::journal::ExecutionRef;
use crate::limits::ELEMENT_BYTES;
use crate::mailbox::Event;
use crate::payload::Payload;
use crate::retry::RetryPolicy;
use crate::time::Timestamp;

/// An import call, as the sandbox hands it over.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Matches by position and arguments.
    Command(Command),
    /// Matches by position; the answer follows from the step's time and the run's seed.
    Read(Read),
    /// Recorded, never a mismatch.
    Note(Note),
    /// Matches by id.
    Marker(MarkerCall),
    /// Answers a query. Never recorded, since queries are not.
    Answer {
        /// Of the query's message.
        request: u64,
        /// The answer.
        outcome: Outcome,
    },
}

/// A call that changes what the run has going on. Matches by position and arguments on every replay.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Schedules an activity; the answer is its op.
    #[n(0)]
    StartActivity(#[n(0)] ActivityCommand),
    /// Starts a timer; the answer is its op.
    #[n(1)]
    StartTimer {
        /// From the step's time.
        #[n(0)]
        #[serde(with = "form::duration")]
        delay: Duration,
        /// One line for people; not compared.
        #[n(1)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    },
    /// Asks for an op's end.
    #[n(2)]
    Cancel {
        /// Which.
        #[n(0)]
        op: Op,
        /// For people; not compared.
        #[n(1)]
        reason: String,
    },
    /// Gives up interest in an op.
    #[n(3)]
    Detach {
        /// Which.
        #[n(0)]
        op: Op,
    },
    /// Blocks until something of interest is there. Ends a step.
    #[n(4)]
    Wait(#[n(0)] Interest),
    /// Ends the run. Ends a step.
    #[n(5)]
    Finish(#[n(0)] Completion),
    /// Starts a child; the answer is its two ops.
    #[n(6)]
    StartChild(#[n(0)] Box<ChildCommand>),
    /// Sends a signal to another execution; the answer is its op.
    #[n(7)]
    Signal {
        /// Whose.
        #[n(0)]
        target: ExecutionRef,
        /// Which.
        #[n(1)]
        name: String,
        /// Its argument.
        #[n(2)]
        input: Payload,
    },
    /// Asks another execution to cancel itself; the answer is its op.
    #[n(8)]
    RequestCancel {
        /// Which.
        #[n(0)]
        target: ExecutionRef,
        /// For people; not compared.
        #[n(1)]
        reason: String,
    },
    /// Lets an update in.
    #[n(9)]
    AcceptUpdate {
        /// Of the update's message.
        #[n(0)]
        request: u64,
    },
    /// Turns an update down.
    #[n(10)]
    RejectUpdate {
        /// Of the update's message.
        #[n(0)]
        request: u64,
        /// Why.
        #[n(1)]
        reason: Failure,
    },
    /// Answers an update that was accepted.
    #[n(11)]
    CompleteUpdate {
        /// Of the update's message.
        #[n(0)]
        request: u64,
        /// The answer.
        #[n(1)]
        outcome: Outcome,
    },
}

/// What an activity is started with.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityCommand {
    /// The activity's type, for example `fs.list`.
    #[n(0)]
    pub name: String,
    /// Its argument.
    #[n(1)]
    pub input: Payload,
    /// How to run it.
    #[n(2)]
    pub options: ActivityOptions,
}

/// How to run an activity. Defaults are Temporal's.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityOptions {
    /// `None`: the run's own task queue.
    #[n(0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// From the call to the last attempt's end. Never retried.
    #[n(1)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub schedule_to_close: Option<Duration>,
    /// From an attempt's scheduling to its start. Never retried.
    #[n(2)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub schedule_to_start: Option<Duration>,
    /// From an attempt's start to its end. Retried.
    #[n(3)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub start_to_close: Option<Duration>,
    /// The longest silence of a running attempt. Retried.
    #[n(4)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
    /// When and how often to try again.
    #[n(5)]
    pub retry: RetryPolicy,
    /// What a cancel does.
    #[n(6)]
    pub cancellation: Cancellation,
    /// 1 (first) to 5; `None`: 3.
    #[n(7)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// One line for people; not compared.
    #[n(8)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whose turn it is in its task queue; `None`: that of all who say nothing.
    #[n(9)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// Runs in the host's own process at once, before the step that starts it is durable.
    #[cbor(n(10), skip_if = "codec::is_default")]
    pub local: bool,
}

/// A share of a task queue: keys that wait get turns in proportion to their weights.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fairness {
    /// Whose share, for example a tenant's.
    #[n(0)]
    pub key: String,
    /// How large. [`DEFAULT_FAIRNESS_WEIGHT`] unless something else is asked for.
    #[n(1)]
    pub weight: f64,
}

/// The weight of a fairness key that names none.
pub const DEFAULT_FAIRNESS_WEIGHT: f64 = 1.0;

/// What a cancel does to a running activity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cbor(index_only)]
pub enum Cancellation {
    /// Asks the activity to stop; the op fails as canceled at once.
    #[default]
    #[n(0)]
    TryCancel,
    /// Asks the activity to stop; the op gets whatever the activity then answers.
    #[n(1)]
    WaitForCancellation,
    /// Does not tell the activity; the op fails as canceled at once.
    #[n(2)]
    Abandon,
}

/// What a wait takes from the mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Interest {
    /// The end of any op, and messages.
    #[n(0)]
    Everything,
    /// The end of one of these ops.
    #[n(1)]
    Ops(#[n(0)] Vec<Op>),
    /// The end of one of these ops, and messages.
    #[n(2)]
    OpsAndMessages(#[n(0)] Vec<Op>),
}

/// How a run ends by its own word.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Completion {
    /// With a result.
    #[n(0)]
    Completed(#[n(0)] Payload),
    /// With a failure.
    #[n(1)]
    Failed(#[n(0)] Failure),
    /// As the answer to a cancel request.
    #[n(2)]
    Canceled(#[n(0)] Option<Payload>),
    /// By starting the next run of the execution.
    #[n(3)]
    ContinueAsNew(#[n(0)] NextRun),
}

/// The run that follows.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextRun {
    /// `None`: the same workflow.
    #[n(0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Its argument.
    #[n(1)]
    pub input: Payload,
    /// Take the current version of the component's name.
    #[n(2)]
    pub newest_version: bool,
    /// `None`: as this run's.
    #[n(3)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Duration>,
    /// Signals that this run was given and has not used, by name: the first ones of the next.
    #[cbor(n(4), skip_if = "Vec::is_empty", default)]
    pub unread: Vec<(String, Payload)>,
}

impl NextRun {
    /// The same workflow by the same code, with this argument.
    pub fn with_input(input: Payload) -> Self {
        Self { workflow: None, input, newest_version: false, run_timeout: None, unread: Vec::new() }
    }
}

/// A call that only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Read {
    /// The step's time, 1 us later at each read.
    #[n(0)]
    Now,
    /// The next bytes of the run's random stream.
    #[n(1)]
    RandomBytes {
        /// How many.
        #[n(0)]
        len: u32,
    },
    /// A version 4 UUID from the same stream.
    #[n(2)]
    Uuid,
    /// What the run knows about itself.
    #[n(3)]
    Info,
}

/// A call that leaves a trace for people.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Note {
    /// A line of the run's log.
    #[n(0)]
    Log {
        /// How bad.
        #[n(0)]
        level: Level,
        /// The line.
        #[n(1)]
        message: String,
        /// Structured additions.
        #[n(2)]
        fields: Vec<(String, String)>,
    },
    /// The rest of this step's log was dropped: past the limit on log bytes in a step.
    #[n(1)]
    LogTruncated,
}

/// How bad a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cbor(index_only)]
pub enum Level {
    /// Finest.
    #[n(0)]
    Trace,
    /// For who debugs.
    #[n(1)]
    Debug,
    /// Ordinary.
    #[n(2)]
    Info,
    /// Something is odd.
    #[n(3)]
    Warn,
    /// Something is wrong.
    #[n(4)]
    Error,
}

impl Level {
    /// The name in APIs: `trace`, `debug`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A question about the version of the code that this run follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkerCall {
    /// Does this run follow the changed code?
    Patched {
        /// The change.
        id: String,
    },
    /// Which version of a change does this run follow?
    GetVersion {
        /// The change.
        id: String,
        /// The oldest version that the code still has.
        min: u32,
        /// The newest.
        max: u32,
    },
}

/// What a call answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Nothing to say.
    Done,
    /// The op that a start made.
    Op(Op),
    /// The two ops of a child.
    Child {
        /// It exists, or could not be started.
        started: Op,
        /// It has ended.
        finished: Op,
    },
    /// What a wait delivered.
    Events(Vec<Event>),
    /// The time.
    Time(Timestamp),
    /// Random bytes.
    Bytes(#[serde(serialize_with = "form::base64")] Vec<u8>),
    /// A UUID.
    Uuid(uuid::Uuid),
    /// What the run knows about itself.
    Info(Box<crate::run::RunInfo>),
    /// Whether the run follows the change.
    Patched(bool),
    /// The version of the change that the run follows.
    Version(u32),
}

impl Call {
    /// The name of the import, for messages: `activity.start`, `context.now`, ...
    pub fn import(&self) -> &'static str {
        match self {
            Self::Command(command) => command.import(),
            Self::Read(read) => read.import(),
            Self::Note(Note::Log { .. } | Note::LogTruncated) => "log.write",
            Self::Marker(MarkerCall::Patched { .. }) => "version.patched",
            Self::Marker(MarkerCall::GetVersion { .. }) => "version.get-version",
            Self::Answer { .. } => "messages.answer",
        }
    }
}

impl Command {
    /// The size of its arguments that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::StartActivity(activity) => {
                let options = &activity.options;
                activity.name.len()
                    + activity.input.size()
                    + options.retry.size()
                    + options.task_queue.as_ref().map_or(0, String::len)
                    + options.summary.as_ref().map_or(0, String::len)
                    + options.fairness.as_ref().map_or(0, |fairness| fairness.key.len())
            }
            Self::StartTimer { summary, .. } => summary.as_ref().map_or(0, String::len),
            Self::Cancel { reason, .. } => reason.len(),
            Self::StartChild(child) => child.size(),
            Self::Signal { target, name, input } => target.size() + name.len() + input.size(),
            Self::RequestCancel { target, reason } => target.size() + reason.len(),
            Self::RejectUpdate { reason, .. } => reason.size(),
            Self::CompleteUpdate { outcome, .. } => outcome.size(),
            Self::Detach { .. } | Self::AcceptUpdate { .. } | Self::Wait(Interest::Everything) => 0,
            Self::Wait(Interest::Ops(ops) | Interest::OpsAndMessages(ops)) => size_of_val(ops.as_slice()),
            Self::Finish(completion) => match completion {
                Completion::Completed(result) | Completion::Canceled(Some(result)) => result.size(),
                Completion::Failed(failure) => failure.size(),
                Completion::Canceled(None) => 0,
                Completion::ContinueAsNew(next) => {
                    let unread =
                        next.unread.iter().map(|(name, input)| ELEMENT_BYTES + name.len() + input.size());
                    next.input.size() + next.workflow.as_ref().map_or(0, String::len) + unread.sum::<usize>()
                }
            },
        }
    }

    /// The name of the import, for messages: `activity.start`, `wait.next`, ...
    pub fn import(&self) -> &'static str {
        match self {
            Self::StartActivity(activity) if activity.options.local => "activity.start-local",
            Self::StartActivity(_) => "activity.start",
            Self::StartTimer { .. } => "timer.start",
            Self::Cancel { .. } => "wait.cancel",
            Self::Detach { .. } => "wait.detach",
            Self::Wait(_) => "wait.next",
            Self::Finish(_) => "control.finish",
            Self::StartChild(_) => "child.start",
            Self::Signal { .. } => "external.signal",
            Self::RequestCancel { .. } => "external.request-cancel",
            Self::AcceptUpdate { .. } => "messages.accept",
            Self::RejectUpdate { .. } => "messages.reject",
            Self::CompleteUpdate { .. } => "messages.complete",
        }
    }
}

/// The field of a log line that names the stream to which a program has printed it.
pub const STREAM_FIELD: &str = "stream";

/// The stream on which programs say what is wrong.
pub const STDERR: &str = "stderr";

impl Note {
    /// The line, if code that could not go on may have written it to say why: an error, or something on the error
    /// stream.
    pub fn last_words(&self) -> Option<&str> {
        match self {
            Self::Log { level, message, fields } => {
                let is_stderr = || fields.iter().any(|(key, value)| key == STREAM_FIELD && value == STDERR);
                (*level == Level::Error || is_stderr()).then_some(message)
            }
            Self::LogTruncated => None,
        }
    }

    /// Whether it is an error that the code has logged.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Log { level: Level::Error, .. })
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Log { message, fields, .. } => {
                let fields = fields.iter().map(|(key, value)| ELEMENT_BYTES + key.len() + value.len());
                ELEMENT_BYTES + message.len() + fields.sum::<usize>()
            }
            Self::LogTruncated => ELEMENT_BYTES,
        }
    }
}

impl Read {
    /// The name of the import, for messages.
    pub fn import(&self) -> &'static str {
        match self {
            Self::Now => "context.now",
            Self::RandomBytes { .. } => "context.random-bytes",
            Self::Uuid => "context.uuid",
            Self::Info => "context.info",
        }
    }
}

impl MarkerCall {
    /// The change that is asked for.
    pub fn id(&self) -> &str {
        match self {
            Self::Patched { id } | Self::GetVersion { id, .. } => id,
        }
    }
}
