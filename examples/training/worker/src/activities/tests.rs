//! The activities as a worker calls them, interrupted where it matters.

use std::sync::Mutex;

use futures::executor::block_on;
use refrain_plugin::{CancelReason, CancelSource, ContextParts, HostHooks, Payload};
use serde_json::{Value, json};

use super::*;

/// A worker's side of one attempt: it keeps the heartbeats, and stops the attempt at a given step.
struct Hooks {
    stop_at: u64,
    source: CancelSource,
    beats: Mutex<Vec<Payload>>,
}

impl HostHooks for Hooks {
    fn heartbeat(&self, details: Payload) {
        let Progress { step, .. } = details.parse().unwrap();
        if step >= self.stop_at {
            self.source.cancel(CancelReason::Shutdown);
        }
        self.beats.lock().unwrap().push(details);
    }
}

struct Run {
    training: Training,
    id: &'static str,
}

impl Run {
    fn new(dir: &tempfile::TempDir, id: &'static str) -> Self {
        Self { training: Training::new(Folder::open(dir.path()).unwrap()), id }
    }

    /// One attempt, which is stopped when it says that it has come so far; its outcome and its last heartbeat.
    fn attempt(
        &self,
        activity: &str,
        input: &Value,
        stop_at: u64,
        last_heartbeat: Option<Payload>,
    ) -> (Result<Value, ActivityError>, Option<Payload>) {
        let hooks = Arc::new(Hooks { stop_at, source: CancelSource::new(), beats: Mutex::default() });
        let ctx = Context::new(ContextParts {
            run_id: self.id.to_owned(),
            last_heartbeat,
            cancellation: hooks.source.cancellation(),
            hooks: hooks.clone(),
            ..ContextParts::detached(activity)
        });
        let activities = self.training.activities();
        let activity = activities.iter().find(|one| one.name() == activity).unwrap();
        let outcome = block_on(activity.call(ctx, Payload::json(input).unwrap()));
        let last = hooks.beats.lock().unwrap().last().cloned();
        (outcome.map(|output| output.parse().unwrap()), last)
    }

    fn done(&self, activity: &str, input: &Value) -> Value {
        self.attempt(activity, input, u64::MAX, None).0.unwrap()
    }

    /// Data to learn from, and how.
    fn prepared(&self, steps: u64) -> Value {
        let prepared = self.done("training.prepare", &json!({ "seed": 7, "test_share": 0.2 }));
        let data = &prepared["data"];
        json!({ "data": data, "steps": steps, "learning_rate": 0.1, "checkpoint_every": 250 })
    }
}

#[test]
fn training_that_was_interrupted_ends_as_if_it_had_not_been() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parts) = (Run::new(&dir, "whole"), Run::new(&dir, "parts"));
    let uninterrupted = whole.done("training.train", &whole.prepared(1_000));
    assert_eq!(uninterrupted["resumed_from"], 0);

    let input = parts.prepared(1_000);
    let (mut beat, mut outcome) = (None, Err(ActivityError::pending()));
    for stop_at in [300, 600, u64::MAX] {
        (outcome, beat) = parts.attempt("training.train", &input, stop_at, beat);
        assert_eq!(outcome.is_ok(), stop_at == u64::MAX);
    }
    let resumed = outcome.unwrap();
    // The attempt was stopped by its heartbeat at step 600, and noticed it in the step after.
    assert_eq!(resumed["resumed_from"], 601);
    for what in ["digest", "loss"] {
        assert_eq!(resumed[what], uninterrupted[what], "{what}");
    }
}

