//! Exported histories: what is written is read as it was, byte for byte of the stored records; anything else is an error
//! that says what is wrong; and nothing that was redacted is left.

mod support;

use std::time::Duration;

use bytes::Bytes;
use expect_test::expect;
use proptest::prelude::*;
use refrain_engine::call::{
    ActivityCommand, ActivityOptions, Command, Completion, Fairness, Interest, Level, NextRun, Note, Read,
};
use refrain_engine::child::{ChildCommand, ChildOptions};
use refrain_engine::codec::encode;
use refrain_engine::export::{ExportError, Exported, NAME, NUMBER, Writer};
use refrain_engine::failure::{Cause, Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, RunId, WorkflowId};
use refrain_engine::journal::{
    Code, End, Entry, ExecutionRef, FailedByHost, Moved, Record, Started, Step, Surroundings, Terminated,
};
use refrain_engine::lifecycle::Lifecycle;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::time::Timestamp;

use support::{START, activity, completed, signal, started};

fn export(started: Started, records: &[Bytes], redacts: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let mut writer = Writer::begin(started, redacts, &mut text);
    for record in records {
        writer.record(record, &mut text).expect("a stored record");
    }
    writer.end(&mut text);
    text
}

fn step(number: u64, delivered: Vec<Item>, entries: Vec<Entry>, end: End) -> Bytes {
    let arrival = |(index, item)| MailboxEntry { number: index as u64 + 1, at: START, item };
    let delivered = delivered.into_iter().enumerate().map(arrival).collect();
    encode(&Record::Step(Step { number, time: START, boot: 1, delivered, entries, end }))
}

/// A run of two steps.
fn sample() -> (Started, Vec<Bytes>) {
    let entries = vec![
        Entry::Read { read: Read::Now, count: 2 },
        Entry::Command(Command::StartActivity(activity("charge"))),
        Entry::Command(Command::StartTimer { delay: Duration::from_millis(1_500), summary: None }),
    ];
    let result = Completion::Completed(Payload::json("{\"paid\":  1.50}"));
    let records = vec![
        step(0, Vec::new(), entries, End::Wait(Interest::Everything)),
        step(1, vec![completed(1, "[1,\n2]"), signal("go", "null")], Vec::new(), End::Finish(result)),
    ];
    (started(), records)
}

