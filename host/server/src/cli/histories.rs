//! Replaying histories from files and from a host with a component: many at once, with a report of what came of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use refrain_engine::export::Exported;
use refrain_sandbox::Building;
use tokio::task::spawn_blocking;

use super::host_runs::export;
use super::sweep::bar;
use super::{CliError, Context, Ending, Exit};
use crate::client::{Client, ClientError};
use crate::render::count;
use crate::render::junit::JUnit;
use crate::render::sweep::Report;
use crate::replay::line::ReplayLine;
use crate::replay::{Candidate, CandidateError, files};
use crate::wire::{JudgedRun, RunSummary, SweepSummary};

/// Histories at once unless told otherwise: one for each processor.
pub(super) fn default_jobs() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Where a history is.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(PathBuf),
    Run(RunSummary),
}

impl Source {
    fn file(&self) -> Option<String> {
        match self {
            Self::File(path) => Some(path.display().to_string()),
            Self::Run(_) => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Run(run) => write!(f, "workflow {} run {}", run.id, run.run_id),
        }
    }
}

/// What is replayed, and how.
pub(super) struct Replays {
    /// The component, and what it is called in the report.
    pub(super) component: Vec<u8>,
    pub(super) name: String,
    pub(super) sources: Vec<Source>,
    /// Only histories of this type.
    pub(super) workflow: Option<String>,
    pub(super) jobs: usize,
    /// Where JUnit's report goes.
    pub(super) junit: Option<PathBuf>,
}

/// What came of a history.
enum Replayed {
    Run(Box<JudgedRun>),
    Unreadable(String),
    /// It is of another type, or the run is not there any more.
    PassedOver,
    /// The host cannot be asked.
    Failed(ClientError),
}

impl Replays {
    /// Replays all, and reports: on standard output, with `--json` as they are looked at.
    pub(super) async fn run(self, context: &Context) -> Ending {
        let Self { component, name, sources, workflow, jobs, junit } = self;
        let candidate = Candidate::inspect(component.into(), jobs, Building::default()).await;
        let candidate = Arc::new(candidate.map_err(|error| refused(&name, error))?);
        let bar = bar(context.out);
        bar.iter().for_each(|bar| bar.set_length(sources.len() as u64));
        let has_files = sources.iter().any(|source| matches!(source, Source::File(_)));
        let workflow: Arc<Option<String>> = Arc::new(workflow);
        let replays = sources.into_iter().map(|source| {
            let (client, candidate) = (context.client.clone(), Arc::clone(&candidate));
            let (of, workflow) = (source.clone(), Arc::clone(&workflow));
            let replay = async move { replay(&client, &candidate, source, (*workflow).as_deref()).await };
            async move { (of, tokio::spawn(replay).await) }
        });
        // In their order, so that two reports can be compared.
        let mut replays = stream::iter(replays).buffered(jobs);
        let mut tally = Tally::new(&name);
        while let Some((source, replayed)) = replays.next().await {
            let replayed = replayed.unwrap_or_else(|panic| Replayed::Unreadable(panic.to_string()));
            tally.hear(context, &source, replayed)?;
            bar.iter().for_each(|bar| bar.inc(1));
        }
        bar.iter().for_each(ProgressBar::finish_and_clear);
        if let Some(workflow) = &*workflow
            && has_files
            && tally.is_empty()
        {
            // Whoever misspells it is not told that all is well.
            let message = format!("none of the histories is of the workflow type {workflow:?}");
            return Err(CliError::usage(message));
        }
        tally.end(context, &name, junit.as_deref())
    }
}

/// What came of all of them.
struct Tally {
    report: Report,
    summary: SweepSummary,
    xml: JUnit,
    /// Where they are, and what is wrong with them.
    unreadable: Vec<(String, String)>,
}

