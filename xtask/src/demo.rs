//! The main job, from nothing: a backup survives the death of its host.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::api::Event;
use crate::host::{self, Home, Host};
use crate::process::heading;
use crate::timeline::{self, Timeline};
use crate::workspace::Workspace;
use crate::{archive, guests};

/// The execution's id.
const ID: &str = "demo-backup";

/// The host is killed when this part of the files has been hashed: 1 in so many.
const KILLED_AFTER_ONE_IN: usize = 3;

/// Builds everything, kills the host in the middle of a backup of `dir`, and checks what became of it.
pub(crate) fn run(ws: &Workspace, dir: Option<&Path>) -> Result<()> {
    let began = Instant::now();
    let dir = dir.map_or_else(|| ws.root.join("host"), Path::to_owned);
    let dir = fs::canonicalize(&dir).with_context(|| format!("cannot back up {}", dir.display()))?;
    if !dir.is_dir() {
        bail!("cannot back up {}: it is not a directory", dir.display());
    }
    // What the demo made stays to be looked at until the next one, which must not take it from under a running one.
    let (_lock, place) = claim(ws)?;

    heading("building the host (the first time takes minutes, most of them for wasmtime)");
    ws.build_host()?;
    guests::build(ws)?;

    let home = Home::create(&place, &dir)?;
    tell(ws, &home, &dir).with_context(|| {
        format!("what is left of the demo, with the host's log, is in {}", place.display())
    })?;
    println!("\nAll of it held, in {} s.", began.elapsed().as_secs());
    say_what_next(ws, &home);
    Ok(())
}

/// The story, from the start of the host to its stop.
fn tell(ws: &Workspace, home: &Home, dir: &Path) -> Result<()> {
    heading("starting a host on an empty data directory");
    let host = Host::start(ws, home)?;
    println!("    process {} listens on {}", host.pid(), host.url());
    let wasm = fs::read(guests::path(ws, "backup"))?;
    let uploaded = host.api().upload("backup", &wasm)?;
    let digest = uploaded["digest"].as_str().unwrap_or_default();
    println!("    uploaded component backup: version {}, SHA-256 {digest}", uploaded["version"]);

    heading(&format!("backing up {}", dir.display()));
    host.api().start("backup", ID, &json!({}))?;
    println!("    started workflow backup as {ID}");
    let seen = host.api().follow(ID, far_enough)?;
    let pid = host.pid();
    host.kill()?;
    println!(
        "    killed process {pid} with SIGKILL when {} of {} files were hashed",
        hashed(&seen),
        files(&seen)
    );

    heading("starting the host again on the same data directory");
    let host = Host::start(ws, home)?;
    println!("    process {} listens on {}", host.pid(), host.url());
    let result = host.api().result(ID)?;
    if result["status"] != "completed" {
        bail!("the backup did not complete but is {}: {}", result["status"], result["failure"]);
    }
    println!("    the backup completed: {}", result["result"]);

    heading("the run's history");
    host::show(ws, &host, ID)?;

    heading("checking");
    let finished = host.api().history(ID)?;
    host.stop()?;
    let timeline = timeline::check(&seen, &finished)?;
    if !timeline::shows_a_crash(&finished) {
        bail!("the backup was over before the kill came; give the demo a directory with more files");
    }
    report_timeline(&timeline);
    let name = result["result"]["archive"].as_str().context("the result names no `archive`")?;
    let written = home.target().join(name);
    let compared = archive::compare(&written, dir)?;
    println!(
        "    {} is, byte for byte, what {} has: {} files, {} bytes",
        written.display(),
        dir.display(),
        compared.files,
        compared.bytes
    );
    Ok(())
}

/// An empty directory for one demo, and the lock that keeps a second one out while this one runs.
fn claim(ws: &Workspace) -> Result<(File, PathBuf)> {
    let place = ws.target.join("demo");
    fs::create_dir_all(&ws.target)?;
    let lock = File::create(place.with_extension("lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("another demo runs in {}; wait for its end", place.display()),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    if place.exists() {
        fs::remove_dir_all(&place)
            .with_context(|| format!("remove what the last demo left in {}", place.display()))?;
    }
    Ok((lock, place))
}

/// Whether the run is in its middle: some files are hashed, most are not.
fn far_enough(seen: &[Event]) -> bool {
    seen.iter().any(|event| event.completes("fs.list")) && hashed(seen) >= files(seen) / KILLED_AFTER_ONE_IN
}

fn hashed(seen: &[Event]) -> usize {
    seen.iter().filter(|event| event.completes("fs.hash")).count()
}

/// How many files the listing has; 0 before there is one.
fn files(seen: &[Event]) -> usize {
    let listing = seen.iter().find(|event| event.completes("fs.list"));
    let entries = listing.and_then(|event| event.attribute("result")["entries"].as_array());
    entries.map_or(0, |entries| entries.iter().filter(|entry| entry["kind"] == "file").count())
}

fn report_timeline(timeline: &Timeline) {
    println!(
        "    {:>4} activities were recorded before the kill, and none of them was done again",
        timeline.before
    );
    println!("    {:>4} were under way when it came, and were done again", timeline.again);
    println!("    {:>4} were done after it, for the first time", timeline.after);
}

fn say_what_next(ws: &Workspace, home: &Home) {
    let refrain = ws.binary("refrain");
    let from_here = |path: &Path| path.strip_prefix(&ws.root).unwrap_or(path).display().to_string();
    let (refrain, data, config) = (from_here(&refrain), from_here(&home.data()), from_here(&home.config()));
    println!(
        "\nThe host's data is still there. To look around, start it once more, and ask it from another terminal:\n\n    \
         {refrain} server --data-dir {data} --config {config}\n\n    \
         {refrain} workflow list\n    \
         {refrain} workflow show {ID} --calls     every call that the workflow made, clock and randomness included\n\n\
         examples/backup/src/lib.rs is the workflow; README.md tells how to write one."
    );
}
