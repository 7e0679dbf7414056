//! An update that was answered keeps its answer, and one that was admitted has one when its run has ended.

use std::collections::BTreeMap;

use refrain_engine::codec;
use refrain_engine::mailbox::Item;
use refrain_store::Table;
use refrain_store::schema::{UpdateRow, UpdateStatus};

use crate::clients::Answer;
use crate::evidence::Evidence;
use crate::trace::Event;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut answers: BTreeMap<usize, &str> = BTreeMap::new();
    for entry in &evidence.trace {
        let Event::Told(request, Answer::Updated(status)) = &entry.event else { continue };
        if status == "Admitted" || status == "Accepted" {
            continue;
        }
        let first = answers.entry(request.number).or_insert(status);
        if *first != status {
            wrong.push(format!("update {} was answered {first}, and then {status}", request.number));
        }
    }
    let rows = &evidence.rows[Table::Updates.name()];
    for (_, row) in rows {
        let UpdateRow { status, run, .. } = codec::decode("update", row).expect("an update");
        let is_open = matches!(status, UpdateStatus::Admitted | UpdateStatus::Accepted);
        if is_open && evidence.runs.get(&run).is_some_and(|run| run.head.status.is_closed()) {
            wrong.push(format!("an update is {status:?} for ever: its run {run} has ended"));
        }
    }
    for (id, run) in &evidence.runs {
        let mut given = BTreeMap::new();
        for arrival in run.delivered() {
            let Item::Update { update_id, .. } = &arrival.item else { continue };
            if given.insert(update_id, arrival.number).is_some() {
                wrong.push(format!("run {id} was given update {update_id:?} twice"));
            }
        }
    }
    wrong
}
