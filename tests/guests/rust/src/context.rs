//! What a run asks its host for besides work: time, randomness, and a log.

use std::time::Duration;

use refrain_sdk::{Failure, info, now, random_bytes, sleep, uuid, warn, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long.
#[derive(Deserialize, JsonSchema)]
pub struct Time {
    /// Milliseconds.
    pub ms: u64,
}

impl Time {
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

/// Sleeps.
#[workflow]
pub async fn timer(time: Time) -> Result<&'static str, Failure> {
    sleep(time.duration()).await;
    Ok("slept")
}

/// What is so of what was read.
#[derive(Serialize, JsonSchema)]
pub struct Reads {
    /// Whether the second look at the clock showed a later time.
    moves_on: bool,
    /// Whether the UUID is one of version 4, in lower case.
    uuid: bool,
    /// How many random bytes there were.
    bytes: usize,
}

/// Reads the clock twice, random bytes and a UUID, in this order.
#[workflow]
pub async fn reads() -> Result<Reads, Failure> {
    let (first, second) = (now(), now());
    let bytes = random_bytes(8).len();
    Ok(Reads { moves_on: second > first, uuid: is_version_4(&uuid()), bytes })
}

fn is_version_4(uuid: &str) -> bool {
    uuid.len() == 36
        && uuid.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Writes two lines to the run's log.
#[workflow]
pub async fn log() -> Result<(), Failure> {
    info!(n = 1, "hello");
    warn!("careful");
    Ok(())
}