/// People keep these files: what is written is pinned, and a change of it is a new format.
#[test]
fn the_form_of_a_history_is_pinned() {
    let (started, records) = sample();
    let text = String::from_utf8(export(started, &records, false)).expect("text");
    expect![[r#"
        {"format":"refrain-history","number":1}
        {"started":{"namespace":"default","workflow_id":"order/1","run_id":"07070707-0707-0707-0707-070707070707","first_run_id":"07070707-0707-0707-0707-070707070707","workflow":"order","input":{"json":{}},"component":"shop","version":1,"digest":"0101010101010101010101010101010101010101010101010101010101010101","profile":1,"task_queue":"default","attempt":1,"at":"2023-11-14T22:13:20Z","seed":"2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a","memo":[],"boot":1,"lifecycle":{},"forks":[]}}
        {"record":{"step":{"number":0,"time":"2023-11-14T22:13:20Z","boot":1,"delivered":[],"entries":[{"read":{"read":"now","count":2}},{"command":{"start-activity":{"name":"charge","input":{"json":1},"options":{"start_to_close":"60s","retry":{"initial_interval":"1s","backoff_coefficient":2.0,"maximum_attempts":0,"non_retryable_error_types":[],"jitter":0.0},"cancellation":"try-cancel","local":false}}}},{"command":{"start-timer":{"delay":"1.5s"}}}],"end":{"wait":"everything"}}}}
        {"record":{"step":{"number":1,"time":"2023-11-14T22:13:20Z","boot":1,"delivered":[{"number":1,"at":"2023-11-14T22:13:20Z","item":{"activity-closed":{"op":1,"outcome":{"completed":{"json_text":"[1,\n2]"}},"attempt":1,"started_at":"2023-11-14T22:13:20Z"}}},{"number":2,"at":"2023-11-14T22:13:20Z","item":{"signal":{"name":"go","input":{"json":null}}}}],"entries":[],"end":{"finish":{"completed":{"json":{"paid":  1.50}}}}}}}
        {"end":{"records":2,"sha256":"67e77eb9655318e38098a770b645e52ce0253dc9373791a6b7048719f55aad45"}}
    "#]].assert_eq(&text);
}

#[test]
fn a_history_is_read_to_its_last_byte_and_says_how_the_run_ended_and_what_executes_it() {
    let (started, mut records) = sample();
    let code = Code { component: "shop".to_owned(), version: 2, digest: Digest([2; 32]) };
    let moved = Moved { time: START, boot: 2, code: code.clone(), reason: "r".to_owned() };
    records.insert(1, encode(&Record::Moved(moved)));
    let read = Exported::read(&export(started.clone(), &records, false)).expect("a history");
    assert_eq!((&read.started, &read.records, read.redacted), (&started, &records, false));
    assert_eq!(read.code, code);
    assert!(matches!(read.end, Some(Record::Step(step)) if step.number == 1));
    records.pop();
    let open = Exported::read(&export(started, &records, false)).expect("a history");
    assert_eq!(open.end, None);
    assert_eq!(open.check_replayable(), Ok(()));
}

/// A guest can ask how many bytes its journal has.
#[test]
fn what_an_older_version_has_stored_in_another_way_keeps_its_bytes() {
    let record = Record::Terminated(Terminated { time: START, boot: 1, reason: "r".to_owned() });
    // The boot in two bytes where one does.
    let mut stored = encode(&record).to_vec();
    let boot = stored.len() - 3;
    assert_eq!(stored[boot], 1);
    stored.splice(boot..=boot, [0x18, 1]);
    let stored = Bytes::from(stored);
    assert_ne!(stored, encode(&record));
    let text = export(started(), std::slice::from_ref(&stored), false);
    assert_eq!(Exported::read(&text).expect("a history").records, [stored]);
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("{\"stored\":{\"record\":{\"terminated\":"), "{text}");
}

/// The text, changed, is refused in these words. The checksum is made to fit again, so that it does not hide the reason.
#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = Exported::read(text.as_bytes()).expect_err("it is not as it was written").to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

#[test]
fn what_is_not_as_it_was_written_is_refused_and_why() {
    let (started, records) = sample();
    let text = String::from_utf8(export(started, &records, false)).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();

    check_refused("", "it is empty");
    check_refused("id,name\n1,order\n", "it is no history");
    check_refused("{\"format\":\"other\",\"number\":1}\n", "its format is \"other\"");
    check_refused("{\"format\":\"refrain-history\",\"number\":0}\n", "there is no format 0");
    let newer = "{\"format\":\"refrain-history\",\"number\":2,\"compressed\":true}\n<some other encoding>";
    check_refused(
        newer,
        "it is in format 2, which is newer than this refrain reads (1): use a newer refrain",
    );
    check_refused(
        "{\"format\":\"refrain-history\",\"number\":1,\"compressed\":true}\n",
        "line 1 is not one of format 1: unknown field `compressed`",
    );
    for kept in 1..lines.len() {
        check_refused(&joined(&lines[..kept]), &format!("it was cut: it ends after {kept} lines"));
    }
    check_refused(&text[..text.len() - 20], "line 5 is not one of format 1");
    check_refused(&text.replacen("charge", "refund", 1), "it was changed after it was written");
    let without_a_step = joined(&[lines[0], lines[1], lines[3], lines[4]]);
    check_refused(&without_a_step, "it was changed after it was written");
    check_refused(&joined(&[&lines[..], &lines[4..]].concat()), "it follows the last one");
    check_refused(&joined(&[lines[0], lines[2]]), "line 2 is not one of format 1");
    check_refused(&joined(&[lines[0], lines[1], lines[1]]), "stands on line 2 alone");
    check_refused(&text.replacen("\"boot\":1", "\"boot\":1,\"mood\":\"sunny\"", 1), "unknown field `mood`");
    check_refused(&text.replacen("\"start-timer\"", "\"start-fire\"", 1), "unknown variant `start-fire`");
    check_refused(&text.replacen("\"1.5s\"", "\"soon\"", 1), "\"soon\" is not a length of time");
    let timer = "{\"start-timer\":{\"delay\":\"1.5s\"}}";
    check_refused(&text.replacen(timer, "{\"wait\":\"everything\"}", 1), "a wait or a finish ends a step");
    check_refused(&text.replacen("\"count\":2", "\"count\":0", 1), "a read is made at least once");
    check_refused(&text.replacen("\"profile\":1", "\"profile\":9", 1), "the determinism profile 9");
}

#[test]
fn line_ends_of_another_system_are_no_change() {
    let (started, records) = sample();
    let text = export(started, &records, false);
    let other = String::from_utf8(text.clone()).expect("text").replace('\n', "\r\n");
    assert_eq!(Exported::read(other.as_bytes()), Exported::read(&text));
    assert_eq!(Exported::read(text.strip_suffix(b"\n").expect("a last line")), Exported::read(&text));
}

const SECRET: &str = "secret";

fn secret() -> Payload {
    Payload::json(format!("\"{SECRET}\""))
}

fn secret_failure() -> Failure {
    let cause = Cause {
        kind: FailureKind::Host,
        error_type: "host-restarted".to_owned(),
        message: "gone".to_owned(),
        stack: String::new(),
        details: Some(secret()),
    };
    Failure {
        details: Some(Payload { content_type: "text/plain".to_owned(), data: SECRET.into() }),
        causes: vec![cause],
        ..Failure::new(FailureKind::Application, "Busy", "no")
    }
}

#[test]
fn no_payload_is_left_of_what_was_redacted_and_it_cannot_be_replayed() {
    let named = || vec![("name".to_owned(), secret())];
    let target = ExecutionRef { workflow_id: WorkflowId::new("o").expect("good"), run_id: None };
    let started = Started {
        input: secret(),
        memo: named(),
        lifecycle: Lifecycle { last_failure: Some(secret_failure()), ..Lifecycle::default() },
        surroundings: Surroundings {
            environment: vec![("TOKEN".to_owned(), SECRET.to_owned())],
            arguments: vec![format!("--token={SECRET}")],
        },
        ..started()
    };
    let outcomes = [Outcome::Completed(secret()), Outcome::Failed(secret_failure())];
    let delivered = outcomes
        .clone()
        .into_iter()
        .flat_map(|outcome| {
            [
                Item::ActivityClosed { op: 1, outcome: outcome.clone(), attempt: 1, started_at: None },
                Item::ChildClosed { op: 2, outcome: outcome.clone() },
                Item::Sent { op: 3, outcome },
            ]
        })
        .chain([
            Item::Signal { name: "go".to_owned(), input: secret() },
            Item::Update { update_id: "u".to_owned(), name: "add".to_owned(), input: secret() },
            Item::ChildNotStarted { op: 4, failure: secret_failure() },
        ])
        .collect();
    let options = ChildOptions { memo: named(), ..ChildOptions::default() };
    let child = ChildCommand { workflow: "c".to_owned(), input: secret(), options };
    let commands = [
        Command::StartActivity(ActivityCommand { input: secret(), ..activity("a") }),
        Command::StartChild(Box::new(child)),
        Command::Signal { target, name: "go".to_owned(), input: secret() },
        Command::RejectUpdate { request: 1, reason: secret_failure() },
    ];
    let answers = outcomes.map(|outcome| Command::CompleteUpdate { request: 2, outcome });
    let entries = commands.into_iter().chain(answers).map(Entry::Command).collect();
    let next = NextRun { unread: named(), ..NextRun::with_input(secret()) };
    let failed = || FailedByHost { time: START, boot: 1, failure: secret_failure() };
    let mut records = vec![step(0, delivered, entries, End::Wait(Interest::Everything))];
    for end in [
        Completion::Completed(secret()),
        Completion::Failed(secret_failure()),
        Completion::Canceled(Some(secret())),
        Completion::ContinueAsNew(next),
    ] {
        records.push(step(1, Vec::new(), Vec::new(), End::Finish(end)));
    }
    records.extend([Record::Failed(failed()), Record::TimedOut(failed())].iter().map(encode));

    let text = String::from_utf8(export(started.clone(), &records, true)).expect("text");
    // "secret", and the same in base64.
    assert!(!text.contains(SECRET) && !text.contains("c2VjcmV0"), "{text}");
    let read = Exported::read(text.as_bytes()).expect("a history");
    assert_eq!(read.records.len(), records.len());
    assert_eq!(read.check_replayable(), Err(ExportError::Redacted));
    // As many words about sizes as there were values.
    let whole = String::from_utf8(export(started, &records, false)).expect("text");
    let values = whole.matches("\"json\":").count() + whole.matches("\"encoded\":").count();
    assert!(values > 30 && whole.contains(SECRET), "{whole}");
    let surroundings = 2;
    assert_eq!(text.matches("\"redacted: ").count(), values + surroundings);
    assert!(text.contains("TOKEN"), "the names of variables stay: {text}");
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let json = prop_oneof![
        Just("null".to_owned()),
        Just("{\"a\": [1, 2.50, \"\\u00e9\"],\n \"b\":{}}".to_owned()),
        Just(" 1 ".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a string")),
    ];
    prop_oneof![
        json.prop_map(Payload::json),
        any::<String>().prop_map(Payload::json),
        (any::<String>(), any::<Vec<u8>>())
            .prop_map(|(content_type, data)| Payload { content_type, data: data.into() }),
    ]
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let kind =
        prop_oneof![Just(FailureKind::Application), Just(FailureKind::Other), Just(FailureKind::Timeout)];
    let details = proptest::option::of(any_payload());
    (kind, any::<[String; 3]>(), details, any::<bool>()).prop_map(
        |(kind, [error_type, message, stack], details, non_retryable)| {
            let cause = Failure { details: details.clone(), ..Failure::new(kind, "inner", stack.clone()) };
            Failure { stack, details, non_retryable, ..Failure::new(kind, error_type, message) }
                .caused_by(cause)
        },
    )
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![any_payload().prop_map(Outcome::Completed), any_failure().prop_map(Outcome::Failed)]
}

fn any_length() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds))
}

