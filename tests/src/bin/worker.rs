//! A worker for tests: its activities do what a test tells them. Configured by the environment, see
//! `refrain_tests::Worker`.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::time::Duration;

use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use refrain_tests::stage::{Entrance, Order, PUPPET, Remark};
use refrain_tests::worker::{ECHO, FLAKY, IDENTITY, SLOTS};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

/// Tests want to see what an attempt says as soon as it says it.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Deserialize)]
struct Script {
    /// Where the test waits for the attempt.
    stage: String,
}

#[derive(Deserialize)]
struct Flaky {
    /// The first attempt that succeeds.
    succeeds_at: u32,
}

struct Tests {
    identity: String,
}

impl Plugin for Tests {
    fn name(&self) -> &str {
        "test"
    }

    fn activities(&self) -> Vec<Activity> {
        let identity = self.identity.clone();
        vec![
            Activity::new(ECHO, |_: Context, input: Value| async move { Ok(input) }),
            Activity::new(FLAKY, |ctx, input| async move { flaky(&ctx, &input) }),
            Activity::new(PUPPET, move |ctx, input| puppet(identity.clone(), ctx, input)),
        ]
    }
}

/// Fails until its time has come, and then says which attempt it is.
fn flaky(ctx: &Context, input: &Flaky) -> Result<BTreeMap<&'static str, u32>, ActivityError> {
    if ctx.attempt() < input.succeeds_at {
        return Err(ActivityError::new("Flaky", format!("attempt {} fails", ctx.attempt())));
    }
    Ok(BTreeMap::from([("attempt", ctx.attempt())]))
}

/// Obeys.
async fn puppet(identity: String, ctx: Context, input: Script) -> Result<Value, ActivityError> {
    let (orders, mut stage) = TcpStream::connect(&input.stage).await?.into_split();
    let mut orders = BufReader::new(orders).lines();
    let entrance = Entrance {
        worker: identity,
        attempt: ctx.attempt(),
        task_token: ctx.task_token().to_owned(),
        last_heartbeat: ctx.last_heartbeat()?,
    };
    say(&mut stage, &entrance).await?;
    let mut told = false;
    loop {
        let line = tokio::select! {
            line = orders.next_line() => line?,
            reason = ctx.cancelled(), if !told => {
                told = true;
                say(&mut stage, &Remark { cancelled: reason.to_string() }).await?;
                continue;
            }
        };
        let Some(line) = line else { return Err(ActivityError::new("Abandoned", "the test is gone")) };
        match serde_json::from_str(&line)? {
            Order::Heartbeat { details } => ctx.heartbeat(details)?,
            Order::Complete { result } => return Ok(result),
            Order::Fail { error_type, message, non_retryable: false } => {
                return Err(ActivityError::new(error_type, message));
            }
            Order::Fail { error_type, message, non_retryable: true } => {
                return Err(ActivityError::non_retryable(error_type, message));
            }
            Order::Stop => {
                let reason = ctx.cancel_reason();
                return Err(reason.map_or_else(
                    || ActivityError::non_retryable("Misled", "was to stop, and nobody else wants it"),
                    ActivityError::cancelled,
                ));
            }
            Order::Pending => return Err(ActivityError::pending()),
        }
    }
}

async fn say(stage: &mut OwnedWriteHalf, what: &impl Serialize) -> Result<(), ActivityError> {
    let line = serde_json::to_string(what)? + "\n";
    Ok(stage.write_all(line.as_bytes()).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let identity = env::var(IDENTITY)?;
    let slots = env::var(SLOTS)?.parse()?;
    let worker = refrain_worker::Worker::from_env()
        .identity(&identity)
        .slots(slots)
        .max_heartbeat_interval(HEARTBEAT_INTERVAL)
        .plugin(Tests { identity })
        .build()?;
    Ok(worker.run().await?)
}
