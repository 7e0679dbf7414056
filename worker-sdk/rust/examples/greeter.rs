//! A worker with three kinds of activities: async, blocking with heartbeats, and one that a person ends.
//!
//! ```sh
//! REFRAIN_TASK_QUEUE=greetings cargo run -p refrain-worker --example greeter
//! ```

use std::process::ExitCode;
use std::time::Duration;

use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Greet {
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    text: String,
}

struct Greeter;

impl Plugin for Greeter {
    fn name(&self) -> &str {
        "greeter"
    }

    fn activities(&self) -> Vec<Activity> {
        vec![
            Activity::new("greeter.greet", greet),
            Activity::blocking("greeter.greet-slowly", |ctx, input| greet_slowly(&ctx, &input)),
            Activity::new("greeter.ask-a-person", ask_a_person),
        ]
    }
}

async fn greet(_ctx: Context, input: Greet) -> Result<Greeting, ActivityError> {
    if input.name.is_empty() {
        return Err(ActivityError::invalid_input("field `name` is empty: give a name"));
    }
    Ok(Greeting { text: format!("Hello, {}!", input.name) })
}

/// Goes on where the attempt before it stopped, and stops when it is told to.
fn greet_slowly(ctx: &Context, input: &Greet) -> Result<Greeting, ActivityError> {
    let mut text: String = ctx.last_heartbeat()?.unwrap_or_default();
    for letter in input.name.chars().skip(text.chars().count()) {
        ctx.check_cancelled()?;
        std::thread::sleep(Duration::from_millis(500));
        text.push(letter);
        ctx.heartbeat(&text)?;
    }
    Ok(Greeting { text: format!("Hello, {text}!") })
}

/// Somebody completes it with `POST /v1/activities/complete {"task_token": ..., "result": {"text": ...}}`.
async fn ask_a_person(ctx: Context, input: Greet) -> Result<Greeting, ActivityError> {
    tracing::info!(task_token = ctx.task_token(), "how should {} be greeted?", input.name);
    Err(ActivityError::pending())
}

fn main() -> ExitCode {
    refrain_worker::run(vec![Box::new(Greeter)])
}
