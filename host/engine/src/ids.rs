//! The names of things: namespaces, executions, runs, components, ops.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use uuid::Uuid;

use crate::export::form::{Hex, from_hex};

/// The longest name or id that people choose, in bytes: it is part of every key of a run's rows.
pub const MAX_NAME_BYTES: usize = 255;

/// Names something that a run started and that finishes later. Counted 1, 2, 3, ... in call order.
pub type Op = u64;

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {reason}")]
pub struct InvalidName {
    /// What the name was for, such as `workflow id`.
    pub what: &'static str,
    /// What is wrong, with the remedy.
    pub reason: String,
}

/// Checks a name that becomes part of stored keys.
///
/// # Errors
/// Names are 1 to [`MAX_NAME_BYTES`] bytes of UTF-8 without control characters. Slashes, spaces and any
/// other printable character are fine.
pub fn check_name(what: &'static str, name: &str) -> Result<(), InvalidName> {
    let reason = if name.is_empty() {
        "is empty: give it at least one character".to_owned()
    } else if name.len() > MAX_NAME_BYTES {
        format!("has {} bytes: use at most {MAX_NAME_BYTES}", name.len())
    } else if let Some(bad) = name.chars().find(|c| c.is_control()) {
        format!("{name:?} contains the control character {bad:?}: use printable characters")
    } else {
        return Ok(());
    };
    Err(InvalidName { what, reason })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] String);

        impl $name {
            /// Takes a checked name.
            ///
            /// # Errors
            /// As [`check_name`].
            pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
                let name = name.into();
                check_name($what, &name)?;
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }
    };
}

name! {
    /// A namespace: executions, components and task queues of two namespaces never meet.
    Namespace, "namespace"
}
name! {
    /// Names an execution. Chosen by who starts it, or made by the host.
    WorkflowId, "workflow id"
}

impl Namespace {
    /// The name of the namespace that is used when none is given.
    pub const DEFAULT: &'static str = "default";
}

impl Default for Namespace {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

/// Names one run of an execution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub Uuid);

impl RunId {
    /// The 16 bytes of the id, as they stand in keys.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RunId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let id = Uuid::parse_str(text).map_err(|_| InvalidName {
            what: "run id",
            reason: format!(
                "{text:?} is not a UUID: copy it from `workflow list` or from the start's answer"
            ),
        })?;
        Ok(Self(id))
    }
}

/// A SHA-256. Of a component's uploaded bytes, where nothing else is said: its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The 32 bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl FromStr for Digest {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse =
            || InvalidName { what: "digest", reason: format!("{text:?} is not 64 hexadecimal digits") };
        from_hex(text).map(Self).ok_or_else(refuse)
    }
}

macro_rules! bytes_cbor {
    ($type:ty, $len:literal, $from:expr, $bytes:expr) => {
        impl<C> Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                let bytes: &[u8; $len] = $bytes(self);
                e.bytes(bytes)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $type {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes: [u8; $len] = d
                    .bytes()?
                    .try_into()
                    .map_err(|_| minicbor::decode::Error::message(concat!("expected ", $len, " bytes")))?;
                Ok($from(bytes))
            }
        }
    };
}

bytes_cbor!(RunId, 16, RunId::from_bytes, RunId::as_bytes);
bytes_cbor!(Digest, 32, Digest, Digest::as_bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_wrong_with_them() {
        let check = |name: &str| WorkflowId::new(name).map_err(|error| error.to_string());
        assert!(check("order/42 für Änne ✓").is_ok());
        assert_eq!(check("").unwrap_err(), "workflow id is empty: give it at least one character");
        assert_eq!(check(&"x".repeat(256)).unwrap_err(), "workflow id has 256 bytes: use at most 255");
        assert!(check("a\nb").unwrap_err().contains("control character"));
    }
}
