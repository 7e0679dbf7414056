//! Updates, handlers of signals, and conditions.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{DONE, TASK, echo, step};
use crate::bindings::refrain::workflow::types::Completion;
use crate::testing::{Ended, Env, UpdateStage};
use crate::*;

const ADD: Update<u32, u32> = Update::new("add").doc("Adds to the sum.");
const SLOW: Update<String, String> = Update::new("slow");

/// Sums up until it is done; odd numbers are let in, and zero is an error.
#[workflow(updates(ADD, SLOW), signals(DONE))]
async fn adds(wait_for_handlers: bool) -> Result<u32, Failure> {
    let sum = Rc::new(Cell::new(0));
    ADD.handle_validated(
        {
            let sum = sum.clone();
            move |n| match n % 2 {
                1 => Ok(()),
                _ => Err(Failure::typed("Even", format!("{n} is even, and the sum is {}", sum.get()))),
            }
        },
        {
            let sum = sum.clone();
            async move |n| {
                if n == 13 {
                    bail!("bad luck");
                }
                sum.set(sum.get() + n);
                Ok(sum.get())
            }
        },
    );
    SLOW.handle(async |name| step(&name).await);
    DONE.recv().await;
    if wait_for_handlers {
        wait_condition(all_handlers_finished).await;
    }
    Ok(sum.get())
}

fn updates(ended: &Ended) -> Vec<&str> {
    let of_updates = |call: &&String| call.contains("update-");
    ended.calls.iter().filter(of_updates).map(String::as_str).collect()
}

#[test]
fn updates_are_validated_accepted_and_completed_in_order_and_see_what_those_before_them_did() {
    let env = [1, 3, 2].iter().fold(Env::new(), |env, n| env.update(secs(1), "add", n));
    let ended = env.update(secs(2), "add", &5).signal(secs(3), "done", &0).run::<adds>(&false);
    let calls = [
        "accept update-0",
        "complete update-0: 1",
        "accept update-1",
        "complete update-1: 4",
        "reject update-2: 2 is even, and the sum is 4",
        "accept update-3",
        "complete update-3: 9",
    ];
    assert_eq!(updates(&ended), calls);
    let rejected = ended.update_result::<u32>(2).unwrap_err();
    assert_eq!((rejected.error_type(), ended.update_stage(2)), ("Even", UpdateStage::Rejected));
    assert_eq!((ended.update_result::<u32>(3).unwrap(), ended.result::<u32>().unwrap()), (9, 9));
}

#[test]
fn describe_tells_updates_with_their_documentation_and_schemas() {
    let manifest = workflow::describe(&[workflow::Entry::of::<adds>()]);
    let [add, slow] = manifest.workflows[0].updates.as_slice() else { panic!("there are two") };
    assert_eq!((add.name.as_str(), add.doc.as_str()), ("add", "Adds to the sum."));
    let schema = |text: &Option<String>| text.as_deref().unwrap_or_default().contains("\"string\"");
    let shown = [add, slow].map(|update| (schema(&update.input_schema), schema(&update.output_schema)));
    assert_eq!(shown, [(false, false), (true, true)]);
}

#[test]
fn an_update_that_starts_the_run_meets_its_handler() {
    let ended = Env::new().update(secs(0), "add", &1).signal(secs(1), "done", &0).run::<adds>(&false);
    assert_eq!(ended.update_result::<u32>(0).unwrap(), 1);
    assert_eq!(ended.calls[..3], ["wait", "accept update-0", "complete update-0: 1"]);
}

#[workflow(updates(SLOW))]
async fn handles_late() -> Result<(), Failure> {
    sleep(secs(1)).await;
    SLOW.handle(async |name| Ok(name));
    sleep(secs(1)).await;
    Ok(())
}

#[test]
fn an_update_meets_a_handler_that_is_set_in_the_step_that_got_it_and_not_in_a_later_one() {
    let env = Env::new().update(millis(500), "slow", &"early").update(secs(1), "slow", &"in time");
    let ended = env.run::<handles_late>(&());
    assert_eq!(ended.update_result::<()>(0).unwrap_err().error_type(), "not-handled");
    assert_eq!(ended.update_result::<String>(1).unwrap(), "in time");
}

