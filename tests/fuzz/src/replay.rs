//! Journals, which a disk or a file may have changed, and programs, which may call anything.
//!
//! A program is a list of calls, made one after the other whatever they answer: as deterministic as a guest is, and
//! as unreasonable as one can be.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use refrain_engine::call::{Call, Command, Interest, MarkerCall, Reply};
use refrain_engine::codec;
use refrain_engine::export::Exported;
use refrain_engine::fork::ForkPoint;
use refrain_engine::history::History;
use refrain_engine::journal::{Entry, Position, Record, Started, Step};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::outline::Outline;
use refrain_engine::payload::Payload;
use refrain_engine::run::{Halt, Query, Run};
use refrain_engine::time::Timestamp;

use crate::draw;
use crate::history_import::sealed;

/// Calls of a recorded read that are made. A damaged journal may tell of any number.
const MOST_READS: u64 = 20;

/// What the text of an exported history begins with, and nothing else that is tried here.
const TEXT: u8 = b'{';

/// Replays: the journal of an exported history, a drawn one, or that of a program that is executed first.
pub fn replay(data: &[u8]) {
    if data.first() == Some(&TEXT) {
        if let Ok(history) = Exported::read(&sealed(data)) {
            let started = Arc::new(history.started);
            let program = recorded_calls(&history.records);
            read(&started, &history.records);
            follow(&started, &history.records, &program);
        }
        return;
    }
    let mut u = Unstructured::new(data);
    // Where the bytes are at their end, what was drawn so far is what there is.
    let _end = if u.ratio(1, 2).unwrap_or(false) { drawn(&mut u) } else { executed(&mut u) };
}

/// A journal that no run has made.
fn drawn(u: &mut Unstructured<'_>) -> Result<()> {
    let started = Arc::new(draw::started_by_someone(u)?);
    let records: Vec<Bytes> = draw::records(u)?.iter().map(codec::encode).collect();
    let mut program = recorded_calls(&records);
    // Code that is not quite the recorded one.
    for _ in 0..u.int_in_range(0..=2)? {
        let at = u.int_in_range(0..=program.len())?;
        if at < program.len() && u.arbitrary()? {
            program.remove(at);
        } else {
            program.insert(at, call(u)?);
        }
    }
    read(&started, &records);
    follow(&started, &records, &program);
    Ok(())
}

/// All that reads a journal without a guest.
fn read(started: &Started, records: &[Bytes]) {
    let (mut outline, mut fork) = (Outline::of(started), ForkPoint::default());
    let [mut short, mut long] = [false, true].map(|calls| History::new(started, calls));
    for stored in records {
        let Ok(record) = codec::decode::<Record>("journal record", stored) else { return };
        if let Record::Step(step) = &record {
            let mut before = History::new(started, false);
            before.take_events();
            before.number_at(step, Position { step: step.number, index: step.entries.len() });
        }
        outline.record(&record);
        fork.record(&record, stored.len());
        for op in fork.children.keys() {
            fork.lost_child(*op);
        }
        started.identity(fork.step);
        started.forks_at(fork.step);
        short.record(&record);
        long.record(&record);
        assert_eq!(short.last_number(), long.last_number(), "events have the same numbers among calls");
    }
}

/// The calls that are in a journal.
fn recorded_calls(records: &[Bytes]) -> Vec<Call> {
    let mut calls = Vec::new();
    for stored in records {
        let Ok(Record::Step(Step { entries, end, .. })) = codec::decode("journal record", stored) else {
            continue;
        };
        for entry in entries {
            match entry {
                Entry::Command(command) => calls.push(Call::Command(command)),
                Entry::Read { read, count } => {
                    calls.extend((0..count.min(MOST_READS)).map(|_| Call::Read(read)));
                }
                Entry::Note(note) => calls.push(Call::Note(note)),
                Entry::Marker { id, version: 1 } => calls.push(Call::Marker(MarkerCall::Patched { id })),
                Entry::Marker { id, version } => {
                    calls.push(Call::Marker(MarkerCall::GetVersion { id, min: 0, max: version }));
                }
            }
        }
        calls.push(Call::Command(end.command()));
    }
    calls
}

/// Replays a journal by a program, as a run that goes on and as one that is asked something.
fn follow(started: &Arc<Started>, records: &[Bytes], program: &[Call]) {
    let query = Query { name: "q".to_owned(), input: Payload::null() };
    let run = Run::replay(started.clone(), records.to_vec(), draw::CODE, 1);
    let asked = Run::query(started.clone(), records.to_vec(), draw::CODE, 1, query);
    let (Ok(mut run), Ok(mut asked)) = (run, asked) else { return };
    for call in program {
        match run.call(call.clone()) {
            Ok(_) => {}
            Err(Halt::Wait | Halt::Finished) => {
                run.close_step();
                break;
            }
            Err(Halt::Mismatch(mismatch)) => {
                drop(mismatch.to_string());
                break;
            }
            Err(Halt::Limit(_) | Halt::Misuse(_) | Halt::Answered(_) | Halt::Reached) => break,
        }
    }
    run.trapped("a trap");
    run.last_words();
    for call in program {
        match asked.call(call.clone()) {
            Ok(_) => {}
            Err(Halt::Wait | Halt::Finished) => panic!("a run that is asked neither waits nor ends"),
            Err(_) => break,
        }
    }
}

