//! What was acknowledged is durable: a start made the one run that it named, an end has ended, and a run that was moved has
//! the other code.

use std::collections::BTreeMap;

use refrain_engine::ids::{Digest, RunId};
use refrain_engine::journal::Record;

use crate::clients::{Answer, Want};
use crate::evidence::{Evidence, RunEvidence};
use crate::trace::Event;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut started: BTreeMap<usize, RunId> = BTreeMap::new();
    for entry in &evidence.trace {
        let Event::Told(request, Answer::Done(run)) = &entry.event else { continue };
        let (number, id) = (request.number, &request.id);
        if let (Want::Start(_) | Want::Reset, Some(run)) = (&request.want, run) {
            if !evidence.runs.contains_key(run) {
                wrong.push(format!(
                    "request {number} was told of run {run} of {id}, and there is no such run"
                ));
            }
            let first = started.entry(number).or_insert(*run);
            if first != run {
                wrong.push(format!("request {number} was told of run {first} of {id}, and then of {run}"));
            }
        }
        if let (Want::Move(code), Some(run)) = (&request.want, run) {
            let moved = evidence.runs.get(run).is_some_and(|run| has_moved(run, *code));
            if !moved {
                wrong.push(format!("request {number} was told that run {run} of {id} has code {code} now"));
            }
        }
    }
    // One start, one chain, however often it was asked for.
    let mut chains: BTreeMap<&str, RunId> = BTreeMap::new();
    for run in evidence.runs.values().filter(|run| run.started.parent.is_none()) {
        let id = run.started.workflow_id.as_str();
        let chain = chains.entry(id).or_insert(run.started.first_run_id);
        if *chain != run.started.first_run_id && run.started.forks.is_empty() {
            wrong.push(format!(
                "{id} was started once and has two chains: {chain} and {}",
                run.started.first_run_id
            ));
        }
    }
    wrong
}

fn has_moved(run: &RunEvidence, code: Digest) -> bool {
    run.records.iter().any(|record| matches!(record, Record::Moved(moved) if moved.code.digest == code))
}
