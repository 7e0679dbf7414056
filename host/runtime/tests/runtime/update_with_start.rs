//! Updates with start: the run that is there gets the update, or a new one begins with it.

use std::collections::BTreeMap;

use refrain_runtime::{Error, IdConflictPolicy, SendUpdate, StartWorkflow};
use tokio::task::JoinSet;

use crate::lifecycle::hello;
use crate::updates::{counter, send, with_update};
use crate::world::*;

#[test]
fn an_update_with_start_starts_with_its_update_or_updates() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        let start = async |update: SendUpdate| host.start_with("counter", "c", with_update(update)).await;
        let first = start(send("one", "add", 1)).await.unwrap();
        assert_eq!(host.answered("c", "one").await, "1");
        let second = start(send("two", "add", 2)).await.unwrap();
        assert_eq!((first.created, second.created), (true, false));
        assert_eq!(host.answered("c", "two").await, "3");
        for (id, answer) in [("one", "1"), ("two", "3")] {
            let again = start(send(id, "add", 7)).await.unwrap();
            assert_eq!((again.created, again.run_id), (false, first.run_id), "the same update");
            assert_eq!(host.answered("c", id).await, answer);
        }
        let with_request = async |update| {
            let change = |start: &mut StartWorkflow| {
                (start.update, start.request_id) = (Some(update), Some("request".to_owned()));
            };
            host.start_with("counter", "r", change).await.unwrap()
        };
        let made = with_request(send("one", "add", 1)).await;
        let same = with_request(send("two", "add", 1)).await;
        assert_eq!((same.created, same.run_id), (false, made.run_id));
        assert_eq!(host.answered("r", "two").await, "2", "the same start with another update");
        host.terminate("r").await.unwrap();

        let refused = host
            .start_with("counter", "c", |start| {
                start.update = Some(send("no", "add", 1));
                start.id_conflict_policy = Some(IdConflictPolicy::Fail);
            })
            .await;
        assert!(matches!(refused, Err(Error::AlreadyRunning { .. })), "{refused:?}");
        let both = host
            .start_with("counter", "both", |start| {
                (start.update, start.signal) = (Some(send("no", "add", 1)), hello("no"));
            })
            .await;
        assert!(matches!(both, Err(Error::Invalid { .. })), "{both:?}");

        host.update("c", send("held", "hold", 0)).await.unwrap();
        host.settle().await;
        let replaced = host
            .start_with("counter", "c", |start| {
                start.update = Some(send("one", "add", 9));
                start.id_conflict_policy = Some(IdConflictPolicy::TerminateExisting);
                start.request_id = Some("replace".to_owned());
            })
            .await
            .unwrap();
        assert!(!replaced.created, "an update that the chain has is that one, under every policy");
        let replaced = host
            .start_with("counter", "c", |start| {
                start.update = Some(send("new", "add", 9));
                start.id_conflict_policy = Some(IdConflictPolicy::TerminateExisting);
            })
            .await
            .unwrap();
        assert!(replaced.created);
        assert_eq!(host.answered("c", "new").await, "9");
        host.call("c", "end", "end", 0).await;
        let again = start(send("end", "end", 0)).await.unwrap();
        assert_eq!((again.created, again.run_id), (false, replaced.run_id), "after the end too");
        assert!(start(send("later", "end", 0)).await.unwrap().created, "another update: a new run");
        assert_eq!(host.answered("c", "later").await, "0");
    });
    world.check_rest();
}

#[test]
fn an_update_with_start_does_not_wait_for_the_delay_of_a_run_that_is_there() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        let delayed = |start: &mut StartWorkflow| start.start_delay = secs(1_000);
        host.start_with("counter", "c", delayed).await.unwrap();
        host.update("c", send("early", "add", 1)).await.unwrap();
        host.settle().await;
        assert_eq!(host.update_stands("c", "early").await, "admitted");
        host.start_with("counter", "c", with_update(send("u", "add", 1))).await.unwrap();
        host.settle().await;
        assert_eq!(host.update_stands("c", "u").await, "2");
        host.terminate("c").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn a_hundred_updates_with_start_make_one_run_that_gets_each_once() {
    let world = World::new();
    counter(&world);
    world.live(async |host| {
        let mut starts = JoinSet::new();
        for n in 0..100 {
            let host = host.clone();
            starts.spawn(async move {
                // Each is sent twice.
                let id = format!("u{}", n / 2);
                let started =
                    host.start_with("counter", "c", with_update(send(&id, "add", 1))).await.unwrap();
                let answer = host.answered("c", &id).await;
                (started.created, started.run_id, id, answer)
            });
        }
        let all = starts.join_all().await;
        assert_eq!(all.iter().filter(|(created, ..)| *created).count(), 1);
        assert!(all.iter().all(|(_, run_id, ..)| *run_id == all[0].1));
        let answers: BTreeMap<&str, &str> =
            all.iter().map(|(_, _, id, answer)| (id.as_str(), answer.as_str())).collect();
        assert!(all.iter().all(|(_, _, id, answer)| answers[id.as_str()] == answer), "one answer for each");
        let mut sums: Vec<u64> = answers.values().map(|sum| sum.parse().unwrap()).collect();
        sums.sort_unstable();
        assert_eq!(sums, (1..=50).collect::<Vec<_>>(), "each was added once");
        host.call("c", "end", "end", 0).await;
        assert_eq!(host.value("c").await, "50");
    });
    world.check_rest();
}
