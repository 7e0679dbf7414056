//! Children: executions that a run starts and that know it as their parent. What they are started with, and what
//! becomes of them when their parent cancels them or ends.
//!
//! | event                       | Starting               | Open                |
//! |-----------------------------|------------------------|---------------------|
//! | it begins                   | Open                   |                     |
//! | it cannot begin             | both ops end           |                     |
//! | it ends                     | both ops end           | `finished` ends     |
//! | cancel, try                 | canceled, never begins | canceled, is asked  |
//! | cancel, wait                | never begins           | is asked            |
//! | cancel, abandon             | canceled, goes on      | canceled, goes on   |
//! | parent ends, terminate      | never begins           | terminated          |
//! | parent ends, request cancel | never begins           | is asked            |
//! | parent ends, abandon        | goes on                | goes on             |
//!
//! *Canceled*: the op `finished` ends so at once. *Is asked*: to cancel itself. A child that never begins has none of
//! its code executed; one that ends before its parent has heard that it began has begun all the same.
//!
//! The runtime keeps a row for each child that has not ended. Semantics are Temporal's.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::activity::check_size;
use crate::export::form;
use crate::ids::{WorkflowId, check_name};
use crate::limits::{ELEMENT_BYTES, Profile};
use crate::payload::Payload;
use crate::retry::RetryPolicy;

/// What a child is started with.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildCommand {
    /// The workflow's type.
    #[n(0)]
    pub workflow: String,
    /// Its argument.
    #[n(1)]
    pub input: Payload,
    /// How to run it.
    #[n(2)]
    pub options: ChildOptions,
}

/// How to run a child.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildOptions {
    /// `None`: the child's run id.
    #[n(0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// What a closed execution of the id means for the start.
    #[n(1)]
    pub id_reuse: IdReusePolicy,
    /// `None`: the parent's own component, if it has the workflow.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// `None`: the parent's.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// For all runs of the child together.
    #[n(4)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<Duration>,
    /// For each run of the child.
    #[n(5)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub run_timeout: Option<Duration>,
    /// `None`: a run that failed is not followed by another.
    #[n(6)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// What becomes of the child when its parent's run ends.
    #[n(7)]
    pub parent_close: ParentClosePolicy,
    /// What a cancel does.
    #[n(8)]
    pub cancellation: ChildCancellation,
    /// Named values for people.
    #[n(9)]
    pub memo: Vec<(String, Payload)>,
    /// One line for people; not compared.
    #[n(10)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// Whether an id may be used again whose latest run has ended. Temporal's policies, and its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cbor(index_only)]
pub enum IdReusePolicy {
    /// However it ended.
    #[default]
    #[n(0)]
    AllowDuplicate,
    /// Unless it completed.
    #[n(1)]
    AllowDuplicateFailedOnly,
    /// Never.
    #[n(2)]
    RejectDuplicate,
}

/// What happens to a child that has not ended when its parent's run does, however that ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cbor(index_only)]
pub enum ParentClosePolicy {
    /// It is terminated.
    #[default]
    #[n(0)]
    Terminate,
    /// It is asked to cancel itself.
    #[n(1)]
    RequestCancel,
    /// It goes on.
    #[n(2)]
    Abandon,
}

impl ParentClosePolicy {
    /// The name in APIs: `terminate`, ...
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::RequestCancel => "request-cancel",
            Self::Abandon => "abandon",
        }
    }
}

/// What a cancel does to a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cbor(index_only)]
pub enum ChildCancellation {
    /// Asks the child to cancel itself; the op fails as canceled at once.
    #[default]
    #[n(0)]
    TryCancel,
    /// Asks the child to cancel itself; the op gets whatever becomes of it.
    #[n(1)]
    WaitForCancellation,
    /// Does not tell the child; the op fails as canceled at once.
    #[n(2)]
    Abandon,
}

impl ChildCommand {
    /// Checks a child that is about to be started.
    ///
    /// # Errors
    /// Names the field, its value and the remedy.
    pub fn check(&self, profile: &Profile) -> Result<(), String> {
        let Self { workflow, input, options } = self;
        check_name("workflow", workflow).map_err(|error| error.to_string())?;
        let within = |error: String| format!("child {workflow}: {error}");
        check_size("input", input.size(), profile).map_err(within)?;
        check_size("memo", memo_size(&options.memo), profile).map_err(within)?;
        for (field, name) in [("component", &options.component), ("task-queue", &options.task_queue)] {
            let checked = name.as_deref().map_or(Ok(()), |name| check_name(field, name));
            checked.map_err(|error| within(error.to_string()))?;
        }
        let timeouts =
            [("execution-timeout", options.execution_timeout), ("run-timeout", options.run_timeout)];
        if let Some((field, _)) =
            timeouts.iter().find(|(_, limit)| limit.is_some_and(|limit| limit.is_zero()))
        {
            return Err(within(format!("{field} is zero: give a length of time above zero, or none")));
        }
        options.retry.as_ref().map_or(Ok(()), RetryPolicy::check).map_err(within)
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        let Self { workflow, input, options } = self;
        let texts = [&options.component, &options.task_queue, &options.summary];
        workflow.len()
            + input.size()
            + memo_size(&options.memo)
            + options.workflow_id.as_ref().map_or(0, |id| id.as_str().len())
            + options.retry.as_ref().map_or(0, RetryPolicy::size)
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

/// The size of a memo that counts against limits, in bytes.
pub fn memo_size(memo: &[(String, Payload)]) -> usize {
    memo.iter().map(|(key, value)| ELEMENT_BYTES + key.len() + value.size()).sum()
}
