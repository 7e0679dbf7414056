//! The host stops at each of its writes, before and after it, and the next one brings the run to the same end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use refrain_engine::call::{Completion, Interest};
use refrain_engine::failure::Outcome;
use refrain_engine::ids::WorkflowId;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_plugin::ActivityError;
use refrain_runtime::{
    ActivityRef, Control, Error, ForkWorkflow, IdConflictPolicy, ListFilter, MoveTo, OnTrap, OptionsPatch,
    ResetWorkflow, RunResult, RunStatus, StartWorkflow, WaitStage,
};
use refrain_store::{Fault, FaultyStore};

use crate::basics::{countdown, fan_out, sequence};
use crate::children::{child, family, named, run_child};
use crate::clients::*;
use crate::external::current;
use crate::lifecycle::{attempt, hello, listener, nth_time_lucky, retries};
use crate::moves::try_move;
use crate::updates::{RUN_ENDED, counter, ends, send, told, with_update};
use crate::versions::{OTHER, try_push};
use crate::world::*;

/// What a client got in the end.
type Got = BoxFuture<'static, Result<Result<Payload, String>, Error>>;

/// What a client does, and does again with the next host where this one failed it.
type Client = fn(Host) -> Got;

/// A client that remembers from host to host what it has done.
type Lasting = Box<dyn Fn(Host) -> Got>;

/// How a workflow ended, as a client of a host that may fail sees it.
async fn ended(host: &Host, id: &str) -> Result<Result<Payload, String>, Error> {
    match host.runtime.result(&host.namespace, &target(id), A_DAY).await? {
        RunResult::Closed { outcome, .. } => Ok(outcome.map_err(|failure| failure.to_string())),
        RunResult::Running { .. } if host.is_sound() => panic!("{id} hangs: {:#?}", host.describe(id).await),
        RunResult::Running { .. } => Err(Error::ShuttingDown),
    }
}

/// Sweeps the writes of a scenario, each `stride`-th of them.
fn sweep(workflows: fn(&World), client: Client, stride: usize, expected: &Payload) {
    sweep_with(workflows, &|_| Box::new(client), stride, expected);
}

/// As [`sweep`], with clients that remember.
fn sweep_with(workflows: fn(&World), clients: &dyn Fn(&World) -> Lasting, stride: usize, expected: &Payload) {
    let writes = {
        let world = World::new();
        workflows(&world);
        let client = clients(&world);
        let store = Arc::new(FaultyStore::new(Arc::clone(&world.store)));
        let counted = Arc::clone(&store);
        let got = world.live_on(store, async |host| {
            let got = client(host.clone()).await;
            host.check_quiet().await;
            got
        });
        assert_eq!(got.unwrap().unwrap().as_ref(), Ok(expected), "without a crash");
        world.check_rest();
        counted.writes()
    };
    for write in (1..=writes).step_by(stride) {
        for fault in [Fault::StopBefore(write), Fault::StopAfter(write)] {
            let world = World::new();
            workflows(&world);
            let client = clients(&world);
            let store = Arc::new(FaultyStore::with_fault(Arc::clone(&world.store), fault.clone()));
            let first = world.live_on(store, async |host| client(host).await).and_then(|got| got);
            let recorded = world.recorded();
            let got = world.live(async |host| {
                let got = client(host.clone()).await;
                host.check_quiet().await;
                got
            });
            assert_eq!(got.unwrap().as_ref(), Ok(expected), "{fault:?}, and the first host said {first:?}");
            let now = world.recorded();
            for (activity, count) in recorded {
                assert_eq!(
                    now.get(&activity),
                    Some(&count),
                    "{fault:?}: {activity} ran again after its record"
                );
            }
            world.check_rest();
        }
    }
}

#[test]
fn activities_in_a_row() {
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("sequence", "s", "null").await?;
            ended(&host, "s").await
        })
    };
    sweep(sequence, client, 1, &json(10));
}

#[test]
fn a_hundred_activities_at_once() {
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("fan-out", "f", "null").await?;
            ended(&host, "f").await
        })
    };
    sweep(fan_out, client, 1, &json(4950));
}