fn any_id() -> impl Strategy<Value = WorkflowId> {
    "[a-zé/\" ]{1,12}".prop_map(|id| WorkflowId::new(id).expect("a good id"))
}

fn any_target() -> impl Strategy<Value = ExecutionRef> {
    (any_id(), proptest::option::of(any::<[u8; 16]>()))
        .prop_map(|(workflow_id, run)| ExecutionRef { workflow_id, run_id: run.map(RunId::from_bytes) })
}

fn any_retry() -> impl Strategy<Value = RetryPolicy> {
    (
        any_length(),
        1.0..1e9,
        proptest::option::of(any_length()),
        any::<u32>(),
        any::<Vec<String>>(),
        0.0..=1.0,
    )
        .prop_map(
            |(initial_interval, backoff_coefficient, maximum_interval, maximum_attempts, types, jitter)| {
                RetryPolicy {
                    initial_interval,
                    backoff_coefficient,
                    maximum_interval,
                    maximum_attempts,
                    non_retryable_error_types: types,
                    jitter,
                }
            },
        )
}

fn any_activity() -> impl Strategy<Value = ActivityCommand> {
    let options = (
        proptest::option::of(any::<String>()),
        proptest::array::uniform4(proptest::option::of(any_length())),
        any_retry(),
        proptest::option::of(any::<u8>()),
        proptest::option::of((any::<String>(), 0.001..1000.0)),
        any::<bool>(),
    );
    (any::<String>(), any_payload(), options).prop_map(|(name, input, options)| {
        let (
            text,
            [schedule_to_close, schedule_to_start, start_to_close, heartbeat],
            retry,
            priority,
            fair,
            local,
        ) = options;
        let options = ActivityOptions {
            task_queue: text.clone(),
            schedule_to_close,
            schedule_to_start,
            start_to_close,
            heartbeat,
            retry,
            priority,
            summary: text,
            fairness: fair.map(|(key, weight)| Fairness { key, weight }),
            local,
            ..ActivityOptions::default()
        };
        ActivityCommand { name, input, options }
    })
}

