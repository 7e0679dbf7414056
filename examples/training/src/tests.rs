//! The workflow against stages that take their time and do nothing.

use std::time::Duration;

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{Failure, hours, mins, secs};
use serde::{Deserialize, Serialize};

use super::{Outcome, Report, training};

/// When the model is ready to be looked at.
const EVALUATED: Duration = hours(3);

#[derive(Serialize)]
struct Prepared {
    data: &'static str,
    train: u64,
    test: u64,
}

#[derive(Deserialize)]
struct Train {
    data: String,
    steps: u64,
}

#[derive(Serialize)]
struct Trained {
    model: &'static str,
    digest: &'static str,
    loss: f64,
    resumed_from: u64,
}

#[derive(Serialize)]
struct Evaluation {
    accuracy: f64,
}

#[derive(Deserialize)]
struct Publish {
    name: String,
    model: String,
}

#[derive(Serialize)]
struct Published {
    path: String,
}

#[derive(Serialize)]
struct Approval {
    by: &'static str,
}

#[derive(Serialize)]
struct Rejection {
    by: &'static str,
    reason: &'static str,
}

#[derive(Serialize)]
struct Input {
    steps: u64,
    approval_within_ms: u64,
}

const INPUT: Input = Input { steps: 400, approval_within_ms: 2 * 60 * 60 * 1_000 };

fn stages(accuracy: f64) -> Env {
    Env::new()
        .activity("training.prepare", |_: serde::de::IgnoredAny| {
            Ok(Prepared { data: "data", train: 120, test: 30 })
        })
        .slow_activity("training.train", EVALUATED, |input: Train| {
            assert_eq!((input.data.as_str(), input.steps), ("data", 400));
            Ok(Trained { model: "model", digest: "digest", loss: 0.25, resumed_from: 100 })
        })
        .activity("training.evaluate", move |_: serde::de::IgnoredAny| Ok(Evaluation { accuracy }))
        .activity("training.publish", |input: Publish| {
            Ok(Published { path: format!("{}/{}", input.name, input.model) })
        })
}

fn report(ended: &Ended) -> Report {
    ended.result().unwrap()
}

fn is_published(ended: &Ended) -> bool {
    ended.calls.iter().any(|call| call.contains("training.publish"))
}

#[test]
fn a_good_model_is_published_when_someone_approves_it() {
    let ended =
        stages(0.95).signal(EVALUATED + mins(30), "approve", &Approval { by: "Ada" }).run::<training>(&INPUT);
    let outcome = Outcome::Published { approved_by: "Ada".to_owned(), path: "iris/model".to_owned() };
    let model = "digest".to_owned();
    assert_eq!(report(&ended), Report { outcome, model, loss: 0.25, accuracy: 0.95, resumed_from: 100 });
    assert_eq!(ended.elapsed, EVALUATED + mins(30));
}

#[test]
fn an_approval_that_comes_early_counts() {
    let ended = stages(0.95).signal(secs(1), "approve", &Approval { by: "Ada" }).run::<training>(&INPUT);
    assert!(is_published(&ended));
    assert_eq!(ended.elapsed, EVALUATED);
}

#[test]
fn a_model_that_is_rejected_is_not_published() {
    let rejection = Rejection { by: "Grace", reason: "it has not seen tulips" };
    let ended = stages(0.95).signal(EVALUATED + mins(1), "reject", &rejection).run::<training>(&INPUT);
    let Rejection { by, reason } = rejection;
    let outcome = Outcome::Rejected { by: by.to_owned(), reason: reason.to_owned() };
    assert_eq!(report(&ended).outcome, outcome);
    assert!(!is_published(&ended));
}

#[test]
fn a_model_that_nobody_looks_at_is_not_published() {
    let ended = stages(0.95).run::<training>(&INPUT);
    assert_eq!(report(&ended).outcome, Outcome::Expired);
    assert_eq!(ended.elapsed, EVALUATED + hours(2));
    assert!(!is_published(&ended));
}

#[test]
fn a_bad_model_is_not_even_looked_at() {
    let ended = stages(0.5).signal(secs(1), "approve", &Approval { by: "Ada" }).run::<training>(&INPUT);
    let failure: Failure = ended.result::<Report>().unwrap_err();
    assert_eq!(failure.error_type(), "QualityTooLow");
    assert_eq!(failure.to_string(), "the model tells 0.5 of the test data right, which is less than 0.9");
    assert_eq!(ended.elapsed, EVALUATED);
    assert!(!is_published(&ended));
}

#[test]
fn canceling_ends_the_training_as_well_as_the_wait_for_an_approval() {
    for at in [hours(1), EVALUATED + hours(1)] {
        let ended = stages(0.95).cancel(at, "no longer needed").run::<training>(&INPUT);
        assert!(ended.is_canceled());
        assert_eq!(ended.elapsed, at);
        assert!(!is_published(&ended));
    }
}
