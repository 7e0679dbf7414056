//! One run of a scenario, as it is played. The test itself is the worker, on a task queue of the run's own: so it knows
//! what is under way when the host dies, and outcomes come in one order.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use refrain_tests::{Client, encode};
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::history;
use crate::scenarios::{Move, Scenario};

/// How often it is looked whether a run that nothing is heard of is parked.
const LOOK: Duration = Duration::from_millis(500);

/// A run that is being played.
#[derive(Debug)]
pub(crate) struct Play {
    client: Client,
    pub(crate) scenario: Scenario,
    id: String,
    moves: VecDeque<Move>,
    /// Tasks that were taken and not ended yet, by the op of their activity.
    hand: VecDeque<Value>,
    /// The child's id, once there is one.
    child: Option<String>,
    updates: usize,
    /// What was heard, line by line.
    told: String,
}

/// Where a play stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// In its middle.
    Middle,
    /// After the next task that is taken, or ended.
    Turn,
    /// Before the last that is done to it.
    LastAct,
    /// At its end.
    End,
}

impl Play {
    /// Starts the run.
    pub(crate) async fn begin(client: &Client, scenario: Scenario, id: String) -> Result<Self> {
        let input: Value = serde_json::from_str(scenario.input)?;
        let body = json!({
            "workflow": scenario.workflow,
            "id": id,
            "task_queue": id,
            "input": input,
            "request_id": format!("start {id}"),
        });
        client.post("/v1/workflows", &body).await?.ok().with_context(|| format!("start {id}"))?;
        Ok(Self {
            client: client.clone(),
            scenario,
            id,
            moves: scenario.moves.iter().copied().collect(),
            hand: VecDeque::new(),
            child: None,
            updates: 0,
            told: String::new(),
        })
    }

