//! What must hold of a host after crashes, judged by what its clients were told and by nothing else.
//!
//! Clients write down what was acknowledged to them. Afterwards the host's own account is compared with that: it
//! may know more than its clients (an acknowledgement can be lost with the process), never less and never other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{Client, Event};

/// What the clients of one host were told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    runs: BTreeMap<String, RunTold>,
}

/// What was told of one execution.
#[derive(Clone, Debug, Default)]
struct RunTold {
    run_id: Option<String>,
    signals: usize,
    /// What updates were answered, by the caller's id; nothing, of those that were let in.
    updates: BTreeMap<String, Option<Value>>,
    cancel_requested: bool,
    end: Option<End>,
    /// What workers completed activities with, by op.
    reports: BTreeMap<u64, Value>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
struct End {
    status: String,
    result: Value,
}

impl Told {
    /// A start was acknowledged. Told twice, it must be the same run.
    pub fn started(&mut self, id: &str, run_id: &str) -> Result<()> {
        let run = self.runs.entry(id.to_owned()).or_default();
        let first = run.run_id.get_or_insert_with(|| run_id.to_owned());
        ensure!(first == run_id, "{id}: one request id made the runs {first} and {run_id}");
        Ok(())
    }

    /// A signal was acknowledged.
    pub fn signaled(&mut self, id: &str) {
        self.runs.entry(id.to_owned()).or_default().signals += 1;
    }

    /// An update was let in.
    pub fn accepted(&mut self, id: &str, update_id: &str) -> Result<()> {
        let run = self.runs.entry(id.to_owned()).or_default();
        ensure!(
            run.updates.insert(update_id.to_owned(), None).is_none(),
            "{id}: {update_id} is let in twice"
        );
        Ok(())
    }

    /// An update that was let in was answered.
    pub fn answered(&mut self, id: &str, update_id: &str, answer: &Value) -> Result<()> {
        let run = self.runs.entry(id.to_owned()).or_default();
        let before = run.updates.insert(update_id.to_owned(), Some(answer.clone()));
        ensure!(before == Some(None), "{id}: {update_id} was {before:?}, and is answered with {answer}");
        Ok(())
    }

    /// A request to cancel was acknowledged.
    pub fn cancel_requested(&mut self, id: &str) {
        self.runs.entry(id.to_owned()).or_default().cancel_requested = true;
    }

    /// An end was told. Told twice, it must be the same.
    pub fn ended(&mut self, id: &str, status: &str, result: &Value) -> Result<()> {
        let run = self.runs.entry(id.to_owned()).or_default();
        let end = End { status: status.to_owned(), result: result.clone() };
        let first = run.end.get_or_insert_with(|| end.clone());
        ensure!(*first == end, "{id}: its end was {first:?} and is {end:?}");
        Ok(())
    }

    /// A worker's completion of an activity was acknowledged. Nobody else's may be.
    pub fn reported(&mut self, id: &str, op: u64, result: &Value) -> Result<()> {
        let run = self.runs.entry(id.to_owned()).or_default();
        let before = run.reports.insert(op, result.clone());
        ensure!(before.is_none(), "activity {op} of {id} was completed with {before:?} and with {result}");
        Ok(())
    }

    /// How many runs were told of.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How much was acknowledged to those who start runs, send to them and wait for ends.
    pub fn len(&self) -> usize {
        self.runs.values().map(RunTold::len).sum()
    }

