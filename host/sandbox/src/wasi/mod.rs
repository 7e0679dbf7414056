//! Virtual WASI 0.2: what language runtimes expect of a system, over the same run as the workflow's own imports.
//!
//! Nothing here reaches the machine. Clocks are the run's clock, randomness is the run's seed, a wait for time is a
//! durable timer, output is the run's log, variables and arguments are those that the run started with, and there are no
//! files and sockets. So what a program does by its language's own means is recorded and replayed like everything else:
//!
//! | interfaces | what they are | in the journal |
//! |---|---|---|
//! | `wasi:clocks` | the run's clock; monotonic time is that less the run's start | reads |
//! | `wasi:random` | the run's random stream, also where WASI asks for no secure one | reads |
//! | `wasi:io/poll` | ready at once, or the earliest deadline as one timer | `timer.start`, `wait.next` for it and the requests that are out |
//! | `wasi:http` | activities of the host's `http` plugin: see [`http`] | `activity.start` |
//! | `wasi:cli` output | the run's log, line by line | notes |
//! | `wasi:cli/exit` | the end of the run, as failed | `control.finish` |
//! | `wasi:cli/environment` | what the component was configured with | in what the run began with |
//! | `wasi:cli` input, terminals; preopens | empty | nothing: constants |
//! | `wasi:filesystem`, `wasi:sockets` | access denied: see [`denied`] | nothing: constants |
//!
//! A wait here takes timers and responses alone. Messages stay in the mailbox meanwhile.
//!
//! Handles are numbered for each instance, in the order of the guest's calls, and dropping one is no event: a
//! collector may do that when it likes. That is why a timer belongs to a wait, and not to the handle it waits for.

mod cli;
mod clocks;
pub(crate) mod denied;
pub(crate) mod http;
mod output;
mod poll;
mod random;
mod streams;

use refrain_engine::call::{Call, Read, Reply};
use refrain_engine::random::Random;
use refrain_engine::time::Timestamp;
use wasmtime::component::{Linker, ResourceTable};

use crate::state::{HostTrap, State, unexpected};
use http::Http;
use output::Output;

/// The release whose functions are here. Components of any other 0.2.x find them too.
const RELEASE: &str = "0.2.12";

/// Open handles of one instance. A runtime has a dozen; a program that never closes its own meets this before its
/// handles are a burden to the host.
const MAX_HANDLES: usize = 10_000;

/// When `describe` thinks that it is: 2020-01-01T00:00:00Z. A time that a runtime takes for possible, and the same for
/// each upload.
const DESCRIBE_TIME: Timestamp = Timestamp(1_577_836_800_000_000_000);

/// The seed of `describe`.
const DESCRIBE_SEED: [u8; 32] = [0; 32];

/// How far apart two reads of the clock are.
const CLOCK_TICK_NANOS: u32 = 1_000;

/// Every function that is really here, by interface; those of `wasi:http` are in [`http`]. The gate names what is missing.
const OFFERED: &[(&str, &[&str])] = &[
    ("wasi:cli/environment", &["get-arguments", "get-environment", "initial-cwd"]),
    ("wasi:cli/exit", &["exit"]),
    ("wasi:cli/stderr", &["get-stderr"]),
    ("wasi:cli/stdin", &["get-stdin"]),
    ("wasi:cli/stdout", &["get-stdout"]),
    ("wasi:cli/terminal-input", &[]),
    ("wasi:cli/terminal-output", &[]),
    ("wasi:cli/terminal-stderr", &["get-terminal-stderr"]),
    ("wasi:cli/terminal-stdin", &["get-terminal-stdin"]),
    ("wasi:cli/terminal-stdout", &["get-terminal-stdout"]),
    ("wasi:clocks/monotonic-clock", &["now", "resolution", "subscribe-duration", "subscribe-instant"]),
    ("wasi:clocks/wall-clock", &["now", "resolution"]),
    ("wasi:io/error", &["[method]error.to-debug-string"]),
    ("wasi:io/poll", &["[method]pollable.block", "[method]pollable.ready", "poll"]),
    (
        "wasi:io/streams",
        &[
            "[method]input-stream.blocking-read",
            "[method]input-stream.blocking-skip",
            "[method]input-stream.read",
            "[method]input-stream.skip",
            "[method]input-stream.subscribe",
            "[method]output-stream.blocking-flush",
            "[method]output-stream.blocking-splice",
            "[method]output-stream.blocking-write-and-flush",
            "[method]output-stream.blocking-write-zeroes-and-flush",
            "[method]output-stream.check-write",
            "[method]output-stream.flush",
            "[method]output-stream.splice",
            "[method]output-stream.subscribe",
            "[method]output-stream.write",
            "[method]output-stream.write-zeroes",
        ],
    ),
    ("wasi:random/insecure", &["get-insecure-random-bytes", "get-insecure-random-u64"]),
    ("wasi:random/insecure-seed", &["insecure-seed"]),
    ("wasi:random/random", &["get-random-bytes", "get-random-u64"]),
];

