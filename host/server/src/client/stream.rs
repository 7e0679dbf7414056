//! Streams of events, of a run's history or of all runs: `text/event-stream`, as far as a host writes it.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use reqwest::Response;
use tokio::time::timeout;

use super::{ClientError, reasons};
use crate::wire::{ActivityHeartbeat, END, HEARTBEAT, HistoryEvent, MISSED, RUN, RunSummary};

/// How long a stream may be silent. A host that has nothing to say says so every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The largest event. Payloads are smaller, also in base64.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// What is heard of a run while it goes on.
#[derive(Clone, Debug)]
pub enum StreamEvent {
    /// The next event of its history.
    History(HistoryEvent),
    /// How far one of its activities has come.
    Heartbeat(ActivityHeartbeat),
    /// The run has ended; nothing follows.
    End,
}

/// What is heard of all runs.
#[derive(Clone, Debug)]
pub enum RunChange {
    /// A run has changed: how it stands.
    Run(RunSummary),
    /// Others have, and are not told: the list has them.
    Missed,
}

/// The events of a run, as they come.
#[derive(Debug)]
pub struct EventStream(Blocks);

impl EventStream {
    pub(super) fn new(address: &str, response: Response) -> Self {
        Self(Blocks::new(address, response))
    }

    /// The next event; `None` when the host let go of the stream before the run's end. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no such event.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, ClientError> {
        let Some(block) = self.0.next().await? else { return Ok(None) };
        let read = match block.event.as_str() {
            END => return Ok(Some(StreamEvent::End)),
            HEARTBEAT => serde_json::from_str(&block.data).map(StreamEvent::Heartbeat),
            _ => serde_json::from_str(&block.data).map(StreamEvent::History),
        };
        read.map(Some).map_err(|error| self.0.not_understood(&block, &error))
    }
}

/// The runs that change, as they do.
#[derive(Debug)]
pub struct RunStream(Blocks);

impl RunStream {
    pub(super) fn new(address: &str, response: Response) -> Self {
        Self(Blocks::new(address, response))
    }

    /// The next change; `None` when the host let go of the stream. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no such event.
    pub async fn next(&mut self) -> Result<Option<RunChange>, ClientError> {
        loop {
            let Some(block) = self.0.next().await? else { return Ok(None) };
            match block.event.as_str() {
                RUN => {
                    let run = serde_json::from_str(&block.data);
                    return run
                        .map(|run| Some(RunChange::Run(run)))
                        .map_err(|error| self.0.not_understood(&block, &error));
                }
                MISSED => return Ok(Some(RunChange::Missed)),
                // Of a later version.
                _ => {}
            }
        }
    }
}

/// The blocks of a stream, each an event.
#[derive(Debug)]
struct Blocks {
    address: String,
    response: Response,
    decoder: Decoder,
}

impl Blocks {
    fn new(address: &str, response: Response) -> Self {
        Self { address: address.to_owned(), response, decoder: Decoder::default() }
    }

    async fn next(&mut self) -> Result<Option<Block>, ClientError> {
        loop {
            // One without a name is a comment, which says that the host is alive.
            if let Some(block) =
                std::iter::from_fn(|| self.decoder.next()).find(|block| !block.event.is_empty())
            {
                return Ok(Some(block));
            }
            if self.decoder.bytes.len() > MAX_EVENT_BYTES {
                return Err(self.unexpected(format!("an event of more than {MAX_EVENT_BYTES} bytes")));
            }
            let chunk = timeout(SILENCE, self.response.chunk()).await;
            let chunk =
                chunk.map_err(|_| self.broken(format!("nothing came for {} s", SILENCE.as_secs())))?;
            match chunk.map_err(|error| self.broken(reasons(&error)))? {
                Some(chunk) => self.decoder.bytes.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    fn not_understood(&self, block: &Block, error: &serde_json::Error) -> ClientError {
        self.unexpected(format!("{error} in the event {}", block.event))
    }

    fn broken(&self, reason: String) -> ClientError {
        ClientError::Unreachable { address: self.address.clone(), sent: true, reason }
    }

    fn unexpected(&self, answer: String) -> ClientError {
        ClientError::Unexpected { address: self.address.clone(), answer }
    }
}

/// The lines of one event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    event: String,
    data: String,
}

/// Takes events out of bytes that come in pieces of any size.
#[derive(Debug, Default)]
struct Decoder {
    /// What has come and is not taken yet; it begins with a line.
    bytes: BytesMut,
    /// Bytes of it that are known to have no end of a line.
    searched: usize,
    block: Block,
}

impl Decoder {
    /// The next block whose end has come.
    fn next(&mut self) -> Option<Block> {
        while let Some(line) = self.line() {
            match line.split_once(':') {
                None if line.is_empty() => return Some(std::mem::take(&mut self.block)),
                Some(("event", name)) => value(name).clone_into(&mut self.block.event),
                Some(("data", text)) => {
                    if !self.block.data.is_empty() {
                        self.block.data.push('\n');
                    }
                    self.block.data.push_str(value(text));
                }
                // A comment, an id (an event of the history has its number in its data), or a field of a later version.
                Some(_) | None => {}
            }
        }
        None
    }

    fn line(&mut self) -> Option<String> {
        match self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let line = self.bytes.split_to(self.searched + at);
                self.bytes.advance(1);
                self.searched = 0;
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                Some(String::from_utf8_lossy(line).into_owned())
            }
            None => {
                self.searched = self.bytes.len();
                None
            }
        }
    }
}

/// The value of a field: what follows its colon, and a space.
fn value(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_their_bytes_come() {
        let text = "event: timer-fired\nid: 3\ndata: {\"a\":\ndata: 1}\n\n: \n\nevent:heartbeat\r\ndata:é\r\n\r\nevent: end\ndata: {}\n";
        let block = |event: &str, data: &str| Block { event: event.to_owned(), data: data.to_owned() };
        let expected = [block("timer-fired", "{\"a\":\n1}"), block("", ""), block("heartbeat", "é")];
        for size in [1, 2, 7, text.len()] {
            let mut decoder = Decoder::default();
            let mut blocks = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                decoder.bytes.extend_from_slice(piece);
                blocks.extend(std::iter::from_fn(|| decoder.next()));
            }
            assert_eq!(blocks, expected, "in pieces of {size}: the last event has not ended");
        }
    }
}
