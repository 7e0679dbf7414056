//! Updates: each has one answer, and whoever waits for it hears that, whatever becomes of the run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use refrain_engine::call::{Completion, Interest, NextRun};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::RunId;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::scripted::{ScriptHost, Stopped, trap};
use refrain_runtime::{
    Error, IdConflictPolicy, OnTrap, RunStatus, SendUpdate, StartWorkflow, Target, UpdateProgress,
    UpdateStatus, WaitStage,
};
use refrain_store::schema::RunKey;
use refrain_store::{Batch, FaultyStore, Store};
use refrain_tables::{hold, seen};
use tokio::task::JoinSet;

use crate::lifecycle::retries;
use crate::world::*;

fn refusal() -> Failure {
    Failure::new(FailureKind::Application, "TooLate", "the order was sent")
}

/// The workflow `counter`: begins at its input, and does what its updates and signals say.
pub(crate) fn counter(world: &World) {
    world.workflow("counter", |host, input| async move { count(&host, &input).await });
}

async fn count(host: &ScriptHost, input: &Payload) -> Result<Completion, Stopped> {
    let mut sum: u64 = text(input).parse().unwrap_or(0);
    let mut later = BTreeMap::new();
    loop {
        for event in host.wait(Interest::Everything).await? {
            match event {
                Event::Update { request, name, input, .. } => {
                    let number: u64 = text(&input).parse().unwrap_or(0);
                    match name.as_str() {
                        "add" => {
                            host.accept(request)?;
                            sum += number;
                            host.complete(request, Outcome::Completed(json(sum)))?;
                        }
                        "later" => {
                            host.accept(request)?;
                            later.insert(host.timer(secs(number))?, request);
                        }
                        "hold" => host.accept(request)?,
                        "fail" => {
                            host.accept(request)?;
                            host.complete(request, Outcome::Failed(refusal()))?;
                        }
                        "refuse" => host.reject(request, refusal())?,
                        "end" => {
                            host.accept(request)?;
                            host.complete(request, Outcome::Completed(json(sum)))?;
                            return completed(sum);
                        }
                        _ => {}
                    }
                }
                Event::Finished { op, .. } => {
                    if let Some(request) = later.remove(&op) {
                        host.complete(request, Outcome::Completed(json(sum)))?;
                    }
                }
                Event::Signal { name, .. } => match name.as_str() {
                    "again" => return Ok(Completion::ContinueAsNew(next(sum))),
                    "sleep" => {
                        let timer = host.timer(secs(3_600))?;
                        outcome(host, timer).await?;
                    }
                    _ => return completed(sum),
                },
                Event::CancelRequested { .. } => return Ok(Completion::Canceled(None)),
                Event::Query { name, .. } => panic!("nobody asks for {name}"),
            }
        }
    }
}

fn next(input: u64) -> NextRun {
    NextRun::with_input(json(input))
}

/// The workflow `ends`: lets one update in, takes no more messages for ten seconds, and then ends as its input says.
pub(crate) fn ends(world: &World, on_trap: OnTrap) {
    world.workflow("ends", |host, input| async move {
        let Event::Update { request, .. } = host.wait(Interest::Everything).await?.remove(0) else {
            panic!("an update")
        };
        host.accept(request)?;
        let timer = host.timer(secs(10))?;
        outcome(&host, timer).await?;
        match text(&input).as_str() {
            r#""complete""# => completed(1),
            r#""fail""# => Ok(Completion::Failed(refusal())),
            r#""cancel""# => Ok(Completion::Canceled(None)),
            r#""renew""# => Ok(Completion::ContinueAsNew(next(0))),
            "0" => completed(0),
            _ => Err(trap("unreachable")),
        }
    });
    world.define("ends", on_trap);
}

pub(crate) fn send(update_id: &str, name: &str, input: impl std::fmt::Display) -> SendUpdate {
    SendUpdate { update_id: update_id.to_owned(), name: name.to_owned(), input: json(input) }
}

