//! What plugins and workers answer, and by which names they know their tasks: code of others, in the host's process and
//! outside of it.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use refrain_engine::call::{ActivityCommand, ActivityOptions, Completion, Interest};
use refrain_engine::codec;
use refrain_engine::export::Exported;
use refrain_engine::failure::{Failure, Outcome};
use refrain_engine::ids::{Namespace, Op};
use refrain_engine::journal::Record;
use refrain_engine::mailbox::{Event, Item};
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::scripted::{ScriptHost, ScriptedGuests, Stopped};
use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use refrain_runtime::{
    ActivityRef, ActivityTask, Entropy, Error, ErrorKind, Options, PollTask, Report, RunResult, Runtime,
    StartWorkflow, Target,
};
use refrain_store::MemoryStore;

use crate::{draw, world};

/// The activity of the plugin, and its op.
const INSIDE: (&str, Op) = ("fuzz.answer", 1);

/// The activity of workers, its op, and the task queue.
const OUTSIDE: (&str, Op) = ("outside", 2);

/// After this time nobody waits for an activity any more.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Reads the bytes as payloads; has a plugin and a worker answer what they say, and sees what a run hears of it.
pub fn plugin_abi(data: &[u8]) {
    payloads(data);
    world::run(answers(data));
}

/// A value that a plugin reads.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Order {
    id: String,
    #[serde(default)]
    parts: Vec<(u64, Option<f64>)>,
}

fn payloads(data: &[u8]) {
    let payload = |content_type: &str| refrain_plugin::Payload {
        content_type: content_type.to_owned(),
        data: Bytes::copy_from_slice(data),
    };
    // The content type is what stands before a line feed, and what follows is the data.
    let named = String::from_utf8_lossy(data.split(|byte| *byte == b'\n').next().unwrap_or_default());
    for payload in [payload(Payload::JSON), payload(&named)] {
        drop(payload.parse::<()>());
        if let Ok(order) = payload.parse::<Order>() {
            let again = refrain_plugin::Payload::json(&order).expect("what was JSON is JSON");
            assert_eq!(again.parse().as_ref(), Ok(&order), "a value survives the way there and back");
        }
        if let Ok(value) = payload.parse::<serde_json::Value>() {
            let again = refrain_plugin::Payload::json(&value).expect("what was JSON is JSON");
            assert_eq!(again.parse(), Ok(value), "a value survives the way there and back");
        }
    }
}

struct Answers;

impl Plugin for Answers {
    fn name(&self) -> &str {
        "fuzz"
    }

    fn activities(&self) -> Vec<Activity> {
        vec![Activity::raw(INSIDE.0, |context: Context, input: refrain_plugin::Payload| async move {
            for details in heartbeats(&input.data).unwrap_or_default() {
                context.heartbeat(details)?;
            }
            drop(context.last_heartbeat::<Vec<u64>>());
            answer(&input.data, context.attempt())
        })]
    }
}

fn heartbeats(data: &[u8]) -> Result<Vec<String>> {
    let mut u = Unstructured::new(data);
    (0..u.int_in_range(0..=2)?).map(|_| draw::name(&mut u)).collect()
}

/// What the plugin answers at this attempt: something else each time.
fn answer(data: &[u8], attempt: u32) -> std::result::Result<refrain_plugin::Payload, ActivityError> {
    let mut u = Unstructured::new(data.get(attempt as usize * 4..).unwrap_or_default());
    drawn_answer(&mut u).unwrap_or_else(|error| Err(ActivityError::from(error)))
}

fn drawn_answer(
    u: &mut Unstructured<'_>,
) -> Result<std::result::Result<refrain_plugin::Payload, ActivityError>> {
    if u.ratio(1, 3)? {
        let Payload { content_type, data } = draw::payload(u)?;
        return Ok(Ok(refrain_plugin::Payload { content_type, data }));
    }
    if u.ratio(1, 8)? {
        return Ok(Err(ActivityError::pending()));
    }
    let mut error = ActivityError::new(draw::name(u)?, draw::name(u)?).context(draw::name(u)?);
    error.non_retryable = u.arbitrary()?;
    error.benign = u.arbitrary()?;
    if u.arbitrary()? {
        let Payload { content_type, data } = draw::payload(u)?;
        error.details = Some(Box::new(refrain_plugin::Payload { content_type, data }));
    }
    if u.arbitrary()? {
        error.next_retry_delay = Some(draw::length(u)?);
    }
    Ok(Err(error))
}

/// Starts both activities, and waits for the end of each.
async fn workflow(host: ScriptHost, input: Payload) -> std::result::Result<Completion, Stopped> {
    for (name, _) in [INSIDE, OUTSIDE] {
        let options = ActivityOptions {
            task_queue: (name == OUTSIDE.0).then(|| name.to_owned()),
            start_to_close: Some(HOUR / 4),
            schedule_to_close: Some(HOUR),
            retry: RetryPolicy { maximum_attempts: 2, ..RetryPolicy::default() },
            ..ActivityOptions::default()
        };
        host.activity(ActivityCommand { name: name.to_owned(), input: input.clone(), options })?;
    }
    let mut open = 2;
    while open > 0 {
        let events = host.wait(Interest::Everything).await?;
        open -= events.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
    }
    Ok(Completion::Completed(Payload::null()))
}

