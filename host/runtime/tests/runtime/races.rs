//! Things that happen at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use refrain_engine::call::{Completion, Interest, NextRun};
use refrain_engine::failure::{FailureKind, Outcome};
use refrain_engine::mailbox::Event;
use refrain_runtime::{Error, RunResult, RunStatus};
use refrain_store::{Batch, Commit, Fault, FaultyStore, MemoryStore, Store, Wrapper};
use tokio::task::JoinSet;

use crate::large::LimitedBatches;
use crate::world::*;

/// A part of a step that takes this long while the guest executes.
async fn computes(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Takes signals until none has come for a step, computes that long, and answers how many there were.
fn collector(world: &World, millis: u64) {
    world.workflow("collector", move |host, _| async move {
        let mut count = 0;
        while count == 0 {
            count += host.wait(Interest::Everything).await?.len();
        }
        computes(millis).await;
        completed(count)
    });
}

#[test]
fn a_signal_in_the_closing_step_is_delivered() {
    // A step that is committed with what came in, and one so slow that the signal is durable before it ends.
    for millis in [2, 100] {
        let world = World::new();
        collector(&world, millis);
        world.live(async |host| {
            host.start("collector", "c").await;
            host.signal("c", "a", "1", None).await.unwrap();
            host.settle().await;
            let late = host.clone();
            let late = tokio::spawn(async move { late.signal("c", "b", "2", None).await });
            computes(1).await;
            let answer = late.await.unwrap();
            match (host.value("c").await.as_str(), answer) {
                ("2", Ok(())) | ("1", Err(Error::Closed { .. })) => {}
                (count, answer) => {
                    panic!("{count} signals, and the late one was told {answer:?} ({millis} ms)")
                }
            }
        });
        world.check_rest();
    }
}

#[test]
fn no_signal_that_was_acknowledged_is_lost_however_many_come_while_a_run_closes() {
    for millis in [3, 7, 30] {
        let world = World::new();
        let delivered = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&delivered);
        let steps = Arc::new(AtomicU32::new(0));
        let closings = Arc::clone(&steps);
        world.workflow("busy", move |host, _| {
            let (counted, closings) = (Arc::clone(&counted), Arc::clone(&closings));
            async move {
                let events = host.wait(Interest::Everything).await?;
                closings.fetch_add(1, Ordering::Relaxed);
                computes(millis).await;
                counted.store(events.len() as u32, Ordering::Relaxed);
                completed(events.len())
            }
        });
        world.live(async |host| {
            host.start("busy", "b").await;
            let mut senders = JoinSet::new();
            for n in 0..200_u64 {
                let host = host.clone();
                senders.spawn(async move {
                    computes(n).await;
                    host.signal("b", "n", "0", None).await
                });
            }
            let answers = senders.join_all().await;
            let acknowledged = answers.iter().filter(|answer| answer.is_ok()).count() as u32;
            assert!(
                answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Error::Closed { .. }))),
                "{answers:?}"
            );
            assert_eq!(host.value("b").await, acknowledged.to_string(), "{millis} ms");
            assert!(acknowledged > 0);
            assert!(steps.load(Ordering::Relaxed) <= 4, "the closing step is redone three times at most");
        });
        world.check_rest();
    }
}

#[test]
fn a_signal_while_a_run_continues_as_new_without_listening_goes_to_the_next() {
    for millis in [0, 2, 30] {
        let world = World::new();
        world.workflow("renews", move |host, input| async move {
            if text(&input) == "1" {
                return completed(host.wait(Interest::Everything).await?.len());
            }
            let op = host.timer(secs(1))?;
            outcome(&host, op).await?;
            computes(millis).await;
            let next = NextRun::with_input(json(1));
            Ok(Completion::ContinueAsNew(next))
        });
        world.live(async |host| {
            let run_id = Some(host.start("renews", "r").await);
            host.pass(Duration::from_millis(999)).await;
            // Some of them meet the closing step.
            let mut senders = JoinSet::new();
            for n in 0..60_u64 {
                let host = host.clone();
                senders.spawn(async move {
                    tokio::time::sleep(Duration::from_micros(100 * n)).await;
                    let signal = refrain_runtime::SendSignal {
                        name: "n".to_owned(),
                        input: json(1),
                        request_id: None,
                    };
                    let target = refrain_runtime::Target { run_id, ..target("r") };
                    host.runtime.signal(&host.namespace, &target, signal).await
                });
            }
            let acknowledged = senders.join_all().await.iter().filter(|answer| answer.is_ok()).count();
            assert!(acknowledged > 0);
            assert_eq!(host.value("r").await, acknowledged.to_string(), "{millis} ms");
        });
        world.check_rest();
    }
}

