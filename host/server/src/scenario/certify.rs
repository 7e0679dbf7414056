//! Whether a component is deterministic: the same scenario on hosts that a guest cannot tell apart leaves the same journals,
//! byte for byte. One of them does not optimize its code, one makes each instance anew, one replays before each
//! step; a component for which it matters has found a hole in the sandbox, or one in its language's runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use refrain_sandbox::{Building, SandboxOptions};
use refrain_testkit::{Code, CodeError, Life, TestError, TestHost};

use super::answers::Unanswered;
use super::expect::diff;
use super::file::Scenario;
use super::play::Play;
use super::suite::{Suite, SuiteError, Unexpected};

/// A host that scenarios are played on.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// What is particular about it.
    pub name: &'static str,
    building: Building,
    evicts: bool,
}

/// The hosts. The first one is as a host is, and the others are compared with it.
pub const VARIANTS: [Variant; 5] = [
    Variant { name: "as a host does it", building: FAST, evicts: false },
    Variant { name: "unoptimized code", building: Building { unoptimized: true, ..FAST }, evicts: false },
    Variant {
        name: "instances without a pool",
        building: Building { unpooled: true, ..FAST },
        evicts: false,
    },
    Variant { name: "a replay before each step", building: FAST, evicts: true },
    Variant {
        name: "all of these at once",
        building: Building { unoptimized: true, unpooled: true },
        evicts: true,
    },
];

const FAST: Building = Building { unoptimized: false, unpooled: false };

/// Instances of one sandbox: those of a scenario's executions, and there is a sandbox for each way to build.
const INSTANCES: usize = 64;

/// The words by which wasmtime tells of a stack that overflowed. How deep it gets depends on the code generator, so such a
/// scenario says nothing about the component.
const STACK_OVERFLOW: &str = "call stack exhausted";

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Its name.
    pub name: String,
    /// Runs whose journals were compared.
    pub runs: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Where they differ. Empty: nowhere.
    pub differs: Vec<Unexpected>,
    /// Why it was left out.
    pub left_out: Option<String>,
}

/// The code of each variant, with nothing in it yet.
///
/// # Errors
/// When code cannot be executed here.
pub fn codes() -> Result<Vec<Code>, CodeError> {
    let code = |variant: &Variant| {
        Code::with(SandboxOptions {
            building: variant.building,
            max_instances: Some(INSTANCES),
            ..SandboxOptions::default()
        })
    };
    VARIANTS.iter().map(code).collect()
}

/// Opens a file of scenarios once for each variant.
///
/// # Errors
/// As [`Suite::open`].
pub fn open(
    path: &Path,
    default: Option<&(String, PathBuf)>,
    codes: &[Code],
) -> Result<Vec<Suite>, SuiteError> {
    codes.iter().map(|code| Suite::open(path, default, code, &mut BTreeMap::new())).collect()
}

/// Plays each scenario of a file, which was opened once for each variant, and tells what became of it.
pub fn certify(suites: &[Suite], mut tell: impl FnMut(Certified)) {
    assert_eq!(suites.len(), VARIANTS.len(), "a suite for each variant");
    for index in 0..suites[0].file.scenarios.len() {
        tell(scenario(suites, index));
    }
}

fn scenario(suites: &[Suite], index: usize) -> Certified {
    let name = suites[0].file.scenarios[index].name.clone();
    let mut certified = Certified { name, runs: 0, bytes: 0, differs: Vec::new(), left_out: None };
    let mut reference = None;
    for (variant, suite) in VARIANTS.iter().zip(suites) {
        let journals = journals(suite, &suite.file.scenarios[index], variant);
        if let Err(why) = &journals
            && why.contains(STACK_OVERFLOW)
        {
            certified.left_out = Some(format!("its stack overflows ({})", variant.name));
            return certified;
        }
        match &reference {
            None => {
                match &journals {
                    Ok(journals) => {
                        certified.runs = journals.len();
                        certified.bytes = journals.values().map(String::len).sum();
                    }
                    // What cannot be played is the same everywhere, and says nothing.
                    Err(why) => {
                        certified.differs.push(Unexpected::new("it cannot be played", why));
                        return certified;
                    }
                }
                reference = Some(journals);
            }
            Some(reference) if *reference == journals => {}
            Some(reference) => {
                let details = diff(&words(reference), &words(&journals));
                certified.differs.push(Unexpected::new(format!("with {}", variant.name), details));
            }
        }
    }
    certified
}

/// The journals of all runs of a scenario, by execution and run; or why there is none.
type Journals = Result<BTreeMap<String, String>, String>;

fn journals(suite: &Suite, scenario: &Scenario, variant: &Variant) -> Journals {
    let play = Play { file: &suite.file, scenario, code: &suite.code, unanswered: Unanswered::default() };
    let host: TestHost = play.host(scenario.seed)?;
    let mut host = if variant.evicts { host.evicting() } else { host };
    let played = host.live(async |life: Life| {
        let ended = play.play(life.clone()).await?.ended;
        let mut journals = BTreeMap::new();
        for run in life.runs().await? {
            let id = run.workflow_id.to_string();
            let journal = life.export(&id, Some(run.run_id)).await?;
            journals.insert(format!("{id} {}", run.run_id), String::from_utf8_lossy(&journal).into_owned());
        }
        match ended {
            Err(TestError::Stuck { ref state, .. }) if !state.contains(STACK_OVERFLOW) => Ok(journals),
            // One that does not end has a journal like any other, unless its code could not go on.
            ended => ended.map(|_| journals),
        }
    });
    played.map_err(|error| error.to_string())
}

fn words(journals: &Journals) -> String {
    match journals {
        Ok(journals) => journals.iter().map(|(run, journal)| format!("{run}\n{journal}")).collect(),
        Err(why) => format!("{why}\n"),
    }
}
