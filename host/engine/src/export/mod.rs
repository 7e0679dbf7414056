//! An exported history: a run as a file of JSON Lines, which people read and compare and which replays anywhere.
//! `host/engine/FORMAT.md` describes it.
//!
//! | line | holds |
//! |---|---|
//! | first | the format's name and number |
//! | second | what the run began with |
//! | one for each record | the record; with its stored bytes, if this version would write others |
//! | last | how many records there are, and a checksum of all lines before |
//!
//! The form of a record is the serde form of its type, so that a new field cannot be forgotten here. It is faithful: the
//! record that is read has the stored bytes of the one that was written, and so a replay cannot tell them apart.

pub(crate) mod form;
mod redact;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::codec::{self, DecodeError};
use crate::journal::{Code, End, Record, Started};
use crate::limits::Profile;

/// The format's name, on the first line.
pub const NAME: &str = "refrain-history";

/// The number of the format that is written. Those before it are read.
pub const NUMBER: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    number: u32,
    /// The payloads were replaced, so that it cannot be replayed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    redacted: bool,
}

/// What is read of a first line before its number is known to be one of ours: a later format may have more in it.
#[derive(Deserialize)]
struct AnyHeader {
    format: String,
    number: u32,
}

/// A line after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "one line is in memory at a time")]
enum Line {
    Started(Started),
    Record(Record),
    /// A record that an older version has stored in another way than this one does, with its bytes: they are counted,
    /// and a guest is told how many there are.
    Stored {
        record: Record,
        base64: String,
    },
    End {
        records: u64,
        #[serde(with = "form::bytes_32")]
        sha256: [u8; 32],
    },
}

/// Writes a history, line by line.
#[derive(Debug)]
pub struct Writer {
    redacts: bool,
    records: u64,
    sum: Sha256,
}

impl Writer {
    /// Begins the history of a run that began so: appends the first lines to `out`. With `redacts`, every payload is
    /// replaced by a word about its size, as are the values that the configuration puts around the code, and the file says of itself that it cannot be replayed.
    pub fn begin(mut started: Started, redacts: bool, out: &mut Vec<u8>) -> Self {
        let mut writer = Self { redacts, records: 0, sum: Sha256::new() };
        if redacts {
            redact::started(&mut started);
        }
        let header = Header { format: NAME.to_owned(), number: NUMBER, redacted: redacts };
        writer.line(&header, out);
        writer.line(&Line::Started(started), out);
        writer
    }

    /// Appends the line of the next record, from its stored form.
    ///
    /// # Errors
    /// When the stored bytes do not decode.
    pub fn record(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let mut record: Record = codec::decode("journal record", stored)?;
        let line = if self.redacts {
            redact::record(&mut record);
            Line::Record(record)
        } else if codec::encode(&record) == stored {
            Line::Record(record)
        } else {
            Line::Stored { record, base64: STANDARD.encode(stored) }
        };
        self.records += 1;
        self.line(&line, out);
        Ok(())
    }

    /// Appends the last line.
    pub fn end(mut self, out: &mut Vec<u8>) {
        let sha256 = self.sum.finalize_reset().into();
        let records = self.records;
        self.line(&Line::End { records, sha256 }, out);
    }

    fn line(&mut self, line: &impl Serialize, out: &mut Vec<u8>) {
        let from = out.len();
        serde_json::to_writer(&mut *out, line).expect("writing to a vector cannot fail");
        out.push(b'\n');
        self.sum.update(&out[from..]);
    }
}

/// A history that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// What the run began with.
    pub started: Started,
    /// The records of its journal, in their stored form.
    pub records: Vec<Bytes>,
    /// Its payloads were replaced: see [`Exported::check_replayable`].
    pub redacted: bool,
    /// The record that ended the run, if it has ended.
    pub end: Option<Record>,
    /// The code that executes it since its last move.
    pub code: Code,
}

/// Why a history cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// It is something else.
    #[error(
        "it is no history: its first line is not that of one ({0}): give files that `refrain workflow export` wrote"
    )]
    NoHistory(String),
    /// A later version wrote it.
    #[error("it is in format {0}, which is newer than this refrain reads ({NUMBER}): use a newer refrain")]
    Newer(u32),
    /// A line is none of this format.
    #[error("line {line} is not one of format {NUMBER}: {reason}: export the run again")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The last line is not there.
    #[error(
        "it was cut: it ends after {lines} lines without the last one, which has the checksum: export the run again"
    )]
    Cut {
        /// How many there are.
        lines: usize,
    },
    /// The lines are not those that were written.
    #[error(
        "it was changed after it was written: its checksum is not that of its lines: export the run again"
    )]
    Changed,
    /// The run had a profile that is not known here.
    #[error("its run has the determinism profile {0}, which this refrain does not have: use a newer refrain")]
    Profile(u32),
    /// It was redacted, and is to be replayed.
    #[error(
        "it was redacted: code may do something else with other values, so it cannot be replayed: export the run \
         without --redact"
    )]
    Redacted,
}

