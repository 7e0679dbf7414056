//! Between the types of the WIT package and the engine's. What a record allows that the engine has no word
//! for (an unknown option, a nanosecond count of a second and more) is the guest's misuse, named by field.

use std::collections::BTreeSet;
use std::time::Duration;

use refrain_engine::call::{
    ActivityOptions, Cancellation, Completion, DEFAULT_FAIRNESS_WEIGHT, Fairness, Interest, Level, NextRun,
};
use refrain_engine::child::{ChildCancellation, ChildOptions, IdReusePolicy, ParentClosePolicy};
use refrain_engine::failure::{Cause, Failure, FailureKind, Outcome};
use refrain_engine::ids::{RunId, WorkflowId};
use refrain_engine::journal::ExecutionRef;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::retry::{DEFAULT_BACKOFF_COEFFICIENT, DEFAULT_INITIAL_INTERVAL, RetryPolicy};
use refrain_engine::run::RunInfo;
use refrain_engine::time::Timestamp;

use crate::bindings::refrain::workflow::{activity, child, context, log, messages, types, wait};
use crate::more::More;
use crate::state::HostTrap;

/// Nanoseconds of a second: `nanoseconds` fields stay below.
const SECOND: u32 = 1_000_000_000;

/// Keys of an activity's `options.more`.
const FAIRNESS_KEY: &str = "fairness-key";
const FAIRNESS_WEIGHT: &str = "fairness-weight";

/// A key of `retry.more`.
const JITTER: &str = "jitter";

/// A value that a record can hold and the contract forbids.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(String);

impl Misuse {
    pub(crate) fn new(what: String) -> Self {
        Self(what)
    }

    /// The trap for it, in this import.
    pub(crate) fn of(self, import: &str) -> HostTrap {
        HostTrap::Misuse(format!("{import}: {}", self.0))
    }
}

// From the guest.

pub(crate) fn payload_from_guest(payload: types::Payload) -> Payload {
    Payload { content_type: payload.content_type, data: payload.data.into() }
}

pub(crate) fn duration(field: &str, duration: types::Duration) -> Result<Duration, Misuse> {
    if duration.nanoseconds < SECOND {
        Ok(Duration::new(duration.seconds, duration.nanoseconds))
    } else {
        let nanoseconds = duration.nanoseconds;
        Err(Misuse(format!("{field}.nanoseconds is {nanoseconds}: carry whole seconds over to seconds")))
    }
}

fn optional_duration(field: &str, value: Option<types::Duration>) -> Result<Option<Duration>, Misuse> {
    value.map(|value| duration(field, value)).transpose()
}

/// Of an activity, and of a local one.
pub(crate) fn activity_options(options: activity::Options, local: bool) -> Result<ActivityOptions, Misuse> {
    let more = More::new("options.more", options.more, &[FAIRNESS_KEY, FAIRNESS_WEIGHT])?;
    Ok(ActivityOptions {
        task_queue: options.task_queue,
        schedule_to_close: optional_duration("schedule-to-close-timeout", options.schedule_to_close_timeout)?,
        schedule_to_start: optional_duration("schedule-to-start-timeout", options.schedule_to_start_timeout)?,
        start_to_close: optional_duration("start-to-close-timeout", options.start_to_close_timeout)?,
        heartbeat: optional_duration("heartbeat-timeout", options.heartbeat_timeout)?,
        retry: options.retry.map_or_else(|| Ok(RetryPolicy::default()), retry_policy)?,
        cancellation: match options.cancellation {
            activity::Cancellation::TryCancel => Cancellation::TryCancel,
            activity::Cancellation::WaitForCancellation => Cancellation::WaitForCancellation,
            activity::Cancellation::Abandon => Cancellation::Abandon,
        },
        priority: options.priority,
        summary: options.summary,
        fairness: fairness(&more)?,
        local,
    })
}

