//! One who uses the lock: waits for its turn, is in the room for a while, and leaves.

use std::time::{Duration, SystemTime};

use refrain_sdk::{
    Activity, Context, Failure, Retry, activity, bail, external, info, mins, now, or_canceled, secs, sleep,
    workflow,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{GRANTED, Granted, RELEASE, REQUEST, Release, Request};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Visit {
    /// The id of the lock's workflow.
    pub(super) lock: String,
    /// How long to stay, in milliseconds.
    #[serde(default)]
    pub(super) stay_ms: u64,
    /// For how long the lock is wanted at most: longer than all that may happen meanwhile, a host that is restarted
    /// included.
    pub(super) lease_ms: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Visited {
    /// The number of the grant.
    pub(super) number: u64,
    /// Who was in the room, this one included.
    pub(super) seen: Vec<String>,
    /// When it came in and when it left, in milliseconds since 1970.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
}

/// Is in a room in which there may be one at a time.
#[workflow(signals(GRANTED))]
pub(super) async fn visit(visit: Visit) -> Result<Visited, Failure> {
    let me = info().workflow_id;
    let lock = external(&visit.lock);
    let request = Request { by: me.clone(), lease_ms: visit.lease_ms };
    REQUEST.send_to(&lock, &request).await.context("ask for the lock")?;
    // Who gives up here has a turn all the same, until the lock finds out that nobody is there.
    let Granted { number, .. } = or_canceled(GRANTED.recv()).await?;
    let visited = stay(&me, number, Duration::from_millis(visit.stay_ms)).await;
    // In any case: who fails does not need the lock any more either.
    RELEASE.send_to(&lock, &Release { number }).await.context("release the lock")?;
    visited
}

async fn stay(me: &str, number: u64, time: Duration) -> Result<Visited, Failure> {
    let from_ms = ms(now());
    let Written {} =
        fs("fs.write", &Write { directory: "target", path: &path(me), content: "", create_parents: true })
            .await
            .context("come in")?;
    let Listing { entries } =
        fs("fs.list", &Place { directory: "target", path: ROOM }).await.context("look around")?;
    let seen: Vec<String> = entries.into_iter().map(|entry| entry.path).collect();
    sleep(time).await;
    let Removed {} =
        fs("fs.remove", &Place { directory: "target", path: &path(me) }).await.context("leave")?;
    if seen != [path(me)] {
        bail!("{me} was not alone: {}", seen.join(", "));
    }
    Ok(Visited { number, seen, from_ms, to_ms: ms(now()) })
}

/// A directory in which each visitor has a file.
const ROOM: &str = "room";

fn path(visitor: &str) -> String {
    format!("{ROOM}/{visitor}")
}

fn ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[derive(Serialize)]
struct Place<'a> {
    directory: &'static str,
    path: &'a str,
}

#[derive(Serialize)]
struct Write<'a> {
    directory: &'static str,
    path: &'a str,
    content: &'static str,
    create_parents: bool,
}

#[derive(Deserialize)]
struct Written {}

#[derive(Deserialize)]
struct Removed {}

#[derive(Deserialize)]
struct Listing {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
}

/// Each may be done twice, and then ends the same.
fn fs<T: DeserializeOwned>(name: &str, input: &impl Serialize) -> Activity<T> {
    activity(name, input).schedule_to_close(mins(1)).start_to_close(secs(20)).retry(Retry::default())
}
