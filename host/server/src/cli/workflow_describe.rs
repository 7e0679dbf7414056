//! `refrain workflow describe`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::{Context, Ending, Exit, RunArgs};
use crate::client::{Client, ClientError};
use crate::render::describe::{Beside, description};
use crate::render::unserved::Unserved;
use crate::wire::{Description, Failure, Status};

/// Look at a run: where it stands, what it waits for, why it is parked or did not complete.
#[derive(Debug, Args)]
pub(super) struct Describe {
    #[command(flatten)]
    run: RunArgs,
}

impl Describe {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let answer = context.client.describe(&self.run.id, self.run.run_id.as_deref()).await?;
        if context.out.is_json() {
            context.out.json_line(&answer.text);
        } else {
            let (client, run) = (&context.client, &answer.value);
            let failure = failure(client, run).await?;
            let now = Timestamp::now();
            let unserved = unserved(client, run, now).await?;
            let beside = Beside { failure, unserved, now };
            context.out.data(&description(run, &beside));
        }
        Ok(Exit::Ok)
    }
}

/// Why a run did not complete, which is a part of its result.
async fn failure(client: &Client, run: &Description) -> Result<Option<Failure>, ClientError> {
    if !matches!(run.status, Status::Failed | Status::Canceled | Status::Terminated | Status::TimedOut) {
        return Ok(None);
    }
    Ok(client.result(&run.id, Some(&run.run_id), Duration::ZERO).await?.value.failure)
}

/// Which of a run's activities wait for a worker where none takes them: nothing happens to them until one does.
async fn unserved(
    client: &Client,
    run: &Description,
    now: Timestamp,
) -> Result<BTreeMap<u64, Unserved>, ClientError> {
    let mut queues = BTreeMap::new();
    let mut unserved = BTreeMap::new();
    for activity in run.pending_activities.iter().filter(|activity| activity.state == "scheduled") {
        let name = activity.task_queue.as_str();
        if !queues.contains_key(name) {
            queues.insert(name, client.task_queue(name).await?.value);
        }
        if let Some(why) = queues.get(name).and_then(|queue| Unserved::of(queue, &activity.name, now)) {
            unserved.insert(activity.op, why);
        }
    }
    Ok(unserved)
}
