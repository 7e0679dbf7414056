//! A scenario, played on a host in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::time::Duration;

use refrain_engine::failure::Failure;
use refrain_engine::history::{HistoryEvent, HistoryKind};
use refrain_engine::ids::WorkflowId;
use refrain_engine::journal::Surroundings;
use refrain_engine::payload::Payload;
use refrain_plugin::Plugin;
use refrain_plugins::fs::FsPlugin;
use refrain_plugins::http::HttpPlugin;
use refrain_runtime::{Error, ErrorKind, StartWorkflow};
use refrain_testkit::{Code, Ended, Life, RUN_LIMIT, TIME_LIMIT, TestError, TestHost, calls, transcript};
use serde_json::Value;

use super::answers::{self, Unanswered};
use super::file::{Answers, Event, Scenario, ScenarioFile, given};
use super::remarks;

/// What is seen of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// What is to be the same whatever happens to the host.
    pub(super) essence: Essence,
    /// How the execution ended, or why nobody waits for that any longer.
    pub(super) ended: Result<Ended, TestError>,
    /// How long that took, in virtual time.
    pub(super) elapsed: Duration,
    /// The histories of all runs.
    pub(super) history: String,
    /// What became of the events, in their order.
    pub(super) events: Vec<Happened>,
    /// What may be why it is not as expected.
    pub(super) remarks: Vec<String>,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happened {
    /// It was taken, and nothing is answered.
    Taken,
    /// The answer to a query or an update.
    Answered(Result<Payload, Failure>),
    /// The host refused it, as any host would.
    Refused(String),
}

/// How an execution ended, and what it and those that it started asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Essence {
    pub(super) outcome: String,
    /// By execution, through all its runs.
    pub(super) calls: BTreeMap<String, Vec<String>>,
    /// The events that the host refused.
    pub(super) refused: Vec<String>,
}

/// Steps of a run that goes on and on: most likely what would end it was forgotten, and nobody waits for ten years of
/// reminders. A scenario that says how long it goes on may make more.
const MOST_STEPS: u64 = 10_000;

/// A scenario that can be played, any number of times.
pub(super) struct Play<'a> {
    pub(super) file: &'a ScenarioFile,
    pub(super) scenario: &'a Scenario,
    pub(super) code: &'a Code,
    pub(super) unanswered: Unanswered,
}

