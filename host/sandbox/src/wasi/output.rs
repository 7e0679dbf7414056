//! What a program prints: the run's log, line by line.

use refrain_engine::call::{Call, Level, Note, Reply, STDERR, STREAM_FIELD};

use crate::state::{HostTrap, State, unexpected};

/// A longer line is cut into several: it is kept in memory until its end comes.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// A stream that a program prints to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => STDERR,
        }
    }

    /// What is printed to the error stream is worth a look, and seldom an error: loggers write there by default.
    fn level(self) -> Level {
        match self {
            Self::Stdout => Level::Info,
            Self::Stderr => Level::Warn,
        }
    }
}

/// The unfinished lines of both streams.
#[derive(Default)]
pub(super) struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// A line, and where it was printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line(Stream, String);

impl Output {
    /// Takes what was printed; answers the lines that are complete.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) -> Vec<Line> {
        let unfinished = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(MAX_LINE_BYTES) {
                if unfinished.len() + piece.len() > MAX_LINE_BYTES {
                    lines.push(line(stream, &std::mem::take(unfinished)));
                }
                unfinished.extend_from_slice(piece);
            }
            if part.ends_with(b"\n") {
                lines.push(line(stream, &std::mem::take(unfinished)));
            }
        }
        lines
    }

    /// What was printed without an end of line.
    pub(super) fn rest(&mut self) -> Vec<Line> {
        [(Stream::Stdout, &mut self.stdout), (Stream::Stderr, &mut self.stderr)]
            .into_iter()
            .filter(|(_, unfinished)| !unfinished.is_empty())
            .map(|(stream, unfinished)| line(stream, &std::mem::take(unfinished)))
            .collect()
    }
}

fn line(stream: Stream, bytes: &[u8]) -> Line {
    let text = String::from_utf8_lossy(bytes);
    Line(stream, text.trim_end_matches(['\n', '\r']).to_owned())
}

impl State {
    /// Prints to the run's log. What `describe` prints nobody reads.
    pub(super) fn print(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), HostTrap> {
        self.wasi.output.print(stream, bytes).into_iter().try_for_each(|line| self.log_line(line))
    }

    pub(super) fn log_line(&mut self, Line(stream, message): Line) -> Result<(), HostTrap> {
        if self.run().is_none() {
            return Ok(());
        }
        let fields = vec![(STREAM_FIELD.to_owned(), stream.name().to_owned())];
        match self.call(Call::Note(Note::Log { level: stream.level(), message, fields }))? {
            Reply::Done => Ok(()),
            other => Err(HostTrap::Machine(unexpected(&other).to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(pieces: &[&str]) -> Vec<String> {
        let mut output = Output::default();
        let mut lines: Vec<_> =
            pieces.iter().flat_map(|piece| output.print(Stream::Stdout, piece.as_bytes())).collect();
        lines.push(Line(Stream::Stdout, "--".to_owned()));
        lines.extend(output.rest());
        lines.into_iter().map(|Line(_, text)| text).collect()
    }

    #[test]
    fn lines_end_where_the_program_ends_them() {
        assert_eq!(printed(&["one\ntw", "o\r\n", "\n", "rest"]), ["one", "two", "", "--", "rest"]);
        assert_eq!(printed(&[]), ["--"]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let long = "x".repeat(2 * MAX_LINE_BYTES + 5);
        let lines = printed(&["a", &long, "\n"]);
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [1, MAX_LINE_BYTES, MAX_LINE_BYTES, 5, 2]
        );
    }

    #[test]
    fn streams_do_not_mix() {
        let mut output = Output::default();
        assert!(output.print(Stream::Stdout, b"out").is_empty());
        assert_eq!(output.print(Stream::Stderr, b"err\n"), [Line(Stream::Stderr, "err".to_owned())]);
        assert_eq!(output.rest(), [Line(Stream::Stdout, "out".to_owned())]);
    }
}
