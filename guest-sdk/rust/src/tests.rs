//! Workflows against the scripted host: what is called in which order, and what comes out.

mod children;
mod messages;
mod scopes;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;

use crate::bindings::refrain::workflow::types::Completion;
use crate::testing::Env;
use crate::*;

const TASK: std::time::Duration = secs(10);

fn step(name: &str) -> Activity<String> {
    activity(name, name).start_to_close(TASK)
}

fn echo(env: Env, name: &str, after: u64) -> Env {
    env.slow_activity(name, secs(after), |input: String| Ok(input))
}

#[workflow]
async fn started_out_of_order() -> Result<String, Failure> {
    let later = step("b");
    let first = step("a").start();
    let (b, c) = join!(later, step("c"));
    Ok(first.await? + &b? + &c?)
}

#[test]
fn activities_start_when_started_awaited_or_combined_and_never_by_a_poll() {
    let env = ["a", "b", "c"].into_iter().fold(Env::new(), |env, name| echo(env, name, 1));
    let ended = env.run::<started_out_of_order>(&());
    assert_eq!(ended.result::<String>().unwrap(), "abc");
    let calls = ["1 = activity a \"a\"", "2 = activity b \"b\"", "3 = activity c \"c\"", "wait"];
    assert_eq!(ended.calls, calls);
}

#[workflow]
async fn routed() -> Result<String, Failure> {
    let near: String = local_activity("look-up", "m").start_to_close(TASK).await?;
    step(&near).task_queue("gpu").priority(1).fairness("tenant-7").fairness_weight(2.0).await
}

#[test]
fn calls_tell_local_activities_and_whose_turn_an_activity_takes() {
    let env = Env::new().activity("look-up", |model: String| Ok(format!("train-{model}")));
    let ended = echo(env, "train-m", 1).run::<routed>(&());
    assert_eq!(ended.result::<String>().unwrap(), "train-m");
    let local = r#"1 = local activity look-up "m""#;
    let train = r#"2 = activity train-m "train-m" task-queue="gpu" priority=1 fairness-key="tenant-7" fairness-weight=2.0"#;
    assert_eq!(ended.calls, [local, "wait", train, "wait"]);
}

#[workflow]
async fn five_by_two() -> Result<Vec<String>, Failure> {
    try_join_bounded(2, ["3", "1", "1", "1", "2"].map(step)).await
}

#[test]
fn a_bounded_fan_out_starts_the_next_when_one_ends_and_keeps_the_order_of_its_inputs() {
    let env = [1, 2, 3].into_iter().fold(Env::new(), |env, secs| echo(env, &secs.to_string(), secs));
    let ended = env.run::<five_by_two>(&());
    assert_eq!(ended.result::<Vec<String>>().unwrap(), ["3", "1", "1", "1", "2"]);
    assert_eq!(ended.elapsed, secs(5), "3 beside 1 + 1 + 1, then 2");
    assert_eq!(ended.calls[..3], ["1 = activity 3 \"3\"", "2 = activity 1 \"1\"", "wait"]);
}

#[workflow]
async fn fails_fast() -> Result<Vec<String>, Failure> {
    try_join_all(["1", "broken", "3"].map(step)).await
}

#[test]
fn the_first_error_detaches_what_still_runs() {
    let env = echo(echo(Env::new(), "1", 1), "3", 3);
    let env = env.slow_activity("broken", secs(2), |_: String| Err::<(), _>(Failure::typed("Torn", "torn")));
    let ended = env.run::<fails_fast>(&());
    assert_eq!(ended.result::<()>().unwrap_err().error_type(), "Torn");
    assert_eq!(ended.elapsed, secs(2));
    assert_eq!(ended.calls.last().unwrap(), "detach 3");
}

const DONE: Signal<u32> = Signal::new("done").doc("It is done.");

#[workflow(signals(DONE))]
async fn done_or_late(limit: u64) -> Result<Option<u32>, Failure> {
    Ok(select! {
        _ = sleep(secs(limit)) => None,
        n = DONE.recv() => Some(n),
    })
}

#[test]
fn select_takes_what_happened_first() {
    for (limit, expected, last) in [(4, None, "wait"), (5, Some(7), "wait"), (6, Some(7), "detach 1")] {
        // At 5 one wait brings both, the signal first as it was sent before the timer was started.
        let ended = Env::new().signal(secs(5), "done", &7).run::<done_or_late>(&limit);
        assert_eq!(ended.result::<Option<u32>>().unwrap(), expected, "{limit}");
        assert_eq!(ended.calls.last().unwrap(), last, "{limit}");
    }
}

