//! Children, and other executions, of a workflow under test: closures, and names.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::host::duration;
use super::{Due, Env, Work, by_host, encode, work};
use crate::bindings::refrain::workflow::activity::Cancellation;
use crate::bindings::refrain::workflow::child::{self, ChildOps, IdReusePolicy, Options, ParentClosePolicy};
use crate::bindings::refrain::workflow::types::{self, Execution, Outcome, Payload};
use crate::{Failure, FailureKind};

/// What stands for the children of one workflow.
pub(super) enum Child {
    Runs(Duration, Work),
    /// With what the host refuses to start it.
    Refused(String),
}

impl Env {
    /// Children of that workflow take no time: what the closure returns stands for the outcome.
    #[must_use]
    pub fn child<I, O>(self, workflow: &str, f: impl FnMut(I) -> Result<O, Failure> + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        self.slow_child(workflow, Duration::ZERO, f)
    }

    /// Children of that workflow take some time. A timeout of theirs that is shorter fails them, and a cancel
    /// request ends them at once, unless they are waited for (`Cancellation::WaitForCancellation`): then the
    /// closure's outcome comes when it would have come.
    #[must_use]
    pub fn slow_child<I, O>(
        mut self,
        workflow: &str,
        takes: Duration,
        f: impl FnMut(I) -> Result<O, Failure> + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        self.children.insert(workflow.to_owned(), Child::Runs(takes, work(f)));
        self
    }

    /// Children of that workflow cannot be started: `already-exists`, for example.
    #[must_use]
    pub fn refused_child(mut self, workflow: &str, error_type: &str) -> Self {
        self.children.insert(workflow.to_owned(), Child::Refused(error_type.to_owned()));
        self
    }

    /// There is no execution with that id: what is sent to it fails (`not-found`). Without it, everything arrives,
    /// and [`Ended::calls`](super::Ended::calls) tells what was sent.
    #[must_use]
    pub fn without_execution(mut self, workflow_id: &str) -> Self {
        self.missing.push(workflow_id.to_owned());
        self
    }

    pub(super) fn begin_child(&mut self, workflow: &str, input: &Payload, options: &Options) -> ChildOps {
        let ops = ChildOps { started: self.op + 1, finished: self.op + 2 };
        self.op = ops.finished;
        let ChildOps { started, finished } = ops;
        let data = String::from_utf8_lossy(&input.data);
        self.calls.push(format!("{started}, {finished} = child {workflow} {data}{}", shown(options)));
        let id = options.workflow_id.clone().unwrap_or_else(|| format!("child-{finished}"));
        let known = self.children.get_mut(workflow);
        let (takes, begun, outcome) =
            match known.unwrap_or_else(|| panic!("this Env has no child `{workflow}`")) {
                Child::Runs(takes, f) => {
                    let ids = serde_json::json!({ "workflow_id": id, "run_id": format!("{id}-run") });
                    let outcome = f(input).map_err(|why| of_child(workflow, &id, "failed", why));
                    let (takes, outcome) = limited(*takes, outcome, workflow, &id, options);
                    (takes, Ok(encode(&ids)), outcome)
                }
                Child::Refused(error_type) => {
                    let message = format!("child workflow {workflow:?} was not started: its id is {id:?}");
                    let refused: Outcome = Err(by_host(error_type, &message));
                    (Duration::ZERO, refused.clone(), refused)
                }
            };
        let cancellation = match options.cancellation {
            child::Cancellation::TryCancel => Cancellation::TryCancel,
            child::Cancellation::WaitForCancellation => Cancellation::WaitForCancellation,
            child::Cancellation::Abandon => Cancellation::Abandon,
        };
        // To cancel the first has no effect.
        self.schedule(self.clock, Due::Op(started, Cancellation::WaitForCancellation, begun));
        self.schedule(self.clock + takes, Due::Op(finished, cancellation, outcome));
        ops
    }

    pub(super) fn send(&mut self, what: &str, target: &Execution, more: &str) -> u64 {
        self.op += 1;
        let Execution { workflow_id, run_id } = target;
        let run = run_id.as_ref().map(|run_id| format!(" run={run_id:?}")).unwrap_or_default();
        self.calls.push(format!("{} = {what} {workflow_id}{run}{more}", self.op));
        let outcome = match self.missing.contains(workflow_id) {
            true => Err(by_host("not-found", &format!("there is no workflow `{workflow_id}`"))),
            false => Ok(encode(&())),
        };
        self.schedule(self.clock, Due::Op(self.op, Cancellation::WaitForCancellation, outcome));
        self.op
    }
}

/// A child's failure as its parent gets it, in the host's words.
fn of_child(workflow: &str, id: &str, ended: &str, why: Failure) -> types::Failure {
    why.context(format!("child workflow {workflow:?} (id {id:?}) {ended}")).into_wire()
}

/// Ends it when the first of its timeouts passes.
fn limited(
    takes: Duration,
    outcome: Outcome,
    workflow: &str,
    id: &str,
    options: &Options,
) -> (Duration, Outcome) {
    let limits = [("execution", options.execution_timeout), ("run", options.run_timeout)];
    let limits = limits.into_iter().filter_map(|(name, limit)| Some((duration(limit?), name)));
    match limits.min() {
        Some((limit, name)) if takes > limit => {
            let message = format!("the {name} took longer than {limit:?}");
            let failure = Failure::of(FailureKind::Timeout, name.to_owned(), message);
            (limit, Err(of_child(workflow, id, "timed out", failure)))
        }
        _ => (takes, outcome),
    }
}

/// What the workflow says about a child besides its input.
fn shown(options: &Options) -> String {
    let texts = [
        ("id", &options.workflow_id),
        ("component", &options.component),
        ("task-queue", &options.task_queue),
        ("summary", &options.summary),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some(format!(" {name}={:?}", text.as_ref()?)));
    let policies = [
        match options.id_reuse {
            IdReusePolicy::Allow => "",
            IdReusePolicy::AllowFailedOnly => " id-reuse=allow-failed-only",
            IdReusePolicy::Reject => " id-reuse=reject",
        },
        match options.parent_close {
            ParentClosePolicy::Terminate => "",
            ParentClosePolicy::RequestCancel => " parent-close=request-cancel",
            ParentClosePolicy::Abandon => " parent-close=abandon",
        },
    ];
    let memo = options.memo.iter();
    let memo = memo.map(|(key, value)| format!(" memo:{key}={}", String::from_utf8_lossy(&value.data)));
    texts.chain(policies.into_iter().map(str::to_owned)).chain(memo).collect()
}
