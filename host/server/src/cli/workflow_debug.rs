//! `refrain workflow debug`.

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use refrain_engine::export::Exported;
use refrain_runtime::{Calls, Stopped};
use refrain_sandbox::Building;

use super::component_push::read;
use super::histories::refused;
use super::output::Output;
use super::{CliError, Context, Ending, Exit};
use crate::debug::view::{self, DebugLine};
use crate::debug::{Session, terminal};
use crate::replay::{Candidate, files};

/// Go through what a run has done, one import call at a time, forwards and backwards.
///
/// The run does not notice: its history is replayed in this process. For each call there is what it was given and
/// answered, the time, what was under way, the log so far, and where in the code it is made; with its line, if the
/// component has debug information. Without a terminal, with --plain and with --json, it is printed instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow debug order-42
  refrain workflow debug order-42 --component target/wasm32-unknown-unknown/release/shop.wasm
  refrain workflow debug --history order-42.jsonl --component shop.wasm
  refrain workflow debug order-42 --at 17 --plain
  refrain workflow debug order-42 --at 3.1 --json
  refrain workflow debug order-42 --plain | grep activity.start

Keys: arrows, j k n p step; PgUp PgDn g G go further; / searches; q asks a query; ? says more; Esc or Ctrl-C leave.
It exits with 8 if the component does not make the calls of the history.")]
pub(super) struct Debug {
    /// The execution's id. Or a file: --history.
    #[arg(required_unless_present = "history", conflicts_with = "history")]
    id: Option<String>,
    /// The run; the execution's latest one unless given.
    #[arg(long, alias = "run", value_name = "RUN_ID", requires = "id")]
    run_id: Option<String>,
    /// A history that `refrain workflow export` wrote, in place of a run of a host.
    #[arg(long, value_name = "FILE", requires = "component")]
    history: Option<PathBuf>,
    /// The component's .wasm file; what executes the run on the host unless given. One with debug information tells more.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The call to begin with, or to print: its number, or its place as reports of replays say it, such as 3.1.
    #[arg(long, value_name = "CALL")]
    at: Option<At>,
    /// Print for people, and do not take the terminal: the call of --at, or every call on a line.
    #[arg(long)]
    plain: bool,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// By its number, from 1.
    Call(u64),
    /// The first at an entry of the journal.
    Place { step: u64, index: usize },
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = match text.split_once('.') {
            None => text.parse().ok().filter(|call| *call > 0).map(Self::Call),
            Some((step, index)) => {
                step.parse().ok().zip(index.parse().ok()).map(|(step, index)| Self::Place { step, index })
            }
        };
        at.ok_or_else(|| "not a call: its number, from 1, or its place, such as 3.1".to_owned())
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => write!(f, "{call}"),
            Self::Place { step, index } => write!(f, "{step}.{index}"),
        }
    }
}

impl At {
    /// The index of the call among these.
    pub(super) fn find(self, calls: &Calls) -> Result<usize, CliError> {
        let Calls { calls, end, .. } = calls;
        let found = match self {
            Self::Call(call) => usize::try_from(call - 1).ok().filter(|index| *index < calls.len()),
            Self::Place { step, index } => {
                calls.iter().position(|call| (call.position.step, call.position.index) == (step, index))
            }
        };
        let count = calls.len();
        found.ok_or_else(|| {
            CliError::usage(format!("there is no call {self}: there are {count}, and after them: {end}"))
        })
    }
}

impl Debug {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { id, run_id, history, component, at, plain } = self;
        let (name, history) = match (id, history) {
            (Some(id), _) => (format!("workflow {id}"), exported(context, &id, run_id.as_deref()).await?),
            (None, Some(path)) => (path.display().to_string(), from_file(&path)?),
            (None, None) => return Err(CliError::usage("give an execution's id, or --history")),
        };
        let mut session = match component {
            Some(path) => {
                let component = (&*path.display().to_string(), read(&path)?);
                begin(component, (&name, history), false, Building::default()).await?
            }
            None => {
                let (component, version) = (history.code.component.clone(), history.code.version);
                let bytes = context.client.component_code(&component, version).await?;
                let component = (&*format!("{component}@{version}"), bytes);
                begin(component, (&name, history), true, Building::default()).await?
            }
        };
        let first = at.map(|at| at.find(&session.calls)).transpose()?;
        if !plain && !context.out.is_json() && io::stdin().is_terminal() && io::stdout().is_terminal() {
            let shown = terminal::run(&mut session, first.unwrap_or(0)).await;
            shown.map_err(|error| CliError::system("cannot use the terminal", &error))?;
            return Ok(Exit::Ok);
        }
        match first {
            Some(index) => print_call(context, &session, index).await.map(|_| Exit::Ok),
            None => Ok(print_calls(context.out, &session.calls)),
        }
    }
}

async fn exported(context: &Context, id: &str, run_id: Option<&str>) -> Result<Exported, CliError> {
    let lines = context.client.export(id, run_id, false).await?;
    Exported::read(&lines)
        .map_err(|error| CliError::failed(format!("the host's answer cannot be used: {error}")))
}

/// Reads a history from a file.
pub(super) fn from_file(path: &Path) -> Result<Exported, CliError> {
    files::read(path).map_err(|message| CliError::usage(format!("{}: {message}", path.display())))
}

/// Begins to look at a history with the bytes of a component. Both have names, for what is wrong with them.
pub(super) async fn begin(
    (component, bytes): (&str, Vec<u8>),
    (name, history): (&str, Exported),
    is_its_own: bool,
    building: Building,
) -> Result<Session, CliError> {
    let candidate = Candidate::inspect(bytes.into(), 1, building).await;
    let candidate = candidate.map_err(|error| refused(component, error))?;
    let debugger = candidate.debugger(history, is_its_own);
    let debugger = debugger.map_err(|error| CliError::usage(format!("{name}: {error}")))?;
    Session::begin(debugger).await.map_err(|error| CliError::failed(error.to_string()))
}

/// Looks at the run at the call with this index, and prints it.
pub(super) async fn print_call(
    context: &Context,
    session: &Session,
    index: usize,
) -> Result<Stopped, CliError> {
    let found = session.look(index as u64 + 1).await;
    let found = found.map_err(|error| CliError::failed(error.to_string()))?;
    let out = context.out;
    if out.is_json() {
        json_line(out, &DebugLine::moment(&session.calls, &found));
    } else {
        out.data(&view::text(&session.calls, &found));
    }
    Ok(found)
}

/// Prints each call, and what comes after the last one.
fn print_calls(out: Output, calls: &Calls) -> Exit {
    for (index, call) in calls.calls.iter().enumerate() {
        if out.is_json() {
            json_line(out, &DebugLine::call(index, call));
        } else {
            out.data(&view::row(calls, index));
        }
    }
    if out.is_json() {
        json_line(out, &DebugLine::end(calls));
    } else {
        out.say(&calls.end);
    }
    if calls.differs { Exit::Diverges } else { Exit::Ok }
}

fn json_line(out: Output, line: &DebugLine<'_>) {
    out.json_line(&serde_json::to_string(line).unwrap_or_default());
}
