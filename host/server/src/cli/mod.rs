//! The command line: one file for each command.
//!
//! Data goes to standard output, words to standard error. With `--json`, standard output has what the host answered,
//! byte for byte. Exit codes are listed in [`Exit`] and in `--help`.

mod activity_cancel;
mod activity_complete;
mod activity_fail;
mod activity_heartbeat;
mod activity_pause;
mod activity_reset;
mod activity_unpause;
mod activity_update_options;
mod bench;
mod certify;
mod component_activate;
mod component_check;
mod component_delete;
mod component_list;
mod component_move;
mod component_push;
mod component_show;
mod dev;
mod exit;
mod follow;
mod histories;
mod host_runs;
mod input;
mod new;
mod output;
mod parked;
mod replay;
mod server;
mod sweep;
mod task_queue_list;
mod task_queue_show;
mod test;
mod workflow_cancel;
mod workflow_debug;
mod workflow_delete;
mod workflow_describe;
mod workflow_execute;
mod workflow_export;
mod workflow_fork;
mod workflow_list;
mod workflow_move;
mod workflow_pause;
mod workflow_query;
mod workflow_reset;
mod workflow_result;
mod workflow_resume;
mod workflow_show;
mod workflow_signal;
mod workflow_start;
mod workflow_terminate;
mod workflow_unpause;
mod workflow_update;
mod workflow_update_result;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use exit::{CliError, Exit};
#[cfg(test)]
pub(crate) use new::starts;
use output::Output;

use crate::api::LENGTH_FORM;
use crate::client::{Answer, Client};
use crate::config::{DEFAULT_LISTEN, parse_length};
use crate::wire::{Done, ForkedRun};

