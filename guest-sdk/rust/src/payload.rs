//! Values on their way in and out: JSON, always written in the same way.
//!
//! A replay compares bytes, so a value must be written alike each time. serde writes the fields of a struct
//! in the order of their declaration and without spaces. A map is written in its own order: take a `BTreeMap`
//! for what goes into an activity's input or a workflow's result (see the crate's documentation on
//! `HashMap`).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;
use crate::bindings::refrain::workflow::types::Payload;

/// What JSON payloads are marked with.
pub(crate) const JSON: &str = "application/json";

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Failure> {
    match serde_json::to_vec(value) {
        Ok(data) => Ok(Payload { content_type: JSON.to_owned(), data }),
        Err(error) => Err(Failure::typed("not-json", format!("cannot be written as JSON: {error}"))),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, Failure> {
    if payload.content_type != JSON {
        let message = format!("the payload is `{}`, expected `{JSON}`", payload.content_type);
        return Err(Failure::typed("content-type", message));
    }
    serde_json::from_slice(&payload.data).map_err(|error| Failure::typed("bad-json", error.to_string()))
}
