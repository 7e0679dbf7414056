//! Workflows for load and for torture; `refrain bench` and the tests run them.

use std::cell::Cell;
use std::hint::black_box;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use refrain_sdk::{
    Activity, Failure, Query, Signal, activity, child, days, local_activity, millis, mins, now, sleep,
    try_join_all, workflow,
};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

mod actor;
mod calls;
mod chain;
mod desk;
mod family;
mod planned;
mod torment;

/// An activity that does nothing, as fast as the host can.
fn noop() -> Activity<IgnoredAny> {
    activity("bench.noop", &()).start_to_close(mins(1))
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    n: u32,
}

#[derive(Serialize, JsonSchema)]
struct Did {
    n: u32,
}

/// One activity.
#[workflow]
async fn bench_hello() -> Result<Did, Failure> {
    noop().await?;
    Ok(Did { n: 1 })
}

/// `n` activities, one after the other.
#[workflow]
async fn bench_sequence(input: Count) -> Result<Did, Failure> {
    for _ in 0..input.n {
        noop().await?;
    }
    Ok(Did { n: input.n })
}

/// `n` local activities, one after the other.
#[workflow]
async fn bench_local(input: Count) -> Result<Did, Failure> {
    for _ in 0..input.n {
        local_activity::<IgnoredAny>("bench.noop", &()).start_to_close(mins(1)).await?;
    }
    Ok(Did { n: input.n })
}

/// `n` activities at once.
#[workflow]
async fn bench_fan_out(input: Count) -> Result<Did, Failure> {
    try_join_all((0..input.n).map(|_| noop())).await?;
    Ok(Did { n: input.n })
}

#[derive(Deserialize, JsonSchema)]
struct Nap {
    /// How long to sleep, in milliseconds.
    ms: u64,
}

/// Sleeps.
#[workflow]
async fn bench_sleep(input: Nap) -> Result<Did, Failure> {
    sleep(millis(input.ms)).await;
    Ok(Did { n: 1 })
}

const TICK: Signal<()> = Signal::new("tick").doc("Counted.");

/// Waits for `n` signals.
#[workflow(signals(TICK))]
async fn bench_signal(input: Count) -> Result<Did, Failure> {
    for _ in 0..input.n {
        TICK.recv().await;
    }
    Ok(Did { n: input.n })
}

/// Waits for `n` children, all at once.
#[workflow]
async fn bench_children(input: Count) -> Result<Did, Failure> {
    try_join_all((0..input.n).map(|_| child::<IgnoredAny>("bench_child", &()))).await?;
    Ok(Did { n: input.n })
}

/// A child that has nothing to do.
#[workflow]
async fn bench_child() -> Result<Did, Failure> {
    Ok(Did { n: 0 })
}

/// Makes a journal of about `n` entries for a replay to read: timers of zero, and the waits for them.
#[workflow]
async fn bench_replay(input: Count) -> Result<Did, Failure> {
    for _ in 0..input.n / 2 {
        sleep(Duration::ZERO).await;
    }
    Ok(Did { n: input.n })
}

const MADE: Query<(), u32> = Query::new("made").doc("How much of the journal is made.");

/// Makes a journal like that of `bench_replay`, tells how far it is, and waits for a signal.
#[workflow(signals(TICK), queries(MADE))]
async fn bench_query(input: Count) -> Result<Did, Failure> {
    let made = Rc::new(Cell::new(0));
    MADE.handle({
        let made = made.clone();
        move |()| made.get()
    });
    while made.get() < input.n {
        sleep(Duration::ZERO).await;
        made.set(made.get() + 2);
    }
    TICK.recv().await;
    Ok(Did { n: made.get() })
}

/// Reads the clock `n` times, in one step: the price of a host call.
#[workflow]
async fn bench_reads(input: Count) -> Result<Did, Failure> {
    for _ in 0..input.n {
        black_box(now());
    }
    Ok(Did { n: input.n })
}

#[derive(Deserialize, JsonSchema)]
struct OpenOps {
    /// How many timers of a day are open.
    open: u32,
    /// How many waits are made meanwhile.
    waits: u32,
}

/// Waits again and again while many ops are open: a wait must cost the same for one as for a thousand.
#[workflow]
async fn bench_open_ops(input: OpenOps) -> Result<Did, Failure> {
    let open: Vec<_> = (0..input.open).map(|_| sleep(days(1))).collect();
    for _ in 0..input.waits {
        sleep(Duration::ZERO).await;
    }
    // Dropped timers are canceled one by one; these are the host's to end, with the run.
    mem::forget(open);
    Ok(Did { n: input.waits })
}

