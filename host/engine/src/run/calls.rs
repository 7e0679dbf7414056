//! Calls, one class after the other: matched with the journal in a replay, made entries of when live.

use super::checks::misuse;
use super::{Effect, Halt, LiveStep, Mode, Run, State, UpdateStage};
use crate::call::{Command, Completion, Interest, MarkerCall, Note, Read, Reply};
use crate::ids::Op;
use crate::journal::{End, Entry, Position};
use crate::limits::Excess;
use crate::mismatch::Mismatch;
use crate::ops::{CancelEffect, OpKind};
use crate::updates::not_handled;

impl Run {
    pub(super) fn command(&mut self, command: Command) -> Result<Reply, Halt> {
        if let Mode::Replay(cursor, _) = &mut self.mode {
            cursor.command(&command, &mut self.markers).map_err(Halt::Mismatch)?;
        } else {
            self.check(&command)?;
        }
        let size = command.size();
        if let Mode::Live(live) = &mut self.mode {
            live.bytes += size;
        }
        match command {
            Command::StartActivity(activity) => {
                let op = self.ops.start(OpKind::Activity);
                self.record(|live| {
                    live.entries.push(Entry::Command(Command::StartActivity(activity.clone())));
                    live.effects.push(Effect::StartActivity { op, command: activity });
                })?;
                Ok(Reply::Op(op))
            }
            Command::StartTimer { delay, summary } => {
                let op = self.ops.start(OpKind::Timer);
                let deadline = self.time.after(delay);
                self.record(|live| {
                    live.entries
                        .push(Entry::Command(Command::StartTimer { delay, summary: summary.clone() }));
                    live.effects.push(Effect::StartTimer { op, deadline, summary });
                })?;
                Ok(Reply::Op(op))
            }
            Command::Cancel { op, reason } => {
                let effect = self.ops.cancel(op).map_err(misuse("wait.cancel"))?;
                self.record(|live| {
                    live.entries.push(Entry::Command(Command::Cancel { op, reason: reason.clone() }));
                    live.effects.extend(cancel_effect(effect, op, reason));
                })?;
                Ok(Reply::Done)
            }
            Command::Detach { op } => {
                let wanted = self.ops.detach(op).map_err(misuse("wait.detach"))?;
                let index = self.mailbox.iter().position(|entry| entry.item.op() == Some(op));
                let dropped = index.and_then(|index| self.mailbox.remove(index));
                self.record(|live| {
                    live.entries.push(Entry::Command(Command::Detach { op }));
                    live.effects.extend(wanted.then_some(Effect::Detach { op }));
                    live.dropped.extend(dropped.map(|entry| entry.number));
                })?;
                Ok(Reply::Done)
            }
            Command::Wait(interest) => self.wait(interest),
            Command::Finish(completion) => self.finish(completion),
            Command::StartChild(child) => {
                let (started, finished) = (self.ops.start(OpKind::ChildStart), self.ops.start(OpKind::Child));
                self.record(|live| {
                    live.entries.push(Entry::Command(Command::StartChild(child.clone())));
                    live.effects.push(Effect::StartChild { started, finished, command: child });
                })?;
                Ok(Reply::Child { started, finished })
            }
            Command::Signal { target, name, input } => {
                let op = self.ops.start(OpKind::Sending);
                self.record(|live| {
                    let command =
                        Command::Signal { target: target.clone(), name: name.clone(), input: input.clone() };
                    live.entries.push(Entry::Command(command));
                    live.effects.push(Effect::Signal { op, target, name, input });
                })?;
                Ok(Reply::Op(op))
            }
            Command::RequestCancel { target, reason } => {
                let op = self.ops.start(OpKind::Sending);
                self.record(|live| {
                    let command = Command::RequestCancel { target: target.clone(), reason: reason.clone() };
                    live.entries.push(Entry::Command(command));
                    live.effects.push(Effect::RequestCancel { op, target, reason });
                })?;
                Ok(Reply::Op(op))
            }
            Command::AcceptUpdate { request } => {
                let id = self.updates.accept(request).map_err(misuse("messages.accept"))?;
                self.reply_to_update(id, UpdateStage::Accepted, Command::AcceptUpdate { request })
            }
            Command::RejectUpdate { request, reason } => {
                let id = self.updates.reject(request).map_err(misuse("messages.reject"))?;
                let stage = UpdateStage::Rejected(reason.clone());
                self.reply_to_update(id, stage, Command::RejectUpdate { request, reason })
            }
            Command::CompleteUpdate { request, outcome } => {
                let id = self.updates.complete(request).map_err(misuse("messages.complete"))?;
                let stage = UpdateStage::Completed(outcome.clone());
                self.reply_to_update(id, stage, Command::CompleteUpdate { request, outcome })
            }
        }
    }

