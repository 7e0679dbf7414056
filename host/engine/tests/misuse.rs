//! What a guest may not do: misuses trap with a text that names the import, the value and the remedy; steps
//! and journals past their limits park the run.

mod support;

use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use refrain_engine::call::{
    ActivityCommand, ActivityOptions, Call, Command, Completion, Fairness, Interest, Level, MarkerCall,
    NextRun, Note, Read,
};
use refrain_engine::child::ChildCommand;
use refrain_engine::failure::{Cause, Failure, FailureKind};
use refrain_engine::journal::Entry;
use refrain_engine::limits::CURRENT;
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::run::Halt;

use support::{Sim, activity, child, execution, log, options, start_activity, step, wait_everything};

/// Plays the lines, then makes the call, which must be a misuse with this text.
fn check(script: &str, call: Call, expected: &Expect) {
    let mut sim = Sim::new();
    sim.play(script);
    let Err(Halt::Misuse(text)) = sim.run.call(call) else { panic!("no misuse after {script}") };
    expected.assert_eq(&text);
    let again = sim.run.call(Call::Read(Read::Now));
    assert_eq!(again, Err(Halt::Misuse(text)), "a guest that goes on hears the same");
}

fn with(options: ActivityOptions) -> Call {
    start_activity(ActivityCommand { options, ..activity("pay") })
}

fn wait(ops: &[u64]) -> Call {
    Call::Command(Command::Wait(Interest::Ops(ops.to_vec())))
}

#[test]
fn ops_that_cannot_be_meant() {
    let ended = "timer 1\n wait\n > fired 1\n > resume";
    check("", wait(&[1]), &expect!["wait.next: op 1 was never started"]);
    check("timer 1", wait(&[1, 0]), &expect!["wait.next: op 0 was never started"]);
    check(ended, wait(&[1]), &expect!["wait.next: op 1 has ended: each op is delivered once"]);
    check(
        "timer 1\n detach 1",
        wait(&[1]),
        &expect!["wait.next: op 1 is detached: its outcome will never be delivered"],
    );
    check(
        "timer 1",
        wait(&[]),
        &expect!["wait.next: interest names no op and no messages: nothing could end this wait"],
    );
    let cancel = Call::Command(Command::Cancel { op: 2, reason: String::new() });
    check("timer 1", cancel, &expect!["wait.cancel: op 2 was never started"]);
    check(
        "timer 1",
        Call::Command(Command::Detach { op: 0 }),
        &expect!["wait.detach: op 0 was never started"],
    );
}

