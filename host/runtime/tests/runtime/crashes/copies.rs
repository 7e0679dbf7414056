//! Stops in the middle of resets, forks and moves: all of it has happened, or nothing.

use super::*;

/// Waits for three signals, with a large value that an activity has answered after each.
fn hoarder(world: &World) {
    world.workflow("hoarder", |host, _| async move {
        for n in 1..=3 {
            let signals = host.wait(Interest::Everything).await?;
            assert_eq!(signals.len(), 1, "one at a time");
            let large = format!("{:?}", "x".repeat(1_500_000));
            run(&host, activity("echo", large)).await?.expect("a result");
            if n == 3 {
                break;
            }
        }
        completed(3)
    });
}

/// Sends the rest of the signals, one after the other has been taken.
async fn feed(host: &Host, from: u32) -> Result<(), Error> {
    for n in from..=3 {
        match host.signal("h", "go", "1", Some(&format!("signal {n}"))).await {
            Ok(()) | Err(Error::Closed { .. }) => {}
            Err(error) => return Err(error),
        }
        host.pass(secs(1)).await;
    }
    Ok(())
}

#[test]
fn a_reset_of_a_journal_that_is_larger_than_a_piece() {
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("hoarder", "h", "null").await?;
            feed(&host, 1).await?;
            assert_eq!(ended(&host, "h").await?, Ok(json(3)));
            // The second activity's end is kept, and the third signal comes again.
            let to = ResetWorkflow { request_id: Some("reset".to_owned()), ..crate::resets::to(7) };
            let reset = host.reset("h", to.clone()).await?;
            assert_eq!(host.reset("h", to).await?, reset, "the same one");
            let got = ended(&host, "h").await?;
            let runs = host.runtime.list(&host.namespace, &ListFilter::default(), 100, None)?.items;
            assert_eq!(runs.len(), 2, "the old run and the new one: {runs:?}");
            assert_eq!(host.describe("h").await.summary.run_id, reset.run_id);
            Ok(got)
        })
    };
    sweep(hoarder, client, 1, &json(3));
}

#[test]
fn a_reset_of_an_open_run() {
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("hoarder", "h", "null").await?;
            feed(&host, 3).await?;
            let to = ResetWorkflow { request_id: Some("reset".to_owned()), ..crate::resets::to(3) };
            let reset = host.reset("h", to).await?;
            for n in 1..=2 {
                match host.signal("h", "go", "1", Some(&format!("signal {n}"))).await {
                    Ok(()) | Err(Error::Closed { .. }) => {}
                    Err(error) => return Err(error),
                }
                host.pass(secs(1)).await;
            }
            let got = ended(&host, "h").await?;
            let runs = host.runtime.list(&host.namespace, &ListFilter::default(), 100, None)?.items;
            let status =
                |run| runs.iter().find(|summary| summary.run_id == run).map(|summary| summary.status);
            assert_eq!(runs.len(), 2, "{runs:?}");
            assert_eq!(status(reset.run_id), Some(RunStatus::Completed));
            Ok(got)
        })
    };
    sweep(hoarder, client, 1, &json(3));
}

#[test]
fn a_fork_that_stops_in_the_middle() {
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("hoarder", "h", "null").await?;
            feed(&host, 1).await?;
            assert_eq!(ended(&host, "h").await?, Ok(json(3)));
            let fork = ForkWorkflow {
                id: Some(WorkflowId::new("fork").unwrap()),
                event: Some(7),
                ..ForkWorkflow::default()
            };
            // Another one of the id follows it: a client that did not hear an answer looks first.
            match host.runtime.describe(&host.namespace, &target("fork")).await {
                Ok(_) => {}
                Err(Error::NotFound { .. }) => {
                    drop(host.runtime.fork(&host.namespace, &target("h"), fork).await?);
                }
                Err(error) => return Err(error),
            }
            let got = ended(&host, "fork").await?;
            let runs = host.runtime.list(&host.namespace, &ListFilter::default(), 100, None)?.items;
            assert_eq!(runs.len(), 2, "{runs:?}");
            Ok(got)
        })
    };
    sweep(hoarder, client, 1, &json(3));
}

#[test]
fn moves_to_other_code() {
    fn workflows(world: &World) {
        for (digest, addend) in [(CODE, 0), (OTHER, 10)] {
            world.guests.add(digest, "moved", move |host, _| async move {
                host.activity(activity("echo", 1))?;
                host.timer(secs(5))?;
                let mut signals = 0;
                while signals < 2 {
                    for event in host.wait(Interest::Everything).await? {
                        signals += u32::from(matches!(event, Event::Signal { .. }));
                    }
                }
                completed(signals + addend)
            });
        }
        world.define("moved", OnTrap::Park);
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.start_with("moved", "m", |start| {
                (start.component, start.version) = (Some("test".to_owned()), Some(1));
                start.request_id = Some("m".to_owned());
            })
            .await?;
            try_push(&host, OTHER, &["moved"]).await?;
            let signal = async |name: &str| match host.signal("m", name, "0", Some(name)).await {
                Ok(()) | Err(Error::Closed { .. }) => Ok(()),
                Err(error) => Err(error),
            };
            for version in [2, 1, 2] {
                match try_move(&host, "m", MoveTo::Version(version)).await {
                    Ok(_) | Err(Error::Closed { .. }) => {}
                    Err(error) => return Err(error),
                }
                if version == 2 {
                    host.pass(secs(1)).await;
                }
            }
            signal("one").await?;
            signal("two").await?;
            ended(&host, "m").await
        })
    };
    sweep(workflows, client, 1, &json(12));
}
