//! A model on its way to those who use it: prepare the data, train, evaluate, let a person decide, publish.
//!
//! Its activities are offered by the worker in `worker/`, on the task queue `training`.

use std::time::Duration;

use refrain_sdk::{Context, Failure, Signal, info, or_canceled, select, timeout, warn, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod stages;

use stages::Evaluation;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Training {
    /// The model's name where models are published.
    model: String,
    /// By which the data are shuffled before they are split. The same seed makes the same model, bit for bit.
    seed: u64,
    /// The part of the data that is kept for the evaluation.
    test_share: f64,
    /// How often the weights are corrected.
    steps: u64,
    /// How far they go against the gradient at each step.
    learning_rate: f64,
    /// How many steps may be lost when whoever trains dies.
    checkpoint_every: u64,
    /// The part of the test data that must be told right, or nobody is asked for an approval.
    minimum_accuracy: f64,
    /// How long an approval is waited for, in milliseconds.
    approval_within_ms: u64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            model: "iris".to_owned(),
            seed: 1936,
            test_share: 0.2,
            steps: 100_000,
            learning_rate: 0.05,
            checkpoint_every: 1_000,
            minimum_accuracy: 0.9,
            approval_within_ms: 24 * 60 * 60 * 1_000,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct Approval {
    /// Who says so.
    by: String,
}

#[derive(Deserialize, JsonSchema)]
struct Rejection {
    /// Who says so.
    by: String,
    /// What is wrong with the model.
    reason: String,
}

const APPROVE: Signal<Approval> = Signal::new("approve").doc("The model may be published.");
const REJECT: Signal<Rejection> = Signal::new("reject").doc("The model may not be published.");

/// What became of the model.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Published {
        approved_by: String,
        path: String,
    },
    Rejected {
        by: String,
        reason: String,
    },
    /// Nobody decided in time.
    Expired,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Report {
    outcome: Outcome,
    /// The SHA-256 of the model: of its weights, to the last bit.
    model: String,
    /// Of the training data, after the last step.
    loss: f64,
    /// The part of the test data that it tells right.
    accuracy: f64,
    /// The step from which the last attempt to train went on; 0 if it was the only one.
    resumed_from: u64,
}

/// Trains a model and publishes it, if it is good and a person agrees.
#[workflow(signals(APPROVE, REJECT))]
async fn training(input: Training) -> Result<Report, Failure> {
    let Training { seed, test_share, steps, learning_rate, checkpoint_every, .. } = input;
    let prepared = stages::prepare(seed, test_share).cancel_with_run().await.context("prepare the data")?;
    info!(train = prepared.train, test = prepared.test, "prepared the data");

    let settings = stages::Settings { steps, learning_rate, checkpoint_every };
    let trained =
        stages::train(&prepared.data, &settings).cancel_with_run().await.context("train the model")?;
    info!(loss = trained.loss, resumed_from = trained.resumed_from, "trained the model");

    let evaluation = stages::evaluate(&prepared.data, &trained.model).cancel_with_run().await;
    let Evaluation { accuracy } = evaluation.context("evaluate the model")?;
    info!(accuracy = accuracy, "evaluated the model");
    check_quality(accuracy, input.minimum_accuracy)?;

    let outcome = match or_canceled(decide(Duration::from_millis(input.approval_within_ms))).await? {
        Decision::Approved(Approval { by: approved_by }) => {
            let path = stages::publish(&input.model, &trained.model).await.context("publish the model")?.path;
            info!("published `{path}`, approved by {approved_by}");
            Outcome::Published { approved_by, path }
        }
        Decision::Rejected(Rejection { by, reason }) => {
            warn!("{by} rejected the model: {reason}");
            Outcome::Rejected { by, reason }
        }
        Decision::None => {
            warn!("nobody approved the model in time");
            Outcome::Expired
        }
    };
    let stages::Trained { digest, loss, resumed_from, .. } = trained;
    Ok(Report { outcome, model: digest, loss, accuracy, resumed_from })
}

/// What no person needs to look at.
fn check_quality(accuracy: f64, minimum: f64) -> Result<(), Failure> {
    if accuracy >= minimum {
        return Ok(());
    }
    let message = format!("the model tells {accuracy} of the test data right, which is less than {minimum}");
    Err(Failure::typed("QualityTooLow", message).non_retryable())
}

enum Decision {
    Approved(Approval),
    Rejected(Rejection),
    None,
}

/// Waits for a person's word, but not for ever.
async fn decide(within: Duration) -> Decision {
    let word = async {
        select! {
            approval = APPROVE.recv() => Decision::Approved(approval),
            rejection = REJECT.recv() => Decision::Rejected(rejection),
        }
    };
    timeout(within, word).await.unwrap_or(Decision::None)
}

refrain_sdk::component!(training);

#[cfg(test)]
mod tests;