impl Exported {
    /// Reads a history.
    ///
    /// # Errors
    /// When it is not exactly one that this version or an earlier one wrote, to its last line.
    pub fn read(text: &[u8]) -> Result<Self, ExportError> {
        let mut lines = Lines { text, number: 0, sum: Sha256::new() };
        let redacted = header(&mut lines)?;
        let Some(line) = lines.next() else { return Err(ExportError::Cut { lines: lines.number }) };
        let Line::Started(started) = lines.parse(line)? else {
            return Err(lines.refuse("it is not what the run began with"));
        };
        if Profile::get(started.profile).is_none() {
            return Err(ExportError::Profile(started.profile));
        }
        let (mut records, mut end, mut code) = (Vec::new(), None, started.code());
        loop {
            let sum = lines.sum.clone();
            let Some(line) = lines.next() else { return Err(ExportError::Cut { lines: lines.number }) };
            let (record, stored) = match lines.parse(line)? {
                Line::Started(_) => {
                    return Err(lines.refuse("what the run began with stands on line 2 alone"));
                }
                Line::Record(record) => {
                    let stored = codec::encode(&record);
                    (record, stored)
                }
                Line::Stored { record, base64 } => {
                    let stored = stored_form(&record, &base64).map_err(|reason| lines.refuse(reason))?;
                    (record, stored)
                }
                Line::End { records: count, sha256 } => {
                    if count != records.len() as u64 || <[u8; 32]>::from(sum.finalize()) != sha256 {
                        return Err(ExportError::Changed);
                    }
                    if lines.next().is_some() {
                        return Err(lines.refuse("it follows the last one"));
                    }
                    return Ok(Self { started, records, redacted, end, code });
                }
            };
            records.push(stored);
            match record {
                Record::Moved(moved) => code = moved.code,
                record if is_end(&record) => end = Some(record),
                Record::Step(_)
                | Record::Terminated(_)
                | Record::Failed(_)
                | Record::TimedOut(_)
                | Record::Canceled(_) => {}
            }
        }
    }

    /// Refuses what says nothing about the code that replays it.
    ///
    /// # Errors
    /// When its payloads were replaced.
    pub fn check_replayable(&self) -> Result<(), ExportError> {
        if self.redacted { Err(ExportError::Redacted) } else { Ok(()) }
    }
}

/// Reads the first line: whether the history is redacted.
fn header(lines: &mut Lines<'_>) -> Result<bool, ExportError> {
    let no_history = |reason: &dyn fmt::Display| ExportError::NoHistory(reason.to_string());
    let first = lines.next().ok_or_else(|| no_history(&"it is empty"))?;
    let any: AnyHeader = serde_json::from_slice(first).map_err(|error| no_history(&error))?;
    if any.format != NAME {
        return Err(no_history(&format_args!("its format is {:?}", any.format)));
    }
    match any.number {
        0 => Err(no_history(&"there is no format 0")),
        1..=NUMBER => lines.parse(first).map(|header: Header| header.redacted),
        newer => Err(ExportError::Newer(newer)),
    }
}

/// Whether a run has ended with this record.
fn is_end(record: &Record) -> bool {
    match record {
        Record::Step(step) => matches!(step.end, End::Finish(_)),
        Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) | Record::Canceled(_) => true,
        Record::Moved(_) => false,
    }
}

/// The bytes that a record was stored as.
fn stored_form(record: &Record, base64: &str) -> Result<Bytes, String> {
    let bytes =
        STANDARD.decode(base64).map_err(|error| format!("its stored bytes are no base64: {error}"))?;
    let decoded: Record = codec::decode("journal record", &bytes).map_err(|error| error.to_string())?;
    if decoded == *record { Ok(bytes.into()) } else { Err("its stored bytes are another record".to_owned()) }
}

/// Takes lines off a text.
struct Lines<'a> {
    /// What is left of it.
    text: &'a [u8],
    /// Of the latest line, from 1.
    number: usize,
    /// Of the lines so far, each ended by a line feed, also where something on the way has made a carriage return and a
    /// line feed of that.
    sum: Sha256,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.text.is_empty() {
            return None;
        }
        let end = self.text.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.text[..end], &self.text[end + 1..]),
            None => (self.text, &self.text[self.text.len()..]),
        };
        self.text = rest;
        self.number += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.sum.update(line);
        self.sum.update(b"\n");
        Some(line)
    }

    fn parse<T: for<'b> Deserialize<'b>>(&self, line: &[u8]) -> Result<T, ExportError> {
        serde_json::from_slice(line).map_err(|error| self.refuse(error.to_string()))
    }

    fn refuse(&self, reason: impl Into<String>) -> ExportError {
        ExportError::Line { line: self.number, reason: reason.into() }
    }
}
