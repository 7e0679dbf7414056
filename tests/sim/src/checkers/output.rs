//! Nothing leaves the host before its cause is durable: neither an attempt of an activity, nor an answer.

use std::collections::BTreeSet;

use refrain_engine::ids::{Namespace, RunId};
use refrain_store::Table;
use refrain_store::schema::{Prefix, RunKey};

use crate::clients::{Answer, Want};
use crate::evidence::{Evidence, arrivals, signal_number};
use crate::trace::Event;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let namespace = Namespace::default();
    let mut wrong = Vec::new();
    let (mut activities, mut signals) = (BTreeSet::new(), BTreeSet::new());
    let mut runs: BTreeSet<RunId> = BTreeSet::new();
    for entry in &evidence.trace {
        match &entry.event {
            Event::Durable(changes) => {
                for change in changes.iter() {
                    let (table, key, Some(_)) = change.parts() else { continue };
                    if table == Table::Activities {
                        activities.insert(key.clone());
                    } else if table == Table::Runs {
                        runs.extend(Prefix::run_of(&namespace, key));
                    }
                }
                signals
                    .extend(arrivals(changes).iter().filter_map(|(_, arrival)| signal_number(&arrival.item)));
            }
            Event::Attempt { key, attempt, local: false } => {
                let Some((run, op)) = key.split_once('/') else { continue };
                let run: RunId = run.parse().expect("a run id");
                let row = RunKey::new(namespace.clone(), run).activity(op.parse().expect("an op"));
                if !activities.contains(&row.bytes) {
                    wrong.push(format!("attempt {attempt} of {key} began before its step was durable"));
                }
            }
            Event::Told(request, Answer::Done(run)) => {
                let number = request.number;
                match (&request.want, run) {
                    (Want::Start(_), Some(run)) if !runs.contains(run) => {
                        wrong.push(format!("start {number} was answered before run {run} was durable"));
                    }
                    (Want::Signal { .. }, _) if !signals.contains(&number) => {
                        wrong.push(format!("signal {number} was answered before it was durable"));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    wrong
}
