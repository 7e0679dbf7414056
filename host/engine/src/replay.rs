//! The replay cursor: where a replay stands in the journal, and how each class of calls is matched.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::call::{Call, Command, MarkerCall, Read};
use crate::codec::{self, DecodeError};
use crate::journal::{End, Entry, Position, Record, Step};
use crate::mismatch::{Attempt, Mismatch, same_command};

/// The recorded steps that a replay has not reached yet. Decoded one at a time.
#[derive(Debug)]
pub(crate) struct Tape(VecDeque<Bytes>);

impl Tape {
    pub(crate) fn new(records: Vec<Bytes>) -> Self {
        Self(records.into())
    }

    /// The next step and the bytes of its record; `None` at the journal's end. A record that is no step
    /// ends what a guest can replay.
    pub(crate) fn next(&mut self) -> Result<Option<(Step, usize)>, DecodeError> {
        let Some(bytes) = self.0.pop_front() else { return Ok(None) };
        match codec::decode("journal record", &bytes)? {
            Record::Step(step) => Ok(Some((step, bytes.len()))),
            Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) => Ok(None),
        }
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
}

type Matched = Result<(), Box<Mismatch>>;

/// The answers that a run has had from `version`, by change.
pub(crate) type Markers = BTreeMap<String, u32>;

impl Cursor {
    pub(crate) fn new(step: u64, entries: Vec<Entry>, end: End) -> Self {
        Self { step, entries, end, index: 0, used: 0 }
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
        self.index += 1;
        Ok(())
    }

    /// Matches a read by position.
    pub(crate) fn read(&mut self, read: Read, markers: &mut Markers) -> Matched {
        self.skip_unasked(markers);
        match self.entries.get(self.index) {
            Some(Entry::Read { read: recorded, count }) if *recorded == read => {
                self.used += 1;
                if self.used == *count {
                    self.index += 1;
                    self.used = 0;
                }
                Ok(())
            }
            Some(Entry::Read { .. } | Entry::Command(_) | Entry::Note(_) | Entry::Marker { .. }) | None => {
                Err(self.mismatch(&Attempt::Call(&Call::Read(read))))
            }
        }
    }

    /// Looks for a marker among those at the cursor; if it is there, moves past it.
    pub(crate) fn marker(&mut self, call: &MarkerCall, markers: &mut Markers) {
        let found = self.entries[self.index..self.compared()]
            .iter()
            .position(|entry| matches!(entry, Entry::Marker { id, .. } if id == call.id()));
        if let Some(offset) = found {
            self.pass(self.index + offset + 1, markers);
        }
    }

    /// The mismatch that something else than the recorded call is.
    pub(crate) fn mismatch(&self, attempt: &Attempt<'_>) -> Box<Mismatch> {
        let index = self.compared();
        let recorded = self.entries.get(index).cloned().unwrap_or_else(|| Entry::Command(self.end.command()));
        Box::new(Mismatch::new(Position { step: self.step, index }, &recorded, attempt))
    }

    /// Moves past what no call is compared with: notes, and markers that were not asked for.
    fn skip_unasked(&mut self, markers: &mut Markers) {
        self.pass(self.compared(), markers);
    }

    /// The next entry that a command or a read is compared with.
    fn compared(&self) -> usize {
        let unasked = self.entries[self.index..]
            .iter()
            .take_while(|entry| matches!(entry, Entry::Note(_) | Entry::Marker { .. }));
        self.index + unasked.count()
    }

    /// Moves on to `index`. Markers on the way are remembered: the code may ask for them later, in another
    /// order than it did. An answer that the run has had already stands.
    fn pass(&mut self, index: usize, markers: &mut Markers) {
        for entry in &self.entries[self.index..index] {
            if let Entry::Marker { id, version } = entry {
                markers.entry(id.clone()).or_insert(*version);
            }
        }
        self.index = index;
    }
}
