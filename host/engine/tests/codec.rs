//! The stored form of records: it round-trips, it is pinned byte by byte so that nobody changes it unaware,
//! and damaged bytes are an error.

mod support;

use std::time::Duration;

use expect_test::expect;
use proptest::prelude::*;
use refrain_engine::activity::{Activity, Delay, Pause, Phase, Reset, Runner};
use refrain_engine::call::{
    ActivityCommand, ActivityOptions, Cancellation, Command, Completion, Fairness, Interest, Level, NextRun,
    Note, Read,
};
use refrain_engine::child::{
    ChildCancellation, ChildCommand, ChildOptions, IdReusePolicy, ParentClosePolicy,
};
use refrain_engine::codec::{decode, encode};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, RunId, WorkflowId};
use refrain_engine::journal::{
    Code, End, Entry, ExecutionRef, FailedByHost, Moved, Record, Started, Step, Terminated,
};
use refrain_engine::lifecycle::Lifecycle;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::time::Timestamp;

use support::{START, activity, child, completed, failed, signal, started, update};

fn step(delivered: Vec<Item>, entries: Vec<Entry>, end: End) -> Step {
    let arrival = |(index, item)| MailboxEntry { number: index as u64 + 1, at: START, item };
    let delivered = delivered.into_iter().enumerate().map(arrival).collect();
    Step { number: 1, time: START, boot: 1, delivered, entries, end }
}

fn full_failure() -> Failure {
    let cause = Failure::new(FailureKind::Host, "host-restarted", "gone");
    Failure {
        stack: "main.rs:1".to_owned(),
        details: Some(Payload::json("{}")),
        non_retryable: true,
        ..Failure::new(FailureKind::Application, "Busy", "no")
    }
    .caused_by(cause)
}

fn full_options() -> ActivityOptions {
    ActivityOptions {
        task_queue: Some("gpu".to_owned()),
        schedule_to_close: Some(Duration::from_secs(1)),
        schedule_to_start: Some(Duration::from_secs(2)),
        start_to_close: Some(Duration::from_millis(3)),
        heartbeat: Some(Duration::from_secs(4)),
        retry: RetryPolicy {
            maximum_interval: Some(Duration::from_secs(9)),
            maximum_attempts: 5,
            non_retryable_error_types: vec!["X".to_owned()],
            ..RetryPolicy::default()
        },
        cancellation: Cancellation::Abandon,
        priority: Some(1),
        summary: Some("s".to_owned()),
        ..ActivityOptions::default()
    }
}

fn commands() -> Vec<Command> {
    vec![
        Command::StartActivity(activity("a")),
        Command::StartActivity(ActivityCommand { options: full_options(), ..activity("b") }),
        Command::StartTimer { delay: Duration::from_secs(5), summary: Some("nap".to_owned()) },
        Command::Cancel { op: 1, reason: "r".to_owned() },
        Command::Detach { op: 2 },
    ]
}

fn ends() -> Vec<End> {
    let next = NextRun {
        workflow: Some("w".to_owned()),
        input: Payload::null(),
        newest_version: true,
        run_timeout: Some(Duration::from_secs(1)),
        unread: Vec::new(),
    };
    vec![
        End::Wait(Interest::Everything),
        End::Wait(Interest::Ops(vec![1, 300])),
        End::Wait(Interest::OpsAndMessages(vec![])),
        End::Finish(Completion::Completed(Payload::json("1"))),
        End::Finish(Completion::Failed(full_failure())),
        End::Finish(Completion::Canceled(None)),
        End::Finish(Completion::ContinueAsNew(next)),
    ]
}

fn items() -> Vec<Item> {
    vec![
        completed(1, "1"),
        failed(2, "Busy"),
        Item::TimerFired { op: 3, deadline: START },
        Item::Canceled { op: 4, reason: "r".to_owned() },
        signal("go", "{}"),
        Item::CancelRequest { reason: "r".to_owned() },
    ]
}