#[test]
fn an_update_that_fits_no_handler_is_rejected_and_says_why() {
    let env = Env::new().update(secs(1), "multiply", &1).update(secs(1), "add", &"one");
    let ended = env.update(secs(1), "add", &13).signal(secs(2), "done", &0).run::<adds>(&false);
    let unknown = ended.update_result::<u32>(0).unwrap_err();
    assert_eq!((unknown.kind(), unknown.error_type()), (FailureKind::Host, "not-handled"));
    assert_eq!(unknown.to_string(), "the workflow takes no update `multiply` now; it takes add, slow");
    let bad = ended.update_result::<u32>(1).unwrap_err();
    assert!(bad.to_string().starts_with("input of update `add`: invalid type: string"), "{bad}");
    assert!(bad.is_non_retryable() && ended.update_stage(1) == UpdateStage::Rejected);
    assert_eq!(ended.update_result::<u32>(2).unwrap_err().to_string(), "bad luck");
    assert_eq!(ended.update_stage(2), UpdateStage::Completed, "let in, and failed");
    assert!(ended.result::<u32>().is_ok());
}

#[test]
fn a_workflow_without_handlers_leaves_updates_to_the_host() {
    let env = Env::new().update(secs(1), "add", &1).update(mins(2), "add", &1);
    let ended = env.signal(secs(2), "done", &7).run::<super::done_or_late>(&60);
    assert_eq!(updates(&ended), [""; 0]);
    assert_eq!(ended.update_result::<u32>(0).unwrap_err().error_type(), "not-handled");
    assert_eq!(ended.update_stage(1), UpdateStage::Admitted);
}

#[test]
fn handlers_run_side_by_side_and_those_that_the_end_cuts_off_are_warned_of() {
    for (wait_for_handlers, expected, log) in [
        (true, Ok("a"), vec![]),
        (false, Err("run-ended"), vec!["WARN ended before handlers of update `slow` had finished count=2"]),
    ] {
        let env = echo(echo(Env::new(), "a", 5), "b", 3);
        let env = env.update(secs(1), "slow", &"a").update(secs(1), "slow", &"b");
        let ended = env.signal(secs(2), "done", &0).run::<adds>(&wait_for_handlers);
        assert_eq!(ended.elapsed, if wait_for_handlers { secs(6) } else { secs(2) });
        let answer = ended.update_result::<String>(0);
        assert_eq!(answer.as_deref().map_err(Failure::error_type), expected);
        assert_eq!(ended.log, log);
    }
}

#[test]
fn a_workflow_that_waits_for_its_handlers_handles_what_came_with_the_last_wait() {
    let env = Env::new().signal(secs(1), "done", &0).update(secs(1), "add", &7);
    let ended = env.run::<adds>(&true);
    assert_eq!(ended.update_result::<u32>(0).unwrap(), 7);
    assert_eq!(ended.result::<u32>().unwrap(), 7);
    let env = Env::new().signal(secs(1), "done", &0).update(secs(1), "add", &7);
    let ended = env.run::<adds>(&false);
    assert_eq!(ended.update_result::<u32>(0).unwrap_err().error_type(), "not-handled");
}

const WHO: Update<(), String> = Update::new("who");

#[workflow(updates(WHO))]
async fn knows_who_asks() -> Result<Option<String>, Failure> {
    WHO.handle_validated(
        |()| current_update().map(drop).ok_or_else(|| Failure::new("no update")),
        async |()| {
            let before = current_update().ok_or_else(|| Failure::new("no update"))?;
            sleep(secs(1)).await;
            assert_eq!(Some(&before), current_update().as_ref());
            assert_eq!(spawn(async { current_update() }).await, None);
            Ok(format!("{} by {}", before.name, before.id))
        },
    );
    sleep(secs(5)).await;
    Ok(current_update().map(|update| update.id))
}

#[test]
fn a_handler_knows_its_update_and_nobody_else_does() {
    let env = Env::new().update(secs(1), "who", &()).update(millis(1_500), "who", &());
    let ended = env.run::<knows_who_asks>(&());
    let answers = [0, 1].map(|index| ended.update_result::<String>(index).unwrap());
    assert_eq!(answers, ["who by update-0", "who by update-1"]);
    assert_eq!(ended.result::<Option<String>>().unwrap(), None);
}

#[workflow(signals(DONE))]
async fn handles_signals(late: u64) -> Result<Vec<String>, Failure> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    sleep(secs(late)).await;
    DONE.handle({
        let seen = seen.clone();
        async move |n| {
            seen.borrow_mut().push(format!("begin {n}"));
            sleep(secs(n.into())).await;
            seen.borrow_mut().push(format!("end {n}"));
        }
    });
    sleep(secs(10 - late)).await;
    wait_condition(all_handlers_finished).await;
    Ok(seen.take())
}

#[test]
fn a_signal_handler_begins_in_the_order_of_the_signals_also_of_those_before_it() {
    for late in [0, 5] {
        let env = [3, 1].iter().fold(Env::new(), |env, n| env.signal(secs(1), "done", n));
        let ended = env.signal(secs(2), "done", &"nothing").run::<handles_signals>(&late);
        let seen = ended.result::<Vec<String>>().unwrap();
        assert_eq!(seen, ["begin 3", "begin 1", "end 1", "end 3"], "{late}");
        assert!(ended.log[0].starts_with("ERROR signal passed over: invalid type"), "{:?}", ended.log);
    }
}