impl Tally {
    /// Of the component that is called so.
    fn new(name: &str) -> Self {
        let summary = SweepSummary { safe: true, ..SweepSummary::default() };
        Self { report: Report::default(), summary, xml: JUnit::new(name), unreadable: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.summary.looked_at == 0 && self.unreadable.is_empty()
    }

    fn hear(&mut self, context: &Context, source: &Source, replayed: Replayed) -> Result<(), ClientError> {
        match replayed {
            Replayed::Run(run) => {
                let file = source.file();
                self.xml.add(&run, file.as_deref());
                print(context, &ReplayLine::run(file.as_deref(), &run));
                self.summary.count(&run);
                self.report.add(*run, file);
            }
            Replayed::Unreadable(message) => {
                let file = source.to_string();
                self.xml.add_unreadable(&file, &message);
                print(context, &ReplayLine::Unreadable { file: &file, message: &message });
                self.summary.safe = false;
                self.unreadable.push((file, message));
            }
            Replayed::PassedOver => {}
            Replayed::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Prints it all. Code that differs counts for more than a file that cannot be read.
    fn end(self, context: &Context, name: &str, junit: Option<&Path>) -> Ending {
        let Self { report, summary, xml, unreadable } = self;
        if let Some(path) = junit {
            write_file(path, xml.text().as_bytes())?;
        }
        let all_replayed = summary.moved() == summary.looked_at;
        print(context, &ReplayLine::Summary { summary: &summary, unreadable: unreadable.len() as u64 });
        if !context.out.is_json() {
            let histories = match summary.looked_at {
                1 => "1 history".to_owned(),
                number => format!("{number} histories"),
            };
            context.out.data(&report.text(&format!("{name}: {histories} replayed"), &summary));
            unreadable.iter().for_each(|(file, message)| context.out.say(&format!("{file}: {message}")));
        }
        if !all_replayed {
            context.out.say("some runs would not go on with this code");
            return Ok(Exit::Diverges);
        }
        if !unreadable.is_empty() {
            let files = count(unreadable.len() as u64, "file");
            return Err(CliError::usage(format!("{files} could not be replayed")));
        }
        Ok(Exit::Ok)
    }
}

async fn replay(client: &Client, candidate: &Candidate, source: Source, workflow: Option<&str>) -> Replayed {
    let history = match source {
        Source::File(path) => blocking(move || files::read(&path)).await,
        Source::Run(run) => match export(client, &run, false).await {
            Ok(Some(lines)) => {
                blocking(move || Exported::read(&lines).map_err(|error| error.to_string())).await
            }
            Ok(None) => return Replayed::PassedOver,
            Err(error) => return Replayed::Failed(error),
        },
    };
    let history = match history {
        Ok(history) => history,
        Err(message) => return Replayed::Unreadable(message),
    };
    if workflow.is_some_and(|workflow| workflow != history.started.workflow) {
        return Replayed::PassedOver;
    }
    match candidate.replay(history).await {
        Ok(run) => Replayed::Run(Box::new(run)),
        Err(error) => Replayed::Unreadable(error.to_string()),
    }
}

async fn blocking(
    read: impl FnOnce() -> Result<Exported, String> + Send + 'static,
) -> Result<Exported, String> {
    spawn_blocking(read).await.unwrap_or_else(|panic| Err(panic.to_string()))
}

fn print(context: &Context, line: &ReplayLine<'_>) {
    if context.out.is_json() {
        context.out.json_line(&serde_json::to_string(line).unwrap_or_default());
    }
}

/// Says that no host would take the component with this name.
pub(super) fn refused(name: &str, error: CandidateError) -> CliError {
    match error {
        CandidateError::Refused(refusal) => CliError::usage(format!("{name}: {refusal}")),
        CandidateError::Sandbox(error) => CliError::failed(error.to_string()),
    }
}

/// Writes a file whole or not at all: who looks for it meanwhile finds the one before.
pub(super) fn write_file(path: &Path, content: &[u8]) -> Result<(), CliError> {
    let refuse = |error| CliError::usage(format!("cannot write {}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Like any file of its owner's, and not a secret as temporary ones are.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(refuse)?;
    std::io::Write::write_all(&mut file, content).map_err(refuse)?;
    file.persist(path).map(drop).map_err(|error| refuse(error.error))
}
