//! Files of scenarios: TOML, with the keys that `docs/TESTING.md` explains.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use refrain_engine::time::Timestamp;
use refrain_testkit::{BEGINNING, length};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::config::{self, PluginsConfig};

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// The component under test, from the file's folder; if none is given, the project's.
    pub component: Option<PathBuf>,
    /// More components, by name: those of children, say.
    #[serde(default)]
    pub components: BTreeMap<String, PathBuf>,
    /// What activities answer in all scenarios, unless one says otherwise.
    #[serde(default)]
    pub activities: BTreeMap<String, OneOrMany<Answer>>,
    /// What children answer in all scenarios, unless one says otherwise.
    #[serde(default)]
    pub children: BTreeMap<String, OneOrMany<Answer>>,
    /// What the real plugins may do, as in a host's configuration.
    #[serde(default)]
    pub plugins: PluginsConfig,
    /// The scenarios.
    #[serde(rename = "scenario")]
    pub scenarios: Vec<Scenario>,
}

/// One execution, what happens to it, and what is expected of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// The workflow's type.
    pub workflow: String,
    /// The execution's id.
    #[serde(default = "default_id")]
    pub id: String,
    /// The workflow's argument. `null` unless given.
    pub input: Option<Json>,
    /// The same as JSON's text.
    pub input_json: Option<JsonText>,
    /// The seed of all that is random.
    #[serde(default)]
    pub seed: u64,
    /// When it begins.
    #[serde(default = "default_beginning", deserialize_with = "moment")]
    pub begins: Timestamp,
    /// After how much virtual time it is given up. Ten years unless given, and sooner when it goes on and on.
    #[serde(default, deserialize_with = "length_if_given")]
    pub time_limit: Option<Duration>,
    /// After how many runs of one execution it is given up. Ten thousand unless given.
    pub run_limit: Option<NonZero<u64>>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Arguments of the program.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What activities answer, by type.
    #[serde(default)]
    pub activities: BTreeMap<String, OneOrMany<Answer>>,
    /// What children answer, by the type of their workflow. Others run as their components say.
    #[serde(default)]
    pub children: BTreeMap<String, OneOrMany<Answer>>,
    /// What happens meanwhile.
    #[serde(default)]
    pub events: Vec<Event>,
    /// What is expected.
    #[serde(default)]
    pub expect: Expected,
}

/// What the attempts of an activity, or the runs of a child, answer. Without anything: `null`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// Only to those with this input, or with an input that has these fields.
    pub input: Option<Json>,
    /// The same as JSON's text.
    pub input_json: Option<JsonText>,
    /// Only to children that are started in this component, which then need not be there.
    pub component: Option<String>,
    /// It completes with this.
    pub result: Option<Json>,
    /// The same as JSON's text.
    pub result_json: Option<JsonText>,
    /// It fails with an error of this type.
    pub error: Option<String>,
    /// What the error says.
    pub message: Option<String>,
    /// What the error says to the workflow's code.
    pub details: Option<Json>,
    /// Whether the error may be retried.
    pub retryable: Option<bool>,
    /// How long it takes, in virtual time.
    #[serde(deserialize_with = "config::duration")]
    pub after: Duration,
    /// What an activity says of its progress on the way.
    pub heartbeats: Vec<Heartbeat>,
    /// One answer for each attempt. The last is that of all later ones.
    pub attempts: Vec<Answer>,
    /// The real plugin answers, and no virtual time passes meanwhile; or the component that has the child.
    pub real: bool,
}

/// A heartbeat of an attempt.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// How long after the one before, or after the attempt began.
    #[serde(deserialize_with = "config::duration")]
    pub after: Duration,
    /// Its details. `null` unless given.
    pub details: Option<Json>,
}

/// Something that happens to an execution: exactly one of the kinds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Event {
    /// When, since the scenario began.
    #[serde(deserialize_with = "config::duration")]
    pub at: Duration,
    /// To which execution; if none is given, to the scenario's own.
    pub to: Option<String>,
    /// A signal of this name.
    pub signal: Option<String>,
    /// A query of this name.
    pub query: Option<String>,
    /// An update of this name.
    pub update: Option<String>,
    /// A cancel request with this reason.
    pub cancel: Option<String>,
    /// An end by force, with this reason.
    pub terminate: Option<String>,
    /// The argument of a signal, query or update. `null` unless given.
    pub input: Option<Json>,
    /// The same as JSON's text.
    pub input_json: Option<JsonText>,
    /// What a query or an update is to answer.
    pub answer: Option<Json>,
    /// The same as JSON's text.
    pub answer_json: Option<JsonText>,
    /// The type of the failure that a query or an update is to answer.
    pub failure: Option<String>,
}