impl Host {
    pub(crate) async fn update(&self, id: &str, update: SendUpdate) -> Result<RunId, Error> {
        self.runtime.update(&self.namespace, &target(id), update).await
    }

    pub(crate) async fn update_progress(
        &self,
        id: &str,
        update_id: &str,
        stage: WaitStage,
        wait: Duration,
    ) -> Result<UpdateProgress, Error> {
        self.runtime.update_progress(&self.namespace, &target(id), update_id, stage, wait).await
    }

    /// What became of an update; waits a day for its end at most.
    pub(crate) async fn answered(&self, id: &str, update_id: &str) -> String {
        told(&self.update_progress(id, update_id, WaitStage::Completed, A_DAY).await.expect("an update"))
    }

    /// As [`Self::answered`], without waiting.
    pub(crate) async fn update_stands(&self, id: &str, update_id: &str) -> String {
        told(
            &self
                .update_progress(id, update_id, WaitStage::Completed, Duration::ZERO)
                .await
                .expect("an update"),
        )
    }

    /// Sends an update and waits for its answer.
    pub(crate) async fn call(&self, id: &str, update_id: &str, name: &str, input: u64) -> String {
        self.update(id, send(update_id, name, input)).await.expect("it is admitted");
        self.answered(id, update_id).await
    }

    /// The updates that have no answer, with their stages.
    async fn open(&self, id: &str) -> Vec<(String, &'static str)> {
        let updates = self.describe(id).await.pending_updates;
        let stage = |is_accepted| if is_accepted { "accepted" } else { "admitted" };
        updates.into_iter().map(|update| (update.update_id, stage(update.is_accepted))).collect()
    }
}

/// What became of an update, in a line.
pub(crate) fn told(progress: &UpdateProgress) -> String {
    match &progress.status {
        UpdateStatus::Admitted => "admitted".to_owned(),
        UpdateStatus::Accepted => "accepted".to_owned(),
        UpdateStatus::Rejected(failure) => format!("rejected {}", failure.error_type),
        UpdateStatus::Completed(Outcome::Completed(answer)) => text(answer),
        UpdateStatus::Completed(Outcome::Failed(failure)) => {
            format!("failed {}: {failure}", failure.error_type)
        }
    }
}

/// What who waits for an update hears whose run ended; how it ended follows.
pub(crate) const RUN_ENDED: &str = "failed run-ended: the run ended";

#[test]
fn an_update_that_is_accepted_and_completed_in_one_step_is_one_commit() {
    let world = World::new();
    counter(&world);
    let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
    let counted = Arc::clone(&store);
    world
        .live_on(store, async |host| {
            host.start("counter", "c").await;
            host.settle().await;
            for n in 1..=3 {
                let before = counted.writes();
                assert_eq!(host.call("c", &format!("u{n}"), "add", 1).await, n.to_string());
                assert_eq!(counted.writes() - before, 1);
            }
            assert_eq!(host.call("c", "last", "end", 0).await, "3", "also in the step that ends the run");
            assert_eq!(host.value("c").await, "3");
        })
        .unwrap();
    world.check_rest();
}

#[test]
fn a_rejected_update_is_in_the_journal_and_its_caller_hears_why() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        assert_eq!(host.call("c", "r", "refuse", 1).await, "rejected TooLate");
        assert_eq!(host.call("c", "i", "no such update", 1).await, "rejected not-handled");
        assert_eq!(host.call("c", "f", "fail", 1).await, "failed TooLate: the order was sent");
        host.terminate("c").await.unwrap();
        let names = host.history("c").await.events;
        let names: Vec<&str> = names.iter().map(|event| event.kind.name()).collect();
        assert_eq!(
            names,
            [
                "workflow-started",
                "update-received",
                "update-rejected",
                "update-received",
                "update-rejected",
                "update-received",
                "update-accepted",
                "update-failed",
                "workflow-terminated",
            ]
        );
    });
    world.check_rest();
}