refrain_sdk::component!(
    bench_hello,
    bench_sequence,
    bench_local,
    bench_fan_out,
    bench_sleep,
    bench_signal,
    bench_children,
    bench_child,
    bench_replay,
    bench_query,
    bench_reads,
    bench_open_ops,
    actor::actor,
    calls::calls,
    chain::chain,
    desk::desk,
    family::family,
    planned::planned,
    torment::torment,
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use refrain_sdk::testing::{Ended, Env, UpdateStage};
    use refrain_sdk::{Workflow, secs};

    use super::*;

    fn run<W: Workflow>(input: &[(&str, u32)]) -> Ended {
        let input: BTreeMap<_, _> = input.iter().copied().collect();
        let env = (0..3).fold(Env::new(), |env, n| env.signal(secs(n), "tick", &()));
        let env = env.child("bench_child", |()| Ok(()));
        env.activity("bench.noop", |()| Ok(())).run::<W>(&input)
    }

    fn count(ended: &Ended, what: &str) -> usize {
        ended.calls.iter().filter(|call| call.contains(what)).count()
    }

    #[test]
    fn each_load_makes_the_calls_that_its_name_says() {
        let ended = run::<bench_sequence>(&[("n", 5)]);
        assert_eq!((count(&ended, "noop"), count(&ended, "wait")), (5, 5));
        let ended = run::<bench_local>(&[("n", 5)]);
        assert_eq!((count(&ended, "local activity bench.noop"), count(&ended, "wait")), (5, 5));
        let ended = run::<bench_fan_out>(&[("n", 5)]);
        assert_eq!((count(&ended, "noop"), count(&ended, "wait")), (5, 1));
        let ended = run::<bench_children>(&[("n", 5)]);
        assert_eq!((count(&ended, "child bench_child"), count(&ended, "wait")), (5, 1));
        assert_eq!(run::<bench_signal>(&[("n", 3)]).elapsed, secs(2));
        assert_eq!(run::<bench_sleep>(&[("ms", 5_000)]).elapsed, secs(5));
        assert_eq!(count(&run::<bench_replay>(&[("n", 10)]), "timer"), 5);
        let ended = run::<bench_query>(&[("n", 10)]);
        assert_eq!((count(&ended, "timer"), ended.elapsed), (5, secs(0)));
        let ended = run::<bench_open_ops>(&[("open", 10), ("waits", 4)]);
        assert_eq!((count(&ended, "timer"), count(&ended, "cancel")), (10 + 4, 0));
    }

    #[test]
    fn calls_tells_how_each_activity_ended() {
        let calls = [("double", 4), ("fail", 1)].map(
            |(name, input)| serde_json::json!({ "activity": name, "input": input, "maximum_attempts": 1 }),
        );
        let ended = Env::new()
            .activity("double", |n: u32| Ok(2 * n))
            .activity("fail", |_: u32| Err::<(), _>(Failure::typed("Odd", "one is odd")))
            .run::<calls::calls>(&serde_json::json!({ "calls": calls }));
        let outcomes: Vec<calls::Outcome> = ended.result().unwrap();
        assert_eq!(outcomes[0].result, Some(serde_json::json!(8)));
        let failed = outcomes[1].failure.as_ref().unwrap();
        assert_eq!((&*failed.kind, &*failed.error_type), ("application", "Odd"));
        assert_eq!(failed.messages, ["one is odd"]);
    }

    #[test]
    fn a_chain_goes_on_after_so_many_signals_and_notices_one_that_is_missing() {
        let chain = serde_json::json!({ "per_run": 2, "until": 9 });
        let add = |env: Env, number| {
            env.signal(secs(number), "add", &serde_json::json!({ "client": "a", "number": number }))
        };
        let next: chain::Chain = add(add(Env::new(), 1), 2).run::<chain::chain>(&chain).continued().unwrap();
        assert_eq!((next.runs, next.counted["a"]), (1, 2));
        let missing = add(add(Env::new(), 1), 3).run::<chain::chain>(&chain).result::<chain::Chain>();
        assert!(missing.unwrap_err().to_string().contains("`number` is 3, expected 2 from a"));
    }

    #[test]
    fn a_desk_answers_when_it_opens_those_that_it_let_in() {
        let ended = Env::new()
            .update(secs(1), "take", &"Ada")
            .update(secs(2), "take", &"")
            .signal(secs(3), "open", &())
            .run::<desk::desk>(&());
        assert_eq!(ended.update_result::<usize>(0).unwrap(), 1);
        assert_eq!(ended.update_stage(1), UpdateStage::Rejected);
        assert_eq!(ended.result::<Vec<String>>().unwrap(), ["Ada"]);
        assert_eq!(ended.elapsed, secs(3));
    }

    #[test]
    fn a_family_tells_how_each_child_ended() {
        let children = ["double", "fail"].map(|workflow| {
            serde_json::json!({ "workflow": workflow, "id": workflow, "input": 4, "signals": ["go"] })
        });
        let ended = Env::new()
            .child("double", |n: u32| Ok(2 * n))
            .child("fail", |_: u32| Err::<(), _>(Failure::typed("Odd", "four is odd")))
            .run::<family::family>(&serde_json::json!({ "children": children }));
        let outcomes: Vec<calls::Outcome> = ended.result().unwrap();
        assert_eq!(outcomes[0].result, Some(serde_json::json!(8)));
        assert_eq!(outcomes[1].failure.as_ref().unwrap().error_type, "Odd");
        assert_eq!(count(&ended, "= signal "), 2);
    }

    #[test]
    fn planned_does_as_its_plan_says() {
        let ended = Env::new().signal(secs(9), "tick", &()).run::<planned::planned>(
            &[("rounds", 3), ("every_ms", 10)].into_iter().collect::<BTreeMap<_, u32>>(),
        );
        assert_eq!((count(&ended, "timer"), ended.elapsed), (3, secs(9)));
    }

    #[test]
    fn torment_sees_the_same_in_two_runs() {
        let trace = || run::<torment::torment>(&[("rounds", 2)]).result::<torment::Trace>().unwrap();
        let (one, other) = (trace(), trace());
        let comparable = |trace: &torment::Trace| -> Vec<_> {
            // A native hash map is seeded by the machine, and native memory has no limit of the run's own.
            trace
                .rounds
                .iter()
                .map(|round| (round.floats.clone(), round.random, round.uuid.clone()))
                .collect()
        };
        assert_eq!(comparable(&one), comparable(&other));
        assert_ne!(one.rounds[0].uuid, one.rounds[1].uuid);
    }
}
