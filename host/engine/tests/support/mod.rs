//! A small language in which tests write what a guest calls and what its host does; the answers become a
//! transcript, which tests compare with a snapshot.
//!
//! | the guest          | calls                                    | the host                   | does                           |
//! |--------------------|------------------------------------------|----------------------------|--------------------------------|
//! | `activity NAME`    | `activity.start`, 60 s start-to-close    | `> at SECONDS`             | sets its clock                 |
//! | `timer SECONDS`    | `timer.start`                            | `> completed OP`           | puts an activity's result in   |
//! | `cancel OP`        | `wait.cancel`                            | `> failed OP`              | ... its failure                |
//! | `detach OP`        | `wait.detach`                            | `> fired OP`               | ... a timer, at its deadline   |
//! | `wait [OP..] [+m]` | `wait.next`, `+m`: and messages          | `> canceled OP`            | ... the end of a canceled op   |
//! | `finish TEXT`      | `control.finish`                         | `> signal NAME`            | ... a signal                   |
//! | `now`, `uuid`, `random N`, `info` | the reads                 | `> cancel-request`         | ... a request to cancel        |
//! | `log TEXT`         | `log.write`                              | `> close`                  | closes the step and shows it   |
//! | `patched ID`, `version ID MIN MAX` | the markers              | `> resume`                 | closes if need be, and resumes |
//! | `answer TEXT`, `answer OF TEXT`    | `messages.answer`        |                            |                                |
//! | `error TEXT`       | `log.write` at level error               |                            |                                |
//! | `child NAME`       | `child.start`                            | `> child-started OP`, `> child-not-started OP`, `> child-closed OP` | ... how a child stands |
//! | `signal-to ID NAME`, `cancel-of ID` | `external`              | `> sent OP`, `> not-sent OP` | ... what became of it        |
//! | `accept N`, `reject N`, `complete N TEXT` | replies to updates | `> update ID NAME`         | ... an update                  |
//! | `return TEXT`      | returns from `run`                       |                            |                                |

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod attempts;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use refrain_engine::call::{
    ActivityCommand, ActivityOptions, Call, Command, Completion, Interest, Level, MarkerCall, Note, Read,
    Reply,
};
use refrain_engine::child::{ChildCommand, ChildOptions};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, Op, RunId, WorkflowId};
use refrain_engine::journal::{ExecutionRef, Record, Started, Step};
use refrain_engine::mailbox::{Event, Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::{ClosedStep, Effect, Halt, Query, Run, UpdateStage};
use refrain_engine::scripted;
use refrain_engine::time::Timestamp;

/// When runs of tests start.
pub const START: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// The code that runs of tests start with.
pub const CODE: Digest = Digest([1; 32]);

pub fn started() -> Started {
    Started {
        workflow_id: WorkflowId::new("order/1").expect("a good id"),
        input: Payload::json("{}"),
        component: "shop".to_owned(),
        digest: CODE,
        at: START,
        seed: [42; 32],
        ..scripted::started("order")
    }
}

pub fn options() -> ActivityOptions {
    ActivityOptions { start_to_close: Some(Duration::from_secs(60)), ..ActivityOptions::default() }
}

pub fn activity(name: &str) -> ActivityCommand {
    ActivityCommand { name: name.to_owned(), input: Payload::json("1"), options: options() }
}

/// The run of children of tests.
pub const CHILD: RunId = RunId(uuid::Uuid::from_u128(0xc));

pub fn child(workflow: &str) -> ChildCommand {
    let options = ChildOptions::default();
    ChildCommand { workflow: workflow.to_owned(), input: Payload::json("1"), options }
}

pub fn execution(id: &str) -> ExecutionRef {
    ExecutionRef { workflow_id: WorkflowId::new(id).expect("a good id"), run_id: None }
}

pub fn update(id: &str, name: &str) -> Item {
    Item::Update { update_id: id.to_owned(), name: name.to_owned(), input: Payload::json("1") }
}

pub fn start_activity(command: ActivityCommand) -> Call {
    Call::Command(Command::StartActivity(command))
}

pub fn log(message: &str) -> Call {
    Call::Note(Note::Log { level: Level::Info, message: message.to_owned(), fields: Vec::new() })
}

pub fn wait_everything() -> Call {
    Call::Command(Command::Wait(Interest::Everything))
}

pub fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().expect("seconds"))
}

/// A run with its host: clock, mailbox numbers, and the journal so far.
pub struct Sim {
    pub run: Run,
    pub now: Timestamp,
    pub records: Vec<Bytes>,
    last_arrival: u64,
    deadlines: BTreeMap<Op, Timestamp>,
}