#[test]
fn the_same_update_again_is_the_same_before_while_and_after() {
    let world = World::new();
    counter(&world);
    let again = async |host: &Host, input: u64| host.update("c", send("u", "later", input)).await;
    world.live(async |host| {
        let first = host.start("counter", "c").await;
        host.signal("c", "sleep", "0", None).await.unwrap();
        host.settle().await;
        for _ in 0..3 {
            assert_eq!(again(&host, 100).await, Ok(first));
        }
        assert_eq!(host.describe("c").await.mailbox_waiting, 1, "before it is delivered");
    });
    world.live(async |host| {
        let first = again(&host, 1).await.unwrap();
        assert_eq!(host.describe("c").await.mailbox_waiting, 1, "also by another host");
        host.pass(secs(3_600)).await;
        assert_eq!(again(&host, 1).await, Ok(first));
        assert_eq!(host.update_stands("c", "u").await, "accepted");
        assert_eq!(host.open("c").await, [("u".to_owned(), "accepted")]);
        assert_eq!(host.answered("c", "u").await, "0");
        assert_eq!(again(&host, 1).await, Ok(first), "after it has its answer");
        assert_eq!(host.call("c", "add", "add", 5).await, "5");
        host.signal("c", "again", "0", None).await.unwrap();
        host.settle().await;
        assert_ne!(host.describe("c").await.summary.run_id, first);
        assert_eq!(host.call("c", "add", "add", 5).await, "5", "from the next run of the chain");
        assert_eq!(host.call("c", "more", "add", 5).await, "10");
        host.call("c", "end", "end", 0).await;
        assert_eq!(host.call("c", "add", "add", 5).await, "5", "and from a chain that has ended");
        assert!(matches!(host.update("c", send("new", "add", 1)).await, Err(Error::Closed { .. })));
        let unknown = host.update_progress("c", "new", WaitStage::Admitted, A_DAY).await;
        assert!(matches!(unknown, Err(Error::NotFound { what: "update", .. })), "{unknown:?}");
        host.start_with("counter", "c", |_| {}).await.unwrap();
        assert_eq!(host.call("c", "add", "add", 7).await, "7", "another chain knows nothing of it");
        host.terminate("c").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn the_same_message_while_its_step_waits_for_a_local_activity_is_the_same() {
    let world = World::new();
    world.workflow("counts", |host, _| async move {
        let mut count = 0;
        let mut next = host.wait(Interest::Everything).await?;
        host.activity(with("slow", 1, |options| options.local = true))?;
        loop {
            for event in next {
                match event {
                    Event::Signal { name, .. } if name == "end" => return completed(count),
                    Event::Signal { .. } => count += 1,
                    Event::Update { request, .. } => {
                        host.accept(request)?;
                        host.complete(request, Outcome::Completed(json(1)))?;
                        count += 100;
                    }
                    _ => {}
                }
            }
            next = host.wait(Interest::Everything).await?;
        }
    });
    world.live(async |host| {
        host.start("counts", "c").await;
        host.settle().await;
        let mut senders = JoinSet::new();
        for micros in [0, 1_000, 2_000, 3_000, 8_000] {
            let host = host.clone();
            senders.spawn(async move {
                host.pass(Duration::from_micros(micros)).await;
                host.signal("c", "n", "1", Some("same")).await?;
                host.update("c", send("same", "u", 1)).await.map(drop)
            });
        }
        assert!(senders.join_all().await.iter().all(Result::is_ok));
        host.signal("c", "end", "1", None).await.unwrap();
        assert_eq!(host.value("c").await, "101");
    });
    world.check_rest();
}

#[test]
fn an_update_is_completed_by_an_instance_that_was_brought_back() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        host.update("c", send("u", "later", 1_000)).await.unwrap();
        let accepted = host.update_progress("c", "u", WaitStage::Accepted, A_DAY).await.unwrap();
        assert_eq!((accepted.reached, told(&accepted).as_str()), (true, "accepted"));
        host.pass(secs(100)).await;
        assert!(!host.describe("c").await.resident, "it was evicted");
        assert_eq!(host.call("c", "v", "add", 3).await, "3");
        assert_eq!(host.answered("c", "u").await, "3");
        host.update("c", send("w", "later", 1_000)).await.unwrap();
        host.settle().await;
    });
    world.live(async |host| {
        assert_eq!(host.answered("c", "w").await, "3", "by the next host");
        host.call("c", "end", "end", 0).await;
    });
    world.check_rest();
}

