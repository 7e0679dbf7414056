//! The replay cursor: where a replay stands in the journal, and how each class of calls is matched.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::call::{Call, Command, MarkerCall, Read};
use crate::codec::{self, DecodeError};
use crate::ids::Digest;
use crate::journal::{End, Entry, Position, Record, Step};
use crate::mismatch::{Attempt, Mismatch, same_command};
use crate::planted;

/// What is decoded, for messages.
pub(crate) const WHAT: &str = "journal record";

/// The recorded steps that a replay has not reached yet. Decoded one at a time.
#[derive(Debug)]
pub(crate) struct Tape {
    records: VecDeque<Bytes>,
    code: Digest,
    /// The number of the next step.
    number: u64,
}

impl Tape {
    /// The records of a run that was started with this code.
    pub(crate) fn new(code: Digest, records: Vec<Bytes>) -> Self {
        Self { records: records.into(), code, number: 0 }
    }

    /// The next step and the bytes of its record; `None` at the journal's end. A record that is no step
    /// ends what a guest can replay, unless it says that other code goes on.
    pub(crate) fn next(&mut self) -> Result<Option<(Step, usize)>, DecodeError> {
        while let Some(bytes) = self.records.pop_front() {
            match codec::decode(WHAT, &bytes)? {
                Record::Step(step) if step.number != self.number => {
                    let reason =
                        format_args!("it is step {}, where step {} belongs", step.number, self.number);
                    return Err(DecodeError::misplaced(WHAT, reason));
                }
                Record::Step(step) => {
                    self.number += 1;
                    return Ok(Some((step, bytes.len())));
                }
                Record::Moved(moved) => self.code = moved.code.digest,
                Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) | Record::Canceled(_) => {
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// The code that has made the latest step.
    pub(crate) fn code(&self) -> Digest {
        self.code
    }
}

/// The step that is being replayed.
#[derive(Debug)]
pub(crate) struct Cursor {
    step: u64,
    entries: Vec<Entry>,
    end: End,
    /// The entry that the next call is compared with; `entries.len()` is the step's end.
    index: usize,
    /// How many of the reads of a read entry were made.
    used: u64,
    /// How many notes were made since the cursor came to this entry.
    notes: usize,
    /// The same code made the step: its reads match too.
    exact: bool,
    reads_differ: bool,
}

type Matched = Result<(), Box<Mismatch>>;

/// The answers that a run has had from `version`, by change.
pub(crate) type Markers = BTreeMap<String, u32>;

impl Cursor {
    pub(crate) fn new(step: u64, entries: Vec<Entry>, end: End, exact: bool) -> Self {
        Self { step, entries, end, index: 0, used: 0, notes: 0, exact, reads_differ: false }
    }

    /// Whether other code than that of the step has read something else.
    pub(crate) fn reads_differ(&self) -> bool {
        self.reads_differ
    }

    /// Matches a command by position and arguments, the step's last included.
    pub(crate) fn command(&mut self, command: &Command, markers: &mut Markers) -> Matched {
        self.skip_unasked(markers);
        let matches = match self.entries.get(self.index) {
            Some(Entry::Command(recorded)) => same_command(recorded, command),
            Some(Entry::Read { .. } | Entry::Note(_) | Entry::Marker { .. }) => false,
            None => same_command(&self.end.command(), command),
        };
        if !matches {
            return Err(self.mismatch(&Attempt::Call(&Call::Command(command.clone()))));
        }
        self.next();
        Ok(())
    }

    /// Matches a read by position.
    pub(crate) fn read(&mut self, read: Read, markers: &mut Markers) -> Matched {
        self.pass(self.next_read(), markers);
        match self.entries.get(self.index) {
            Some(Entry::Read { read: recorded, count }) if *recorded == read => {
                self.used += 1;
                if self.used == *count + u64::from(planted!("read-past-replay")) {
                    self.next();
                }
                Ok(())
            }
            Some(Entry::Read { .. } | Entry::Command(_) | Entry::Note(_) | Entry::Marker { .. }) | None => {
                if self.exact {
                    return Err(self.mismatch(&Attempt::Call(&Call::Read(read))));
                }
                self.reads_differ = true;
                Ok(())
            }
        }
    }

    /// Looks for a marker among those at the cursor; if it is there, moves past it.
    pub(crate) fn marker(&mut self, call: &MarkerCall, markers: &mut Markers) {
        if let Some(index) = self.find(call) {
            self.pass(index + 1, markers);
        }
    }

    /// Passes over a note, which is compared with nothing.
    pub(crate) fn note(&mut self) {
        self.notes += 1;
    }

    /// The entry that a call is about to be matched with. That of a note is the one that the same code has made.
    pub(crate) fn place(&self, call: &Call) -> usize {
        match call {
            Call::Command(_) | Call::Answer { .. } => self.compared(),
            Call::Read(_) => self.next_read(),
            Call::Note(_) => {
                self.index + self.notes.min(self.unasked(|entry| matches!(entry, Entry::Note(_))))
            }
            Call::Marker(marker) => self.find(marker).unwrap_or(self.index),
        }
    }

    /// The mismatch that something else than the recorded call is.
    pub(crate) fn mismatch(&self, attempt: &Attempt<'_>) -> Box<Mismatch> {
        let index = self.compared();
        let recorded = self.entries.get(index).cloned().unwrap_or_else(|| Entry::Command(self.end.command()));
        Box::new(Mismatch::new(Position { step: self.step, index }, &recorded, attempt))
    }

    /// Moves past what no command is compared with: notes, markers that were not asked for, and the reads of
    /// other code.
    fn skip_unasked(&mut self, markers: &mut Markers) {
        self.pass(self.compared(), markers);
    }

    /// The next entry that a command is compared with; that of a read is no later.
    fn compared(&self) -> usize {
        self.index
            + self.unasked(|entry| match entry {
                Entry::Note(_) | Entry::Marker { .. } => true,
                Entry::Read { .. } => !self.exact,
                Entry::Command(_) => false,
            })
    }

    /// The next entry that a read is compared with.
    fn next_read(&self) -> usize {
        self.index + self.unasked(|entry| matches!(entry, Entry::Note(_) | Entry::Marker { .. }))
    }

    /// A marker among those at the cursor.
    fn find(&self, call: &MarkerCall) -> Option<usize> {
        let offset = self.entries[self.index..self.compared()]
            .iter()
            .position(|entry| matches!(entry, Entry::Marker { id, .. } if id == call.id()))?;
        Some(self.index + offset)
    }

    /// The entry at the cursor was matched.
    fn next(&mut self) {
        self.index += 1;
        (self.used, self.notes) = (0, 0);
    }

    /// How many of the next entries are such.
    fn unasked(&self, is_unasked: impl Fn(&Entry) -> bool) -> usize {
        self.entries[self.index..].iter().take_while(|entry| is_unasked(entry)).count()
    }

    /// Moves on to `index`. Markers on the way are remembered: the code may ask for them later, in another
    /// order than it did. An answer that the run has had already stands.
    fn pass(&mut self, index: usize, markers: &mut Markers) {
        for entry in &self.entries[self.index..index] {
            match entry {
                Entry::Marker { id, version } => {
                    markers.entry(id.clone()).or_insert(*version);
                }
                Entry::Read { .. } => self.reads_differ = true,
                Entry::Note(_) | Entry::Command(_) => {}
            }
        }
        if index > self.index {
            (self.used, self.notes) = (0, 0);
        }
        self.index = index;
    }
}
