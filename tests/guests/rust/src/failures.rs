//! What goes wrong: retries, a failure's way to the run's end, undoing, and a bug.

use refrain_sdk::{Activity, Context, Failure, Retry, activity, millis, secs, workflow};
use serde::Serialize;

use crate::activities::echo;

/// The input of the activity that fails a few times.
#[derive(Serialize)]
struct Flaky {
    fail_times: u32,
}

/// The activity that fails for good.
fn broken(input: &str) -> Activity<String> {
    activity("broken", input).start_to_close(secs(10))
}

/// Needs three attempts for one activity, and fails by another.
#[workflow]
pub async fn retries() -> Result<String, Failure> {
    let patient = Retry::default().initial_interval(millis(10)).maximum_attempts(5);
    let flaky = activity::<String>("flaky", &Flaky { fail_times: 2 });
    flaky.start_to_close(secs(10)).retry(patient).await?;
    broken("abc123").await.context("stop container abc123").context("stop-and-snapshot for container abc123")
}

/// Books a trip, of which the last part is not to be had.
#[workflow]
pub async fn saga() -> Result<(), Failure> {
    refrain_sdk::saga("trip", async |saga| {
        saga.undo("cancel hotel", echo("cancel hotel".to_owned()));
        echo("book hotel".to_owned()).await?;
        saga.undo("cancel flight", echo("cancel flight".to_owned()));
        echo("book flight".to_owned()).await?;
        saga.undo("cancel car", echo("cancel car".to_owned()));
        broken("book car").await.context("book the car")?;
        Ok(())
    })
    .await
}

/// Has a bug.
#[workflow]
pub async fn bug() -> Result<(), Failure> {
    panic!("this is a bug")
}