#[test]
fn a_timer_that_lost_is_canceled_and_detached() {
    let ended = Env::new().signal(secs(1), "done", &7).run::<done_or_late>(&60);
    assert_eq!(ended.calls, ["1 = timer 60s", "wait", "cancel 1", "detach 1"]);
}

#[test]
fn a_signal_that_does_not_fit_is_passed_over() {
    let ended = Env::new().signal(secs(1), "done", &"no number").signal(secs(2), "done", &7);
    let ended = ended.run::<done_or_late>(&60);
    assert_eq!(ended.result::<Option<u32>>().unwrap(), Some(7));
    assert!(ended.log[0].starts_with("ERROR signal passed over: invalid type"), "{}", ended.log[0]);
}

#[workflow]
async fn counts_until_stopped() -> Result<Vec<u32>, Failure> {
    sleep(secs(10)).await;
    let mut got = Vec::new();
    while let Some(n) = DONE.try_recv() {
        got.push(n);
    }
    got.push(DONE.recv().await);
    Ok(got)
}

#[test]
fn signals_wait_for_their_reader_in_order_and_unread_ones_are_warned_of() {
    let at = [(1, 1), (2, 2), (20, 3), (20, 4)];
    let env = at.iter().fold(Env::new(), |env, (at, n)| env.signal(secs(*at), "done", n));
    let ended = env.run::<counts_until_stopped>(&());
    assert_eq!(ended.result::<Vec<u32>>().unwrap(), [1, 2, 3]);
    assert_eq!(ended.log, ["WARN ended with unread signals signal=done count=1"]);
}

#[workflow]
async fn two_readers() -> Result<(u32, u32), Failure> {
    let (a, b) = (spawn(async { DONE.recv().await }), spawn(async { DONE.recv().await }));
    Ok(join!(a, b))
}

#[test]
fn who_waited_first_gets_the_first_signal() {
    let ended = Env::new().signal(secs(1), "done", &1).signal(secs(1), "done", &2).run::<two_readers>(&());
    assert_eq!(ended.result::<(u32, u32)>().unwrap(), (1, 2));
}

#[workflow]
async fn impatient() -> Result<String, Failure> {
    let mut slow = step("slow").start();
    match timeout(secs(2), &mut slow).await {
        Ok(output) => output,
        Err(elapsed) => {
            slow.cancel("too slow");
            let failure = slow.await.unwrap_err();
            assert!(failure.is_canceled());
            Err(failure.context(elapsed.to_string()))
        }
    }
}

#[test]
fn a_timeout_leaves_what_it_borrowed_to_be_canceled() {
    let ended = echo(Env::new(), "slow", 5).run::<impatient>(&());
    assert_eq!(ended.result::<String>().unwrap_err().to_string(), "nothing came within 2s: too slow");
    let calls =
        ["1 = activity slow \"slow\"", "2 = timer 2s", "wait", "cancel 1", "wait", "cancel 2", "detach 2"];
    assert_eq!(ended.calls[..4], calls[..4]);
    let ended = echo(Env::new(), "slow", 1).run::<impatient>(&());
    assert_eq!(ended.result::<String>().unwrap(), "slow");
}

#[workflow]
async fn trip(fail_at: String) -> Result<(), Failure> {
    saga("book the trip", async |saga| {
        for name in ["seat", "room", "car"] {
            saga.undo(format!("free the {name}"), step(&format!("free-{name}")));
            let book = activity::<()>("book", &(name, name == fail_at)).start_to_close(TASK);
            book.await.with_context(|| format!("book the {name}"))?;
        }
        Ok(())
    })
    .await
}

fn travel_agency() -> Env {
    let env = Env::new().activity(
        "book",
        |(_, fails): (String, bool)| {
            if fails { Err(Failure::new("none left")) } else { Ok(()) }
        },
    );
    let env = env.activity("free-room", |_: String| Err::<(), _>(Failure::new("the phone is busy")));
    echo(echo(env, "free-seat", 0), "free-car", 0)
}

