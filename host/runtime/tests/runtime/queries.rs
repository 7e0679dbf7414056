//! Queries: runs are asked however they stand, and nothing of it is left.

use std::time::Duration;

use bytes::Bytes;
use refrain_engine::call::Interest;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::scripted::{ScriptHost, Stopped, trap};
use refrain_runtime::{Consistency, Error, ErrorKind, QueryAnswer, QueryRequest, RunStatus, Target};
use refrain_store::{Order, Store, Table};

use crate::world::*;

/// Counts signals until one is called `end`, and goes on to answer after its end.
fn counter(world: &World) {
    world.workflow("counter", |host, _| async move {
        let mut signals = 0;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { name, .. } if name == "end" => {
                        host.finish(completed(signals)?)?;
                    }
                    Event::Signal { name, .. } if name == "trap" => return Err(trap("a bug")),
                    Event::Signal { name, .. } => {
                        signals += 1;
                        tokio::time::sleep(Duration::from_secs(name.parse().unwrap_or_default())).await;
                    }
                    Event::Query { request, name, input } => {
                        handle(&host, request, &name, input, signals).await?;
                    }
                    other => panic!("nothing else comes: {other:?}"),
                }
            }
        }
    });
}

async fn handle(
    host: &ScriptHost,
    request: u64,
    name: &str,
    input: Payload,
    signals: u32,
) -> Result<(), Stopped> {
    match name {
        "count" => host.answer(request, Outcome::Completed(json(signals)))?,
        "echo" => host.answer(request, Outcome::Completed(input))?,
        "slow" => {
            tokio::time::sleep(secs(11)).await;
            host.answer(request, Outcome::Completed(json(signals)))?;
        }
        "changes" => {
            host.log("about to change something")?;
            host.activity(activity("echo", 1))?;
        }
        "silent" => {}
        "traps" => return Err(trap("index out of bounds")),
        unknown => {
            let message = format!("this workflow has no query {unknown:?}");
            host.answer(request, Outcome::Failed(Failure::new(FailureKind::Host, "not-found", message)))?;
        }
    }
    Ok(())
}

fn query(name: &str) -> QueryRequest {
    QueryRequest { name: name.to_owned(), input: json(7), consistency: Consistency::Latest, at: None }
}

impl Host {
    async fn try_ask(&self, id: &str, request: QueryRequest) -> Result<QueryAnswer, Error> {
        self.runtime.query(&self.namespace, &target(id), request).await
    }

    async fn ask(&self, id: &str, request: QueryRequest) -> String {
        text(&self.try_ask(id, request).await.expect("an answer").result)
    }

    /// The type of the failure of a query, and its message.
    async fn ask_in_vain(&self, id: &str, request: QueryRequest) -> (String, String) {
        match self.try_ask(id, request).await {
            Err(Error::Query { failure }) => (failure.error_type.clone(), failure.to_string()),
            other => panic!("the query did not fail: {other:?}"),
        }
    }
}

#[test]
fn a_run_is_asked_however_it_stands_and_does_not_wake_for_it() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        assert_eq!(host.ask("c", query("count")).await, "0");
        host.signal("c", "one", "1", None).await.unwrap();
        assert_eq!(host.ask("c", query("count")).await, "1");
        assert_eq!(host.ask("c", query("echo")).await, "7");
        host.pass(secs(3_600)).await;
        assert!(!host.describe("c").await.resident);
        let answer = host.try_ask("c", query("count")).await.unwrap();
        assert_eq!((text(&answer.result).as_str(), answer.step), ("1", 1));
        assert!(!host.describe("c").await.resident, "the query woke nobody");
        host.signal("c", "trap", "1", None).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("c").await, RunStatus::Parked);
        assert_eq!(host.ask("c", query("count")).await, "1");
    });
    world.live(async |host| {
        assert_eq!(host.ask("c", query("count")).await, "1", "after a crash, too");
        host.terminate("c").await.unwrap();
        assert_eq!(host.ask("c", query("count")).await, "1");
        host.start("counter", "d").await;
        host.signal("d", "one", "1", None).await.unwrap();
        host.signal("d", "end", "1", None).await.unwrap();
        assert_eq!(host.value("d").await, "1");
        assert_eq!(host.ask("d", query("count")).await, "1");
    });
    world.check_rest();
}

#[test]
fn a_past_event_is_asked_for_by_its_number() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        for _ in 0..3 {
            host.signal("c", "one", "1", None).await.unwrap();
            host.settle().await;
        }
        let mut told = Vec::new();
        for at in 1..=4 {
            let answer = host.try_ask("c", QueryRequest { at: Some(at), ..query("count") }).await.unwrap();
            told.push((text(&answer.result), answer.step));
        }
        assert_eq!(told, [("0", 0), ("1", 1), ("2", 2), ("3", 3)].map(|(n, step)| (n.to_owned(), step)));
        for at in [0, 5] {
            let refused = host.try_ask("c", QueryRequest { at: Some(at), ..query("count") }).await;
            let message = format!("is {at}: give the number of an event, from 1 to 4");
            assert_eq!(refused, Err(Error::Invalid { field: "at".to_owned(), message }));
        }
    });
}