fn any_command() -> impl Strategy<Value = Command> {
    let child =
        (any::<String>(), any_payload(), proptest::option::of(any_retry()), proptest::option::of(any_id()));
    prop_oneof![
        any_activity().prop_map(Command::StartActivity),
        (any_length(), any::<Option<String>>())
            .prop_map(|(delay, summary)| Command::StartTimer { delay, summary }),
        any::<(u64, String)>().prop_map(|(op, reason)| Command::Cancel { op, reason }),
        any::<u64>().prop_map(|op| Command::Detach { op }),
        child.prop_map(|(workflow, input, retry, workflow_id)| {
            let memo = vec![(workflow.clone(), input.clone())];
            let options = ChildOptions { retry, workflow_id, memo, ..ChildOptions::default() };
            Command::StartChild(Box::new(ChildCommand { workflow, input, options }))
        }),
        (any_target(), any::<String>(), any_payload()).prop_map(|(target, name, input)| Command::Signal {
            target,
            name,
            input
        }),
        (any_target(), any::<String>())
            .prop_map(|(target, reason)| Command::RequestCancel { target, reason }),
        any::<u64>().prop_map(|request| Command::AcceptUpdate { request }),
        (any::<u64>(), any_failure()).prop_map(|(request, reason)| Command::RejectUpdate { request, reason }),
        (any::<u64>(), any_outcome())
            .prop_map(|(request, outcome)| Command::CompleteUpdate { request, outcome }),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let read = prop_oneof![
        Just(Read::Now),
        Just(Read::Uuid),
        Just(Read::Info),
        any::<u32>().prop_map(|len| Read::RandomBytes { len })
    ];
    let log = any::<(String, Vec<(String, String)>)>()
        .prop_map(|(message, fields)| Entry::Note(Note::Log { level: Level::Warn, message, fields }));
    prop_oneof![
        any_command().prop_map(Entry::Command),
        (read, any::<u64>()).prop_map(|(read, count)| Entry::Read { read, count }),
        log,
        Just(Entry::Note(Note::LogTruncated)),
        any::<(String, u32)>().prop_map(|(id, version)| Entry::Marker { id, version }),
    ]
}

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![
        (any::<u64>(), any_outcome(), any::<u32>(), any::<Option<u64>>()).prop_map(
            |(op, outcome, attempt, at)| {
                Item::ActivityClosed { op, outcome, attempt, started_at: at.map(Timestamp) }
            }
        ),
        any::<(u64, u64)>().prop_map(|(op, at)| Item::TimerFired { op, deadline: Timestamp(at) }),
        any::<(u64, String)>().prop_map(|(op, reason)| Item::Canceled { op, reason }),
        (any::<String>(), any_payload()).prop_map(|(name, input)| Item::Signal { name, input }),
        any::<String>().prop_map(|reason| Item::CancelRequest { reason }),
        (any::<u64>(), any_id(), any::<[u8; 16]>()).prop_map(|(op, workflow_id, run)| {
            Item::ChildStarted { op, workflow_id, run_id: RunId::from_bytes(run) }
        }),
        (any::<u64>(), any_failure()).prop_map(|(op, failure)| Item::ChildNotStarted { op, failure }),
        (any::<u64>(), any_outcome()).prop_map(|(op, outcome)| Item::ChildClosed { op, outcome }),
        (any::<u64>(), any_outcome()).prop_map(|(op, outcome)| Item::Sent { op, outcome }),
        (any::<[String; 2]>(), any_payload()).prop_map(|([update_id, name], input)| Item::Update {
            update_id,
            name,
            input
        }),
    ]
}

