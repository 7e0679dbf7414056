//! The children of a run that have not ended, and what the run wants from other executions.
//!
//! An owner reads and writes its own rows alone: what is to be done elsewhere it puts into its outbox, and the
//! [courier](crate::courier) carries that once it is durable and comes back with a message. A child's row is read
//! when something is said of it, one at a time, so that a run with many children costs each of them the same.

use std::sync::Arc;

use refrain_engine::child::{ChildCancellation, ChildCommand, ParentClosePolicy};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Op, RunId, WorkflowId};
use refrain_engine::journal::{ExecutionRef, Started};
use refrain_engine::lifecycle::{Lifecycle, RUN_ITSELF};
use refrain_engine::limits;
use refrain_engine::mailbox::Item;
use refrain_engine::payload::Payload;
use refrain_engine::planted;
use refrain_engine::run::Effect;
use refrain_store::schema::{ChildRow, ComponentVersion, EndChild, OutboxRow, Prefix, RunStatus};

use super::books::After;
use super::{Gone, Owner, Reply};
use crate::courier;
use crate::error::Error;
use crate::runtime::MAX_REASON_BYTES;

/// Children of a run that have not ended, whether anybody waits for them or not. Each has a row in the batch that ends
/// the run, which stays below the store's largest.
const OPEN_CHILDREN: u64 = 10_000;

/// Whether what the last step of a run wants is done although the run has ended with it: what it tells others, its
/// answers, and children that it lets go.
pub(super) fn outlives_its_run(effect: &Effect) -> bool {
    match effect {
        Effect::Signal { .. }
        | Effect::RequestCancel { .. }
        | Effect::CancelChild { .. }
        | Effect::Update { .. } => true,
        Effect::StartChild { command, .. } => command.options.parent_close == ParentClosePolicy::Abandon,
        Effect::StartActivity { .. }
        | Effect::StartTimer { .. }
        | Effect::CancelTimer { .. }
        | Effect::CancelActivity { .. }
        | Effect::Detach { .. } => false,
    }
}

/// The op of the start of the child whose end has this one: they are given out together, in this order.
fn start_of(finished: Op) -> Op {
    finished - 1
}

