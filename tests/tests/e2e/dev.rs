//! `refrain dev`: builds, uploads, and what is told of runs.

use std::fs;

use anyhow::{Context, Result, ensure};
use refrain_tests::{Dev, Host, PATIENCE, SOURCE, guest};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Makes the component of its source.
const COPY: &str = "mkdir -p out\ncp source.wasm out/plan.wasm\n";

/// What the workflow `planned` does in a round: see its source.
const PLAN: &str = "the plan of a round: t.";
/// No timer.
const IDLES: &str = "the plan of a round: ..";
/// Something that its author will have to mend.
const BROKEN: &str = "the plan of a round: t?";

/// The component of the load with another plan. The note makes it another one in any case.
fn component(plan: &str, note: u8) -> Result<Vec<u8>> {
    let mut wasm = guest("rust-bench")?;
    let place = wasm.windows(PLAN.len()).position(|text| text == PLAN.as_bytes()).context("the plan")?;
    ensure!(plan.len() == PLAN.len());
    wasm[place..][..plan.len()].copy_from_slice(plan.as_bytes());
    // A custom section with a name and nothing in it.
    wasm.extend([0, 2, 1, note]);
    Ok(wasm)
}

/// A project with the component, and `refrain dev` that has built and uploaded it.
async fn started(build: &str, arguments: &[&str]) -> Result<Dev> {
    let mut dev = Dev::project(build)?;
    dev.write(SOURCE, &component(PLAN, b'1')?)?;
    dev.start(arguments).await?;
    let pushed = dev.news_of("pushed").await?;
    assert_eq!((&pushed["name"], &pushed["version"]), (&json!("plan"), &json!(1)));
    Ok(dev)
}

/// Starts a run that waits for a signal after two timers.
async fn waiting_run(dev: &mut Dev, id: &str) -> Result<()> {
    dev.client().start("planned", id, json!({ "rounds": 2, "every_ms": 1 })).await?;
    dev.run_news(id, "waiting").await?;
    Ok(())
}

#[tokio::test]
async fn each_event_of_a_run_is_told_once() -> Result<()> {
    let mut dev = started(COPY, &[]).await?;
    dev.client().start("bench_signal", "listens", json!({ "n": 1 })).await?;
    let begun = dev.run_news("listens", "workflow-started").await?;
    assert_eq!(begun["event"]["attributes"]["component"], "plan");
    dev.run_news("listens", "waiting").await?;
    dev.client().signal("listens", "tick", json!(null)).await?;
    let next = dev.news(|news| news["id"] == "listens").await?;
    assert_eq!(next["event"]["type"], "signal-received", "nothing is told again");
    dev.run_news("listens", "workflow-completed").await?;
    // An activity that nobody has, so that it waits.
    dev.client().start("bench_hello", "asks", json!(null)).await?;
    let unserved = dev.run_news("asks", "unserved").await?;
    assert_eq!((&unserved["activity"], &unserved["op"]), (&json!("bench.noop"), &json!(1)));
    assert_eq!(unserved["reason"], "no worker polls task queue default");
    Ok(())
}