/// What is expected of an execution. What is not said is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expected {
    /// It completes with this.
    pub result: Option<Json>,
    /// The same as JSON's text.
    pub result_json: Option<JsonText>,
    /// It fails with an error of this type.
    pub failure: Option<String>,
    /// The failure's message, or that of one of its causes, has this in it.
    pub message: Option<String>,
    /// How it ends: `completed`, `failed`, `canceled`, `terminated` or `timed-out`.
    pub status: Option<String>,
    /// What it asks for, in this order. A line that is the beginning of a call's words will do.
    pub calls: Option<Vec<String>>,
    /// The same in any order.
    pub calls_in_any_order: Option<Vec<String>>,
    /// How long it takes, in virtual time.
    #[serde(deserialize_with = "length_if_given")]
    pub elapsed: Option<Duration>,
    /// Its history is the one that was accepted with `--bless`.
    pub history: bool,
}

fn default_id() -> String {
    "test".to_owned()
}

fn default_beginning() -> Timestamp {
    BEGINNING
}

impl ScenarioFile {
    /// Reads a text.
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = config::from_toml(text)?;
        check_answers(Answers::Activities, &file.activities)?;
        check_answers(Answers::Children, &file.children)?;
        if file.scenarios.is_empty() {
            return Err("there is no [[scenario]] in it".to_owned());
        }
        for (index, scenario) in file.scenarios.iter().enumerate() {
            scenario.check().map_err(|problem| format!("scenario {:?}: {problem}", scenario.name))?;
            if let Some(other) = file.scenarios[..index].iter().find(|other| other.slug() == scenario.slug())
            {
                let (one, other) = (&other.name, &scenario.name);
                return Err(format!(
                    "the scenarios {one:?} and {other:?} have one name for files: rename one of them"
                ));
            }
        }
        Ok(file)
    }
}

impl Scenario {
    /// Its name, as one of a file.
    pub(super) fn slug(&self) -> String {
        let of = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
        self.name.chars().map(of).collect()
    }

