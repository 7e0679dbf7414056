//! Runs and what is recorded of them, out of bytes. What is drawn has the form of a record; nothing says that a run
//! could have made it.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use refrain_engine::call::{
    ActivityCommand, ActivityOptions, Cancellation, Command, Completion, Interest, Level, MarkerCall,
    NextRun, Note, Read,
};
use refrain_engine::child::{ChildCancellation, ChildCommand, ChildOptions, ParentClosePolicy};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, Op, RunId, WorkflowId};
use refrain_engine::journal::{
    Code, End, Entry, ExecutionRef, FailedByHost, Fork, Moved, Record, Started, Step, Terminated,
};
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::scripted;
use refrain_engine::time::Timestamp;

/// The code that executes runs here.
pub const CODE: Digest = Digest([7; 32]);

/// The most elements of a list.
const MOST: usize = 5;

/// What a run began with, that nothing is peculiar about.
pub fn started() -> Started {
    Started { digest: CODE, ..scripted::started("w") }
}

/// What a run began with, perhaps with steps of other runs.
pub fn started_by_someone(u: &mut Unstructured<'_>) -> Result<Started> {
    let mut started = started();
    for _ in 0..u.int_in_range(0..=2)? {
        let mut of = started.identity(0);
        of.seed = u.arbitrary()?;
        started.forks.push(Fork { step: number(u)?, of });
    }
    Ok(started)
}

/// A journal: mostly in order, as its readers may rely on little else.
pub fn records(u: &mut Unstructured<'_>) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut next = 0;
    for _ in 0..u.int_in_range(0..=8)? {
        let record = match u.int_in_range(0..=12)? {
            0 => Record::Terminated(terminated(u)?),
            1 => Record::Failed(failed(u)?),
            2 => Record::TimedOut(failed(u)?),
            3 => Record::Canceled(terminated(u)?),
            4 => Record::Moved(moved(u)?),
            5 => Record::Step(step(u, u64::MAX)?),
            6 => {
                let number = number(u)?;
                Record::Step(step(u, number)?)
            }
            _ => {
                next += 1;
                Record::Step(step(u, next - 1)?)
            }
        };
        records.push(record);
    }
    Ok(records)
}

fn step(u: &mut Unstructured<'_>, number: u64) -> Result<Step> {
    Ok(Step {
        number,
        time: time(u)?,
        boot: u.int_in_range(0..=2)?,
        delivered: list(u, arrival)?,
        entries: list(u, entry)?,
        end: if u.ratio(1, 8)? { End::Finish(completion(u)?) } else { End::Wait(interest(u)?) },
    })
}

fn entry(u: &mut Unstructured<'_>) -> Result<Entry> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Entry::Read { read: read(u)?, count: if u.ratio(1, 4)? { number(u)? } else { 1 } },
        1 => Entry::Note(note(u)?),
        2 => Entry::Marker { id: name(u)?, version: u.arbitrary()? },
        _ => Entry::Command(command(u)?),
    })
}

/// An arrival. Its number is one that others may have too.
pub fn arrival(u: &mut Unstructured<'_>) -> Result<MailboxEntry> {
    Ok(MailboxEntry { number: number(u)?, at: time(u)?, item: item(u)? })
}

/// What arrives.
pub fn item(u: &mut Unstructured<'_>) -> Result<Item> {
    Ok(match u.int_in_range(0..=9)? {
        0 => Item::ActivityClosed {
            op: op(u)?,
            outcome: outcome(u)?,
            attempt: u.arbitrary()?,
            started_at: optional(u, time)?,
        },
        1 => Item::TimerFired { op: op(u)?, deadline: time(u)? },
        2 => Item::Canceled { op: op(u)?, reason: name(u)? },
        3 => Item::Signal { name: name(u)?, input: payload(u)? },
        4 => Item::CancelRequest { reason: name(u)? },
        5 => Item::ChildStarted { op: op(u)?, workflow_id: workflow_id(u)?, run_id: run_id(u)? },
        6 => Item::ChildNotStarted { op: op(u)?, failure: failure(u)? },
        7 => Item::ChildClosed { op: op(u)?, outcome: outcome(u)? },
        8 => Item::Sent { op: op(u)?, outcome: outcome(u)? },
        _ => Item::Update { update_id: name(u)?, name: name(u)?, input: payload(u)? },
    })
}

