//! How the languages compare, as a table in Markdown: measured here and now, by a machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::measure::{self, Measured};
use super::{Language, toolchain};
use crate::workspace::Workspace;
use crate::{host, process};

/// Rounds of the suite and how the table calls them.
const ROUNDS: [(&str, &str); 4] = [
    ("undisturbed", "same history"),
    ("killed", "after a kill"),
    ("swept", "kill at each turn"),
    ("replayed", "ends Rust's runs"),
];

/// Measures the languages that are built.
pub(super) fn make(ws: &Workspace) -> Result<String> {
    let verdicts = run_suite(ws)?;
    let mut costs = String::from(
        "| language | toolchain | component | compiled at upload | first run | next runs | waiting run | replay |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut passes = format!(
        "| language | {} |\n|---|{}\n",
        ROUNDS.map(|(_, title)| title).join(" | "),
        "---|".repeat(ROUNDS.len())
    );
    let mut missing = String::new();
    for language in Language::ALL {
        let title = language.title();
        let component = super::component(ws, language, "suite");
        if !component.exists() {
            let why = fs::read_to_string(language.output(ws).join("missing.txt"));
            let why = why.unwrap_or_else(|_| "its component is not built".to_owned());
            missing += &format!("Not measured: {title}; {why}.\n");
            continue;
        }
        process::heading(&format!("measuring {title}"));
        let tools = toolchain::find(ws, language)?.map_or_else(|missing| missing, |tools| tools.version);
        let measured = measure::measure(ws, &component).with_context(|| format!("measure {title}"))?;
        costs += &row(title, &tools, &measured);
        let verdicts = verdicts.get(language.name()).cloned().unwrap_or_default();
        passes += &format!(
            "| {title} |{}\n",
            ROUNDS.map(|(round, _)| format!(" {} |", passed(&verdicts, round))).concat()
        );
    }
    let blank = if missing.is_empty() { "" } else { "\n" };
    Ok(format!("{costs}\n{}\n{passes}{blank}{missing}", circumstances(ws)?))
}

fn row(title: &str, tools: &str, measured: &Measured) -> String {
    let Measured { bytes, upload, first, next, waiting, replay } = measured;
    let waiting = waiting.map_or_else(|| "not known".to_owned(), size);
    format!(
        "| {title} | {tools} | {} | {} | {} | {} | {waiting} | {replay:.0} steps/s |\n",
        size(*bytes),
        time(*upload),
        time(*first),
        time(*next),
    )
}

fn circumstances(ws: &Workspace) -> Result<String> {
    let version = process::read(measure::host_binary(ws).arg("--version"))?;
    let cores = thread::available_parallelism()?;
    let which =
        if std::env::var_os(host::GIVEN).is_some() { "a binary that was given" } else { "a debug build" };
    // Others' work on the machine makes every number worse.
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load =
        load.split(' ').next().filter(|load| !load.is_empty()).map(|load| format!(" at a load of {load}"));
    let load = load.unwrap_or_default();
    Ok(format!(
        "Measured on {cores} cores ({}){load} with {which} of {}. First run: of a host that was just started and has the compiled \
         code on its disk; both from the start to the result, over HTTP. Waiting run: resident memory of the host's process.\n",
        std::env::consts::ARCH,
        version.trim(),
    ))
}

/// Scenarios and whether they passed, by language and round.
type Verdicts = BTreeMap<String, Vec<Verdict>>;

#[derive(Clone, Debug)]
struct Verdict {
    round: String,
    scenario: String,
    passed: bool,
}

/// Runs the suite, whose tests write down what passes. That some do not is part of the answer.
fn run_suite(ws: &Workspace) -> Result<Verdicts> {
    process::heading("running the suite");
    let dir = tempfile::tempdir_in(&ws.target)?;
    let mut cargo = ws.cargo();
    // The whole workspace, as it is built already; a host that is given need not be.
    let which =
        if std::env::var_os(host::GIVEN).is_some() { "--package=refrain-tests" } else { "--workspace" };
    cargo.args(["test", "--quiet", which, "--test", "languages"]).env("REFRAIN_SUITE_REPORT", dir.path());
    if let Err(error) = process::run(&mut cargo) {
        println!("    {error:#}");
    }
    read_reports(dir.path())
}

fn read_reports(dir: &Path) -> Result<Verdicts> {
    let mut verdicts = Verdicts::new();
    for language in Language::ALL {
        let Ok(report) = fs::read_to_string(dir.join(format!("{}.txt", language.name()))) else { continue };
        let lines = report.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let (round, scenario, verdict) = (words.next()?, words.next()?, words.next()?);
            Some(Verdict {
                round: round.to_owned(),
                scenario: scenario.to_owned(),
                passed: verdict == "passed",
            })
        });
        verdicts.insert(language.name().to_owned(), lines.collect());
    }
    Ok(verdicts)
}

/// How many scenarios of a round passed, and which did not.
fn passed(verdicts: &[Verdict], round: &str) -> String {
    let of_round: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.round == round).collect();
    let failed: Vec<&str> =
        of_round.iter().filter(|verdict| !verdict.passed).map(|verdict| verdict.scenario.as_str()).collect();
    match (of_round.len(), failed.as_slice()) {
        (0, _) => "–".to_owned(),
        (all, []) => format!("{all} of {all}"),
        (all, failed) => format!("{} of {all}, not {}", all - failed.len(), failed.join(", ")),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn time(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    match ms {
        1_000.0.. => format!("{:.1} s", ms / 1e3),
        100.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.1} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_exact_as_people_read_them() {
        assert_eq!([size(1_832), size(21_561_195)], ["2 kB", "21.6 MB"]);
        assert_eq!(
            [1_234, 123_456, 12_345_678].map(|us| time(Duration::from_micros(us))),
            ["1.2 ms", "123 ms", "12.3 s"]
        );
    }

    #[test]
    fn what_fails_is_named() {
        let verdict =
            |scenario: &str, passed| Verdict { round: "killed".into(), scenario: scenario.into(), passed };
        let verdicts = [verdict("saga", true), verdict("timer", false)];
        assert_eq!(passed(&verdicts, "killed"), "1 of 2, not timer");
        assert_eq!(passed(&verdicts[..1], "killed"), "1 of 1");
        assert_eq!(passed(&verdicts, "swept"), "–");
    }
}
