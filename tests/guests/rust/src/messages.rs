//! What others say to a run: signals, queries and updates.

use std::cell::Cell;
use std::rc::Rc;

use refrain_sdk::{Failure, Query, Signal, Update, sleep, wait_condition, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Time;

const GO: Signal<String> = Signal::new("go").doc("Ends the wait.");

/// What came first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// The signal, and what it said.
    Signal(String),
    /// The timer: always true.
    Timer(bool),
}

/// Waits for a signal or a timer.
#[workflow(signals(GO))]
pub async fn select(time: Time) -> Result<First, Failure> {
    Ok(refrain_sdk::select! {
        word = GO.recv() => First::Signal(word),
        _ = sleep(time.duration()) => First::Timer(true),
    })
}

const ADD_SIGNAL: Signal<i64> = Signal::new("add").doc("Adds to the total.");
const FINISH: Signal<()> = Signal::new("finish").doc("Ends the run.");
const TOTAL: Query<(), i64> = Query::new("total").doc("The total so far.");

/// Adds up what signals bring until one says that it is enough.
#[workflow(signals(ADD_SIGNAL, FINISH), queries(TOTAL))]
pub async fn query() -> Result<i64, Failure> {
    let total = Rc::new(Cell::new(0));
    ADD_SIGNAL.handle({
        let total = total.clone();
        async move |n| total.set(total.get() + n)
    });
    TOTAL.handle({
        let total = total.clone();
        move |()| total.get()
    });
    FINISH.recv().await;
    Ok(total.get())
}

/// How much.
#[derive(Deserialize, JsonSchema)]
pub struct Goal {
    /// The total at which it is enough.
    until: i64,
}

const ADD_UPDATE: Update<i64, i64> = Update::new("add").doc("Adds a positive number; the total then.");

/// Adds up what updates bring until it is enough.
#[workflow(updates(ADD_UPDATE))]
pub async fn update(goal: Goal) -> Result<i64, Failure> {
    let total = Rc::new(Cell::new(0));
    ADD_UPDATE.handle_validated(
        |n| match n {
            1.. => Ok(()),
            _ => Err(Failure::typed("not-positive", format!("{n} is not positive"))),
        },
        {
            let total = total.clone();
            async move |n| {
                total.set(total.get() + n);
                Ok(total.get())
            }
        },
    );
    wait_condition(|| total.get() >= goal.until).await;
    Ok(total.get())
}