/// Any command.
pub fn command(u: &mut Unstructured<'_>) -> Result<Command> {
    Ok(match u.int_in_range(0..=15)? {
        0 | 12 => Command::StartActivity(ActivityCommand {
            name: name(u)?,
            input: payload(u)?,
            options: ActivityOptions {
                task_queue: optional(u, name)?,
                start_to_close: Some(length(u)?),
                cancellation: *u.choose(&[
                    Cancellation::TryCancel,
                    Cancellation::WaitForCancellation,
                    Cancellation::Abandon,
                ])?,
                priority: u.arbitrary()?,
                local: u.arbitrary()?,
                ..ActivityOptions::default()
            },
        }),
        1 | 13 => Command::StartTimer { delay: length(u)?, summary: optional(u, name)? },
        2 | 14 => Command::Cancel { op: op(u)?, reason: name(u)? },
        3 | 15 => Command::Detach { op: op(u)? },
        4 => Command::Wait(interest(u)?),
        5 => Command::Finish(completion(u)?),
        6 => Command::StartChild(Box::new(ChildCommand {
            workflow: name(u)?,
            input: payload(u)?,
            options: ChildOptions {
                workflow_id: optional(u, workflow_id)?,
                parent_close: *u.choose(&[
                    ParentClosePolicy::Terminate,
                    ParentClosePolicy::RequestCancel,
                    ParentClosePolicy::Abandon,
                ])?,
                cancellation: *u.choose(&[
                    ChildCancellation::TryCancel,
                    ChildCancellation::WaitForCancellation,
                    ChildCancellation::Abandon,
                ])?,
                ..ChildOptions::default()
            },
        })),
        7 => Command::Signal { target: target(u)?, name: name(u)?, input: payload(u)? },
        8 => Command::RequestCancel { target: target(u)?, reason: name(u)? },
        9 => Command::AcceptUpdate { request: op(u)? },
        10 => Command::RejectUpdate { request: op(u)?, reason: failure(u)? },
        _ => Command::CompleteUpdate { request: op(u)?, outcome: outcome(u)? },
    })
}

/// What a wait is for.
pub fn interest(u: &mut Unstructured<'_>) -> Result<Interest> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Interest::Ops(list(u, op)?),
        1 => Interest::OpsAndMessages(list(u, op)?),
        _ => Interest::Everything,
    })
}

/// How a run ends.
pub fn completion(u: &mut Unstructured<'_>) -> Result<Completion> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Completion::Completed(payload(u)?),
        1 => Completion::Failed(failure(u)?),
        2 => Completion::Canceled(optional(u, payload)?),
        _ => {
            let unread = list(u, |u| Ok((name(u)?, payload(u)?)))?;
            let next = NextRun::with_input(payload(u)?);
            let (workflow, run_timeout) = (optional(u, name)?, optional(u, length)?);
            Completion::ContinueAsNew(NextRun { workflow, run_timeout, unread, ..next })
        }
    })
}

/// Any read.
pub fn read(u: &mut Unstructured<'_>) -> Result<Read> {
    Ok(match u.int_in_range(0..=4)? {
        0 => Read::Uuid,
        1 => Read::Info,
        2 => Read::RandomBytes { len: if u.ratio(1, 4)? { u.arbitrary()? } else { 16 } },
        _ => Read::Now,
    })
}

/// Any note.
pub fn note(u: &mut Unstructured<'_>) -> Result<Note> {
    if u.ratio(1, 8)? {
        return Ok(Note::LogTruncated);
    }
    let level = *u.choose(&[Level::Trace, Level::Info, Level::Error])?;
    Ok(Note::Log { level, message: name(u)?, fields: list(u, |u| Ok((name(u)?, name(u)?)))? })
}

