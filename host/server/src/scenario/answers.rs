//! What activities answer in a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use refrain_plugin::{Activity, ActivityError, Context, Payload};
use refrain_testkit::text;
use serde_json::Value;

use super::file::{Answer, Json, OneOrMany, Scenario, ScenarioFile, given};

/// The answers of a scenario: its own before those of its file.
pub(super) fn of<'a>(
    file: &'a ScenarioFile,
    scenario: &'a Scenario,
) -> BTreeMap<&'a str, &'a OneOrMany<Answer>> {
    let (all, own) = (file.activities.iter(), scenario.activities.iter());
    all.chain(own).map(|(activity, answers)| (activity.as_str(), answers)).collect()
}

/// What activities were asked for and have no answer.
#[derive(Clone, Default)]
pub(super) struct Unanswered(Arc<Mutex<BTreeSet<String>>>);

impl Unanswered {
    pub(super) fn note(&self, call: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call);
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// An activity that answers so.
pub(super) fn activity(name: &str, answers: &[Answer], unanswered: &Unanswered) -> Activity {
    let (answers, unanswered) = (answers.to_vec(), unanswered.clone());
    Activity::raw(name, move |context, input| {
        let asked: Value = input.parse().unwrap_or(Value::Null);
        let answer = answers.iter().find(|answer| answer.takes(&asked)).map(|answer| answer.of(&context));
        let (answer, unanswered) = (answer.cloned(), unanswered.clone());
        async move {
            match answer {
                Some(answer) => give(&answer, &context).await,
                None => {
                    let call = format!("{} {}", context.activity(), line(&input));
                    let message = format!("the scenario has no answer to {call}");
                    unanswered.note(call);
                    Err(ActivityError::non_retryable("NoAnswer", message))
                }
            }
        }
    })
}

impl Answer {
    fn takes(&self, asked: &Value) -> bool {
        given(&self.input, &self.input_json).is_none_or(|wanted| has(asked, &wanted))
    }

    /// The answer to this attempt.
    fn of(&self, context: &Context) -> &Self {
        let index = context.attempt().saturating_sub(1) as usize;
        self.attempts.get(index).or(self.attempts.last()).unwrap_or(self)
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

async fn give(answer: &Answer, context: &Context) -> Result<Payload, ActivityError> {
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
            let message = answer.message.as_deref().unwrap_or("as the scenario says");
            let error = match answer.retryable {
                Some(false) => ActivityError::non_retryable(error, message),
                Some(true) | None => ActivityError::new(error, message),
            };
            Err(match &answer.details {
                Some(Json(details)) => error.with_details(details),
                None => error,
            })
        }
        None => {
            let result = given(&answer.result, &answer.result_json).unwrap_or(Value::Null);
            Ok(Payload::json(&result)?)
        }
    }
}

/// A plugin's payload in a line.
fn line(payload: &Payload) -> String {
    let Payload { content_type, data } = payload.clone();
    text(&refrain_engine::payload::Payload { content_type, data })
}
