//! Following who checks or moves the open runs of a component: what both commands print, and their exit codes.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use super::{CliError, Context, Exit};
use crate::client::{ClientError, LineStream};
use crate::render::sweep::{Report, headline};
use crate::wire::{CheckRequest, SweepBegun, SweepLine, SweepProgress, SweepSummary};

/// Which open runs are looked at.
#[derive(Debug, Args)]
pub(super) struct SelectionArgs {
    /// Only runs of this workflow type.
    #[arg(long, value_name = "TYPE")]
    pub(super) workflow: Option<String>,
    /// Only runs that this version executes.
    #[arg(long, value_name = "N")]
    pub(super) from_version: Option<u32>,
}

impl SelectionArgs {
    pub(super) fn check(self, sample: Option<u64>, runs: Vec<String>) -> CheckRequest {
        CheckRequest { sample, runs, workflow: self.workflow, from_version: self.from_version }
    }
}

/// Follows a sweep to its end, and prints what became of the runs: on standard output the report, or with `--json` the
/// lines as they come; on standard error how far it is.
pub(super) async fn follow(
    context: &Context,
    component: &str,
    mut lines: LineStream,
) -> Result<SweepSummary, CliError> {
    let out = context.out;
    let (mut begun, mut report, mut looked_at) = (SweepBegun::default(), Report::default(), 0);
    let bar = bar(out);
    let summary = loop {
        let Some((line, text)) = lines.next().await? else { return Err(lines.cut_off().into()) };
        if out.is_json() {
            out.json_line(&text);
        }
        match line {
            SweepLine::Begun(first) => {
                bar.iter().for_each(|bar| bar.set_length(first.selected));
                begun = first;
            }
            SweepLine::Run(run) => {
                looked_at += 1;
                bar.iter().for_each(|bar| bar.set_position(looked_at));
                report.add(*run, None);
            }
            SweepLine::Progress(SweepProgress { looked_at, selected }) if bar.is_none() => {
                out.say(&format!("{looked_at} of {selected} runs are looked at"));
            }
            SweepLine::Progress(_) => {}
            SweepLine::Summary(summary) => break summary,
            SweepLine::Failed { problem } => return Err(ClientError::Refused(problem).into()),
        }
    };
    bar.iter().for_each(ProgressBar::finish_and_clear);
    if !out.is_json() {
        out.data(&report.text(&headline(component, &begun), &summary));
    }
    Ok(summary)
}

/// Shows how far it is, where somebody watches.
pub(super) fn bar(out: Output) -> Option<ProgressBar> {
    out.is_watched().then(|| {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {eta} left") {
            bar.set_style(style);
        }
        bar
    })
}

/// Says how many runs were moved to this version.
pub(super) fn say_moved(context: &Context, version: u32, summary: &SweepSummary) {
    let moved: u64 = summary.moved();
    let others = if summary.safe { "" } else { "; the others stay as they are" };
    context.out.say(&format!("runs moved to version {version}: {moved}{others}"));
}

/// The exit code of what became of the runs.
pub(super) fn exit(summary: &SweepSummary) -> Exit {
    if summary.safe { Exit::Ok } else { Exit::Diverges }
}