impl Sim {
    pub fn new() -> Self {
        Self::replay(Vec::new())
    }

    pub fn replay(records: Vec<Bytes>) -> Self {
        Self::replay_as(started(), records, CODE)
    }

    /// A replay by this code of a run that began so.
    pub fn replay_as(started: Started, records: Vec<Bytes>, code: Digest) -> Self {
        let run = Run::replay(Arc::new(started), records.clone(), code, 1).expect("the first record decodes");
        Self::of(run, records)
    }

    /// An instance that is asked `status` where these records end.
    pub fn query(records: Vec<Bytes>) -> Self {
        let query = Query { name: "status".to_owned(), input: Payload::json("1") };
        let run = Run::query(Arc::new(started()), records.clone(), CODE, 1, query)
            .expect("the first record decodes");
        Self::of(run, records)
    }

    fn of(run: Run, records: Vec<Bytes>) -> Self {
        Self { run, now: START, records, last_arrival: 0, deadlines: BTreeMap::new() }
    }

    /// Plays the lines and tells what was answered. Stops after a call that the guest must not go on from.
    pub fn play(&mut self, script: &str) -> String {
        let mut transcript = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (answer, goes_on) = match line.strip_prefix("> ") {
                Some(host) => (self.host(host), true),
                None => self.guest(line),
            };
            let arrow = if answer.is_empty() { "" } else { " -> " };
            writeln!(transcript, "{line}{arrow}{answer}").expect("strings take everything");
            if !goes_on {
                break;
            }
        }
        transcript
    }

    fn guest(&mut self, line: &str) -> (String, bool) {
        let answer = match line.strip_prefix("return ") {
            Some(result) => Err(self.run.returned(Completion::Completed(Payload::json(result.to_owned())))),
            None => self.run.call(call(line)),
        };
        match answer {
            Ok(reply) => (self.reply(reply), true),
            Err(Halt::Wait) => ("waits".to_owned(), true),
            Err(Halt::Finished) => ("ended".to_owned(), true),
            Err(Halt::Mismatch(mismatch)) => (format!("MISMATCH {mismatch}"), false),
            Err(Halt::Limit(excess)) => (format!("LIMIT {excess}"), false),
            Err(Halt::Misuse(text)) => (format!("MISUSE {text}"), false),
            Err(Halt::Reached) => ("REACHED".to_owned(), false),
            Err(Halt::Answered(outcome)) => match *outcome {
                Outcome::Completed(answer) => (format!("ANSWERED {answer:?}"), false),
                Outcome::Failed(failure) => (format!("FAILED {}: {failure}", failure.error_type), false),
            },
        }
    }

    fn host(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["at", at] => self.now = START.after(seconds(at)),
            ["close"] => return self.close().map_or("nothing".to_owned(), |step| self.closed(&step)),
            ["resume"] => return self.resume(),
            ["completed", op] => return self.push(completed(number(op), "\"ok\"")),
            ["failed", op] => return self.push(failed(number(op), "Busy")),
            ["fired", op] => {
                // The deadline is known when the step that started the timer is closed.
                self.close();
                let op = number(op);
                let deadline = self.deadlines.get(&op).copied().unwrap_or(START);
                return self.push(Item::TimerFired { op, deadline });
            }
            ["canceled", op] => {
                return self.push(Item::Canceled { op: number(op), reason: "enough".to_owned() });
            }
            ["signal", name] => return self.push(signal(name, "null")),
            ["update", id, name] => return self.push(update(id, name)),
            ["child-started", op] => {
                let workflow_id = WorkflowId::new("it's a \"child\"").expect("a good id");
                return self.push(Item::ChildStarted { op: number(op), workflow_id, run_id: CHILD });
            }
            ["child-not-started", op] => {
                let failure = Failure::new(FailureKind::Host, "already-exists", "the id is in use");
                return self.push(Item::ChildNotStarted { op: number(op), failure });
            }
            ["child-closed", op] => {
                let outcome = Outcome::Completed(Payload::json("\"grown up\""));
                return self.push(Item::ChildClosed { op: number(op), outcome });
            }
            ["sent", op] => {
                let outcome = Outcome::Completed(Payload::null());
                return self.push(Item::Sent { op: number(op), outcome });
            }
            ["not-sent", op] => {
                let failure = Failure::new(FailureKind::Host, "not-found", "there is no such run");
                return self.push(Item::Sent { op: number(op), outcome: Outcome::Failed(failure) });
            }
            ["cancel-request"] => {
                return self.push(Item::CancelRequest { reason: "changed my mind".to_owned() });
            }
            _ => panic!("the host cannot {line:?}"),
        }
        String::new()
    }

    /// Puts an arrival into the mailbox.
    pub fn push(&mut self, item: Item) -> String {
        self.last_arrival += 1;
        let kept = self.run.push(MailboxEntry { number: self.last_arrival, at: self.now, item });
        if kept { String::new() } else { "dropped".to_owned() }
    }

    /// Puts an arrival in that has come before the host was started again: not if a step had consumed it.
    pub fn push_again(&mut self, item: Item, consumed: &[u64]) {
        if consumed.contains(&(self.last_arrival + 1)) {
            self.last_arrival += 1;
        } else {
            self.push(item);
        }
    }

    /// Closes the step, if there is one to close, and commits it.
    pub fn close(&mut self) -> Option<ClosedStep> {
        let step = self.run.close_step()?;
        self.records.push(step.record.clone());
        for effect in &step.effects {
            if let Effect::StartTimer { op, deadline, .. } = effect {
                self.deadlines.insert(*op, *deadline);
            }
        }
        Some(step)
    }

    pub fn resume(&mut self) -> String {
        self.close();
        if !self.run.can_resume() {
            return "nothing of interest".to_owned();
        }
        self.run.resume(self.now);
        let events = self.run.take_events();
        format!("{} at {}", show_events(&events), since_start(self.run.time()))
    }

    fn reply(&self, reply: Reply) -> String {
        match reply {
            Reply::Done => String::new(),
            Reply::Op(op) => format!("op {op}"),
            Reply::Child { started, finished } => format!("ops {started} and {finished}"),
            Reply::Events(events) => format!("{} at {}", show_events(&events), since_start(self.run.time())),
            Reply::Time(time) => since_start(time),
            Reply::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Reply::Uuid(uuid) => uuid.to_string(),
            Reply::Info(info) => format!("{} entries, {} bytes", info.journal_entries, info.journal_bytes),
            Reply::Patched(answer) => answer.to_string(),
            Reply::Version(version) => format!("version {version}"),
        }
    }

    fn closed(&self, step: &ClosedStep) -> String {
        let mut text = format!("step {} at {}", step.number, since_start(step.time));
        if !step.consumed.is_empty() {
            write!(text, ", consumed {:?}", step.consumed).expect("strings take everything");
        }
        for effect in &step.effects {
            let effect = match effect {
                Effect::StartActivity { op, command } => {
                    format!("start activity {} as op {op}", command.name)
                }
                Effect::StartTimer { op, deadline, .. } => {
                    format!("start timer op {op} to {}", since_start(*deadline))
                }
                Effect::CancelTimer { op, reason } => format!("cancel timer op {op} ({reason})"),
                Effect::CancelActivity { op, reason } => format!("cancel activity op {op} ({reason})"),
                Effect::Detach { op } => format!("detach op {op}"),
                Effect::StartChild { started, finished, command } => {
                    format!("start child {} as ops {started} and {finished}", command.workflow)
                }
                Effect::CancelChild { op, reason } => format!("cancel child op {op} ({reason})"),
                Effect::Signal { op, target, name, .. } => format!("signal {name} to {target} as op {op}"),
                Effect::RequestCancel { op, target, .. } => format!("cancel {target} as op {op}"),
                Effect::Update { update_id, stage } => match stage {
                    UpdateStage::Accepted => format!("update {update_id} accepted"),
                    UpdateStage::Rejected(why) => format!("update {update_id} rejected ({})", why.error_type),
                    UpdateStage::Completed(outcome) => format!("update {update_id} completed {outcome:?}"),
                },
            };
            write!(text, "; {effect}").expect("strings take everything");
        }
        if let Some(completion) = &step.completion {
            write!(text, "; {completion:?}").expect("strings take everything");
        }
        text
    }
}

