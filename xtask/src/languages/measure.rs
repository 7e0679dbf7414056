//! What a component costs: measured on a host of its own, by what a client sees and what the system says of the process.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::api::Api;
use crate::background::Background;
use crate::workspace::Workspace;
use crate::{host, process};

/// No run that waits leaves the memory: not for its age, and not for the memory of all.
const KEEPS_ALL: &str = "[runtime]\nidle_timeout = \"1h\"\nresident_bytes = 17179869184\n";

/// Runs that are started one after the other.
const STARTS: usize = 20;
/// Runs that wait at the same time.
const WAITING: usize = 40;
/// Signals in the journal that is replayed.
const SIGNALS: u64 = 1_000;
/// Queries, each of which replays it.
const QUERIES: usize = 5;

/// What was measured of one component.
#[derive(Debug)]
pub(super) struct Measured {
    /// Its size.
    pub(super) bytes: u64,
    /// `refrain component push`: the component is checked, compiled and asked what it offers.
    pub(super) upload: Duration,
    /// From a start to the run's result, of the first run of a host that has the compiled code on its disk.
    pub(super) first: Duration,
    /// The same of runs that follow; the median.
    pub(super) next: Duration,
    /// Resident memory by which the host's process grew for each run that waits. Nothing where `/proc` does not tell it.
    pub(super) waiting: Option<u64>,
    /// Steps replayed in a second, without the time that an instance takes to start.
    pub(super) replay: f64,
}

/// The binary of the host: the one that is named, or the one that cargo built.
pub(super) fn host_binary(ws: &Workspace) -> Command {
    match env::var_os(host::GIVEN) {
        Some(path) => Command::new(path),
        None => host::ours(ws, "refrain"),
    }
}

/// Measures the suite's component in one language.
pub(super) fn measure(ws: &Workspace, component: &Path) -> Result<Measured> {
    let bytes = fs::metadata(component).with_context(|| format!("look at {}", component.display()))?.len();
    let dir = tempfile::Builder::new().prefix("languages-").tempdir_in(&ws.target)?;
    let began = Host::start(ws, dir.path())?;
    let upload = timed(|| {
        let mut push = host_binary(ws);
        push.args(["component", "push", "--name", "suite"]).arg(component);
        process::read(push.env("REFRAIN_ADDRESS", &began.url))
    })?;
    began.process.kill()?;

    let host = Host::start(ws, dir.path())?;
    let api = &host.api;
    let first = timed(|| run(api, "first"))?;
    let mut next = Vec::new();
    for index in 0..STARTS {
        next.push(timed(|| run(api, &format!("next-{index}")))?);
    }
    let replay = replay(api)?;
    let waiting = waiting(&host)?;
    Ok(Measured { bytes, upload, first, next: median(next), waiting, replay })
}

/// One run from its start to its end.
fn run(api: &Api, id: &str) -> Result<()> {
    api.start("log", id, &Value::Null)?;
    let ended = api.result(id)?;
    ensure!(ended["status"] == "completed", "{id}: {ended}");
    Ok(())
}

/// How fast a journal of many steps is replayed: a query is answered by an instance that is brought to where the run is.
fn replay(api: &Api) -> Result<f64> {
    for id in ["short", "long"] {
        api.start("query", id, &Value::Null)?;
    }
    for _ in 0..SIGNALS {
        api.signal("long", "add", &json!(1))?;
    }
    let steps = |id: &str| -> Result<f64> {
        api.describe(id)?["journal_steps"].as_f64().context("a description has no `journal_steps`")
    };
    let mut took = Vec::new();
    for (id, total) in [("short", 0), ("long", SIGNALS)] {
        let mut queries = Vec::new();
        for _ in 0..QUERIES {
            queries.push(timed(|| {
                let answer = api.query(id, "total")?;
                ensure!(answer == total, "the total of {id} is {answer}");
                Ok(())
            })?);
        }
        took.push(median(queries));
    }
    let more = (steps("long")? - steps("short")?).max(1.0);
    Ok(more / took[1].saturating_sub(took[0]).max(Duration::from_micros(1)).as_secs_f64())
}

/// What a run that waits costs in memory.
fn waiting(host: &Host) -> Result<Option<u64>> {
    let Some(before) = resident(host.process.pid()) else { return Ok(None) };
    for index in 0..WAITING {
        host.api.start("select", &format!("waits-{index}"), &json!({ "ms": 86_400_000 }))?;
    }
    for index in 0..WAITING {
        let id = format!("waits-{index}");
        host.api.follow(&id, |seen| seen.iter().any(|event| event.kind() == "timer-started"))?;
        ensure!(host.api.describe(&id)?["resident"] == true, "{id} left the memory before it was measured");
    }
    let after = resident(host.process.pid()).context("the host was there")?;
    Ok(Some(after.saturating_sub(before) / WAITING as u64))
}

/// The resident memory of a process, in bytes, where the system tells it.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

/// A host that keeps what waits in memory.
struct Host {
    process: Background,
    url: String,
    api: Api,
}

impl Host {
    fn start(ws: &Workspace, dir: &Path) -> Result<Self> {
        let mut command = host_binary(ws);
        let config = dir.join("refrain.toml");
        fs::write(&config, KEEPS_ALL)?;
        command.args(["server", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.join("data"));
        command.arg("--config").arg(config);
        let (process, url) = Background::serve(&mut command, &dir.join("host.log"))?;
        Ok(Self { api: Api::new(&url), process, url })
    }
}
