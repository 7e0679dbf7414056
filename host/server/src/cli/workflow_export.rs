//! `refrain workflow export`.

use std::path::{Path, PathBuf};

use clap::Args;
use futures::{StreamExt, stream};
use refrain_engine::export::Exported;
use serde_json::json;

use super::histories::{default_jobs, write_file};
use super::host_runs::{HostRuns, export};
use super::{CliError, Context, Ending, Exit};
use crate::replay::files;
use crate::wire::RunSummary;

/// Export the history of a run to a file, which `refrain replay` replays anywhere.
///
/// The file is text, a JSON value on each line: people read and compare it, and keep it with their code. A run that has
/// not ended is exported as far as it has come.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow export order-42 > order-42.jsonl
  refrain workflow export order-42 --out tests/histories/order-42.jsonl
  refrain workflow export --last 100 --workflow order --out tests/histories
  refrain workflow export order-42 --redact --out for-others.jsonl")]
pub(super) struct Export {
    /// The execution's id. Or many runs: --all, --open, --status or --last.
    #[arg(
        required_unless_present_any = ["all", "open", "status", "last"],
        conflicts_with_all = ["all", "open", "status", "last", "workflow"]
    )]
    id: Option<String>,
    /// The run; the execution's latest one unless given.
    #[arg(long, value_name = "RUN_ID", requires = "id")]
    run_id: Option<String>,
    /// All runs of the host.
    #[arg(long, conflicts_with_all = ["open", "status", "last"])]
    all: bool,
    #[command(flatten)]
    runs: HostRuns,
    /// The file; standard output unless given. Of many runs the folder, where each is a file named after it.
    #[arg(long, value_name = "FILE|FOLDER")]
    out: Option<PathBuf>,
    /// Replace every payload: inputs, results, details and memos. The file then cannot be replayed, and says so. Names,
    /// ids, log lines and the messages of failures stay.
    #[arg(long)]
    redact: bool,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { id, run_id, all, runs, out, redact } = self;
        match id {
            Some(id) => one(context, &id, run_id.as_deref(), out.as_deref(), redact).await,
            None => many(context, &runs, all, out.as_deref(), redact).await,
        }
    }
}

async fn one(context: &Context, id: &str, run_id: Option<&str>, out: Option<&Path>, redact: bool) -> Ending {
    let lines = context.client.export(id, run_id, redact).await?;
    let history = checked(&lines)?;
    match out {
        Some(path) => {
            write_file(path, &lines)?;
            tell(context, id, &history, path);
        }
        None => context.out.data(&String::from_utf8_lossy(&lines)),
    }
    Ok(Exit::Ok)
}

async fn many(context: &Context, runs: &HostRuns, all: bool, out: Option<&Path>, redact: bool) -> Ending {
    let folder = out.ok_or_else(|| CliError::usage("many runs are many files: give a folder with --out"))?;
    let runs = runs.list(&context.client, all).await?;
    let refuse = |error| CliError::usage(format!("cannot make the folder {}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(refuse)?;
    let exports = runs.into_iter().map(|run: RunSummary| async {
        let lines = export(&context.client, &run, redact).await;
        (run, lines)
    });
    let mut exports = stream::iter(exports).buffered(default_jobs());
    let mut written = 0_u64;
    while let Some((run, lines)) = exports.next().await {
        // One that was deleted meanwhile has no history any more.
        let Some(lines) = lines? else { continue };
        let path = folder.join(files::name(&run.id, &run.run_id));
        let history = checked(&lines)?;
        write_file(&path, &lines)?;
        tell(context, &run.id, &history, &path);
        written += 1;
    }
    if written == 0 {
        context.out.say("there is no such run: nothing was exported");
    }
    Ok(Exit::Ok)
}

/// What came is what was sent, to its last line.
fn checked(lines: &[u8]) -> Result<Exported, CliError> {
    Exported::read(lines)
        .map_err(|error| CliError::failed(format!("the host's answer cannot be used: {error}")))
}

fn tell(context: &Context, id: &str, history: &Exported, path: &Path) {
    let (run, records) = (history.started.run_id.to_string(), history.records.len());
    let file = path.display().to_string();
    if context.out.is_json() {
        let line = json!({ "id": id, "run_id": run, "records": records, "file": file });
        context.out.json_line(&line.to_string());
    } else {
        context.out.data(&file);
        let steps = if records == 1 { "1 step".to_owned() } else { format!("{records} steps") };
        context.out.say(&format!("{id}, run {run}: {steps}"));
    }
}
