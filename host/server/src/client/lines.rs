//! An answer of JSON lines, as far as a host writes it.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::Response;
use tokio::time::timeout;

use super::{ClientError, reasons};
use crate::wire::SweepLine;

/// How long nothing may come. A host that has nothing to say says so every 5 s.
pub(super) const SILENCE: Duration = Duration::from_secs(45);
/// The largest line. The values in a line are cut, so that it is some kilobytes.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// The lines of who checks or moves the open runs of a component, as they come.
#[derive(Debug)]
pub struct LineStream {
    address: String,
    response: Response,
    bytes: BytesMut,
}

impl LineStream {
    pub(super) fn new(address: &str, response: Response) -> Self {
        Self { address: address.to_owned(), response, bytes: BytesMut::new() }
    }

    /// The next line and its text; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no such line.
    pub async fn next(&mut self) -> Result<Option<(SweepLine, String)>, ClientError> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line = self.bytes.split_to(end + 1);
                let text = String::from_utf8_lossy(&line[..end]).into_owned();
                return match serde_json::from_str(&text) {
                    Ok(line) => Ok(Some((line, text))),
                    Err(error) => Err(self.unexpected(format!("{error} in the line {text:?}"))),
                };
            }
            if self.bytes.len() > MAX_LINE_BYTES {
                return Err(self.unexpected(format!("a line of more than {MAX_LINE_BYTES} bytes")));
            }
            let chunk = timeout(SILENCE, self.response.chunk()).await;
            let chunk =
                chunk.map_err(|_| self.broken(format!("nothing came for {} s", SILENCE.as_secs())))?;
            match chunk.map_err(|error| self.broken(reasons(&error)))? {
                Some(chunk) => self.bytes.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The answer ended before its last line.
    pub fn cut_off(&self) -> ClientError {
        self.broken("the answer ended in the middle".to_owned())
    }

    fn broken(&self, reason: String) -> ClientError {
        ClientError::Unreachable { address: self.address.clone(), sent: true, reason }
    }

    fn unexpected(&self, answer: String) -> ClientError {
        ClientError::Unexpected { address: self.address.clone(), answer }
    }
}
