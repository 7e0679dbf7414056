//! `more`: how a record of options grows after its release. A list of JSON values by key, of which the host
//! knows some; what it does not know, or cannot read, is the guest's misuse, named by key and value.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::bindings::refrain::workflow::types::Payload;
use crate::convert::Misuse;

/// The content type of what is read here.
pub(crate) const JSON: &str = "application/json";

/// How many characters of a guest's text a message shows: enough to recognise it, and guests may send much.
const SHOWN: usize = 100;

/// The values of one `more`, all of them under keys that its record knows.
pub(crate) struct More {
    field: String,
    values: BTreeMap<String, Payload>,
}

impl More {
    /// Takes the list of this field, whose record knows these keys.
    pub(crate) fn new(
        field: impl Into<String>,
        more: Vec<(String, Payload)>,
        known: &[&str],
    ) -> Result<Self, Misuse> {
        let field = field.into();
        let mut values = BTreeMap::new();
        for (key, value) in more {
            if !known.contains(&key.as_str()) {
                let (key, known) = (shown(&key), listed(known));
                return Err(Misuse::new(format!(
                    "{field} has the key {key:?}, which this host does not know ({known}): remove it, or run on a newer host"
                )));
            }
            if values.contains_key(&key) {
                return Err(Misuse::new(format!("{field} has the key {key:?} twice: give it once")));
            }
            values.insert(key, value);
        }
        Ok(Self { field, values })
    }

    /// The value under a key, if there is one; `expected` says what it must be.
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &str, expected: &str) -> Result<Option<T>, Misuse> {
        let Some(Payload { content_type, data }) = self.values.get(key) else { return Ok(None) };
        let field = &self.field;
        if content_type != JSON {
            let content_type = shown(content_type);
            return Err(Misuse::new(format!(
                "{field} has the key {key:?} with the content type {content_type:?}: give {expected}, as {JSON}"
            )));
        }
        serde_json::from_slice(data).map(Some).map_err(|_| {
            let value = shown(&String::from_utf8_lossy(data));
            Misuse::new(format!("{field} has the key {key:?} with the value `{value}`: give {expected}"))
        })
    }
}

fn listed(known: &[&str]) -> String {
    match known {
        [] => "it knows none".to_owned(),
        known => format!("it knows {}", known.join(", ")),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}... ({} bytes)", &text[..cut], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(content_type: &str, values: &[(&str, &str)]) -> Result<Option<u8>, Misuse> {
        let payload = |value: &str| Payload { content_type: content_type.to_owned(), data: value.into() };
        let list = values.iter().map(|(key, value)| ((*key).to_owned(), payload(value))).collect();
        More::new("options.more", list, &["size", "colour"])?.get("size", "a JSON number from 0 to 255")
    }

    #[test]
    fn a_known_key_has_its_value_and_an_absent_one_none() {
        assert_eq!(of_type(JSON, &[("colour", "{}"), ("size", " 7 ")]).unwrap(), Some(7));
        assert_eq!(of_type(JSON, &[("colour", "{}")]).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_taken_is_named_with_the_remedy() {
        /// Content type, the list, and a part of the refusal.
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let long = "é".repeat(1_000);
        let cases: [Case<'_>; 6] = [
            (
                JSON,
                &[("sise", "7")],
                "does not know (it knows size, colour): remove it, or run on a newer host",
            ),
            (JSON, &[("size", "7"), ("size", "7")], "options.more has the key \"size\" twice: give it once"),
            (JSON, &[("size", "\"7\"")], "with the value `\"7\"`: give a JSON number from 0 to 255"),
            (JSON, &[("size", "")], "options.more has the key \"size\" with the value ``: give"),
            (JSON, &[("size", &long)], "é... (2000 bytes)`: give"),
            (
                "text/plain",
                &[("size", "7")],
                "with the content type \"text/plain\": give a JSON number from 0 to 255, as",
            ),
        ];
        for (content_type, values, expected) in cases {
            let refusal = of_type(content_type, values).unwrap_err().to_string();
            assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
        }
        let refusal = More::new(
            "next-run.more",
            vec![(long, Payload { content_type: String::new(), data: Vec::new() })],
            &[],
        );
        let refusal = refusal.err().unwrap().to_string();
        assert!(refusal.contains("(it knows none)") && refusal.len() < 500, "{refusal}");
    }
}