/// A journal: what a live run of this script leaves.
pub fn recorded(script: &str) -> Vec<Bytes> {
    let mut sim = Sim::new();
    let transcript = sim.play(script);
    for bad in ["MISMATCH", "LIMIT", "MISUSE"] {
        assert!(!transcript.contains(bad), "{transcript}");
    }
    sim.close();
    sim.records
}

pub fn completed(op: Op, json: &str) -> Item {
    let outcome = Outcome::Completed(Payload::json(json.to_owned()));
    Item::ActivityClosed { op, outcome, attempt: 1, started_at: Some(START) }
}

pub fn failed(op: Op, error_type: &str) -> Item {
    let outcome = Outcome::Failed(Failure::new(FailureKind::Application, error_type, "it is busy"));
    Item::ActivityClosed { op, outcome, attempt: 3, started_at: Some(START) }
}

pub fn signal(name: &str, json: &str) -> Item {
    Item::Signal { name: name.to_owned(), input: Payload::json(json.to_owned()) }
}

fn answer(request: u64, json: &str) -> Call {
    Call::Answer { request, outcome: Outcome::Completed(Payload::json(json.to_owned())) }
}

/// The step in a record.
pub fn step(record: &[u8]) -> Step {
    match codec::decode("record", record).expect("it was encoded") {
        Record::Step(step) => step,
        Record::Terminated(_)
        | Record::Failed(_)
        | Record::TimedOut(_)
        | Record::Canceled(_)
        | Record::Moved(_) => {
            panic!("no guest made it")
        }
    }
}