#[test]
fn who_waits_too_short_hears_how_far_it_has_come() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        host.signal("c", "sleep", "0", None).await.unwrap();
        host.settle().await;
        host.update("c", send("u", "hold", 0)).await.unwrap();
        let progress = async |stage, wait| {
            let progress = host.update_progress("c", "u", stage, wait).await.unwrap();
            (progress.reached, told(&progress))
        };
        let admitted = "admitted".to_owned();
        assert_eq!(progress(WaitStage::Admitted, A_DAY).await, (true, admitted.clone()));
        assert_eq!(progress(WaitStage::Completed, secs(60)).await, (false, admitted.clone()));
        assert_eq!(host.open("c").await, [("u".to_owned(), "admitted")]);
        assert_eq!(progress(WaitStage::Accepted, A_DAY).await, (true, "accepted".to_owned()));
        assert_eq!(progress(WaitStage::Completed, secs(60)).await, (false, "accepted".to_owned()));
        let waiting = host.clone();
        let waiting = tokio::spawn(async move { waiting.stands_after_a_day("c", "u").await });
        host.settle().await;
        host.runtime.shutdown().await;
        assert_eq!(waiting.await.unwrap(), "accepted", "a host that stops lets nobody wait");
    });
    world.live(async |host| host.terminate("c").await.unwrap());
    world.check_rest();
}

impl Host {
    async fn stands_after_a_day(&self, id: &str, update_id: &str) -> String {
        let progress =
            self.update_progress(id, update_id, WaitStage::Completed, A_DAY).await.expect("an update");
        assert!(!progress.reached);
        told(&progress)
    }
}

#[test]
fn the_table_has_all_that_becomes_of_an_update_whose_run_closes() {
    let mut transitions = Vec::new();
    for (closes, goes_on) in [("the run closes", false), ("the run closes, and another follows", true)] {
        let world = World::new();
        // Lets one update in, takes no more messages, and is a while in its last step. The next run takes none at first.
        world.workflow("closes", move |host, input| async move {
            if text(&input) == "1" {
                let timer = host.timer(secs(1_000))?;
                outcome(&host, timer).await?;
            }
            let Event::Update { request, .. } = host.wait(Interest::Everything).await?.remove(0) else {
                panic!("an update")
            };
            host.accept(request)?;
            let timer = host.timer(secs(10))?;
            outcome(&host, timer).await?;
            tokio::time::sleep(Duration::from_millis(3)).await;
            if goes_on { Ok(Completion::ContinueAsNew(NextRun::with_input(json(1)))) } else { completed(1) }
        });
        world.live(async |host| {
            let first = host.start("closes", "c").await;
            for update in ["accepted", "admitted"] {
                host.update("c", send(update, "u", 0)).await.unwrap();
                host.settle().await;
                assert_eq!(host.update_stands("c", update).await, update);
            }
            // The last step has begun, and what comes now is not durable before it ends.
            host.pass(Duration::from_millis(9_961)).await;
            let fresh = host.update("c", send("not durable yet", "u", 0)).await;
            for update in ["not durable yet", "admitted", "accepted"] {
                let became = match (&fresh, update) {
                    (Err(Error::Closed { .. }), "not durable yet") => "refused".to_owned(),
                    _ => {
                        let progress =
                            host.update_progress("c", update, WaitStage::Admitted, A_DAY).await.unwrap();
                        match told(&progress) {
                            ended if ended.starts_with(RUN_ENDED) => "ends with run-ended".to_owned(),
                            stage if progress.run_id != first => {
                                format!("{stage}, in the next run's mailbox")
                            }
                            stage => format!("{stage} as before"),
                        }
                    }
                };
                transitions.push(seen(update, closes, became));
            }
        });
    }
    hold(include_str!("../../src/owner/updates.rs"), "it is", transitions);
}