    /// Whether nothing was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares the host's account with what was told.
    pub async fn check(&self, client: &Client) -> Result<()> {
        // A page size that leaves a part for the last page.
        let listed = client.list(7).await?;
        let listed: BTreeMap<&str, &Value> =
            listed.iter().filter_map(|run| Some((run["run_id"].as_str()?, run))).collect();
        let told: BTreeSet<&str> = self.runs.values().filter_map(|run| run.run_id.as_deref()).collect();
        let known: BTreeSet<&str> = listed.keys().copied().collect();
        ensure!(
            told == known,
            "told of {} runs, the host lists {}; not listed: {:?}, not told of: {:?}",
            told.len(),
            known.len(),
            Vec::from_iter(told.difference(&known)),
            Vec::from_iter(known.difference(&told))
        );
        for (id, run) in &self.runs {
            let run_id = run.run_id.as_deref().with_context(|| format!("{id} was never started"))?;
            ensure!(listed[run_id]["id"] == *id.as_str(), "{run_id} is listed as {}", listed[run_id]["id"]);
            run.check(client, id, &listed[run_id]["status"]).await.with_context(|| format!("run {id}"))?;
        }
        Ok(())
    }
}

impl RunTold {
    fn len(&self) -> usize {
        let updates = self.updates.values().map(|answer| 1 + usize::from(answer.is_some())).sum::<usize>();
        let once = [self.run_id.is_some(), self.cancel_requested, self.end.is_some()];
        self.signals + updates + once.into_iter().map(usize::from).sum::<usize>()
    }

