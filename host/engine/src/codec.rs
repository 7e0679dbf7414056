//! How records become bytes: CBOR with numbered fields, so that a field can be added without a new format.

use std::fmt;

use bytes::Bytes;
use minicbor::{Decode, Encode};

/// Stored bytes that do not decode: damage, or a record of a newer format.
#[derive(Debug, thiserror::Error)]
#[error("a stored {what} cannot be read: {source}")]
pub struct DecodeError {
    what: &'static str,
    source: minicbor::decode::Error,
}

impl DecodeError {
    /// Of bytes that decode, to what cannot stand where they do.
    pub(crate) fn misplaced(what: &'static str, reason: impl fmt::Display) -> Self {
        Self { what, source: minicbor::decode::Error::message(reason) }
    }
}

/// The stored form of a record.
pub fn encode<T: Encode<()>>(record: &T) -> Bytes {
    let mut buffer = Vec::new();
    minicbor::encode(record, &mut buffer).expect("writing to a vector cannot fail");
    buffer.into()
}

/// The record that these bytes are the stored form of.
///
/// # Errors
/// When they are not; `what` names the record in the message.
pub fn decode<T: for<'b> Decode<'b, ()>>(what: &'static str, bytes: &[u8]) -> Result<T, DecodeError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let record = decoder.decode().map_err(|source| DecodeError { what, source })?;
    if decoder.position() == bytes.len() {
        return Ok(record);
    }
    let source = minicbor::decode::Error::message("bytes follow its end").at(decoder.position());
    Err(DecodeError { what, source })
}

/// `#[cbor(skip_if = "codec::is_default")]`: a field that came later is left out where it says nothing, so that
/// what does not use it is stored as before.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// [`is_default`] for a field of an enum's variant, which `minicbor` asks about with one reference more.
pub(crate) fn is_default_in_variant<T: Default + PartialEq>(value: &&T) -> bool {
    is_default(*value)
}

/// `#[cbor(with = "codec::blob")]`: [`Bytes`] as a CBOR byte string.
pub(crate) mod blob {
    use bytes::Bytes;
    use minicbor::encode::Write;

    pub(crate) fn encode<C, W: Write>(
        bytes: &Bytes,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(bytes)?.ok()
    }

    pub(crate) fn decode<'b, C>(
        d: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Bytes, minicbor::decode::Error> {
        Ok(Bytes::copy_from_slice(d.bytes()?))
    }
}