#[test]
fn activities_that_cannot_be_started() {
    check(
        "",
        with(ActivityOptions::default()),
        &expect![[
            r#"activity.start: activity pay: it has neither start-to-close-timeout nor schedule-to-close-timeout: give one of them"#
        ]],
    );
    let zero = ActivityOptions { heartbeat: Some(Duration::ZERO), ..options() };
    check(
        "",
        with(zero),
        &expect![[
            r#"activity.start: activity pay: heartbeat-timeout is zero: give a length of time above zero, or none"#
        ]],
    );
    let eager = RetryPolicy { backoff_coefficient: 0.5, ..RetryPolicy::default() };
    check(
        "",
        with(ActivityOptions { retry: eager, ..options() }),
        &expect![[
            r#"activity.start: activity pay: retry.backoff-coefficient is 0.5: give a finite number of at least 1.0"#
        ]],
    );
    let picky = RetryPolicy { non_retryable_error_types: vec![String::new(); 101], ..RetryPolicy::default() };
    check(
        "",
        with(ActivityOptions { retry: picky, ..options() }),
        &expect![[
            r#"activity.start: activity pay: retry.non-retryable-error-types has 101 entries: name at most 100"#
        ]],
    );
    check(
        "",
        with(ActivityOptions {
            local: true,
            retry: RetryPolicy { jitter: 1.5, ..RetryPolicy::default() },
            ..options()
        }),
        &expect![[
            r#"activity.start-local: activity pay: retry.jitter is 1.5: give a share from 0.0 (none) to 1.0"#
        ]],
    );
    let fair = |key: &str, weight| {
        with(ActivityOptions { fairness: Some(Fairness { key: key.to_owned(), weight }), ..options() })
    };
    check(
        "",
        fair("", 1.0),
        &expect!["activity.start: activity pay: fairness-key is empty: give it at least one character"],
    );
    check(
        "",
        fair(&"x".repeat(256), 1.0),
        &expect!["activity.start: activity pay: fairness-key has 256 bytes: use at most 255"],
    );
    check(
        "",
        fair("acme", 0.0),
        &expect!["activity.start: activity pay: fairness-weight is 0: give 0.001 to 1000"],
    );
    check(
        "",
        fair("acme", 1000.5),
        &expect!["activity.start: activity pay: fairness-weight is 1000.5: give 0.001 to 1000"],
    );
    check(
        "",
        fair("acme", f64::NAN),
        &expect!["activity.start: activity pay: fairness-weight is NaN: give 0.001 to 1000"],
    );
    check(
        "",
        with(ActivityOptions { priority: Some(9), ..options() }),
        &expect!["activity.start: activity pay: priority is 9: give 1 (first) to 5 (last)"],
    );
    check(
        "",
        with(ActivityOptions { task_queue: Some(String::new()), ..options() }),
        &expect!["activity.start: activity pay: task-queue is empty: give it at least one character"],
    );
    check(
        "",
        start_activity(activity("")),
        &expect!["activity.start: name is empty: give it at least one character"],
    );
    let large = Payload::json(vec![b' '; 2 * 1024 * 1024]);
    check(
        "",
        start_activity(ActivityCommand { input: large, ..activity("pay") }),
        &expect![[
            r#"activity.start: activity pay: input has 2097168 bytes, and the limit is 2097152: keep large values in a file or an object store and pass a reference"#
        ]],
    );
}

