//! `off-peak`: the host is down for the whole time in which a job may be done. When it is back the job does not begin, as it
//! is too late for today, until it is told other hours.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};

/// A zone whose clocks are never set, and differ from all that is rounded to hours.
const ZONE: &str = "Asia/Kathmandu";
const AHEAD_OF_UTC: Duration = Duration::from_secs(5 * 3_600 + 45 * 60);

/// From the start to the hours in which it may be done: for the host to be killed in.
const OPENS_AFTER: Duration = Duration::from_secs(3);

/// How long they are: the host is down meanwhile.
const OPEN_FOR: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let began = since_1970()?;
    let (opens, closes) = (began + OPENS_AFTER, began + OPENS_AFTER + OPEN_FOR);
    let hours = json!({ "from": clock(opens), "to": clock(closes), "zone": ZONE });
    println!("    the index may be made from {} to {} in {ZONE}", clock(opens), clock(closes));
    let api = stage.api()?;
    let input = json!({ "hours": hours, "path": "index", "content": "of all that there is" });
    api.start("off-peak", "index", &input)?;
    let first = api.query("index", "plan")?;
    expect("waits", &first["waits"], &json!(true))?;
    println!("    begins at {}", first["at"]);
    ensure!(since_1970()? < opens, "this machine is too slow for the story: the hours have come already");
    stage.kill()?;
    // Of the story's own: the hours have to pass.
    thread::sleep((closes + Duration::from_millis(100)).saturating_sub(since_1970()?));
    println!("    it is {} there", clock(since_1970()?));
    stage.restart()?;

    let api = stage.api()?;
    api.follow("index", |seen| seen.iter().any(|event| event.kind() == "timer-fired"))?;
    println!("    the timer fired, too late for today");
    let second = api.query("index", "plan")?;
    expect("waits", &second["waits"], &json!(true))?;
    println!("    begins at {}", second["at"]);
    ensure!(first["at"] != second["at"] && time_of(&first) == time_of(&second), "that is not a day later");
    ensure!(!stage.target().join("index").exists(), "the index was made, though it may not be");

    println!("\n    hours that there are not:");
    api.signal("index", "hours", &json!({ "from": "00:00", "to": "23:59", "zone": "Mars/Olympus" }))?;
    expect("plan", &api.query("index", "plan")?, &second)?;
    println!("\n    other hours, which have begun:");
    let now = since_1970()?;
    let hours = json!({ "from": clock(now + DAY - Duration::from_secs(60)), "to": clock(now + Duration::from_secs(3_600)), "zone": ZONE });
    api.signal("index", "hours", &hours)?;
    let ended = api.result("index")?;
    expect("status", &ended["status"], &json!("completed"))?;
    expect("by the hours", &ended["result"]["hours"], &hours)?;
    println!("    began at {}", ended["result"]["at"]);
    ensure!(stage.target().join("index").is_file(), "the index was not made");
    stage.show("index")
}

fn since_1970() -> Result<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")
}

/// What the clocks show in the zone, to the second.
fn clock(at: Duration) -> String {
    let second = (at + AHEAD_OF_UTC).as_secs() % DAY.as_secs();
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// The time of day of a plan.
fn time_of(plan: &Value) -> Option<&str> {
    plan["at"].as_str()?.split_once('T').map(|(_, time)| time)
}