    fn check(&self) -> Result<(), String> {
        const STATUSES: [&str; 5] = ["completed", "failed", "canceled", "terminated", "timed-out"];
        at_most_one("input", &self.input, &self.input_json)?;
        check_answers(Answers::Activities, &self.activities)?;
        check_answers(Answers::Children, &self.children)?;
        for (index, event) in self.events.iter().enumerate() {
            event.check().map_err(|problem| format!("events[{index}] {problem}"))?;
        }
        let Expected { result, result_json, failure, message, status, .. } = &self.expect;
        at_most_one("expect.result", result, result_json)?;
        if (result.is_some() || result_json.is_some()) && (failure.is_some() || message.is_some()) {
            return Err("expect has a result and a failure: leave one out".to_owned());
        }
        match status {
            Some(status) if !STATUSES.contains(&status.as_str()) => {
                Err(format!("expect.status is {status:?}: give one of {}", STATUSES.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Event {
    /// Which one it is, for people: `events[1], signal decide at 3h`.
    pub(super) fn describe(&self, index: usize) -> String {
        let kinds = [
            ("signal", &self.signal),
            ("query", &self.query),
            ("update", &self.update),
            ("cancel", &self.cancel),
            ("terminate", &self.terminate),
        ];
        let what = kinds.into_iter().find_map(|(kind, value)| Some((kind, value.as_ref()?)));
        let what = match what {
            Some((kind @ ("signal" | "query" | "update"), name)) => format!("{kind} {name}"),
            Some((kind, _)) => kind.to_owned(),
            None => "an event".to_owned(),
        };
        format!("events[{index}], {what} at {}", length(self.at))
    }

    fn check(&self) -> Result<(), String> {
        let kinds = [&self.signal, &self.query, &self.update, &self.cancel, &self.terminate];
        if kinds.iter().filter(|kind| kind.is_some()).count() != 1 {
            return Err("is to have exactly one of signal, query, update, cancel and terminate".to_owned());
        }
        at_most_one("input", &self.input, &self.input_json)?;
        at_most_one("answer", &self.answer, &self.answer_json)?;
        let answers = self.query.is_some() || self.update.is_some();
        if !answers && (self.answer.is_some() || self.answer_json.is_some() || self.failure.is_some()) {
            return Err("has an answer, which queries and updates alone give: leave it out".to_owned());
        }
        if self.failure.is_some() && (self.answer.is_some() || self.answer_json.is_some()) {
            return Err("has an answer and a failure: leave one out".to_owned());
        }
        Ok(())
    }
}

/// Whose answers a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answers {
    Activities,
    Children,
}

impl Answers {
    /// The table's name.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Children => "children",
        }
    }
}

fn check_answers(of: Answers, answers: &BTreeMap<String, OneOrMany<Answer>>) -> Result<(), String> {
    for (name, OneOrMany(answers)) in answers {
        let within = |problem: String| format!("{}.{} {problem}", of.key(), config::toml_key(name));
        for answer in answers {
            answer.check(of).map_err(within)?;
        }
        let is_chosen =
            |answer: &Answer| answers.len() > 1 || answer.input.is_some() || answer.input_json.is_some();
        if of == Answers::Activities && answers.iter().any(|answer| answer.real && is_chosen(answer)) {
            let problem = "is real for some: the plugin answers all of them, or none";
            return Err(within(problem.to_owned()));
        }
    }
    Ok(())
}

impl Answer {
    fn check(&self, of: Answers) -> Result<(), String> {
        at_most_one("input", &self.input, &self.input_json)?;
        at_most_one("result", &self.result, &self.result_json)?;
        let foreign = match of {
            Answers::Activities => {
                self.component.is_some().then_some("`component`, which children alone have")
            }
            Answers::Children => {
                (!self.heartbeats.is_empty()).then_some("`heartbeats`, which activities alone send")
            }
        };
        if let Some(foreign) = foreign {
            return Err(format!("has {foreign}: leave it out"));
        }
        let completes = self.result.is_some() || self.result_json.is_some();
        if completes && self.error.is_some() {
            return Err("has a result and an error: leave one out".to_owned());
        }
        let about_an_error = self.message.is_some() || self.retryable.is_some() || self.details.is_some();
        if self.error.is_none() && about_an_error {
            let problem =
                "has no error that `message`, `details` and `retryable` are about: add `error`, its type";
            return Err(problem.to_owned());
        }
        let says = completes || self.error.is_some() || !self.after.is_zero() || !self.heartbeats.is_empty();
        if self.real && (says || !self.attempts.is_empty()) {
            return Err("is real, and says what it answers: leave one out".to_owned());
        }
        if says && !self.attempts.is_empty() {
            return Err("has attempts, and an answer beside them: leave one out".to_owned());
        }
        for attempt in &self.attempts {
            if attempt.real
                || attempt.input.is_some()
                || attempt.input_json.is_some()
                || attempt.component.is_some()
                || !attempt.attempts.is_empty()
            {
                return Err("has attempts with `real`, `input`, `component` or `attempts`, which are the answer's own"
                    .to_owned());
            }
            attempt.check(of)?;
        }
        Ok(())
    }
}

fn at_most_one(key: &str, value: &Option<Json>, text: &Option<JsonText>) -> Result<(), String> {
    match (value, text) {
        (Some(_), Some(_)) => Err(format!("has {key} and {key}_json: leave one out")),
        _ => Ok(()),
    }
}

/// A value that is there as TOML or as JSON's text.
pub(super) fn given(value: &Option<Json>, text: &Option<JsonText>) -> Option<Value> {
    value
        .as_ref()
        .map(|Json(value)| value.clone())
        .or_else(|| text.as_ref().map(|JsonText(value)| value.clone()))
}

/// A TOML value, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(pub Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        toml::Value::deserialize(deserializer).map(|value| Self(json(value)))
    }
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        // JSON has no infinities.
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

/// A JSON text, for what TOML cannot say: `null`.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonText(pub Value);

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text)
            .map(Self)
            .map_err(|error| D::Error::custom(format!("it is no JSON: {error}")))
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, Default)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Unlike an untagged choice it says what is wrong with which key.
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, or a list of tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| vec![one])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq))
            }
        }
        deserializer.deserialize_any(Either(PhantomData)).map(Self)
    }
}

fn length_if_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    config::duration(deserializer).map(Some)
}

