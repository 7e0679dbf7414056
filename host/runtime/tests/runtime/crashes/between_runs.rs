//! Stops in the middle of what runs want from each other: it is done once.

use super::*;

#[test]
fn children_in_a_row_and_at_once() {
    fn workflows(world: &World) {
        family(world);
        nth_time_lucky(world);
        world.workflow("parent", |host, _| async move {
            let mut lucky = named("lucky", 2, "lucky");
            lucky.options.retry = retries(0);
            let mut sum = 0;
            for command in [named("mirror", 1, "row"), lucky, named("sleeper", 3, "sleeper")] {
                let Outcome::Completed(value) = run_child(&host, command).await? else { panic!("a value") };
                sum += text(&value).parse::<u32>().expect("a number");
            }
            let mut open = Vec::new();
            for n in 0..3 {
                open.push(host.child(child("mirror", n, |_| {}))?);
            }
            for (started, finished) in open {
                for op in [started, finished] {
                    assert!(matches!(outcome(&host, op).await?, Outcome::Completed(_)));
                }
            }
            completed(sum)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("parent", "p", "null").await?;
            let got = ended(&host, "p").await;
            // It ran once, whatever the host did meanwhile.
            if host.is_sound() {
                let row = host.describe("row").await;
                assert_eq!((row.journal_steps, row.continued_run_id), (1, None));
            }
            got
        })
    };
    sweep(workflows, client, 1, &json(103));
}

#[test]
fn children_that_are_canceled_and_that_end_with_their_parent() {
    use refrain_engine::child::{ChildCancellation, ParentClosePolicy};
    fn workflows(world: &World) {
        family(world);
        world.workflow("parent", |host, _| async move {
            let with = |id: &str, policy, cancellation| {
                let mut command = named("sleeper", 2, id);
                (command.options.parent_close, command.options.cancellation) = (policy, cancellation);
                command
            };
            use ChildCancellation::{Abandon, TryCancel, WaitForCancellation};
            let terminate = ParentClosePolicy::Terminate;
            let unstarted = host.child(with("unstarted", terminate, WaitForCancellation))?;
            host.cancel(unstarted.1, "enough")?;
            let waited = host.child(with("waited", terminate, WaitForCancellation))?;
            let tried = host.child(with("tried", terminate, TryCancel))?;
            for op in [unstarted.0, unstarted.1, waited.0] {
                outcome(&host, op).await?;
            }
            host.cancel(tried.1, "enough")?;
            host.cancel(waited.1, "enough")?;
            for op in [tried.1, waited.1] {
                assert!(matches!(outcome(&host, op).await?, Outcome::Failed(_)));
            }
            for (id, policy) in [
                ("terminated", terminate),
                ("canceled", ParentClosePolicy::RequestCancel),
                ("goes on", ParentClosePolicy::Abandon),
            ] {
                let (started, _) = host.child(with(id, policy, Abandon))?;
                outcome(&host, started).await?;
            }
            host.child(with("last", ParentClosePolicy::Abandon, TryCancel))?;
            completed(1)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("parent", "p", "null").await?;
            let got = ended(&host, "p").await?;
            host.pass(secs(1)).await;
            host.runtime.health();
            for (id, expected) in [
                ("waited", Err("the workflow was canceled")),
                ("terminated", Err("parent close policy")),
                ("canceled", Err("the workflow was canceled")),
                ("goes on", Ok(json(100))),
                ("last", Ok(json(100))),
            ] {
                match (ended(&host, id).await?, expected) {
                    (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{id}"),
                    (Err(failure), Err(expected)) => assert!(failure.contains(expected), "{id}: {failure}"),
                    (other, expected) => panic!("{id}: {other:?}, and not {expected:?}"),
                }
            }
            Ok(got)
        })
    };
    sweep(workflows, client, 1, &json(1));
}

#[test]
fn a_parent_that_is_terminated_and_a_child_in_the_way() {
    fn workflows(world: &World) {
        family(world);
        listener(world);
        world.workflow("parent", |host, _| async move {
            host.child(named("sleeper", 1, "sleeper"))?;
            let (_, refused) = host.child(named("mirror", 1, "l"))?;
            let Outcome::Failed(failure) = outcome(&host, refused).await? else { panic!("it is refused") };
            assert_eq!(failure.error_type, "already-exists");
            host.wait(Interest::Ops(vec![2])).await?;
            completed(1)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("listener", "l", "null").await?;
            host.try_start("parent", "p", "null").await?;
            host.pass(secs(1)).await;
            match host.terminate("p").await {
                Ok(()) | Err(Error::Closed { .. }) => {}
                Err(error) => return Err(error),
            }
            host.pass(secs(1)).await;
            match ended(&host, "sleeper").await? {
                Err(failure) => assert!(failure.contains("parent close policy"), "{failure}"),
                other => panic!("{other:?}"),
            }
            host.signal("l", "stop", "1", Some("stop")).await.or_else(|error| match error {
                Error::Closed { .. } => Ok(()),
                other => Err(other),
            })?;
            ended(&host, "l").await
        })
    };
    sweep(workflows, client, 1, &json("[]"));
}

#[test]
fn signals_and_cancel_requests_to_others() {
    fn workflows(world: &World) {
        family(world);
        listener(world);
        world.workflow("sender", |host, _| async move {
            for name in ["one", "two"] {
                let op = host.signal(current("l"), name, json(1))?;
                assert!(matches!(outcome(&host, op).await?, Outcome::Completed(_)));
            }
            let last = host.signal(current("other"), "stop", json(1))?;
            let told = outcome(&host, last).await?;
            assert!(matches!(told, Outcome::Completed(_)), "it was taken before its target ended: {told:?}");
            let nobody = host.signal(current("nobody"), "one", json(1))?;
            assert!(matches!(outcome(&host, nobody).await?, Outcome::Failed(_)));
            let asked = host.request_cancel(current("s"), "enough")?;
            outcome(&host, asked).await?;
            host.signal(current("l"), "three", json(1))?;
            host.signal(current("l"), "stop", json(1))?;
            completed(1)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("listener", "l", "null").await?;
            host.try_start("listener", "other", "null").await?;
            host.try_start("sleeper", "s", "1").await?;
            host.try_start("sender", "sender", "null").await?;
            match ended(&host, "s").await? {
                Err(failure) => assert!(failure.contains("canceled"), "{failure}"),
                other => panic!("{other:?}"),
            }
            ended(&host, "sender").await?.expect("it completes");
            ended(&host, "l").await
        })
    };
    sweep(workflows, client, 1, &json(r#"["one", "two", "three"]"#));
}
