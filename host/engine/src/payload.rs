//! Values on their way in and out of runs.

use std::fmt;

use bytes::Bytes;
use minicbor::{Decode, Encode};

use crate::codec;

/// A value with its content type. The engine never looks inside.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Payload {
    /// A media type; `application/json` unless the two ends agree on something else.
    #[n(0)]
    pub content_type: String,
    /// The value.
    #[cbor(n(1), with = "codec::blob")]
    pub data: Bytes,
}

impl Payload {
    /// The media type of JSON.
    pub const JSON: &'static str = "application/json";

    /// A JSON text, taken as it is.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self { content_type: Self::JSON.to_owned(), data: text.into() }
    }

    /// "No value": the JSON text `null`.
    pub fn null() -> Self {
        Self::json("null")
    }

    /// Whether this is JSON.
    pub fn is_json(&self) -> bool {
        self.content_type == Self::JSON
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        self.content_type.len() + self.data.len()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.data) {
            Ok(text) if self.is_json() => f.write_str(text),
            Ok(text) => write!(f, "{} {text:?}", self.content_type),
            Err(_) => write!(f, "{} ({} bytes)", self.content_type, self.data.len()),
        }
    }
}