impl Owner<'_> {
    /// A step starts a child. All that it is to be is decided here; it begins once that is durable.
    pub(super) fn start_child(&mut self, op: Op, command: ChildCommand) -> Result<(), Gone> {
        let ChildCommand { workflow, input, options } = command;
        if self.books.head().children >= OPEN_CHILDREN {
            let message = format!(
                "child workflow {workflow:?} was not started: {OPEN_CHILDREN} children of the run have not ended, the most \
                 that one may have: wait for some of them, or continue as new"
            );
            self.child_not_started(op, true, Failure::new(FailureKind::Host, "too-many-children", message));
            return Ok(());
        }
        let component = match self.component_of_child(&workflow, options.component.as_deref()) {
            Ok(component) => component,
            Err(error) => {
                let message =
                    format!("child workflow {workflow:?} was not started: {error}; {}", error.hint());
                self.child_not_started(op, true, Failure::new(FailureKind::Host, "not-found", message));
                return Ok(());
            }
        };
        let name = [&self.started.seed[..], &op.to_be_bytes()].concat();
        let run_id = self.shared.new_run_id(&name).map_err(Gone::Store)?;
        let workflow_id = match options.workflow_id {
            Some(id) => id,
            None => WorkflowId::new(run_id.to_string()).expect("a run id is a name"),
        };
        let (parent, at) = (&*self.started, self.shared.now());
        let this = ExecutionRef { workflow_id: parent.workflow_id.clone(), run_id: Some(parent.run_id) };
        let started = Started {
            namespace: parent.namespace.clone(),
            workflow_id: workflow_id.clone(),
            run_id,
            first_run_id: run_id,
            continued_run_id: None,
            workflow: workflow.clone(),
            input,
            component: component.name.clone(),
            version: component.version,
            digest: component.digest,
            profile: limits::CURRENT.number,
            task_queue: options.task_queue.unwrap_or_else(|| parent.task_queue.clone()),
            attempt: 1,
            at,
            seed: self.shared.options.entropy.draw(&name).map_err(Gone::Store)?,
            root: Some(parent.root.clone().unwrap_or_else(|| this.clone())),
            parent: Some(this),
            parent_op: Some(op),
            forks: Vec::new(),
            surroundings: self.shared.options.surroundings_of(&component.name),
            request_id: None,
            memo: options.memo,
            boot: self.shared.boot,
            lifecycle: Lifecycle {
                execution_deadline: options.execution_timeout.map(|timeout| at.after(timeout)),
                run_timeout: options.run_timeout,
                retry: options.retry,
                begins_at: None,
                last_failure: None,
            },
        };
        let row = ChildRow {
            workflow_id,
            run_id,
            workflow,
            parent_close: options.parent_close,
            cancellation: options.cancellation,
            started: false,
            wanted: true,
        };
        self.put_child(op, &row);
        self.books.head_mut().children += 1;
        self.post(op, &OutboxRow::StartChild { started, id_reuse: options.id_reuse });
        Ok(())
    }

    /// The version that a child of this type gets: the run's own where nothing else is asked for and it has the
    /// type, so that a family of workflows is of one version.
    fn component_of_child(
        &self,
        workflow: &str,
        component: Option<&str>,
    ) -> Result<Arc<ComponentVersion>, Error> {
        let (components, namespace) = (&self.shared.components, &self.key.namespace);
        if component.is_none() {
            let code = self.code();
            let own = components.version(namespace, &code.component, Some(code.version));
            if let Ok(own) = own
                && own.digest == code.digest
                && own.defines(workflow)
            {
                return Ok(own);
            }
        }
        components.resolve(namespace, workflow, component, None)
    }

    /// A step cancels a child, as it was started to be canceled.
    pub(super) fn cancel_child(&mut self, op: Op, reason: String) -> Result<(), Gone> {
        let Some(row) = self.child(op)? else { return Ok(()) };
        let (asks, ends) = match row.cancellation {
            ChildCancellation::TryCancel => (true, true),
            ChildCancellation::WaitForCancellation => (true, false),
            ChildCancellation::Abandon => (false, true),
        };
        if asks {
            self.end_child(op, &row, EndChild::RequestCancel, &reason);
        }
        if ends {
            // The row stays: the child has not ended, and its parent's end means something to it.
            self.put_child(op, &ChildRow { wanted: false, ..row });
            self.arrive(Item::Canceled { op, reason }, Vec::new(), None);
        }
        Ok(())
    }

    /// Nobody waits for the child's end any more, if there is such a child.
    pub(super) fn detach_child(&mut self, op: Op) -> Result<(), Gone> {
        if let Some(row) = self.child(op)? {
            self.put_child(op, &ChildRow { wanted: false, ..row });
        }
        Ok(())
    }

    /// A step signals another execution.
    pub(super) fn send_signal(&mut self, op: Op, target: ExecutionRef, name: String, input: Payload) {
        self.post(op, &OutboxRow::Signal { target, name, input });
    }

    /// A step asks another execution to cancel itself.
    pub(super) fn send_cancel(&mut self, op: Op, target: ExecutionRef, reason: &str) {
        self.post(op, &OutboxRow::RequestCancel { target, reason: shortened(reason) });
    }

    /// The courier has begun a child, or could not.
    pub(super) fn child_started(
        &mut self,
        op: Op,
        child: RunId,
        result: Result<(), Failure>,
        reply: Reply,
    ) -> Result<(), Gone> {
        let Some(reply) = self.unless_closed(reply) else { return Ok(()) };
        self.drop_start(op, child)?;
        // Whoever comes with it again, after a crash or behind the child's own end, finds it known.
        if let Some(row) = self.child(op)?.filter(|row| row.run_id == child && !row.started) {
            match result {
                Ok(()) => self.child_exists(op, &row),
                Err(failure) => {
                    self.child_gone();
                    self.child_not_started(op, row.wanted, failure);
                }
            }
        }
        self.books.reply(reply, Ok(()));
        Ok(())
    }

    /// A child has ended. It may have been faster than the news of its start.
    pub(super) fn child_closed(
        &mut self,
        op: Op,
        child: RunId,
        outcome: Outcome,
        reply: Reply,
    ) -> Result<(), Gone> {
        let Some(reply) = self.unless_closed(reply) else { return Ok(()) };
        let Some(row) = self.child(op)?.filter(|row| row.run_id == child) else {
            self.books.reply(reply, Ok(()));
            return Ok(());
        };
        if !row.started {
            self.drop_start(op, child)?;
            self.child_exists(op, &row);
        }
        self.books.delete(self.key.child(op));
        self.child_gone();
        if row.wanted {
            self.arrive(Item::ChildClosed { op, outcome }, Vec::new(), Some(reply));
        } else {
            self.books.reply(reply, Ok(()));
        }
        Ok(())
    }

    /// What the run sent has arrived, or cannot.
    pub(super) fn sent(&mut self, op: Op, outcome: Outcome, reply: Reply) {
        if let Some(reply) = self.unless_closed(reply) {
            self.books.delete(self.key.outbox(op));
            self.arrive(Item::Sent { op, outcome }, Vec::new(), Some(reply));
        }
    }

    /// The run ends: its children do as they were started to do then, and nobody waits for them any more.
    pub(super) fn close_children(&mut self, status: RunStatus) -> Result<(), Gone> {
        if self.books.head().reset_to.is_some() {
            // A reset is no end of the execution. It has said already whose they are.
            return Ok(());
        }
        let rows = self.books.rows_under(&*self.shared.store, &self.key.children())?;
        self.books.head_mut().children = 0;
        let Started { workflow_id, run_id, .. } = &*self.started;
        let reason = format!(
            "the parent close policy: the parent workflow {:?} (run {run_id}) has ended as {}",
            workflow_id.as_str(),
            status.as_str()
        );
        for (key, row) in rows {
            let Some(op) = Prefix::last_number(&key) else { continue };
            self.books.delete(self.key.child(op));
            // A run can be ended also where this is damaged: its child then goes on.
            let Ok(row) = codec::decode::<ChildRow>("child", &row) else { continue };
            match row.parent_close {
                ParentClosePolicy::Terminate if planted!("parent-close-as-abandon") => {}
                ParentClosePolicy::Terminate => self.end_child(op, &row, EndChild::Terminate, &reason),
                ParentClosePolicy::RequestCancel => {
                    self.end_child(op, &row, EndChild::RequestCancel, &reason);
                }
                // One that has not begun still does.
                ParentClosePolicy::Abandon => {}
            }
        }
        Ok(())
    }

    /// The run ends, and its chain with it where no other run follows: a child's parent is told.
    pub(super) fn tell_parent(&mut self, status: RunStatus, outcome: Outcome) {
        if self.books.head().continued_to.is_some() {
            return;
        }
        let Started { parent, parent_op, workflow, workflow_id, .. } = &*self.started;
        let (Some(ExecutionRef { run_id: Some(parent), .. }), Some(op)) = (parent, parent_op) else { return };
        let outcome = match outcome {
            Outcome::Completed(result) => Outcome::Completed(result),
            Outcome::Failed(failure) => Outcome::Failed(of_child(workflow, workflow_id, status, failure)),
        };
        self.post(RUN_ITSELF, &OutboxRow::TellParent { parent: *parent, op: *op, outcome });
    }

    /// Drafts what is to be done in another run. What was to be done under this op before is not done any more.
    fn post(&mut self, op: Op, row: &OutboxRow) {
        self.books.put(self.key.outbox(op), codec::encode(row));
        self.books.after(After::Deliver(op, courier::destination(row)));
    }

    /// Ends a child. One that has not begun does not begin any more: its start is what this takes the place of.
    fn end_child(&mut self, op: Op, child: &ChildRow, how: EndChild, reason: &str) {
        let row = OutboxRow::EndChild {
            workflow_id: child.workflow_id.clone(),
            run_id: child.run_id,
            how,
            reason: shortened(reason),
        };
        self.post(op, &row);
    }

    /// The child exists, and the run is told.
    fn child_exists(&mut self, op: Op, row: &ChildRow) {
        self.put_child(op, &ChildRow { started: true, ..row.clone() });
        let (workflow_id, run_id) = (row.workflow_id.clone(), row.run_id);
        self.arrive(Item::ChildStarted { op: start_of(op), workflow_id, run_id }, Vec::new(), None);
    }

    /// There will be no child: both of its ops end.
    fn child_not_started(&mut self, op: Op, wanted: bool, failure: Failure) {
        self.books.delete(self.key.child(op));
        self.arrive(Item::ChildNotStarted { op: start_of(op), failure: failure.clone() }, Vec::new(), None);
        if wanted {
            self.arrive(Item::ChildClosed { op, outcome: Outcome::Failed(failure) }, Vec::new(), None);
        }
    }

    fn child_gone(&mut self) {
        let head = self.books.head_mut();
        head.children = head.children.saturating_sub(1);
    }

    fn child(&self, op: Op) -> Result<Option<ChildRow>, Gone> {
        let row = self.books.row(&*self.shared.store, &self.key.child(op))?;
        Ok(row.map(|row| codec::decode("child", &row)).transpose()?)
    }

    fn put_child(&mut self, op: Op, row: &ChildRow) {
        self.books.put(self.key.child(op), codec::encode(row));
    }

    /// The child has begun, or never will. What has taken the place of its start stays.
    fn drop_start(&mut self, op: Op, child: RunId) -> Result<(), Gone> {
        let key = self.key.outbox(op);
        let row = self.books.row(&*self.shared.store, &key)?;
        if let Some(OutboxRow::StartChild { started, .. }) =
            row.map(|row| codec::decode("outbox row", &row)).transpose()?
            && started.run_id == child
        {
            self.books.delete(key);
        }
        Ok(())
    }
}

/// How a child's failure reaches its parent: of the same kind and type, with the whole chain as its causes.
fn of_child(workflow: &str, id: &WorkflowId, status: RunStatus, failure: Failure) -> Failure {
    let what = match status {
        RunStatus::Canceled => "was canceled",
        RunStatus::Terminated => "was terminated",
        RunStatus::TimedOut => "timed out",
        RunStatus::Failed
        | RunStatus::Completed
        | RunStatus::ContinuedAsNew
        | RunStatus::Running
        | RunStatus::Parked
        | RunStatus::Paused => "failed",
    };
    let message = format!("child workflow {workflow:?} (id {:?}) {what}", id.as_str());
    Failure::new(failure.kind, failure.error_type.clone(), message).caused_by(failure)
}

/// A reason as it may be kept in another run's journal.
fn shortened(reason: &str) -> String {
    reason[..reason.floor_char_boundary(MAX_REASON_BYTES)].to_owned()
}