#[test]
fn a_message_during_a_slow_replay_reaches_the_run() {
    let world = World::new();
    let slow = Arc::new(AtomicU32::new(0));
    let replays = Arc::clone(&slow);
    world.workflow("sleepy", move |host, _| {
        let slow = Arc::clone(&replays);
        async move {
            host.wait(Interest::Everything).await?;
            // Only the replay comes here slowly, after the owner has read the mailbox.
            computes(u64::from(slow.load(Ordering::Relaxed))).await;
            let mut count = 1;
            while count < 3 {
                count += host.wait(Interest::Everything).await?.len();
            }
            completed(count)
        }
    });
    world.live(async |host| {
        host.start("sleepy", "s").await;
        host.signal("s", "one", "1", None).await.unwrap();
        host.pass(secs(60)).await;
        assert!(!host.describe("s").await.resident);
        slow.store(50, Ordering::Relaxed);
        host.signal("s", "two", "2", None).await.unwrap();
        computes(10).await;
        host.signal("s", "three", "3", None).await.unwrap();
        assert_eq!(host.value("s").await, "3");
    });
    world.check_rest();
}

#[test]
fn a_timer_and_an_outcome_come_in_one_wait() {
    let world = World::new();
    world.workflow("both", |host, _| async move {
        let gate = host.activity(activity("gate", 1))?;
        let timer = host.timer(secs(5))?;
        let busy = host.activity(activity("echo", 1))?;
        outcome(&host, busy).await?;
        // Both come in while this step executes.
        computes(10_000).await;
        let events = host.wait(Interest::Everything).await?;
        assert!(matches!(events[..], [Event::Finished { op: a, .. }, Event::Finished { op: b, .. }] if (a, b) == (gate, timer)));
        completed(events.len())
    });
    world.live(async |host| {
        host.start("both", "b").await;
        host.pass(secs(1)).await;
        world.gate.add_permits(1);
        assert_eq!(host.value("b").await, "2");
    });
    world.check_rest();
}

#[test]
fn an_outcome_in_the_mailbox_stands_against_a_cancel() {
    let world = World::new();
    world.workflow("cancels", |host, _| async move {
        let (done, timer) = (host.activity(activity("gate", 1))?, host.timer(secs(1))?);
        let first = host.activity(activity("echo", 1))?;
        outcome(&host, first).await?;
        computes(5_000).await;
        host.cancel(done, "too late")?;
        host.cancel(timer, "too late")?;
        let events = host.wait(Interest::Everything).await?;
        let completed_ops = events
            .iter()
            .filter(|event| matches!(event, Event::Finished { outcome: Outcome::Completed(_), .. }));
        completed(completed_ops.count())
    });
    world.live(async |host| {
        world.gate.add_permits(1);
        host.start("cancels", "c").await;
        assert_eq!(host.value("c").await, "2");
    });
    world.check_rest();
}

#[test]
fn an_evicted_run_takes_the_outcomes_that_were_pending() {
    let mut world = World::new();
    world.options.resident_instances = 1;
    world.workflow("gated", |host, input| async move {
        let (one, two) =
            (host.activity(activity("gate", text(&input)))?, host.activity(activity("slow", 3))?);
        outcome(&host, one).await?;
        as_outcome(match outcome(&host, two).await? {
            Outcome::Completed(value) => Ok(value),
            Outcome::Failed(failure) => Err(failure),
        })
    });
    world.live(async |host| {
        for n in 0..10 {
            host.start("gated", &format!("g{n}")).await;
        }
        host.pass(secs(1)).await;
        world.gate.add_permits(10);
        for n in 0..10 {
            assert_eq!(host.value(&format!("g{n}")).await, "3");
        }
    });
    assert_eq!(world.attempts(), 20);
    world.check_rest();
}

