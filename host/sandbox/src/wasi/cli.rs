//! `wasi:cli`: what a program finds around it: what its component was configured with, its output, and its end.

use refrain_engine::call::Completion;
use refrain_engine::failure::{Failure, FailureKind};
use wasmtime::component::{Linker, Resource, ResourceType};

use super::output::Stream;
use super::streams::{InputStream, OutputStream};
use super::versioned;
use crate::state::{HostTrap, State};

/// A terminal, of which there is none.
struct TerminalInput;
struct TerminalOutput;

/// The type of the failure of a run whose code exits.
const EXIT: &str = "exit";

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut environment = linker.instance(&versioned("wasi:cli/environment"))?;
    environment.func_wrap("get-environment", |store, ()| Ok((store.data().environment(),)))?;
    environment.func_wrap("get-arguments", |store, ()| Ok((store.data().arguments(),)))?;
    environment.func_wrap("initial-cwd", |_, ()| Ok((None::<String>,)))?;

    let mut exit = linker.instance(&versioned("wasi:cli/exit"))?;
    exit.func_wrap("exit", |mut store, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
        Err(store.data_mut().exit(status.is_ok()).into())
    })?;

    let mut stdin = linker.instance(&versioned("wasi:cli/stdin"))?;
    stdin.func_wrap("get-stdin", |mut store, ()| {
        Ok((store.data_mut().wasi.handles.push(InputStream::Empty)?,))
    })?;
    for (interface, function, stream) in
        [("wasi:cli/stdout", "get-stdout", Stream::Stdout), ("wasi:cli/stderr", "get-stderr", Stream::Stderr)]
    {
        linker.instance(&versioned(interface))?.func_wrap(function, move |mut store, ()| {
            Ok((store.data_mut().wasi.handles.push(OutputStream::Stdio(stream))?,))
        })?;
    }

    let mut input = linker.instance(&versioned("wasi:cli/terminal-input"))?;
    input.resource("terminal-input", ResourceType::host::<TerminalInput>(), |_, _| Ok(()))?;
    let mut output = linker.instance(&versioned("wasi:cli/terminal-output"))?;
    output.resource("terminal-output", ResourceType::host::<TerminalOutput>(), |_, _| Ok(()))?;
    let mut stdin = linker.instance(&versioned("wasi:cli/terminal-stdin"))?;
    stdin.func_wrap("get-terminal-stdin", |_, ()| Ok((None::<Resource<TerminalInput>>,)))?;
    for stream in ["stdout", "stderr"] {
        let mut terminal = linker.instance(&versioned(&format!("wasi:cli/terminal-{stream}")))?;
        let function = format!("get-terminal-{stream}");
        terminal.func_wrap(&function, |_, ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    }
    Ok(())
}

impl State {
    /// In `describe` there is nothing around: a component may have many names, and is described once.
    fn environment(&self) -> Vec<(String, String)> {
        self.run().map(|run| run.started().surroundings.environment.clone()).unwrap_or_default()
    }

    /// The first is the program's own name, as everywhere: that of the component.
    fn arguments(&self) -> Vec<String> {
        self.run().map_or_else(Vec::new, |run| {
            let started = run.started();
            [&started.component].into_iter().chain(&started.surroundings.arguments).cloned().collect()
        })
    }

    /// A workflow ends by returning. A program that exits has given up in its own way, whatever its status says.
    fn exit(&mut self, is_success: bool) -> HostTrap {
        if self.run().is_none() {
            return HostTrap::NoRun("wasi:cli/exit");
        }
        let how = if is_success { "successfully" } else { "with a failure" };
        let message =
            format!("the program exited {how} before its workflow returned: return from it instead");
        let failure = Failure::new(FailureKind::Application, EXIT, message);
        match self.flush_output() {
            Ok(()) => self.returned(Completion::Failed(failure)),
            Err(trap) => return trap,
        }
        HostTrap::Halted
    }
}