async fn host() -> std::result::Result<Runtime, Error> {
    let guests = ScriptedGuests::new();
    guests.add(draw::CODE, "w", workflow);
    let clock = Arc::new(world::clock());
    let options = Options { entropy: Entropy::seeded(1), ..Options::default() };
    let (store, plugins) = (Arc::new(MemoryStore::new()), vec![Box::new(Answers) as Box<dyn Plugin>]);
    let runtime = Runtime::start(store, Arc::new(guests), plugins, clock, options).await?;
    runtime.register_component(&Namespace::default(), "c", world::component(&["w"])).await?;
    Ok(runtime)
}

async fn answers(data: &[u8]) {
    let runtime = host().await.expect("a host");
    let namespace = Namespace::default();
    let input =
        Payload { content_type: "application/octet-stream".to_owned(), data: Bytes::copy_from_slice(data) };
    let run = runtime.start_workflow(&namespace, StartWorkflow::new("w", input)).await.expect("a start");
    let target = Target { workflow_id: run.workflow_id, run_id: Some(run.run_id) };
    let mut u = Unstructured::new(data);
    let mut reported = None;
    let poll = PollTask {
        queue: OUTSIDE.0.to_owned(),
        worker: "w".to_owned(),
        poll_id: "p".to_owned(),
        activities: Vec::new(),
        wait: HOUR / 8,
    };
    // Of two attempts the first may be made twice: a poll gets the same task again while its attempt runs.
    for _ in 0..4 {
        let Ok(Some(task)) = runtime.poll_task(&namespace, poll.clone()).await else { break };
        if let Ok(report) = outside(&runtime, &task, &target, &mut u).await {
            reported = report.or(reported);
        }
    }
    let result = runtime.result(&namespace, &target, 3 * HOUR).await.expect("the run is there");
    assert!(matches!(result, RunResult::Closed { outcome: Ok(_), .. }), "both activities end: {result:?}");
    let ends = ends(&runtime, &target).await;
    if let Ok(result) = answer(data, 1) {
        let expected = Payload { content_type: result.content_type, data: result.data };
        assert_eq!(ends[0], Outcome::Completed(expected), "the run hears what its plugin answered");
    }
    if let Some(result) = reported {
        assert_eq!(ends[1], Outcome::Completed(result), "the run hears what its worker answered");
    }
    runtime.shutdown().await;
}

/// A worker with a task. Answers the result that it reported, if the host has taken it.
async fn outside(
    runtime: &Runtime,
    task: &ActivityTask,
    target: &Target,
    u: &mut Unstructured<'_>,
) -> Result<Option<Payload>> {
    let namespace = Namespace::default();
    let own = ActivityRef::Token(task.task_token.clone());
    for _ in 0..u.int_in_range(0..=3)? {
        let named = match u.int_in_range(0..=3)? {
            0 => ActivityRef::Token(String::from_utf8_lossy(u.bytes(u.len().min(40))?).into_owned()),
            1 => ActivityRef::Token(changed(&task.task_token, u)?),
            2 => ActivityRef::Id { target: target.clone(), op: draw::op(u)? },
            _ => own.clone(),
        };
        let details = if u.arbitrary()? { Some(draw::payload(u)?) } else { None };
        refused_or_done(runtime.heartbeat_activity(&namespace, &named, details).await);
    }
    let report = match u.int_in_range(0..=4)? {
        0 => Report::Pending,
        1 => Report::Canceled { details: Some(draw::payload(u)?) },
        2 => Report::Failed {
            failure: Failure { non_retryable: u.arbitrary()?, ..draw::failure(u)? },
            next_retry_delay: if u.arbitrary()? { Some(draw::length(u)?) } else { None },
            benign: u.arbitrary()?,
        },
        _ => Report::Completed(draw::payload(u)?),
    };
    let done = refused_or_done(runtime.report_activity(&namespace, &own, report.clone()).await);
    Ok(match report {
        Report::Completed(result) => done.map(|()| result),
        Report::Pending | Report::Canceled { .. } | Report::Failed { .. } => None,
    })
}

/// A token with another character somewhere.
fn changed(token: &str, u: &mut Unstructured<'_>) -> Result<String> {
    let at = u.int_in_range(0..=token.len() - 1)?;
    let mut token = token.as_bytes().to_vec();
    token[at] = *u.choose(b"AZaz09-_=")?;
    Ok(String::from_utf8(token).expect("ASCII"))
}

/// What others say may be refused. It is never the host that fails at it.
#[track_caller]
fn refused_or_done<T>(answer: std::result::Result<T, Error>) -> Option<T> {
    if let Err(error) = &answer {
        assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
    }
    answer.ok()
}

/// How the two activities ended, as the run's exported history has it.
async fn ends(runtime: &Runtime, target: &Target) -> [Outcome; 2] {
    let mut export = runtime.export(&Namespace::default(), target, false).await.expect("the run is there");
    let mut text = Vec::new();
    while let Some((lines, more)) = export.next().await.expect("its journal can be read") {
        text.extend(lines);
        export = more;
    }
    let history = Exported::read(&text).expect("what a host has exported is a history");
    let mut ends = [None, None];
    for stored in &history.records {
        let Ok(Record::Step(step)) = codec::decode("journal record", stored) else { continue };
        for entry in step.delivered {
            if let Item::ActivityClosed { op, outcome, .. } = entry.item {
                ends[if op == INSIDE.1 { 0 } else { 1 }] = Some(outcome);
            }
        }
    }
    ends.map(|end| end.expect("both activities ended"))
}