#[test]
fn updates_that_are_open_when_their_run_ends_end_with_it() {
    for (input, on_trap, how) in [
        ("complete", OnTrap::Park, "completed"),
        ("fail", OnTrap::Park, "failed"),
        ("cancel", OnTrap::Park, "canceled"),
        ("trap", OnTrap::Fail, "failed"),
        ("terminate", OnTrap::Park, "terminated"),
        ("terminate unloaded", OnTrap::Park, "terminated"),
        ("time out", OnTrap::Park, "timed-out"),
        ("replace", OnTrap::Park, "terminated"),
    ] {
        let world = World::new();
        ends(&world, on_trap);
        counter(&world);
        let run_id = world.live(async |host| {
            let change = |start: &mut StartWorkflow| {
                start.input = json(format!("{input:?}"));
                start.run_timeout = (input == "time out").then_some(secs(5));
            };
            let run_id = host.start_with("ends", "e", change).await.unwrap().run_id;
            for id in ["accepted", "admitted"] {
                host.update("e", send(id, "u", 0)).await.unwrap();
                host.settle().await;
            }
            let open = host.open("e").await;
            assert_eq!(open, ["accepted", "admitted"].map(|stage| (stage.to_owned(), stage)), "{input}");
            run_id
        });
        world.live(async |host| {
            let of_run = Target { run_id: Some(run_id), ..target("e") };
            let answer = async |id: &'static str| {
                let ended =
                    host.runtime.update_progress(&host.namespace, &of_run, id, WaitStage::Completed, A_DAY);
                told(&ended.await.unwrap())
            };
            let end = async {
                match input {
                    "terminate unloaded" => host.terminate("e").await.unwrap(),
                    "terminate" => {
                        host.settle().await;
                        host.terminate("e").await.unwrap();
                    }
                    "replace" => {
                        let replaces = |start: &mut StartWorkflow| {
                            start.id_conflict_policy = Some(IdConflictPolicy::TerminateExisting);
                        };
                        host.start_with("counter", "e", replaces).await.unwrap();
                    }
                    _ => {}
                }
            };
            let (accepted, admitted, ()) = tokio::join!(answer("accepted"), answer("admitted"), end);
            let expected = format!("{RUN_ENDED} ({how}) before the update was completed");
            assert_eq!([accepted, admitted], [expected.clone(), expected], "{input}");
            if input == "replace" {
                host.terminate("e").await.unwrap();
            }
        });
        world.check_rest();
    }
}

#[test]
fn updates_to_a_damaged_run_end_with_it() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        assert_eq!(host.call("c", "done", "add", 1).await, "1");
        host.update("c", send("open", "hold", 0)).await.unwrap();
        host.settle().await;
    });
    world.live(async |host| {
        let run_id = host.describe("c").await.summary.run_id;
        let key = RunKey::new(host.namespace.clone(), run_id).record(1);
        world.store.commit(Batch::new().put(key.table, key.bytes, vec![0xff])).await.unwrap();
        host.update("c", send("more", "add", 0)).await.unwrap();
        host.settle().await;
        host.terminate("c").await.unwrap();
        for id in ["open", "more"] {
            assert!(host.answered("c", id).await.starts_with(RUN_ENDED), "{id}");
        }
        assert_eq!(host.answered("c", "done").await, "1");
    });
    world.check_rest();
}