#[test]
fn a_saga_undoes_in_reverse_order_and_says_what_became_of_it() {
    let ended = travel_agency().run::<trip>(&"car");
    let failure = ended.result::<()>().unwrap_err();
    let whole = "book the trip (1 of 3 compensations failed: free the room): book the car: none left";
    assert_eq!(failure.to_string(), whole);
    let undone = |undo: &str, failure: Option<&str>| Compensated {
        undo: undo.to_owned(),
        failure: failure.map(str::to_owned),
    };
    let room = undone("free the room", Some("the phone is busy"));
    let compensations = failure.details::<Compensations>().unwrap();
    assert_eq!(compensations.failed().collect::<Vec<_>>(), [&room]);
    assert_eq!(
        compensations.compensations,
        [undone("free the car", None), room.clone(), undone("free the seat", None)],
    );
}

#[workflow]
async fn undoes(names: Vec<String>) -> Result<(), Failure> {
    saga("work", async |saga| {
        for name in names {
            saga.undo(name, async { Err::<(), _>(Failure::new("stuck")) });
        }
        bail!("broken")
    })
    .await
}

#[test]
fn a_message_names_the_first_compensations_that_failed() {
    for (names, expected) in [
        ("a", "work (1 of 1 compensations failed: a): broken"),
        ("e d c b a", "work (5 of 5 compensations failed: a, b, c, d, e): broken"),
        ("f e d c b a", "work (6 of 6 compensations failed: a, b, c, d, e, ...): broken"),
    ] {
        let names: Vec<_> = names.split(' ').collect();
        let failure = Env::new().run::<undoes>(&names).result::<()>().unwrap_err();
        assert_eq!(failure.to_string(), expected);
        assert_eq!(failure.details::<Compensations>().unwrap().failed().count(), names.len());
    }
}

#[test]
fn a_saga_that_succeeds_undoes_nothing() {
    let ended = travel_agency().run::<trip>(&"");
    ended.result::<()>().unwrap();
    assert!(ended.calls.iter().all(|call| !call.contains("free")), "{:?}", ended.calls);
}

#[workflow]
async fn cancelable(with_run: bool) -> Result<String, Failure> {
    let slow = if with_run { step("slow").cancel_with_run() } else { step("slow") };
    saga("work", async |saga| {
        saga.undo("clean up", step("clean"));
        if with_run { slow.await } else { or_canceled(slow).await? }
    })
    .await
}

#[test]
fn a_canceled_run_cleans_up_and_ends_as_canceled() {
    for (with_run, call) in [(true, "cancel 1"), (false, "detach 1")] {
        let env = echo(echo(Env::new(), "slow", 9), "clean", 0).cancel(secs(1), "enough");
        let ended = env.run::<cancelable>(&with_run);
        assert!(ended.is_canceled());
        assert_eq!(ended.elapsed, secs(1));
        assert_eq!(ended.calls[2], call);
        assert!(ended.calls.contains(&"2 = activity clean \"clean\"".to_owned()), "{:?}", ended.calls);
    }
}

#[workflow]
async fn countdown(n: u32) -> Result<Next<String>, Failure> {
    match n.checked_sub(1) {
        None => Ok(Next::Done("lift-off".to_owned())),
        Some(n) => Ok(continue_as_new(&n).newest_version().into()),
    }
}

#[test]
fn a_workflow_may_continue_as_new() {
    assert_eq!(Env::new().run::<countdown>(&3).continued::<u32>(), Some(2));
    assert_eq!(Env::new().run::<countdown>(&0).result::<String>().unwrap(), "lift-off");
}

#[workflow]
async fn counts_until_the_journal_is_long(mut n: u32) -> Result<Next<()>, Failure> {
    while !info().continue_as_new_suggested {
        sleep(secs(1)).await;
        n += 1;
    }
    Ok(continue_as_new(&n).into())
}

#[test]
fn a_journal_counts_as_long_from_the_time_that_the_test_says() {
    let env = Env::new().suggest_continue_as_new(secs(3));
    assert_eq!(env.run::<counts_until_the_journal_is_long>(&4).continued(), Some(7));
}

#[workflow]
async fn last_task_standing() -> Result<(), Failure> {
    spawn(async { step("never-waited-for").await.map(drop) });
    sleep(secs(1)).await;
    Ok(())
}

#[test]
fn what_tasks_have_open_at_the_end_is_left_to_the_host() {
    let ended = echo(Env::new(), "never-waited-for", 9).run::<last_task_standing>(&());
    assert_eq!(ended.calls, ["1 = timer 1s", "2 = activity never-waited-for \"never-waited-for\"", "wait"]);
}

