//! Scopes: what is canceled with them, what is not, and how they end.

use super::{DONE, TASK, echo, step};
use crate::testing::{Ended, Env};
use crate::*;

fn env(names: &[(&str, u64)]) -> Env {
    names.iter().fold(Env::new(), |env, (name, takes)| echo(env, name, *takes))
}

/// Runs `future` in a scope that the signal `done` cancels.
async fn until_done<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let scope = CancelScope::new();
    let stop = async {
        DONE.recv().await;
        scope.cancel("stopped");
        // The first reason counts, and nothing is canceled twice.
        scope.cancel("stopped again");
        assert!(scope.is_canceled());
    };
    let work = scope.run(future);
    let (outcome, ()) = join!(work, stop);
    outcome
}

#[workflow]
async fn works_in_a_scope() -> Result<String, Failure> {
    let _outside = step("outside").start();
    let outcome = until_done(async {
        let ship = child::<String>("ship", "7").start();
        drop(step("dropped").start());
        let (a, ship) = join!(step("a"), ship);
        let late = step("late").await;
        let late_child = child::<String>("late", "7").await;
        let failures = [a, ship, late, late_child].map(|outcome| outcome.unwrap_err().to_string());
        Ok(failures.join(", "))
    });
    let failures = outcome.await?;
    // The scope is over: what starts here is in none.
    step("after").await?;
    Ok(failures)
}

#[test]
fn a_canceled_scope_cancels_what_is_open_in_it_and_starts_nothing_more() {
    let env = env(&[("outside", 60), ("dropped", 60), ("a", 60), ("late", 1), ("after", 1)]);
    let env = env.slow_child("ship", secs(60), |id: String| Ok(id)).signal(secs(1), "done", &0);
    let ended = env.run::<works_in_a_scope>(&());
    let failures = r#"stopped, child workflow "ship": stopped, stopped, child workflow "late": stopped"#;
    assert_eq!(ended.result::<String>().unwrap(), failures);
    let calls = [
        "1 = activity outside \"outside\"",
        "2, 3 = child ship \"7\"",
        "detach 2",
        "4 = activity dropped \"dropped\"",
        "detach 4",
        "5 = activity a \"a\"",
        "wait",
        "cancel 3",
        "cancel 5",
        "wait",
        "6 = activity after \"after\"",
        "wait",
    ];
    assert_eq!(ended.calls[..12], calls);
}

#[workflow]
async fn sleeps_in_a_scope(what: String) -> Result<String, Failure> {
    until_done(async {
        let held = step("held").start();
        match what.as_str() {
            "sleeps" => sleep(days(1)).await,
            "waits for the held one" => drop(held.await),
            "waits for nothing" => std::future::pending().await,
            "cleans up with a condition" => {
                let failed = std::cell::Cell::new(false);
                let condition = wait_condition(|| failed.get());
                join!(condition, async {
                    failed.set(held.await.is_err());
                });
            }
            what => panic!("unknown: {what}"),
        }
        Ok(what)
    })
    .await
}

#[test]
fn a_canceled_scope_drops_what_cannot_fail_when_nothing_in_it_is_open_any_more() {
    for (what, takes, expected, elapsed) in [
        ("sleeps", 60, Err("stopped"), 1),
        ("waits for nothing", 60, Err("stopped"), 1),
        ("waits for the held one", 60, Ok("waits for the held one"), 1),
        ("cleans up with a condition", 60, Ok("cleans up with a condition"), 1),
    ] {
        let env = env(&[("held", takes)]).signal(secs(1), "done", &0);
        let ended = env.run::<sleeps_in_a_scope>(&what);
        let outcome = ended.result::<String>();
        let outcome = outcome.as_deref().map_err(|why| {
            assert!(why.is_canceled());
            why.message()
        });
        assert_eq!((outcome, ended.elapsed), (expected, secs(elapsed)), "{what}");
    }
}

#[test]
fn what_has_ended_is_not_canceled_though_nobody_has_seen_it() {
    let ended = env(&[("held", 1)]).signal(secs(2), "done", &0).run::<sleeps_in_a_scope>(&"sleeps");
    let calls = ["1 = activity held \"held\"", "2 = timer 86400s", "wait", "wait", "cancel 2", "detach 2"];
    assert_eq!(ended.calls, calls);
}

#[test]
fn a_timer_of_a_scope_ends_with_it() {
    let env = env(&[("held", 60)]).signal(secs(1), "done", &0);
    let ended = env.run::<sleeps_in_a_scope>(&"sleeps");
    let calls = ["1 = activity held \"held\"", "2 = timer 86400s", "wait", "cancel 1", "wait"];
    assert_eq!(ended.calls[..5], calls);
    assert_eq!(ended.calls[5..], ["cancel 2", "detach 2"]);
}

#[workflow]
async fn waits_for_cancellation() -> Result<(), Failure> {
    until_done(async {
        let patient = step("patient").cancellation(Cancellation::WaitForCancellation).start();
        sleep(days(1)).await;
        drop(patient);
        Ok(())
    })
    .await
}

