//! The host's HTTP API, as far as these commands need it.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long one long-poll waits for news.
const POLL_WAIT: &str = "20s";

/// How long one request may take: a long-poll, and room for a busy machine.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// How long something may take that a run is expected to do; the largest directory is archived in less.
const RUN_LIMIT: Duration = Duration::from_secs(600);

/// The largest answer: histories of large backups are long.
const ANSWER_LIMIT: u64 = 256 * 1024 * 1024;

/// A client of one host.
#[derive(Debug)]
pub(crate) struct Api {
    agent: Agent,
    url: String,
}

/// An event of a run's history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event(pub(crate) Value);

impl Event {
    /// What happened, such as `activity-completed`.
    pub(crate) fn kind(&self) -> &str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// Its number in the history.
    pub(crate) fn number(&self) -> u64 {
        self.0["number"].as_u64().unwrap_or_default()
    }

    /// Which life of the host recorded it.
    pub(crate) fn boot(&self) -> u64 {
        self.0["boot"].as_u64().unwrap_or_default()
    }

    /// More about it.
    pub(crate) fn attribute(&self, name: &str) -> &Value {
        &self.0["attributes"][name]
    }

    /// Whether it is the end of an activity of this name.
    pub(crate) fn completes(&self, activity: &str) -> bool {
        self.kind() == "activity-completed" && self.attribute("name") == activity
    }
}

