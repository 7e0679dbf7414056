//! How values that serde has no readable form for stand in an exported history.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::{Digest, Namespace, RunId, WorkflowId};
use crate::payload::Payload;
use crate::time::Timestamp;

/// Types that stand as the text by which they are displayed.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text(deserializer)
            }
        }
    )*};
}

as_text!(Digest, Namespace, RunId, Timestamp, WorkflowId);

fn text<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A value with its content type. JSON stands as it is, byte for byte; where that has several lines, or spaces around
/// it, as a text; anything else in base64.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PayloadForm<J> {
    Json(J),
    JsonText(String),
    Encoded { content_type: String, base64: String },
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(&self.data).ok().filter(|_| self.is_json());
        let json = text.and_then(|text| Some((text, serde_json::from_str::<&RawValue>(text).ok()?)));
        match json {
            Some((text, json)) if json.get() == text && !text.contains(['\n', '\r']) => {
                PayloadForm::Json(json).serialize(serializer)
            }
            Some((text, _)) => PayloadForm::<()>::JsonText(text.to_owned()).serialize(serializer),
            None => PayloadForm::<()>::Encoded {
                content_type: self.content_type.clone(),
                base64: STANDARD.encode(&self.data),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match PayloadForm::<Box<RawValue>>::deserialize(deserializer)? {
            PayloadForm::Json(json) => Self::json(String::from(Box::<str>::from(json))),
            PayloadForm::JsonText(text) => Self::json(text),
            PayloadForm::Encoded { content_type, base64 } => {
                let data = STANDARD.decode(base64).map_err(D::Error::custom)?;
                Self { content_type, data: data.into() }
            }
        })
    }
}

/// Lower-case hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The 32 bytes that these 64 digits are; `None` when they are not.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

/// `#[serde(with = "form::bytes_32")]`: 64 hexadecimal digits.
pub(crate) mod bytes_32 {
    use super::{Deserialize, Deserializer, Hex, Serializer, from_hex};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        // There is one way to write a checksum, so that one that was changed is noticed.
        let bytes = from_hex(&text).filter(|bytes| Hex(bytes).to_string() == text);
        bytes.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not 64 hexadecimal digits")))
    }
}

/// `#[serde(serialize_with = "form::base64")]`.
pub(crate) fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&base64::display::Base64Display::new(bytes, &STANDARD))
}

/// A length of time: `30s`, `0.25s`.
struct Length(Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}s", self.0.as_secs(), Fraction(self.0.subsec_nanos()))
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let number = text.strip_suffix('s')?;
            let (seconds, fraction) = number.split_once('.').map_or((number, None), |(s, f)| (s, Some(f)));
            Some(Duration::new(digits(seconds)?, fraction.map_or(Some(0), nanoseconds)?))
        };
        parse()
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a length of time in seconds, like \"0.25s\""))
    }
}

/// The nanoseconds after a whole second, with the point, and nothing where there are none.
pub(crate) struct Fraction(pub(crate) u32);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            nanoseconds => write!(f, ".{}", format!("{nanoseconds:09}").trim_end_matches('0')),
        }
    }
}

/// The nanoseconds that these digits after a point are.
pub(crate) fn nanoseconds(fraction: &str) -> Option<u32> {
    let width = u32::try_from(fraction.len()).ok().filter(|width| (1..=9).contains(width))?;
    let number: u32 = digits(fraction)?.try_into().ok()?;
    Some(number * 10_u32.pow(9 - width))
}

/// A number without a sign.
pub(crate) fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `#[serde(with = "form::duration")]`.
pub(crate) mod duration {
    use super::{Deserializer, Duration, Length, Serializer, text};

    pub(crate) fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Length(*length))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        text(deserializer).map(|Length(length)| length)
    }
}

/// `#[serde(with = "form::optional_duration")]`, of a field that is left out where there is none.
pub(crate) mod optional_duration {
    use super::{Deserializer, Duration, Serializer, duration};

    pub(crate) fn serialize<S: Serializer>(
        length: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match length {
            Some(length) => duration::serialize(length, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(payload: &Payload) -> String {
        serde_json::to_string(payload).expect("a payload")
    }

    #[test]
    fn payloads_stand_as_people_read_them_and_come_back_byte_for_byte() {
        let cases: [(&[u8], &str); 8] = [
            (b"{\"b\": 1.0e2,  \"b\":2}", r#"{"json":{"b": 1.0e2,  "b":2}}"#),
            (b"null", r#"{"json":null}"#),
            (b"123456789012345678901234567890", r#"{"json":123456789012345678901234567890}"#),
            ("\"\\u00e9é\"".as_bytes(), "{\"json\":\"\\u00e9é\"}"),
            (b"[1,\n2]", r#"{"json_text":"[1,\n2]"}"#),
            (b" 1", r#"{"json_text":" 1"}"#),
            (b"{\"a\":", r#"{"encoded":{"content_type":"application/json","base64":"eyJhIjo="}}"#),
            (b"\xff", r#"{"encoded":{"content_type":"application/json","base64":"/w=="}}"#),
        ];
        for (data, expected) in cases {
            let payload = Payload::json(data);
            assert_eq!(form(&payload), expected);
            assert_eq!(serde_json::from_str::<Payload>(expected).expect("a payload"), payload);
        }
        let text = Payload { content_type: "text/plain".to_owned(), data: "é".into() };
        assert_eq!(form(&text), r#"{"encoded":{"content_type":"text/plain","base64":"w6k="}}"#);
    }

    #[test]
    fn lengths_of_time_keep_their_nanoseconds() {
        let cases = [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(250), "0.25s"),
            (Duration::from_nanos(1), "0.000000001s"),
            (Duration::MAX, "18446744073709551615.999999999s"),
        ];
        for (length, text) in cases {
            assert_eq!(Length(length).to_string(), text);
            assert_eq!(text.parse::<Length>().expect("a length").0, length);
        }
        for text in
            ["", "s", "1", "-1s", "+1s", "1.s", "1.0000000000s", "1 s", "18446744073709551616s", ".5s"]
        {
            assert!(text.parse::<Length>().is_err(), "{text:?}");
        }
    }
}
