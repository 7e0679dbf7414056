//! Once the faults have healed, everything comes to its end: no run hangs, none is parked.

use crate::evidence::Evidence;

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let open = evidence.runs.values().filter(|run| !run.head.status.is_closed());
    open.map(|run| {
        let head = &run.head;
        let why = head
            .parked
            .as_ref()
            .map_or("nobody says why".to_owned(), |parked| format!("{}: {}", parked.kind, parked.message));
        let started = &run.started;
        format!("{} (run {}) is still {}: {why}", started.workflow_id, started.run_id, head.status.as_str())
    })
    .collect()
}
