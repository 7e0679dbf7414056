//! What was acknowledged is durable: a start made the one run that it named, and an end has ended.

use std::collections::BTreeMap;

use refrain_engine::ids::RunId;

use crate::clients::{Answer, Want};
use crate::evidence::Evidence;
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