/// A question about a version.
pub fn marker(u: &mut Unstructured<'_>) -> Result<MarkerCall> {
    let id = name(u)?;
    Ok(if u.arbitrary()? {
        MarkerCall::Patched { id }
    } else {
        let (min, max) = (u.int_in_range(0..=3)?, u.int_in_range(0..=3)?);
        MarkerCall::GetVersion { id, min, max }
    })
}

fn outcome(u: &mut Unstructured<'_>) -> Result<Outcome> {
    Ok(if u.arbitrary()? { Outcome::Completed(payload(u)?) } else { Outcome::Failed(failure(u)?) })
}

/// Any failure.
pub fn failure(u: &mut Unstructured<'_>) -> Result<Failure> {
    let failure = Failure::new(FailureKind::Application, name(u)?, name(u)?);
    let (details, non_retryable) = (optional(u, payload)?, u.arbitrary()?);
    Ok(Failure { details, non_retryable, ..failure })
}

fn terminated(u: &mut Unstructured<'_>) -> Result<Terminated> {
    Ok(Terminated { time: time(u)?, boot: number(u)?, reason: name(u)? })
}

fn failed(u: &mut Unstructured<'_>) -> Result<FailedByHost> {
    Ok(FailedByHost { time: time(u)?, boot: number(u)?, failure: failure(u)? })
}

fn moved(u: &mut Unstructured<'_>) -> Result<Moved> {
    let digest = if u.arbitrary()? { CODE } else { Digest([8; 32]) };
    let code = Code { component: name(u)?, version: u.arbitrary()?, digest };
    Ok(Moved { time: time(u)?, boot: number(u)?, code, reason: name(u)? })
}

fn target(u: &mut Unstructured<'_>) -> Result<ExecutionRef> {
    Ok(ExecutionRef { workflow_id: workflow_id(u)?, run_id: optional(u, run_id)? })
}

fn workflow_id(u: &mut Unstructured<'_>) -> Result<WorkflowId> {
    let id = name(u)?;
    Ok(WorkflowId::new(id).unwrap_or_else(|_| WorkflowId::new("other").expect("a good id")))
}

fn run_id(u: &mut Unstructured<'_>) -> Result<RunId> {
    u.arbitrary().map(RunId::from_bytes)
}

/// Any value.
pub fn payload(u: &mut Unstructured<'_>) -> Result<Payload> {
    Ok(match u.int_in_range(0..=3)? {
        0 => Payload { content_type: name(u)?, data: text(u)?.into() },
        1 => Payload::json(text(u)?),
        _ => Payload::json(number(u)?.to_string()),
    })
}

fn text(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = u.int_in_range(0..=16)?;
    Ok(u.bytes(len.min(u.len()))?.to_vec())
}

/// A name: one of few, so that there are equal ones, or any text.
pub fn name(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=3)? {
        0 => "a".to_owned(),
        1 => "b".to_owned(),
        2 => String::new(),
        _ => String::from_utf8_lossy(&text(u)?).into_owned(),
    })
}

/// An op: one of the first, or one that nobody was given.
pub fn op(u: &mut Unstructured<'_>) -> Result<Op> {
    if u.ratio(1, 16)? { number(u) } else { u.int_in_range(0..=8) }
}

/// A number: a small one, or one at which arithmetic breaks.
fn number(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.int_in_range(0..=3)? {
        0 => u64::MAX - u64::from(u.int_in_range::<u8>(0..=2)?),
        1 => u.arbitrary()?,
        _ => u.int_in_range(0..=16)?,
    })
}

fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    if u.ratio(1, 8)? {
        number(u).map(Timestamp)
    } else {
        Ok(Timestamp::from_parts(1_000_000, u.arbitrary()?))
    }
}

/// A length of time.
pub fn length(u: &mut Unstructured<'_>) -> Result<Duration> {
    Ok(if u.ratio(1, 8)? {
        Duration::from_secs(number(u)?)
    } else {
        Duration::from_secs(u.int_in_range(0..=60)?)
    })
}

fn optional<T>(
    u: &mut Unstructured<'_>,
    draw: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    if u.arbitrary()? { draw(u).map(Some) } else { Ok(None) }
}

fn list<T>(u: &mut Unstructured<'_>, draw: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=MOST)?).map(|_| draw(u)).collect()
}