async fn forever(name: String) -> Result<String, Failure> {
    sleep(days(1)).await;
    Ok(name)
}

#[workflow(signals(DONE), updates(SLOW, ADD))]
async fn cut_off() -> Result<Next<()>, Failure> {
    // Functions, closures that return futures, and async closures are all handlers.
    SLOW.handle(forever);
    ADD.handle(|n| async move { Ok(n) });
    DONE.handle(async |_| sleep(secs(60)).await);
    sleep(secs(2)).await;
    Ok(continue_as_new(&()).into())
}

#[test]
fn a_continue_as_new_in_the_middle_of_handlers_is_warned_of() {
    let env = Env::new().update(secs(1), "add", &1).update(secs(1), "slow", &"a").signal(secs(1), "done", &1);
    let ended = env.run::<cut_off>(&());
    let warned = ["signal `done`", "update `slow`"];
    assert_eq!(
        ended.log,
        warned.map(|what| format!("WARN ended before handlers of {what} had finished count=1"))
    );
    assert_eq!(ended.update_result::<u32>(0).unwrap(), 1);
    assert_eq!(ended.update_stage(1), UpdateStage::Accepted);
    assert_eq!(ended.update_result::<()>(1).unwrap_err().error_type(), "run-ended");
}

const OTHER: Signal<u32> = Signal::new("another");

#[workflow(signals(DONE, OTHER))]
async fn goes_on(reads: u32) -> Result<Next<()>, Failure> {
    sleep(secs(2)).await;
    for _ in 0..reads {
        DONE.recv().await;
    }
    Ok(continue_as_new(&reads).into())
}

#[test]
fn unread_signals_go_to_the_next_run_in_the_order_in_which_they_came() {
    let env = || {
        let env = Env::new().signal(secs(1), "done", &1).signal(secs(1), "another", &2);
        env.signal(secs(1), "done", &3)
    };
    let ended = env().run::<goes_on>(&0);
    assert_eq!((ended.unread::<u32>("done"), ended.unread::<u32>("another")), (vec![1, 3], vec![2]));
    assert!(ended.log.is_empty(), "nothing is lost: {:?}", ended.log);
    let Completion::ContinueAsNew(next) = &ended.completion else { panic!("it goes on") };
    let order: Vec<&str> = next.unread.iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(order, ["done", "another", "done"]);
    let ended = env().run::<goes_on>(&1);
    assert_eq!((ended.unread::<u32>("done"), ended.unread::<u32>("another")), (vec![3], vec![2]));
}

#[workflow(signals(DONE))]
async fn passes_a_token(turns: u32) -> Result<Vec<u32>, Failure> {
    let turn = Rc::new(Cell::new(u32::MAX));
    let seen = Rc::new(RefCell::new(Vec::new()));
    // The last one is spawned first, so that each needs a look of its own.
    for mine in (0..turns).rev() {
        let (turn, seen) = (turn.clone(), seen.clone());
        spawn(async move {
            wait_condition(|| turn.get() == mine).await;
            seen.borrow_mut().push(mine);
            turn.set(mine + 1);
        });
    }
    let waited = timeout(secs(1), wait_condition(|| turn.get() == turns)).await;
    assert!(waited.is_err(), "nobody has the token");
    turn.set(DONE.recv().await);
    wait_condition(|| turn.get() == turns).await;
    Ok(seen.take())
}

#[test]
fn a_condition_that_comes_true_makes_others_true_in_the_same_step() {
    let ended = Env::new().signal(secs(2), "done", &0).run::<passes_a_token>(&3);
    assert_eq!(ended.result::<Vec<u32>>().unwrap(), [0, 1, 2]);
    assert_eq!(ended.elapsed, secs(2));
    assert_eq!(ended.calls, ["1 = timer 1s", "wait", "wait"]);
}

thread_local! {
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

#[workflow]
async fn looks() -> Result<(), Failure> {
    let slept = Rc::new(Cell::new(0));
    let condition = wait_condition(|| {
        LOOKS.set(LOOKS.get() + 1);
        slept.get() == 5
    });
    let sleeps = async {
        for n in 1..=5 {
            sleep(TASK).await;
            slept.set(n);
        }
    };
    join!(condition, sleeps);
    Ok(())
}

#[test]
fn a_condition_is_looked_at_once_for_each_wait() {
    // A query comes to an instance that must not go on because of it.
    let ended = Env::new().query(secs(15), "anything", &()).run::<looks>(&());
    ended.result::<()>().unwrap();
    assert_eq!(LOOKS.get(), 7, "at the call, before the first wait, and after each of five");
}
