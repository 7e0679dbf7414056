//! Programs that know nothing but WASI: what they do by its means is recorded, and replayed.

use std::fmt::Write;

use bytes::Bytes;
use expect_test::{Expect, expect};
use refrain_engine::call::{Command, Note};
use refrain_engine::codec;
use refrain_engine::guest::Stop;
use refrain_engine::journal::{Entry, Record};
use refrain_sandbox::Inspected;

use crate::owner::{Ended, Owner};
use crate::text_guest::{COMPLETION, preview_1_guest, preview_1_guest_with};

/// The journal, a line for each entry.
fn journal(ended: &Ended) -> String {
    let mut text = String::new();
    for record in &ended.records {
        let Record::Step(step) = codec::decode("record", record).unwrap() else { panic!("no step") };
        for entry in step.entries {
            let line = match entry {
                Entry::Read { read, count } => format!("{read:?} x{count}"),
                Entry::Note(Note::Log { level, message, fields }) => {
                    format!("{} {message:?} {fields:?}", level.as_str())
                }
                Entry::Command(Command::StartTimer { delay, .. }) => format!("timer {delay:?}"),
                other => format!("{other:?}"),
            };
            writeln!(text, "{} {line}", step.number).unwrap();
        }
        let end = match step.end.command() {
            Command::Finish(refrain_engine::call::Completion::Failed(failure)) => {
                format!("failed: {}: {}", failure.error_type, failure.message)
            }
            Command::Finish(_) => "finish".to_owned(),
            other => format!("{other:?}"),
        };
        writeln!(text, "{} {end}", step.number).unwrap();
    }
    text
}

/// Executes to the end, compares the journal, and replays it from each of its steps.
async fn check(upload: Bytes, expected: Expect) {
    let owner = Owner::small();
    let Inspected { digest, .. } = owner.push(upload).await.unwrap();
    let recorded = owner.execute(digest).await;
    assert!(matches!(recorded.stop, Stop::Finished), "{:?}", recorded.stop);
    expected.assert_eq(&journal(&recorded));
    for steps in 0..=recorded.records.len() {
        let replayed = owner.replay(digest, &recorded, steps).await;
        assert!(matches!(replayed.stop, Stop::Finished), "after {steps} steps: {:?}", replayed.stop);
        assert_eq!(replayed.records, recorded.records, "after {steps} recorded steps");
    }
}