/// The functions of this interface; `None` if there is no such interface here.
pub(crate) fn offered(interface: &str) -> Option<&'static [&'static str]> {
    let all = OFFERED.iter().chain(http::OFFERED);
    all.into_iter().find(|(offered, _)| *offered == interface).map(|(_, functions)| *functions)
}

/// What an instance has of a system.
pub(crate) struct Wasi {
    handles: ResourceTable,
    output: Output,
    pub(crate) http: Http,
    /// The time and the randomness of `describe`, which has no run.
    describe: DescribeSource,
}

struct DescribeSource {
    time: Timestamp,
    random: Random,
}

impl Default for Wasi {
    fn default() -> Self {
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(MAX_HANDLES);
        let describe = DescribeSource { time: DESCRIBE_TIME, random: Random::from_seed(DESCRIBE_SEED) };
        Self { handles, output: Output::default(), http: Http::default(), describe }
    }
}

/// Adds what every component may import. See [`denied`] for what is added for each component by itself.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::add_to_linker(linker)?;
    clocks::add_to_linker(linker)?;
    http::add_to_linker(linker)?;
    poll::add_to_linker(linker)?;
    random::add_to_linker(linker)?;
    streams::add_to_linker(linker)
}

/// An interface's full name: `wasi:io/poll@0.2.12`.
fn versioned(interface: &str) -> String {
    format!("{interface}@{RELEASE}")
}

impl State {
    /// The time, each time a little later.
    fn read_clock(&mut self) -> wasmtime::Result<Timestamp> {
        if self.run().is_none() {
            let time = self.clock();
            self.wasi.describe.time.0 += u64::from(CLOCK_TICK_NANOS);
            return Ok(time);
        }
        match self.call(Call::Read(Read::Now))? {
            Reply::Time(time) => Ok(time),
            other => Err(unexpected(&other)),
        }
    }

    /// What [`Self::read_clock`] would answer now. To look at it is no event.
    fn clock(&self) -> Timestamp {
        self.run().map_or(self.wasi.describe.time, refrain_engine::run::Run::clock)
    }

    /// Where monotonic time begins. It is not the run's own start where the run's journal begins with that of another:
    /// what the guest has read so far stays true.
    fn monotonic_zero(&self) -> Timestamp {
        self.run().map_or(DESCRIBE_TIME, |run| run.started().identity(0).at)
    }

    /// The next bytes of the random stream.
    fn read_random(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if self.run().is_none() {
            return Ok(self.wasi.describe.random.bytes(len as usize));
        }
        match self.call(Call::Read(Read::RandomBytes { len }))? {
            Reply::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected(&other)),
        }
    }

    /// Writes what was printed without an end of line.
    pub(crate) fn flush_output(&mut self) -> Result<(), HostTrap> {
        for line in self.wasi.output.rest() {
            self.log_line(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Linker;
    use wasmtime::{Config, Engine};

    use super::{OFFERED, add_to_linker, http, versioned};
    use crate::state::State;

    /// The linker refuses to define a name twice: of what is offered everything is taken, and of nothing else.
    #[test]
    fn what_is_offered_is_what_is_there() {
        let mut config = Config::new();
        config.wasm_component_model(true);
        let engine = Engine::new(&config).unwrap();
        let mut linker: Linker<State> = Linker::new(&engine);
        add_to_linker(&mut linker).unwrap();
        for (interface, functions) in OFFERED.iter().chain(http::OFFERED) {
            let mut instance = linker.instance(&versioned(interface)).unwrap();
            for function in *functions {
                let again = instance.func_wrap(function, |_, ()| Ok(()));
                assert!(again.is_err(), "{interface}.{function} is offered and not there");
            }
        }
    }
}