/// A durable workflow host: workflows are WebAssembly components, and survive the host.
#[derive(Debug, Parser)]
#[command(name = "refrain", version, after_help = Exit::HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of all commands that talk to a host.
#[derive(Debug, Args)]
struct Global {
    /// The host's address. [default: http://127.0.0.1:7420]
    #[arg(long, global = true, env = "REFRAIN_ADDRESS", value_name = "URL", help_heading = "Host")]
    address: Option<String>,
    /// The namespace.
    #[arg(long, global = true, env = "REFRAIN_NAMESPACE", default_value = "default", value_name = "NAME")]
    #[arg(help_heading = "Host")]
    namespace: String,
    /// The host's API key. Better given in the environment, since command lines can be seen by others.
    #[arg(long, global = true, env = "REFRAIN_API_KEY", hide_env_values = true, value_name = "KEY")]
    #[arg(help_heading = "Host")]
    api_key: Option<String>,
    /// Print JSON: what the host answered, one line for each answer or event.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is made in a process")]
enum Command {
    /// Make a project: a small workflow, with all that is needed to build it.
    New(new::New),
    /// Work on a project: build it, run it, and do so again with each change.
    Dev(dev::Dev),
    /// Run a host.
    Server(server::Server),
    /// Upload components and look at them.
    #[command(subcommand, visible_alias = "components")]
    Component(ComponentCommand),
    Test(test::Test),
    Replay(replay::Replay),
    /// Measure this machine and this build.
    Bench(bench::Bench),
    /// End activities by hand, and pause, reset or change them.
    #[command(subcommand, visible_alias = "activities")]
    Activity(ActivityCommand),
    /// Look at task queues: what waits in them, what runs, and who polls.
    #[command(subcommand, visible_alias = "task-queues")]
    TaskQueue(TaskQueueCommand),
    /// Start executions, look at them, and talk to them.
    #[command(subcommand, visible_alias = "workflows")]
    Workflow(WorkflowCommand),
}

#[derive(Debug, Subcommand)]
enum ActivityCommand {
    Complete(activity_complete::Complete),
    Fail(activity_fail::Fail),
    Cancel(activity_cancel::Cancel),
    Heartbeat(activity_heartbeat::Heartbeat),
    Pause(activity_pause::Pause),
    Unpause(activity_unpause::Unpause),
    Reset(activity_reset::Reset),
    UpdateOptions(activity_update_options::UpdateOptions),
}

#[derive(Debug, Subcommand)]
enum ComponentCommand {
    Push(component_push::Push),
    Check(component_check::Check),
    List(component_list::List),
    Show(component_show::Show),
    Move(component_move::Move),
    Activate(component_activate::Activate),
    Delete(component_delete::Delete),
}

#[derive(Debug, Subcommand)]
enum TaskQueueCommand {
    List(task_queue_list::List),
    Show(task_queue_show::Show),
}

#[derive(Debug, Subcommand)]
enum WorkflowCommand {
    Start(workflow_start::Start),
    Execute(workflow_execute::Execute),
    List(workflow_list::List),
    Describe(workflow_describe::Describe),
    Show(workflow_show::Show),
    Debug(workflow_debug::Debug),
    Export(workflow_export::Export),
    Result(workflow_result::AwaitResult),
    Signal(workflow_signal::Signal),
    Query(workflow_query::Query),
    Update(workflow_update::Update),
    UpdateResult(workflow_update_result::AwaitUpdate),
    Cancel(workflow_cancel::Cancel),
    Terminate(workflow_terminate::Terminate),
    Resume(workflow_resume::Resume),
    Move(workflow_move::Move),
    Pause(workflow_pause::Pause),
    Unpause(workflow_unpause::Unpause),
    Delete(workflow_delete::Delete),
    Reset(workflow_reset::Reset),
    Fork(workflow_fork::Fork),
}

/// What commands that talk to a host work with.
struct Context {
    client: Client,
    out: Output,
}

/// How a command ends.
type Ending = Result<Exit, CliError>;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.global.json);
    let ended = match cli.command {
        Command::New(new) => new.run(out),
        Command::Test(test) => test.run(out),
        Command::Dev(dev) => dev.run(cli.global),
        Command::Server(server) => server.run(cli.global.api_key),
        Command::Bench(bench) => bench.run(cli.global.json),
        Command::Activity(command) => with_client(cli.global, |context| activity(command, context)),
        Command::TaskQueue(command) => with_client(cli.global, |context| task_queue(command, context)),
        Command::Component(command) => with_client(cli.global, |context| component(command, context)),
        Command::Replay(replay) => with_client(cli.global, async |context| replay.run(&context).await),
        Command::Workflow(command) => with_client(cli.global, |context| workflow(command, context)),
    };
    let exit = ended.unwrap_or_else(|error| {
        out.error(&error);
        error.exit()
    });
    exit.into()
}

fn with_client<F: Future<Output = Ending>>(global: Global, run: impl FnOnce(Context) -> F) -> Ending {
    let address = global.address.unwrap_or_else(|| format!("http://{DEFAULT_LISTEN}"));
    let client = Client::new(&address, &global.namespace, global.api_key)?;
    let context = Context { client, out: Output::new(global.json) };
    // Commands that only ask a host use one of its threads; what is replayed here takes them all.
    let runtime = tokio::runtime::Runtime::new();
    runtime.map_err(|error| CliError::system("cannot start", &error))?.block_on(run(context))
}

async fn activity(command: ActivityCommand, context: Context) -> Ending {
    match command {
        ActivityCommand::Complete(complete) => complete.run(&context).await,
        ActivityCommand::Fail(fail) => fail.run(&context).await,
        ActivityCommand::Cancel(cancel) => cancel.run(&context).await,
        ActivityCommand::Heartbeat(heartbeat) => heartbeat.run(&context).await,
        ActivityCommand::Pause(pause) => pause.run(&context).await,
        ActivityCommand::Unpause(unpause) => unpause.run(&context).await,
        ActivityCommand::Reset(reset) => reset.run(&context).await,
        ActivityCommand::UpdateOptions(update) => update.run(&context).await,
    }
}

