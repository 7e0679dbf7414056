//! The stages of a training, as activities. Each may be done twice, and ends the same when it is.

use std::sync::Arc;

use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::data::Data;
use crate::folder::Folder;
use crate::model::Model;

/// How many steps pass from one heartbeat to the next: a few milliseconds. It costs nothing, as what is more than a
/// host wants is not sent.
const STEPS_PER_BEAT: u64 = 100;

/// The plugin `training`.
#[derive(Clone, Debug)]
pub(crate) struct Training {
    folder: Arc<Folder>,
}

#[derive(Debug, Deserialize)]
struct Prepare {
    seed: u64,
    test_share: f64,
}

#[derive(Debug, Serialize)]
struct Prepared {
    /// The name of the prepared data in the folder.
    data: String,
    train: usize,
    test: usize,
}

#[derive(Clone, Debug, Deserialize)]
struct Train {
    data: String,
    steps: u64,
    learning_rate: f64,
    checkpoint_every: u64,
}

/// How far a training has come.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    step: u64,
    loss: f64,
    /// The step of the last checkpoint.
    checkpoint: u64,
}

#[derive(Debug, Serialize)]
struct Trained {
    /// The name of the model in the folder.
    model: String,
    /// Its SHA-256.
    digest: String,
    loss: f64,
    /// The step from which this attempt went on.
    resumed_from: u64,
}

#[derive(Debug, Deserialize)]
struct Evaluate {
    data: String,
    model: String,
}

#[derive(Debug, Serialize)]
struct Evaluation {
    accuracy: f64,
}

#[derive(Debug, Deserialize)]
struct Publish {
    name: String,
    model: String,
}

#[derive(Debug, Serialize)]
struct Published {
    /// The model's name in the folder.
    path: String,
}

impl Training {
    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder: Arc::new(folder) }
    }

    /// Shuffles, splits and standardises the data.
    fn prepare(&self, ctx: &Context, input: &Prepare) -> Result<Prepared, ActivityError> {
        let data = Data::prepare(input.seed, input.test_share)
            .map_err(|error| ActivityError::invalid_input(format!("{error:#}")))?;
        let name = format!("{}/data", ctx.run_id());
        self.folder.write(&name, &data.to_text()).map_err(failed)?;
        Ok(Prepared { data: name, train: data.train.len(), test: data.test.len() })
    }

    /// Learns, from the last checkpoint if there is one.
    ///
    /// An attempt that was given up but lives on may write checkpoints too, even older ones than there were. That costs
    /// steps and nothing else: each is a model that the same data lead to.
    fn train(&self, ctx: &Context, input: &Train) -> Result<Trained, ActivityError> {
        if input.checkpoint_every == 0 {
            return Err(ActivityError::invalid_input("`checkpoint_every` is 0: give at least 1"));
        }
        let data = self.data(&input.data)?;
        let checkpoint = format!("{}/checkpoint", ctx.run_id());
        let mut model = self.resume(ctx, &checkpoint, &data)?;
        let resumed_from = model.step;
        let mut saved = model.step;
        info!(attempt = ctx.attempt(), step = resumed_from, "training begins");
        while model.step < input.steps {
            let loss = model.learn(&data.train, input.learning_rate);
            if !loss.is_finite() {
                let message =
                    format!("the loss at step {} is {loss}: give a smaller `learning_rate`", model.step);
                return Err(ActivityError::non_retryable("Diverged", message));
            }
            // Whoever asks it to stop may want it to go on later.
            if model.step % input.checkpoint_every == 0 || ctx.is_cancelled() {
                self.folder.write(&checkpoint, &model.to_text()).map_err(failed)?;
                saved = model.step;
            }
            ctx.check_cancelled()?;
            if model.step % STEPS_PER_BEAT == 0 {
                ctx.heartbeat(Progress { step: model.step, loss, checkpoint: saved })?;
            }
        }
        let text = model.to_text();
        let name = format!("{}/model", ctx.run_id());
        self.folder.write(&name, &text).map_err(failed)?;
        let loss = model.loss(&data.train);
        info!(loss, "training ends");
        Ok(Trained { model: name, digest: digest(&text), loss, resumed_from })
    }

    /// The model to go on with: the last checkpoint, if an earlier attempt said that it had come so far.
    ///
    /// Nothing was said before the first attempt, nor after an operator has reset the activity with its heartbeat's
    /// details: then it begins anew.
    fn resume(&self, ctx: &Context, checkpoint: &str, data: &Data) -> Result<Model, ActivityError> {
        let Some(said) = ctx.last_heartbeat::<Progress>()? else { return Ok(Model::new(data)) };
        info!(step = said.step, checkpoint = said.checkpoint, "an earlier attempt had come so far");
        let found = self.folder.find(checkpoint).map_err(failed)?;
        let model = match found.map(|text| Model::from_text(&text)) {
            Some(Ok(model)) if model.fits(data) => model,
            Some(Ok(_)) => {
                warn!("the checkpoint is of other data: beginning anew");
                Model::new(data)
            }
            Some(Err(error)) => {
                warn!("the checkpoint cannot be read: {error:#}; beginning anew");
                Model::new(data)
            }
            None => Model::new(data),
        };
        if model.step < said.checkpoint {
            warn!("its checkpoint is not in this folder: do all workers of the queue have the same one?");
        }
        Ok(model)
    }

    /// Lets the model tell what it has not seen.
    fn evaluate(&self, input: &Evaluate) -> Result<Evaluation, ActivityError> {
        let data = self.data(&input.data)?;
        let model = Model::from_text(&self.folder.read(&input.model).map_err(failed)?).map_err(failed)?;
        Ok(Evaluation { accuracy: model.accuracy(&data.test) })
    }

    /// Copies the model to where its users look, under what it is: another model never takes its place.
    fn publish(&self, input: &Publish) -> Result<Published, ActivityError> {
        let text = self.folder.read(&input.model).map_err(failed)?;
        let path = format!("published/{}/{}", input.name, digest(&text));
        self.folder.write(&path, &text).map_err(failed)?;
        info!(path, "published");
        Ok(Published { path })
    }

    fn data(&self, name: &str) -> Result<Data, ActivityError> {
        let text = self.folder.read(name).map_err(failed)?;
        Data::from_text(&text).map_err(failed)
    }
}

impl Plugin for Training {
    fn name(&self) -> &str {
        "training"
    }

    fn activities(&self) -> Vec<Activity> {
        let [prepare, train, evaluate, publish] = std::array::from_fn(|_| self.clone());
        vec![
            Activity::blocking("training.prepare", move |ctx, input: Prepare| prepare.prepare(&ctx, &input)),
            Activity::blocking("training.train", move |ctx, input: Train| train.train(&ctx, &input)),
            Activity::blocking("training.evaluate", move |_, input: Evaluate| evaluate.evaluate(&input)),
            Activity::blocking("training.publish", move |_, input: Publish| publish.publish(&input)),
        ]
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What may be gone at the next attempt, as a full disk is.
#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes it as it is")]
fn failed(error: anyhow::Error) -> ActivityError {
    let mut chain = error.chain().map(ToString::to_string);
    let innermost = ActivityError::new("Storage", chain.next_back().unwrap_or_default());
    chain.rev().fold(innermost, ActivityError::context)
}

#[cfg(test)]
mod tests;
