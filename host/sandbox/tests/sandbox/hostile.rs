//! Guests that mean harm or are broken: each gets its own clear end, and harms no other.

use std::time::Duration;

use refrain_engine::call::{Command, Note};
use refrain_engine::codec;
use refrain_engine::guest::{Guests, Stop, Trap};
use refrain_engine::journal::{Entry, Record};
use refrain_engine::limits;
use refrain_engine::run::Run;
use refrain_sandbox::SandboxOptions;

use crate::owner::{Ended, Owner, started};
use crate::text_guest::{component, guest, sleeper};

fn trap(ended: Ended) -> Trap {
    match ended.stop {
        Stop::Trap(trap) => trap,
        other => panic!("expected a trap, got {other:?}"),
    }
}

fn entries(record: &[u8]) -> Vec<Entry> {
    match codec::decode("record", record).unwrap() {
        Record::Step(step) => step.entries,
        other => panic!("expected a step, got {other:?}"),
    }
}

#[tokio::test]
async fn an_endless_loop_uses_up_its_budget_while_others_go_on() {
    let owner = Owner::new(SandboxOptions {
        max_instances: Some(16),
        step_budget: Some(Duration::from_millis(50)),
        ..SandboxOptions::default()
    });
    let looping = owner.push(guest("(func $main (loop $again (br $again)))")).await.unwrap().digest;
    let sleeping = owner.push(sleeper(&[1])).await.unwrap().digest;
    // One thread executes both: the loop yields, so the other comes to its end.
    let (looped, slept) = tokio::join!(owner.execute(looping), owner.execute(sleeping));
    assert!(matches!(looped.stop, Stop::Budget), "{:?}", looped.stop);
    assert!(matches!(slept.stop, Stop::Finished), "{:?}", slept.stop);
}

#[tokio::test]
async fn a_replayed_step_that_became_an_endless_loop_ends_too() {
    let owner = Owner::new(SandboxOptions {
        max_instances: Some(16),
        step_budget: Some(Duration::from_millis(10)),
        ..SandboxOptions::default()
    });
    let sleeping = owner.push(sleeper(&[1])).await.unwrap().digest;
    let looping = owner.push(guest("(func $main (loop $again (br $again)))")).await.unwrap().digest;
    let recorded = owner.execute(sleeping).await;
    let replayed = owner.replay(looping, &recorded, 1).await;
    assert!(matches!(replayed.stop, Stop::Budget), "{:?}", replayed.stop);
}

/// Grows by 1 MiB until refused, then does as the text says.
fn hungry(then: &str) -> String {
    format!(
        "(func $main (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) {then})"
    )
}

#[tokio::test]
async fn hunger_for_memory_is_refused_at_the_profiles_limit_and_the_guest_goes_on_or_traps() {
    let owner = Owner::small();
    let ended = owner.try_out(guest(&hungry(""))).await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    let trap = trap(owner.try_out(guest(&hungry("unreachable"))).await);
    assert!(trap.message.contains("unreachable"), "{trap}");
    assert_eq!(owner.sandbox.resident_bytes(), 0);
}

#[tokio::test]
async fn a_shortage_of_the_machine_stops_the_guest_without_telling_it() {
    let memory_bytes = Some(limits::CURRENT.memory_bytes / 4);
    let owner =
        Owner::new(SandboxOptions { max_instances: Some(16), memory_bytes, ..SandboxOptions::default() });
    let ended = owner.try_out(guest(&hungry(""))).await;
    let Stop::Unavailable(reason) = ended.stop else { panic!("expected unavailable, got {:?}", ended.stop) };
    assert!(reason.contains("give the host more memory"), "{reason}");
}

#[tokio::test]
async fn a_stack_overflow_is_told_apart_from_other_traps_and_names_its_functions() {
    let owner = Owner::small();
    let text = "(func $main (call $deeper)) (func $deeper (call $deeper) (call $deeper))";
    let overflow = trap(owner.try_out(guest(text)).await);
    assert!(overflow.stack_overflow, "{overflow}");
    assert!(overflow.backtrace.iter().all(|name| name == "deeper"), "{:?}", overflow.backtrace);
    let other = trap(owner.try_out(guest("(func $main (call $inner)) (func $inner unreachable)")).await);
    assert!(!other.stack_overflow);
    assert_eq!(other.backtrace[..2], ["inner", "main"]);
}