#[test]
fn timers() {
    fn workflows(world: &World) {
        world.workflow("timers", |host, _| async move {
            let (short, long) = (host.timer(secs(10))?, host.timer(secs(3_600))?);
            outcome(&host, short).await?;
            let other = host.timer(secs(100))?;
            host.cancel(long, "too long")?;
            outcome(&host, long).await?;
            outcome(&host, other).await?;
            host.timer(secs(1_000_000))?;
            completed(3)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("timers", "t", "null").await?;
            ended(&host, "t").await
        })
    };
    sweep(workflows, client, 1, &json(3));
}

#[test]
fn signals() {
    fn workflows(world: &World) {
        world.workflow("signals", |host, _| async move {
            let mut got = Vec::new();
            while got.len() < 3 {
                for event in host.wait(Interest::Everything).await? {
                    let Event::Signal { input, .. } = event else { panic!("a signal, and not {event:?}") };
                    got.push(text(&input));
                }
            }
            completed(format!("{got:?}").replace('"', ""))
        });
    }
    // The same request is sent again when its answer was lost: it must neither be lost nor come twice.
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("signals", "s", "null").await?;
            for n in ["1", "2", "3"] {
                match host.signal("s", "number", n, Some(n)).await {
                    Ok(()) | Err(Error::Closed { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            ended(&host, "s").await
        })
    };
    sweep(workflows, client, 1, &json("[1, 2, 3]"));
}

#[test]
fn canceled_detached_and_retried_activities() {
    fn workflows(world: &World) {
        world.workflow("cancels", |host, _| async move {
            let hanging = host.activity(activity("hang", 1))?;
            let waited = host.activity(with("hang", 2, |options| {
                options.cancellation = refrain_engine::call::Cancellation::WaitForCancellation;
            }))?;
            let detached = host.activity(activity("hang", 3))?;
            let retried = host.activity(activity("flaky", 2))?;
            outcome(&host, retried).await?;
            host.detach(detached)?;
            host.cancel(hanging, "enough")?;
            host.cancel(waited, "enough")?;
            for op in [hanging, waited] {
                assert!(matches!(outcome(&host, op).await?, Outcome::Failed(_)));
            }
            completed(2)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("cancels", "c", "null").await?;
            ended(&host, "c").await
        })
    };
    sweep(workflows, client, 1, &json(2));
}

#[test]
fn continuing_as_new() {
    fn workflows(world: &World) {
        countdown(world);
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("countdown", "c", "2").await?;
            // Two requests, each of which the runs of the execution see at least once.
            for n in ["one", "two"] {
                match host.signal("c", n, "0", Some(n)).await {
                    Ok(()) | Err(Error::Closed { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            ended(&host, "c").await
        })
    };
    sweep(workflows, client, 1, &json(2));
}

#[test]
fn a_failing_and_a_canceled_run() {
    fn workflows(world: &World) {
        world.workflow("cleanup", |host, _| async move {
            let work = host.activity(activity("hang", 1))?;
            let event = host.wait(Interest::OpsAndMessages(vec![work])).await?.remove(0);
            assert!(matches!(event, Event::CancelRequested { .. }), "{event:?}");
            host.cancel(work, "canceled")?;
            outcome(&host, work).await?;
            assert_eq!(run(&host, activity("echo", 5)).await?, Ok(json(5)));
            Ok(Completion::Completed(json(5)))
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("cleanup", "c", "null").await?;
            match host.cancel("c").await {
                Ok(()) | Err(Error::Closed { .. }) => {}
                Err(error) => return Err(error),
            }
            ended(&host, "c").await
        })
    };
    sweep(workflows, client, 1, &json(5));
}

/// An activity that fails once, and then answers its input: however many attempts a crash adds.
fn second_time(world: &World) {
    world.activity("second time", |context, input| async move {
        if context.attempt() == 1 { Err(ActivityError::new("Busy", "not now")) } else { Ok(input) }
    });
}

#[test]
fn local_activities() {
    fn workflows(world: &World) {
        second_time(world);
        world.workflow("local", |host, _| async move {
            let mut sum = 0;
            for (name, input, is_local) in [
                ("echo", 1, true),
                ("echo", 2, true),
                ("echo", 3, false),
                ("second time", 2, true),
                ("echo", 4, true),
            ] {
                let beside = host.activity(with("echo", 7, |options| options.local = true))?;
                let command = with(name, input, |options| options.local = is_local);
                let value = run(&host, command).await?.expect("a result");
                sum += text(&value).parse::<u32>().expect("a number");
                outcome(&host, beside).await?;
            }
            completed(sum)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("local", "l", "null").await?;
            ended(&host, "l").await
        })
    };
    sweep(workflows, client, 1, &json(12));
}

#[test]
fn activities_of_a_worker() {
    fn workflows(world: &World) {
        world.workflow("remote", |host, _| async move {
            let mut sum = 0;
            for n in 1..=3 {
                let command = with(REMOTE, n, |options| options.heartbeat = Some(secs(10)));
                let value = run(&host, command).await?.expect("a result");
                sum += text(&value).parse::<u32>().expect("a number");
            }
            completed(sum)
        });
    }
    let clients = |world: &World| -> Lasting {
        let worker = Arc::new(Worker::new(world));
        Box::new(move |host| {
            let worker = Arc::clone(&worker);
            Box::pin(async move {
                host.try_start("remote", "r", "null").await?;
                tokio::select! {
                    got = ended(&host, "r") => got,
                    failed = worker.work(&host) => Err(failed),
                }
            })
        })
    };
    sweep_with(workflows, &clients, 1, &json(6));
}

#[test]
fn pending_attempts_that_are_completed_by_their_tokens() {
    type Tokens = Arc<Mutex<Vec<String>>>;
    fn workflows(world: &World) {
        world.workflow("asks", |host, _| async move {
            let mut sum = 0;
            for n in 1..=2 {
                let value = run(&host, activity("ask", n)).await?.expect("a result");
                sum += text(&value).parse::<u32>().expect("a number");
            }
            completed(sum)
        });
    }
    /// Completes each attempt of which it has a token, until the host has said what became of that.
    async fn answer(host: &Host, tokens: &Tokens, answered: &Mutex<usize>) -> Error {
        loop {
            let next = *answered.lock().unwrap();
            let token = tokens.lock().unwrap().get(next).cloned();
            if let Some(token) = token {
                match host.report(&ActivityRef::Token(token), done(21)).await {
                    Ok(()) | Err(Error::Stale { .. }) => *answered.lock().unwrap() += 1,
                    Err(error) => return error,
                }
            }
            host.pass(secs(1)).await;
        }
    }
    let clients = |world: &World| -> Lasting {
        let tokens = Tokens::default();
        let (handed, answered) = (Arc::clone(&tokens), Arc::new(Mutex::new(0)));
        world.activity("ask", move |context, _| {
            handed.lock().unwrap().push(context.task_token().to_owned());
            async { Err(ActivityError::pending()) }
        });
        Box::new(move |host| {
            let (tokens, answered) = (Arc::clone(&tokens), Arc::clone(&answered));
            Box::pin(async move {
                host.try_start("asks", "a", "null").await?;
                tokio::select! {
                    got = ended(&host, "a") => got,
                    failed = answer(&host, &tokens, &answered) => Err(failed),
                }
            })
        })
    };
    sweep_with(workflows, &clients, 1, &json(42));
}

#[test]
fn controls() {
    fn workflows(world: &World) {
        second_time(world);
        one(world, "second time", |options| {
            options.retry.initial_interval = secs(1_000);
            options.retry.maximum_interval = Some(secs(1_000));
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("one", "c", "2").await?;
            let minute = OptionsPatch { start_to_close: Some(Some(secs(60))), ..OptionsPatch::default() };
            for control in [pause(), Control::UpdateOptions(Box::new(minute)), unpause()] {
                host.pass(Duration::from_millis(100)).await;
                match host.control("c", control).await {
                    Ok(()) | Err(Error::Stale { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            ended(&host, "c").await
        })
    };
    sweep(workflows, client, 1, &json(2));
}

#[test]
fn a_start_delay_and_the_attempts_of_a_workflow() {
    let client: Client = |host| {
        Box::pin(async move {
            let change = |start: &mut StartWorkflow| {
                (start.input, start.retry) = (json(3), retries(0));
                (start.start_delay, start.run_timeout) = (secs(100), Some(secs(1_000)));
                start.request_id = Some("lucky".to_owned());
            };
            host.start_with("lucky", "l", change).await?;
            match host.signal("l", "unheard", "0", Some("one")).await {
                Ok(()) | Err(Error::Closed { .. }) => {}
                Err(error) => return Err(error),
            }
            ended(&host, "l").await
        })
    };
    sweep(nth_time_lucky, client, 1, &json(3));
}

#[test]
fn timeouts_of_a_run_and_of_its_execution() {
    fn workflows(world: &World) {
        world.workflow("stuck", |host, input| async move {
            if attempt(&host) == 2 && text(&input) == "1" {
                return completed(2);
            }
            host.activity(activity("hang", 1))?;
            let timer = host.timer(secs(100_000))?;
            outcome(&host, timer).await?;
            completed(1)
        });
    }
    let client: Client = |host| {
        Box::pin(async move {
            for input in [1, 2] {
                let change = |start: &mut StartWorkflow| {
                    (start.input, start.retry) = (json(input), retries(0));
                    (start.run_timeout, start.execution_timeout) = (Some(secs(60)), Some(secs(200)));
                    start.request_id = Some("stuck".to_owned());
                };
                host.start_with("stuck", &format!("stuck {input}"), change).await?;
            }
            match ended(&host, "stuck 2").await? {
                Err(failure) if failure.contains("execution timeout") => ended(&host, "stuck 1").await,
                other => panic!("{other:?}"),
            }
        })
    };
    sweep(workflows, client, 1, &json(2));
}

#[test]
fn a_start_that_takes_the_place_of_a_run() {
    let client: Client = |host| {
        Box::pin(async move {
            let first = |start: &mut StartWorkflow| start.request_id = Some("first".to_owned());
            match host.start_with("listener", "l", first).await {
                Ok(_) | Err(Error::AlreadyRunning { .. }) => {}
                Err(error) => return Err(error),
            }
            let second = |start: &mut StartWorkflow| {
                start.request_id = Some("second".to_owned());
                start.id_conflict_policy = Some(IdConflictPolicy::TerminateExisting);
                start.signal = hello("stop");
            };
            host.start_with("listener", "l", second).await?;
            ended(&host, "l").await
        })
    };
    sweep(listener, client, 1, &json("[]"));
}

#[test]
fn signals_with_starts() {
    let client: Client = |host| {
        Box::pin(async move {
            for name in ["one", "two", "stop"] {
                let change = |start: &mut StartWorkflow| {
                    (start.signal, start.request_id) = (hello(name), Some(name.to_owned()));
                };
                host.start_with("listener", "l", change).await?;
            }
            ended(&host, "l").await
        })
    };
    sweep(listener, client, 1, &json(r#"["one", "two"]"#));
}

/// What became of an update, as a client of a host that may fail sees it.
async fn answer_to(host: &Host, id: &str, update_id: &str) -> Result<String, Error> {
    let progress = host.update_progress(id, update_id, WaitStage::Completed, A_DAY).await?;
    assert!(progress.reached || !host.is_sound(), "{update_id} hangs: {progress:?}");
    if progress.reached { Ok(told(&progress)) } else { Err(Error::ShuttingDown) }
}

#[test]
fn updates() {
    let clients = |_: &World| -> Lasting {
        let heard = Arc::new(Mutex::new(BTreeMap::new()));
        Box::new(move |host| {
            let heard = Arc::clone(&heard);
            Box::pin(async move {
                host.try_start("counter", "c", "0").await?;
                let updates = [("a", "add", 1), ("r", "refuse", 0), ("i", "ignored", 0), ("l", "later", 50)];
                for (id, name, input) in updates.into_iter().chain([("b", "add", 2), ("f", "fail", 0)]) {
                    host.update("c", send(id, name, input)).await?;
                    let admitted = host.update_progress("c", id, WaitStage::Admitted, A_DAY).await?;
                    assert!(admitted.reached, "what was acknowledged is there");
                }
                for id in ["a", "r", "i", "l", "b", "f"] {
                    let answer = answer_to(&host, "c", id).await?;
                    let before = heard.lock().unwrap().insert(id, answer.clone());
                    assert!(before.is_none_or(|before| before == answer), "{id} has another answer now");
                }
                host.update("c", send("end", "end", 0)).await?;
                assert_eq!(answer_to(&host, "c", "end").await?, "3");
                ended(&host, "c").await
            })
        })
    };
    sweep_with(counter, &clients, 1, &json(3));
}

#[test]
fn updates_to_runs_that_are_continued() {
    fn workflows(world: &World) {
        ends(world, OnTrap::Park);
    }
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("ends", "e", r#""renew""#).await?;
            for id in ["accepted", "admitted"] {
                host.update("e", send(id, "u", 0)).await?;
                host.settle().await;
            }
            for (id, how) in [("accepted", "continued-as-new"), ("admitted", "completed")] {
                let answer = answer_to(&host, "e", id).await?;
                assert_eq!(answer, format!("{RUN_ENDED} ({how}) before the update was completed"), "{id}");
            }
            ended(&host, "e").await
        })
    };
    sweep(workflows, client, 1, &json(0));
}

#[test]
fn updates_with_starts() {
    let client: Client = |host| {
        Box::pin(async move {
            for (id, name) in [("one", "add"), ("two", "add"), ("end", "end")] {
                host.start_with("counter", "c", with_update(send(id, name, 2))).await?;
                answer_to(&host, "c", id).await?;
            }
            ended(&host, "c").await
        })
    };
    sweep(counter, client, 1, &json(4));
}

#[test]
fn a_delete_that_stops_in_the_middle() {
    let client: Client = |host| {
        Box::pin(async move {
            let change = |start: &mut StartWorkflow| {
                (start.input, start.retry) = (json(2), retries(0));
                start.request_id = Some("lucky".to_owned());
            };
            host.start_with("lucky", "l", change).await?;
            let got = ended(&host, "l").await?;
            match host.delete("l").await {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            let left = host.runtime.describe(&host.namespace, &target("l")).await;
            assert!(matches!(left, Err(Error::NotFound { .. } | Error::ShuttingDown)), "{left:?}");
            Ok(got)
        })
    };
    sweep(nth_time_lucky, client, 1, &json(2));
}

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
fn pausing_and_unpausing() {
    let client: Client = |host| {
        Box::pin(async move {
            host.try_start("countdown", "c", "1").await?;
            for pauses in [true, false] {
                let told = if pauses { host.pause("c").await } else { host.unpause("c").await };
                match told {
                    Ok(()) | Err(Error::Closed { .. }) => {}
                    Err(error) => return Err(error),
                }
                match host.signal("c", "go", "0", Some(if pauses { "one" } else { "two" })).await {
                    Ok(()) | Err(Error::Closed { .. }) => {}
                    Err(error) => return Err(error),
                }
                host.pass(secs(15)).await;
            }
            ended(&host, "c").await
        })
    };
    sweep(countdown, client, 1, &json(2));
}

#[test]
fn many_large_attempts_that_end_with_their_host_go_on_in_the_next() {
    let world = World::new();
    world.workflow("large", |host, _| async move {
        let large = format!("{:?}", "x".repeat(1_400_000));
        let mut open = Vec::new();
        for _ in 0..7 {
            for _ in 0..2 {
                open.push(host.activity(activity("gate", &large))?);
            }
            let pause = host.timer(secs(1))?;
            outcome(&host, pause).await?;
        }
        for op in open {
            outcome(&host, op).await?;
        }
        completed("null")
    });
    let limited = || Arc::new(LimitedBatches::new(Arc::clone(&world.store)));
    world
        .live_on(limited(), async |host| {
            host.start("large", "goes on").await;
            host.start("large", "is ended").await;
            host.pass(secs(20)).await;
            assert_eq!(host.describe("goes on").await.pending_activities.len(), 14);
        })
        .unwrap();
    world
        .live_on(limited(), async |host| {
            host.terminate("is ended").await.unwrap();
            world.gate.add_permits(1_000);
            host.value("goes on").await;
        })
        .unwrap();
    world.check_rest();
}

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
