//! `refrain test`: scenarios in files, played in virtual time.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use refrain_tests::{guest_path, target_dir};
use serde_json::Value;
use tempfile::TempDir;

use super::replay::{alone, lines};

/// The examples that have scenarios.
const EXAMPLES: [&str; 5] = ["approval", "fan-out", "order-saga", "podcast-pipeline", "reminder"];

/// One that passes, and one that does not.
const SCENARIOS: &str = r#"
[[scenario]]
name = "a month of reminders"
workflow = "reminder"
input = { message = "water the plants", every_ms = 86400000, give_up_after_ms = 2592000000 }
expect = { elapsed = "30d", history = true }

[[scenario]]
name = "somebody did it"
workflow = "reminder"
input = { message = "water the plants", every_ms = 86400000, give_up_after_ms = 2592000000 }
events = [
    { at = "2d 12h", query = "status", answer = { reminders = 3, waiting = true } },
    { at = "3d 12h", signal = "done", input = { by = "Ada" } },
]
expect = { result = { reminders = 3, answered_by = "Charles" }, calls = ["timer 30d", "timer 1d"] }
"#;

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path")
}

/// The last line of `--json`.
fn summary(words: &str) -> Result<Value> {
    lines(words)?.pop().with_context(|| words.to_owned())
}

/// Plays an example's scenarios with a component, and kills its hosts everywhere.
async fn survives(example: &str, component: &Path) -> Result<()> {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example).join("scenarios");
    let (scenarios, component) = (path(&scenarios)?, path(component)?);
    let arguments = ["test", scenarios, "--component", component, "--crash-everywhere", "--json"];
    let (code, words) = alone(&arguments).await?;
    ensure!(code == Some(0), "{component}: {words}");
    assert_eq!(summary(&words)?["failed"], 0);
    let crashes = lines(&words)?.iter().filter_map(|line| line["crashes"].as_u64()).sum::<u64>();
    ensure!(crashes > 10, "{component} was killed {crashes} times");
    Ok(())
}