/// A call that a guest may make.
fn call(u: &mut Unstructured<'_>) -> Result<Call> {
    Ok(match u.int_in_range(0..=9)? {
        0 => Call::Read(draw::read(u)?),
        1 => Call::Note(draw::note(u)?),
        2 => Call::Marker(draw::marker(u)?),
        3 => Call::Command(Command::Wait(Interest::Everything)),
        _ => Call::Command(draw::command(u)?),
    })
}

/// A run as its owner has it.
struct Life {
    started: Arc<Started>,
    run: Run,
    records: Vec<Bytes>,
    /// What has arrived and was not consumed, as the store has it.
    mailbox: BTreeMap<u64, MailboxEntry>,
    arrivals: u64,
    now: Timestamp,
    /// The calls, and what they answered. A wait answers when its run is resumed, and the run's end never.
    calls: Vec<(Call, Option<Reply>)>,
    /// How many of them are recorded.
    recorded: usize,
}

/// A program that is executed, with arrivals in between, and whose journal is then replayed.
fn executed(u: &mut Unstructured<'_>) -> Result<()> {
    let started = Arc::new(draw::started());
    let mut life = Life {
        run: Run::new(started.clone(), 1),
        now: started.at,
        started,
        records: Vec::new(),
        mailbox: BTreeMap::new(),
        arrivals: 0,
        calls: Vec::new(),
        recorded: 0,
    };
    let drawn = life.live(u);
    if life.recorded > 0 {
        life.replayed();
        read(&life.started, &life.records);
    }
    drawn
}

impl Life {
    /// Makes calls until the run ends, or waits for what does not come.
    fn live(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        while !u.is_empty() {
            let call = call(u)?;
            match self.run.call(call.clone()) {
                Ok(reply) => self.calls.push((call, Some(reply))),
                Err(Halt::Wait) => {
                    self.close(call);
                    if u.ratio(1, 4)? {
                        self.evict();
                    }
                    for _ in 0..u.int_in_range(1..=4)? {
                        let item = draw::item(u)?;
                        self.arrive(item);
                    }
                    if !self.run.can_resume() {
                        return Ok(());
                    }
                    self.now = self.now.after(draw::length(u)?);
                    self.run.resume(self.now);
                    let events = self.run.take_events();
                    self.calls.last_mut().expect("the wait").1 = Some(Reply::Events(events));
                }
                Err(Halt::Finished) => {
                    self.close(call);
                    return Ok(());
                }
                // Nothing of the step is recorded.
                Err(Halt::Limit(_) | Halt::Misuse(_)) => return Ok(()),
                Err(Halt::Mismatch(mismatch)) => panic!("a live run differs from its journal: {mismatch}"),
                Err(Halt::Answered(_) | Halt::Reached) => panic!("nobody has asked"),
            }
        }
        Ok(())
    }

    fn arrive(&mut self, item: Item) {
        self.arrivals += 1;
        let entry = MailboxEntry { number: self.arrivals, at: self.now, item };
        if self.run.push(entry.clone()) {
            self.mailbox.insert(entry.number, entry);
        }
    }

    /// The step that this call has ended is durable.
    fn close(&mut self, call: Call) {
        let closed = self.run.close_step().expect("a live step has ended");
        for number in &closed.consumed {
            assert!(
                self.mailbox.remove(number).is_some(),
                "arrival {number} is consumed once, and was there"
            );
        }
        assert!(self.run.undelivered().eq(self.mailbox.values()), "what is not consumed lies in the mailbox");
        self.records.push(closed.record);
        self.calls.push((call, None));
        self.recorded = self.calls.len();
    }

    /// The run leaves memory, and comes back.
    fn evict(&mut self) {
        let mut run = self.replayed();
        for entry in self.mailbox.values() {
            assert!(run.push(entry.clone()), "what was kept in the mailbox is kept again: {entry:?}");
        }
        assert_eq!(run.can_resume(), self.run.can_resume());
        self.run = run;
    }

    /// Replays what is recorded: each call answers what it did, and the run comes to where it was.
    fn replayed(&self) -> Run {
        let mut run = Run::replay(self.started.clone(), self.records.clone(), draw::CODE, 2)
            .expect("a record that was encoded decodes");
        let (last, before) =
            self.calls[..self.recorded].split_last().expect("a step has a call that ends it");
        for (call, reply) in before {
            let answer = run.call(call.clone());
            assert_eq!(answer.as_ref().ok(), reply.as_ref(), "{call:?} answers {answer:?}");
        }
        let halt = run.call(last.0.clone()).expect_err("the journal is at its end");
        assert!(matches!(halt, Halt::Wait | Halt::Finished), "{:?} comes to {halt:?}", last.0);
        assert_eq!(run.close_step(), None, "a replay records nothing");
        assert_eq!(run.size().bytes, self.records.iter().map(Bytes::len).sum::<usize>() as u64);
        assert_eq!(run.step() + 1, self.records.len() as u64);
        // Of a run that went on, the step that was not recorded is not there.
        if self.run.waiting().is_some() && self.calls.len() == self.recorded {
            assert_eq!(run.waiting(), self.run.waiting());
            assert_eq!(
                (run.size(), run.time(), run.clock()),
                (self.run.size(), self.run.time(), self.run.clock())
            );
            assert_eq!(run.is_listening(), self.run.is_listening());
            assert_eq!(run.has_listened(), self.run.has_listened());
        }
        run
    }
}
