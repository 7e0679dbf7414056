//! Batches that are closures, and a batch over files that are there or not.

use refrain_sdk::testing::Env;
use refrain_sdk::{Failure, millis, secs};
use serde::{Deserialize, Serialize};

use super::{Batch, Count, Did, Summary, batch, fan_out};

#[derive(Serialize)]
struct Input {
    source: &'static str,
    batches: u32,
    tasks: u32,
    batches_at_once: usize,
    tasks_at_once: usize,
}

fn input(batches: u32, batches_at_once: usize) -> Input {
    Input { source: "source", batches, tasks: 10, batches_at_once, tasks_at_once: 4 }
}

#[test]
fn what_fails_is_counted_and_stops_nothing_else() {
    let env = Env::new().child("batch", |batch: Batch| match batch.number % 10 {
        3 => Err(Failure::new(format!("batch {} is nowhere", batch.number))),
        _ => Ok(Did { tasks: Count { done: 9, failed: 1 }, bytes: 100 }),
    });
    let summary = env.run::<fan_out>(&input(100, 7)).result::<Summary>().unwrap();
    assert_eq!(summary.batches, Count { done: 90, failed: 10 });
    assert_eq!(summary.tasks, Count { done: 810, failed: 90 });
    assert_eq!(summary.bytes, 9_000);
    assert_eq!(summary.reasons.len(), 5);
    let first = r#"child workflow "batch" (id "child-8") failed: batch 3 is nowhere"#;
    assert_eq!(summary.reasons[0], first);
}

#[test]
fn no_more_batches_are_under_way_than_allowed() {
    let env = Env::new().slow_child("batch", secs(1), |batch: Batch| {
        Ok(Did { tasks: Count { done: u64::from(batch.tasks), failed: 0 }, bytes: 0 })
    });
    let ended = env.run::<fan_out>(&input(100, 10));
    assert_eq!(ended.result::<Summary>().unwrap().tasks, Count { done: 1_000, failed: 0 });
    assert_eq!(ended.elapsed, secs(10));
    let mut open = 0;
    for call in &ended.calls {
        open += usize::from(call.contains("= child batch"));
        assert!(open <= 10, "{call}");
        if call == "wait" {
            open = 0;
        }
    }
}

#[test]
fn a_fan_out_that_is_called_off_starts_no_more_batches() {
    let env = Env::new()
        .slow_child("batch", secs(1), |_: Batch| Ok(Did { tasks: Count::default(), bytes: 0 }))
        .cancel(millis(1_500), "enough");
    let ended = env.run::<fan_out>(&input(100, 10));
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, millis(1_500));
    let started = ended.calls.iter().filter(|call| call.contains("= child batch")).count();
    assert_eq!(started, 20);
}

#[test]
fn a_limit_of_zero_is_refused() {
    let failure = Env::new().run::<fan_out>(&input(1, 0)).result::<Summary>().unwrap_err();
    assert!(failure.to_string().contains("give at least 1"), "{failure}");
}

#[derive(Deserialize)]
struct Asked {
    path: String,
}

#[derive(Serialize)]
struct File {
    size: u64,
}

/// Runs batch 7, of which the tasks with these endings have no file.
fn run(absent: &'static [&'static str]) -> Result<Did, Failure> {
    let env = Env::new().activity("fs.hash", move |asked: Asked| {
        if absent.iter().any(|end| asked.path.ends_with(end)) {
            return Err(Failure::typed("NotFound", format!("no `{}`", asked.path)));
        }
        Ok(File { size: 5 })
    });
    env.run::<batch>(&Batch { source: "source".to_owned(), number: 7, tasks: 10, at_once: 3 }).result()
}

#[test]
fn a_batch_counts_the_tasks_that_fail() {
    let did = run(&["3", "4"]).unwrap();
    assert_eq!(did, Did { tasks: Count { done: 8, failed: 2 }, bytes: 40 });
}

#[test]
fn a_batch_of_which_nothing_can_be_done_fails_and_says_why() {
    let failure = run(&[""]).unwrap_err();
    let expected = "batch 7: none of 10 tasks can be done: no `batch-0007/task-0009`";
    assert_eq!(failure.to_string(), expected);
}