#[test]
fn a_scope_waits_for_work_that_is_waited_for() {
    let ended = env(&[("patient", 9)]).signal(secs(1), "done", &0).run::<waits_for_cancellation>(&());
    assert!(ended.result::<()>().unwrap_err().is_canceled());
    assert_eq!(ended.elapsed, secs(9));
}

/// Two scopes in one another, the inner one shielded or not.
#[workflow]
async fn nests(shielded: bool) -> Result<String, Failure> {
    let inner = || CancelScope::new().run(async { step("inner").await });
    until_done(async {
        let inner = match shielded {
            true => shield(async { inner().await }).await,
            false => inner().await,
        };
        Ok(inner.unwrap_or_else(|failure| failure.to_string()))
    })
    .await
}

#[test]
fn a_scope_is_canceled_with_the_one_around_it_unless_it_is_shielded() {
    for (shielded, expected, elapsed) in [(false, "stopped", 1), (true, "inner", 5)] {
        let ended = env(&[("inner", 5)]).signal(secs(1), "done", &0).run::<nests>(&shielded);
        assert_eq!(ended.result::<String>().unwrap(), expected);
        assert_eq!(ended.elapsed, secs(elapsed), "the outer one waits for the shield");
    }
}

#[workflow]
async fn starts_in_a_canceled_scope() -> Result<Vec<String>, Failure> {
    let scope = CancelScope::new();
    scope.cancel("closed");
    let activity = scope.run(step("a")).await;
    let nested = scope.run(async { CancelScope::new().run(step("b")).await }).await;
    let spawned = spawn(scope.run(async { step("c").await })).await;
    let shielded = scope.run(async { shield(step("d")).await }).await;
    let shown = |outcome: Result<String, Failure>| outcome.unwrap_or_else(|failure| failure.to_string());
    Ok([activity, nested, spawned, shielded].map(shown).to_vec())
}

#[test]
fn what_starts_in_a_canceled_scope_fails_at_once_and_what_is_shielded_does_not() {
    let ended = env(&[("d", 1)]).run::<starts_in_a_canceled_scope>(&());
    assert_eq!(ended.result::<Vec<String>>().unwrap(), ["closed", "closed", "closed", "d"]);
    assert_eq!(ended.calls, ["1 = activity d \"d\"", "wait"]);
}

/// A saga that is canceled in the middle of an activity, or of a pause.
#[workflow]
async fn books(scoped: bool) -> Result<(), Failure> {
    let trip = async {
        saga("book the trip", async |saga| {
            saga.undo("free the seat", step("free-seat"));
            step("seat").await?;
            sleep(secs(5)).await;
            saga.undo("free the room", step("free-room"));
            step("room").await?;
            Ok(())
        })
        .await
    };
    match scoped {
        true => CancelScope::with_run().run(trip).await,
        false => until_done(trip).await,
    }
}

#[test]
fn a_saga_in_a_canceled_scope_undoes_wherever_it_stood() {
    let undone = |ended: &Ended| {
        let undone = ended.calls.iter().filter(|call| call.contains("free-"));
        undone.map(|call| call.split(' ').nth(3).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let stops: [(u64, &[&str]); 3] =
        [(1, &["free-seat"]), (4, &["free-seat"]), (8, &["free-room", "free-seat"])];
    for (at, expected) in stops {
        let env = || env(&[("seat", 2), ("free-seat", 1), ("room", 2), ("free-room", 1)]);
        let ended = env().signal(secs(at), "done", &0).run::<books>(&false);
        let failure = ended.result::<()>().unwrap_err();
        assert!(failure.is_canceled());
        assert_eq!(failure.to_string(), "book the trip: stopped", "at {at}");
        assert_eq!(undone(&ended), expected, "at {at}");
        assert_eq!(ended.elapsed, secs(at + expected.len() as u64), "each undoes in a second");
        let ended = env().cancel(secs(at), "enough").run::<books>(&true);
        assert!(ended.is_canceled(), "at {at}");
        assert_eq!(undone(&ended), expected, "at {at}");
    }
}

#[workflow]
async fn tasks_in_scopes() -> Result<(String, String), Failure> {
    until_done(async {
        let own = spawn(async { step("own").await });
        let scoped = spawn(CancelScope::new().run(async { step("scoped").await }));
        let (own, scoped) = shield(async { join!(own, scoped) }).await;
        Ok((own?, scoped.unwrap_err().to_string()))
    })
    .await
}

#[test]
fn a_task_is_in_the_scope_that_it_is_given_and_in_no_other() {
    let env = env(&[("own", 5), ("scoped", 5)]).signal(secs(1), "done", &0);
    let ended = env.run::<tasks_in_scopes>(&());
    let expected = ("own".to_owned(), "stopped".to_owned());
    assert_eq!(ended.result::<(String, String)>().unwrap(), expected);
}

#[workflow]
async fn escapes() -> Result<String, Failure> {
    let scope = CancelScope::new();
    let escaped =
        scope.run(async { Ok(activity::<String>("long", "long").start_to_close(TASK).start()) }).await?;
    scope.cancel("too late");
    escaped.await
}

#[test]
fn what_outlives_its_future_is_no_longer_the_scopes() {
    assert_eq!(env(&[("long", 3)]).run::<escapes>(&()).result::<String>().unwrap(), "long");
}