#[test]
fn a_hundred_starts_of_one_id_make_one_run() {
    let world = World::new();
    collector(&world, 0);
    world.live(async |host| {
        let mut starts = JoinSet::new();
        for n in 0..100 {
            let host = host.clone();
            starts.spawn(async move {
                let request = refrain_runtime::StartWorkflow {
                    id: Some(target("c").workflow_id),
                    request_id: Some(format!("request {}", n / 2)),
                    ..refrain_runtime::StartWorkflow::new("collector", json("null"))
                };
                host.runtime.start_workflow(&host.namespace, request).await
            });
        }
        let answers = starts.join_all().await;
        let run_id = host.describe("c").await.summary.run_id;
        assert_eq!(answers.iter().flatten().filter(|answer| answer.created).count(), 1);
        assert_eq!(answers.iter().flatten().count(), 2, "the other start of the same request");
        for answer in answers {
            match answer {
                Ok(started) => assert_eq!(started.run_id, run_id),
                Err(Error::AlreadyRunning { run_id: running, .. }) => assert_eq!(running, run_id),
                Err(other) => panic!("{other}"),
            }
        }
        host.terminate("c").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn a_repeated_signal_is_the_same_signal() {
    let world = World::new();
    world.workflow("takes", |host, _| async move {
        let mut count = 0;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { name, .. } if name == "end" => return completed(count),
                    _ => count += 1,
                }
            }
        }
    });
    world.live(async |host| {
        host.start("takes", "t").await;
        let mut senders = JoinSet::new();
        for n in 0..40 {
            let host = host.clone();
            senders.spawn(async move { host.signal("t", "n", "1", Some(&format!("{}", n % 4))).await });
        }
        assert!(senders.join_all().await.iter().all(Result::is_ok));
        host.pass(secs(60)).await;
        host.signal("t", "n", "1", Some("2")).await.unwrap();
        host.signal("t", "end", "1", None).await.unwrap();
        assert_eq!(host.value("t").await, "4");
    });
    world.check_rest();
}

#[test]
fn a_full_mailbox_refuses_messages_and_takes_outcomes() {
    let world = World::new();
    world.workflow("deaf", |host, _| async move {
        let op = host.activity(activity("gate", 1))?;
        outcome(&host, op).await?;
        let mut count = 0;
        while count < 10_000 {
            count += host.wait(Interest::Everything).await?.len();
        }
        completed(count)
    });
    world.live(async |host| {
        host.start("deaf", "d").await;
        let mut senders = JoinSet::new();
        for _ in 0..10_050 {
            let host = host.clone();
            senders.spawn(async move { host.signal("d", "n", "1", None).await });
        }
        let answers = senders.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10_000);
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Error::Busy { waiting: 10_000, .. })))
        );
        world.gate.add_permits(1);
        assert_eq!(host.value("d").await, "10000");
    });
    world.check_rest();
}

#[test]
fn all_messages_that_wait_are_taken_by_a_run_that_listens_once() {
    let world = World::new();
    world.workflow("once", |host, _| async move {
        let op = host.activity(activity("gate", 1))?;
        outcome(&host, op).await?;
        completed(host.wait(Interest::Everything).await?.len())
    });
    world.live(async |host| {
        host.start("once", "o").await;
        for _ in 0..1_500 {
            host.signal("o", "n", "1", None).await.unwrap();
        }
        world.gate.add_permits(1);
        assert_eq!(host.value("o").await, "1500");
    });
    world.check_rest();
}

