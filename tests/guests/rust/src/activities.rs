//! Activities: one after the other, and many at once.

use refrain_sdk::{Activity, Failure, activity, secs, try_join_all, workflow};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How many.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// From 1 to this.
    pub n: u64,
}

/// The activity that returns its input.
pub fn echo<T: Serialize + DeserializeOwned>(input: T) -> Activity<T> {
    activity("echo", &input).start_to_close(secs(10))
}

/// Adds up what one activity after the other returns.
#[workflow]
pub async fn sequence(count: Count) -> Result<u64, Failure> {
    let mut total = 0;
    for i in 1..=count.n {
        total += echo(i).await?;
    }
    Ok(total)
}

/// Returns what activities return that run at once, in the order in which they were started.
#[workflow]
pub async fn parallel(count: Count) -> Result<Vec<u64>, Failure> {
    try_join_all((1..=count.n).map(echo)).await
}

/// Adds up what activities return that run at once.
#[workflow]
pub async fn fan_out(count: Count) -> Result<u64, Failure> {
    Ok(try_join_all((1..=count.n).map(echo)).await?.into_iter().sum())
}