#[test]
fn continuing_as_new_moves_admitted_updates_and_fails_accepted_ones() {
    let world = World::new();
    ends(&world, OnTrap::Park);
    world.live(async |host| {
        let first = host.try_start("ends", "e", r#""renew""#).await.unwrap().run_id;
        for id in ["accepted", "admitted"] {
            host.update("e", send(id, "u", 0)).await.unwrap();
            host.settle().await;
        }
        let (accepted, moved) = tokio::join!(
            host.answered("e", "accepted"),
            host.update_progress("e", "admitted", WaitStage::Accepted, A_DAY)
        );
        assert_eq!(accepted, format!("{RUN_ENDED} (continued-as-new) before the update was completed"));
        let moved = moved.unwrap();
        assert_eq!((moved.reached, told(&moved).as_str()), (true, "accepted"), "who waits goes with it");
        assert_ne!(moved.run_id, first);
        assert_eq!(host.update("e", send("admitted", "u", 0)).await, Ok(moved.run_id));
        assert_eq!(
            host.answered("e", "admitted").await,
            format!("{RUN_ENDED} (completed) before the update was completed")
        );
    });
    world.check_rest();
}

#[test]
fn another_attempt_gets_the_admitted_updates() {
    // By the code's own failure, by a trap, and by a timeout of a run that no host has loaded.
    for (input, on_trap, how) in [
        ("fail", OnTrap::Park, "failed"),
        ("trap", OnTrap::Fail, "failed"),
        ("time out", OnTrap::Park, "timed-out"),
    ] {
        let world = World::new();
        ends(&world, on_trap);
        let change = |start: &mut StartWorkflow| {
            (start.input, start.retry) = (json(format!("{input:?}")), retries(2));
            start.run_timeout = (input == "time out").then_some(secs(5));
        };
        world.live(async |host| {
            host.start_with("ends", "e", change).await.unwrap();
            for id in ["accepted", "admitted"] {
                host.update("e", send(id, "u", 0)).await.unwrap();
                host.settle().await;
            }
        });
        if input == "time out" {
            world.skip(secs(60));
        }
        world.live(async |host| {
            let expected = format!("{RUN_ENDED} ({how}) before the update was completed");
            let (accepted, admitted) =
                tokio::join!(host.answered("e", "accepted"), host.answered("e", "admitted"));
            assert_eq!([accepted, admitted], [expected.clone(), expected], "{input}");
            assert_eq!(host.describe("e").await.attempt, 2);
        });
        world.check_rest();
    }
}

#[test]
fn no_update_that_was_admitted_is_left_without_an_answer_however_many_come_while_a_run_closes() {
    for millis in [0, 3, 30] {
        let world = World::new();
        world.workflow("busy", move |host, _| async move {
            for event in host.wait(Interest::Everything).await? {
                let Event::Update { request, .. } = event else { panic!("an update") };
                host.accept(request)?;
                host.complete(request, Outcome::Completed(json(1)))?;
            }
            tokio::time::sleep(Duration::from_millis(millis)).await;
            completed(1)
        });
        world.live(async |host| {
            host.start("busy", "b").await;
            let mut senders = JoinSet::new();
            for n in 0..90_u64 {
                let host = host.clone();
                senders.spawn(async move {
                    host.pass(Duration::from_millis(n)).await;
                    let id = format!("u{n}");
                    match host.update("b", send(&id, "u", 0)).await {
                        Ok(_) => Some(host.answered("b", &id).await),
                        Err(Error::Closed { .. }) => {
                            let none = host.update_progress("b", &id, WaitStage::Admitted, A_DAY).await;
                            assert!(matches!(none, Err(Error::NotFound { .. })), "{none:?}");
                            None
                        }
                        Err(other) => panic!("{other}"),
                    }
                });
            }
            let answers: Vec<String> = senders.join_all().await.into_iter().flatten().collect();
            assert!(!answers.is_empty());
            assert!(answers.iter().all(|answer| answer == "1"), "{answers:?}");
        });
        world.check_rest();
    }
}

#[test]
fn a_run_that_makes_no_steps_admits_updates_and_takes_them_when_it_goes_on() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        host.settle().await;
        host.pause("c").await.unwrap();
        host.update("c", send("u", "add", 2)).await.unwrap();
        assert_eq!(host.update_stands("c", "u").await, "admitted");
        host.unpause("c").await.unwrap();
        assert_eq!(host.answered("c", "u").await, "2");
    });
    // A step that traps records nothing of what it said.
    world.workflow("counter", |host, input| async move {
        count(&host, &input).await?;
        Err(trap("a bug"))
    });
    world.live(async |host| {
        host.update("c", send("end", "end", 0)).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("c").await, RunStatus::Parked);
        assert_eq!(host.update_stands("c", "end").await, "admitted");
        host.update("c", send("v", "add", 3)).await.unwrap();
        assert_eq!(host.open("c").await.len(), 2);
    });
    counter(&world);
    world.live(async |host| {
        host.resume("c").await.unwrap();
        assert_eq!(host.answered("c", "end").await, "2");
        assert_eq!(
            host.answered("c", "v").await,
            "rejected not-handled",
            "the code has ended the run before it"
        );
        assert_eq!(host.value("c").await, "2");
    });
    world.check_rest();
}

