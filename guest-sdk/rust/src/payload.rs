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
    let mut json = serde_json::Deserializer::from_slice(&payload.data);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let why = error.into_inner();
        // The library's name for "not inside of any field".
        let message = if path == "." { why.to_string() } else { format!("field `{path}`: {why}") };
        Failure::typed("bad-json", message)
    })?;
    json.end().map_err(|error| Failure::typed("bad-json", error.to_string()))?;
    Ok(value)
}

/// Puts an option in that the record had no field for when the contract was released. What is no JSON number
/// (NaN) becomes `null`, which the host refuses by name.
pub(crate) fn set_named(more: &mut Vec<(String, Payload)>, key: &str, value: impl Into<serde_json::Value>) {
    let value = Payload { content_type: JSON.to_owned(), data: value.into().to_string().into() };
    set_payload(more, key, value);
}

/// Puts a named value in, in place of the one that was there.
pub(crate) fn set_payload(more: &mut Vec<(String, Payload)>, key: &str, value: Payload) {
    match more.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) => *known = value,
        None => more.push((key.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_its_field() {
        type Expected = BTreeMap<String, Vec<u8>>;
        let expected = [
            ("[]", "invalid type: sequence, expected a map at line 1 column 0"),
            (
                r#"{"a":[1],"b":[2,"3"]}"#,
                "field `b[1]`: invalid type: string \"3\", expected u8 at line 1 column 19",
            ),
            (r#"{"a":[256]}"#, "field `a[0]`: invalid value: integer `256`, expected u8 at line 1 column 9"),
            (r#"{"a":[]} {}"#, "trailing characters at line 1 column 10"),
        ];
        for (json, expected) in expected {
            let payload = Payload { content_type: JSON.to_owned(), data: json.into() };
            let failure = decode::<Expected>(&payload).unwrap_err();
            assert_eq!(failure.to_string(), expected, "{json}");
            assert_eq!(failure.error_type(), "bad-json");
        }
    }
}
