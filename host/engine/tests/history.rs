//! The history: the journal as people read it.

mod support;

use expect_test::expect;
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::fork::ForkPoint;
use refrain_engine::history::{History, HistoryEvent, HistoryKind};
use refrain_engine::journal::{FailedByHost, Position, Record, Terminated};
use refrain_engine::mailbox::Item;

use support::{START, recorded, since_start, started};

const STORY: &str = "log begun
    now
    activity list
    activity hash
    timer 60
    > at 1
    wait
    > failed 1
    > completed 2
    > at 2
    > signal hurry
    > resume
    cancel 3
    detach 3
    patched faster
    activity pack
    wait
    > at 3
    > cancel-request
    > completed 4
    > resume
    uuid
    finish 3";

/// The story's records; from step 2 on they were made by a host that was started again.
fn records() -> Vec<Record> {
    let mut records: Vec<Record> =
        recorded(STORY).iter().map(|bytes| codec::decode("record", bytes).expect("it was encoded")).collect();
    match &mut records[2] {
        Record::Step(step) => step.boot = 2,
        Record::Terminated(_)
        | Record::Failed(_)
        | Record::TimedOut(_)
        | Record::Canceled(_)
        | Record::Moved(_) => {
            panic!("the run was not ended from outside")
        }
    }
    records
}

fn history(records: &[Record], calls: bool) -> Vec<HistoryEvent> {
    let mut history = History::new(&started(), calls);
    records.iter().for_each(|record| history.record(record));
    history.events()
}

fn show(events: &[HistoryEvent]) -> String {
    let line = |e: &HistoryEvent| {
        let number = if e.number == 0 { "-".to_owned() } else { e.number.to_string() };
        let kind = format!("{:?}", e.kind);
        let attributes = kind.split_once(' ').map_or("", |(_, attributes)| attributes);
        format!(
            "{number:<2} step {} {} boot {} {} {attributes}\n",
            e.step,
            since_start(e.time),
            e.boot,
            e.kind.name()
        )
    };
    events.iter().map(line).collect()
}

