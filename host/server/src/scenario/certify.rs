//! Whether a component is deterministic: the same scenario on hosts that a guest cannot tell apart leaves the same journals,
//! byte for byte, and each run has the same memory at its end. One of them does not optimize its code, one makes each
//! instance anew, one replays before each step; a component for which it matters has found a hole in the sandbox, or one
//! in its language's runtime.

use std::collections::BTreeMap;
use std::path::Path;

use futures::executor::block_on;
use refrain_engine::export::Exported;
use refrain_engine::guest::Image;
use refrain_engine::ids::Digest;
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
        building: Building { unoptimized: true, unpooled: true, ..FAST },
        evicts: true,
    },
];

const FAST: Building = Building { unoptimized: false, unpooled: false, uninterrupted: false, images: true };

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
    /// The bytes of their journals.
    pub bytes: usize,
    /// The bytes of their memories, each at its run's end.
    pub memory_bytes: usize,
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
    let mut certified =
        Certified { name, runs: 0, bytes: 0, memory_bytes: 0, differs: Vec::new(), left_out: None };
    let mut reference = None;
    for (variant, suite) in VARIANTS.iter().zip(suites) {
        let left = left(suite, &suite.file.scenarios[index], variant);
        if let Err(why) = &left
            && why.contains(STACK_OVERFLOW)
        {
            certified.left_out = Some(format!("its stack overflows ({})", variant.name));
            return certified;
        }
        match &reference {
            None => {
                match &left {
                    Ok(left) => {
                        certified.runs = left.len();
                        certified.bytes = left.values().map(|left| left.journal.len()).sum();
                        certified.memory_bytes = left.values().map(|left| left.memory.bytes).sum();
                    }
                    // What cannot be played is the same everywhere, and says nothing.
                    Err(why) => {
                        certified.differs.push(Unexpected::new("it cannot be played", why));
                        return certified;
                    }
                }
                reference = Some(left);
            }
            Some(reference) if *reference == left => {}
            Some(reference) => {
                let details = diff(&words(reference), &words(&left));
                certified.differs.push(Unexpected::new(format!("with {}", variant.name), details));
            }
        }
    }
    certified
}

/// What a run leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Left {
    journal: String,
    memory: Memory,
}

/// What the memory of a run is at its end. A run that has made no call has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Memory {
    digest: Option<Digest>,
    bytes: usize,
}

/// What all runs of a scenario leave, by execution and run; or why they leave nothing.
type AllLeft = Result<BTreeMap<String, Left>, String>;

fn left(suite: &Suite, scenario: &Scenario, variant: &Variant) -> AllLeft {
    let play = Play { file: &suite.file, scenario, code: &suite.code, unanswered: Unanswered::default() };
    let host: TestHost = play.host(scenario.seed)?;
    let mut host = if variant.evicts { host.evicting() } else { host };
    let played = host.live(async |life: Life| {
        let ended = play.play(life.clone()).await?.ended;
        let mut journals = Vec::new();
        for run in life.runs().await? {
            let id = run.workflow_id.to_string();
            let journal = life.export(&id, Some(run.run_id)).await?;
            journals.push((format!("{id} {}", run.run_id), journal));
        }
        match ended {
            Err(TestError::Stuck { ref state, .. }) if !state.contains(STACK_OVERFLOW) => Ok(journals),
            // One that does not end has a journal like any other, unless its code could not go on.
            ended => ended.map(|_| journals),
        }
    });
    let journals = played.map_err(|error| error.to_string())?;
    let left = journals.into_iter().map(|(run, journal)| {
        let memory = block_on(memory(host.code(), &journal))?;
        Ok((run, Left { journal: String::from_utf8_lossy(&journal).into_owned(), memory }))
    });
    left.collect()
}

/// Looks at the memory of a run at the last call that leaves an image: code that returns leaves none.
async fn memory(code: &Code, journal: &[u8]) -> Result<Memory, String> {
    let history = Exported::read(journal).map_err(|error| error.to_string())?;
    let debugger = code.debugger(history).map_err(|error| error.to_string())?;
    let calls = debugger.calls().await.map_err(|error| error.to_string())?.calls.len() as u64;
    for call in (1..=calls).rev() {
        let stopped = debugger.at(call).await.map_err(|error| error.to_string())?;
        if let Some(Image { memory, memory_bytes, .. }) = stopped.image {
            return Ok(Memory { digest: Some(memory), bytes: memory_bytes });
        }
    }
    Ok(Memory::default())
}

fn words(left: &AllLeft) -> String {
    let run = |(run, Left { journal, memory }): (&String, &Left)| {
        let Memory { digest, bytes } = memory;
        let digest = digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        format!("{run}\n{journal}memory at its end: {bytes} bytes, {digest}\n")
    };
    match left {
        Ok(left) => left.iter().map(run).collect(),
        Err(why) => format!("{why}\n"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_differs_in_memory_alone_is_told() {
        let left = |memory| {
            let memory = Memory { digest: Some(Digest([memory; 32])), bytes: 65_536 };
            Ok(BTreeMap::from([("a 0199".to_owned(), Left { journal: "{}\n".to_owned(), memory })]))
        };
        let (one, other): (AllLeft, AllLeft) = (left(1), left(2));
        assert_ne!(one, other);
        expect![[r#"
              a 0199
              {}
            - memory at its end: 65536 bytes, 0101010101010101010101010101010101010101010101010101010101010101
            + memory at its end: 65536 bytes, 0202020202020202020202020202020202020202020202020202020202020202"#]].assert_eq(&diff(&words(&one), &words(&other)));
    }
}
