//! The lock with holders that come and go, and a visitor with a lock that keeps it waiting.

use std::collections::VecDeque;

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{millis, secs};
use serde::{Deserialize, Serialize};

use super::lock::{Holder, Lock, lock};
use super::visit::{Visit, Visited, visit};
use super::{Granted, Release, Request};

fn request(by: &str, lease_ms: u64) -> Request {
    Request { by: by.to_owned(), lease_ms }
}

fn requests(env: Env, at: u64, by: &[&str]) -> Env {
    by.iter().fold(env, |env, by| env.signal(secs(at), "request", &request(by, 10_000)))
}

fn release(env: Env, at: u64, number: u64) -> Env {
    env.signal(secs(at), "release", &Release { number })
}

/// Until so many are granted.
fn run(env: Env, grants: u64) -> Ended {
    env.run::<lock>(&Lock { grants_per_run: Some(grants), ..Lock::default() })
}

/// To whom it was granted, in order.
fn granted(ended: &Ended) -> Vec<&str> {
    let to = |call| str::split_once(call, " = signal ")?.1.split(' ').next();
    ended.calls.iter().filter_map(|call| to(call)).collect()
}

#[test]
fn it_is_granted_to_one_after_the_other_in_the_order_in_which_they_asked() {
    let env = requests(Env::new(), 1, &["a", "b"]);
    let env = requests(release(env, 2, 1), 3, &["c"]);
    let asked = [millis(1_500), millis(2_500)].iter().fold(env, |env, at| env.query(*at, "state", &()));
    let ended = run(release(asked, 4, 2), 3);
    assert_eq!(granted(&ended), ["a", "b", "c"]);
    let told = [0, 1].map(|index| ended.answer::<Lock>(index).unwrap());
    let shown = told.map(|lock| (lock.number, lock.holder.map(|holder| holder.by), lock.queue.len()));
    assert_eq!(shown, [(1, Some("a".to_owned()), 1), (2, Some("b".to_owned()), 0)]);
    assert_eq!(ended.elapsed, secs(4));
}

#[test]
fn who_does_not_release_it_loses_it_when_the_lease_is_over_and_releases_nothing_later() {
    let env = Env::new().signal(secs(1), "request", &request("dead", 5_000));
    let env = release(requests(env, 2, &["b", "c"]), 8, 1);
    let ended = run(release(env, 9, 2), 3);
    assert_eq!(granted(&ended), ["dead", "b", "c"]);
    assert_eq!(ended.elapsed, secs(9), "what was released at 8 s was b's no more than c's");
    let told = |text: &str| ended.log.iter().any(|line| line.starts_with(text));
    assert!(told("WARN taken back from dead, whose lease is over number=1"), "{:?}", ended.log);
    assert!(told("WARN released too late number=1"), "{:?}", ended.log);
}

#[test]
fn who_is_no_more_loses_its_turn_and_who_asks_twice_gets_one() {
    let env = requests(Env::new().without_execution("gone"), 1, &["gone", "b", "b"]);
    let ended = run(env, 2);
    assert_eq!(granted(&ended), ["gone", "b"]);
    assert_eq!(ended.elapsed, secs(1));
    let lock: Lock = ended.continued().unwrap();
    assert_eq!((lock.holder.map(|holder| holder.by).as_deref(), lock.queue.len()), (Some("b"), 0));
}

#[test]
fn the_next_run_takes_over_holder_lease_and_queue_with_what_has_come_in_the_last_moment() {
    // All at once: two requests come with the one that is granted, in one wait.
    let ended = run(requests(Env::new(), 1, &["a", "b", "c"]), 1);
    let next: Lock = ended.continued().unwrap();
    assert_eq!(next.holder, Some(Holder { by: "a".to_owned(), until_ms: 11_000 }));
    assert_eq!(next.queue, VecDeque::from([request("b", 10_000), request("c", 10_000)]));
    assert!(!ended.log.iter().any(|line| line.starts_with("WARN")), "{:?}", ended.log);

    let ended = release(Env::new(), 2, 1).run::<lock>(&next);
    assert_eq!((granted(&ended), ended.elapsed), (vec!["b"], secs(2)));
    let ended = Env::new().run::<lock>(&next);
    assert_eq!((granted(&ended), ended.elapsed), (vec!["b"], secs(11)), "the lease goes on as it was");
}

#[test]
fn what_comes_while_a_grant_is_under_way_is_carried_too() {
    let lock =
        Lock { queue: VecDeque::from([request("a", 10_000)]), grants_per_run: Some(1), ..Lock::default() };
    let ended = requests(Env::new(), 0, &["b"]).run::<super::lock::lock>(&lock);
    let next: Lock = ended.continued().unwrap();
    assert_eq!(next.queue, VecDeque::from([request("b", 10_000)]));
}

#[test]
fn it_ends_when_canceled_whether_someone_holds_it_or_not() {
    for by in [vec![], vec!["a"]] {
        assert!(run(requests(Env::new(), 1, &by).cancel(secs(2), "closed"), 9).is_canceled());
    }
}

#[derive(Deserialize)]
struct Path {
    path: String,
}

#[derive(Serialize)]
struct Done {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    path: &'static str,
}

/// A room with these in it, as the `fs` plugin would tell.
fn room(seen: &'static [&'static str]) -> Env {
    ["fs.write", "fs.list", "fs.remove"].into_iter().fold(Env::new(), |env, name| {
        env.slow_activity(name, secs(1), move |input: Path| {
            assert!(input.path.starts_with("room"), "{}", input.path);
            Ok(Done { entries: seen.iter().map(|path| Entry { path }).collect() })
        })
    })
}

const VISIT: Visit = Visit { lock: String::new(), stay_ms: 5_000, lease_ms: 60_000 };

fn visits(env: Env) -> Ended {
    env.run::<visit>(&Visit { lock: "door".to_owned(), ..VISIT })
}

fn door(env: Env) -> Env {
    env.signal(secs(2), "granted", &Granted { lock: "door".to_owned(), number: 7 })
}

#[test]
fn a_visitor_waits_for_its_turn_and_releases_the_lock_when_it_has_left() {
    let ended = visits(door(room(&["room/test"])));
    let visited = Visited { number: 7, seen: vec!["room/test".to_owned()], from_ms: 2_000, to_ms: 10_000 };
    assert_eq!(ended.result::<Visited>().unwrap(), visited);
    let sent: Vec<_> = ended.calls.iter().filter_map(|call| call.split_once("signal door ")).collect();
    let sent: Vec<_> = sent.into_iter().map(|(_, sent)| sent).collect();
    assert_eq!(sent, [r#"request {"by":"test","lease_ms":60000}"#, r#"release {"number":7}"#]);
}

#[test]
fn a_visitor_that_is_not_alone_says_so_and_releases_the_lock_all_the_same() {
    let ended = visits(door(room(&["room/other", "room/test"])));
    let failure = ended.result::<Visited>().unwrap_err().to_string();
    assert_eq!(failure, "test was not alone: room/other, room/test");
    assert!(ended.calls.iter().any(|call| call.contains("signal door release")), "{:?}", ended.calls);
}

#[test]
fn a_visitor_without_a_lock_fails_and_one_that_is_canceled_ends() {
    let failure = visits(room(&[]).without_execution("door")).result::<Visited>().unwrap_err().to_string();
    assert!(failure.starts_with("ask for the lock: signal `request` to workflow `door`"), "{failure}");
    assert!(visits(room(&[]).cancel(secs(1), "never mind")).is_canceled());
}