fn any_end() -> impl Strategy<Value = End> {
    let next = (any::<Option<String>>(), any_payload(), any::<bool>(), proptest::option::of(any_length()));
    prop_oneof![
        Just(End::Wait(Interest::Everything)),
        any::<Vec<u64>>().prop_map(|ops| End::Wait(Interest::Ops(ops))),
        any::<Vec<u64>>().prop_map(|ops| End::Wait(Interest::OpsAndMessages(ops))),
        any_payload().prop_map(|result| End::Finish(Completion::Completed(result))),
        any_failure().prop_map(|why| End::Finish(Completion::Failed(why))),
        proptest::option::of(any_payload()).prop_map(|result| End::Finish(Completion::Canceled(result))),
        next.prop_map(|(workflow, input, newest_version, run_timeout)| {
            let unread = vec![("go".to_owned(), input.clone())];
            End::Finish(Completion::ContinueAsNew(NextRun {
                workflow,
                input,
                newest_version,
                run_timeout,
                unread,
            }))
        }),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let delivered = prop::collection::vec((any::<(u64, u64)>(), any_item()), 0..4);
    let entries = prop::collection::vec(any_entry(), 0..6);
    let by_host = || {
        (any::<(u64, u64)>(), any_failure()).prop_map(|((time, boot), failure)| FailedByHost {
            time: Timestamp(time),
            boot,
            failure,
        })
    };
    prop_oneof![
        6 => (any::<[u64; 3]>(), delivered, entries, any_end()).prop_map(|([number, time, boot], items, entries, end)| {
            let arrival = |((number, at), item)| MailboxEntry { number, at: Timestamp(at), item };
            let delivered = items.into_iter().map(arrival).collect();
            Record::Step(Step { number, time: Timestamp(time), boot, delivered, entries, end })
        }),
        1 => any::<(u64, u64, String)>().prop_map(|(time, boot, reason)| {
            Record::Terminated(Terminated { time: Timestamp(time), boot, reason })
        }),
        1 => by_host().prop_map(Record::Failed),
        1 => by_host().prop_map(Record::TimedOut),
        1 => any::<(u64, u64, String)>().prop_map(|(time, boot, reason)| {
            Record::Canceled(Terminated { time: Timestamp(time), boot, reason })
        }),
        1 => any::<(u64, [u8; 32], String)>().prop_map(|(time, digest, reason)| {
            let code = Code { component: reason.clone(), version: 3, digest: Digest(digest) };
            Record::Moved(Moved { time: Timestamp(time), boot: 1, code, reason })
        }),
    ]
}

fn any_started() -> impl Strategy<Value = Started> {
    let parents = proptest::array::uniform2(proptest::option::of(any_target()));
    let retry = proptest::option::of(any_retry());
    (
        any_id(),
        any_payload(),
        any::<([u8; 32], u64, Option<u64>)>(),
        parents,
        retry,
        proptest::option::of(any_failure()),
        any::<(Vec<(String, String)>, Vec<String>)>(),
    )
        .prop_map(
            |(workflow_id, input, (seed, at, deadline), [parent, root], retry, last_failure, around)| {
                let (environment, arguments) = around;
                let base = Started {
                    workflow_id,
                    memo: vec![("m".to_owned(), input.clone())],
                    input,
                    seed,
                    at: Timestamp(at),
                    parent,
                    root,
                    parent_op: deadline,
                    lifecycle: Lifecycle {
                        execution_deadline: deadline.map(Timestamp),
                        retry,
                        last_failure,
                        ..Lifecycle::default()
                    },
                    surroundings: Surroundings { environment, arguments },
                    ..started()
                };
                Started { forks: base.forks_at(at % 3), ..base }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_journal_round_trips(started in any_started(), records in prop::collection::vec(any_record(), 0..5)) {
        let records: Vec<Bytes> = records.iter().map(encode).collect();
        let text = export(started.clone(), &records, false);
        prop_assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), records.len() + 3);
        let read = Exported::read(&text).expect("it was written");
        prop_assert_eq!(&read.started, &started);
        prop_assert_eq!(&read.records, &records);
        prop_assert_eq!(export(read.started, &read.records, false), text);
    }

    #[test]
    fn what_any_journal_is_redacted_to_can_be_read(records in prop::collection::vec(any_record(), 0..3)) {
        let records: Vec<Bytes> = records.iter().map(encode).collect();
        let read = Exported::read(&export(started(), &records, true)).expect("it was written");
        prop_assert_eq!(read.records.len(), records.len());
        prop_assert!(read.redacted);
    }

    #[test]
    fn garbage_is_an_error(bytes in any::<Vec<u8>>(), line in any::<String>()) {
        prop_assert!(Exported::read(&bytes).is_err());
        let begun = format!("{{\"format\":\"{NAME}\",\"number\":{NUMBER}}}\n{line}\n");
        prop_assert!(Exported::read(begun.as_bytes()).is_err());
    }

    #[test]
    fn a_changed_byte_is_an_error(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (started, records) = sample();
        let mut text = export(started, &records, false);
        let at = at.index(text.len() - 1);
        prop_assume!(text[at] != byte);
        text[at] = byte;
        prop_assert!(Exported::read(&text).is_err(), "byte {} is {:?}", at, char::from(byte));
    }

    #[test]
    fn what_is_cut_is_an_error(length in any::<prop::sample::Index>()) {
        let (started, records) = sample();
        let text = export(started, &records, false);
        prop_assert!(Exported::read(&text[..length.index(text.len() - 1)]).is_err());
    }
}

/// Each later version must read and replay them: see `tests/replay/README.md`.
#[test]
fn histories_of_former_versions_are_read_and_written_as_they_are() {
    let mut folders =
        vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/replay"))];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the histories are here") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "jsonl") {
                let text = std::fs::read(&path).expect("a history");
                let read =
                    Exported::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let written = export(read.started, &read.records, read.redacted);
                assert!(written == text, "{} would be written in another way", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 20, "only {files} histories were found");
}
