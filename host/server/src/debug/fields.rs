//! JSON as lines that people read: a field on each, in the order that it has, and values byte for byte.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::render::shortened;
use crate::wire::Json;

/// Characters of a value that are shown; `--json` has all.
const SHOWN_VALUE: usize = 2_000;

/// An object, with its fields in the order of the text. `serde_json`'s own sorts them.
struct Fields(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The value of a choice with a value, `{"name": value}`; `None` for one without.
pub(super) fn inner(choice: &Json) -> Option<Json> {
    let Fields(fields) = serde_json::from_str(choice.get()).ok()?;
    let [(_, value)] = <[_; 1]>::try_from(fields).ok()?;
    Some(value)
}

/// The lines of a value.
pub(super) fn lines(value: &Json) -> Vec<String> {
    if let Some(Fields(fields)) = object(value) {
        return fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    }
    match list(value) {
        Some(items) => items.iter().flat_map(item).collect(),
        None => vec![plain(value)],
    }
}

fn field(name: &str, value: &Json) -> Vec<String> {
    let below: Vec<String> = if object(value).is_some() || list(value).is_some() {
        lines(value).iter().map(|line| format!("  {line}")).collect()
    } else {
        Vec::new()
    };
    if below.is_empty() {
        return vec![format!("{name}: {}", plain(value))];
    }
    [vec![format!("{name}:")], below].concat()
}

fn item(value: &Json) -> Vec<String> {
    let lines = lines(value);
    lines.iter().enumerate().map(|(at, line)| format!("{} {line}", if at == 0 { "-" } else { " " })).collect()
}

/// An object that is more than a payload in JSON, which is shown as its value alone, and than nothing.
fn object(value: &Json) -> Option<Fields> {
    let fields: Fields = serde_json::from_str(value.get()).ok()?;
    match &fields.0[..] {
        [] => None,
        [(name, _)] if name == JSON => None,
        _ => Some(fields),
    }
}

/// A list of objects; one of anything else is a line.
fn list(value: &Json) -> Option<Vec<Json>> {
    let items: Vec<Json> = serde_json::from_str(value.get()).ok()?;
    items.iter().any(|item| object(item).is_some()).then_some(items)
}

fn plain(value: &Json) -> String {
    let payload = inner(value).filter(|_| value.get().starts_with(PAYLOAD));
    shortened(payload.as_ref().unwrap_or(value).get(), SHOWN_VALUE)
}

/// The form of a payload in JSON: see `host/engine/FORMAT.md`.
const JSON: &str = "json";
const PAYLOAD: &str = "{\"json\":";

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn json(text: &str) -> Json {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn each_field_is_a_line_and_values_keep_their_text() {
        let value = json(
            r#"{"name":"charge","input":{"json":{"z": 1.0e2,"a":[1, 2]}},"options":{"retry":{"attempts":3},"more":{}},
            "ops":[1,2],"events":[{"finished":{"op":1,"outcome":{"completed":{"json":"paid"}}}},"other"]}"#,
        );
        let lines: String = lines(&value).iter().map(|line| format!("{line}\n")).collect();
        expect![[r#"
            name: "charge"
            input: {"z": 1.0e2,"a":[1, 2]}
            options:
              retry:
                attempts: 3
              more: {}
            ops: [1,2]
            events:
              - finished:
                  op: 1
                  outcome:
                    completed: "paid"
              - "other"
        "#]]
        .assert_eq(&lines);
    }

    #[test]
    fn a_choice_has_a_value_or_is_a_word() {
        assert_eq!(inner(&json(r#"{"wait":"everything"}"#)).expect("a value").get(), "\"everything\"");
        assert!(inner(&json(r#""now""#)).is_none());
    }
}