#[test]
fn ends_do_not_count_as_messages_and_a_full_mailbox_takes_a_cancel() {
    let mut world = World::new();
    world.options.mailbox_messages = 2;
    world.workflow("traps", |host, _| async move {
        for seconds in [1, 2, 3] {
            host.timer(secs(seconds))?;
        }
        host.wait(Interest::Everything).await?;
        Err(refrain_engine::scripted::trap("a bug"))
    });
    world.live(async |host| {
        host.start("traps", "t").await;
        host.pass(secs(10)).await;
        assert_eq!(host.describe("t").await.mailbox_waiting, 3);
        host.signal("t", "n", "1", None).await.unwrap();
        host.signal("t", "n", "2", None).await.unwrap();
        assert!(matches!(host.signal("t", "n", "3", None).await, Err(Error::Busy { waiting: 2, .. })));
        host.cancel("t").await.unwrap();
        host.cancel("t").await.unwrap();
        assert_eq!(host.describe("t").await.mailbox_waiting, 6);
        host.terminate("t").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn large_messages_that_wait_are_bounded_and_go_to_the_next_run_together() {
    let world = World::new();
    world.workflow("renews", |host, input| async move {
        if text(&input) == "1" {
            let op = host.activity(activity("gate", 1))?;
            outcome(&host, op).await?;
            return completed(host.wait(Interest::Everything).await?.len());
        }
        let op = host.activity(activity("gate", 1))?;
        outcome(&host, op).await?;
        let next = NextRun::with_input(json(1));
        Ok(Completion::ContinueAsNew(next))
    });
    let limited = || Arc::new(LimitedBatches::new(Arc::clone(&world.store)));
    let large = format!("{:?}", "x".repeat(1_900_000));
    world
        .live_on(limited(), async |host| {
            host.start("renews", "r").await;
            let mut senders = JoinSet::new();
            for _ in 0..20 {
                let (host, large) = (host.clone(), large.clone());
                senders.spawn(async move { host.signal("r", "n", &large, None).await });
            }
            let answers = senders.join_all().await;
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
            assert!(
                answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Error::Busy { waiting: 2, .. })))
            );
        })
        .unwrap();
    world
        .live_on(limited(), async |host| {
            let refused = host.signal("r", "n", &large, None).await;
            assert!(matches!(refused, Err(Error::Busy { .. })), "what is durable counts");
            host.signal("r", "n", "1", None).await.unwrap();
            world.gate.add_permits(1);
            host.pass(secs(1)).await;
            let refused = host.signal("r", "n", &large, None).await;
            assert!(matches!(refused, Err(Error::Busy { waiting: 3, .. })), "it moved to the next run");
            world.gate.add_permits(1);
            assert_eq!(host.value("r").await, "3");
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn large_messages_that_come_at_once_do_not_make_one_huge_batch() {
    let world = World::new();
    world.workflow("takes", |host, _| async move {
        let mut count = 0;
        while count < 40 {
            count += host.wait(Interest::Everything).await?.len();
        }
        completed(count)
    });
    let limited = Arc::new(LimitedBatches::new(Arc::clone(&world.store)));
    world
        .live_on(limited, async |host| {
            host.start("takes", "d").await;
            let large = format!("{:?}", "x".repeat(1_900_000));
            let mut senders = JoinSet::new();
            for _ in 0..40 {
                let (host, large) = (host.clone(), large.clone());
                senders.spawn(async move {
                    // A sender that is told to be slower is.
                    while let Err(refused) = host.signal("d", "n", &large, None).await {
                        assert!(matches!(refused, Error::Busy { .. }), "{refused}");
                        host.pass(secs(1)).await;
                    }
                });
            }
            senders.join_all().await;
            assert_eq!(host.value("d").await, "40");
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_run_that_executes_for_ever_can_be_terminated() {
    let world = World::new();
    world.workflow("endless", |host, _| async move {
        host.timer(secs(5))?;
        std::future::pending::<()>().await;
        completed("null")
    });
    world.live(async |host| {
        host.start("endless", "e").await;
        host.settle().await;
        host.terminate("e").await.unwrap();
        assert_eq!(host.status("e").await, RunStatus::Terminated);
        let failure = host.failure("e").await;
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Terminated, "enough"));
        assert!(matches!(host.terminate("e").await, Err(Error::Closed { .. })));
    });
    world.check_rest();
}

#[test]
fn a_sleeping_run_that_is_terminated_leaves_no_timer() {
    let world = World::new();
    world.workflow("sleeps", |host, _| async move {
        for seconds in [1, 500, 5_000_000] {
            host.timer(secs(seconds))?;
        }
        host.activity(activity("hang", 1))?;
        host.wait(Interest::Ops(vec![3])).await?;
        completed("null")
    });
    world.live(async |host| {
        host.start("sleeps", "s").await;
    });
    world.live(async |host| {
        host.pass(secs(100)).await;
        host.terminate("s").await.unwrap();
        world.check_rest();
        host.pass(secs(1_000)).await;
        assert_eq!(host.status("s").await, RunStatus::Terminated);
    });
    world.check_rest();
}

#[test]
fn nothing_leaves_the_host_before_its_cause_is_durable() {
    let world = World::new();
    world.workflow("hello", |host, _| async move { as_outcome(run(&host, activity("echo", 1)).await?) });
    // The boot, the component and the start are written; the first step is held.
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(4)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("hello", "h").await;
            host.pass(secs(5)).await;
            assert_eq!(held.held(), 1);
            assert_eq!(world.attempts(), 0, "an activity ran before its scheduling was durable");
            assert_eq!(host.history("h").await.events.len(), 1);
            assert!(host.describe("h").await.pending_activities.is_empty());
            let signal = tokio::time::timeout(secs(5), host.signal("h", "n", "1", None)).await;
            assert!(signal.is_err(), "a signal was acknowledged before it was durable");
            held.release();
            assert_eq!(host.value("h").await, "1");
        })
        .unwrap();
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn a_start_is_answered_when_it_is_durable() {
    let world = World::new();
    collector(&world, 0);
    let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), Fault::Hold(3)));
    let held = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            let start = tokio::time::timeout(secs(5), host.try_start("collector", "c", "1")).await;
            assert!(start.is_err());
            let unknown = host.runtime.result(&host.namespace, &target("c"), secs(0)).await;
            assert!(matches!(unknown, Err(Error::NotFound { .. })));
            held.release();
            // The client that gave up sends it again.
            host.settle().await;
            let again = host.try_start("collector", "c", "1").await.unwrap();
            assert!(!again.created);
            host.signal("c", "n", "1", None).await.unwrap();
            assert!(
                matches!(host.result("c").await, RunResult::Closed { .. }),
                "the run was found and begun"
            );
        })
        .unwrap();
    world.check_rest();
}