    fn reply_to_update(
        &mut self,
        update_id: String,
        stage: UpdateStage,
        command: Command,
    ) -> Result<Reply, Halt> {
        self.record(|live| {
            live.entries.push(Entry::Command(command));
            live.effects.push(Effect::Update { update_id, stage });
        })?;
        Ok(Reply::Done)
    }

    /// The step has come to its end: updates that it ignored are rejected.
    fn reject_ignored_updates(&mut self) {
        let ignored = self.updates.end_step();
        if let Mode::Live(live) = &mut self.mode {
            live.effects.extend(ignored.into_iter().map(|(_, update_id)| Effect::Update {
                update_id,
                stage: UpdateStage::Rejected(not_handled()),
            }));
        }
    }

    pub(super) fn wait(&mut self, interest: Interest) -> Result<Reply, Halt> {
        self.listening = interest.takes_messages();
        self.has_listened |= self.listening;
        self.reject_ignored_updates();
        if self.is_replaying() {
            self.end_recorded_step();
            match self.begin_recorded_step() {
                Ok(true) => return Ok(Reply::Events(self.take_events())),
                Ok(false) => {
                    if let Some(query) = self.query.take() {
                        return self.ask(query, &interest);
                    }
                }
                Err(error) => {
                    let position = Position { step: self.number + 1, index: 0 };
                    return Err(Halt::Mismatch(Box::new(Mismatch::damaged(position, &error, interest))));
                }
            }
        } else {
            self.record(|live| live.end = Some(End::Wait(interest.clone())))?;
        }
        self.state = State::Waiting(interest);
        Err(Halt::Wait)
    }

    pub(super) fn finish(&mut self, completion: Completion) -> Result<Reply, Halt> {
        self.reject_ignored_updates();
        match &mut self.mode {
            Mode::Live(live) => live.end = Some(End::Finish(completion)),
            Mode::Replay(..) => self.end_recorded_step(),
            Mode::Query(_) => unreachable!("past its journal a query's instance does not finish"),
        }
        if let Some(query) = self.query.take() {
            return Ok(self.go_on(query));
        }
        self.state = State::Finished;
        Err(Halt::Finished)
    }

    pub(super) fn read(&mut self, read: Read) -> Result<Reply, Halt> {
        if let Read::RandomBytes { len } = read
            && len > self.profile.random_bytes
        {
            let maximum = self.profile.random_bytes;
            return Err(Halt::Misuse(format!(
                "context.random-bytes: len is {len}: ask for at most {maximum} bytes at a time"
            )));
        }
        match &mut self.mode {
            Mode::Replay(cursor, _) => cursor.read(read, &mut self.markers).map_err(Halt::Mismatch)?,
            Mode::Live(_) => self.record(|live| match live.entries.last_mut() {
                Some(Entry::Read { read: last, count }) if *last == read => *count += 1,
                Some(_) | None => live.entries.push(Entry::Read { read, count: 1 }),
            })?,
            Mode::Query(_) => {}
        }
        Ok(match read {
            Read::Now => {
                let time = self.clock();
                self.clock_reads = self.clock_reads.saturating_add(1);
                Reply::Time(time)
            }
            Read::RandomBytes { len } => Reply::Bytes(self.random.bytes(len as usize)),
            Read::Uuid => Reply::Uuid(self.random.uuid()),
            Read::Info => Reply::Info(Box::new(self.info())),
        })
    }

