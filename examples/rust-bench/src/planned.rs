//! A workflow of which tests make other versions without a compiler: what it does stands in the component as a text.

use std::hint::black_box;

use refrain_sdk::{Failure, Signal, millis, now, sleep, workflow};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a round is, after the colon: `t` is a timer, `r` a reading of the clock, `.` nothing, and anything else a mistake,
/// over which the code stumbles. A test writes another text of the same length over it, and has another version.
static PLAN: &str = "the plan of a round: t.";

const TICK: Signal<()> = Signal::new("tick").doc("Lets the run end.");

#[derive(Deserialize, JsonSchema)]
pub struct Rounds {
    rounds: u32,
    /// How long a timer takes, in milliseconds.
    every_ms: u64,
}

/// Does as its plan says, in so many rounds, and then waits for a signal. Returns the number of rounds.
#[workflow(signals(TICK))]
pub async fn planned(input: Rounds) -> Result<u32, Failure> {
    // The compiler must not know the text: it would have made code of it.
    let plan = black_box(PLAN).rsplit(' ').next().unwrap_or_default();
    for _ in 0..input.rounds {
        for task in plan.chars() {
            match task {
                't' => {
                    sleep(millis(input.every_ms)).await;
                }
                'r' => {
                    black_box(now());
                }
                '.' => {}
                other => panic!("the plan has `{other}`, expected `t`, `r` or `.`"),
            }
        }
    }
    TICK.recv().await;
    Ok(input.rounds)
}