#[tokio::test]
async fn a_sleep_is_a_timer_and_never_seems_short() {
    // Both clocks before and after; it traps when one has not moved on by what it slept.
    check(
        preview_1_guest(
            r#"(func $read (param $clock i32) (param $at i32)
                 (if (call $clock (local.get $clock) (i64.const 1) (local.get $at)) (then unreachable)))
               (func $passed (param $before i32) (param $after i32)
                 (if (i64.lt_u
                       (i64.sub (i64.load (local.get $after)) (i64.load (local.get $before)))
                       (i64.const 3600000000000))
                   (then unreachable)))
               (func $main
                 (call $read (i32.const 0) (i32.const 0x3000)) (call $read (i32.const 1) (i32.const 0x3008))
                 (call $sleep (i64.const 3600000000000))
                 (call $read (i32.const 0) (i32.const 0x3010)) (call $read (i32.const 1) (i32.const 0x3018))
                 (call $passed (i32.const 0x3000) (i32.const 0x3010))
                 (call $passed (i32.const 0x3008) (i32.const 0x3018))
                 (call $sleep (i64.const 0)))"#,
        ),
        expect![[r#"
            0 Now x2
            0 timer 3600.001s
            0 Wait(Ops([1]))
            1 Now x2
            1 finish
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_sleep_for_ever_is_as_long_as_a_timer_can_be() {
    let owner = Owner::small();
    let ended = owner.try_out(preview_1_guest("(func $main (call $sleep (i64.const -1)))")).await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
}

#[tokio::test]
async fn what_is_printed_is_logged_line_by_line() {
    check(
        preview_1_guest(
            r#"(data (i32.const 0x3000) "one\ntwo three\n")
               (func $main
                 (call $print (i32.const 1) (i32.const 0x3000) (i32.const 7))
                 (call $print (i32.const 2) (i32.const 0x3000) (i32.const 4))
                 (call $sleep (i64.const 1000000000))
                 (call $print (i32.const 1) (i32.const 0x3007) (i32.const 7))
                 (call $print (i32.const 2) (i32.const 0x3004) (i32.const 3)))"#,
        ),
        expect![[r#"
            0 info "one" [("stream", "stdout")]
            0 warn "one" [("stream", "stderr")]
            0 timer 1s
            0 Wait(Ops([1]))
            1 info "two three" [("stream", "stdout")]
            1 warn "two" [("stream", "stderr")]
            1 finish
        "#]],
    )
    .await;
}

#[tokio::test]
async fn randomness_is_the_runs() {
    let upload = preview_1_guest(&format!(
        "(func $main
           (if (call $random (i32.const 0x3000) (i32.const 100000)) (then unreachable))
           (i32.store (i32.const {data}) (i32.const 0x3000))
           (i32.store (i32.const {len}) (i32.const 16)))",
        data = COMPLETION + 16,
        len = COMPLETION + 20,
    ));
    // More than the engine gives at once is several reads.
    let expected = expect![[r#"
        0 RandomBytes { len: 65536 } x1
        0 RandomBytes { len: 34464 } x1
        0 finish
    "#]];
    check(upload, expected).await;
}

#[tokio::test]
async fn a_program_that_exits_has_failed() {
    check(
        preview_1_guest(
            r#"(data (i32.const 0x3000) "giving up")
               (func $main (call $print (i32.const 1) (i32.const 0x3000) (i32.const 9)) (call $exit (i32.const 1)))"#,
        ),
        expect![[r#"
            0 info "giving up" [("stream", "stdout")]
            0 failed: exit: the program exited with a failure before its workflow returned: return from it instead
        "#]],
    )
    .await;
}

#[tokio::test]
async fn variables_and_arguments_are_those_that_the_run_started_with() {
    check(
        preview_1_guest(
            r#"(data (i32.const 0x3300) "\n")
               (func $main
                 (if (call $environ (i32.const 0x3000) (i32.const 0x3100)) (then unreachable))
                 (call $print (i32.const 1) (i32.const 0x3100) (i32.const 9))
                 (call $print (i32.const 1) (i32.const 0x3300) (i32.const 1))
                 (if (call $args (i32.const 0x3000) (i32.const 0x3200)) (then unreachable))
                 (call $print (i32.const 1) (i32.const 0x3200) (i32.const 4))
                 (call $print (i32.const 1) (i32.const 0x3300) (i32.const 1))
                 (call $print (i32.const 1) (i32.const 0x3205) (i32.const 2)))"#,
        ),
        expect![[r#"
            0 info "REGION=eu" [("stream", "stdout")]
            0 info "test" [("stream", "stdout")]
            0 info "-v" [("stream", "stdout")]
            0 finish
        "#]],
    )
    .await;
}

#[tokio::test]
async fn there_are_no_files() {
    check(
        preview_1_guest(
            r#"(data (i32.const 0x3000) "/etc/passwd")
               (func $main
                 ;; No directory is open, so there is none to look in: `badf`.
                 (if (i32.ne (i32.const 8)
                       (call $path-open (i32.const 3) (i32.const 0) (i32.const 0x3000) (i32.const 11) (i32.const 0)
                         (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0x3100)))
                   (then unreachable)))"#,
        ),
        expect![[r#"
            0 finish
        "#]],
    )
    .await;
}

#[tokio::test]
async fn of_a_program_that_falls_the_trap_tells_what_it_said_last() {
    let owner = Owner::small();
    let ended = owner
        .try_out(preview_1_guest(
            r#"(data (i32.const 0x3000) "working\nTraceback:\nValueError: no")
               (func $main
                 (call $print (i32.const 1) (i32.const 0x3000) (i32.const 8))
                 (call $print (i32.const 2) (i32.const 0x3008) (i32.const 25))
                 unreachable)"#,
        ))
        .await;
    let Stop::Trap(trap) = ended.stop else { panic!("{:?}", ended.stop) };
    assert!(trap.message.starts_with("Traceback:\nValueError: no (wasm `unreachable`"), "{trap}");
}

#[tokio::test]
async fn what_a_runtime_prints_after_an_error_was_logged_is_not_told() {
    let body = r#"(data (i32.const 0x3000) "ValueError: nopanicked at the disco\n")
       (func $main
         (call $log (i32.const 4) (i32.const 0x3000) (i32.const 14) (i32.const 0) (i32.const 0))
         (call $print (i32.const 2) (i32.const 0x300e) (i32.const 22))
         unreachable)"#;
    let Stop::Trap(trap) = Owner::small().try_out(preview_1_guest(body)).await.stop else {
        panic!("no trap")
    };
    assert!(trap.message.starts_with("ValueError: no (wasm `unreachable`"), "{trap}");
}

#[tokio::test]
async fn describe_has_a_system_and_may_not_wait_in_it() {
    let describe = |body: &str| {
        preview_1_guest_with(
            &format!(
                r#"(func (export "refrain:workflow/definition@0.1.0#describe") (result i32) {body} (i32.const 0x100))"#
            ),
            "(func $main)",
        )
    };
    let owner = Owner::small();
    // A second read is later than the first, so that who waits for the clock to move on comes to an end.
    let reads = describe(
        "(drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0x3000)))
         (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0x3008)))
         (if (i64.ge_u (i64.load (i32.const 0x3000)) (i64.load (i32.const 0x3008))) (then unreachable))
         (drop (call $random (i32.const 0x3000) (i32.const 16)))
         (call $print (i32.const 1) (i32.const 0x210) (i32.const 16))",
    );
    assert_eq!(owner.push(reads).await.unwrap().definition.workflows[0].name, "w");
    for (body, expected) in [
        ("(call $sleep (i64.const 1000))", "describe called wasi:io/poll"),
        ("(call $exit (i32.const 0))", "describe called wasi:cli/exit"),
    ] {
        let refusal = owner.push(describe(body)).await.unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}