#[tokio::test]
async fn a_huge_log_is_cut_and_says_so() {
    let owner = Owner::small();
    let ended = owner
        .try_out(guest(
            "(func $main (local $n i32) (loop $again
               (call $log (i32.const 2) (i32.const 0) (i32.const 0x10000) (i32.const 0) (i32.const 0))
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))))",
        ))
        .await;
    let notes = entries(&ended.records[0]);
    assert!(matches!(notes.last(), Some(Entry::Note(Note::LogTruncated))), "{:?}", notes.last());
    assert!(ended.records[0].len() < 2 * limits::CURRENT.step_log_bytes);
}

/// Writes a line with so many fields, all of them empty.
fn empty_fields(count: u32) -> bytes::Bytes {
    guest(&format!(
        "(func $main
           (drop (memory.grow (i32.const 300)))
           (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0x20000) (i32.const {count})))"
    ))
}

#[tokio::test]
async fn elements_without_text_are_not_free() {
    let owner = Owner::small();
    let ended = owner.try_out(empty_fields(100_000)).await;
    assert_eq!(entries(&ended.records[0]), [Entry::Note(Note::LogTruncated)]);
    let trap = trap(owner.try_out(empty_fields(1_000_000)).await);
    assert!(trap.message.contains("too much data"), "{trap}");
}

#[tokio::test]
async fn of_code_that_panics_the_trap_tells_what_it_logged_last() {
    let log = |level: u32| {
        guest(&format!(
            r#"(data (i32.const 0x1000) "panicked at order.rs:7: no stock")
             (func $main
               (call $log (i32.const {level}) (i32.const 0x1000) (i32.const 32) (i32.const 0) (i32.const 0))
               unreachable)"#
        ))
    };
    let (info, error) = (2, 4);
    let owner = Owner::small();
    let panic = trap(owner.try_out(log(error)).await);
    assert!(panic.message.starts_with("panicked at order.rs:7: no stock (wasm `unreachable`"), "{panic}");
    let other = trap(owner.try_out(log(info)).await);
    assert!(other.message.starts_with("wasm `unreachable`"), "{other}");
}

#[tokio::test]
async fn clock_reads_are_one_entry_and_end_with_the_budget_at_the_latest() {
    let reads = |count: u32| {
        guest(&format!(
            "(func $main (local $n i32) (loop $again
               (call $now (i32.const 0x400))
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $n) (i32.const {count})))))"
        ))
    };
    let ended = Owner::small().try_out(reads(100_000)).await;
    assert!(matches!(entries(&ended.records[0])[..], [Entry::Read { count: 100_000, .. }]));
    let owner = Owner::new(SandboxOptions {
        max_instances: Some(16),
        step_budget: Some(Duration::from_millis(500)),
        ..SandboxOptions::default()
    });
    let ended = owner.try_out(reads(10_000_000)).await;
    // A fast machine reads that often within the budget.
    assert!(matches!(ended.stop, Stop::Budget | Stop::Finished), "{:?}", ended.stop);
}

#[tokio::test]
async fn a_payload_over_the_limit_traps_and_names_the_limit() {
    let owner = Owner::small();
    let ended = owner
        .try_out(guest(
            r#"(data (i32.const 0x1000) "fs.list")
             (func $main
               (drop (memory.grow (i32.const 100)))
               (i32.store (i32.const 0x400) (i32.const 0x1000)) (i32.store (i32.const 0x404) (i32.const 7))
               (i32.store (i32.const 0x408) (i32.const 0x210)) (i32.store (i32.const 0x40c) (i32.const 16))
               (i32.store (i32.const 0x410) (i32.const 0)) (i32.store (i32.const 0x414) (i32.const 0x300000))
               (i32.store8 (i32.const 0x458) (i32.const 1)) (i64.store (i32.const 0x460) (i64.const 60))
               (drop (call $activity (i32.const 0x400))))"#,
        ))
        .await;
    let trap = trap(ended);
    assert!(trap.message.contains("activity.start"), "{trap}");
    assert!(trap.message.contains(&limits::CURRENT.payload_bytes.to_string()), "{trap}");
    assert_eq!(trap.backtrace.first().map(String::as_str), Some("main"), "{:?}", trap.backtrace);
}

