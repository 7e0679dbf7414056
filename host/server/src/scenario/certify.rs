//! Whether a component is deterministic: the same scenario on hosts that a guest cannot tell apart leaves the same journals,
//! byte for byte. One of them does not optimize its code, one makes each instance anew, one replays before each
//! step; a component for which it matters has found a hole in the sandbox, or one in its language's runtime.

use std::collections::BTreeMap;
use std::path::Path;

use refrain_sandbox::{Building, SandboxOptions};
use refrain_testkit::{Code, CodeError, Life, TestError, TestHost};

use super::answers::Unanswered;
use super::expect::diff;
use super::file::Scenario;
use super::load::{Component, Loader, Suite, SuiteError};
use super::play::Play;
use super::suite::Unexpected;

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

/// Holds components to it.
pub struct Certifier {
    /// What is built alike is compiled once.
    loaders: Vec<(Building, Loader)>,
}

impl Certifier {
    /// For files that are about this component unless they name others.
    ///
    /// # Errors
    /// When code cannot be executed here.
    pub fn new(default: &Component) -> Result<Self, CodeError> {
        let mut loaders: Vec<(Building, Loader)> = Vec::new();
        for Variant { building, .. } in VARIANTS {
            if loaders.iter().all(|(known, _)| *known != building) {
                let max_instances = Some(INSTANCES);
                let options = SandboxOptions { building, max_instances, ..SandboxOptions::default() };
                loaders.push((building, Loader::new(Code::with(options)?, Some(default.clone()))));
            }
        }
        Ok(Self { loaders })
    }

    /// Plays each scenario of a file on all hosts, and tells what became of it.
    ///
    /// # Errors
    /// As [`Loader::open`].
    pub fn certify(&mut self, path: &Path, mut tell: impl FnMut(Certified)) -> Result<(), SuiteError> {
        let mut suites = Vec::new();
        for Variant { building, .. } in VARIANTS {
            let loader = self.loaders.iter_mut().find(|(of, _)| *of == building);
            let (_, loader) = loader.expect("there is one for each way to build");
            suites.push(loader.open(path)?);
        }
        for index in 0..suites[0].file.scenarios.len() {
            tell(scenario(&suites, index));
        }
        Ok(())
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