#[test]
fn other_values_out_of_range() {
    check(
        "",
        Call::Read(Read::RandomBytes { len: 65_537 }),
        &expect!["context.random-bytes: len is 65537: ask for at most 65536 bytes at a time"],
    );
    let delay = Duration::from_secs(500 * 366 * 24 * 3600);
    check(
        "",
        Call::Command(Command::StartTimer { delay, summary: None }),
        &expect!["timer.start: delay is 15811200000s, past the year 2500: give a shorter one"],
    );
    let large = Payload::json(vec![b' '; 2 * 1024 * 1024]);
    check(
        "",
        Call::Command(Command::Finish(Completion::Completed(large))),
        &expect![[
            r#"control.finish: completion has 2097168 bytes, and the limit is 2097152: keep large values in a file or an object store and pass a reference"#
        ]],
    );
    let next = |workflow: &str| {
        let (workflow, input) = (Some(workflow.to_owned()), Payload::null());
        let next = NextRun { workflow, ..NextRun::with_input(input) };
        Call::Command(Command::Finish(Completion::ContinueAsNew(next)))
    };
    check(
        "",
        next(""),
        &expect!["control.finish: next-run.workflow is empty: give it at least one character"],
    );
    check(
        "",
        next(&"x".repeat(256)),
        &expect!["control.finish: next-run.workflow has 256 bytes: use at most 255"],
    );
    let inverted = MarkerCall::GetVersion { id: "tax".to_owned(), min: 3, max: 2 };
    check(
        "",
        Call::Marker(inverted),
        &expect![[r#"version.get-version: "tax" asks for versions from 3 to 2: min must not be above max"#]],
    );
    let newer = MarkerCall::GetVersion { id: "tax".to_owned(), min: 3, max: 4 };
    check(
        "version tax 1 2",
        Call::Marker(newer),
        &expect![[
            r#"version.get-version: this run follows version 2 of "tax", and the code has only 3 to 4: run it with older code"#
        ]],
    );
}

#[test]
fn one_open_op_too_many() {
    let mut sim = Sim::new();
    let timer = Call::Command(Command::StartTimer { delay: Duration::from_secs(1), summary: None });
    let maximum = sim.run.profile().open_ops as u64;
    for _ in 0..maximum {
        sim.run.call(timer.clone()).expect("below the limit");
    }
    // An op that nobody wants any more makes room for another.
    sim.run.call(Call::Command(Command::Detach { op: 1 })).expect("it was started");
    sim.run.call(timer.clone()).expect("at the limit");
    let Err(Halt::Misuse(text)) = sim.run.call(timer) else { panic!("the limit holds") };
    expect!["timer.start: 20000 ops are open, the most a run may have: wait for some of them first"]
        .assert_eq(&text);
}

/// Repeats the call until the run halts at a limit.
fn exceed(sim: &mut Sim, calls: &[Call]) -> String {
    let halt = calls.iter().cycle().take(2_000_000).find_map(|call| sim.run.call(call.clone()).err());
    let Some(Halt::Limit(excess)) = halt else { panic!("halted with {halt:?}") };
    excess.to_string()
}

#[test]
fn a_step_with_too_many_entries_is_parked() {
    let calls = [Call::Read(Read::Now), Call::Read(Read::Uuid)];
    expect!["the limit step_entries of 50000 is exceeded: wait between parts of the work"]
        .assert_eq(&exceed(&mut Sim::new(), &calls));
}

#[test]
fn a_step_with_too_many_bytes_is_parked() {
    let input = Payload::json(vec![b' '; 1024 * 1024]);
    let large = start_activity(ActivityCommand { input, ..activity("pay") });
    expect!["the limit step_bytes of 4194304 is exceeded: wait between parts of the work, and pass large values by reference"].assert_eq(&exceed(&mut Sim::new(), &[large]));

    let mut wordy = Sim::new();
    let summary = Some("x".repeat(1024 * 1024));
    let timer = Call::Command(Command::StartTimer { delay: Duration::from_secs(1), summary });
    assert!(exceed(&mut wordy, &[timer]).contains("step_bytes"), "a summary takes room like everything else");
}

#[test]
fn a_wait_for_too_many_ops_is_parked() {
    let mut sim = Sim::new();
    sim.play("timer 1");
    let ops = vec![1; 16 * 1024 * 1024 / size_of::<u64>() + 1];
    assert!(exceed(&mut sim, &[wait(&ops)]).contains("step_bytes"));
}

#[test]
fn a_log_past_its_limit_is_truncated_once_in_each_step() {
    let mut sim = Sim::new();
    let long = "x".repeat(60_000);
    for _ in 0..10 {
        sim.run.call(log(&long)).expect("logs do not fail");
    }
    sim.play("timer 1\n wait\n > fired 1\n > resume\n log again\n wait\n > close");
    let notes = |record: &Bytes| -> Vec<usize> {
        step(record)
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Note(Note::Log { message, .. }) => Some(message.len()),
                Entry::Note(Note::LogTruncated) => Some(0),
                Entry::Command(_) | Entry::Read { .. } | Entry::Marker { .. } => None,
            })
            .collect()
    };
    assert_eq!(notes(&sim.records[0]), [60_000, 60_000, 60_000, 60_000, 0]);
    assert_eq!(notes(&sim.records[1]), [5], "the next step has its own limit");
}

#[test]
fn empty_elements_are_not_free() {
    let mut sim = Sim::new();
    let fields = vec![(String::new(), String::new()); CURRENT.step_log_bytes / 48];
    let note = Note::Log { level: Level::Info, message: String::new(), fields };
    sim.run.call(Call::Note(note)).expect("logs do not fail");
    sim.play("wait\n > close");
    assert_eq!(step(&sim.records[0]).entries, [Entry::Note(Note::LogTruncated)]);

    let nothing = Cause {
        kind: FailureKind::Other,
        error_type: String::new(),
        message: String::new(),
        stack: String::new(),
        details: None,
    };
    let causes = vec![nothing; CURRENT.payload_bytes / 48];
    let failure = Failure { causes, ..Failure::new(FailureKind::Application, "", "") };
    let finish = Call::Command(Command::Finish(Completion::Failed(failure)));
    let answer = Sim::new().run.call(finish);
    assert!(
        matches!(&answer, Err(Halt::Misuse(text)) if text.contains("the limit is 2097152")),
        "a chain of causes that say nothing is too large too: {answer:?}"
    );
}