/// The call that a line of the guest stands for.
pub fn call(line: &str) -> Call {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["activity", name] => start_activity(activity(name)),
        ["timer", delay] => Call::Command(Command::StartTimer { delay: seconds(delay), summary: None }),
        ["cancel", op] => Call::Command(Command::Cancel { op: number(op), reason: "enough".to_owned() }),
        ["detach", op] => Call::Command(Command::Detach { op: number(op) }),
        ["child", name] => Call::Command(Command::StartChild(Box::new(child(name)))),
        ["signal-to", id, name] => {
            let (target, input) = (execution(id), Payload::json("7"));
            Call::Command(Command::Signal { target, name: name.to_owned(), input })
        }
        ["cancel-of", id] => {
            let reason = "enough".to_owned();
            Call::Command(Command::RequestCancel { target: execution(id), reason })
        }
        ["accept", update] => Call::Command(Command::AcceptUpdate { request: number(update) }),
        ["reject", update] => {
            let reason = Failure::new(FailureKind::Application, "TooLate", "the order was sent");
            Call::Command(Command::RejectUpdate { request: number(update), reason })
        }
        ["complete", update, text] => {
            let outcome = Outcome::Completed(Payload::json(text.to_owned()));
            Call::Command(Command::CompleteUpdate { request: number(update), outcome })
        }
        ["wait"] => wait_everything(),
        ["wait", ref ops @ .., "+m"] => Call::Command(Command::Wait(Interest::OpsAndMessages(numbers(ops)))),
        ["wait", ref ops @ ..] => Call::Command(Command::Wait(Interest::Ops(numbers(ops)))),
        ["finish", text] => {
            Call::Command(Command::Finish(Completion::Completed(Payload::json(text.to_owned()))))
        }
        ["now"] => Call::Read(Read::Now),
        ["uuid"] => Call::Read(Read::Uuid),
        ["random", len] => Call::Read(Read::RandomBytes { len: len.parse().expect("a length") }),
        ["info"] => Call::Read(Read::Info),
        ["log", text] => log(text),
        ["error", text] => {
            Call::Note(Note::Log { level: Level::Error, message: text.to_owned(), fields: Vec::new() })
        }
        ["answer", text] => answer(0, text),
        ["answer", of, text] => answer(number(of), text),
        ["patched", id] => Call::Marker(MarkerCall::Patched { id: id.to_owned() }),
        ["version", id, min, max] => {
            let version = |text: &str| text.parse().expect("a version");
            Call::Marker(MarkerCall::GetVersion { id: id.to_owned(), min: version(min), max: version(max) })
        }
        _ => panic!("a guest cannot {line:?}"),
    }
}

pub fn show_events(events: &[Event]) -> String {
    let shown: Vec<String> = events.iter().map(show_event).collect();
    shown.join(", ")
}

fn show_event(event: &Event) -> String {
    match event {
        Event::Finished { op, outcome: Outcome::Completed(payload) } => format!("op {op}: {payload:?}"),
        Event::Finished { op, outcome: Outcome::Failed(failure) } => {
            format!("op {op} failed: {} {}", failure.kind.as_str(), failure.error_type)
        }
        Event::Signal { name, .. } => format!("signal {name}"),
        Event::Update { request, update_id, name, .. } => format!("update {request} {update_id} {name}"),
        Event::Query { request, name, .. } => format!("query {request} {name}"),
        Event::CancelRequested { reason } => format!("cancel requested: {reason}"),
    }
}

pub fn since_start(time: Timestamp) -> String {
    format!("+{:?}", time.since(START))
}

fn number(text: &str) -> Op {
    text.parse().expect("an op's number")
}

fn numbers(words: &[&str]) -> Vec<Op> {
    words.iter().map(|word| number(word)).collect()
}
