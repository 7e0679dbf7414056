//! Many scenarios: played on all processors, and judged.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use refrain_testkit::{TestError, crash_everywhere};

use super::answers::Unanswered;
pub use super::expect::Unexpected;
use super::expect::{ENDLESS, diff, unexpected};
use super::file::Scenario;
use super::load::Suite;
use super::play::{Essence, Observed, Play};

/// How scenarios are played.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only those with this in their name.
    pub filter: Option<String>,
    /// Also with a host that is killed before and after each of its writes, and with one that evicts at each wait.
    pub crash_everywhere: bool,
    /// With so many seeds, from the scenario's own on.
    pub seeds: u64,
    /// Histories that differ are accepted.
    pub bless: bool,
    /// So many at once.
    pub jobs: usize,
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file that it is in.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// What was not as expected. Empty: it passed.
    pub unexpected: Vec<Unexpected>,
    /// What may be why. Of what passed there is nothing to remark.
    pub remarks: Vec<String>,
    /// How long the execution took, in virtual time.
    pub virtual_time: Duration,
    /// How long all of it took here.
    pub real_time: Duration,
    /// How often its host was killed.
    pub crashes: u64,
    /// Its history was accepted.
    pub blessed: bool,
}

/// The folder of the histories that were accepted, beside the files of scenarios.
const SNAPSHOTS: &str = "snapshots";

/// Of crashes that come to the same, so many are told.
const SHOWN_CRASHES: usize = 3;

/// Plays all scenarios of these files, and tells of each in the order of the files.
pub fn run(suites: &[Suite], options: &Options, mut tell: impl FnMut(Report)) {
    let is_meant =
        |scenario: &Scenario| options.filter.as_ref().is_none_or(|part| scenario.name.contains(part));
    let all: Vec<(&Suite, &Scenario)> = suites
        .iter()
        .flat_map(|suite| suite.file.scenarios.iter().map(move |scenario| (suite, scenario)))
        .filter(|(_, scenario)| is_meant(scenario))
        .collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (done, reports) = mpsc::channel();
        for _ in 0..options.jobs.clamp(1, all.len().max(1)) {
            let (all, next, done) = (&all, &next, done.clone());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((suite, scenario)) = all.get(index) else { break };
                    // Nobody hears it when the command has ended.
                    let _unheard = done.send((index, report(suite, scenario, options)));
                }
            });
        }
        drop(done);
        let mut waiting = BTreeMap::new();
        let mut told = 0;
        for (index, report) in reports {
            waiting.insert(index, report);
            while let Some(report) = waiting.remove(&told) {
                tell(report);
                told += 1;
            }
        }
    });
}

fn report(suite: &Suite, scenario: &Scenario, options: &Options) -> Report {
    let began = Instant::now();
    let mut report = Report {
        path: suite.path.clone(),
        name: scenario.name.clone(),
        unexpected: Vec::new(),
        remarks: Vec::new(),
        virtual_time: Duration::ZERO,
        real_time: Duration::ZERO,
        crashes: 0,
        blessed: false,
    };
    let judged = catch_unwind(AssertUnwindSafe(|| judge(suite, scenario, options, &mut report)));
    match judged {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => report.unexpected.push(Unexpected::new("the scenario", problem)),
        Err(_) => report.unexpected.push(Unexpected::new("the host", "it panicked; its message is above")),
    }
    report.real_time = began.elapsed();
    report
}

fn judge(suite: &Suite, scenario: &Scenario, options: &Options, report: &mut Report) -> Result<(), String> {
    let unanswered = Unanswered::default();
    let play = Play { file: &suite.file, scenario, code: &suite.code, unanswered: unanswered.clone() };
    for seed in scenario.seed..scenario.seed.saturating_add(options.seeds.max(1)) {
        let observed = play.host(seed)?.live(async |life| play.play(life).await);
        let observed = observed.map_err(|error| error.to_string())?;
        let mut found = unexpected(scenario, &observed);
        if seed == scenario.seed {
            report.virtual_time = observed.elapsed;
            if observed.ended.is_ok() {
                found.extend(compare_history(suite, scenario, &observed, options.bless, report)?);
            }
        }
        let missing = unanswered.unexpected();
        if !missing.is_empty() {
            // What is missing says more than what does not end without it.
            found.retain(|unexpected| unexpected.what != ENDLESS);
        }
        found.extend(missing);
        if !found.is_empty() {
            report.remarks = observed.remarks;
            let by_seed = options.seeds > 1;
            report.unexpected.extend(found.into_iter().map(|unexpected| match by_seed {
                true => Unexpected { what: format!("with seed {seed}: {}", unexpected.what), ..unexpected },
                false => unexpected,
            }));
            return Ok(());
        }
    }
    if options.crash_everywhere {
        crash(&play, scenario.seed, report)?;
    }
    Ok(())
}

/// Kills its host everywhere.
fn crash(play: &Play<'_>, seed: u64, report: &mut Report) -> Result<(), String> {
    // That it can be made was seen.
    play.host(seed)?;
    let host = || play.host(seed).expect("a host as before");
    let swept = crash_everywhere(host, async |life| play.play(life).await.map(|observed| observed.essence));
    let swept = swept.map_err(|error: TestError| error.to_string())?;
    report.crashes = swept.crashes;
    let differs = swept.differs.len();
    for differs in swept.differs.into_iter().take(SHOWN_CRASHES) {
        let details = match differs.observed {
            Ok(essence) => diff(&words(&swept.undisturbed), &words(&essence)),
            Err(error) => error.to_string(),
        };
        report
            .unexpected
            .push(Unexpected::new(format!("with a host that was {}", differs.disturbed), details));
    }
    if differs > SHOWN_CRASHES {
        let more = format!("and with {} others", differs - SHOWN_CRASHES);
        report.unexpected.push(Unexpected::new("crashes", more));
    }
    Ok(())
}

fn words(essence: &Essence) -> String {
    let calls = essence
        .calls
        .iter()
        .map(|(of, calls)| calls.iter().map(|call| format!("{of}: {call}\n")).collect::<String>());
    let refused = essence.refused.iter().map(|refused| format!("{refused}\n"));
    format!("{}{}{}\n", calls.collect::<String>(), refused.collect::<String>(), essence.outcome)
}

fn compare_history(
    suite: &Suite,
    scenario: &Scenario,
    observed: &Observed,
    bless: bool,
    report: &mut Report,
) -> Result<Option<Unexpected>, String> {
    if !scenario.expect.history {
        return Ok(None);
    }
    let path = snapshot(&suite.path, scenario);
    let accepted = match fs::read_to_string(&path) {
        Ok(text) => Some(text.replace("\r\n", "\n")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    if accepted.as_ref() == Some(&observed.history) {
        return Ok(None);
    }
    if bless {
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            fs::write(&path, &observed.history)
        };
        write().map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        report.blessed = true;
        return Ok(None);
    }
    let details = match accepted {
        Some(accepted) => diff(&accepted, &observed.history),
        None => format!("none was accepted yet; this is it:\n{}", observed.history.trim_end()),
    };
    let what = format!("history, which --bless writes to {}", path.display());
    Ok(Some(Unexpected::new(what, details)))
}

/// Where a scenario's history is: `snapshots/FILE/a-name.history`.
fn snapshot(file: &Path, scenario: &Scenario) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new("")).join(SNAPSHOTS);
    folder.join(file.file_stem().unwrap_or_default()).join(format!("{}.history", scenario.slug()))
}

#[cfg(test)]
mod tests;
