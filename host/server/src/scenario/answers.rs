//! What activities and children answer in a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::payload::Payload;
use refrain_plugin::{Activity, ActivityError, Context};
use refrain_testkit::{Child, ChildAnswer, text};
use serde_json::Value;

use super::file::{Answer, Answers, Json, OneOrMany, Scenario, ScenarioFile, given};
use super::suite::Unexpected;
use crate::config::toml_key;

/// The type of the failure of what nothing answers.
const NO_ANSWER: &str = "NoAnswer";

/// What an error says that is given no message.
const NO_MESSAGE: &str = "as the scenario says";

/// The answers of a scenario: its own before those of its file.
pub(super) fn of<'a>(
    whose: Answers,
    file: &'a ScenarioFile,
    scenario: &'a Scenario,
) -> BTreeMap<&'a str, &'a [Answer]> {
    let (all, own) = match whose {
        Answers::Activities => (&file.activities, &scenario.activities),
        Answers::Children => (&file.children, &scenario.children),
    };
    let both = all.iter().chain(own);
    both.map(|(name, OneOrMany(answers))| (name.as_str(), &answers[..])).collect()
}

/// What was asked for and has no answer.
#[derive(Clone, Default)]
pub(super) struct Unanswered(Arc<Mutex<BTreeSet<(Answers, String, String)>>>);

impl Unanswered {
    /// Answers what the failure of such a call says.
    pub(super) fn note(&self, of: Answers, name: &str, input: &Payload) -> String {
        let input = text(input);
        let message = format!("the scenario has no answer to {name} {input}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((of, name.to_owned(), input));
        message
    }

    /// What to say of it.
    pub(super) fn unexpected(&self) -> Vec<Unexpected> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let say = |(of, name, input): &(Answers, String, String)| {
            let table = format!("[scenario.{}.{}]", of.key(), toml_key(name));
            Unexpected::new(of.key(), format!("nothing answers {name} {input}: add {table}"))
        };
        noted.iter().map(say).collect()
    }
}

/// An activity that answers so.
pub(super) fn activity(name: &str, answers: &[Answer], unanswered: &Unanswered) -> Activity {
    let (answers, unanswered) = (answers.to_vec(), unanswered.clone());
    Activity::raw(name, move |context, input| {
        let refrain_plugin::Payload { content_type, data } = input;
        let input = Payload { content_type, data };
        let asked = json(&input);
        let answer = answers.iter().find(|answer| answer.takes(&asked));
        let answer = answer.map(|answer| answer.of(context.attempt()).clone());
        let unanswered = unanswered.clone();
        async move {
            match answer {
                Some(answer) => give(&answer, &context).await,
                None => {
                    let message = unanswered.note(Answers::Activities, context.activity(), &input);
                    Err(ActivityError::non_retryable(NO_ANSWER, message))
                }
            }
        }
    })
}

/// Children that answer so. The first of the answers that fits is given, and nothing but what a run began with says
/// which one that is: a replay must come to the same.
pub(super) fn child(workflow: &str, answers: &[Answer], unanswered: &Unanswered) -> Child {
    // Those of children that are answered, and therefore need not be there.
    let components =
        answers.iter().filter(|answer| !answer.real).filter_map(|answer| answer.component.clone());
    let components: Vec<String> = components.collect();
    let (name, answers, unanswered) = (workflow.to_owned(), answers.to_vec(), unanswered.clone());
    let child = Child::raw(workflow, move |child| {
        let asked = json(child.input);
        let is_here = |answer: &&Answer| answer.component.as_ref().is_none_or(|name| name == child.component);
        match answers.iter().filter(is_here).find(|answer| answer.takes(&asked)) {
            Some(answer) if answer.real => None,
            Some(answer) => Some(answer.of(child.attempt).for_a_child()),
            None => {
                let message = unanswered.note(Answers::Children, &name, child.input);
                let failure = Failure::new(FailureKind::Application, NO_ANSWER, message);
                let outcome = Outcome::Failed(Failure { non_retryable: true, ..failure });
                Some(ChildAnswer { after: Duration::ZERO, outcome })
            }
        }
    });
    components.into_iter().fold(child, Child::in_component)
}

/// An argument as answers are chosen by it.
fn json(input: &Payload) -> Value {
    serde_json::from_slice(&input.data).unwrap_or(Value::Null)
}

impl Answer {
    fn takes(&self, asked: &Value) -> bool {
        given(&self.input, &self.input_json).is_none_or(|wanted| has(asked, &wanted))
    }

    /// The answer to this attempt, of which the first is number 1.
    fn of(&self, attempt: u32) -> &Self {
        let index = attempt.saturating_sub(1) as usize;
        self.attempts.get(index).or(self.attempts.last()).unwrap_or(self)
    }

    fn result(&self) -> Value {
        given(&self.result, &self.result_json).unwrap_or(Value::Null)
    }

    fn for_a_child(&self) -> ChildAnswer {
        let payload = |value: &Value| Payload::json(value.to_string());
        let outcome = match &self.error {
            None => Outcome::Completed(payload(&self.result())),
            Some(error) => {
                let message = self.message.as_deref().unwrap_or(NO_MESSAGE);
                Outcome::Failed(Failure {
                    details: self.details.as_ref().map(|Json(details)| payload(details)),
                    non_retryable: self.retryable == Some(false),
                    ..Failure::new(FailureKind::Application, error, message)
                })
            }
        };
        ChildAnswer { after: self.after, outcome }
    }
}

/// Whether a value is this one, or an object with these fields.
fn has(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| value.get(key).is_some_and(|value| has(value, wanted)))
        }
        (value, wanted) => value == wanted,
    }
}

async fn give(answer: &Answer, context: &Context) -> Result<refrain_plugin::Payload, ActivityError> {
    let taking = async {
        for heartbeat in &answer.heartbeats {
            tokio::time::sleep(heartbeat.after).await;
            let details = heartbeat.details.as_ref().map(|Json(details)| details);
            context.heartbeat(details)?;
        }
        tokio::time::sleep(answer.after).await;
        Ok::<(), ActivityError>(())
    };
    tokio::select! {
        biased;
        reason = context.cancelled() => return Err(ActivityError::cancelled(reason)),
        taken = taking => taken?,
    }
    match &answer.error {
        Some(error) => {
            let message = answer.message.as_deref().unwrap_or(NO_MESSAGE);
            let error = match answer.retryable {
                Some(false) => ActivityError::non_retryable(error, message),
                Some(true) | None => ActivityError::new(error, message),
            };
            Err(match &answer.details {
                Some(Json(details)) => error.with_details(details),
                None => error,
            })
        }
        None => Ok(refrain_plugin::Payload::json(&answer.result())?),
    }
}