/// What came with format 4, with all that may be absent.
fn commands_between_runs() -> Vec<Command> {
    let target = ExecutionRef {
        workflow_id: WorkflowId::new("p").expect("good"),
        run_id: Some(RunId::from_bytes([3; 16])),
    };
    let options = ChildOptions {
        workflow_id: Some(WorkflowId::new("c").expect("good")),
        id_reuse: IdReusePolicy::RejectDuplicate,
        component: Some("shop".to_owned()),
        task_queue: Some("gpu".to_owned()),
        execution_timeout: Some(Duration::from_secs(1)),
        run_timeout: Some(Duration::from_secs(2)),
        retry: Some(RetryPolicy::default()),
        parent_close: ParentClosePolicy::Abandon,
        cancellation: ChildCancellation::WaitForCancellation,
        memo: vec![("m".to_owned(), Payload::null())],
        summary: Some("s".to_owned()),
    };
    vec![
        Command::StartChild(Box::new(child("pack"))),
        Command::StartChild(Box::new(ChildCommand { options, ..child("pack") })),
        Command::Signal { target: target.clone(), name: "go".to_owned(), input: Payload::null() },
        Command::RequestCancel { target, reason: "r".to_owned() },
        Command::AcceptUpdate { request: 1 },
        Command::RejectUpdate { request: 2, reason: full_failure() },
        Command::CompleteUpdate { request: 1, outcome: Outcome::Completed(Payload::null()) },
    ]
}

fn items_between_runs() -> Vec<Item> {
    let workflow_id = WorkflowId::new("c").expect("good");
    vec![
        Item::ChildStarted { op: 1, workflow_id, run_id: RunId::from_bytes([3; 16]) },
        Item::ChildNotStarted { op: 2, failure: full_failure() },
        Item::ChildClosed { op: 3, outcome: Outcome::Completed(Payload::null()) },
        Item::Sent { op: 4, outcome: Outcome::Failed(full_failure()) },
        update("u", "add"),
    ]
}

fn entries() -> Vec<Entry> {
    let reads = [Read::Now, Read::RandomBytes { len: 300 }, Read::Uuid, Read::Info];
    let fields = vec![("k".to_owned(), "v".to_owned())];
    commands()
        .into_iter()
        .map(Entry::Command)
        .chain(reads.map(|read| Entry::Read { read, count: 2 }))
        .chain([
            Entry::Note(Note::Log { level: Level::Warn, message: "m".to_owned(), fields }),
            Entry::Note(Note::LogTruncated),
            Entry::Marker { id: "p".to_owned(), version: 1 },
        ])
        .collect()
}

/// One record of each kind.
fn samples() -> Vec<Record> {
    let mut records: Vec<Record> =
        ends().into_iter().map(|end| Record::Step(step(Vec::new(), Vec::new(), end))).collect();
    records.push(Record::Step(step(items(), Vec::new(), End::Wait(Interest::Everything))));
    records.push(Record::Step(step(Vec::new(), entries(), End::Wait(Interest::Everything))));
    records.push(Record::Terminated(Terminated { time: START, boot: 2, reason: "r".to_owned() }));
    records.push(Record::Failed(FailedByHost { time: START, boot: 2, failure: full_failure() }));
    records.push(Record::TimedOut(FailedByHost { time: START, boot: 2, failure: full_failure() }));
    let commands = commands_between_runs().into_iter().map(Entry::Command).collect();
    records.push(Record::Step(step(items_between_runs(), commands, End::Wait(Interest::Everything))));
    let next =
        NextRun { unread: vec![("go".to_owned(), Payload::null())], ..NextRun::with_input(Payload::null()) };
    let end = End::Finish(Completion::ContinueAsNew(next));
    records.push(Record::Step(step(Vec::new(), Vec::new(), end)));
    let code = Code { component: "shop".to_owned(), version: 2, digest: Digest([2; 32]) };
    records.push(Record::Moved(Moved { time: START, boot: 2, code, reason: "r".to_owned() }));
    records
}