#[test]
fn so_many_updates_are_open_at_once_and_so_many_are_rejected_in_a_second() {
    let world = World::new();
    counter(&world);
    let busy = |answer: Result<RunId, Error>| match answer {
        Err(error @ Error::UpdateBusy { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    world.live(async |host| {
        host.start("counter", "c").await;
        for n in 0..60 {
            host.update("c", send(&format!("held {n}"), "hold", 0)).await.unwrap();
        }
        host.signal("c", "sleep", "0", None).await.unwrap();
        host.settle().await;
        for n in 60..100 {
            host.update("c", send(&format!("held {n}"), "hold", 0)).await.unwrap();
        }
    });
    world.live(async |host| {
        let one_more = host.update("c", send("one more", "add", 1)).await;
        assert_eq!(
            busy(one_more),
            r#"workflow "c" has 100 updates that wait for an answer, and takes no more"#
        );
        host.update("c", send("held 7", "hold", 0)).await.unwrap();
        host.terminate("c").await.unwrap();

        host.start("counter", "r").await;
        for n in 0..20 {
            assert_eq!(host.call("r", &format!("r{n}"), "refuse", 1).await, "rejected TooLate");
        }
        let one_more = host.update("r", send("one more", "add", 1)).await;
        assert_eq!(busy(one_more), r#"workflow "r" has rejected 20 updates within a second"#);
        host.pass(secs(1)).await;
        assert_eq!(host.call("r", "one more", "add", 1).await, "1");
        host.terminate("r").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn updates_count_as_messages_of_a_full_mailbox() {
    let mut world = World::new();
    world.options.mailbox_messages = 3;
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        host.signal("c", "sleep", "0", None).await.unwrap();
        host.settle().await;
        for n in 0..3 {
            host.update("c", send(&format!("u{n}"), "add", 1)).await.unwrap();
        }
        let full = host.update("c", send("u3", "add", 1)).await;
        assert!(matches!(full, Err(Error::Busy { waiting: 3, .. })), "{full:?}");
        assert_eq!(host.answered("c", "u2").await, "3");
        assert_eq!(host.call("c", "u3", "add", 1).await, "4");
        host.terminate("c").await.unwrap();
    });
    world.check_rest();
}

/// A start with an update.
pub(crate) fn with_update(update: SendUpdate) -> impl FnOnce(&mut StartWorkflow) {
    move |start| start.update = Some(update)
}

#[test]
fn deleting_a_chain_takes_its_updates_along() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        for n in 1..=5 {
            host.call("c", &format!("u{n}"), "add", 1).await;
            host.signal("c", "again", "0", None).await.unwrap();
            host.settle().await;
        }
        host.call("c", "end", "end", 0).await;
        assert_eq!(host.answered("c", "u1").await, "1");
        assert_eq!(host.delete("c").await, Ok(6));
        let gone = host.update_progress("c", "u1", WaitStage::Completed, A_DAY).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
    });
    world.check_empty();
}