pub(crate) fn child_options(options: child::Options) -> Result<ChildOptions, Misuse> {
    More::new("options.more", options.more, &[])?;
    let workflow_id = options.workflow_id.map(|id| workflow_id("workflow-id", id)).transpose()?;
    Ok(ChildOptions {
        workflow_id,
        id_reuse: match options.id_reuse {
            child::IdReusePolicy::Allow => IdReusePolicy::AllowDuplicate,
            child::IdReusePolicy::AllowFailedOnly => IdReusePolicy::AllowDuplicateFailedOnly,
            child::IdReusePolicy::Reject => IdReusePolicy::RejectDuplicate,
        },
        component: options.component,
        task_queue: options.task_queue,
        execution_timeout: optional_duration("execution-timeout", options.execution_timeout)?,
        run_timeout: optional_duration("run-timeout", options.run_timeout)?,
        retry: options.retry.map(retry_policy).transpose()?,
        parent_close: match options.parent_close {
            child::ParentClosePolicy::Terminate => ParentClosePolicy::Terminate,
            child::ParentClosePolicy::RequestCancel => ParentClosePolicy::RequestCancel,
            child::ParentClosePolicy::Abandon => ParentClosePolicy::Abandon,
        },
        cancellation: match options.cancellation {
            child::Cancellation::TryCancel => ChildCancellation::TryCancel,
            child::Cancellation::WaitForCancellation => ChildCancellation::WaitForCancellation,
            child::Cancellation::Abandon => ChildCancellation::Abandon,
        },
        memo: memo(options.memo)?,
        summary: options.summary,
    })
}

fn memo(memo: Vec<(String, types::Payload)>) -> Result<Vec<(String, Payload)>, Misuse> {
    let mut keys = BTreeSet::new();
    if let Some((key, _)) = memo.iter().find(|(key, _)| !keys.insert(key.as_str())) {
        return Err(Misuse(format!("memo has the key {key:?} twice: give it once")));
    }
    Ok(memo.into_iter().map(|(key, value)| (key, payload_from_guest(value))).collect())
}

/// Another execution, as guests name it.
pub(crate) fn target(target: types::Execution) -> Result<ExecutionRef, Misuse> {
    let run_id = target.run_id.map(|id| id.parse::<RunId>()).transpose();
    Ok(ExecutionRef {
        workflow_id: workflow_id("target.workflow-id", target.workflow_id)?,
        run_id: run_id.map_err(|error| Misuse(format!("target.run-id: {error}")))?,
    })
}

fn workflow_id(field: &str, id: String) -> Result<WorkflowId, Misuse> {
    WorkflowId::new(id).map_err(|error| Misuse(format!("{field}: {error}")))
}

fn fairness(more: &More) -> Result<Option<Fairness>, Misuse> {
    let key = more.get(FAIRNESS_KEY, "a JSON string of 1 to 255 bytes")?;
    let weight = more.get(FAIRNESS_WEIGHT, "a JSON number from 0.001 to 1000")?;
    match (key, weight) {
        (Some(key), weight) => Ok(Some(Fairness { key, weight: weight.unwrap_or(DEFAULT_FAIRNESS_WEIGHT) })),
        (None, None) => Ok(None),
        (None, Some(weight)) => Err(Misuse::new(format!(
            "options.more has {FAIRNESS_WEIGHT} {weight} and no {FAIRNESS_KEY}: give the key that has this weight"
        ))),
    }
}

/// Zero stands for the default, so that a record of all bits zero is the default policy.
fn retry_policy(policy: types::RetryPolicy) -> Result<RetryPolicy, Misuse> {
    let more = More::new("retry.more", policy.more, &[JITTER])?;
    let initial_interval = duration("retry.initial-interval", policy.initial_interval)?;
    let coefficient = policy.backoff_coefficient;
    Ok(RetryPolicy {
        initial_interval: if initial_interval.is_zero() {
            DEFAULT_INITIAL_INTERVAL
        } else {
            initial_interval
        },
        backoff_coefficient: if coefficient == 0.0 { DEFAULT_BACKOFF_COEFFICIENT } else { coefficient },
        maximum_interval: optional_duration("retry.maximum-interval", policy.maximum_interval)?,
        maximum_attempts: policy.maximum_attempts,
        non_retryable_error_types: policy.non_retryable_error_types,
        jitter: more.get(JITTER, "a JSON number from 0.0 to 1.0")?.unwrap_or_default(),
    })
}

pub(crate) fn interest(interest: wait::Interest) -> Interest {
    match interest {
        wait::Interest::Everything => Interest::Everything,
        wait::Interest::Ops(ops) => Interest::Ops(ops),
        wait::Interest::OpsAndMessages(ops) => Interest::OpsAndMessages(ops),
    }
}

