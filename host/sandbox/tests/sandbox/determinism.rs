//! The same component makes the same journal, whatever the host has in its caches and however it allocates.

use bytes::Bytes;
use refrain_engine::guest::Stop;
use refrain_sandbox::SandboxOptions;

use crate::owner::Owner;
use crate::text_guest::{COMPLETION, guest};

/// Completes with the bits of NaNs, with how far memory grew, with random bytes and with the time.
fn curious(more: &str) -> Bytes {
    guest(&format!(
        r#"(func $main (local $grown i32)
          (i32.store (i32.const 0x500) (i32.reinterpret_f32 (f32.div (f32.const 0) (f32.const 0))))
          (i64.store (i32.const 0x508) (i64.reinterpret_f64 (f64.sqrt (f64.const -1))))
          (i32.store (i32.const 0x510) (i32.reinterpret_f32
            (f32.add (f32.reinterpret_i32 (i32.const 0x7fa12345)) (f32.const 1))))
          (loop $again (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then
            (local.set $grown (i32.add (local.get $grown) (i32.const 1)))
            (br $again))))
          (i32.store (i32.const 0x518) (local.get $grown))
          (call $now (i32.const 0x520))
          (call $random-bytes (i32.const 16) (i32.const 0x530))
          (memory.copy (i32.const 0x540) (i32.load (i32.const 0x530)) (i32.const 16))
          (call $log (i32.const 2) (i32.const 0x210) (i32.const 16) (i32.const 0) (i32.const 0))
          (i32.store (i32.const {data}) (i32.const 0x500))
          (i32.store (i32.const {len}) (i32.const 0x50)))
        {more}"#,
        data = COMPLETION + 16,
        len = COMPLETION + 20,
    ))
}

#[tokio::test]
async fn a_cold_and_a_warm_host_make_the_same_journal() {
    let directory = tempfile::tempdir().unwrap();
    let options = || SandboxOptions {
        cache_dir: Some(directory.path().join("compiled")),
        max_instances: Some(16),
        ..SandboxOptions::default()
    };
    let cold = Owner::new(options());
    let inspected = cold.push(curious("")).await.unwrap();
    let first = cold.execute(inspected.digest).await;
    assert!(matches!(first.stop, Stop::Finished), "{:?}", first.stop);
    let second = cold.execute(inspected.digest).await;
    let warm = Owner::new(options());
    warm.store(inspected.digest, inspected.component);
    let third = warm.execute(inspected.digest).await;
    assert_eq!(first.records, second.records);
    assert_eq!(first.records, third.records);
}

#[tokio::test]
async fn an_instance_that_does_not_fit_the_pool_makes_the_same_journal() {
    let owner = Owner::small();
    let pooled = owner.try_out(curious("")).await;
    let tables = "(table 1 funcref)".repeat(9);
    let plain = owner.try_out(curious(&tables)).await;
    assert!(matches!(plain.stop, Stop::Finished), "{:?}", plain.stop);
    assert_eq!(pooled.records, plain.records);
}

#[tokio::test]
async fn a_replay_makes_the_recorded_calls_from_the_start() {
    let owner = Owner::small();
    let digest = owner.push(crate::text_guest::sleeper(&[1, 2, 3])).await.unwrap().digest;
    let recorded = owner.execute(digest).await;
    for steps in 0..=recorded.records.len() {
        let replayed = owner.replay(digest, &recorded, steps).await;
        assert!(matches!(replayed.stop, Stop::Finished), "{:?}", replayed.stop);
        assert_eq!(replayed.records, recorded.records, "after {steps} recorded steps");
    }
}