#[test]
fn a_start_of_the_time_before_lifecycles_has_none() {
    let old = started();
    assert_eq!(old.lifecycle, Lifecycle::default());
    let stored = encode(&old);
    assert_eq!(stored[0], 0x94, "it is stored as before, in twenty fields");
    assert_eq!(decode::<Started>("start", &stored).expect("a start"), old);
}

fn full_started() -> Started {
    let parent = ExecutionRef { workflow_id: WorkflowId::new("p").expect("good"), run_id: None };
    let root = ExecutionRef { run_id: Some(RunId::from_bytes([3; 16])), ..parent.clone() };
    Started {
        continued_run_id: Some(RunId::from_bytes([2; 16])),
        parent: Some(parent),
        root: Some(root),
        request_id: Some("req".to_owned()),
        memo: vec![("m".to_owned(), Payload::null())],
        lifecycle: Lifecycle {
            execution_deadline: Some(START),
            run_timeout: Some(Duration::from_secs(60)),
            retry: Some(RetryPolicy::default()),
            begins_at: Some(START),
            last_failure: Some(full_failure()),
        },
        ..started()
    }
}

/// A child that was reset.
fn forked_started() -> Started {
    let base = full_started();
    Started { parent_op: Some(2), forks: base.forks_at(3), ..base }
}

fn full_activity() -> Activity {
    let command = ActivityCommand { options: full_options(), ..activity("a") };
    Activity {
        attempt: 2,
        phase: Phase::Running { boot: 3, started_at: START, runner: Runner::Host },
        last_failure: Some(full_failure()),
        heartbeat: Some(Payload::null()),
        wanted: false,
        cancel_reason: Some("r".to_owned()),
        ..Activity::new(1, command, START)
    }
}

/// With everything that format 2 added.
fn fullest_activity() -> Activity {
    let options = ActivityOptions {
        retry: RetryPolicy { jitter: 0.5, ..RetryPolicy::default() },
        fairness: Some(Fairness { key: "acme".to_owned(), weight: 2.5 }),
        local: true,
        ..full_options()
    };
    let runner = Runner::Worker { identity: "w".to_owned(), poll_id: "p".to_owned() };
    Activity {
        command: ActivityCommand { options: options.clone(), ..activity("a") },
        phase: Phase::Running { boot: 3, started_at: START, runner },
        starts: 7,
        paused: Some(Pause { at: START, reason: "r".to_owned() }),
        updated: Some(Box::new(options)),
        reset: Some(Reset { heartbeat: true }),
        heartbeat_at: Some(START),
        ..full_activity()
    }
}