#[tokio::test]
async fn an_argument_that_the_contract_forbids_traps_by_name() {
    let owner = Owner::small();
    let sleep =
        "(drop (call $timer (i64.const 1) (i32.const 1000000000) (i32.const 0) (i32.const 0) (i32.const 0)))";
    let trap = trap(owner.try_out(guest(&format!("(func $main {sleep})"))).await);
    assert!(trap.message.starts_with("timer.start: delay.nanoseconds is 1000000000"), "{trap}");
}

#[tokio::test]
async fn a_host_function_that_is_called_from_realloc_traps_and_names_the_remedy() {
    let body = "(func $main (i32.store8 (i32.const 0x230) (i32.const 1)) (call $random-bytes (i32.const 8) (i32.const 0x400)))";
    let trap = trap(Owner::small().try_out(guest(body)).await);
    assert!(trap.message.contains("--realloc-via-memory-grow"), "{trap}");
}

#[tokio::test]
async fn a_trap_during_replay_is_a_mismatch() {
    let owner = Owner::small();
    let sleeping = owner.push(sleeper(&[1])).await.unwrap().digest;
    let trapping = owner.push(guest("(func $main unreachable)")).await.unwrap().digest;
    let recorded = owner.execute(sleeping).await;
    let replayed = owner.replay(trapping, &recorded, 1).await;
    let Stop::Mismatch(mismatch) = replayed.stop else { panic!("{:?}", replayed.stop) };
    assert!(mismatch.recorded.contains("timer.start"), "{mismatch}");
    assert!(mismatch.attempted.contains("unreachable"), "{mismatch}");
}

#[tokio::test]
async fn imports_called_while_instantiating_belong_to_step_0() {
    let owner = Owner::small();
    let module = guest(r#"(func $main) (func (export "_initialize") (call $now (i32.const 0x400)))"#);
    let refusal = owner.push(module.clone()).await.unwrap_err().to_string();
    assert!(refusal.contains("describe called context.now"), "{refusal}");
    // An earlier host may have let it in.
    let digest = refrain_engine::ids::Digest([1; 32]);
    owner.store(digest, component(&module));
    let ended = owner.execute(digest).await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    assert!(matches!(entries(&ended.records[0])[..], [Entry::Read { count: 1, .. }]));
}

#[tokio::test]
async fn finish_ends_the_run_at_once() {
    let owner = Owner::small();
    let zeros = "(i32.const 0) ".repeat(5);
    let ended = owner
        .try_out(guest(&format!(
            "(func $main (call $finish (i32.const 0)
               (i32.const 0x210) (i32.const 16) (i32.const 0x220) (i32.const 4)
               {zeros} (i64.const 0) {zeros}) unreachable)"
        )))
        .await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    let Record::Step(step) = codec::decode("record", &ended.records[0]).unwrap() else { panic!("no step") };
    assert!(matches!(step.end.command(), Command::Finish(_)));
}

#[tokio::test]
async fn a_component_that_no_store_has_is_unknown() {
    let owner = Owner::small();
    let digest = refrain_engine::ids::Digest([2; 32]);
    let error = owner.sandbox.open(digest, limits::CURRENT).await.err().unwrap();
    assert!(error.to_string().contains("is not stored here"), "{error}");
    // A guest is only made for what exists, and what came later is found.
    owner.store(digest, component(&sleeper(&[1])));
    let run = Box::new(Run::new(started(digest), 1));
    let (_, stop) = owner.open(digest).await.run(run).await;
    assert!(matches!(stop, Stop::Wait), "{stop:?}");
}
