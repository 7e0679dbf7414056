//! How runs begin others, go on as others, end when they are asked to, and change their code.

use refrain_sdk::{Failure, Next, child_of, days, is_cancel_requested, or_canceled, shield, sleep, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::activities::{Count, echo, sequence};

/// Lets a child do the work.
#[workflow]
pub async fn child(count: Count) -> Result<u64, Failure> {
    child_of::<sequence>(&count).await
}

/// Which run of the chain it is.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// From 1.
    round: u32,
}

/// How many runs there were.
#[derive(Serialize, JsonSchema)]
pub struct Rounds {
    /// All of the chain.
    rounds: u32,
}

/// Goes on as a new run until the third.
#[workflow]
pub async fn continue_as_new(Round { round }: Round) -> Result<Next<Rounds>, Failure> {
    if round < 3 {
        return Ok(refrain_sdk::continue_as_new(&Round { round: round + 1 }).into());
    }
    Ok(Next::Done(Rounds { rounds: round }))
}

/// Sleeps for a day, and cleans up when it is asked to end before that.
#[workflow]
pub async fn cancel_cleanup() -> Result<&'static str, Failure> {
    let slept = or_canceled(sleep(days(1))).await;
    if is_cancel_requested() {
        shield(echo("clean up".to_owned())).await?;
    }
    slept.map(|()| "slept")
}

/// Takes the new path of a change.
#[workflow]
pub async fn patched() -> Result<String, Failure> {
    echo(if refrain_sdk::patched("change") { "new" } else { "old" }.to_owned()).await
}
