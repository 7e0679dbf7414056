//! What an error of wasmtime means: the guest's own trap, the host's word, or a shortage of the machine.

use std::io;

use refrain_engine::guest::{Image, Reached, Stop, Trap};
use refrain_engine::mismatch::Mismatch;
use refrain_engine::run::{Halt, Run};
use wasmtime::{Error, OutOfMemory, PoolConcurrencyLimitError, WasmBacktrace};

use crate::state::HostTrap;

/// What ended an execution.
pub(crate) enum Cause {
    /// The run's word, and the error that unwound the guest if it was executing.
    Halted(Option<Error>),
    /// The budget is used up.
    Budget,
    /// The machine is short of something, or the host made a mistake.
    Unavailable(String),
    /// The guest's code.
    Guest(Trap),
    /// The guest's code gave up: it reached an `unreachable`, which is how panics end.
    Panic(Trap),
}

/// Why an execution ended with this error.
pub(crate) fn cause(error: Error) -> Cause {
    match error.downcast_ref::<HostTrap>() {
        Some(HostTrap::Halted) => Cause::Halted(Some(error)),
        Some(HostTrap::Budget) => Cause::Budget,
        Some(HostTrap::Machine(message)) => Cause::Unavailable(message.clone()),
        Some(HostTrap::Misuse(_) | HostTrap::NoRun(_)) => Cause::Guest(trap(&error)),
        None if is_shortage(&error) => Cause::Unavailable(error.root_cause().to_string()),
        None if error.downcast_ref() == Some(&wasmtime::Trap::UnreachableCodeReached) => {
            Cause::Panic(trap(&error))
        }
        None => Cause::Guest(trap(&error)),
    }
}

/// Why making an instance ended with this error. What neither executed nor trapped never got so far: the
/// machine had no room.
pub(crate) fn cause_of_instantiation(error: Error) -> Cause {
    let executed = error.is::<HostTrap>() || error.is::<wasmtime::Trap>() || error.is::<WasmBacktrace>();
    match cause(error) {
        Cause::Guest(trap) if !executed => Cause::Unavailable(trap.message),
        other => other,
    }
}

/// What an owner is told.
pub(crate) fn stop(cause: Cause, halt: Option<Halt>, image: Option<Image>, run: &mut Run) -> Stop {
    match cause {
        Cause::Halted(error) => match halt.map(Stop::from) {
            Some(Stop::Trap(trap)) => {
                let backtrace = error.as_ref().map(backtrace).unwrap_or_default();
                Stop::Trap(Trap { backtrace, ..trap })
            }
            Some(Stop::Mismatch(mismatch)) => {
                let backtrace = error.as_ref().map(backtrace).unwrap_or_default();
                Stop::Mismatch(Box::new(Mismatch { backtrace, ..*mismatch }))
            }
            Some(Stop::Reached(_)) => {
                let backtrace = error.as_ref().map(backtrace).unwrap_or_default();
                Stop::Reached(Reached { backtrace, image })
            }
            Some(stop) => stop,
            None => Stop::Unavailable("the run stopped its guest and did not say why".to_owned()),
        },
        Cause::Budget => Stop::Budget,
        Cause::Unavailable(message) => Stop::Unavailable(message),
        Cause::Guest(trap) => trapped(trap, run),
        Cause::Panic(trap) => {
            // WebAssembly does not know why. The code said it in its log, which is lost with the step.
            let message = run.last_words().map(|words| format!("{words} ({})", trap.message));
            trapped(Trap { message: message.unwrap_or(trap.message), ..trap }, run)
        }
    }
}

fn trapped(trap: Trap, run: &Run) -> Stop {
    match run.trapped(&trap.message) {
        Some(mismatch) => Stop::Mismatch(Box::new(Mismatch { backtrace: trap.backtrace, ..*mismatch })),
        None => Stop::Trap(trap),
    }
}

fn is_shortage(error: &Error) -> bool {
    error.is::<PoolConcurrencyLimitError>() || error.is::<OutOfMemory>() || error.is::<io::Error>()
}

fn trap(error: &Error) -> Trap {
    let trap = error.downcast_ref::<wasmtime::Trap>();
    let message = match trap {
        // Of a guest that calls the host while that hands values over to it.
        Some(wasmtime::Trap::CannotLeaveComponent) => format!("cannot leave component instance: {REALLOC}"),
        // Its own text begins with "wasm trap: ", which the reader knows by now.
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => error.root_cause().to_string(),
    };
    let stack_overflow = trap == Some(&wasmtime::Trap::StackOverflow);
    Trap { message, backtrace: backtrace(error), stack_overflow }
}

/// Why a guest may not call the host now, and what to do.
const REALLOC: &str = "the host was called from `cabi_realloc`, where it may not be: keep the language's collector from \
    running there (for Go: the SDK's settings), and where an adapter is applied by hand, apply it with \
    `--realloc-via-memory-grow`";

/// Modules that wit-component puts between a guest's code and its imports have names that begin so.
const GLUE_MODULE: &str = "wit-component:";

/// Function names, innermost first, with file and line where the component has them.
fn backtrace(error: &Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let mut lines = Vec::new();
    for frame in backtrace.frames() {
        if frame.module().name().is_some_and(|module| module.starts_with(GLUE_MODULE)) {
            continue;
        }
        let name = frame.func_name().map_or_else(|| format!("<function {}>", frame.func_index()), demangled);
        if frame.symbols().is_empty() {
            lines.push(name);
            continue;
        }
        for symbol in frame.symbols() {
            let name = symbol.name().map_or_else(|| name.clone(), demangled);
            lines.push(match (symbol.file(), symbol.line()) {
                (Some(file), Some(line)) => format!("{name} at {file}:{line}"),
                (_, _) => name,
            });
        }
    }
    lines
}

fn demangled(name: &str) -> String {
    // The alternate form leaves out the hash at the end of Rust's names.
    format!("{:#}", rustc_demangle::demangle(name))
}