#[test]
fn a_history_tells_all_that_happened_with_its_step_and_boot() {
    expect![[r#"
        1  step 0 +0ns boot 1 workflow-started { workflow: "order", input: {}, component: "shop", version: 1 }
        2  step 0 +0ns boot 1 logged { level: Info, message: "begun", fields: [] }
        3  step 0 +0ns boot 1 activity-scheduled { op: 1, name: "list", input: 1, summary: None }
        4  step 0 +0ns boot 1 activity-scheduled { op: 2, name: "hash", input: 1, summary: None }
        5  step 0 +0ns boot 1 timer-started { op: 3, deadline: 1700000060.000000000, summary: None }
        6  step 1 +1s boot 1 activity-failed { op: 1, name: "list", attempt: 3, started_at: Some(1700000000.000000000), failure: Failure { kind: Application, error_type: "Busy", message: "it is busy", stack: "", details: None, non_retryable: false, causes: [] } }
        7  step 1 +1s boot 1 activity-completed { op: 2, name: "hash", attempt: 1, started_at: Some(1700000000.000000000), result: "ok" }
        8  step 1 +2s boot 1 signal-received { name: "hurry", input: null }
        9  step 1 +2s boot 1 op-cancel-requested { op: 3, reason: "enough" }
        10 step 1 +2s boot 1 op-detached { op: 3 }
        11 step 1 +2s boot 1 marker-recorded { id: "faster", version: 1 }
        12 step 1 +2s boot 1 activity-scheduled { op: 4, name: "pack", input: 1, summary: None }
        13 step 2 +3s boot 2 host-restarted { previous: 1 }
        14 step 2 +3s boot 2 cancel-requested { reason: "changed my mind" }
        15 step 2 +3s boot 2 activity-completed { op: 4, name: "pack", attempt: 1, started_at: Some(1700000000.000000000), result: "ok" }
        16 step 2 +3s boot 2 workflow-completed { result: 3 }
    "#]].assert_eq(&show(&history(&records(), false)));
}

#[test]
fn with_calls_shown_the_numbers_stay_the_same() {
    let (plain, with_calls) = (history(&records(), false), history(&records(), true));
    let numbered: Vec<HistoryEvent> = with_calls.iter().filter(|event| event.number != 0).cloned().collect();
    assert_eq!(numbered, plain);
    let calls: Vec<HistoryEvent> = with_calls.into_iter().filter(|event| event.number == 0).collect();
    expect![[r#"
        -  step 0 +0ns boot 1 read { import: "context.now", count: 1 }
        -  step 0 +0ns boot 1 waited { interest: "everything" }
        -  step 1 +2s boot 1 waited { interest: "everything" }
        -  step 2 +3s boot 2 read { import: "context.uuid", count: 1 }
    "#]]
    .assert_eq(&show(&calls));
}

#[test]
fn numbers_have_no_gaps() {
    let numbers: Vec<u64> = history(&records(), false).iter().map(|event| event.number).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn each_call_has_the_number_of_its_event_or_of_the_latest_before_it() {
    let records = records();
    let number_of = |step: usize, index| {
        let mut history = History::new(&started(), false);
        records[..step].iter().for_each(|record| history.record(record));
        let Record::Step(made) = &records[step] else { panic!("{step} is a step") };
        history.number_at(made, Position { step: step as u64, index })
    };
    let numbers = |step, calls| (0..calls).map(|index| number_of(step, index)).collect::<Vec<u64>>();
    // A line of log, a read, two activities, a timer, and the wait.
    assert_eq!(numbers(0, 6), [2, 2, 3, 4, 5, 5]);
    assert_eq!(numbers(1, 5), [9, 10, 11, 12, 12]);
    // A read after what was delivered, and the end.
    assert_eq!(numbers(2, 2), [15, 16]);
}

#[test]
fn an_end_from_outside_belongs_to_the_latest_step() {
    let mut records = records();
    records.pop();
    let terminated = Record::Terminated(Terminated { time: START, boot: 5, reason: "too slow".to_owned() });
    let failure = Failure::new(FailureKind::Timeout, "run", "the run took too long");
    let ended = FailedByHost { time: START, boot: 5, failure };
    for (end, name) in [
        (terminated, "workflow-terminated"),
        (Record::Failed(ended.clone()), "workflow-failed"),
        (Record::TimedOut(ended), "workflow-timed-out"),
    ] {
        let with_end: Vec<Record> = records.iter().cloned().chain([end]).collect();
        let last = history(&with_end, false).pop().expect("events");
        assert_eq!((last.kind.name(), last.step, last.boot), (name, 1, 5));
    }
}

#[test]
fn a_truncated_log_says_so() {
    let long = "x".repeat(200_000);
    let records = recorded(&format!("log {long}\nlog {long}\nlog {long}\nwait"));
    let records: Vec<Record> =
        records.iter().map(|bytes| codec::decode("record", bytes).expect("encoded")).collect();
    let events = history(&records, false);
    let lines: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            HistoryKind::Logged { message, .. } => Some(&message[..12]),
            _ => None,
        })
        .collect();
    assert_eq!(lines, ["xxxxxxxxxxxx", "the rest of "]);
}

/// Only a damaged journal has such numbers, and people look at it to see what is wrong.
#[test]
fn a_journal_whose_numbers_are_the_last_there_are_is_read_all_the_same() {
    let mut records = records();
    let Record::Step(step) = &mut records[1] else { panic!("it is a step") };
    step.number = u64::MAX;
    step.delivered[0].item =
        Item::ChildStarted { op: u64::MAX, workflow_id: started().workflow_id, run_id: started().run_id };
    let mut point = ForkPoint::default();
    records.iter().take(2).for_each(|record| point.record(record, 0));
    assert_eq!(point.step, u64::MAX);
    let told = history(&records, false).into_iter().map(|event| event.kind);
    let ops =
        told.filter_map(|kind| if let HistoryKind::ChildStarted { op, .. } = kind { Some(op) } else { None });
    assert_eq!(ops.collect::<Vec<_>>(), [u64::MAX]);
}
