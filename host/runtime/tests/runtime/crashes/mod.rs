//! The host stops at each of its writes, before and after it, and the next one brings the run to the same end.

mod between_runs;
mod copies;
mod updates;

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
use crate::large::{LimitedBatches, OPEN_ACTIVITIES, opens_more_than_a_batch};
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
    opens_more_than_a_batch(&world, 2);
    let limited = || Arc::new(LimitedBatches::new(Arc::clone(&world.store)));
    world
        .live_on(limited(), async |host| {
            host.start("large", "goes on").await;
            host.start("large", "is ended").await;
            host.pass(secs(20)).await;
            assert_eq!(host.describe("goes on").await.pending_activities.len(), OPEN_ACTIVITIES);
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