impl Api {
    /// A client of the host at this URL.
    pub(crate) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_LIMIT))
            // What the environment says about proxies is about other hosts than this machine.
            .proxy(None)
            .build();
        Self { agent: config.into(), url: url.to_owned() }
    }

    /// Uploads a component; the answer.
    pub(crate) fn upload(&self, name: &str, wasm: &[u8]) -> Result<Value> {
        let request = self.agent.put(format!("{}/v1/components/{name}", self.url));
        // A Python runtime is compiled meanwhile.
        let request = request.config().timeout_global(Some(RUN_LIMIT)).build();
        let response = request.header("content-type", "application/wasm").send(wasm);
        Ok(answer(response).with_context(|| format!("upload component {name}"))?.1)
    }

    /// Starts a workflow under an id; its run id.
    pub(crate) fn start(&self, workflow: &str, id: &str, input: &Value) -> Result<String> {
        let body = json!({ "workflow": workflow, "id": id, "input": input });
        let started =
            self.post("/v1/workflows", &body).with_context(|| format!("start workflow {workflow}"))?;
        Ok(started["run_id"].as_str().context("the answer to a start has no `run_id`")?.to_owned())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, id: &str, signal: &str, input: &Value) -> Result<()> {
        self.post(&format!("/v1/workflows/{id}/signals/{signal}"), &json!({ "input": input }))
            .with_context(|| format!("signal {signal} to {id}"))?;
        Ok(())
    }

    /// Asks a run to end early.
    pub(crate) fn cancel(&self, id: &str, reason: &str) -> Result<()> {
        self.post(&format!("/v1/workflows/{id}/cancel"), &json!({ "reason": reason }))
            .with_context(|| format!("ask {id} to cancel itself"))?;
        Ok(())
    }

    /// Ends a run without asking it.
    pub(crate) fn terminate(&self, id: &str, reason: &str) -> Result<()> {
        self.post(&format!("/v1/workflows/{id}/terminate"), &json!({ "reason": reason }))
            .with_context(|| format!("terminate {id}"))?;
        Ok(())
    }

    /// Asks a run something; its answer. A run that is over is asked too.
    pub(crate) fn query(&self, id: &str, query: &str) -> Result<Value> {
        let answer = self.post(&format!("/v1/workflows/{id}/queries/{query}"), &json!({}));
        Ok(answer.with_context(|| format!("query {query} of {id}"))?["result"].take())
    }

    /// Sends an update and waits for what becomes of it; the answer, which has the `stage`, and the `result` or the
    /// `failure`. The same update id is the same update, however often it is sent.
    pub(crate) fn update(&self, id: &str, update: &str, input: &Value, update_id: &str) -> Result<Value> {
        let body = json!({ "input": input, "update_id": update_id, "wait": POLL_WAIT });
        let path = format!("/v1/workflows/{id}/updates/{update}");
        let began = Instant::now();
        while began.elapsed() < RUN_LIMIT {
            let answer = self.post(&path, &body).with_context(|| format!("update {update} of {id}"))?;
            if answer["stage"] == "completed" || answer["stage"] == "rejected" {
                return Ok(answer);
            }
        }
        bail!("{id} did not answer the update {update} within {} s", RUN_LIMIT.as_secs())
    }

    /// The histories of all runs of an execution that continued as new, the first one first.
    pub(crate) fn chain(&self, id: &str) -> Result<Vec<Vec<Event>>> {
        let mut path = format!("/v1/workflows/{id}");
        let mut histories = Vec::new();
        loop {
            let (_, run) = self.get(&path)?;
            let run_id = run["run_id"].as_str().context("a description has no `run_id`")?;
            let (_, page) = self.get(&format!("/v1/workflows/{id}/history?run_id={run_id}"))?;
            let events = page["events"].as_array().context("a history has no `events`")?;
            histories.insert(0, events.iter().cloned().map(Event).collect());
            match run["continued_run_id"].as_str() {
                Some(before) => path = format!("/v1/workflows/{id}?run_id={before}"),
                None => return Ok(histories),
            }
        }
    }

    /// All that is known of an execution's current run, except its history.
    pub(crate) fn describe(&self, id: &str) -> Result<Value> {
        Ok(self.get(&format!("/v1/workflows/{id}"))?.1)
    }

    /// Waits for the end of a run; the answer, which has the `status`, and the `result` or the `failure`.
    pub(crate) fn result(&self, id: &str) -> Result<Value> {
        let began = Instant::now();
        while began.elapsed() < RUN_LIMIT {
            let (status, body) = self.get(&format!("/v1/workflows/{id}/result?wait={POLL_WAIT}"))?;
            if status == 200 {
                return Ok(body);
            }
            if body["status"] == "parked" {
                let (_, run) = self.get(&format!("/v1/workflows/{id}"))?;
                bail!("{id} cannot go on and is parked: {}", run["parked"]);
            }
        }
        bail!("{id} did not end within {} s", RUN_LIMIT.as_secs())
    }

    /// What a run has recorded so far.
    pub(crate) fn history(&self, id: &str) -> Result<Vec<Event>> {
        self.history_after(id, 0, "0s").map(|(events, _)| events)
    }

    /// Follows a run's history until `enough` says so of all that it has recorded, or it ends.
    pub(crate) fn follow(&self, id: &str, mut enough: impl FnMut(&[Event]) -> bool) -> Result<Vec<Event>> {
        let began = Instant::now();
        let mut seen = Vec::new();
        while began.elapsed() < RUN_LIMIT {
            let after = seen.last().map_or(0, Event::number);
            let (more, closed) = self.history_after(id, after, POLL_WAIT)?;
            seen.extend(more);
            if closed || enough(&seen) {
                return Ok(seen);
            }
        }
        bail!("what was waited for did not happen within {} s in {id}", RUN_LIMIT.as_secs())
    }

    /// Follows what the activities of a run say of their progress, until `enough` says so of a heartbeat.
    pub(crate) fn heartbeats(&self, id: &str, mut enough: impl FnMut(&Value) -> bool) -> Result<()> {
        let request = self.agent.get(format!("{}/v1/workflows/{id}/history", self.url));
        let request = request.config().timeout_global(Some(RUN_LIMIT)).build();
        let mut response = request.header("accept", "text/event-stream").call()?;
        let mut is_heartbeat = false;
        for line in BufReader::new(response.body_mut().as_reader()).lines() {
            let line = line.with_context(|| format!("follow the heartbeats of {id}"))?;
            // A blank line ends an event.
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("event", kind)) => is_heartbeat = kind == "heartbeat",
                Some(("data", data)) if is_heartbeat && enough(&serde_json::from_str(data)?) => return Ok(()),
                Some(_) => {}
                None => is_heartbeat = false,
            }
        }
        bail!("{id} ended before it had come far enough")
    }

    fn history_after(&self, id: &str, after: u64, wait: &str) -> Result<(Vec<Event>, bool)> {
        let (_, page) = self.get(&format!("/v1/workflows/{id}/history?after={after}&wait={wait}"))?;
        let events = page["events"].as_array().context("a history has no `events`")?;
        Ok((events.iter().cloned().map(Event).collect(), page["closed"] == true))
    }

    fn get(&self, path: &str) -> Result<(u16, Value)> {
        answer(self.agent.get(format!("{}{path}", self.url)).call()).with_context(|| format!("GET {path}"))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(answer(self.agent.post(format!("{}{path}", self.url)).send_json(body))?.1)
    }
}

/// Status and body of a success; of a refusal, what it says.
fn answer(response: Result<Response<Body>, ureq::Error>) -> Result<(u16, Value)> {
    let mut response = response?;
    let status = response.status();
    let text = response.body_mut().with_config().limit(ANSWER_LIMIT).read_to_string()?;
    let body: Value =
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_default() };
    if !status.is_success() {
        let said = |name: &str| body[name].as_str().unwrap_or("(nothing)").to_owned();
        bail!("{status}: {} (hint: {})", said("detail"), said("hint"));
    }
    Ok((status.as_u16(), body))
}