fn phases() -> Vec<Phase> {
    let worker = Runner::Worker { identity: "w".to_owned(), poll_id: "p".to_owned() };
    let running = [Runner::Host, worker, Runner::Outside];
    let backoff = [Delay::Asked, Delay::Policy, Delay::QueueFull];
    let mut phases = vec![Phase::Scheduled { since: START }];
    phases.extend(running.map(|runner| Phase::Running { boot: 3, started_at: START, runner }));
    phases.extend(backoff.map(|delay| Phase::Backoff { until: START, since: Timestamp(1), delay }));
    phases.push(Phase::Backoff { until: START, since: Timestamp(0), delay: Delay::Asked });
    phases
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("two digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

/// A change here is a change of the stored format: journals that exist must still be read.
#[test]
fn the_stored_form_of_each_record_is_pinned() {
    let mut lines: Vec<String> = samples().iter().map(|record| hex(&encode(record))).collect();
    lines.push(hex(&encode(&full_started())));
    lines.push(hex(&encode(&forked_started())));
    lines.push(hex(&encode(&full_activity())));
    lines.push(hex(&encode(&fullest_activity())));
    lines.extend(phases().iter().map(|phase| hex(&encode(phase))));
    expect![[r#"
        82008186011b17979cfe362a0000018080820081820080
        82008186011b17979cfe362a0000018080820081820181820119012c
        82008186011b17979cfe362a000001808082008182028180
        82008186011b17979cfe362a000001808082018182008182706170706c69636174696f6e2f6a736f6e4131
        82008186011b17979cfe362a000001808082018182018187006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e6560
        82008186011b17979cfe362a0000018080820181820280
        82008186011b17979cfe362a000001808082018182038184617782706170706c69636174696f6e2f6a736f6e446e756c6cf5820100
        82008186011b17979cfe362a0000018683011b17979cfe362a00008200840182008182706170706c69636174696f6e2f6a736f6e4131011b17979cfe362a000083021b17979cfe362a000082008402820181870064427573796a6974206973206275737960f6f480031b17979cfe362a000083031b17979cfe362a0000820182031b17979cfe362a000083041b17979cfe362a000082028204617283051b17979cfe362a000082038262676f82706170706c69636174696f6e2f6a736f6e427b7d83061b17979cfe362a0000820481617280820081820080
        82008186011b17979cfe362a000001808c82008182008183616182706170706c69636174696f6e2f6a736f6e413187f6f6f682183c00f685820100fb4000000000000000f600800082008182008183616282706170706c69636174696f6e2f6a736f6e4131896367707582010082020082001a002dc6c082040085820100fb40000000000000008209000581615802016173820081820182820500636e6170820081820282016172820081820381028201828200800282018282018119012c02820182820280028201828203800282028182008303616d8182616b6176820281820180820382617001820081820080
        820181831b17979cfe362a0000026172
        820281831b17979cfe362a00000287006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e6560
        820381831b17979cfe362a00000287006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e6560
        82008186011b17979cfe362a0000018583011b17979cfe362a0000820583016163500303030303030303030303030303030383021b17979cfe362a00008206820287006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e656083031b17979cfe362a00008207820382008182706170706c69636174696f6e2f6a736f6e446e756c6c83041b17979cfe362a00008208820482018187006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e656083051b17979cfe362a000082098361756361646482706170706c69636174696f6e2f6a736f6e41318782008182068183647061636b82706170706c69636174696f6e2f6a736f6e41318af600f6f6f6f6f600008082008182068183647061636b82706170706c69636174696f6e2f6a736f6e41318b6163026473686f706367707582010082020085820100fb4000000000000000f6008002018182616d82706170706c69636174696f6e2f6a736f6e446e756c6c6173820081820783826170500303030303030303030303030303030362676f82706170706c69636174696f6e2f6a736f6e446e756c6c8200818208828261705003030303030303030303030303030303617282008182098101820081820a820287006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e6560820081820b820182008182706170706c69636174696f6e2f6a736f6e446e756c6c820081820080
        82008186011b17979cfe362a000001808082018182038185f682706170706c69636174696f6e2f6a736f6e446e756c6cf4f6818262676f82706170706c69636174696f6e2f6a736f6e446e756c6c
        820481841b17979cfe362a000002836473686f7002582002020202020202020202020202020202020202020202020202020202020202026172
        956764656661756c74676f726465722f31500707070707070707070707070707070750070707070707070707070707070707075002020202020202020202020202020202656f7264657282706170706c69636174696f6e2f6a736f6e427b7d6473686f700158200101010101010101010101010101010101010101010101010101010101010101016764656661756c74011b17979cfe362a000058202a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a8161708261705003030303030303030303030303030303637265718182616d82706170706c69636174696f6e2f6a736f6e446e756c6c01851b17979cfe362a000082183c0085820100fb4000000000000000f600801b17979cfe362a000087006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e6560
        976764656661756c74676f726465722f31500707070707070707070707070707070750070707070707070707070707070707075002020202020202020202020202020202656f7264657282706170706c69636174696f6e2f6a736f6e427b7d6473686f700158200101010101010101010101010101010101010101010101010101010101010101016764656661756c74011b17979cfe362a000058202a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a8161708261705003030303030303030303030303030303637265718182616d82706170706c69636174696f6e2f6a736f6e446e756c6c01851b17979cfe362a000082183c0085820100fb4000000000000000f600801b17979cfe362a000087006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e6560028182038a676f726465722f31500707070707070707070707070707070750070707070707070707070707070707075002020202020202020202020202020202011b17979cfe362a000058202a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a81617082617050030303030303030303030303030303036764656661756c74
        890183616182706170706c69636174696f6e2f6a736f6e4131896367707582010082020082001a002dc6c082040085820100fb400000000000000082090005816158020161731b17979cfe362a000002820182031b17979cfe362a000087006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e656082706170706c69636174696f6e2f6a736f6e446e756c6cf46172
        8e0183616182706170706c69636174696f6e2f6a736f6e41318b6367707582010082020082001a002dc6c082040086820100fb4000000000000000f60080fb3fe000000000000002016173826461636d65fb4004000000000000f51b17979cfe362a000002820183031b17979cfe362a00008201826177617087006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e656082706170706c69636174696f6e2f6a736f6e446e756c6cf4617207821b17979cfe362a000061728b6367707582010082020082001a002dc6c082040086820100fb4000000000000000f60080fb3fe000000000000002016173826461636d65fb4004000000000000f581f51b17979cfe362a0000
        8200811b17979cfe362a0000
        820182031b17979cfe362a0000
        820183031b17979cfe362a000082018261776170
        820183031b17979cfe362a0000820280
        8202821b17979cfe362a000001
        8202831b17979cfe362a00000101
        8202831b17979cfe362a00000102
        8202811b17979cfe362a0000
    "#]].assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn each_record_is_read_as_it_was_written() {
    for record in samples() {
        assert_eq!(decode::<Record>("record", &encode(&record)).expect("it was encoded"), record);
    }
    for started in [full_started(), forked_started()] {
        assert_eq!(decode::<Started>("start", &encode(&started)).expect("it was encoded"), started);
    }
    assert_eq!(
        decode::<Activity>("activity", &encode(&full_activity())).expect("it was encoded"),
        full_activity()
    );
    assert_eq!(
        decode::<Activity>("activity", &encode(&fullest_activity())).expect("it was encoded"),
        fullest_activity()
    );
    for phase in phases() {
        assert_eq!(decode::<Phase>("phase", &encode(&phase)).expect("it was encoded"), phase);
    }
}

/// The bytes are those that a host of format 1 wrote.
#[test]
fn activities_of_format_1_are_read_and_what_uses_nothing_new_is_written_as_before() {
    let row = "890183616182706170706c69636174696f6e2f6a736f6e4131896367707582010082020082001a002dc6c082040085820100fb400000000000000082090005816158020161731b17979cfe362a000002820182031b17979cfe362a000087006442757379626e6f696d61696e2e72733a3182706170706c69636174696f6e2f6a736f6e427b7df58184046e686f73742d72657374617274656464676f6e656082706170706c69636174696f6e2f6a736f6e446e756c6cf46172";
    let read: Activity = decode("activity", &unhex(row)).expect("it was written");
    assert_eq!(read, full_activity());
    assert_eq!((read.starts, &read.paused, &read.updated, read.reset), (0, &None, &None, None));
    assert_eq!(hex(&encode(&read)), row);
    let read: Phase = decode("phase", &unhex("8202811b17979cfe362a0000")).expect("it was written");
    assert_eq!(read, Phase::Backoff { until: START, since: Timestamp(0), delay: Delay::Asked });
}

#[test]
fn truncated_records_and_bytes_after_a_record_are_errors() {
    for record in samples() {
        let bytes = encode(&record);
        for length in 0..bytes.len() {
            let error = decode::<Record>("journal record", &bytes[..length]).expect_err("it is cut");
            assert!(error.to_string().starts_with("a stored journal record cannot be read: "), "{error}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(decode::<Record>("journal record", &longer).is_err(), "bytes follow the record");
    }
}

/// A record as a later version may write it: `Step` with a field that this version does not know.
mod later {
    use super::{End, Entry, MailboxEntry, Timestamp};

    #[derive(minicbor::Encode)]
    pub(super) enum Record {
        #[n(0)]
        Step(#[n(0)] Step),
    }

    #[derive(minicbor::Encode)]
    pub(super) struct Step {
        #[n(0)]
        pub(super) number: u64,
        #[n(1)]
        pub(super) time: Timestamp,
        #[n(2)]
        pub(super) boot: u64,
        #[n(3)]
        pub(super) delivered: Vec<MailboxEntry>,
        #[n(4)]
        pub(super) entries: Vec<Entry>,
        #[n(5)]
        pub(super) end: End,
        #[n(6)]
        pub(super) mood: String,
    }
}

#[test]
fn a_field_that_a_later_version_added_is_passed_over() {
    let Step { number, time, boot, delivered, entries, end } =
        step(items(), entries(), End::Wait(Interest::Everything));
    let mood = "sunny".to_owned();
    let written = later::Step {
        number,
        time,
        boot,
        delivered: delivered.clone(),
        entries: entries.clone(),
        end: end.clone(),
        mood,
    };
    let read = decode::<Record>("record", &encode(&later::Record::Step(written))).expect("only a field more");
    assert_eq!(read, Record::Step(Step { number, time, boot, delivered, entries, end }));
}

fn any_record() -> impl Strategy<Value = Record> {
    let item = prop_oneof![
        (1..99u64, any::<Vec<u8>>(), any::<u32>()).prop_map(|(op, data, attempt)| {
            let outcome = Outcome::Completed(Payload { content_type: "x/y".to_owned(), data: data.into() });
            Item::ActivityClosed { op, outcome, attempt, started_at: None }
        }),
        any::<(u64, u64)>().prop_map(|(op, at)| Item::TimerFired { op, deadline: Timestamp(at) }),
        any::<(String, String)>().prop_map(|(name, json)| signal(&name, &json)),
        any::<String>().prop_map(|reason| Item::CancelRequest { reason }),
        proptest::sample::select(items()),
    ];
    let entry = prop_oneof![
        any::<(u64, u32, Option<String>)>().prop_map(|(seconds, nanoseconds, summary)| {
            let delay = Duration::new(seconds / 2, nanoseconds % 1_000_000_000);
            Entry::Command(Command::StartTimer { delay, summary })
        }),
        any::<(u32, u64)>().prop_map(|(len, count)| Entry::Read { read: Read::RandomBytes { len }, count }),
        any::<(String, u32)>().prop_map(|(id, version)| Entry::Marker { id, version }),
        proptest::sample::select(entries()),
    ];
    let end = prop_oneof![
        proptest::sample::select(ends()),
        any::<Vec<u64>>().prop_map(|ops| End::Wait(Interest::Ops(ops))),
    ];
    let items = prop::collection::vec(item, 0..6);
    let entries = prop::collection::vec(entry, 0..12);
    (any::<[u64; 3]>(), items, entries, end).prop_map(|([number, time, boot], items, entries, end)| {
        Record::Step(Step { number, time: Timestamp(time), boot, ..step(items, entries, end) })
    })
}

/// Who reads a journal relies on it, and would panic.
#[test]
fn a_step_that_no_run_can_have_made_does_not_decode() {
    let refused = |entry| {
        let record = Record::Step(step(Vec::new(), vec![entry], End::Wait(Interest::Everything)));
        decode::<Record>("record", &encode(&record)).expect_err("no step holds this").to_string()
    };
    let within = "a wait or a finish ends a step and is no entry of it";
    let wait = Command::Wait(Interest::Everything);
    let finish = Command::Finish(Completion::Completed(Payload::null()));
    for end in [wait, finish] {
        assert!(refused(Entry::Command(end)).contains(within));
    }
    let never = Entry::Read { read: Read::Now, count: 0 };
    assert!(refused(never).contains("a read is made at least once"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_round_trips(record in any_record()) {
        prop_assert_eq!(decode::<Record>("record", &encode(&record)).expect("it was encoded"), record);
    }

    #[test]
    fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
        let _ = decode::<Record>("record", &bytes);
        let _ = decode::<Started>("start", &bytes);
        let _ = decode::<Activity>("activity", &bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(sample in 0..11usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&samples()[sample]).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode::<Record>("record", &bytes);
    }
}