#[workflow]
async fn reads() -> Result<bool, Failure> {
    let (a, b) = (now(), now());
    let dice: u64 = random();
    info!(dice = dice, "{} bytes", random_bytes(70_000).len());
    Ok(a < b && uuid() != uuid() && (0.0..1.0).contains(&random::<f64>()))
}

#[test]
fn time_and_randomness_move_on() {
    let ended = Env::new().run::<reads>(&());
    assert!(ended.result::<bool>().unwrap());
    assert!(ended.log[0].starts_with("INFO 70000 bytes dice="), "{:?}", ended.log);
}

#[test]
fn an_input_that_does_not_fit_fails_for_good_and_says_why() {
    let failure = Env::new().run::<countdown>(&"three").result::<()>().unwrap_err();
    assert!(failure.is_non_retryable());
    let whole =
        "input of workflow `countdown`: invalid type: string \"three\", expected u32 at line 1 column 7";
    assert_eq!(failure.to_string(), whole);
}

#[workflow]
async fn named_in_backtraces() -> Result<String, Failure> {
    Ok(std::backtrace::Backtrace::force_capture().to_string())
}

#[test]
fn a_backtrace_names_the_workflow_by_a_frame_of_its_own() {
    let backtrace = Env::new().run::<named_in_backtraces>(&()).result::<String>().unwrap();
    assert!(backtrace.contains("named_in_backtraces::poll"), "{backtrace}");
}

thread_local! {
    static POLLS: Cell<u64> = const { Cell::new(0) };
}

#[workflow]
async fn many(n: u64) -> Result<u64, Failure> {
    let counted = |n: u64| {
        let mut timer = sleep(secs(n));
        std::future::poll_fn(move |cx| {
            POLLS.set(POLLS.get() + 1);
            std::pin::Pin::new(&mut timer).poll(cx).map(|()| n)
        })
    };
    Ok(join_all((0..n).map(counted)).await.iter().sum())
}

#[test]
fn an_event_costs_the_same_for_one_open_op_as_for_a_thousand() {
    assert_eq!(Env::new().run::<many>(&1_000).result::<u64>().unwrap(), 499_500);
    assert_eq!(POLLS.get(), 2_000, "each future is polled at its start and at its end");
}

/// Says hello.
///
/// Politely.
#[workflow(name = "order-v2", signals(DONE), on_trap = fail)]
async fn order(input: BTreeMap<String, u32>) -> Result<u32, Failure> {
    Ok(input.into_values().sum())
}

const SEEN: Query<u32, u32> = Query::new("seen").doc("What has been seen, times the input.");
const RESTS: Query<(), String> = Query::new("rests");

/// Sleeps for some seconds, one after the other, and tells how many have passed.
#[workflow(queries(SEEN, RESTS))]
async fn watched(seconds: u64) -> Result<u32, Failure> {
    let seen = Rc::new(Cell::new(0));
    SEEN.handle({
        let seen = seen.clone();
        move |times| seen.get() * times
    });
    RESTS.try_handle(|()| match is_cancel_requested() {
        true => Ok("soon".to_owned()),
        false => Err(Failure::typed("Never", "nobody asked it to end")),
    });
    for _ in 0..seconds {
        sleep(secs(1)).await;
        seen.set(seen.get() + 1);
    }
    Ok(seen.get())
}

#[test]
fn queries_see_what_the_workflow_knows_while_it_waits_and_after_its_end() {
    let env =
        Env::new().query(millis(500), "seen", &7).query(secs(2), "seen", &10).query(mins(1), "seen", &2);
    let ended =
        env.query(millis(2_500), "rests", &()).cancel(millis(2_600), "").query(millis(2_700), "rests", &());
    let ended = ended.run::<watched>(&3);
    assert_eq!(ended.result::<u32>().unwrap(), 3);
    assert_eq!(ended.elapsed, secs(3));
    let answers = [0, 1, 4].map(|index| ended.answer::<u32>(index).unwrap());
    assert_eq!(answers, [0, 10, 6], "before the second timer, and after the end");
    assert_eq!(ended.answer::<String>(2).unwrap_err().error_type(), "Never");
    assert_eq!(ended.answer::<String>(3).unwrap(), "soon");
    let calls = ["1 = timer 1s", "wait", "2 = timer 1s", "wait", "3 = timer 1s", "wait", "wait"];
    assert_eq!(ended.calls, calls, "queries leave no trace; the last wait but one got the cancel request");
}

