//! A live run: what its calls answer, and what its steps leave.

mod support;

use std::time::Instant;

use expect_test::{Expect, expect};
use refrain_engine::call::{Call, Command, Completion, NextRun, Read, Reply};
use refrain_engine::failure::{Failure, FailureKind};
use refrain_engine::journal::Entry;
use refrain_engine::payload::Payload;
use refrain_engine::run::Halt;

use support::{Sim, step, wait_everything};

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&Sim::new().play(script));
}

#[test]
fn a_step_closes_with_its_effects_in_call_order() {
    check(
        "activity fs.list
         timer 10
         activity fs.hash
         detach 3
         cancel 2
         now
         log hello
         patched faster
         wait
         > close
         > close
         > completed 1
         > resume
         finish 1
         > close",
        &expect![[r#"
            activity fs.list -> op 1
            timer 10 -> op 2
            activity fs.hash -> op 3
            detach 3
            cancel 2
            now -> +0ns
            log hello
            patched faster -> true
            wait -> waits
            > close -> step 0 at +0ns; start activity fs.list as op 1; start timer op 2 to +10s; start activity fs.hash as op 3; detach op 3; cancel timer op 2 (enough)
            > close -> nothing
            > completed 1
            > resume -> op 1: "ok" at +1µs
            finish 1 -> ended
            > close -> step 1 at +1µs, consumed [1]; Completed(1)
        "#]],
    );
}

#[test]
fn a_closed_step_holds_the_calls_as_they_were_made() {
    let mut sim = Sim::new();
    sim.play("activity a\n now\n now\n log x\n log x\n patched p\n wait\n > signal go\n > resume\n uuid\n wait\n > close");
    let steps: Vec<String> = sim
        .records
        .iter()
        .map(|record| {
            let step = step(record);
            let entries: String = step.entries.iter().map(|entry| format!("{entry:?}\n")).collect();
            format!("{entries}{:?}\n", step.end)
        })
        .collect();
    expect![[r#"
        Command(StartActivity(ActivityCommand { name: "a", input: 1, options: ActivityOptions { task_queue: None, schedule_to_close: None, schedule_to_start: None, start_to_close: Some(60s), heartbeat: None, retry: RetryPolicy { initial_interval: 1s, backoff_coefficient: 2.0, maximum_interval: None, maximum_attempts: 0, non_retryable_error_types: [], jitter: 0.0 }, cancellation: TryCancel, priority: None, summary: None, fairness: None, local: false } }))
        Read { read: Now, count: 2 }
        Note(Log { level: Info, message: "x", fields: [] })
        Note(Log { level: Info, message: "x", fields: [] })
        Marker { id: "p", version: 1 }
        Wait(Everything)
        Read { read: Uuid, count: 1 }
        Wait(Everything)
    "#]].assert_eq(&steps.concat());
}

#[test]
fn each_completion_ends_the_run() {
    let next = NextRun { newest_version: true, ..NextRun::with_input(Payload::json("2")) };
    for completion in [
        Completion::Completed(Payload::null()),
        Completion::Failed(Failure::new(FailureKind::Application, "Oops", "no")),
        Completion::Canceled(None),
        Completion::Canceled(Some(Payload::json("3"))),
        Completion::ContinueAsNew(next),
    ] {
        let mut sim = Sim::new();
        let halt = sim.run.call(Call::Command(Command::Finish(completion.clone())));
        assert_eq!(halt, Err(Halt::Finished));
        assert_eq!(sim.close().expect("a live end").completion, Some(completion));
        assert!(!sim.run.can_resume(), "an ended run does not go on");
    }
}

#[test]
fn the_clock_ticks_within_a_step_and_never_runs_back() {
    check(
        "now
         now
         now
         wait
         > signal early
         > resume
         now
         now
         > at 5
         wait
         > signal on-time
         > resume
         now
         > at 3
         wait
         > signal when-the-host-lost-time
         > resume
         now
         timer 100
         wait
         > fired 1
         > resume
         now",
        &expect![[r#"
            now -> +0ns
            now -> +1µs
            now -> +2µs
            wait -> waits
            > signal early
            > resume -> signal early at +3µs
            now -> +3µs
            now -> +4µs
            > at 5
            wait -> waits
            > signal on-time
            > resume -> signal on-time at +5s
            now -> +5s
            > at 3
            wait -> waits
            > signal when-the-host-lost-time
            > resume -> signal when-the-host-lost-time at +5.000001s
            now -> +5.000001s
            timer 100 -> op 1
            wait -> waits
            > fired 1
            > resume -> op 1: null at +105.000001s
            now -> +105.000001s
        "#]],
    );
}

#[test]
fn a_million_reads_in_a_row_are_one_entry() {
    let mut sim = Sim::new();
    let begun = Instant::now();
    for _ in 0..1_000_000 {
        sim.run.call(Call::Read(Read::Now)).expect("reads have no limit");
    }
    // Ten times what a debug build takes on a slow machine; quadratic work would take hours.
    assert!(begun.elapsed().as_secs() < 20, "a million reads took {:?}", begun.elapsed());
    assert!(matches!(sim.run.call(wait_everything()), Err(Halt::Wait)));
    let step = sim.close().expect("a live step");
    assert_eq!(step.size.entries, 2, "the reads and the wait");
    assert!(step.record.len() < 64, "the record has {} bytes", step.record.len());
    sim.play("> signal go\n > resume");
    let expected = support::START.after(std::time::Duration::from_secs(1));
    assert_eq!(sim.run.call(Call::Read(Read::Now)), Ok(Reply::Time(expected)), "a second has been read away");
}

#[test]
fn reads_coalesce_only_when_they_are_equal_and_in_a_row() {
    let mut sim = Sim::new();
    sim.play("random 4\n random 4\n random 2\n now\n random 2\n log x\n random 2\n wait");
    let step = step(&sim.close().expect("a live step").record);
    let counts: Vec<u64> = step
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Read { count, .. } => *count,
            Entry::Note(_) => 0,
            Entry::Command(_) | Entry::Marker { .. } => panic!("there was no {entry:?}"),
        })
        .collect();
    assert_eq!(counts, [2, 1, 1, 1, 0, 1]);
}

#[test]
fn the_random_stream_continues_over_steps() {
    check(
        "random 4
         random 4
         uuid
         wait
         > signal go
         > resume
         random 4",
        &expect![[r#"
            random 4 -> 98191f46
            random 4 -> e5830216
            uuid -> 44543697-8803-497a-9e3a-b61b1e8951d4
            wait -> waits
            > signal go
            > resume -> signal go at +0ns
            random 4 -> fe9ae67b
        "#]],
    );
}

#[test]
fn a_run_knows_the_size_of_its_journal() {
    let script = "info
         activity a
         info
         wait
         > completed 1
         > resume
         info
         now
         now
         log x
         wait
         > signal go
         > resume
         info";
    let mut live = Sim::new();
    let transcript = live.play(script);
    expect![[r#"
        info -> 0 entries, 0 bytes
        activity a -> op 1
        info -> 0 entries, 0 bytes
        wait -> waits
        > completed 1
        > resume -> op 1: "ok" at +0ns
        info -> 4 entries, 92 bytes
        now -> +0ns
        now -> +1µs
        log x
        wait -> waits
        > signal go
        > resume -> signal go at +2µs
        info -> 9 entries, 190 bytes
    "#]]
    .assert_eq(&transcript);
    let bytes: usize = live.records.iter().map(bytes::Bytes::len).sum();
    assert_eq!(live.run.size().bytes, bytes as u64);
}