pub(crate) fn completion(completion: types::Completion) -> Result<Completion, Misuse> {
    Ok(match completion {
        types::Completion::Completed(result) => Completion::Completed(payload_from_guest(result)),
        types::Completion::Failed(failure) => Completion::Failed(failure_from_guest(failure)),
        types::Completion::Canceled(result) => Completion::Canceled(result.map(payload_from_guest)),
        types::Completion::ContinueAsNew(next) => {
            More::new("next-run.more", next.more, &[])?;
            Completion::ContinueAsNew(NextRun {
                workflow: next.workflow,
                input: payload_from_guest(next.input),
                newest_version: next.newest_version,
                run_timeout: optional_duration("next-run.run-timeout", next.run_timeout)?,
                unread: next
                    .unread
                    .into_iter()
                    .map(|signal| (signal.name, payload_from_guest(signal.input)))
                    .collect(),
            })
        }
    })
}

pub(crate) fn outcome_from_guest(outcome: types::Outcome) -> Outcome {
    match outcome {
        Ok(result) => Outcome::Completed(payload_from_guest(result)),
        Err(failure) => Outcome::Failed(failure_from_guest(failure)),
    }
}

pub(crate) fn failure_from_guest(failure: types::Failure) -> Failure {
    Failure {
        kind: failure_kind_from_guest(failure.kind),
        error_type: failure.error_type,
        message: failure.message,
        stack: failure.stack,
        details: failure.details.map(payload_from_guest),
        non_retryable: failure.non_retryable,
        causes: failure.causes.into_iter().map(cause_from_guest).collect(),
    }
}

fn cause_from_guest(cause: types::Cause) -> Cause {
    Cause {
        kind: failure_kind_from_guest(cause.kind),
        error_type: cause.error_type,
        message: cause.message,
        stack: cause.stack,
        details: cause.details.map(payload_from_guest),
    }
}

fn failure_kind_from_guest(kind: types::FailureKind) -> FailureKind {
    match kind {
        types::FailureKind::Application => FailureKind::Application,
        types::FailureKind::Canceled => FailureKind::Canceled,
        types::FailureKind::Timeout => FailureKind::Timeout,
        types::FailureKind::Terminated => FailureKind::Terminated,
        types::FailureKind::Host => FailureKind::Host,
        types::FailureKind::Other => FailureKind::Other,
    }
}

pub(crate) fn level(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}

// To the guest.

pub(crate) fn payload(payload: Payload) -> types::Payload {
    types::Payload { content_type: payload.content_type, data: payload.data.into() }
}

pub(crate) fn instant(time: Timestamp) -> types::Instant {
    types::Instant { seconds: time.seconds(), nanoseconds: time.subsec_nanos() }
}

pub(crate) fn event(event: Event) -> wait::Event {
    match event {
        Event::Finished { op, outcome } => {
            let outcome = match outcome {
                Outcome::Completed(result) => Ok(payload(result)),
                Outcome::Failed(error) => Err(failure(error)),
            };
            wait::Event::Finished(wait::OpFinished { op, outcome })
        }
        Event::Signal { name, input } => {
            wait::Event::Message(messages::Message::Signal(messages::Signal { name, input: payload(input) }))
        }
        Event::Query { request, name, input } => {
            let input = payload(input);
            wait::Event::Message(messages::Message::Query(messages::Query { request, name, input }))
        }
        Event::Update { request, update_id, name, input } => {
            let input = payload(input);
            let update = messages::Update { request, update_id, name, input };
            wait::Event::Message(messages::Message::Update(update))
        }
        Event::CancelRequested { reason } => {
            wait::Event::Message(messages::Message::CancelRequested(messages::CancelRequest { reason }))
        }
    }
}

fn failure(failure: Failure) -> types::Failure {
    types::Failure {
        kind: failure_kind(failure.kind),
        error_type: failure.error_type,
        message: failure.message,
        stack: failure.stack,
        details: failure.details.map(payload),
        non_retryable: failure.non_retryable,
        causes: failure
            .causes
            .into_iter()
            .map(|cause| types::Cause {
                kind: failure_kind(cause.kind),
                error_type: cause.error_type,
                message: cause.message,
                stack: cause.stack,
                details: cause.details.map(payload),
            })
            .collect(),
    }
}

fn failure_kind(kind: FailureKind) -> types::FailureKind {
    match kind {
        FailureKind::Application => types::FailureKind::Application,
        FailureKind::Canceled => types::FailureKind::Canceled,
        FailureKind::Timeout => types::FailureKind::Timeout,
        FailureKind::Terminated => types::FailureKind::Terminated,
        FailureKind::Host => types::FailureKind::Host,
        FailureKind::Other => types::FailureKind::Other,
    }
}

