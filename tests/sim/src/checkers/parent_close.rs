//! Children that are open when their parent ends: terminated, asked to cancel themselves, or left alone, as was said.

use std::time::Duration;

use refrain_engine::call::Command;
use refrain_engine::child::ParentClosePolicy;
use refrain_engine::journal::Record;
use refrain_store::schema::RunStatus;

use crate::evidence::Evidence;

/// Within this time of its parent's end a child may still end by itself: its end is on its way, and the host may be down.
const ON_ITS_WAY: Duration = Duration::from_secs(2 * 3_600);

pub(super) fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, parent) in &evidence.runs {
        let (Some(ended), None) = (parent.head.closed_at, parent.head.reset_to) else { continue };
        for (_, op, command) in parent.commands() {
            let (Command::StartChild(command), Some(op)) = (command, op) else { continue };
            let of_parent = |run: &&crate::evidence::RunEvidence| {
                let started = &run.started;
                started.parent_op == Some(op + 1)
                    && started.parent.as_ref().and_then(|parent| parent.run_id) == Some(*id)
            };
            for child in evidence.runs.values().filter(of_parent) {
                let (started, status) = (&child.started, child.head.status);
                let too_late = child.head.closed_at.is_none_or(|closed| closed > ended.after(ON_ITS_WAY));
                let by_policy = child.records.iter().any(|record| {
                    matches!(record, Record::Terminated(end) if end.reason.contains("parent close policy"))
                });
                let said = command.options.parent_close;
                let broken = match said {
                    ParentClosePolicy::Terminate => too_late && status != RunStatus::Terminated,
                    ParentClosePolicy::RequestCancel => {
                        by_policy
                            || (too_late
                                && !child.head.cancel_requested
                                && !canceled_earlier(evidence, child))
                    }
                    ParentClosePolicy::Abandon => by_policy,
                };
                // What somebody reset has left its parent's tree.
                if broken && started.forks.is_empty() && child.head.reset_to.is_none() {
                    wrong.push(format!(
                        "child {} (run {}) is {} although run {id} has ended and said {}",
                        started.workflow_id,
                        started.run_id,
                        status.as_str(),
                        said.as_str()
                    ));
                }
            }
        }
    }
    wrong
}

/// Whether a run before it in its chain was asked to cancel itself, and went on as new all the same.
fn canceled_earlier(evidence: &Evidence, run: &crate::evidence::RunEvidence) -> bool {
    let mut earlier = run.started.continued_run_id;
    while let Some(before) = earlier.and_then(|id| evidence.runs.get(&id)) {
        if before.head.cancel_requested {
            return true;
        }
        earlier = before.started.continued_run_id;
    }
    false
}