    /// Whether it is not at its end.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.moves.is_empty()
    }

    /// Goes on up to there. Whether it got there before its end.
    pub(crate) async fn go_on(&mut self, until: Until) -> Result<bool> {
        while let Some(next) = self.moves.pop_front() {
            if until == Until::LastAct && next.is_act() && !self.moves.iter().any(Move::is_act) {
                self.moves.push_front(next);
                return Ok(true);
            }
            let trouble = parked(self.client.clone(), self.id.clone());
            let made = tokio::select! {
                made = self.make(next) => made,
                parked = trouble, if !matches!(next, Move::Parked(_)) => parked,
            };
            made.with_context(|| format!("{} at {next:?}", self.id))?;
            let is_turn = matches!(next, Move::Take(_) | Move::End(_));
            let stops = match until {
                Until::Middle => next == Move::Middle,
                Until::Turn => is_turn,
                Until::LastAct | Until::End => false,
            };
            if stops {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn make(&mut self, next: Move) -> Result<()> {
        match next {
            Move::Middle => {}
            Move::Take(count) => self.take(count).await?,
            Move::End(count) => {
                for _ in 0..count {
                    self.end().await?;
                }
            }
            Move::Events(kind, count) => {
                let count_of =
                    |seen: &[refrain_tests::Event]| seen.iter().filter(|event| event.kind() == kind).count();
                let seen = self.client.follow(&self.id, |seen| count_of(seen) >= count).await?;
                ensure!(count_of(&seen) == count, "there are {} of {kind}: {seen:?}", count_of(&seen));
            }
            Move::Child => {
                let run = self
                    .client
                    .described_once(&self.id, |run| run["pending_children"][0]["id"].is_string())
                    .await?;
                self.child = run["pending_children"][0]["id"].as_str().map(str::to_owned);
            }
            Move::Signal(name, input) => {
                self.client.signal(&self.id, name, serde_json::from_str(input)?).await?;
            }
            Move::Cancel(reason) => {
                self.client.post(&self.path("/cancel"), &json!({ "reason": reason })).await?.ok()?;
            }
            Move::Query(name) => {
                let answer = self.client.request(Method::POST, &self.path(&format!("/queries/{name}")));
                let answer = answer.json(&json!({})).send().await?.text().await?;
                let answer: Answer = serde_json::from_str(&answer)?;
                let said = match (&answer.result, answer.failure()?) {
                    (Some(result), _) => result.get().to_owned(),
                    (None, failure) => failure,
                };
                self.tell(&format!("query {name}: {said}"));
            }
            Move::Update(name, input) => {
                self.updates += 1;
                let options = json!({ "update_id": format!("update-{}", self.updates) });
                let answer =
                    self.client.update(&self.id, name, serde_json::from_str(input)?, options).await?;
                let (stage, failure) = (&answer.body["stage"], &answer.body["failure"]);
                let said = match (stage.as_str(), answer.body.get("result")) {
                    (Some(stage), Some(result)) => format!("{stage} {result}"),
                    (Some(stage), None) => format!("{stage} {}", history::failure(&failure.to_string())?),
                    (None, _) => format!("refused {}", answer.problem()),
                };
                self.tell(&format!("update {name} {input}: {said}"));
            }
            Move::Result => {
                self.client.result(&self.id).await?;
                let ended =
                    self.client.request(Method::GET, &self.path("/result")).send().await?.text().await?;
                let ended: Answer = serde_json::from_str(&ended)?;
                let what = match &ended.result {
                    Some(result) => result.get().to_owned(),
                    None => ended.failure()?,
                };
                self.tell(&format!("{}: {what}", ended.status.as_str().unwrap_or_default()));
            }
            Move::Parked(words) => {
                let run = self.client.described_once(&self.id, |run| run["status"] == "parked").await?;
                let parked = &run["parked"];
                let message = parked["message"].as_str().unwrap_or_default();
                ensure!(parked["kind"] == "trap" && message.contains(words), "{run}");
                self.tell(&format!("parked: {words}"));
            }
        }
        Ok(())
    }

    async fn take(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let task = self.client.task(&self.id).await?;
            self.hand.push_back(task);
        }
        let op = |task: &Value| task["activity_id"].as_str().and_then(|op| op.parse::<u64>().ok());
        self.hand.make_contiguous().sort_by_key(op);
        Ok(())
    }

    /// Does what the activity does, and sees to it that the run knows.
    async fn end(&mut self) -> Result<()> {
        let mut task = self.hand.pop_front().context("no task is in hand")?;
        loop {
            let (verb, body) = outcome(&task)?;
            let answer = self.client.tell(&task, verb, body).await?;
            if answer.status != 409 {
                answer.ok()?;
                return Ok(());
            }
            // The machine was so slow that the attempt has timed out: the next one does it.
            let op = task["activity_id"].clone();
            task = self.client.task(&self.id).await?;
            ensure!(task["activity_id"] == op, "{op} was taken, and is not current; now there is {task}");
        }
    }

    fn path(&self, route: &str) -> String {
        format!("/v1/workflows/{}{route}", encode(&self.id))
    }

    fn tell(&mut self, line: &str) {
        self.told.push_str(line);
        self.told.push('\n');
    }

    /// What was heard, and the histories of all runs.
    pub(crate) async fn transcript(&self) -> Result<String> {
        let mut text = format!("{} {}\n{}", self.scenario.workflow, self.scenario.input, self.told);
        let listed = self.client.list(500).await?;
        // The newest comes first.
        let runs = listed.iter().rev().filter(|run| run["id"] == self.id.as_str());
        for run in runs {
            text += "\nhistory\n";
            text += &self.history(&self.id, run["run_id"].as_str().unwrap_or_default()).await?;
        }
        if let Some(child) = &self.child {
            text += "\nhistory of the child\n";
            text += &self.history(child, "").await?;
        }
        Ok(text)
    }

    /// In how many lives of the host this run has events.
    pub(crate) async fn lives(&self) -> Result<usize> {
        let mut lives: Vec<u64> =
            self.client.history(&self.id).await?.iter().map(|event| event.boot()).collect();
        lives.dedup();
        Ok(lives.len())
    }

    async fn history(&self, id: &str, run_id: &str) -> Result<String> {
        let run = if run_id.is_empty() { String::new() } else { format!("&run_id={run_id}") };
        let path = format!("/v1/workflows/{}/history?calls=true{run}", encode(id));
        let page = self.client.request(Method::GET, &path).send().await?.error_for_status()?.text().await?;
        history::normalised(&page).with_context(|| format!("history of {id}"))
    }
}

/// Ends when the run is parked, which it is by a mistake: nothing that is waited for would come.
async fn parked(client: Client, id: String) -> Result<()> {
    loop {
        sleep(LOOK).await;
        // The host may be dead just now; who plays sees to that.
        if let Ok(run) = client.describe(&id).await
            && run["status"] == "parked"
        {
            bail!("it is parked: {}", run["parked"]);
        }
    }
}

/// What an activity comes to: the verb of the API, and what it says.
fn outcome(task: &Value) -> Result<(&'static str, Value)> {
    let fail = |kind: &str, message: &str, non_retryable: bool| {
        let failure = json!({ "type": kind, "message": message, "non_retryable": non_retryable });
        ("fail", json!({ "failure": failure }))
    };
    let (input, attempt) = (&task["input"], task["attempt"].as_u64());
    Ok(match task["activity"].as_str().unwrap_or_default() {
        "echo" => ("complete", json!({ "result": input })),
        "flaky" if attempt <= input["fail_times"].as_u64() => fail("Flaky", "not yet", false),
        "flaky" => ("complete", json!({ "result": "ok" })),
        "broken" => fail("ConnectionRefused", "connection refused", true),
        other => bail!("an activity {other:?} is not in the suite"),
    })
}

/// What the host says of a run's end, or of a query.
#[derive(Debug, Deserialize)]
struct Answer {
    /// How the run ended; of a problem the status of HTTP.
    #[serde(default)]
    status: Value,
    /// Also when it is null, unless there is none.
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    failure: Option<Box<RawValue>>,
    detail: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl Answer {
    fn failure(&self) -> Result<String> {
        match (&self.failure, &self.detail) {
            (Some(failure), _) => history::failure(failure.get()),
            (None, detail) => Ok(detail.clone().unwrap_or_default()),
        }
    }
}
