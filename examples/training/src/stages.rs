//! The activities of the training worker, with types: what each takes, and how it may fail.

use std::time::Duration;

use refrain_sdk::{Activity, Retry, activity, days, hours, millis, mins, secs};
use serde::{Deserialize, Serialize};

/// Where the workers are.
const TASK_QUEUE: &str = "training";

/// A worker is gone when it has been silent for so long. It beats every few hundred steps; so short that an example
/// is soon over, so long that a busy machine is not taken for a dead one.
const SILENCE: Duration = secs(5);

/// How quickly a stage is tried again: what dies with its worker needs no long wait.
const FIRST_INTERVAL: Duration = millis(200);

fn retry(attempts: u32) -> Retry {
    Retry::default().initial_interval(FIRST_INTERVAL).maximum_interval(mins(1)).maximum_attempts(attempts)
}

#[derive(Debug, Deserialize)]
pub struct Prepared {
    /// The name of the prepared data in the workers' folder.
    pub data: String,
    /// How many examples there are to learn from.
    pub train: u64,
    /// How many are kept for the evaluation.
    pub test: u64,
}

/// Shuffles, splits and standardises the data. It takes no time, so whatever takes some is wrong.
pub fn prepare(seed: u64, test_share: f64) -> Activity<Prepared> {
    #[derive(Serialize)]
    struct Input {
        seed: u64,
        test_share: f64,
    }
    activity("training.prepare", &Input { seed, test_share })
        .start_to_close(mins(1))
        .retry(retry(3))
        .task_queue(TASK_QUEUE)
}

#[derive(Serialize)]
pub struct Settings {
    pub steps: u64,
    pub learning_rate: f64,
    pub checkpoint_every: u64,
}

#[derive(Debug, Deserialize)]
pub struct Trained {
    /// The name of the model in the workers' folder.
    pub model: String,
    /// Its SHA-256.
    pub digest: String,
    pub loss: f64,
    pub resumed_from: u64,
}

/// Hours of work that nobody wants to lose: an attempt that falls silent is soon followed by another, which goes on from
/// the last checkpoint. Weights that have run away will do so again.
pub fn train(data: &str, settings: &Settings) -> Activity<Trained> {
    #[derive(Serialize)]
    struct Input<'a> {
        data: &'a str,
        #[serde(flatten)]
        settings: &'a Settings,
    }
    activity("training.train", &Input { data, settings })
        .start_to_close(hours(12))
        .schedule_to_close(days(3))
        .heartbeat(SILENCE)
        .retry(retry(20).non_retryable("Diverged"))
        .task_queue(TASK_QUEUE)
}

#[derive(Debug, Deserialize)]
pub struct Evaluation {
    pub accuracy: f64,
}

/// Lets the model tell what it has not seen.
pub fn evaluate(data: &str, model: &str) -> Activity<Evaluation> {
    #[derive(Serialize)]
    struct Input<'a> {
        data: &'a str,
        model: &'a str,
    }
    activity("training.evaluate", &Input { data, model })
        .start_to_close(mins(1))
        .retry(retry(3))
        .task_queue(TASK_QUEUE)
}

#[derive(Debug, Deserialize)]
pub struct Published {
    pub path: String,
}

/// A person has agreed: it is tried for as long as they would expect, and first of all that waits.
pub fn publish(name: &str, model: &str) -> Activity<Published> {
    #[derive(Serialize)]
    struct Input<'a> {
        name: &'a str,
        model: &'a str,
    }
    activity("training.publish", &Input { name, model })
        .start_to_close(mins(1))
        .schedule_to_close(days(1))
        .retry(retry(0))
        .priority(1)
        .task_queue(TASK_QUEUE)
}
