//! A value on its way between a workflow and an activity: bytes with a content type.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes with their content type. JSON is what workflows and plugins speak unless they agree on something else.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The media type, `application/json` for JSON.
    pub content_type: String,
    /// The bytes, opaque to the host.
    pub data: Bytes,
}

impl Payload {
    /// The content type of JSON.
    pub const JSON: &'static str = "application/json";

    /// `value` as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Payload, serde_json::Error> {
        let data = Bytes::from(serde_json::to_vec(value)?);
        Ok(Payload { content_type: Payload::JSON.to_owned(), data })
    }

    /// The JSON in this payload as a `T`. No bytes at all are read as `null`, so that an activity without an
    /// input can be called without one.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ParseError> {
        if !self.is_json() {
            let message =
                format!("content type is `{}`, expected `{}`: send JSON", self.content_type, Payload::JSON);
            return Err(ParseError { field: None, message });
        }
        let data: &[u8] = if self.data.is_empty() { b"null" } else { &self.data };
        let mut json = serde_json::Deserializer::from_slice(data);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            // The library's name for "not inside of any field".
            let field = (path != ".").then_some(path);
            ParseError { field, message: error.into_inner().to_string() }
        })?;
        json.end().map_err(|error| ParseError { field: None, message: error.to_string() })?;
        Ok(value)
    }

    /// Whether the content type is JSON; parameters such as `charset` do not matter.
    fn is_json(&self) -> bool {
        let essence = self.content_type.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(Payload::JSON)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads are users' data, possibly large, possibly secret: a debug line tells their shape alone.
        write!(f, "Payload({}, {} bytes)", self.content_type, self.data.len())
    }
}

/// Why a payload is not the value that was asked for; names the field where one is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    field: Option<String>,
    message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "field `{field}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Payload {
        Payload { content_type: Payload::JSON.to_owned(), data: Bytes::copy_from_slice(text.as_bytes()) }
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        path: String,
        #[serde(default)]
        parts: Vec<u8>,
    }

    #[test]
    fn a_value_survives_the_way_there_and_back() {
        let payload = Payload::json(&serde_json::json!({"path": "ä", "parts": [1, 2]})).unwrap();
        assert_eq!(payload.parse(), Ok(Input { path: "ä".to_owned(), parts: vec![1, 2] }));
    }

    #[test]
    fn numbers_keep_their_last_bit() {
        for number in [0.933_333_333_333_333_3, 0.1 + 0.2, f64::MIN_POSITIVE, 1.797_693_134_862_315_7e308] {
            let back: f64 = Payload::json(&number).unwrap().parse().unwrap();
            assert_eq!(back.to_bits(), number.to_bits(), "{number}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let cases = [
            (r#"{}"#, "missing field `path`"),
            (r#"{"path": 7}"#, "field `path`: invalid type: integer `7`, expected a string"),
            (r#"{"path": "a", "parts": [1, 999]}"#, "field `parts[1]`: invalid value: integer `999`"),
            (r#"{"path": "a", "pth": 1}"#, "field `pth`: unknown field `pth`, expected `path` or `parts`"),
            (r#"{"path": "a"} x"#, "trailing characters"),
            (r#"{"path": "#, "EOF while parsing"),
            ("", "invalid type: null"),
        ];
        for (text, expected) in cases {
            let message = json(text).parse::<Input>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: got {message:?}, expected {expected:?}");
        }
    }

    #[test]
    fn no_bytes_are_no_input() {
        assert_eq!(json("").parse::<()>(), Ok(()));
        assert_eq!(json("").parse::<Option<Input>>(), Ok(None));
    }

    #[test]
    fn only_json_is_read_as_json() {
        let charset = Payload { content_type: "Application/JSON; charset=utf-8".to_owned(), ..json("1") };
        assert_eq!(charset.parse::<u8>(), Ok(1));
        let binary = Payload { content_type: "application/octet-stream".to_owned(), ..json("1") };
        let message = binary.parse::<u8>().unwrap_err().to_string();
        assert!(message.contains("`application/octet-stream`"), "{message}");
    }

    #[test]
    fn a_debug_line_keeps_the_data_to_itself() {
        assert_eq!(format!("{:?}", json("\"secret\"")), "Payload(application/json, 8 bytes)");
    }
}