pub(crate) fn run_info(info: RunInfo) -> context::RunInfo {
    context::RunInfo {
        namespace: info.namespace.to_string(),
        workflow_id: info.workflow_id.to_string(),
        run_id: info.run_id.to_string(),
        first_run_id: info.first_run_id.to_string(),
        continued_run_id: info.continued_run_id.map(|id| id.to_string()),
        workflow: info.workflow,
        task_queue: info.task_queue,
        attempt: info.attempt,
        last_failure: info.last_failure.map(failure),
        started_at: instant(info.started_at),
        parent: info.parent.as_ref().map(execution),
        root: info.root.as_ref().map(execution),
        journal_entries: info.journal_entries,
        journal_bytes: info.journal_bytes,
        continue_as_new_suggested: info.continue_as_new_suggested,
        more: Vec::new(),
    }
}

fn execution(execution: &ExecutionRef) -> types::Execution {
    types::Execution {
        workflow_id: execution.workflow_id.to_string(),
        run_id: execution.run_id.map(|id| id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::more::JSON;

    fn zero_policy() -> types::RetryPolicy {
        types::RetryPolicy {
            initial_interval: types::Duration { seconds: 0, nanoseconds: 0 },
            backoff_coefficient: 0.0,
            maximum_interval: None,
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
            more: Vec::new(),
        }
    }

    #[test]
    fn a_policy_of_all_bits_zero_is_the_default_policy() {
        assert_eq!(retry_policy(zero_policy()).unwrap(), RetryPolicy::default());
    }

    fn more(values: &[(&str, &str)]) -> Vec<(String, types::Payload)> {
        let json = |value: &str| types::Payload { content_type: JSON.to_owned(), data: value.into() };
        values.iter().map(|(key, value)| ((*key).to_owned(), json(value))).collect()
    }

    fn options(more: Vec<(String, types::Payload)>) -> activity::Options {
        activity::Options {
            task_queue: None,
            schedule_to_close_timeout: None,
            schedule_to_start_timeout: None,
            start_to_close_timeout: None,
            heartbeat_timeout: None,
            retry: None,
            cancellation: activity::Cancellation::TryCancel,
            priority: None,
            summary: None,
            more,
        }
    }

    #[test]
    fn options_grow_by_keys() {
        let fairness = |values: &[(&str, &str)]| {
            let fairness = activity_options(options(more(values)), false).unwrap().fairness;
            fairness.map(|fairness| (fairness.key, fairness.weight))
        };
        let of_tenant = |weight| Some(("tenant-7".to_owned(), weight));
        assert_eq!(fairness(&[]), None);
        assert_eq!(fairness(&[("fairness-key", "\"tenant-7\"")]), of_tenant(1.0));
        assert_eq!(fairness(&[("fairness-weight", " 2 "), ("fairness-key", "\"tenant-7\"")]), of_tenant(2.0));
        let policy = types::RetryPolicy { more: more(&[("jitter", "0.2")]), ..zero_policy() };
        assert_eq!(retry_policy(policy).unwrap(), RetryPolicy { jitter: 0.2, ..RetryPolicy::default() });
    }

    #[test]
    fn what_the_contract_forbids_is_named_by_field_and_value() {
        let refusal = |values| activity_options(options(more(values)), false).unwrap_err().0;
        let text = "fairness-weight\" with the value `\"heavy\"`: give a JSON number from 0.001 to 1000";
        assert!(refusal(&[("fairness-weight", "\"heavy\"")]).contains(text));
        let alone = "has fairness-weight 2.5 and no fairness-key: give the key that has this weight";
        assert!(refusal(&[("fairness-weight", "2.5")]).contains(alone));
        let policy = types::RetryPolicy { more: more(&[("jitter", "null")]), ..zero_policy() };
        let jitter =
            "retry.more has the key \"jitter\" with the value `null`: give a JSON number from 0.0 to 1.0";
        assert_eq!(retry_policy(policy).unwrap_err().0, jitter);
        let second = types::Duration { seconds: 0, nanoseconds: SECOND };
        let error = duration("delay", second).unwrap_err().of("timer.start");
        assert!(error.to_string().starts_with("timer.start: delay.nanoseconds is 1000000000"), "{error}");
    }
}