#[test]
fn a_full_journal_suggests_continue_as_new_and_then_parks() {
    let mut sim = Sim::new();
    let mut suggested_at = None;
    let parked = loop {
        let reads = [Call::Read(Read::Now), Call::Read(Read::Uuid)].into_iter().cycle().take(49_000);
        let parked = reads.chain([wait_everything()]).find_map(|call| match sim.run.call(call) {
            Ok(_) | Err(Halt::Wait) => None,
            Err(halt) => Some(halt),
        });
        if let Some(parked) = parked {
            break parked;
        }
        sim.play("> signal go\n > resume");
        let refrain_engine::call::Reply::Info(info) = sim.run.call(Call::Read(Read::Info)).expect("a read")
        else {
            panic!("info answers info")
        };
        if info.continue_as_new_suggested && suggested_at.is_none() {
            suggested_at = Some(info.journal_entries);
        }
    };
    let half = sim.run.profile().journal_entries / 2;
    assert!(
        suggested_at.is_some_and(|at| (half..half + 50_000).contains(&at)),
        "suggested at {suggested_at:?}"
    );
    let Halt::Limit(excess) = parked else { panic!("parked with {parked:?}") };
    expect!["the limit journal_entries of 500000 is exceeded: continue as new before the journal is full"]
        .assert_eq(&excess.to_string());
}

#[test]
fn a_run_that_does_nothing_but_wait_meets_the_limit_of_its_journal_too() {
    let mut sim = Sim::new();
    let maximum = sim.run.profile().journal_entries;
    let per_wait = sim.run.profile().wait_events as u64;
    let halt = (0..=maximum / per_wait).find_map(|_| {
        let halted = sim.run.call(wait_everything()).err().filter(|halt| *halt != Halt::Wait);
        if halted.is_none() {
            (0..per_wait).for_each(|_| drop(sim.push(support::signal("n", ""))));
            sim.resume();
        }
        halted
    });
    assert!(matches!(halt, Some(Halt::Limit(excess)) if excess.limit == "journal_entries"));
}

#[test]
fn children_and_messages_that_cannot_be() {
    let start = |change: fn(&mut ChildCommand)| {
        let mut command = child("pack");
        change(&mut command);
        Call::Command(Command::StartChild(Box::new(command)))
    };
    let zero = start(|child| child.options.run_timeout = Some(Duration::ZERO));
    check(
        "",
        zero,
        &expect!["child.start: child pack: run-timeout is zero: give a length of time above zero, or none"],
    );
    let retry = start(|child| {
        child.options.retry = Some(RetryPolicy { backoff_coefficient: 0.5, ..RetryPolicy::default() });
    });
    check(
        "",
        retry,
        &expect![[
            r#"child.start: child pack: retry.backoff-coefficient is 0.5: give a finite number of at least 1.0"#
        ]],
    );
    let nameless = start(|child| child.workflow.clear());
    check("", nameless, &expect!["child.start: workflow is empty: give it at least one character"]);
    let large = start(|child| child.input = Payload::json(vec![b'1'; CURRENT.payload_bytes]));
    check(
        "",
        large,
        &expect![
            "child.start: child pack: input has 2097168 bytes, and the limit is 2097152: keep large values in a file or an object store and pass a reference"
        ],
    );
    let signal = Command::Signal { target: execution("other"), name: String::new(), input: Payload::null() };
    check(
        "",
        Call::Command(signal),
        &expect!["external.signal: name is empty: give it at least one character"],
    );
    check(
        "",
        Call::Command(Command::AcceptUpdate { request: 7 }),
        &expect![[
            r#"messages.accept: update is 7, and no such update is open: answer each update once, and accept or reject it in the step that got it"#
        ]],
    );
}

#[test]
fn a_child_needs_room_for_both_its_ops() {
    let mut sim = Sim::new();
    for _ in 1..CURRENT.open_ops {
        sim.run.call(start_activity(activity("a"))).expect("there is room");
    }
    let Err(Halt::Misuse(text)) = sim.run.call(Call::Command(Command::StartChild(Box::new(child("pack")))))
    else {
        panic!("there is room for one op, and a child has two")
    };
    expect!["child.start: 20000 ops are open, the most a run may have: wait for some of them first"]
        .assert_eq(&text);
}