/// A store that tells of its third write, which is durable at once, only after five seconds.
struct LateAnswer(Arc<MemoryStore>, AtomicU64);

impl Wrapper for LateAnswer {
    fn inner(&self) -> &dyn Store {
        &*self.0
    }

    fn commit(&self, batch: Batch) -> Commit {
        let commit = self.0.commit(batch);
        if self.1.fetch_add(1, Ordering::Relaxed) + 1 != 3 {
            return commit;
        }
        let done = commit.wait();
        Commit::later(async move {
            tokio::time::sleep(secs(5)).await;
            done
        })
    }
}

#[test]
fn a_run_that_others_found_before_its_start_was_answered_goes_on_from_where_they_left_it() {
    let mut world = World::new();
    world.options.idle_timeout = secs(1);
    world.workflow("counts", |host, _| async move {
        assert_eq!(run(&host, activity("echo", 1)).await?, Ok(json(1)));
        let mut count = 0;
        while count < 2 {
            count += host.wait(Interest::Everything).await?.len();
        }
        completed(count)
    });
    let store = Arc::new(LateAnswer(Arc::clone(&world.store), AtomicU64::new(0)));
    world
        .live_on(store, async |host| {
            let starter = host.clone();
            let start = tokio::spawn(async move { starter.start("counts", "c").await });
            host.pass(secs(1)).await;
            host.signal("c", "n", "1", None).await.unwrap();
            host.pass(secs(3)).await;
            assert!(!host.describe("c").await.resident && !start.is_finished());
            start.await.unwrap();
            host.signal("c", "n", "2", None).await.unwrap();
            assert_eq!(host.value("c").await, "2");
        })
        .unwrap();
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}