    pub(super) fn note(&mut self, note: Note) {
        let limit = self.profile.step_log_bytes;
        let live = match &mut self.mode {
            Mode::Live(live) => live,
            Mode::Replay(cursor, _) => return cursor.note(),
            Mode::Query(_) => return,
        };
        if live.log_bytes > limit {
            return;
        }
        live.log_bytes += note.size();
        let kept = if live.log_bytes > limit { Note::LogTruncated } else { note };
        live.entries.push(Entry::Note(kept));
    }

    pub(super) fn marker(&mut self, call: &MarkerCall) -> Result<Reply, Halt> {
        let (old, new) = match call {
            MarkerCall::Patched { .. } => (0, 1),
            MarkerCall::GetVersion { id, min, max } if min > max => {
                return Err(Halt::Misuse(format!(
                    "version.get-version: {id:?} asks for versions from {min} to {max}: min must not be above max"
                )));
            }
            MarkerCall::GetVersion { min, max, .. } => (*min, *max),
        };
        if let Mode::Replay(cursor, _) = &mut self.mode {
            cursor.marker(call, &mut self.markers);
        }
        let known = self.markers.get(call.id()).copied();
        let version = match (known, &mut self.mode) {
            (Some(known), _) => known,
            (None, Mode::Replay(..) | Mode::Query(_)) => old,
            (None, Mode::Live(_)) => {
                let id = call.id().to_owned();
                self.record(|live| {
                    live.bytes += id.len();
                    live.entries.push(Entry::Marker { id, version: new });
                })?;
                new
            }
        };
        self.markers.insert(call.id().to_owned(), version);
        match call {
            MarkerCall::Patched { .. } => Ok(Reply::Patched(version != 0)),
            MarkerCall::GetVersion { min, max, .. } if (*min..=*max).contains(&version) => {
                Ok(Reply::Version(version))
            }
            MarkerCall::GetVersion { id, min, max } => Err(Halt::Misuse(format!(
                "version.get-version: this run follows version {version} of {id:?}, and the code has only {min} to {max}: \
                 run it with older code"
            ))),
        }
    }
}

impl Run {
    /// Makes an entry of a live step; in replay there is nothing to make.
    pub(super) fn record(&mut self, make: impl FnOnce(&mut LiveStep)) -> Result<(), Halt> {
        let (profile, size) = (self.profile, self.size);
        let Mode::Live(live) = &mut self.mode else { return Ok(()) };
        make(live);
        let excess = |limit, maximum: u64, remedy| Err(Halt::Limit(Excess { limit, maximum, remedy }));
        let entries = live.delivered.len() + live.entries.len();
        if entries > profile.step_entries {
            excess("step_entries", profile.step_entries as u64, "wait between parts of the work")
        } else if live.bytes > profile.step_bytes {
            excess(
                "step_bytes",
                profile.step_bytes as u64,
                "wait between parts of the work, and pass large values by reference",
            )
        } else if size.entries + entries as u64 > profile.journal_entries {
            excess("journal_entries", profile.journal_entries, "continue as new before the journal is full")
        } else if size.bytes + live.bytes as u64 > profile.journal_bytes {
            excess("journal_bytes", profile.journal_bytes, "continue as new before the journal is full")
        } else {
            Ok(())
        }
    }
}

fn cancel_effect(effect: CancelEffect, op: Op, reason: String) -> Option<Effect> {
    match effect {
        CancelEffect::Nothing => None,
        CancelEffect::Request(OpKind::Timer) => Some(Effect::CancelTimer { op, reason }),
        CancelEffect::Request(OpKind::Activity) => Some(Effect::CancelActivity { op, reason }),
        CancelEffect::Request(OpKind::Child) => Some(Effect::CancelChild { op, reason }),
        CancelEffect::Request(OpKind::ChildStart | OpKind::Sending) => None,
    }
}
