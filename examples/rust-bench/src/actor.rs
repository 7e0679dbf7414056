//! What a simulated execution does that is a real component: a little of all there is, as the run's own randomness wants.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use refrain_sdk::{
    Activity, Failure, Next, ParentClose, Query, Retry, Signal, Update, activity, all_handlers_finished,
    child, continue_as_new, join_all, local_activity, millis, mins, or_canceled, random, secs, select,
    select_all, sleep, wait_condition, workflow,
};
use serde_json::Value;

/// A number that its sender chose, how often the execution has continued as new, and how many generations of children it
/// may have.
type Part = (u64, u64, u64);

/// How often an execution continues as new, at most.
const GENERATIONS: u64 = 2;

const PING: Signal<u64> = Signal::new("ping");
const STOP: Signal<u64> = Signal::new("stop").doc("Lets the run end soon.");
const CHANGE: Update<u64, u64> =
    Update::new("change").doc("Answers its input, sooner or later; or refuses it.");
const SEEN: Query<(), u64> = Query::new("seen").doc("How many signals there were.");

/// Plays a part.
#[workflow(signals(PING, STOP), updates(CHANGE), queries(SEEN))]
pub async fn actor((sender, generation, depth): Part) -> Result<Next<u64>, Failure> {
    let seen = Rc::new(Cell::new(0_u64));
    listen(&seen);
    for _ in 0..1 + below(4) {
        let errands: Vec<Errand> = (0..1 + below(3)).map(|_| errand(depth)).collect();
        select! {
            done = or_canceled(some_of(errands)) => done?,
            _ = STOP.recv() => return Ok(Next::Done(seen.get())),
        }
    }
    if below(2) == 0 {
        wait_condition(all_handlers_finished).await;
    }
    match below(10) {
        0..=4 if generation < GENERATIONS => Ok(continue_as_new(&(sender, generation + 1, depth)).into()),
        5 => Err(Failure::typed("Drawn", "so the run's randomness wants it")),
        _ => Ok(Next::Done(seen.get())),
    }
}

fn listen(seen: &Rc<Cell<u64>>) {
    let counted = seen.clone();
    PING.handle(async move |_| counted.set(counted.get() + 1));
    let asked = seen.clone();
    SEEN.handle(move |()| asked.get());
    let refuse = |number: &u64| match number % 5 {
        0 => Err(Failure::typed("Refused", "the number ends in 0 or 5")),
        _ => Ok(()),
    };
    CHANGE.handle_validated(refuse, async |number| {
        if below(2) == 0 {
            sleep(millis(below(5_000))).await;
        }
        Ok(number)
    });
}

/// Something that takes a while. How it ends does not matter.
type Errand = Pin<Box<dyn Future<Output = ()>>>;

/// Waits for all of them, or for the first alone: the others are let go, which asks them to cancel themselves.
async fn some_of(errands: Vec<Errand>) {
    if below(4) == 0 {
        select_all(errands).await;
    } else {
        join_all(errands).await;
    }
}

fn errand(depth: u64) -> Errand {
    match below(10) {
        0..=2 => {
            let delays = [0, 1, 500, 5_000, 60_000, 3_600_000];
            Box::pin(sleep(millis(delays[below(delays.len() as u64) as usize])))
        }
        3 => Box::pin(ended(local_activity("quick", &below(100)).start_to_close(secs(30)))),
        4 | 5 if depth > 0 => {
            let closes = [ParentClose::Terminate, ParentClose::RequestCancel, ParentClose::Abandon];
            let part: Part = (below(1_000), 0, depth - 1);
            let child = child::<Value>("actor", &part).parent_close(closes[below(3) as usize]);
            Box::pin(async {
                let _ended = child.await;
            })
        }
        _ => {
            let (name, input) = match below(6) {
                0 => ("echo", below(100)),
                1 => ("flaky", below(4)),
                2 => ("fails", 0),
                3 => ("slow", below(50)),
                _ => ("charge", below(100)),
            };
            let attempts = [0, 1, 3][below(3) as usize];
            let retry = Retry::default().maximum_attempts(attempts).non_retryable("Final");
            let call = activity(name, &input).start_to_close(secs(30)).schedule_to_close(mins(10));
            Box::pin(ended(call.retry(retry)))
        }
    }
}

async fn ended(call: Activity<Value>) {
    let _ended = call.await;
}

/// A number below this one.
fn below(bound: u64) -> u64 {
    random::<u64>() % bound
}
