//! Many batches of many tasks, a few of them at once; what fails is counted, and stops nothing else.
//!
//! `fan_out` gives each batch to a child, `batch`, which does its tasks. A thousand batches of a hundred tasks are a
//! hundred thousand tasks, and no journal has more than a few entries for each batch or each task of one batch: that is
//! what children are for when there is much to do. A journal has an end, and is read whole when a run comes back.
//!
//! * **A few at once**: [`join_bounded`] takes the next from its iterator when one has ended, so a million batches need
//!   neither a million open ops nor the memory for them.
//! * **Partial failures**: unlike `try_join_bounded` it goes on, and gives the outcome of each. A task that fails is a
//!   number in its batch's result. A batch of which nothing can be done fails, and is a number in the result of all.
//! * **Local activities** are recorded with the step that starts them, without a commit of their own. They suit tasks that
//!   are short and may well be done again when the host dies.
//!
//! A task hashes a file, `batch-0007/task-0042` of a directory that the host's `fs` plugin may read. `cargo xtask example
//! fan-out` makes such files, but not all of them, and kills the host in the middle.

use refrain_sdk::{
    Activity, CancelScope, Context, Failure, Retry, child_of, info, join_bounded, local_activity, secs,
    workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FanOut {
    /// The directory of the files, by its name in the host's configuration.
    source: String,
    batches: u32,
    /// How many tasks each batch has.
    tasks: u32,
    /// How many batches are under way at once; at least 1.
    batches_at_once: usize,
    /// How many tasks of a batch are; at least 1. The host reads so many files at once as it has threads for
    /// (`blocking_activity_slots`).
    tasks_at_once: usize,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Summary {
    batches: Count,
    /// Those of the batches that failed are in neither number.
    tasks: Count,
    /// Of all files.
    bytes: u64,
    /// Why some of the batches failed.
    reasons: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Count {
    done: u64,
    failed: u64,
}

/// How many reasons are told: the first few tell what is wrong, and the histories of the batches have the others.
const REASONS: usize = 5;

/// Does all tasks of all batches, and counts what could not be done.
#[workflow]
async fn fan_out(input: FanOut) -> Result<Summary, Failure> {
    let FanOut { source, batches, tasks, batches_at_once, tasks_at_once } = input;
    if batches_at_once == 0 || tasks_at_once == 0 {
        let why = "`batches_at_once` or `tasks_at_once` is 0: give at least 1";
        return Err(Failure::new(why).non_retryable());
    }
    let children = (0..batches).map(|number| {
        child_of::<batch>(&Batch { source: source.clone(), number, tasks, at_once: tasks_at_once })
    });
    // Who calls it off ends the batches that are under way, and those that are not never start.
    let all = CancelScope::with_run().run(async { Ok(join_bounded(batches_at_once, children).await) });
    let mut summary = Summary::default();
    for outcome in all.await? {
        match outcome {
            Ok(Did { tasks, bytes }) => {
                summary.batches.done += 1;
                summary.tasks.done += tasks.done;
                summary.tasks.failed += tasks.failed;
                summary.bytes += bytes;
            }
            Err(why) if why.is_canceled() => return Err(why),
            Err(why) => {
                summary.batches.failed += 1;
                if summary.reasons.len() < REASONS {
                    summary.reasons.push(why.to_string());
                }
            }
        }
    }
    info!(done = summary.batches.done, failed = summary.batches.failed, "all batches have ended");
    Ok(summary)
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Batch {
    source: String,
    number: u32,
    tasks: u32,
    at_once: usize,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Did {
    tasks: Count,
    bytes: u64,
}

/// Does the tasks of one batch. It fails when none of them can be done.
#[workflow]
async fn batch(batch: Batch) -> Result<Did, Failure> {
    let tasks = (0..batch.tasks).map(|number| task(&batch, number));
    let mut did = Did { tasks: Count::default(), bytes: 0 };
    let mut last = None;
    for outcome in join_bounded(batch.at_once, tasks).await {
        match outcome {
            Ok(file) => {
                did.tasks.done += 1;
                did.bytes += file.size;
            }
            Err(why) => {
                did.tasks.failed += 1;
                last = Some(why);
            }
        }
    }
    match last {
        Some(why) if did.tasks.done == 0 => Err(why)
            .with_context(|| format!("batch {}: none of {} tasks can be done", batch.number, batch.tasks)),
        _ => Ok(did),
    }
}

#[derive(Deserialize)]
struct File {
    size: u64,
}

fn task(batch: &Batch, number: u32) -> Activity<File> {
    /// What fails three times within a second or two is a matter for people.
    const ATTEMPTS: u32 = 3;
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'a str,
        path: String,
    }
    let path = format!("batch-{:04}/task-{number:04}", batch.number);
    local_activity("fs.hash", &Input { directory: &batch.source, path })
        .start_to_close(secs(30))
        .retry(Retry::default().maximum_attempts(ATTEMPTS))
}

refrain_sdk::component!(fan_out, batch);

#[cfg(test)]
mod tests;