    /// Compares the host's account of the run, which it lists with this status, with what was told.
    async fn check(&self, client: &Client, id: &str, listed: &Value) -> Result<()> {
        let ended = client.result(id).await?;
        ensure!(ended["status"] == *listed, "it is listed as {listed}, and ended so: {ended}");
        let status = ended["status"].as_str().unwrap_or_default().to_owned();
        let end = End { status, result: ended["result"].clone() };
        ensure!(self.end.as_ref() == Some(&end), "told {:?}, now {end:?}", self.end);
        for (update_id, answer) in &self.updates {
            let now = client.update_progress(id, update_id, "0s").await?.ok()?;
            ensure!(
                Some(&now["result"]) == answer.as_ref(),
                "update {update_id}: told {answer:?}, now {now}"
            );
        }
        let history = client.history(id).await?;
        if self.cancel_requested {
            check_order(&history)?;
            ensure!(
                history.iter().any(|event| event.kind() == "cancel-requested"),
                "nobody has cancelled it"
            );
        } else {
            check_history(&history, self.signals)?;
        }
        check_updates(&history, &self.updates)?;
        check_reports(&history, &self.reports)
    }
}

/// What must hold of any history.
fn check_order(history: &[Event]) -> Result<()> {
    let numbers: Vec<u64> = history.iter().map(Event::number).collect();
    ensure!(numbers == (1..=history.len() as u64).collect::<Vec<_>>(), "numbers have gaps: {numbers:?}");
    let boots: Vec<u64> = history.iter().map(Event::boot).collect();
    ensure!(boots.is_sorted(), "an earlier life of the host recorded after a later one: {boots:?}");
    Ok(())
}

/// What must hold of the history of a run that completed and was sent so many signals.
pub fn check_history(history: &[Event], signals: usize) -> Result<()> {
    check_order(history)?;
    let of = |kind: &'static str| history.iter().filter(move |event| event.kind() == kind);
    for (begun, ended) in [("activity-scheduled", "activity-completed"), ("timer-started", "timer-fired")] {
        let ops = |kind| of(kind).map(|event| event.attribute("op").as_u64()).collect::<Vec<_>>();
        let once = |ops: &[Option<u64>]| ops.iter().collect::<BTreeSet<_>>().len() == ops.len();
        let (begun_ops, ended_ops) = (ops(begun), ops(ended));
        ensure!(once(&begun_ops), "an op has two of {begun}: {begun_ops:?}");
        ensure!(once(&ended_ops), "an op has two of {ended}: {ended_ops:?}");
        ensure!(
            begun_ops.len() == ended_ops.len(),
            "{} of {begun}, {} of {ended}",
            begun_ops.len(),
            ended_ops.len()
        );
    }
    let received = of("signal-received").count();
    ensure!(received == signals, "{signals} signals were acknowledged, {received} were delivered");
    Ok(())
}

/// Each update came to the run, was let in and was answered once.
fn check_updates(history: &[Event], updates: &BTreeMap<String, Option<Value>>) -> Result<()> {
    let told: Vec<&str> = updates.keys().map(String::as_str).collect();
    for kind in ["update-received", "update-accepted", "update-completed"] {
        let events = history.iter().filter(|event| event.kind() == kind);
        let mut had: Vec<&str> = events.filter_map(|event| event.attribute("update_id").as_str()).collect();
        had.sort_unstable();
        ensure!(had == told, "updates {told:?} were acknowledged, {kind} are {had:?}");
    }
    Ok(())
}

/// What was acknowledged to workers must be what the run was told.
fn check_reports(history: &[Event], reports: &BTreeMap<u64, Value>) -> Result<()> {
    for (op, result) in reports {
        let ends = history.iter().filter(|event| {
            matches!(event.kind(), "activity-completed" | "activity-failed") && event.attribute("op") == *op
        });
        let told: Vec<&Value> = ends.map(|event| event.attribute("result")).collect();
        ensure!(told == [result], "activity {op} was completed with {result}, the run was told {told:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn history(events: &[(&str, u64)]) -> Vec<Event> {
        let numbered = events.iter().zip(1..);
        let event = |((kind, op), number): (&(&str, u64), u64)| {
            Event(json!({ "type": kind, "number": number, "boot": 1, "attributes": { "op": op } }))
        };
        numbered.map(event).collect()
    }

    #[test]
    fn the_checker_sees_what_a_host_may_not_do() {
        let good = [("activity-scheduled", 1), ("signal-received", 0), ("activity-completed", 1)];
        let lost = [("activity-scheduled", 1), ("signal-received", 0)];
        let twice = [good.as_slice(), &[("activity-completed", 1)]].concat();
        check_history(&history(&good), 1).unwrap();
        let complaint = |history: &[Event], signals| check_history(history, signals).unwrap_err().to_string();
        assert!(complaint(&history(&good), 2).contains("2 signals were acknowledged, 1 were delivered"));
        assert!(complaint(&history(&lost), 1).contains("0 of activity-completed"));
        assert!(complaint(&history(&twice), 1).contains("an op has two of activity-completed"));
        assert!(complaint(&history(&good)[1..], 1).contains("numbers have gaps"));
        let mut told = Told::default();
        told.started("a", "1").unwrap();
        assert!(told.started("a", "2").is_err());
        told.reported("a", 1, &json!("x")).unwrap();
        assert!(told.reported("a", 1, &json!("y")).is_err());
        let reports = BTreeMap::from([(1, Value::Null)]);
        check_reports(&history(&good), &reports).unwrap();
        let lost_report = check_reports(&history(&lost), &reports).unwrap_err().to_string();
        assert!(lost_report.contains("the run was told []"), "{lost_report}");
        assert!(check_reports(&history(&good), &BTreeMap::from([(1, json!("x"))])).is_err());
    }

    #[test]
    fn updates_are_answered_once_and_runs_end_once() {
        let mut told = Told::default();
        assert!(told.answered("a", "u", &json!(1)).is_err(), "it was never let in");
        told.accepted("b", "u").unwrap();
        assert!(told.accepted("b", "u").is_err());
        told.answered("b", "u", &json!(1)).unwrap();
        assert!(told.answered("b", "u", &json!(2)).is_err());
        told.ended("b", "completed", &json!(1)).unwrap();
        told.ended("b", "completed", &json!(1)).unwrap();
        assert!(told.ended("b", "canceled", &json!(1)).is_err());
        let event = |kind: &str| {
            Event(json!({ "type": kind, "number": 1, "boot": 1, "attributes": { "update_id": "u" } }))
        };
        let kinds = ["update-received", "update-accepted", "update-completed"];
        let updates = BTreeMap::from([("u".to_owned(), Some(json!(1)))]);
        check_updates(&kinds.map(event), &updates).unwrap();
        assert!(check_updates(&kinds.map(event), &BTreeMap::new()).is_err());
        assert!(
            check_updates(&kinds[..2].iter().map(|kind| event(kind)).collect::<Vec<_>>(), &updates).is_err()
        );
    }
}
