//! A signal that was acknowledged comes to its run once, or to the run that goes on for it.

use std::collections::BTreeSet;

use refrain_engine::ids::RunId;
use refrain_store::schema::RunStatus;

use crate::clients::{Answer, Want};
use crate::evidence::{Evidence, RunEvidence, arrivals, signal_number};
use crate::trace::Event;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut had: BTreeSet<(RunId, usize)> = BTreeSet::new();
    let mut acknowledged = BTreeSet::new();
    for entry in &evidence.trace {
        match &entry.event {
            Event::Durable(changes) => had.extend(
                arrivals(changes)
                    .iter()
                    .filter_map(|(run, arrival)| signal_number(&arrival.item).map(|number| (*run, number))),
            ),
            Event::Told(request, Answer::Done(_)) if matches!(request.want, Want::Signal { .. }) => {
                acknowledged.insert(request.number);
            }
            _ => {}
        }
    }
    for number in acknowledged {
        if !had.iter().any(|(_, had)| *had == number) {
            wrong.push(format!("signal {number} was acknowledged and never came to a run"));
        }
    }
    for (id, run) in &evidence.runs {
        let numbers: Vec<usize> = delivered(run);
        let distinct: BTreeSet<_> = numbers.iter().copied().collect();
        if distinct.len() < numbers.len() {
            wrong.push(format!("run {id} was given a signal twice: {numbers:?}"));
        }
        let waiting: BTreeSet<usize> =
            run.mailbox.iter().filter_map(|arrival| signal_number(&arrival.item)).collect();
        for (_, number) in had.iter().filter(|(of, _)| of == id) {
            let taken = distinct.contains(number);
            let after = match (run.head.status, run.head.continued_to, run.head.reset_to) {
                // What came after the step at which a reset cut comes again, to the new run. What nobody had taken when
                // the run continued as new is the next one's.
                (status, _, Some(after)) if taken || status != RunStatus::ContinuedAsNew => after,
                (RunStatus::ContinuedAsNew, Some(after), _) => {
                    if taken {
                        if had.contains(&(after, *number)) {
                            wrong.push(format!(
                                "signal {number} was given to run {id}, and {after} has it again"
                            ));
                        }
                        continue;
                    }
                    after
                }
                _ if taken || waiting.contains(number) || run.head.status.is_closed() => continue,
                _ => {
                    wrong.push(format!("signal {number} came to run {id} and is gone"));
                    continue;
                }
            };
            let copied = evidence.runs.get(&after).is_some_and(|run| delivered(run).contains(number));
            if !copied && !had.contains(&(after, *number)) {
                wrong.push(format!(
                    "signal {number} came to run {id} and not to {after}, which goes on for it"
                ));
            }
        }
    }
    wrong
}

fn delivered(run: &RunEvidence) -> Vec<usize> {
    run.delivered().filter_map(|arrival| signal_number(&arrival.item)).collect()
}