#[test]
fn a_query_that_fails_says_how() {
    let world = World::new();
    counter(&world);
    world.workflow("deaf", |host, _| async move {
        let op = host.timer(secs(3_600))?;
        outcome(&host, op).await?;
        completed(1)
    });
    world.live(async |host| {
        host.start("counter", "c").await;
        let expected = [
            ("changes", "query-tried-to-change", "called activity.start"),
            ("silent", "not-handled", "without an answer"),
            ("traps", "query-failed", "trapped: index out of bounds"),
            ("colour", "not-found", "this workflow has no query \"colour\""),
        ];
        for (name, error_type, words) in expected {
            let (failed_as, message) = host.ask_in_vain("c", query(name)).await;
            assert_eq!(failed_as, error_type, "{name}");
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(host.status("c").await, RunStatus::Running);
        host.start("deaf", "d").await;
        host.signal("d", "one", "1", None).await.unwrap();
        let (failed_as, message) = host.ask_in_vain("d", query("count")).await;
        assert_eq!(failed_as, "not-served");
        assert!(message.contains("it waits for op 1, and takes no messages meanwhile"), "{message}");
        assert_eq!(host.value("d").await, "1");
        assert_eq!(host.ask_in_vain("d", query("count")).await.0, "not-served", "it returned");

        let refused = host.try_ask("c", query("")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        let large = Payload::json(format!("\"{}\"", "x".repeat(3 << 20)));
        let refused = host.try_ask("c", QueryRequest { input: large, ..query("echo") }).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
        let nobody = host.try_ask("nobody", query("count")).await.unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::NotFound);
        let target = Target { run_id: Some(refrain_engine::ids::RunId::from_bytes([3; 16])), ..target("c") };
        let no_run = host.runtime.query(&host.namespace, &target, query("count")).await.unwrap_err();
        assert_eq!(no_run.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn the_latest_has_what_had_arrived_before_the_query() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        host.settle().await;
        // The signal is durable at once, and its step takes three seconds more.
        host.signal("c", "3", "1", None).await.unwrap();
        let stale = QueryRequest { consistency: Consistency::Stale, ..query("count") };
        assert_eq!(host.ask("c", stale.clone()).await, "0");
        let asked = tokio::time::Instant::now();
        assert_eq!(host.ask("c", query("count")).await, "1");
        assert!(asked.elapsed() >= secs(3));
        host.signal("c", "60", "1", None).await.unwrap();
        let late = host.try_ask("c", query("count")).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Busy);
        assert!(late.to_string().contains("within 10s"), "{late}");
        // Each replayed step of this script takes its time again.
        assert_eq!(host.ask("c", stale).await, "1");
    });
}

#[test]
fn a_run_that_has_just_been_started_is_asked_at_its_first_wait() {
    let world = World::new();
    world.workflow("slow", |host, _| async move {
        tokio::time::sleep(secs(3)).await;
        while let Some(Event::Query { request, name, input }) = host.wait(Interest::Everything).await?.pop() {
            handle(&host, request, &name, input, 0).await?;
        }
        completed(1)
    });
    world.live(async |host| {
        host.start("slow", "s").await;
        let stale = QueryRequest { consistency: Consistency::Stale, ..query("count") };
        let (failed_as, message) = host.ask_in_vain("s", stale).await;
        assert_eq!(failed_as, "not-served");
        assert!(message.contains("it has not come to its first wait"), "{message}");
        assert_eq!(host.ask("s", query("count")).await, "0");
    });
}

#[test]
fn queries_are_answered_a_few_at_a_time_and_the_others_wait_a_little() {
    let mut world = World::new();
    world.options.query_slots = 2;
    counter(&world);
    world.live(async |host| {
        host.start("counter", "c").await;
        host.settle().await;
        let slow = || host.try_ask("c", query("slow"));
        let (first, second, third) = tokio::join!(slow(), slow(), slow());
        assert!(first.is_ok() && second.is_ok());
        let refused = third.unwrap_err();
        assert!(refused.to_string().contains("others are being answered"), "{refused}");
        let many = futures::future::join_all((0..1_100).map(|_| slow())).await;
        let refused = |words: &str| {
            let refusals = many.iter().filter_map(|answer| answer.as_ref().err());
            refusals
                .filter(|error| error.kind() == ErrorKind::Busy && error.to_string().contains(words))
                .count()
        };
        assert_eq!(refused("1002 queries are being answered or wait for it"), 98);
        assert_eq!(refused("others are being answered"), 1_000);
    });
}

/// Every row of a store.
fn all_rows(world: &World) -> Vec<(Table, Bytes, Bytes)> {
    let rows = Table::ALL.iter().flat_map(|table| {
        let rows = world.store.range(*table, &[], &[0xff; 64], Order::Ascending, usize::MAX).unwrap();
        rows.into_iter().map(|(key, value)| (*table, key, value))
    });
    rows.collect()
}

#[test]
fn thousands_of_queries_change_nothing() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        host.start("counter", "waits").await;
        host.start("counter", "sleeps").await;
        host.signal("sleeps", "one", "1", None).await.unwrap();
        host.pass(secs(3_600)).await;
        host.signal("waits", "one", "1", None).await.unwrap();
        host.settle().await;
        let before = all_rows(&world);
        assert!(before.iter().any(|(table, ..)| *table == Table::Journal));
        for _ in 0..100 {
            let asked = ["waits", "sleeps"].into_iter().flat_map(|id| {
                let names = ["count", "echo", "changes", "silent", "traps", "colour"];
                names.map(|name| host.try_ask(id, query(name)))
            });
            let answers = futures::future::join_all(asked).await;
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
        }
        let past =
            (0..1_000).map(|n| host.try_ask("waits", QueryRequest { at: Some(n % 2 + 1), ..query("count") }));
        assert!(futures::future::join_all(past).await.iter().all(Result::is_ok));
        assert_eq!(all_rows(&world), before);
        assert!(host.is_sound());
        for id in ["waits", "sleeps"] {
            host.signal(id, "end", "1", None).await.unwrap();
            assert_eq!(host.value(id).await, "1");
        }
    });
    assert_eq!(world.attempts(), 0, "no activity of a query ran");
    world.check_rest();
}