#[test]
fn a_query_that_cannot_be_answered_fails_alone() {
    let env = Env::new().query(secs(1), "colour", &()).query(secs(1), "seen", &"seven");
    let ended = env.run::<watched>(&3);
    assert_eq!(ended.result::<u32>().unwrap(), 3);
    let unknown = ended.answer::<u32>(0).unwrap_err();
    assert_eq!(unknown.to_string(), "the workflow answers no query `colour`; it answers seen, rests");
    let bad = ended.answer::<u32>(1).unwrap_err().to_string();
    assert!(bad.starts_with("input of query `seen`: invalid type: string"), "{bad}");
    let unserved = Env::new().query(mins(1), "seen", &1).run::<five_by_two_of_nothing>(&());
    assert_eq!(unserved.answer::<u32>(0).unwrap_err().error_type(), "not-served");
}

#[workflow]
async fn five_by_two_of_nothing() -> Result<(), Failure> {
    Ok(())
}

const BAD: Query<String, ()> = Query::new("bad");

#[workflow(queries(BAD))]
async fn misbehaves() -> Result<&'static str, Failure> {
    BAD.handle(|how: String| match how.as_str() {
        "timer" => drop(sleep(secs(1))),
        "activity" => drop(activity::<()>("a", &()).start_to_close(TASK).start()),
        how => panic!("bad: {how}"),
    });
    sleep(secs(3)).await;
    Ok("went on")
}

#[test]
fn a_handler_that_changes_something_or_panics_fails_its_query_alone() {
    let env = Env::new().activity("a", |()| Ok(()));
    let asked = ["timer", "activity", "luck"].iter().fold(env, |env, how| env.query(secs(1), "bad", how));
    let ended = asked.run::<misbehaves>(&());
    assert_eq!(ended.result::<String>().unwrap(), "went on");
    assert_eq!(ended.calls, ["1 = timer 3s", "wait"]);
    let told = [0, 1, 2].map(|index| ended.answer::<()>(index).unwrap_err());
    let types = told.each_ref().map(Failure::error_type);
    assert_eq!(types, ["query-tried-to-change", "query-tried-to-change", "query-failed"]);
    assert_eq!(told[2].message(), "the workflow's code trapped: bad: luck");
}

#[test]
fn describe_tells_names_documentation_schemas_and_signals() {
    let manifest = workflow::describe(&[workflow::Entry::of::<order>(), workflow::Entry::of::<trip>()]);
    assert_eq!(manifest.sdk, "refrain-sdk for Rust 0.1.0");
    let order = &manifest.workflows[0];
    assert_eq!((order.name.as_str(), order.doc.as_str()), ("order-v2", "Says hello.\n\nPolitely."));
    assert_eq!(order.on_trap, OnTrap::Fail);
    let schema =
        |text: &Option<String>| serde_json::from_str::<serde_json::Value>(text.as_ref().unwrap()).unwrap();
    assert_eq!(schema(&order.input_schema)["additionalProperties"]["type"], json!("integer"));
    assert_eq!(schema(&order.output_schema)["format"], json!("uint32"));
    let done = &order.signals[0];
    assert_eq!((done.name.as_str(), done.doc.as_str()), ("done", "It is done."));
    assert_eq!(schema(&done.input_schema)["type"], json!("integer"));
    assert_eq!(manifest.workflows[1].on_trap, OnTrap::Park);
}

#[test]
fn a_workflow_that_the_component_lacks_is_not_found() {
    let input = payload::encode(&()).unwrap();
    let ended = workflow::run(&[workflow::Entry::of::<order>()], "nobody", &input);
    let Completion::Failed(failure) = ended else { panic!("a workflow that is not there ran") };
    assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Host, "not-found"));
    assert_eq!(failure.message, "this component has no workflow `nobody`");
}

#[workflow]
async fn sleeps_until(reads: u32) -> Result<(), Failure> {
    for _ in 0..2 {
        let begun = (1..reads).fold(now(), |_, _| now());
        let deadline = begun + secs(10);
        sleep_until(deadline).await;
        let woken = now();
        assert!(woken >= deadline, "{reads} reads: {:?} early", deadline.duration_since(woken));
    }
    Ok(())
}

#[test]
fn a_deadline_has_passed_for_who_waited_for_it_however_often_the_clock_was_read_before() {
    for reads in [0, 1, 2, 1_000] {
        Env::new().run::<sleeps_until>(&reads).result::<()>().unwrap();
    }
}
