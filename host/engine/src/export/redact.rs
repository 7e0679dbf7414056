//! Replacing the payloads of a history. Each type is taken apart by name, so that a field that is added later does not
//! compile until it is said here whether it holds any.

use crate::call::{ActivityCommand, Command, Completion, NextRun};
use crate::child::{ChildCommand, ChildOptions};
use crate::failure::{Cause, Failure, Outcome};
use crate::journal::{End, Entry, FailedByHost, Moved, Record, Started, Step, Surroundings, Terminated};
use crate::lifecycle::Lifecycle;
use crate::mailbox::{Item, MailboxEntry};
use crate::payload::Payload;

/// Replaces a payload by a word about its size.
fn payload(payload: &mut Payload) {
    let Payload { content_type, data } = payload;
    let kind = if content_type == Payload::JSON { "" } else { ", not JSON" };
    *payload = Payload::json(format!("\"redacted: {} bytes{kind}\"", data.len()));
}

/// Replaces what the configuration says, which may be a secret.
fn text(text: &mut String) {
    *text = format!("redacted: {} bytes", text.len());
}

pub(super) fn started(started: &mut Started) {
    let Started {
        input,
        memo,
        lifecycle,
        surroundings: Surroundings { environment, arguments },
        namespace: _,
        workflow_id: _,
        run_id: _,
        first_run_id: _,
        continued_run_id: _,
        workflow: _,
        component: _,
        version: _,
        digest: _,
        profile: _,
        task_queue: _,
        attempt: _,
        at: _,
        seed: _,
        parent: _,
        root: _,
        request_id: _,
        boot: _,
        parent_op: _,
        forks: _,
    } = started;
    payload(input);
    named(memo);
    let Lifecycle { last_failure, execution_deadline: _, run_timeout: _, retry: _, begins_at: _ } = lifecycle;
    last_failure.iter_mut().for_each(failure);
    environment.iter_mut().for_each(|(_, value)| text(value));
    arguments.iter_mut().for_each(text);
}

pub(super) fn record(record: &mut Record) {
    match record {
        Record::Step(Step { delivered, entries, end, number: _, time: _, boot: _ }) => {
            delivered.iter_mut().for_each(|MailboxEntry { item, number: _, at: _ }| arrival(item));
            entries.iter_mut().for_each(entry);
            match end {
                End::Wait(_) => {}
                End::Finish(end) => completion(end),
            }
        }
        Record::Failed(FailedByHost { failure: why, time: _, boot: _ })
        | Record::TimedOut(FailedByHost { failure: why, time: _, boot: _ }) => failure(why),
        Record::Terminated(Terminated { time: _, boot: _, reason: _ })
        | Record::Canceled(Terminated { time: _, boot: _, reason: _ })
        | Record::Moved(Moved { time: _, boot: _, code: _, reason: _ }) => {}
    }
}

fn arrival(item: &mut Item) {
    match item {
        Item::ActivityClosed { outcome: end, op: _, attempt: _, started_at: _ }
        | Item::ChildClosed { outcome: end, op: _ }
        | Item::Sent { outcome: end, op: _ } => outcome(end),
        Item::Signal { input, name: _ } | Item::Update { input, update_id: _, name: _ } => payload(input),
        Item::ChildNotStarted { failure: why, op: _ } => failure(why),
        Item::TimerFired { op: _, deadline: _ }
        | Item::Canceled { op: _, reason: _ }
        | Item::CancelRequest { reason: _ }
        | Item::ChildStarted { op: _, workflow_id: _, run_id: _ } => {}
    }
}

fn entry(entry: &mut Entry) {
    match entry {
        Entry::Command(made) => command(made),
        Entry::Read { read: _, count: _ } | Entry::Note(_) | Entry::Marker { id: _, version: _ } => {}
    }
}

fn command(command: &mut Command) {
    match command {
        Command::StartActivity(ActivityCommand { input, name: _, options: _ }) => payload(input),
        Command::StartChild(child) => {
            let ChildCommand { input, options, workflow: _ } = &mut **child;
            let ChildOptions {
                memo,
                workflow_id: _,
                id_reuse: _,
                component: _,
                task_queue: _,
                execution_timeout: _,
                run_timeout: _,
                retry: _,
                parent_close: _,
                cancellation: _,
                summary: _,
            } = options;
            payload(input);
            named(memo);
        }
        Command::Signal { input, target: _, name: _ } => payload(input),
        Command::Finish(end) => completion(end),
        Command::RejectUpdate { reason, request: _ } => failure(reason),
        Command::CompleteUpdate { outcome: answer, request: _ } => outcome(answer),
        Command::StartTimer { delay: _, summary: _ }
        | Command::Cancel { op: _, reason: _ }
        | Command::Detach { op: _ }
        | Command::Wait(_)
        | Command::RequestCancel { target: _, reason: _ }
        | Command::AcceptUpdate { request: _ } => {}
    }
}

fn completion(completion: &mut Completion) {
    match completion {
        Completion::Completed(result) => payload(result),
        Completion::Failed(why) => failure(why),
        Completion::Canceled(result) => result.iter_mut().for_each(payload),
        Completion::ContinueAsNew(NextRun {
            input,
            unread,
            workflow: _,
            newest_version: _,
            run_timeout: _,
        }) => {
            payload(input);
            named(unread);
        }
    }
}

fn outcome(outcome: &mut Outcome) {
    match outcome {
        Outcome::Completed(result) => payload(result),
        Outcome::Failed(why) => failure(why),
    }
}

fn failure(failure: &mut Failure) {
    let Failure { details, causes, kind: _, error_type: _, message: _, stack: _, non_retryable: _ } = failure;
    details.iter_mut().for_each(payload);
    for Cause { details, kind: _, error_type: _, message: _, stack: _ } in causes {
        details.iter_mut().for_each(payload);
    }
}

fn named(values: &mut [(String, Payload)]) {
    values.iter_mut().for_each(|(_, value)| payload(value));
}