#[test]
fn an_attempt_that_dies_without_a_word_is_followed_from_its_last_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::new(&dir, "run");
    let input = run.prepared(1_000);
    let (stopped, beat) = run.attempt("training.train", &input, 600, None);
    stopped.unwrap_err();
    // As a kill would have left it: the checkpoint of step 500 and nothing later.
    let data = Data::from_text(&run.training.folder.read("run/data").unwrap()).unwrap();
    let mut model = Model::new(&data);
    for _ in 0..500 {
        model.learn(&data.train, 0.1);
    }
    run.training.folder.write("run/checkpoint", &model.to_text()).unwrap();
    let resumed = run.attempt("training.train", &input, u64::MAX, beat).0.unwrap();
    assert_eq!(resumed["resumed_from"], 500);
    let whole = Run::new(&dir, "whole");
    assert_eq!(resumed["digest"], whole.done("training.train", &whole.prepared(1_000))["digest"]);
}

#[test]
fn an_attempt_begins_anew_without_a_checkpoint_of_use_or_a_word_of_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::new(&dir, "run");
    let input = run.prepared(500);
    let (_, beat) = run.attempt("training.train", &input, 300, None);
    let useful = run.training.folder.read("run/checkpoint").unwrap();
    let of_other_data = Model::new(&Data::prepare(8, 0.2).unwrap()).to_text();
    let cases = [
        (&of_other_data, &beat, 0),
        (&"step 7\n".to_owned(), &beat, 0),
        (&useful, &None, 0),
        (&useful, &beat, 301),
    ];
    for (checkpoint, beat, expected) in cases {
        run.training.folder.write("run/checkpoint", checkpoint).unwrap();
        let trained = run.attempt("training.train", &input, u64::MAX, beat.clone()).0.unwrap();
        assert_eq!(trained["resumed_from"], expected, "{checkpoint} {beat:?}");
    }
}

#[test]
fn heartbeats_tell_step_loss_and_what_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::new(&dir, "run");
    let (_, beat) = run.attempt("training.train", &run.prepared(400), u64::MAX, None);
    let Progress { step, loss, checkpoint } = beat.unwrap().parse().unwrap();
    assert_eq!((step, checkpoint), (400, 250));
    assert!(loss < 0.4, "{loss}");
}

#[test]
fn a_model_is_evaluated_and_published_under_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::new(&dir, "run");
    let input = run.prepared(1_000);
    let trained = run.done("training.train", &input);
    let model = &trained["model"];
    let evaluation = run.done("training.evaluate", &json!({ "data": input["data"], "model": model }));
    assert!(evaluation["accuracy"].as_f64().unwrap() >= 0.9, "{evaluation}");
    for _ in 0..2 {
        let published = run.done("training.publish", &json!({ "name": "iris", "model": model }));
        let path = published["path"].as_str().unwrap();
        assert_eq!(path, format!("published/iris/{}", trained["digest"].as_str().unwrap()));
        assert!(dir.path().join(path).is_file());
    }
}

#[test]
fn what_cannot_be_done_says_why_and_whether_another_attempt_could() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::new(&dir, "run");
    let input = run.prepared(1_000);
    let with = |field: &str, value: Value| {
        let mut input = input.clone();
        input[field] = value;
        input
    };
    let cases = [
        (
            "training.prepare",
            json!({ "seed": 1, "test_share": 2.0 }),
            "InvalidInput",
            true,
            "`test_share` is 2",
        ),
        (
            "training.train",
            with("checkpoint_every", json!(0)),
            "InvalidInput",
            true,
            "`checkpoint_every` is 0",
        ),
        ("training.train", with("learning_rate", json!(1e300)), "Diverged", true, "smaller `learning_rate`"),
        ("training.train", with("data", json!("other/data")), "Storage", false, "not in the folder"),
        ("training.publish", json!({ "name": "..", "model": "run/data" }), "Storage", false, "not plain"),
    ];
    for (activity, input, error_type, non_retryable, complaint) in cases {
        let error = run.attempt(activity, &input, u64::MAX, None).0.unwrap_err();
        assert_eq!((error.error_type.as_str(), error.non_retryable), (error_type, non_retryable), "{error}");
        assert!(error.to_string().contains(complaint), "{error}");
    }
}