async fn task_queue(command: TaskQueueCommand, context: Context) -> Ending {
    match command {
        TaskQueueCommand::List(list) => list.run(&context).await,
        TaskQueueCommand::Show(show) => show.run(&context).await,
    }
}

async fn component(command: ComponentCommand, context: Context) -> Ending {
    match command {
        ComponentCommand::Push(push) => push.run(&context).await,
        ComponentCommand::List(list) => list.run(&context).await,
        ComponentCommand::Show(show) => show.run(&context).await,
        ComponentCommand::Check(check) => check.run(&context).await,
        ComponentCommand::Move(moves) => moves.run(&context).await,
        ComponentCommand::Activate(activate) => activate.run(&context).await,
        ComponentCommand::Delete(delete) => delete.run(&context).await,
    }
}

async fn workflow(command: WorkflowCommand, context: Context) -> Ending {
    match command {
        WorkflowCommand::Start(start) => start.run(&context).await,
        WorkflowCommand::Execute(execute) => execute.run(&context).await,
        WorkflowCommand::List(list) => list.run(&context).await,
        WorkflowCommand::Describe(describe) => describe.run(&context).await,
        WorkflowCommand::Show(show) => show.run(&context).await,
        WorkflowCommand::Debug(debug) => debug.run(&context).await,
        WorkflowCommand::Export(export) => export.run(&context).await,
        WorkflowCommand::Result(result) => result.run(&context).await,
        WorkflowCommand::Signal(signal) => signal.run(&context).await,
        WorkflowCommand::Query(query) => query.run(&context).await,
        WorkflowCommand::Update(update) => update.run(&context).await,
        WorkflowCommand::UpdateResult(update) => update.run(&context).await,
        WorkflowCommand::Cancel(cancel) => cancel.run(&context).await,
        WorkflowCommand::Terminate(terminate) => terminate.run(&context).await,
        WorkflowCommand::Resume(resume) => resume.run(&context).await,
        WorkflowCommand::Move(moves) => moves.run(&context).await,
        WorkflowCommand::Pause(pause) => pause.run(&context).await,
        WorkflowCommand::Unpause(unpause) => unpause.run(&context).await,
        WorkflowCommand::Delete(delete) => delete.run(&context).await,
        WorkflowCommand::Reset(reset) => reset.run(&context).await,
        WorkflowCommand::Fork(fork) => fork.run(&context).await,
    }
}

/// Which run of an execution: arguments that several commands share.
#[derive(Debug, Args)]
struct RunArgs {
    /// The execution's id.
    id: String,
    /// The run; the execution's latest one unless given.
    #[arg(long, value_name = "RUN_ID")]
    run_id: Option<String>,
}

/// Which activity of a run: arguments that several commands share.
#[derive(Debug, Args)]
struct ActivityArgs {
    /// The execution's id.
    #[arg(value_name = "WORKFLOW_ID")]
    id: String,
    /// The activity's number in its run, as `workflow describe` shows it.
    #[arg(value_name = "ACTIVITY_ID", value_parser = activity_id)]
    activity: u64,
    /// The run; the execution's latest one unless given.
    #[arg(long, value_name = "RUN_ID")]
    run_id: Option<String>,
}

/// An activity's number in its run.
fn activity_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "not an activity's id: a number, as `workflow describe` shows it".to_owned())
}

/// Says that what was asked of the host is done.
fn done(out: Output, answer: &Answer<Done>, words: &str) -> Exit {
    if out.is_json() {
        out.json_line(&answer.text);
    }
    out.say(words);
    Exit::Ok
}

/// What a run that was reset or forked has kept, in words.
fn kept(run: &ForkedRun) -> String {
    run.step.map_or("from the beginning".to_owned(), |step| format!("from the end of step {step}"))
}

/// A length of time as people write it: `30s`, `1m 30s`.
fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    parse_length(text).ok_or_else(|| format!("not a length of time: {LENGTH_FORM}"))
}

/// A length of time that goes to the host as it is written.
fn checked_duration(text: &str) -> Result<String, String> {
    parse_duration(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