impl Play<'_> {
    /// A fresh host.
    pub(super) fn host(&self, seed: u64) -> Result<TestHost, String> {
        let Scenario { begins, time_limit, run_limit, environment, arguments, .. } = self.scenario;
        let mut host = TestHost::new(self.code).seed(seed).begins_at(*begins);
        host = host.time_limit(time_limit.unwrap_or(TIME_LIMIT));
        host = host.run_limit(run_limit.map_or(RUN_LIMIT, NonZero::get));
        for name in self.code.names() {
            let environment = environment.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            let surroundings = Surroundings { environment, arguments: arguments.clone() };
            host = host.surroundings(name, surroundings);
        }
        for (activity, answers) in answers::of(Answers::Activities, self.file, self.scenario) {
            host = match answers {
                [answer] if answer.real => host.answers(self.real(activity)?),
                answers => host.answers(answers::activity(activity, answers, &self.unanswered)),
            };
        }
        let children = answers::of(Answers::Children, self.file, self.scenario).into_iter();
        for (workflow, answers) in children.filter(|(_, answers)| answers.iter().any(|answer| !answer.real)) {
            host = host.answers_children(answers::child(workflow, answers, &self.unanswered));
        }
        Ok(host)
    }

    /// An activity of the built-in plugins.
    fn real(&self, name: &str) -> Result<refrain_plugin::Activity, String> {
        let plugins = &self.file.plugins;
        let fs = FsPlugin::open(&plugins.fs).map_err(|error| error.to_string())?;
        let http = HttpPlugin::new(&plugins.http).map_err(|error| error.to_string())?;
        let all = || fs.activities().into_iter().chain(http.activities());
        all().find(|activity| activity.name() == name).map(refrain_testkit::in_real_time).ok_or_else(|| {
            let known: Vec<String> = all().map(|activity| activity.name().to_owned()).collect();
            format!(
                "activities.{name} is real, and no built-in plugin has it: there are {}",
                known.join(", ")
            )
        })
    }

    /// Plays it once, from its beginning: in another life of the same host what was said before is not said twice.
    pub(super) async fn play(&self, life: Life) -> Result<Observed, TestError> {
        let Scenario { workflow, id, input, input_json, events, begins, .. } = self.scenario;
        let start = StartWorkflow {
            id: Some(WorkflowId::new(id).map_err(Error::from)?),
            ..StartWorkflow::new(workflow, payload(given(input, input_json)))
        };
        life.start_with(start).await?;
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_key(|index| events[*index].at);
        let mut happened = vec![Happened::Taken; events.len()];
        for index in order {
            life.until(events[index].at).await;
            happened[index] = match self.happen(&life, &events[index]).await {
                Err(TestError::Host(error)) if is_about_the_event(&error) => {
                    Happened::Refused(error.to_string())
                }
                happened => happened?,
            };
        }
        let ended = match self.ended(&life).await {
            Err(error @ TestError::Host(_)) => return Err(error),
            ended => ended,
        };
        // Events may come after the end.
        let closed = life.describe(id).await?.summary.closed_at;
        let elapsed = closed.map_or_else(|| life.elapsed(), |closed| closed.since(*begins));
        let (mut calls_of, mut history) = (BTreeMap::<String, Vec<String>>::new(), String::new());
        let runs = life.runs().await?;
        let mut remarks = remarks::undeclared(self.scenario, &happened, &runs, self.code);
        let mut missing = BTreeSet::new();
        for run in runs {
            let of = run.workflow_id.to_string();
            let events = life.history(&of, Some(run.run_id)).await?;
            self.look_for_unanswered(&events);
            missing.append(&mut remarks::missing_children(&events));
            history.push_str(&format!("{of} ({})\n{}\n", run.workflow, transcript(&events)));
            calls_of.entry(of).or_default().extend(calls(&events));
        }
        let refused = events.iter().zip(&happened).enumerate().filter_map(|(index, (event, happened))| {
            let Happened::Refused(why) = happened else { return None };
            Some(format!("{} is refused: {why}", event.describe(index)))
        });
        remarks.extend(missing);
        let essence = Essence { outcome: outcome(&ended), calls: calls_of, refused: refused.collect() };
        Ok(Observed { essence, ended, elapsed, history, events: happened, remarks })
    }

    /// How the execution ends.
    async fn ended(&self, life: &Life) -> Result<Ended, TestError> {
        let endless = async {
            // Looked at ever more rarely, so that who sleeps for years is not woken.
            let mut pause = Duration::from_secs(1);
            loop {
                life.sleep(pause).await;
                pause *= 2;
                let steps = life.describe(&self.scenario.id).await?.journal_steps;
                if steps > MOST_STEPS && self.scenario.time_limit.is_none() {
                    return Err(TestError::Stuck {
                        what: format!("workflow {:?}", self.scenario.id),
                        limit: refrain_testkit::length(life.elapsed()),
                        state: format!(
                            "it has made {steps} steps: add the event that ends it, or say with `time_limit` how long it \
                             is to go on"
                        ),
                    });
                }
            }
        };
        tokio::select! {
            biased;
            ended = life.result(&self.scenario.id) => ended,
            stuck = endless => stuck,
        }
    }

    /// Lets an event happen. One that comes after the end of its execution is as it is on any host.
    async fn happen(&self, life: &Life, event: &Event) -> Result<Happened, TestError> {
        let to = event.to.as_deref().unwrap_or(&self.scenario.id);
        let input = given(&event.input, &event.input_json).unwrap_or(Value::Null);
        if let Some(signal) = &event.signal {
            life.signal(to, signal, &input).await?;
        } else if let Some(update) = &event.update {
            return life.update(to, update, &input).await.map(Happened::Answered);
        } else if let Some(query) = &event.query {
            return match life.query_payload(to, query, payload(Some(input))).await {
                Ok(answer) => Ok(Happened::Answered(Ok(answer))),
                Err(TestError::Host(Error::Query { failure })) => Ok(Happened::Answered(Err(*failure))),
                Err(error) => Err(error),
            };
        } else if let Some(reason) = &event.cancel {
            life.cancel(to, reason).await?;
        } else if let Some(reason) = &event.terminate {
            life.terminate(to, reason).await?;
        }
        Ok(Happened::Taken)
    }

    /// Activities that wait for a worker, since nobody answers them.
    fn look_for_unanswered(&self, events: &[HistoryEvent]) {
        let answers = answers::of(Answers::Activities, self.file, self.scenario);
        for event in events {
            if let HistoryKind::ActivityScheduled { name, input, .. } = &event.kind
                && !answers.contains_key(name.as_str())
            {
                self.unanswered.note(Answers::Activities, name, input);
            }
        }
    }
}

/// Whether a host refuses an event for its own sake, and not because it cannot serve.
fn is_about_the_event(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::TooLarge
    )
}

/// How it ended, in a line.
fn outcome(ended: &Result<Ended, TestError>) -> String {
    let ended = match ended {
        Ok(ended) => ended,
        Err(why) => return why.to_string(),
    };
    let status = ended.status.as_str();
    match &ended.outcome {
        Ok(result) => format!("{status} {}", refrain_testkit::text(result)),
        Err(failure) => format!("{status} {}: {}", failure.error_type, failure.message),
    }
}

fn payload(value: Option<Value>) -> Payload {
    Payload::json(value.unwrap_or(Value::Null).to_string())
}
