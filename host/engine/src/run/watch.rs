//! A replay that is looked at call by call, as a debugger does. The guest is deterministic, so a moment of the past is
//! a fresh replay that stops there. Such a run goes no further than its journal, and is thrown away.
//!
//! Calls are counted from 1 as the guest makes them: each read and each note is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::{Halt, Mode, Run, State};
use crate::call::{Call, Command, Note, Reply};
use crate::codec::DecodeError;
use crate::history::describe_interest;
use crate::ids::{Digest, Op};
use crate::journal::{Position, Started};
use crate::mailbox::Event;
use crate::mismatch::{describe_command, shortened};
use crate::ops::OpKind;
use crate::time::Timestamp;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// All calls, each in a few words: see [`Run::seen`].
    Calls,
    /// This call. The replay stops at it: see [`Run::moment`].
    Until(u64),
}

/// A call of a replay, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCall {
    /// The entry of the journal that it is.
    pub position: Position,
    /// When it was made.
    pub time: Timestamp,
    /// The import, and what it is about: `activity.start charge`.
    pub what: String,
    /// What it was answered; empty where there is nothing to say.
    pub answer: String,
}

/// A replay that has come to one of its calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Which, from 1.
    pub call: u64,
    /// The entry of the journal that it is.
    pub position: Position,
    /// The call itself.
    pub made: Call,
    /// What it was answered. A halt is why it had no answer: the run waits there, has ended, or differs from the
    /// journal.
    pub answer: Result<Reply, Halt>,
    /// What the clock says once it is answered.
    pub time: Timestamp,
    /// What has been started and may still end.
    pub pending: Vec<Pending>,
}

/// Something that was started and has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Its op.
    pub op: Op,
    /// What it is.
    pub kind: OpKind,
    /// The call that started it, in a few words.
    pub what: String,
    /// The run has asked for its end.
    pub canceling: bool,
}

/// How far a replay that is looked at has come.
#[derive(Debug)]
pub(super) struct Watcher {
    watch: Watch,
    calls: u64,
    seen: Vec<SeenCall>,
    /// What started the ops that have not ended.
    started: BTreeMap<Op, String>,
    moment: Option<Box<Moment>>,
}

impl Run {
    /// A replay of these records of a journal that is looked at. One without records has no calls.
    ///
    /// # Errors
    /// As [`Self::replay`].
    ///
    /// # Panics
    /// As [`Self::replay`].
    pub fn watch(
        started: Arc<Started>,
        records: Vec<Bytes>,
        code: Digest,
        watch: Watch,
    ) -> Result<Self, DecodeError> {
        let boot = started.boot;
        let mut run = Self::replay(started, records, code, boot)?;
        if !run.is_replaying() {
            run.state = State::Halted(Halt::Reached);
        }
        let (seen, started) = (Vec::new(), BTreeMap::new());
        run.watcher = Some(Box::new(Watcher { watch, calls: 0, seen, started, moment: None }));
        Ok(run)
    }

    /// The calls that were made, if all of them are looked at.
    pub fn seen(&mut self) -> Vec<SeenCall> {
        self.watcher.as_mut().map(|watcher| std::mem::take(&mut watcher.seen)).unwrap_or_default()
    }

    /// The call at which the replay has stopped.
    pub fn moment(&mut self) -> Option<Box<Moment>> {
        self.watcher.as_mut()?.moment.take()
    }

    /// Answers a call that is looked at.
    pub(super) fn watched(&mut self, mut watcher: Box<Watcher>, call: Call) -> Result<Reply, Halt> {
        watcher.calls += 1;
        let (position, time, what) = (self.place(&call), self.clock(), describe_call(&call));
        let made = (watcher.watch == Watch::Until(watcher.calls)).then(|| call.clone());
        let answer = self.answer(call);
        watcher.note_ops(&what, &answer);
        let answer = match made {
            Some(made) => {
                let pending = self.pending(&watcher.started);
                let time = self.clock();
                let call = watcher.calls;
                watcher.moment = Some(Box::new(Moment { call, position, made, answer, time, pending }));
                self.state = State::Halted(Halt::Reached);
                Err(Halt::Reached)
            }
            None => answer,
        };
        if watcher.watch == Watch::Calls {
            watcher.seen.push(SeenCall { position, time, what, answer: describe_answer(&answer) });
        }
        self.watcher = Some(watcher);
        answer
    }

    /// The entry of the journal that this call is about to be compared with.
    fn place(&self, call: &Call) -> Position {
        let index = match &self.mode {
            Mode::Replay(cursor, _) => cursor.place(call),
            Mode::Live(_) | Mode::Query(_) => 0,
        };
        Position { step: self.number, index }
    }

    fn pending(&self, started: &BTreeMap<Op, String>) -> Vec<Pending> {
        let what = |op| started.get(&op).cloned().unwrap_or_default();
        self.ops
            .pending()
            .map(|(op, kind, canceling)| Pending { op, kind, what: what(op), canceling })
            .collect()
    }
}

impl Watcher {
    fn note_ops(&mut self, what: &str, answer: &Result<Reply, Halt>) {
        match answer {
            Ok(Reply::Op(op)) => drop(self.started.insert(*op, what.to_owned())),
            Ok(Reply::Child { started, finished }) => {
                self.started.extend([started, finished].map(|op| (*op, what.to_owned())));
            }
            Ok(Reply::Events(events)) => {
                for event in events {
                    if let Event::Finished { op, .. } = event {
                        self.started.remove(op);
                    }
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// A call in a few words.
fn describe_call(call: &Call) -> String {
    let words = match call {
        Call::Command(Command::Wait(interest)) => {
            format!("{} {}", call.import(), describe_interest(interest))
        }
        Call::Command(command) => describe_command(command),
        Call::Note(Note::Log { level, message, .. }) => {
            format!("{} {} {message}", call.import(), level.as_str())
        }
        Call::Marker(marker) => format!("{} {}", call.import(), marker.id()),
        Call::Read(_) | Call::Note(Note::LogTruncated) | Call::Answer { .. } => call.import().to_owned(),
    };
    shortened(words)
}

/// An answer in a few words.
fn describe_answer(answer: &Result<Reply, Halt>) -> String {
    match answer {
        Ok(Reply::Done | Reply::Info(_)) => String::new(),
        Ok(Reply::Op(op)) => format!("#{op}"),
        Ok(Reply::Child { started, finished }) => format!("#{started} #{finished}"),
        Ok(Reply::Events(events)) => {
            let words: Vec<String> = events.iter().map(describe_event).collect();
            shortened(words.join(", "))
        }
        Ok(Reply::Time(time)) => time.to_string(),
        Ok(Reply::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Ok(Reply::Uuid(uuid)) => uuid.to_string(),
        Ok(Reply::Patched(patched)) => patched.to_string(),
        Ok(Reply::Version(version)) => version.to_string(),
        Err(halt) => halt.to_string(),
    }
}

/// What a wait delivers, in a few words.
fn describe_event(event: &Event) -> String {
    match event {
        Event::Finished { op, outcome } => {
            format!("#{op} {}", if outcome.is_completed() { "completed" } else { "failed" })
        }
        Event::Signal { name, .. } => format!("signal {name}"),
        Event::Query { name, .. } => format!("query {name}"),
        Event::Update { name, .. } => format!("update {name}"),
        Event::CancelRequested { .. } => "cancel request".to_owned(),
    }
}