/// A time as RFC 3339 writes it, as TOML's own or as a text.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let remedy = "a time is written like 2026-01-01T00:00:00Z";
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::String(text) => text,
        _ => return Err(D::Error::custom(remedy)),
    };
    let time: jiff::Timestamp = text.parse().map_err(|_| D::Error::custom(remedy))?;
    u64::try_from(time.as_nanosecond())
        .map(Timestamp)
        .map_err(|_| D::Error::custom("it is before 1970 or past 2500"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LEAST: &str = "[[scenario]]\nname = \"a\"\nworkflow = \"w\"\n";

    #[test]
    fn two_keys_are_enough() {
        let file = ScenarioFile::parse(LEAST).expect("a file");
        let scenario = &file.scenarios[0];
        assert_eq!((scenario.id.as_str(), scenario.seed, scenario.begins), ("test", 0, BEGINNING));
        assert!(given(&scenario.input, &scenario.input_json).is_none() && scenario.events.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_the_remedy() {
        let cases: [(&str, Expect); 13] = [
            (
                "",
                expect![[r#"
                TOML parse error at line 1, column 1
                  |
                1 | 
                  | ^
                missing field `scenario`"#]],
            ),
            (
                "retries = 3",
                expect![[r#"
                    TOML parse error at line 4, column 1
                      |
                    4 | retries = 3
                      | ^^^^^^^
                    unknown field `retries`, expected one of `name`, `workflow`, `id`, `input`, `input_json`, `seed`, `begins`, `time_limit`, `run_limit`, `environment`, `arguments`, `activities`, `children`, `events`, `expect`"#]],
            ),
            (
                "input = 1\ninput_json = \"1\"",
                expect![[r#"scenario "a": has input and input_json: leave one out"#]],
            ),
            (
                "input_json = \"{\"",
                expect![[r#"
                TOML parse error at line 4, column 14
                  |
                4 | input_json = "{"
                  |              ^^^
                it is no JSON: EOF while parsing an object at line 1 column 1"#]],
            ),
            (
                "begins = \"tomorrow\"",
                expect![[r#"
                TOML parse error at line 4, column 10
                  |
                4 | begins = "tomorrow"
                  |          ^^^^^^^^^^
                a time is written like 2026-01-01T00:00:00Z"#]],
            ),
            (
                "activities.pay = { result = 1, error = \"Busy\" }",
                expect![[r#"scenario "a": activities.pay has a result and an error: leave one out"#]],
            ),
            (
                "activities.pay = [{ attempts = [{ real = true }] }]",
                expect![[
                    r#"scenario "a": activities.pay has attempts with `real`, `input`, `component` or `attempts`, which are the answer's own"#
                ]],
            ),
            (
                "activities.\"fs.hash\" = [{ real = true }, { error = \"NotFound\" }]",
                expect![[
                    r#"scenario "a": activities."fs.hash" is real for some: the plugin answers all of them, or none"#
                ]],
            ),
            (
                "children.ship = { result = 1, heartbeats = [{ after = \"1s\" }] }",
                expect![[
                    r#"scenario "a": children.ship has `heartbeats`, which activities alone send: leave it out"#
                ]],
            ),
            (
                "activities.pay = { component = \"bank\" }",
                expect![[
                    r#"scenario "a": activities.pay has `component`, which children alone have: leave it out"#
                ]],
            ),
            (
                "children.ship = { message = \"lost\" }",
                expect![[
                    r#"scenario "a": children.ship has no error that `message`, `details` and `retryable` are about: add `error`, its type"#
                ]],
            ),
            (
                "events = [{ at = \"3d\", signal = \"go\", cancel = \"no\" }]",
                expect![[
                    r#"scenario "a": events[0] is to have exactly one of signal, query, update, cancel and terminate"#
                ]],
            ),
            (
                "expect = { status = \"done\" }",
                expect![[
                    r#"scenario "a": expect.status is "done": give one of completed, failed, canceled, terminated, timed-out"#
                ]],
            ),
        ];
        let twin = LEAST.replace("\"a\"", "\"A\"");
        expect![[r#"the scenarios "a" and "A" have one name for files: rename one of them"#]]
            .assert_eq(&ScenarioFile::parse(&format!("{LEAST}{twin}")).expect_err("one file for two"));
        for (more, expected) in cases {
            let text = if more.is_empty() { String::new() } else { format!("{LEAST}{more}\n") };
            expected.assert_eq(&ScenarioFile::parse(&text).expect_err("no scenarios"));
        }
    }
}
