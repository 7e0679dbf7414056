//! `training`: worker and host die in the middle of a training, which goes on from its last checkpoint and ends as if
//! nothing had happened. One model is approved and published, and another one that nobody approves is not.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::Api;
use crate::background::Background;
use crate::host;

/// Some seconds of work: worker and host are to die in the middle of it.
const STEPS: u64 = 80_000;

const CHECKPOINT_EVERY: u64 = 1_000;

/// They die after this many steps at the earliest, so that there is a checkpoint.
const FIRST_DEATH: u64 = 2 * CHECKPOINT_EVERY;

/// And when this many are done at the latest, so that the heartbeat that says so comes before the end.
const LAST_DEATH: u64 = STEPS / 3;

/// What the model tells right of flowers that it has not seen.
const MINIMUM_ACCURACY: f64 = 0.9;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let worker = start_worker(stage)?;
    println!("    a worker, process {}, polls the task queue `training`", worker.pid());
    let api = stage.api()?;
    start(&api, "interrupted", &json!({ "model": "approved" }))?;
    let death = FIRST_DEATH + RandomState::new().hash_one(()) % (LAST_DEATH - FIRST_DEATH);
    println!("    worker and host will die after step {death}, which is random");
    api.heartbeats("interrupted", |beat| {
        let progress = &beat["details"];
        println!("    heartbeat: step {}, loss {}", progress["step"], progress["loss"]);
        progress["step"].as_u64().is_some_and(|step| step > death)
    })?;
    worker.kill()?;
    println!("    killed the worker with SIGKILL");
    let checkpoint = checkpoint(&folder(stage))?;
    stage.kill_and_restart()?;
    println!("    the last checkpoint is of step {checkpoint}");
    let _worker = start_worker(stage)?;
    println!("    started a worker again");

    let api = stage.api()?;
    // Beside the first, whose dead attempt the host has yet to give up.
    start(&api, "uninterrupted", &json!({ "model": "expired", "approval_within_ms": 500 }))?;
    println!("    started the same training once more, which nobody will interrupt, nor approve");

    wait_for_the_gate(&api, "interrupted")?;
    expect("published by now", &published(&folder(stage), "approved")?, &json!([]))?;
    api.signal("interrupted", "approve", &json!({ "by": "Ada" }))?;
    println!("    approved the model");

    let resumed = completed(&api, "interrupted")?;
    let path = resumed["outcome"]["published"]["path"].as_str().context("the model was not published")?;
    let whole = completed(&api, "uninterrupted")?;
    expect("resumed from step", &resumed["resumed_from"], &json!(checkpoint))?;
    expect("the other one from step", &whole["resumed_from"], &json!(0))?;
    expect("loss, as of the other one", &resumed["loss"], &whole["loss"])?;
    expect("model, to the last bit as the other one", &resumed["model"], &whole["model"])?;
    expect("approved by", &resumed["outcome"]["published"]["approved_by"], &json!("Ada"))?;
    expect("outcome of the other one", &whole["outcome"], &json!("expired"))?;
    let accuracy = resumed["accuracy"].as_f64().context("the report has no `accuracy`")?;
    println!("    accuracy: {accuracy}");
    ensure!(accuracy >= MINIMUM_ACCURACY, "the accuracy is below {MINIMUM_ACCURACY}");

    ensure!(folder(stage).join(path).is_file(), "there is no {path} in the folder");
    expect("published", &published(&folder(stage), "approved")?, &json!([resumed["model"]]))?;
    expect("published of the other one", &published(&folder(stage), "expired")?, &json!([]))?;
    stage.show("interrupted")
}

/// Where the workers keep data, checkpoints and models.
fn folder(stage: &Stage<'_>) -> std::path::PathBuf {
    stage.place("models")
}

fn start_worker(stage: &Stage<'_>) -> Result<Background> {
    let mut command = host::ours(stage.ws, "training-worker");
    command.env("REFRAIN_ADDRESS", stage.host()?.url()).arg(folder(stage));
    Background::start(&mut command, &stage.place("worker.log"))
}

fn start(api: &Api, id: &str, more: &Value) -> Result<()> {
    let mut input = json!({
        "steps": STEPS,
        "checkpoint_every": CHECKPOINT_EVERY,
        "minimum_accuracy": MINIMUM_ACCURACY,
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    api.start("training", id, &input)?;
    Ok(())
}

/// The step of the only checkpoint that there is.
fn checkpoint(folder: &Path) -> Result<u64> {
    for run in fs::read_dir(folder)? {
        let path = run?.path().join("checkpoint");
        if let Ok(text) = fs::read_to_string(&path) {
            let step = text.lines().find_map(|line| line.strip_prefix("step ")?.parse().ok());
            return step.with_context(|| format!("{} names no step", path.display()));
        }
    }
    bail!("there is no checkpoint, though the heartbeats were past it")
}

fn wait_for_the_gate(api: &Api, id: &str) -> Result<()> {
    let is_evaluated = |event: &crate::api::Event| {
        event.kind() == "logged"
            && event.attribute("message").as_str().is_some_and(|message| message.starts_with("evaluated"))
    };
    let seen = api.follow(id, |seen| seen.iter().any(is_evaluated))?;
    ensure!(seen.iter().any(is_evaluated), "{id} ended without an evaluation: {}", api.result(id)?);
    println!("    {id} is evaluated and waits for an approval");
    Ok(())
}

/// The report of a run.
fn completed(api: &Api, id: &str) -> Result<Value> {
    let mut ended = api.result(id)?;
    ensure!(ended["status"] == "completed", "{id} did not complete: {ended}");
    Ok(ended["result"].take())
}

/// The files of a model that is published; none if it is not.
fn published(folder: &Path, model: &str) -> Result<Value> {
    let dir = folder.join("published").join(model);
    if !dir.exists() {
        return Ok(json!([]));
    }
    fs::read_dir(dir)?.map(|file| Ok(json!(file?.file_name().to_string_lossy()))).collect()
}