#[tokio::test]
async fn the_scenarios_of_the_examples_pass_with_hosts_that_are_killed_everywhere() -> Result<()> {
    for example in EXAMPLES {
        survives(example, &guest_path(example)?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn one_file_of_scenarios_tests_the_same_workflow_in_each_language() -> Result<()> {
    for language in ["python", "js", "go", "c"] {
        let component = target_dir()?.join("guests-languages").join(language).join("approval.wasm");
        // That a machine has no tools for a language is said by who builds the components.
        if component.exists() {
            survives("approval", &component).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_as_expected_is_shown_and_histories_are_accepted() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("reminders.toml");
    fs::write(&file, SCENARIOS)?;
    let (component, junit) = (guest_path("reminder")?, folder.path().join("junit.xml"));
    let (file, component, junit) = (path(&file)?, path(&component)?, path(&junit)?);
    let test = ["test", file, "--component", component];
    let (code, words) = alone(&[&test[..], &["--junit", junit]].concat()).await?;
    assert_eq!(code, Some(1), "{words}");
    for part in [
        "FAIL  a month of reminders (30d in ",
        "none was accepted yet",
        "FAIL  somebody did it (3d 12h in ",
        // What was expected, what came, and the reminders of the second and the third day are calls, too.
        "-   \"answered_by\": \"Charles\"",
        "+   \"answered_by\": \"Ada\"",
        "events[0], query status at 2d 12h",
        "+ timer 1d",
        "0 passed, 2 failed",
    ] {
        ensure!(words.contains(part), "{part:?} is not in\n{words}");
    }
    let report = fs::read_to_string(junit)?;
    ensure!(
        report.contains("tests=\"2\" skipped=\"0\" failures=\"2\"") && report.contains("answered_by"),
        "{report}"
    );

    let month = [&test[..], &["--filter", "month"]].concat();
    let (code, words) = alone(&[&month[..], &["--bless"]].concat()).await?;
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = alone(&[&month[..], &["--seeds", "3", "--crash-everywhere"]].concat()).await?;
    ensure!(code == Some(0) && words.contains("1 passed, 0 failed"), "{words}");

    let history = folder.path().join("snapshots/reminders/a-month-of-reminders.history");
    fs::write(&history, fs::read_to_string(&history)?.replace("reminder=7", "reminder=8"))?;
    let (code, words) = alone(&month).await?;
    ensure!(code == Some(1) && words.contains("- +7d") && words.contains("+ +7d"), "{words}");
    Ok(())
}

/// Nobody takes the first signal and the first query, and all would be well without the third.
const MISSPELT: &str = r#"
[[scenario]]
name = "misspelt"
workflow = "reminder"
input = { message = "water the plants", every_ms = 86400000, give_up_after_ms = 2592000000 }
time_limit = "7d"
events = [
    { at = "1d", signal = "doen", input = { by = "Ada" } },
    { at = "2d", query = "reminders" },
]

[[scenario]]
name = "superfluous"
workflow = "reminder"
input = { message = "water the plants", every_ms = 86400000, give_up_after_ms = 2592000000 }
events = [{ at = "1d", signal = "doen", input = { by = "Ada" } }]
"#;

#[tokio::test]
async fn of_a_scenario_that_fails_it_is_said_which_of_its_messages_no_workflow_declares() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("misspelt.toml");
    fs::write(&file, MISSPELT)?;
    let component = guest_path("reminder")?;
    let test = ["test", path(&file)?, "--component", path(&component)?];
    let (code, words) = alone(&test).await?;
    ensure!(code == Some(1) && words.contains("1 passed, 1 failed"), "{words}");
    for remark in [
        "events[0], signal doen at 1d: \"reminder\" declares no such signal; did you mean \"done\"?",
        "events[1], query reminders at 2d: \"reminder\" declares no such query; it declares \"status\"",
    ] {
        assert_eq!(words.matches(remark).count(), 1, "{words}");
    }
    let (_, words) = alone(&[&test[..], &["--json"]].concat()).await?;
    let remarks: Vec<usize> =
        lines(&words)?.iter().filter_map(|line| line["remarks"].as_array()).map(Vec::len).collect();
    assert_eq!(remarks, [2, 0], "{words}");
    Ok(())
}

/// No time passes between its runs, so no time limit ends it.
const ENDLESS: &str = r#"
[[scenario]]
name = "endless"
workflow = "chain"
input = { per_run = 0, until = 1 }
run_limit = 50
"#;

#[tokio::test]
async fn a_scenario_that_goes_on_from_run_to_run_is_ended_with_their_number() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("endless.toml");
    fs::write(&file, ENDLESS)?;
    let component = guest_path("rust-bench")?;
    let (code, words) = alone(&["test", path(&file)?, "--component", path(&component)?]).await?;
    let said = "workflow \"test\" goes on from run to run: it has begun more than 50, the last of type \"chain\", within 0s";
    ensure!(code == Some(1) && words.contains(said) && words.contains("raise `run_limit`"), "{words}");
    Ok(())
}

#[tokio::test]
async fn a_file_of_no_scenarios_is_refused_with_its_place_and_the_remedy() -> Result<()> {
    let folder = TempDir::new()?;
    let component = guest_path("reminder")?;
    let component = path(&component)?;
    let cases = [
        ("[[scenario]]\nname = \"a\"\n", "missing field `workflow`"),
        ("[[scenario]]\nname = \"a\"\nworkflow = \"w\"\nexpext = {}\n", "did you mean `expect`?"),
    ];
    for (text, part) in cases {
        let file = folder.path().join("s.toml");
        fs::write(&file, text)?;
        let (code, words) = alone(&["test", path(&file)?, "--component", component]).await?;
        ensure!(code == Some(2) && words.contains(part) && words.contains("s.toml"), "{words}");
    }
    let file = folder.path().join("s.toml");
    fs::write(&file, "[[scenario]]\nname = \"a\"\nworkflow = \"w\"\n")?;
    let (code, words) = alone(&["test", path(&file)?]).await?;
    ensure!(code == Some(2) && words.contains("no component is given"), "{words}");
    let (code, words) = alone(&["test", path(&file)?, "--component", component]).await?;
    ensure!(code == Some(1) && words.contains("no component defines workflow type \"w\""), "{words}");
    let (code, words) = alone(&["test", path(&file)?, "--component", component, "--filter", "b"]).await?;
    ensure!(code == Some(2) && words.contains("no scenario has \"b\" in its name"), "{words}");
    Ok(())
}

/// What real plugins do is done on each host: the archive of the first is in the way of the second. That is no fault of the
/// component's, and looks like one.
const BACKUP: &str = r#"
[plugins.fs.directories]
source = { path = "SOURCE" }
target = { path = "TARGET", writable = true }

[activities]
"fs.list" = { real = true }
"fs.hash" = { real = true }
"fs.archive" = { real = true }
"fs.verify_archive" = { real = true }
"fs.rename" = { real = true }
"fs.remove" = { real = true }
"fs.write" = { real = true }

[[scenario]]
name = "a backup"
workflow = "backup"
input = { source = "source", target = "target", archive = "b.tar" }
"#;

#[tokio::test]
async fn a_component_is_deterministic_on_hosts_that_it_cannot_tell_apart() -> Result<()> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let (scenarios, component) = (examples.join("order-saga/scenarios"), guest_path("order-saga")?);
    let check = ["component", "check", path(&component)?, "--scenarios", path(&scenarios)?];
    let (code, words) = alone(&check).await?;
    ensure!(code == Some(0) && words.contains("3 scenarios the same everywhere, 0 not"), "{words}");
    ensure!(words.contains("unoptimized code") && words.contains("a replay before each step"), "{words}");
    ensure!(!words.contains("memory 0 B"), "the memory of each was compared: {words}");

    // Children that are answered leave journals, too.
    let (scenarios, component) =
        (examples.join("podcast-pipeline/scenarios"), guest_path("podcast-pipeline")?);
    let check = ["component", "check", path(&component)?, "--scenarios", path(&scenarios)?];
    let (code, words) = alone(&check).await?;
    ensure!(code == Some(0) && words.contains("(8 runs, "), "{words}");

    let folder = TempDir::new()?;
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    for directory in [&source, &target] {
        fs::create_dir(directory)?;
    }
    let file = folder.path().join("backup.toml");
    fs::write(&file, BACKUP.replace("SOURCE", path(&source)?).replace("TARGET", path(&target)?))?;
    let backup = guest_path("backup")?;
    let (code, words) = alone(&["component", "check", path(&backup)?, "--scenarios", path(&file)?]).await?;
    ensure!(code == Some(8) && words.contains("DIFFERS   a backup"), "{words}");
    ensure!(words.contains("with unoptimized code") && words.contains("AlreadyExists"), "{words}");

    fs::write(&file, "[[scenario]]\nname = \"a\"\nworkflow = \"none\"\n")?;
    let (code, words) = alone(&["component", "check", path(&backup)?, "--scenarios", path(&file)?]).await?;
    ensure!(code == Some(8) && words.contains("it cannot be played"), "{words}");
    Ok(())
}