#[tokio::test]
async fn a_changed_source_is_built_and_pushed_and_open_runs_are_tried_with_it() -> Result<()> {
    let mut dev = started(COPY, &[]).await?;
    waiting_run(&mut dev, "a").await?;
    dev.write(SOURCE, &component(PLAN, b'2')?)?;
    dev.news(|news| news["type"] == "building" && news["changed"] == json!([SOURCE])).await?;
    assert_eq!(dev.news_of("pushed").await?["version"], 2);
    let checked = dev.news_of("checked").await?;
    assert_eq!((&checked["safe"], &checked["verdicts"]), (&json!(true), &json!({ "identical": 1 })));
    dev.write(SOURCE, &component(IDLES, b'3')?)?;
    assert_eq!(dev.news_of("pushed").await?["version"], 3);
    let checked = dev.news_of("checked").await?;
    assert_eq!((&checked["safe"], &checked["verdicts"]), (&json!(false), &json!({ "diverged": 1 })));
    let run = dev.client().describe("a").await?;
    assert_eq!((&run["version"], &run["status"]), (&json!(1), &json!("running")), "it stays as it is");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_built_or_is_refused_leaves_the_last_good_version() -> Result<()> {
    let mut dev = started(COPY, &[]).await?;
    dev.write("build.sh", b"echo 'no way' >&2\nexit 3\n")?;
    let failed = dev.news_of("build-failed").await?;
    assert_eq!((&failed["reason"], &failed["current_version"]), (&json!("exit status: 3"), &json!(1)));
    dev.write("build.sh", b"rm -f out/plan.wasm\n")?;
    let missing = dev.news_of("build-failed").await?;
    assert!(missing["reason"].as_str().is_some_and(|why| why.contains("out/plan.wasm")), "{missing}");
    dev.write(SOURCE, b"no component")?;
    dev.write("build.sh", COPY.as_bytes())?;
    let refused = dev.news_of("refused").await?;
    assert_eq!(refused["current_version"], 1);
    assert!(refused["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{refused}");
    dev.client().start("bench_sleep", "still", json!({ "ms": 1 })).await?;
    assert_eq!(dev.client().completed("still").await?, json!({ "n": 1 }));
    dev.write(SOURCE, &component(PLAN, b'2')?)?;
    assert_eq!(dev.news_of("pushed").await?["version"], 2);
    Ok(())
}

#[tokio::test]
async fn a_parked_run_is_told_and_goes_on_with_the_next_version() -> Result<()> {
    let mut dev = Dev::project(COPY)?;
    dev.write(SOURCE, &component(BROKEN, b'1')?)?;
    dev.start(&["--move-running"]).await?;
    dev.news_of("pushed").await?;
    dev.client().start("planned", "a", json!({ "rounds": 1, "every_ms": 1 })).await?;
    let parked = dev.run_news("a", "parked").await?;
    assert_eq!(parked["parked"]["kind"], "trap", "{parked}");
    dev.write(SOURCE, &component(PLAN, b'2')?)?;
    let moved = dev.news_of("moved").await?;
    assert_eq!((&moved["version"], &moved["safe"]), (&json!(2), &json!(true)));
    dev.run_news("a", "workflow-moved").await?;
    dev.run_news("a", "waiting").await?;
    Ok(())
}

#[tokio::test]
async fn runs_outlive_its_end_by_an_interrupt_or_a_kill() -> Result<()> {
    let mut dev = started(COPY, &[]).await?;
    waiting_run(&mut dev, "a").await?;
    let status = dev.interrupt().await?;
    assert!(status.success(), "{status}");
    dev.start(&[]).await?;
    let open = dev.news(|news| news["id"] == "a").await?;
    assert_eq!((&open["news"], &open["status"]), (&json!("open"), &json!("running")));
    assert_eq!(dev.news_of("unchanged").await?["current_version"], 1);
    dev.client().start("bench_sleep", "sleeper", json!({ "ms": 1_500 })).await?;
    dev.run_news("sleeper", "timer-started").await?;
    dev.kill9().await?;
    dev.start(&[]).await?;
    dev.run_news("sleeper", "workflow-completed").await?;
    assert_eq!(dev.client().completed("sleeper").await?, json!({ "n": 1 }));
    Ok(())
}

#[tokio::test]
async fn an_interrupt_ends_a_build_with_all_that_it_has_started() -> Result<()> {
    let mut dev = Dev::project("sh -c 'echo here; exec sleep 1000' > alive\n")?;
    // A process below the shell holds the pipe open for as long as it lives.
    let alive = dev.path("alive");
    ensure!(std::process::Command::new("mkfifo").arg(&alive).status()?.success());
    dev.start(&[]).await?;
    let mut reader = File::open(alive).await?;
    let mut said = [0; 5];
    reader.read_exact(&mut said).await?;
    assert_eq!(&said, b"here\n");
    let status = dev.interrupt().await?;
    assert!(status.success(), "{status}");
    assert_eq!(timeout(PATIENCE, reader.read(&mut said)).await??, 0, "nobody holds the pipe any more");
    Ok(())
}

#[tokio::test]
async fn a_build_that_changes_its_own_sources_comes_to_an_end() -> Result<()> {
    let count = "n=$(cat count 2> /dev/null || echo 0)\necho $((n + 1)) > count\n";
    let mut dev = started(&format!("{COPY}{count}"), &[]).await?;
    dev.write(SOURCE, &component(PLAN, b'2')?)?;
    assert_eq!(dev.news_of("pushed").await?["version"], 2);
    let note = dev.news(|news| news["message"].as_str().is_some_and(|words| words.contains("count"))).await?;
    assert!(note["message"].as_str().is_some_and(|words| words.contains(".gitignore")), "{note}");
    let builds: u32 = fs::read_to_string(dev.path("count"))?.trim().parse()?;
    assert_eq!(
        builds, 6,
        "the first one, that of the change, and some more, since it could have been a person"
    );
    dev.write(SOURCE, &component(PLAN, b'3')?)?;
    assert_eq!(dev.news_of("pushed").await?["version"], 3, "and it listens as before");
    Ok(())
}

#[tokio::test]
async fn what_refrain_toml_says_counts_from_when_it_is_saved() -> Result<()> {
    let mut dev = started(COPY, &[]).await?;
    let manifest =
        |build: &str| format!("name = \"plan\"\nbuild = {build:?}\ncomponent = \"out/plan.wasm\"\n");
    dev.write("refrain.toml", format!("{}wach = []\n", manifest("true")).as_bytes())?;
    let note = dev.news_of("note").await?;
    assert!(note["message"].as_str().is_some_and(|words| words.contains("did you mean `watch`?")), "{note}");
    let builds = |news: &Value, command: &str| {
        news["type"] == "building" && news["changed"] == json!(["refrain.toml"]) && news["command"] == command
    };
    dev.news(|news| builds(news, "sh -e build.sh")).await?;
    dev.write("refrain.toml", manifest("exit 7").as_bytes())?;
    dev.news(|news| builds(news, "exit 7")).await?;
    assert_eq!(dev.news_of("build-failed").await?["reason"], "exit status: 7");
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_there_can_be_used_also_when_it_is_away_for_a_while() -> Result<()> {
    let mut host = Host::start().await?;
    let proxy = host.proxy().await?;
    let mut dev = started(COPY, &["--address", proxy.url()]).await?;
    assert!(!dev.path(".refrain").exists(), "it starts none of its own");
    waiting_run(&mut dev, "a").await?;
    host.kill9().await?;
    host.restart().await?;
    host.client().signal("a", "tick", json!(null)).await?;
    dev.run_news("a", "signal-received").await?;
    dev.run_news("a", "workflow-completed").await?;
    Ok(())
}
